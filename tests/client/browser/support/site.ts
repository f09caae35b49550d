// A platform's web site, as bare as can be: it signs people in, serves pages, and passes the service's routes on, at one origin.

import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after } from "node:test";
import type { Browser } from "playwright-core";
import { LocalAbly } from "../../../e2e/support/ably.ts";
import { Relay } from "../../../e2e/support/relay.ts";
import { startWorkerd } from "../../../e2e/support/workerd.ts";
import { COOKIE, type Person, World } from "../../../e2e/support/world.ts";
import { launchKeeper } from "../../../local-ably/browser.ts";
import { browserScripts, serverRendering } from "./bundle.ts";

/** What a page is told in the HTML that it comes with. */
export interface Config {
  user: string;
  /** The jobs that are shown at first. */
  jobs: string[];
  /** Where Ably is. Nothing: the page streams. */
  ablyPort?: number | undefined;
  /** First states by job, where the page was rendered on the server with them. */
  initial?: Record<string, object>;
}

/** A request to the service that came by way of the site. */
export interface Asked {
  method: string;
  path: string;
  /** Whom it was asked for, by `Towline-User` or `user`. */
  as: string | undefined;
  /** Whose session it brought. */
  session: string | undefined;
  /** How it was answered; nothing as long as it is not. */
  status: number | undefined;
}

export class Site {
  readonly world: World;
  readonly ably: LocalAbly;
  readonly browser: Browser;
  /** The browser's way to Ably. */
  readonly toAbly: Relay;
  /** The browser's way to the site, and so to the service. */
  readonly toSite: Relay;
  readonly asked: Asked[] = [];
  /** Who streams which job now. */
  readonly streams = new Set<{ path: string; session: string | undefined }>();
  readonly #scripts: Map<string, string>;
  readonly #render: (config: Config) => string;

  private constructor(parts: Pick<Site, "world" | "ably" | "browser" | "toAbly" | "toSite">, scripts: Map<string, string>, render: (config: Config) => string) {
    this.world = parts.world;
    this.ably = parts.ably;
    this.browser = parts.browser;
    this.toAbly = parts.toAbly;
    this.toSite = parts.toSite;
    this.#scripts = scripts;
    this.#render = render;
  }

  /** Starts one, and stops it when the tests of the file, or the one test that has asked for it, have ended. */
  static async start(): Promise<Site> {
    let site: Site | undefined;
    const server = createServer((incoming, response) => (site === undefined ? response.destroy() : site.#answer(incoming, response)));
    // Before the service is stopped, which waits for whoever still reads.
    after(async () => {
      await site?.browser.close();
      site?.toAbly.stop();
      site?.toSite.stop();
      server.close();
      server.closeAllConnections();
    });
    const ably = await LocalAbly.start();
    const starting = World.forThisFile({}, async () => ably, startWorkerd);
    const [world, scripts, render] = await Promise.all([starting, browserScripts(), serverRendering()]);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const toSite = await Relay.to((server.address() as AddressInfo).port);
    const toAbly = await Relay.to(ably.port);
    site = new Site({ world, ably, browser: await launchKeeper(), toSite, toAbly }, scripts, render);
    return site;
  }

  get url() {
    return this.toSite.url;
  }

  /** The cookie by which somebody is signed in. */
  cookie(person: Person) {
    return { name: COOKIE, value: this.world.session(person), url: this.url, httpOnly: true, sameSite: "Lax" as const };
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse) {
    const { pathname, searchParams } = new URL(incoming.url ?? "", this.url);
    const script = this.#scripts.get(pathname);
    const session = new RegExp(`(?:^|; )${COOKIE}=([^;]+)`).exec(incoming.headers.cookie ?? "")?.[1];
    if (pathname.startsWith("/api/")) return this.#passOn(incoming, response, session);
    if (script !== undefined) return response.setHeader("content-type", "text/javascript").end(script);
    if (pathname === "/sign-out") return response.setHeader("set-cookie", `${COOKIE}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax`).writeHead(204).end();
    if (pathname === "/sign-in") return response.setHeader("content-type", "text/html").end("<!doctype html><title>Sign in</title><p>Who are you?</p>");
    if (session === undefined) return response.writeHead(303, { location: "/sign-in" }).end();
    try {
      const html = await this.#page(pathname.slice(1), searchParams, session);
      response.setHeader("content-type", "text/html");
      // What a page says that was rendered for somebody, unless the test wants the browser to keep it.
      if (!searchParams.has("kept")) response.setHeader("cache-control", "private, no-store");
      response.end(html);
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  }

  /** `/watch?jobs=a,b`; with `stream` without Ably, with `rendered` with first states. */
  async #page(name: string, query: URLSearchParams, session: string): Promise<string> {
    const user = subject(session) ?? "";
    const jobs = (query.get("jobs") ?? "").split(",").filter((job) => job !== "");
    const config: Config = { user, jobs, ablyPort: query.has("stream") ? undefined : this.toAbly.port };
    let content = "";
    if (query.has("rendered")) {
      config.initial = Object.fromEntries(await Promise.all(jobs.map(async (job) => [job, await this.#firstState(job, session)])));
      content = this.#render(config);
    }
    const text = JSON.stringify(config).replaceAll("<", "\\u003c");
    return `<!doctype html><title>${name}</title><div id="root">${content}</div>
      <script type="application/json" id="config">${text}</script><script type="module" src="/scripts/${name}.js"></script>`;
  }

  async #firstState(job: string, session: string): Promise<object> {
    const answer = await fetch(`${this.world.url}/api/jobs/${job}/location`, { headers: { authorization: `Bearer ${session}` } });
    return (await answer.json()) as object;
  }

  #passOn(incoming: IncomingMessage, response: ServerResponse, session: string | undefined) {
    const { method = "GET", headers, url: path = "" } = incoming;
    const as = new URL(path, this.url).searchParams.get("user") ?? headers["towline-user"];
    const asked: Asked = { method, path, as: as === undefined ? undefined : String(as), session: session && subject(session), status: undefined };
    this.asked.push(asked);
    if (/\/stream(\?|$)/.test(path)) {
      const stream = { path, session: session && subject(session) };
      this.streams.add(stream);
      response.on("close", () => this.streams.delete(stream));
    }
    // With the `Host` of the site: to the service it is the page's own origin.
    const onward = request(`${this.world.url}${path}`, { method, headers }, (answer) => {
      asked.status = answer.statusCode;
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
      answer.on("error", () => response.destroy());
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    incoming.pipe(onward);
  }
}

/** Whose session it is. */
function subject(session: string): string | undefined {
  const { sub } = JSON.parse(Buffer.from(session.split(".")[1] ?? "", "base64url").toString()) as { sub?: string };
  return sub;
}
