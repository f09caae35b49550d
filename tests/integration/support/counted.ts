// The production build in workerd, with nothing of a harness's in its objects, and an entry around its own that counts what each job asks
// of its storage and can take over the clock.

import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { standIn } from "../../../bench/stand-in.mjs";
import { STORAGE } from "../../../bench/workerd.mjs";
import { Parts } from "../../../scripts/dev/parts.mjs";
import { LOOPBACK } from "../../../scripts/dev/ports.mjs";
import { startWorkerd } from "../../e2e/support/workerd.ts";
import { type Answer, Client } from "./http.ts";
import { ABLY_KEY, SESSION_SECRET, as, seconds } from "./service.ts";

// A cursor knows how many rows were written once it is read to its end, as the service reads each before it runs another.
//
// `GET /counted/<job>/<time>` waits until the job's outbox is idle, puts the clock on to that time, and tells the costs; without a time it
// does the first and the last. `GET /list/<name>` tells those of a list of jobs, and
// `GET /inbox/<user>` those of a user's inbox.
const ENTRY = `
import towline, { Inbox as PlainInbox, Index as PlainIndex, Job as PlainJob, Operations } from "./towline.js";
export { Operations };

const IDLE_MS = 20_000;
const A_DAY = 24 * 3600 * 1000;
const runtimes = Date.now.bind(Date);
let clock;
Date.now = () => clock ?? runtimes();

const counting = (Plain) => class extends Plain {
  constructor(state, env) {
    const { storage } = state;
    const counted = { rows: {}, alarms: 0, due: null, read() {}, heard() {} };
    counted.exec = storage.sql.exec.bind(storage.sql);
    counted.setAlarm = storage.setAlarm.bind(storage);
    storage.sql.exec = (statement, ...bindings) => {
      counted.read();
      const cursor = counted.exec(statement, ...bindings);
      counted.read = () => {
        counted.rows[statement] = (counted.rows[statement] ?? 0) + cursor.rowsWritten;
        counted.read = () => {};
      };
      return cursor;
    };
    storage.setAlarm = (at) => {
      counted.alarms += 1;
      counted.due = at;
      // Where the clock is a test's, so is the moment at which it goes off.
      return counted.setAlarm(clock === undefined ? at : runtimes() + A_DAY);
    };
    super(state, env);
    this.counted = counted;
  }

  alarm() {
    this.counted.due = null;
    try {
      return super.alarm();
    } finally {
      this.counted.heard();
    }
  }

  async until(at) {
    const { counted } = this;
    while (counted.due !== null && counted.due <= at) {
      clock = counted.due;
      const heard = new Promise((resolve) => (counted.heard = resolve));
      await counted.setAlarm(runtimes());
      await heard;
    }
    clock = at;
  }

  costs() {
    const { counted } = this;
    counted.read();
    return { rows: counted.rows, alarms: counted.alarms, due: counted.due };
  }

  sent() {
    return this.counted.exec("SELECT sent FROM meta").one().sent;
  }
};

export class Job extends counting(PlainJob) {}
export class Index extends counting(PlainIndex) {}
export class Inbox extends counting(PlainInbox) {}

async function idle(request, env, job) {
  const outbox = new Request(new URL("/api/jobs/" + job + "/outbox", request.url), request);
  for (const end = runtimes() + IDLE_MS; ; await new Promise((resolve) => setTimeout(resolve, 1))) {
    const answer = await towline.fetch(outbox.clone(), env);
    if (!answer.ok) throw new Error(await answer.text());
    const { state } = await answer.json();
    if (state === "idle") return;
    if (runtimes() > end) throw new Error("the outbox is " + state);
  }
}

export default {
  async fetch(request, env) {
    const [, what, job, wanted] = new URL(request.url).pathname.split("/");
    if (what === "inbox") return Response.json(await env.INBOXES.get(env.INBOXES.idFromName(job)).costs());
    if (what === "list") return Response.json(await env.INDEXES.get(env.INDEXES.idFromName(job)).costs());
    if (what !== "counted") return towline.fetch(request, env);
    const object = env.JOBS.get(env.JOBS.idFromName(job));
    if (wanted === "sent") return Response.json(await object.sent());
    await idle(request, env, job);
    if (wanted !== undefined) await object.until(Number(wanted));
    return Response.json(await object.costs());
  },
};
`;

