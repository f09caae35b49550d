// What is going on while pictures are taken: jobs, each in a state of its own.

import { drive } from "../../tests/e2e/support/drive.ts";
import { post } from "../../tests/e2e/support/driving.ts";
import { eventually } from "../../tests/e2e/support/wait.ts";
import type { App } from "../../tests/app/support/app.ts";

/** Beside these there are some more under way, so that the board is not empty. */
const JOBS = {
  driven: "tow-2041",
  new: "tow-2042",
  gated: "tow-2043",
  silent: "tow-2044",
  reassigned: "tow-2045",
  done: "tow-2046",
  near: "tow-2052",
  stale: "tow-2053",
  parked: "tow-2054",
  arrived: "tow-2055",
  cancelled: "tow-2056",
  failed: "tow-2057",
  expired: "tow-2058",
};
const MORE = ["tow-2047", "tow-2048", "tow-2049", "tow-2050"];
const NOBODYS = "tow-2051";

/** Where the vehicles are needed. */
const PLACE = { lat: 45.276, lng: 13.72 };
/** Degrees from one vehicle's way to the next one's. */
const APART = 0.006;

export class Town {
  readonly jobs = JOBS;
  readonly #app: App;
  readonly #way = drive();
  #at = 0;
  #links = 0;
  #changes = 0;

  private constructor(app: App) {
    this.#app = app;
  }

