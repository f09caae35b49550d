// A clone beside this one, in which the set-up runs as it does for a developer. It has a home and a folder for temporary files
// of its own, so that all that a run leaves on disk can be looked at, and that nothing is in the way of the developer's own run.
// What this clone has built is used as it is.

import { randomBytes } from "node:crypto";
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { writePrivate, type Clone } from "../../../scripts/dev/clone.mjs";
import type { Facts } from "../../../scripts/dev/facts.mjs";
import { Parts } from "../../../scripts/dev/parts.mjs";
import { freePort, LOOPBACK } from "../../../scripts/dev/ports.mjs";
import { optionalSettings } from "../../../scripts/dev/service.mjs";
import { sessions } from "../../../scripts/dev/session.mjs";
import { environment, ROOT } from "../../../scripts/setup/environment.mjs";
import { within } from "../../e2e/support/wait.ts";

/** A script knows its clone by where it is itself; and what Wrangler takes for the clone is where its configuration is. */
const COPIED = ["package.json", "wrangler.toml"];
const LINKED = [
  "src", "crates", "description", "build", "node_modules", ".cargo", ".tools", "Cargo.toml", "Cargo.lock", "build.rs", "package-lock.json",
  "policy.toml",
];

/** Ports that no system hands out by itself: what else runs at the same time takes none of them. */
const PORTS = 18_700;

/** No start takes this long; one that does hangs. */
const READY_MS = 180_000;

/** Something that runs in the clone. */
export interface Running {
  url: string;
  /** What it has said. */
  output: string[];
  /** Ends it as Ctrl-C does. */
  stop(): Promise<void>;
}

export class AnotherClone {
  /** Holds all that is its own. */
  readonly base = mkdtempSync(join(tmpdir(), "towline-clone-"));
  readonly folder = join(this.base, "clone");
  readonly #env: NodeJS.ProcessEnv;

  constructor() {
    const own = (name: string) => {
      const path = join(this.base, name);
      mkdirSync(path, { recursive: true });
      return path;
    };
    own("clone");
    cpSync(join(ROOT, "scripts"), join(this.folder, "scripts"), { recursive: true });
    for (const name of COPIED) copyFileSync(join(ROOT, name), join(this.folder, name));
    for (const name of LINKED) symlinkSync(join(ROOT, name), join(this.folder, name));

    const env = environment();
    // At another path cargo would compile everything anew.
    const cargo = join(own("bin"), "cargo");
    writeFileSync(cargo, `#!/bin/sh\ncd '${ROOT}' && PATH='${env.PATH}' exec cargo "$@"\n`);
    chmodSync(cargo, 0o755);

    const theirs = new Set(["HOST", "PORT", "ABLY_API_KEY", "SESSION_SECRET", ...Object.keys(optionalSettings(env))]);
    this.#env = {
      ...Object.fromEntries(Object.entries(env).filter(([name]) => !theirs.has(name) && !/^(npm|XDG)_/i.test(name))),
      PATH: `${join(this.base, "bin")}:${env.PATH}`,
      HOME: own("home"),
      TMPDIR: own("tmp"),
      CARGO_HOME: env.CARGO_HOME ?? join(homedir(), ".cargo"),
      RUSTUP_HOME: env.RUSTUP_HOME ?? join(homedir(), ".rustup"),
      npm_config_update_notifier: "false",
    };
  }

  /** A file of the clone. */
  path(...names: string[]) {
    return join(this.folder, ...names);
  }

  get secrets(): Clone {
    return JSON.parse(readFileSync(this.path(".towline", "clone.json"), "utf8"));
  }

  /** What is written down for programs while `npm start` runs. */
  get facts(): Facts {
    return JSON.parse(readFileSync(this.path(".towline", "dev.json"), "utf8"));
  }

  /** Who runs `npm start`. */
  get claim(): { pid: number } {
    return JSON.parse(readFileSync(this.path(".towline", "start.json"), "utf8"));
  }

  /** Runs `npm start`, and waits until it has said everything. */
  async npmStart(settings: Record<string, string> = {}): Promise<Running> {
    const port = await freePort(PORTS, LOOPBACK);
    const running = await this.#run("npm start", "npm start", { ...settings, PORT: String(port) }, /Ctrl-C stops everything/, () => {
      process.kill(this.claim.pid, "SIGINT");
    });
    return { ...running, url: this.facts.url };
  }

  /** Runs plain `wrangler dev`, as somebody does by hand. */
  async wranglerDev(): Promise<Running> {
    const port = await freePort(PORTS, LOOPBACK);
    const command = `exec wrangler dev --port ${port} --inspector-port 0 --show-interactive-dev-session=false`;
    const running = await this.#run("wrangler dev", command, {}, /Ready on http/, (group) => process.kill(-group, "SIGINT"));
    return { ...running, url: `http://${LOOPBACK}:${port}` };
  }

  /**
   * Runs a shell's command in the clone.
   * @param end ends it, given its process group
   */
  async #run(name: string, command: string, settings: Record<string, string>, ready: RegExp, end: (group: number) => void) {
    const parts = new Parts();
    const output: string[] = [];
    const { promise: said, resolve } = Promise.withResolvers<void>();
    const args = ["-c", `cd "$1" && ${command}`, "sh", this.folder];
    const { pid } = parts.start(name, "sh", args, { ...this.#env, ...settings }, (line) => {
      output.push(line);
      if (ready.test(line)) resolve();
    });
    try {
      await within(`${name} to be ready`, Promise.race([said, parts.ended]), READY_MS);
    } catch (error) {
      await parts.stop();
      throw error;
    }
    const stop = async () => {
      try {
        end(Number(pid));
        // It ends by itself, and what it has started with it.
        await within(`${name} to end`, parts.ended.catch(() => {}));
      } finally {
        await parts.stop();
      }
    };
    let stopped: Promise<void> | undefined;
    return { output, stop: () => (stopped ??= stop()) };
  }

  /** Has programs look at a job of which nothing is known yet. */
  newJob() {
    const jobId = `job-${randomBytes(3).toString("hex")}`;
    const { facts } = this;
    const made = { ...facts, jobId, sessions: sessions({ secret: facts.sessionSecret, jobId, now: Date.now() }) };
    writePrivate(this.path(".towline", "dev.json"), JSON.stringify(made));
  }

  /** Starts a shell in the clone that reads from `input`; what it says on its standard error goes into `errors`. */
  shell(program: string, options: string, input: string, errors: string, heard: (line: string) => void): Parts {
    const parts = new Parts();
    const command = `cd "$1" && exec ${program} ${options} <"$2" 2>"$3"`;
    parts.start(program, "sh", ["-c", command, "sh", this.folder, input, errors], this.#env, heard);
    return parts;
  }

  remove() {
    rmSync(this.base, { recursive: true, force: true });
  }
}