/** What a job has asked of its storage since it has woken. */
export interface Costs {
  /** The rows that each statement has written, by its text. */
  rows: Record<string, number>;
  /** How often the alarm was set. */
  alarms: number;
  /** When it goes off, Unix milliseconds, if it is set. */
  due: number | null;
}

/** Puts the entry around the Worker's own. The two are made one module, which is all that the configuration knows. */
async function wrap(worker: string): Promise<void> {
  const [own, entry] = ["towline.js", "counting.js"].map((name) => join(worker, name)) as [string, string];
  renameSync(join(worker, "entry.js"), own);
  writeFileSync(entry, ENTRY);
  const external = ["cloudflare:*", "*.wasm"];
  await build({ entryPoints: [entry], outfile: join(worker, "entry.js"), bundle: true, format: "esm", external });
}

/** Of a session that has not ended by a clock that was put on, either. */
const lasting = () => ({ exp: seconds(12 * 3600) });

export class Counted {
  readonly url: URL;
  readonly #client: Client;
  readonly #stop: () => Promise<void>;

  private constructor(url: URL, stop: () => Promise<void>) {
    this.url = url;
    this.#client = new Client(url, (path) => path.startsWith("/api/"));
    this.#stop = stop;
  }

  /** Starts it, with an Ably that confirms every message at once. */
  static async start(more: Record<string, string> = {}): Promise<Counted> {
    const folder = mkdtempSync(join(STORAGE, "towline-counted-"));
    const [ably, parts] = [await standIn(), new Parts()];
    const stop = async () => {
      await parts.stop();
      ably.close();
      rmSync(folder, { recursive: true, force: true });
    };
    try {
      const settings = { ABLY_API_KEY: ABLY_KEY, ABLY_REST_URL: `http://${LOOPBACK}:${ably.port}`, SESSION_SECRET, ...more };
      const { url } = await startWorkerd(parts, folder, settings, wrap);
      return new Counted(new URL(url), stop);
    } catch (error) {
      await stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#client.close();
    await this.#stop();
  }

  post(job: string, body: object): Promise<Answer> {
    return this.#client.send("POST", `/api/jobs/${job}/location`, { headers: as("driver", [job], lasting()), body: JSON.stringify(body) });
  }

  /** Registers a job, changes or closes it. */
  change(method: string, path: string, body: object): Promise<Answer> {
    return this.#client.send(method, `/api/jobs/${path}`, { headers: as("dispatcher", [], lasting()), body: JSON.stringify(body) });
  }

  /** A token for these jobs. */
  token(jobs: string[]): Promise<Answer> {
    return this.#client.send("GET", "/api/ably-token", { headers: as("driver", jobs, lasting()) });
  }

  /** What a list of jobs has cost. */
  async list(name: string): Promise<Costs> {
    return (await this.#client.send("GET", `/list/${name}`)).json;
  }

  /** What a user's inbox has cost. */
  async inbox(user: string): Promise<Costs> {
    return (await this.#client.send("GET", `/inbox/${user}`)).json;
  }

  /** What a job has cost, once nothing waits and Ably's last answer is known. */
  costs(job: string): Promise<Costs> {
    return this.#get(job);
  }

  /**
   * Puts the clock on, once nothing waits; from then on it stands still in between. The job's alarm goes off whenever it is due until
   * then, at the time for which it is set.
   */
  async until(job: string, at: number): Promise<void> {
    await this.#get(`${job}/${at}`);
  }

  /** What the job's storage says is sent, where no row of its log has taken that along. */
  async sent(job: string): Promise<number> {
    return this.#get(`${job}/sent`);
  }

  async #get(path: string): Promise<any> {
    const answer = await this.#client.send("GET", `/counted/${path}`, { headers: as("admin", [], lasting()) });
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    return answer.json;
  }
}
