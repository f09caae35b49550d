// Somebody at a browser of their own: what they see, and what goes wrong there.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page, Request } from "playwright-core";
import { ON_LOOKER } from "../../client/browser/support/visit.ts";
import { eventually } from "../../e2e/support/wait.ts";
import type { App } from "./app.ts";

/** What a GPU that is software says of its own speed, where a picture is taken. */
const OF_THE_GPU = /GL Driver Message .*GPU stall/;

/** What a browser and the client of Ably say of connections that break, for a test that breaks them. */
export const BROKEN = [/net::ERR_/, /WebSocket connection to .* failed/, /Ably: Request\.onerror\(\): XHR error/, /Ably is not reached/];

/** A page that is left while it connects, or while something waits for that. */
const LEFT = [/WebSocket connection to .* failed: WebSocket is closed before the connection is established/, /Ably: (ConnectionManager\.failQueuedMessages|RealtimePresence\._ensureMyMembersPresent)\(\): .* Connection closed/];

/** What Ably's client tries where a machine is so busy that a connection takes long: whether there is an internet, and another way. */
const SLOW = [/\.ably-realtime\.com\//, /\/comet\/connect/, /Ably: Request\.onerror\(\): XHR error/, /Ably is not reached/];

/** What Next.js answers where its own connection to the service breaks; the page asks again. Where the service itself has answered so, its log says it. */
const OF_THE_PROXY = /status of 500 .*\/api\//;
const OF_THE_SERVICE = /"status":500\b/;

/** What they say of access that has ended, which the page asks for once more. */
export const REFUSED = [/status of 403 .*\/api\//, /Ably: .*"?(statusCode"?[:=]403|code"?[:=]40160)\b/];

/** A browser profile, which several people may use one after the other. */
export class Visit {
  readonly app: App;
  readonly context: BrowserContext;
  /** Every text that could be read, in every page, in order, and when: epoch milliseconds. */
  readonly read: { page: string; text: string; at: number }[] = [];
  /** What is asked just now to render pages anew, or first whether that can be. */
  readonly rendering = new Set<Request>();
  readonly #wrong: string[] = [];
  readonly #announced: RegExp[] = [OF_THE_GPU, ...LEFT, ...SLOW];

  private constructor(app: App, context: BrowserContext) {
    this.app = app;
    this.context = context;
  }

  /** Begins one, and ends it with the test: which fails by an error or a warning on the console, or by a request that got no answer, that it has not announced. */
  static async of(t: TestContext, app: App, browser: Browser, options: BrowserContextOptions): Promise<Visit> {
    const context = await browser.newContext({ baseURL: app.url, ...options });
    const visit = new Visit(app, context);
    t.after(async () => {
      await context.close();
      visit.#judge();
    });
    await context.exposeBinding("read", ({ page }, text: string) => void visit.read.push({ page: page.url(), text, at: Date.now() }));
    await context.addInitScript(ON_LOOKER);
    context.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) visit.#wrong.push(`${message.type()}: ${message.text()} (${message.location().url})`);
    });
    context.on("weberror", (error) => void visit.#wrong.push(`not caught: ${error.error().stack}`));
    context.on("request", (request) => {
      if ("rsc" in request.headers() || request.url().endsWith("/alive")) visit.rendering.add(request);
    });
    context.on("requestfinished", (request) => void visit.rendering.delete(request));
    context.on("requestfailed", (request) => {
      visit.rendering.delete(request);
      const why = request.failure()?.errorText ?? "";
      // Whoever leaves a page takes no answer any more, and who has switched scripts off gets none.
      if (why !== "net::ERR_ABORTED" && why !== "csp") visit.#wrong.push(`no answer: ${request.method()} ${request.url()}: ${why}`);
    });
    return visit;
  }

  /** Says what may go wrong from the beginning of the test to its end. */
  announce(...wrong: RegExp[]) {
    this.#announced.push(...wrong);
  }

  /** Signs in as somebody of `session/people.json`, in place of whoever was before, and behind the back of pages that are open. */
  async signIn(id: string) {
    const answer = await this.context.request.post("/session/sign-in", { form: { id, to: "/sign-in" }, headers: { origin: this.app.url } });
    assert.equal(answer.status(), 200, `${id} cannot sign in`);
  }

  /** Opens a page of the app in a tab of its own. */
  async open(path: string): Promise<Tab> {
    return this.show(await this.context.newPage(), path);
  }

  /** The same in one that is there already. */
  async show(page: Page, path: string): Promise<Tab> {
    const tab = new Tab(this, page);
    await tab.page.goto(path);
    return tab;
  }

  #judge() {
    const announced = this.app.world.log.some((line) => OF_THE_SERVICE.test(line)) ? this.#announced : [...this.#announced, OF_THE_PROXY];
    const wrong = this.#wrong.filter((one) => !announced.some((words) => words.test(one)));
    assert.deepEqual(wrong, [], "nothing goes wrong in the browser");
  }
}

declare const hide: (to: boolean) => void;

/** A tab. */
export class Tab {
  readonly visit: Visit;
  readonly page: Page;

  constructor(visit: Visit, page: Page) {
    this.visit = visit;
    this.page = page;
  }

  /** Waits until the page's own part reads as wanted. */
  sees(what: string | RegExp, bound?: number): Promise<string> {
    return this.reads("main", what, bound);
  }

  /** Waits until what can be read of an element is as wanted. */
  reads(where: string | Locator, what: string | RegExp, bound?: number): Promise<string> {
    const element = typeof where === "string" ? this.page.locator(where) : where;
    let last: string | undefined;
    const fits = (text: string) => (typeof what === "string" ? text.includes(what) : what.test(text));
    return eventually(`${where} to read ${what}`, async () => {
      last = await element.innerText({ timeout: 1_000 }).catch(() => undefined);
      return last !== undefined && fits(last) ? last : undefined;
    }, bound).catch((error: Error) => {
      throw new Error(`${error.message}; it reads ${JSON.stringify(last)}`);
    });
  }

  /** Waits until the page is not being rendered anew: that an answer to it is cut takes the page with it. */
  whole(): Promise<true> {
    return eventually("the page to be whole", () => (this.visit.rendering.size === 0 ? true : undefined));
  }

  /** The document without its scripts, in which Next.js leaves what the page came with. */
  markup(): Promise<string> {
    return this.page.evaluate(() => {
      const copy = document.documentElement.cloneNode(true) as HTMLElement;
      for (const script of copy.querySelectorAll("script")) script.remove();
      return copy.outerHTML;
    });
  }

  /** The tab is in the background from now, and the page is told so. */
  hide() {
    return this.page.evaluate(() => hide(true));
  }

  unhide() {
    return this.page.evaluate(() => hide(false));
  }
}
