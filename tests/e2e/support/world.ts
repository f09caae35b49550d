// The whole of it, as it runs for a developer: the built service under Wrangler, and an Ably.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { Parts } from "../../../scripts/dev/parts.mjs";
import { wranglerArguments, wranglerEnvironment } from "../../../scripts/dev/service.mjs";
import { sign } from "../../../scripts/dev/session.mjs";
import { type Ably, startAbly } from "./ably.ts";
import { within } from "./wait.ts";

export type Role = "driver" | "dispatcher" | "customer" | "admin" | "service";

/** Where the service finds a session besides `Authorization`. */
export const COOKIE = "towline_session";

/** Whom a session is for. */
export interface Person {
  role: Role;
  /** The user; a new one where it is left out. */
  sub?: string;
  jobs?: string[];
  /** How long the session still lasts; negative where it has ended. */
  seconds?: number;
}

/** A name that no other test and no other run has. */
export function unique(what: string) {
  return `${what}-${randomBytes(6).toString("hex")}`;
}

export class World {
  readonly ably: Ably;
  readonly url: string;
  readonly log: string[];
  /** What the service's sessions are signed with. */
  readonly secret: string;

  private constructor(ably: Ably, url: string, secret: string, log: string[]) {
    this.ably = ably;
    this.url = url;
    this.log = log;
    this.secret = secret;
  }

  /**
   * Starts what the tests of a file share, and stops it when they have ended. `settings` are the service's, beyond
   * those that say which Ably it uses; `serve` starts it, and by itself that is Wrangler.
   */
  static async forThisFile(settings: Record<string, string> = {}, start: () => Promise<Ably> = startAbly, serve: Serve = underWrangler): Promise<World> {
    const ably = await start();
    const parts = new Parts();
    // Where Wrangler keeps the objects' storage: the runs of a laptop do not share one.
    const state = mkdtempSync(join(tmpdir(), "towline-e2e-"));
    const stop = async () => {
      await Promise.all([parts.stop(), ably.stop()]);
      rmSync(state, { recursive: true, force: true });
    };
    try {
      const secret = randomBytes(32).toString("base64url");
      const own = { SESSION_SECRET: secret, SESSION_COOKIE: COOKIE, ...ably.settings, ...settings };
      const { url, log } = await startService(serve, parts, state, own);
      after(stop);
      return new World(ably, url, secret, log);
    } catch (error) {
      // A file whose tests cannot begin runs no hook.
      await stop();
      throw error;
    }
  }

  /** A session token, as the platform's back end issues it at sign-in. */
  session({ role, sub = unique(role), jobs, seconds = 3600 }: Person): string {
    const exp = Math.floor(Date.now() / 1000) + seconds;
    return sign({ sub, role, exp, ...(jobs && { jobs }) }, this.secret);
  }

  get authUrl() {
    return `${this.url}/api/ably-token`;
  }
}

/** Starts the service, and returns when it is ready; what its objects store goes into the folder. */
type Serve = (parts: Parts, folder: string, settings: Record<string, string>) => Promise<{ url: string; log: string[] }>;

/** Starts the service, and waits until it answers as one that is configured. */
async function startService(serve: Serve, ...where: Parameters<Serve>) {
  const { url, log } = await serve(...where);
  const anonymous = await fetch(`${url}/api/ably-token`);
  if (anonymous.status !== 401) throw new Error(`the service answers ${anonymous.status}:\n${log.join("\n")}`);
  return { url, log };
}

const underWrangler: Serve = async (parts, state, settings) => {
  const log: string[] = [];
  const ready = new Promise<string>((resolve) => {
    const args = [...wranglerArguments(0), "--inspector-port", "0", "--persist-to", state];
    parts.start("The service", "wrangler", args, wranglerEnvironment(settings), (line) => {
      log.push(line);
      const [, url] = /Ready on (http:\/\/\S+)/.exec(line) ?? [];
      if (url !== undefined) resolve(url);
    });
  });
  const url = await within("the service to be ready", Promise.race([ready, parts.ended as Promise<never>]), 120_000);
  return { url, log };
};
