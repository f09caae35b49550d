// What is going on while pictures are taken: some jobs, each in a state of its own.

import { drive } from "../../tests/e2e/support/drive.ts";
import { post } from "../../tests/e2e/support/driving.ts";
import { eventually } from "../../tests/e2e/support/wait.ts";
import type { App } from "../../tests/app/support/app.ts";

/** Beside these there are some more under way, so that the board is not empty. */
const JOBS = { driven: "tow-2041", new: "tow-2042", gated: "tow-2043", silent: "tow-2044", reassigned: "tow-2045", closed: "tow-2046" };
const MORE = ["tow-2047", "tow-2048", "tow-2049", "tow-2050"];
const NOBODYS = "tow-2051";

/** Degrees from one vehicle's way to the next one's. */
const APART = 0.006;

export class Town {
  readonly jobs = JOBS;
  readonly #app: App;
  readonly #way = drive();
  #at = 0;

  private constructor(app: App) {
    this.#app = app;
  }

  static async of(app: App): Promise<Town> {
    const town = new Town(app);
    await town.#register(JOBS.silent, "driver-04", ["cleo"]);
    await town.#post(JOBS.silent, "driver-04", 4);
    await town.#register(JOBS.driven, "driver-01", ["ann"]);
    await town.#register(JOBS.new, "driver-02", ["cleo"]);
    await town.#register(JOBS.gated, "driver-03", ["cleo"], { gate: { customer: { from: Date.now() + 2 * 3_600_000 } } });
    await town.reassign("driver-05");
    await town.#register(JOBS.closed, "driver-05", ["ben"]);
    await town.#ask("POST", `${JOBS.closed}/close`, { reason: "done" });
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
    // These are heard of, and have no position yet.
    await this.#beat(JOBS.new, "driver-02");
    await this.#beat(JOBS.gated, "driver-03");
  }

  async #beat(job: string, driver: string) {
    const headers = { authorization: `Bearer ${this.#app.world.session({ role: "driver", sub: driver })}` };
    const answer = await fetch(`${this.#app.world.url}/api/jobs/${job}/heartbeat`, { method: "POST", headers, body: '{"state":"no_fix"}' });
    if (!answer.ok) throw new Error(`a heartbeat is answered ${answer.status}: ${await answer.text()}`);
  }

  /** A job is another driver's, who is heard of or not yet. */
  async reassign(driver: string, isHeard = true) {
    await this.#register(JOBS.reassigned, driver, ["ben"]);
    if (isHeard) await this.#post(JOBS.reassigned, driver, 5);
  }

  /** A link to a job, which a dispatcher makes. */
  async link(): Promise<string> {
    const context = await this.#app.browser.newContext({ baseURL: this.#app.url });
    try {
      await context.request.post("/session/sign-in", { form: { id: "dora", to: "/sign-in" }, headers: { origin: this.#app.url } });
      const page = await context.newPage();
      await page.goto(`/board/${JOBS.driven}`);
      await page.getByRole("button", { name: "Make a link" }).click();
      return await page.getByLabel("Copy it now").inputValue();
    } finally {
      await context.close();
    }
  }

  #post(job: string, driver: string, lane: number) {
    const { lat, lng } = this.#way[(this.#at + lane * 17) % this.#way.length]!;
    const session = this.#app.world.session({ role: "driver", sub: driver });
    const [before, now] = [this.#way[(this.#at + lane * 17 + this.#way.length - 1) % this.#way.length]!, { lat, lng }];
    const heading = ((Math.atan2((now.lng - before.lng) * Math.cos((lat * Math.PI) / 180), now.lat - before.lat) * 180) / Math.PI + 360) % 360;
    const fix = { lat: lat + lane * APART, lng: lng - lane * APART, heading, speed: 11, accuracy: 6, capturedAt: Date.now() };
    return post(this.#app.world, session, job, fix);
  }

  #register(job: string, driver: string | null, customers: string[], more: object = {}) {
    return this.#ask("PUT", job, { driver, customers, place: { lat: 45.276, lng: 13.72 }, ...more });
  }

  async #ask(method: string, path: string, body?: object): Promise<{ silentSince?: number }> {
    const headers = { authorization: `Bearer ${this.#app.world.session({ role: "dispatcher", sub: "dora" })}` };
    const answer = await fetch(`${this.#app.world.url}/api/jobs/${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as { silentSince?: number };
  }
}
