// Lists of jobs: what is open, and what is one's own. They follow the jobs, and decide nothing.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { standIn } from "../../bench/stand-in.mjs";
import { Parts } from "../../scripts/dev/parts.mjs";
import { LOOPBACK } from "../../scripts/dev/ports.mjs";
import { startWorkerd } from "../e2e/support/workerd.ts";
import { assertProblem } from "./support/answers.ts";
import { Client, type Headers } from "./support/http.ts";
import { ABLY_KEY, SESSION_SECRET, Service, as, newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

/** Nothing in a list is wrong for longer. */
const SOON_MS = 2_000;

const soon = (what: string, condition: () => Promise<boolean>) => until(what, condition, SOON_MS);

describe("lists of jobs", () => {
  let service: Service;
  before(async () => {
    service = await Service.start({ TOKEN_REQUESTS: "off" });
  });
  after(() => service.stop());

  const send = (method: string, path: string, body?: unknown, headers: Headers = as("dispatcher")) =>
    service.send(method, path, { headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  const put = async (id: string, body: object) => assert.ok((await send("PUT", `/api/jobs/${id}`, body)).status < 300);
  const page = async (query = "", headers: Headers = as("dispatcher")) => {
    const answer = await send("GET", `/api/jobs${query}`, undefined, headers);
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  };
  const ids = ({ jobs }: { jobs: { jobId: string }[] }) => jobs.map(({ jobId }) => jobId);
  /** Of one dispatch, so that tests do not meet each other's jobs. */
  const open = async (dispatch: string, query = "") => page(`?state=open&dispatchId=${dispatch}${query}`);
  const user = (role: "driver" | "customer", name: string, jobs: string[]) => as(role, jobs, { sub: name });
  const mine = async (role: "driver" | "customer", name: string, jobs: string[]) => ids(await page("?mine", user(role, name, jobs)));

  test("a job is listed once it is registered, as it is, and not once it has ended", async () => {
    const [id, other] = [newJob(), newJob()];
    assert.deepEqual(await open(id), { jobs: [], next: null });
    const body = { driver: "driver-1", customers: ["customer-1"], place: { lat: 48, lng: 16 }, startsAt: Date.now() + 1_000, dispatchId: id };
    await put(id, body);
    await put(other, { ...body, driver: null });
    await soon("both to be listed", async () => ids(await open(id)).length === 2);
    const told = (await send("GET", `/api/jobs/${id}`)).json;
    const { customers: _, place: __, figures: ___, ...listed } = told;
    const [entry] = (await open(id)).jobs.filter(({ jobId }: any) => jobId === id);
    assert.deepEqual(entry, listed, "no customer, and no place");
    await service.post(id, { lat: 77.123, lng: 12.654 });
    await put(id, { ...body, driver: "driver-2" });
    await soon("the new driver", async () => (await open(id)).jobs.some(({ jobId, driver, version, epoch }: any) => jobId === id && driver === "driver-2" && version === 2 && epoch > told.epoch));
    assert.doesNotMatch(JSON.stringify(await open(id)), /77\.123|12\.654|customer-1/);
    await send("POST", `/api/jobs/${id}/close`, { reason: "done" });
    await soon("the closed one to go", async () => ids(await open(id)).join() === other);
    assert.equal((await send("DELETE", `/api/jobs/${other}`)).status, 204);
    await soon("the deleted one to go", async () => ids(await open(id)).length === 0);
    const tasks = () => service.sql(other, "SELECT 1 FROM tasks WHERE kind = 'list'");
    await until("all that names somebody to go", async () => (await tasks()).length === 0);
  });

  test("a job that ends by itself is in no list any more, whenever that is told", async () => {
    const id = newJob();
    await put(id, { driver: "driver-ends", customers: [], dispatchId: id, endsAt: Date.now() + 1_500 });
    await soon("it to be listed", async () => ids(await open(id)).length === 1);
    await until("it to be over", async () => ids(await open(id)).length === 0, 4_000);
    assert.deepEqual(await mine("driver", "driver-ends", [id]), []);
  });

  test("an answer that is known is 304, until it changes", async () => {
    const id = newJob();
    const ask = (tags?: string, method = "GET") => send(method, `/api/jobs?dispatchId=${id}`, undefined, { ...as("service"), "if-none-match": tags });
    const empty = await ask();
    const etag = empty.header("etag") ?? "";
    assert.match(etag, /^"[\w-]{16}"$/);
    for (const tags of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
      const same = await ask(tags);
      assert.deepEqual([same.status, same.text, same.header("etag")], [304, "", etag]);
      assert.equal(same.header("cache-control"), "private, no-store");
      assert.ok(same.header("x-request-id"));
    }
    const head = await ask(undefined, "HEAD");
    assert.deepEqual([head.status, head.text, head.header("etag")], [200, "", etag]);
    await put(id, { driver: null, customers: [], dispatchId: id });
    await soon("the answer to change", async () => (await ask(etag)).status === 200);
  });

  test("120 jobs, page by page, in the order of their ids", async () => {
    const dispatch = newJob();
    const all = Array.from({ length: 120 }, newJob).sort();
    await Promise.all(all.map((id) => put(id, { driver: null, customers: [], dispatchId: dispatch })));
    await soon("all of them", async () => {
      const first = ids(await open(dispatch, "&limit=100"));
      const rest = ids(await open(dispatch, `&limit=100&after=${first.at(-1)}`));
      return first.length + rest.length === 120;
    });
    const found: string[] = [];
    for (let next: string | null = ""; next !== null; ) {
      const one: any = await open(dispatch, `&limit=50${next && `&after=${next}`}`);
      found.push(...ids(one));
      next = one.next;
      assert.equal(next, found.length < 120 ? found.at(-1) : null);
    }
    assert.deepEqual(found, all);
    assert.equal(ids(await open(dispatch)).length, 50, "where nobody says");
    assert.deepEqual(ids(await open("another")), []);
  });

  test("one's own are those in which one takes part, by claim and by registry", async () => {
    const [first, second, foreign] = [newJob(), newJob(), newJob()];
    const [driver, ann, bob] = [newJob(), newJob(), newJob()];
    await put(first, { driver, customers: [ann, bob], place: { lat: 48, lng: 16 } });
    await put(second, { driver: null, customers: [bob] });
    await put(foreign, { driver, customers: [] });
    const all = [first, second, foreign];
    await soon("the driver's", async () => (await mine("driver", driver, all)).length === 2);
    await soon("bob's", async () => (await mine("customer", bob, all)).length === 2);
    assert.deepEqual(await mine("customer", ann, all), [first]);
    assert.deepEqual(await mine("driver", driver, [first]), [first], "and the claim has to list it");
    // As GET tells each.
    const [told] = (await page("?mine", user("customer", ann, [first]))).jobs;
    assert.deepEqual(told, (await send("GET", `/api/jobs/${first}`, undefined, user("customer", ann, [first]))).json);
    assert.deepEqual([told.customers, told.driver, told.place], [[ann], undefined, undefined]);

    // Whoever is removed does not see it even once, since its object does not confirm it.
    await send("DELETE", `/api/jobs/${first}/customers/${bob}`);
    assert.deepEqual(await mine("customer", bob, all), [second]);
    await send("POST", `/api/jobs/${first}/close`, { reason: "done" });
    assert.deepEqual(await mine("customer", ann, all), []);
    assert.deepEqual(await mine("driver", driver, all), [foreign]);
    const pageOf = (query: string) => page(`?mine${query}`, user("customer", bob, all));
    assert.deepEqual([ids(await pageOf("&limit=1")), ids(await pageOf(`&after=${second}`))].flat().filter((id) => id !== second), []);
  });

  test("who may ask for what, and how it is said what is wrong", async () => {
    for (const role of ["driver", "customer"] as const) assertProblem(await send("GET", "/api/jobs?state=open", undefined, as(role)), 403, "own_jobs_only");
    for (const role of ["dispatcher", "admin", "service"] as const) assertProblem(await send("GET", "/api/jobs?mine", undefined, as(role)), 403, "no_own_jobs");
    for (const [query, field] of [["state=closed", "state"], ["limit=101", "limit"], ["after=a%2Fb", "after"], ["dispatchId=", "dispatchId"], ["mine=no", "mine"]]) {
      assert.equal(assertProblem(await send("GET", `/api/jobs?${query}`), 400, "invalid_parameter").field, field);
    }
    assertProblem(await send("POST", "/api/jobs", {}), 405, "method_not_allowed");
    assert.deepEqual(await page("?mine", user("driver", newJob(), [newJob()])), { jobs: [], next: null });
  });

  test("without a registry there are no lists", async (t) => {
    const off = await Service.start({ JOB_REGISTRY: "off" });
    t.after(() => off.stop());
    for (const role of ["dispatcher", "driver"] as const) assertProblem(await off.send("GET", "/api/jobs", { headers: as(role) }), 404, "not_found");
  });
});

test("a runtime that is killed before a list knows tells it when it is back", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "towline-lists-"));
  const ably = await standIn();
  t.after(() => {
    ably.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const settings = { ABLY_API_KEY: ABLY_KEY, ABLY_REST_URL: `http://${LOOPBACK}:${ably.port}`, SESSION_SECRET };
  const start = async (change?: (worker: string) => void) => {
    const parts = new Parts();
    t.after(() => parts.stop());
    parts.ended.catch(() => {});
    const { url, pid } = await startWorkerd(parts, folder, settings, change);
    const client = new Client(new URL(url));
    t.after(() => client.close());
    const send = (method: string, path: string, body?: object, headers = as("dispatcher")) =>
      client.send(method, path, { headers, ...(body && { body: JSON.stringify(body) }) });
    return { send, pid };
  };
  // No list ever says that it knows, nor takes anything.
  const deaf = await start((worker) => {
    const entry = join(worker, "entry.js");
    const code = readFileSync(entry, "utf8");
    const mute = code.replace(/change\(change\) \{\s*return this/, "change(change) {\n    return new Promise(() => {}); return this");
    assert.notEqual(mute, code);
    writeFileSync(entry, mute);
  });
  const [kept, closed] = [newJob(), newJob()];
  for (const id of [kept, closed]) assert.equal((await deaf.send("PUT", `/api/jobs/${id}`, { driver: "d", customers: ["c"] })).status, 201);
  assert.equal((await deaf.send("POST", `/api/jobs/${closed}/close`, { reason: "done" })).status, 200);
  assert.deepEqual((await deaf.send("GET", "/api/jobs")).json.jobs, []);
  assert.ok(deaf.pid !== undefined);
  process.kill(deaf.pid, "SIGKILL");

  const { send } = await start();
  const listed = async () => (await send("GET", "/api/jobs")).json.jobs.map((job: any) => job.jobId);
  // Nobody asks for the jobs: their alarms see to it.
  await until("the job to be listed", async () => (await listed()).length > 0);
  assert.deepEqual(await listed(), [kept]);
  const mine = async () => (await send("GET", "/api/jobs?mine", undefined, as("customer", [kept, closed], { sub: "c" }))).json.jobs;
  await until("the customer's", async () => (await mine()).length === 1);
});
