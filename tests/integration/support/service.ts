// The production build of the service in workerd, with an Ably that each test tells what to do.

import { randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTestHarness } from "wrangler";
import { WRANGLER } from "../../../scripts/dev/service.mjs";
import { sign } from "../../../scripts/dev/session.mjs";
import { ROOT } from "../../../scripts/setup/environment.mjs";
import { bundleWorker } from "../../../scripts/testing/bundle.mjs";
import { FakeAbly } from "./fake-ably.ts";
import { Client } from "./http.ts";
import { until } from "./until.ts";
import type { Answer, Headers, Sent } from "./http.ts";

// The harness reads them from the environment of the process that it runs in, this one.
Object.assign(process.env, WRANGLER);

export const ABLY_KEY = "AbCdEf.GhIjKl:an-ably-secret-of-the-tests";
export const SESSION_SECRET = "a-session-secret-of-the-tests-0123456789";

export type Role = "driver" | "dispatcher" | "customer" | "admin" | "service";

/** One log line of the service's own, and how it was written. */
export interface LogLine {
  level: string;
  text: string;
}

export class Service {
  readonly ably: FakeAbly;
  readonly url: URL;
  readonly #harness: ReturnType<typeof createTestHarness>;
  readonly #client: Client;
  readonly #folder: string;

  private constructor(harness: ReturnType<typeof createTestHarness>, ably: FakeAbly, url: URL, folder: string) {
    this.#harness = harness;
    this.ably = ably;
    this.url = url;
    this.#client = new Client(url);
    this.#folder = folder;
  }

  /**
   * Starts the service. A setting that is `undefined` is not there at all.
   * @param configure what becomes of wrangler.toml
   * @param edit what becomes of the bundle's entry
   */
  static async start(
    settings: Record<string, string | undefined> = {},
    configure = (toml: string) => toml,
    edit?: (entry: string) => string,
  ): Promise<Service> {
    let bundle = process.env.WORKER_BUNDLE ?? (await bundleWorker());
    // A folder of its own, so that a developer's `.dev.vars` beside wrangler.toml plays no part.
    const folder = mkdtempSync(join(tmpdir(), "towline-service-"));
    if (edit !== undefined) {
      cpSync(bundle, join(folder, "worker"), { recursive: true });
      bundle = join(folder, "worker");
      writeFileSync(join(bundle, "entry.js"), edit(readFileSync(join(bundle, "entry.js"), "utf8")));
    }
    writeFileSync(join(folder, "wrangler.toml"), configure(readFileSync(join(ROOT, "wrangler.toml"), "utf8")));
    const all = { ABLY_API_KEY: ABLY_KEY, ABLY_REST_URL: "https://ably.test", SESSION_SECRET, ...settings };
    const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
    const ably = new FakeAbly();
    const harness = createTestHarness({
      root: folder,
      workers: [{ configPath: "wrangler.toml", prebuiltWorkerDir: bundle, secrets: Object.fromEntries(given) }],
    });
    const { url } = await harness.listen();
    return new Service(harness, ably, url, folder);
  }

