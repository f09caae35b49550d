// The production build in a workerd that can be killed, its objects' storage on disk, and a local Ably that is never killed: what that has
// in memory is what the run is judged by.

import { randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { config } from "../../bench/config.mjs";
import { listening, revocable } from "../../scripts/dev/bring-up.mjs";
import { Parts } from "../../scripts/dev/parts.mjs";
import { freePort, LOOPBACK } from "../../scripts/dev/ports.mjs";
import { sign } from "../../scripts/dev/session.mjs";
import { environment, NPM_BIN } from "../../scripts/setup/environment.mjs";
import { eventually, within } from "../e2e/support/wait.ts";
import type { Publishing } from "./schedule.ts";

/** Below the ports that the system gives to whoever asks for any: nobody is given this one between a kill and the next start. */
const PORT = 18_987;

const LOG_LINES = 200;

/** What the service is set to for each way of publishing. The window of the two publishers is 400 ms: jobs that are busy share requests. */
const SETTINGS: Record<Publishing, Record<string, string>> = {
  direct: { ABLY_PUBLISHING: "direct" },
  batched: { ABLY_PUBLISHING: "batched", ABLY_PUBLISHERS: "2", ABLY_REQUESTS_PER_SECOND: "5" },
};

const random = (bytes: number) => randomBytes(bytes).toString("hex");

/** What of Ably others need to know. */
export interface Ably {
  url: string;
  port: number;
  controlSecret: string;
  /** For whoever watches: it is never refused. */
  key: string;
  /** The name of the service's publishing key. */
  publishKey: string;
}

export class World {
  readonly ably: Ably;
  readonly url: string;
  /** How often the runtime was killed. */
  kills = 0;
  /** What the runtime said last. */
  readonly log: string[] = [];
  /** Rejects where a process ends that nobody has killed. */
  readonly broken: Promise<never>;
  readonly #folder: string;
  readonly #secret: string;
  readonly #ablyParts: Parts;
  #break: (reason: unknown) => void = () => {};
  #life: Life | undefined;
  #ending: Promise<void>[] = [];

  private constructor(folder: string, ablyParts: Parts, ably: Ably, port: number, secret: string) {
    this.#folder = folder;
    this.#ablyParts = ablyParts;
    this.ably = ably;
    this.url = `http://${LOOPBACK}:${port}`;
    this.#secret = secret;
    this.broken = Promise.race([ablyParts.ended as Promise<never>, new Promise<never>((_, reject) => (this.#break = reject))]);
    this.broken.catch(() => {});
  }

  /**
   * Starts both.
   * @param bundle the folder with the Worker, as Wrangler bundles it
   * @param localAbly the local Ably's binary
   * @param publishing how the Worker's messages leave
   */
  static async start(bundle: string, localAbly: string, publishing: Publishing): Promise<World> {
    const folder = mkdtempSync(join(tmpdir(), "towline-torture-"));
    const parts = new Parts();
    let world: World | undefined;
    try {
      const app = `tort${random(2)}`;
      const keys = ["sign", "publish", "watch"].map((name) => `${app}.${name}:${random(16)}`);
      const [signKey = "", publishKey = "", watchKey = ""] = keys;
      const controlSecret = random(16);
      const { url } = await startAbly(parts, localAbly, keys, controlSecret);
      const ably = { url, port: Number(new URL(url).port), controlSecret, key: watchKey, publishKey: `${app}.publish` };
      const [port, secret] = [await freePort(PORT, LOOPBACK), random(32)];
      cpSync(bundle, join(folder, "worker"), { recursive: true });
      const credentials = { ABLY_API_KEY: signKey, ABLY_PUBLISH_KEY: publishKey, ABLY_REST_URL: url, SESSION_SECRET: secret };
      const settings = { ...credentials, ...SETTINGS[publishing] };
      writeFileSync(join(folder, "config.capnp"), config(folder, { towline: port }, settings));
      world = new World(folder, parts, ably, port, secret);
      await world.revive();
      return world;
    } catch (error) {
      if (world !== undefined) await world.stop();
      else {
        await parts.stop();
        rmSync(folder, { recursive: true, force: true });
      }
      throw error;
    }
  }

  /** A session as the platform would issue it, as a header. */
  session(claims: object): { authorization: string } {
    const exp = Math.floor(Date.now() / 1000) + 12 * 3600;
    return { authorization: `Bearer ${sign({ exp, ...claims }, this.#secret)}` };
  }

  /** Where the objects keep what they keep. */
  get storage(): string {
    return join(this.#folder, "bench");
  }

  /** Starts the runtime where it was, and returns when it answers, or is killed before that. */
  async revive(): Promise<void> {
    const life = new Life(join(this.#folder, "config.capnp"), (line) => {
      this.log.push(line);
      this.log.splice(0, this.log.length - LOG_LINES);
    });
    this.#life = life;
    life.crashed.catch((error) => this.#break(error));
    await eventually("workerd to answer", async () => {
      if (life.isKilled) return true;
      const answer = await fetch(`${this.url}/healthz`).catch(() => undefined);
      await answer?.body?.cancel();
      return answer?.ok || undefined;
    });
  }

  /** Ends the runtime as a machine that dies would. */
  async kill(): Promise<void> {
    const life = this.#life;
    if (life === undefined || life.isKilled) throw new Error("there is nothing to kill");
    this.kills += 1;
    await life.kill();
    this.#ending.push(life.stop());
  }

  async stop(): Promise<void> {
    if (this.#life?.isKilled === false) await this.#life.kill();
    await Promise.all([...this.#ending, this.#life?.stop(), this.#ablyParts.stop()]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A runtime from its start to its end. */
class Life {
  isKilled = false;
  /** Rejects where it ends by itself. */
  readonly crashed: Promise<never>;
  readonly #parts = new Parts();
  readonly #pid: number | undefined;

  constructor(config: string, heard: (line: string) => void) {
    this.#pid = this.#parts.start("workerd", join(NPM_BIN, "workerd"), ["serve", config], environment(), heard).pid;
    this.crashed = (this.#parts.ended as Promise<never>).catch((error) => {
      if (!this.isKilled) throw error;
      return new Promise<never>(() => {});
    });
  }

  async kill(): Promise<void> {
    this.isKilled = true;
    try {
      // It leads a group of its own.
      if (this.#pid !== undefined) process.kill(-this.#pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#parts.ended.catch(() => {});
  }

  stop(): Promise<void> {
    return this.#parts.stop();
  }
}

async function startAbly(parts: Parts, binary: string, keys: string[], controlSecret: string): Promise<{ url: string }> {
  // Kept for as long as a run takes, and not for two minutes, so that there is a record to compare with at its end.
  const args = ["--port", "0", "--namespace", "dispatch=persisted", ...keys.flatMap((key) => ["--key", key]), ...keys.flatMap(revocable)];
  const env = { ...environment(), LOCAL_ABLY_CONTROL_SECRET: controlSecret };
  const heard = new Promise<{ url: string }>((resolve) => {
    parts.start("The local Ably", binary, args, env, (line) => {
      const place = listening(line);
      if (place !== undefined) resolve(place);
    });
  });
  return within("the local Ably to listen", Promise.race([heard, parts.ended as Promise<never>]));
}

/** Waits for what the schedule says; `at` counts from `since`, both in ms of `performance.now()`. */
export async function due(since: number, at: number, signal?: AbortSignal): Promise<void> {
  const left = since + at - performance.now();
  if (left > 0) await delay(left, undefined, { ...(signal && { signal }) });
}
