// The app with a recipe's files in their places, built as it would be by whoever follows `recipes/README.md`, beside the real service.

import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { Parts } from "../../../scripts/dev/parts.mjs";
import { freePort, LOOPBACK } from "../../../scripts/dev/ports.mjs";
import { sign } from "../../../scripts/dev/session.mjs";
import { APP } from "../../../scripts/setup/app.mjs";
import { environment, ROOT } from "../../../scripts/setup/environment.mjs";
import { installPackages } from "../../../scripts/setup/folder-packages.mjs";
import { oneAtATime } from "../../../scripts/setup/one-at-a-time.mjs";
import { startService } from "../../app/support/service.ts";
import { pack, Project } from "../../client/packed/project.ts";
import { LocalAbly } from "../../e2e/support/ably.ts";
import { post } from "../../e2e/support/driving.ts";
import { eventually } from "../../e2e/support/wait.ts";
import { unique, World } from "../../e2e/support/world.ts";

const HERE = join(import.meta.dirname, "..");
const NEXT = join(HERE, "node_modules", "next", "dist", "bin", "next");

export class App {
  readonly url: string;
  readonly log: string[];
  readonly #world: World;
  readonly #secret: string;

  private constructor(url: string, log: string[], world: World, secret: string) {
    this.url = url;
    this.log = log;
    this.#world = world;
    this.#secret = secret;
  }

  /**
   * Builds and starts it, and stops it when the tests of the file have ended.
   * @param heading the recipe's in `recipes/README.md`
   * @param firstPort from where on a free port is looked for
   * @param settings the app's, given where it is
   */
  static async start(heading: string, firstPort: number, settings: (url: string) => Record<string, string>): Promise<App> {
    const secret = randomBytes(32).toString("base64url");
    const service = { SESSION_SECRET: secret, SESSION_COOKIE: "session", JOB_REGISTRY: "required" };
    const world = await World.forThisFile(service, () => LocalAbly.start(), startService);
    const port = await freePort(firstPort, LOOPBACK);
    const url = `http://localhost:${port}`;
    const env = { ...settings(url), TOWLINE_URL: world.url, SESSION_SECRET: secret, NEXT_TELEMETRY_DISABLED: "1" };
    const folder = await build(heading, env);
    const parts = new Parts();
    after(() => parts.stop());
    const log: string[] = [];
    const args = [NEXT, "start", folder, "--hostname", "localhost", "--port", String(port)];
    parts.start("Next.js", "node", args, { ...environment(), ...env, NODE_ENV: "production" }, (line) => log.push(line));
    await eventually("the app to answer", async () => ((await fetch(`${url}/sign-in`).catch(() => undefined))?.ok ? true : undefined));
    return new App(url, log, world, secret);
  }

  /** A session token that Towline takes, as the app makes them; with `aud`, a cookie of the app's own. */
  token(claims: { sub: string; role?: string; aud?: string; job?: string }) {
    return sign({ exp: Math.floor(Date.now() / 1_000) + 3_600, ...claims }, this.#secret);
  }

  /** A job with a position, for these customers. */
  async job(customers: string[]): Promise<string> {
    const job = unique("job");
    const driver = unique("driver");
    const headers = { authorization: `Bearer ${this.token({ sub: "dora", role: "dispatcher" })}`, "content-type": "application/json" };
    const answer = await fetch(`${this.#world.url}/api/jobs/${job}`, { method: "PUT", headers, body: JSON.stringify({ driver, customers }) });
    if (!answer.ok) throw new Error(`the job was answered ${answer.status}: ${await answer.text()}`);
    await post(this.#world, this.token({ sub: driver, role: "driver" }), job, { lat: 48.25, lng: 16.5 });
    return job;
  }
}

/** Builds it in a folder of its own, which goes when the tests of the file have ended. */
async function build(heading: string, env: Record<string, string>): Promise<string> {
  await installPackages(HERE);
  const archives = mkdtempSync(join(tmpdir(), "towline-recipes-"));
  after(() => rmSync(archives, { recursive: true, force: true }));
  let folder = "";
  // What is built of the client is at one place for all, and one build is enough for two cores.
  await oneAtATime(join(ROOT, "out", "app-at-work"), async () => {
    const project = new Project(pack(archives).archive, APP, HERE);
    after(() => project.remove());
    folder = project.folder;
    follow(heading, folder);
    const { status, said } = project.run("node", [NEXT, "build"], env);
    if (status !== 0) throw new Error(said);
  });
  return folder;
}

/** Does what `recipes/README.md` says under a heading: its commands, and its changes of lines. */
function follow(heading: string, folder: string) {
  const { commands, changes } = recipe(heading);
  for (const command of commands.filter((line) => !line.startsWith("npm "))) execFileSync("sh", ["-ec", command], { cwd: folder });
  for (const { file, from, to } of changes) {
    const text = readFileSync(join(folder, file), "utf8");
    if (text.split(from).length !== 2) throw new Error(`${file} does not have, once: ${from}`);
    writeFileSync(join(folder, file), text.replace(from, () => to));
  }
}

/** What the README says to do: the lines of `sh` blocks, and of `diff` blocks what goes and what comes. */
export function recipe(heading: string) {
  const text = readFileSync(join(APP, "recipes", "README.md"), "utf8");
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`recipes/README.md has no ${heading}`);
  const blocks = [...section.matchAll(/^```(sh|diff)\n([^]*?)^```$/gm)].map(([, language, body = ""]) => ({ language, lines: body.trimEnd().split("\n") }));
  const commands = blocks.filter(({ language }) => language === "sh").flatMap(({ lines }) => lines);
  const changes = blocks
    .filter(({ language }) => language === "diff")
    .map(({ lines: [name = "", ...lines] }) => {
      const side = (other: string) => lines.filter((line) => !line.startsWith(other)).map((line) => line.slice(1)).join("\n");
      return { file: name.replace(/^\+\+\+ /, ""), from: side("+"), to: side("-") };
    });
  return { commands, changes };
}