  async stop(): Promise<void> {
    this.#client.close();
    await this.#harness.close();
    this.ably.close();
    rmSync(this.#folder, { recursive: true });
  }

  send(method: string, path: string, sent: Sent = {}): Promise<Answer> {
    return this.#client.send(method, path, sent);
  }

  /** Begins a request with a body that never ends, and takes the answer to what has arrived. */
  unfinished(method: string, path: string, headers: Headers): Promise<Answer> {
    return this.#client.send(method, path, { headers, body: [Buffer.from("{")] }, false);
  }

  /** Posts to a job, as its driver where no other headers are given. */
  post(jobId: string, body: unknown, headers: Headers = driverOf(jobId)): Promise<Answer> {
    return this.send("POST", `/api/jobs/${jobId}/location`, { headers, body: typeof body === "string" ? body : JSON.stringify(body) });
  }

  /** The first state of a job, as its driver where no other headers are given. */
  state(jobId: string, headers: Headers = driverOf(jobId)): Promise<Answer> {
    return this.send("GET", `/api/jobs/${jobId}/location`, { headers });
  }

  /**
   * Throws the job's object out of memory, so that the next request finds nothing but what it has stored. The harness does that to
   * an object at rest only: so it waits until all is published, and that is written down.
   */
  async evict(jobId: string): Promise<void> {
    const confirmed = "SELECT 1 FROM meta WHERE sent >= (SELECT max(seq) FROM log)";
    await until(`${jobId} to come to rest`, async () => (await this.sql(jobId, confirmed)).length > 0);
    await this.forget(jobId);
  }

  /** The same for an object that is at rest. */
  async forget(jobId: string): Promise<void> {
    await this.#harness.getWorker().evictDurableObject("Job", { name: jobId });
  }

  /** The same for the object that operators hear. */
  async forgetOperations(): Promise<void> {
    await this.#harness.getWorker().evictDurableObject("Operations", { name: "operations" });
  }

  /** All rows of a query on the job's storage. */
  async sql(jobId: string, query: string): Promise<any[]> {
    const storage = await this.#harness.getWorker().getDurableObjectStorage("Job", { name: jobId });
    return storage.exec(query) as Promise<any[]>;
  }

  /** The same of a user's inbox, and for a moment at which that is at rest. */
  async inboxSql(user: string, query: string): Promise<any[]> {
    const storage = await this.#harness.getWorker().getDurableObjectStorage("Inbox", { name: user });
    return storage.exec(query) as Promise<any[]>;
  }

  /** Throws a user's inbox out of memory, which has to be at rest. */
  async forgetInbox(user: string): Promise<void> {
    await this.#harness.getWorker().evictDurableObject("Inbox", { name: user });
  }

  /** What the log calls a user: their inbox's id. */
  async inboxReference(user: string): Promise<string> {
    const { INBOXES } = (await this.#harness.getWorker().getEnv()) as { INBOXES: { idFromName(name: string): unknown } };
    return String(await INBOXES.idFromName(user));
  }

  /** The same for a publisher's. */
  async publisherSql(name: string, query: string): Promise<any[]> {
    const storage = await this.#harness.getWorker().getDurableObjectStorage("Publisher", { name });
    return storage.exec(query) as Promise<any[]>;
  }

  /** What the log calls a job: its object's id. */
  async reference(jobId: string): Promise<string> {
    const { JOBS } = (await this.#harness.getWorker().getEnv()) as { JOBS: { idFromName(name: string): unknown } };
    return String(await JOBS.idFromName(jobId));
  }

  /** The ids of all jobs' objects that have storage. */
  objects(): Promise<string[]> {
    return this.#harness.getWorker().listDurableObjectIds("Job");
  }

  /** What was logged since the start or the last `clearLogs`. Lines arrive after the answers that they are about. */
  logs(): LogLine[] {
    return this.#harness.getLogs().map(({ level, message }) => ({ level, text: message }));
  }

  /** The same, once there are so many lines. */
  async logged(count: number): Promise<LogLine[]> {
    await until(`${count} lines of the log`, () => this.logs().length >= count);
    return this.logs();
  }

  clearLogs(): void {
    this.#harness.clearLogs();
  }
}

/** A job id that no other test has. */
export function newJob(): string {
  return `job-${randomBytes(6).toString("hex")}`;
}

/** Unix seconds, `offset` from now. */
export function seconds(offset = 0): number {
  return Math.floor(Date.now() / 1000) + offset;
}

/** A session as the platform would issue it. */
export function session(claims: object = {}, secret = SESSION_SECRET): string {
  return sign({ sub: "ann", role: "driver", exp: seconds(3600), ...claims }, secret);
}

export function bearer(token: string): Headers {
  return { authorization: `Bearer ${token}` };
}

/** The header of a role's session that takes part in these jobs. */
export function as(role: Role, jobs: string[] = [], claims: object = {}): Headers {
  return bearer(session({ sub: `${role}-1`, role, jobs, ...claims }));
}

export function driverOf(...jobs: string[]): Headers {
  return as("driver", jobs);
}