  static async of(app: App): Promise<Town> {
    const town = new Town(app);
    await town.#register(JOBS.silent, "driver-04", ["cleo"]);
    await town.#post(JOBS.silent, "driver-04", 4);
    await town.#register(JOBS.stale, "driver-10", ["ben"]);
    await town.#post(JOBS.stale, "driver-10", 6);
    // Its way leads past the place of the others, where it does not arrive.
    await town.#register(JOBS.driven, "driver-01", ["ann"], { place: null });
    await town.#register(JOBS.new, "driver-02", ["cleo"]);
    await town.#register(JOBS.gated, "driver-03", ["cleo"], { gate: { customer: { from: Date.now() + 2 * 3_600_000 } } });
    await town.#register(JOBS.near, "driver-12", ["cleo"], { gate: { customer: { within: 500 } } });
    for (const job of [JOBS.parked, JOBS.arrived]) await town.#register(job, "driver-12", ["deniz"]);
    await town.reassign("driver-05");
    for (const reason of ["done", "cancelled", "failed"] as const) {
      await town.#register(JOBS[reason], "driver-05", ["ben"]);
      for (town.#at = 0; town.#at < 40; town.#at += 1) await town.#post(JOBS[reason], "driver-05", 0);
      await town.#ask("POST", `${JOBS[reason]}/close`, { reason });
    }
    await town.#register(JOBS.expired, "driver-05", ["ben"], { endsAt: Date.now() + 2_000 });
    for (const [n, job] of MORE.entries()) await town.#register(job, `driver-0${n + 6}`, n < 2 ? ["ann"] : ["eva"]);
    await town.#register(NOBODYS, null, ["finn"]);
    for (let n = 0; n < 40; n += 1) await town.move();
    await eventually("a driver who is silent", async () => ((await town.#ask("GET", JOBS.silent)).silentSince ? true : undefined), 120_000);
    return town;
  }

  /** All who are under way go on, a fix each. */
  async move() {
    this.#at += 1;
    await this.#post(JOBS.driven, "driver-01", 0);
    for (const [n, job] of MORE.entries()) await this.#post(job, `driver-0${n + 6}`, n + 1);
    // These are heard of, and have no position, or no new one.
    for (const [job, driver] of [[JOBS.new, "driver-02"], [JOBS.gated, "driver-03"], [JOBS.stale, "driver-10"], [JOBS.near, "driver-12"]] as const) await this.#beat(job, driver, "no_fix");
  }

  /** Two vehicles stand: one where it is needed. */
  async stand() {
    await this.#fix(JOBS.arrived, "driver-12", { ...PLACE, speed: 0, accuracy: 6 });
    await this.#fix(JOBS.parked, "driver-12", { lat: PLACE.lat - 0.01, lng: PLACE.lng, speed: 0, accuracy: 6 });
    await this.#beat(JOBS.parked, "driver-12", "parked");
  }

  /** A job is another driver's, who is heard of or not yet. */
  async reassign(driver: string, isHeard = true) {
    await this.#register(JOBS.reassigned, driver, ["ben"]);
    if (isHeard) await this.#post(JOBS.reassigned, driver, 5);
  }

  /** Somebody else changes a job: another end. */
  change(job: string) {
    return this.#register(job, "driver-02", ["cleo"], { endsAt: Date.now() + (10 + ++this.#changes) * 3_600_000 });
  }

  /** So many more jobs. */
  async crowd(count: number) {
    for (let n = 0; n < count; n += 1) {
      const job = `tow-${3_000 + n}`;
      await this.#register(job, `driver-crowd-${n}`, []);
      await this.#post(job, `driver-crowd-${n}`, n % 12);
    }
  }

  /** A link to a job, which a dispatcher makes. */
  async link(job: string = JOBS.driven): Promise<string> {
    const context = await this.#app.browser.newContext({ baseURL: this.#app.url });
    try {
      await context.request.post("/session/sign-in", { form: { id: "dora", to: "/sign-in" }, headers: { origin: this.#app.url } });
      const page = await context.newPage();
      await page.goto(`/board/${job}`);
      await page.getByRole("button", { name: "Make a link" }).click();
      return await page.getByLabel("Copy it now").inputValue();
    } finally {
      await context.close();
    }
  }

  /** One that is revoked again. */
  async revokedLink(): Promise<string> {
    const before = (await this.#ask("GET", JOBS.driven)).customers ?? [];
    const link = await this.link();
    const after = (await this.#ask("GET", JOBS.driven)).customers ?? [];
    for (const id of after.filter((one) => !before.includes(one))) await this.#ask("DELETE", `${JOBS.driven}/customers/${encodeURIComponent(id)}`);
    return link;
  }

  /** One whose job has ended. */
  async endedLink(): Promise<string> {
    const job = `tow-21${this.#links++}`;
    await this.#register(job, "driver-05", []);
    const link = await this.link(job);
    await this.#ask("POST", `${job}/close`, { reason: "done" });
    return link;
  }

  #post(job: string, driver: string, lane: number) {
    const { lat, lng } = this.#way[(this.#at + lane * 17) % this.#way.length]!;
    const [before, now] = [this.#way[(this.#at + lane * 17 + this.#way.length - 1) % this.#way.length]!, { lat, lng }];
    const heading = ((Math.atan2((now.lng - before.lng) * Math.cos((lat * Math.PI) / 180), now.lat - before.lat) * 180) / Math.PI + 360) % 360;
    return this.#fix(job, driver, { lat: lat + lane * APART, lng: lng - lane * APART, heading, speed: 11, accuracy: 6 });
  }

  #fix(job: string, driver: string, fix: { lat: number; lng: number; [measure: string]: number }) {
    return post(this.#app.world, this.#app.world.session({ role: "driver", sub: driver }), job, { ...fix, capturedAt: Date.now() });
  }

  async #beat(job: string, driver: string, state: "no_fix" | "parked") {
    const headers = { authorization: `Bearer ${this.#app.world.session({ role: "driver", sub: driver })}` };
    const answer = await fetch(`${this.#app.world.url}/api/jobs/${job}/heartbeat`, { method: "POST", headers, body: JSON.stringify({ state }) });
    if (!answer.ok) throw new Error(`a heartbeat is answered ${answer.status}: ${await answer.text()}`);
  }

  #register(job: string, driver: string | null, customers: string[], more: object = {}) {
    return this.#ask("PUT", job, { driver, customers, place: PLACE, ...more });
  }

  async #ask(method: string, path: string, body?: object): Promise<{ silentSince?: number; customers?: string[] }> {
    const headers = { authorization: `Bearer ${this.#app.world.session({ role: "dispatcher", sub: "dora" })}` };
    const answer = await fetch(`${this.#app.world.url}/api/jobs/${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as { silentSince?: number; customers?: string[] };
  }
}
