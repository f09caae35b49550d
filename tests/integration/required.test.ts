// Where the registry alone decides (`JOB_REGISTRY=required`): what a session lists changes nothing, a job that is not registered is nobody's, and
// whoever asks about jobs that are none of theirs learns nothing, and is stopped.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertAblyError, assertProblem, assertTaken } from "./support/answers.ts";
import type { Answer, Headers } from "./support/http.ts";
import { Service, as, newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

const FIX = { lat: 1, lng: 2 };
const TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_*'";

/** As wrangler.toml has it. */
const LIMIT = 60;

let users = 0;
/** A user whom no other test knows, so that a limit is their own; without any claim. */
const somebody = () => `user-${(users += 1)}`;
const driver = (user: string, jobs?: string[]) => as("driver", jobs, { sub: user });
const customer = (user: string, jobs?: string[]) => as("customer", jobs, { sub: user });

/** All of an answer that a client sees, but what differs with each. */
const bytes = ({ status, headers, text }: Answer) => [status, [...headers].filter(([name]) => name !== "date" && name !== "x-request-id"), text];

/** The jobs whose channels a token has, and its claims. */
function claimed(answer: Answer): { jobs: string[]; claims: any } {
  assert.equal(answer.status, 200, answer.text);
  const claims = JSON.parse(Buffer.from(answer.text.split(".")[1] ?? "", "base64url").toString());
  const channels = Object.keys(JSON.parse(claims["x-ably-capability"]));
  return { jobs: channels.flatMap((name) => (name.startsWith("dispatch:job:") ? [name.slice(13)] : [])), claims };
}

/** A limit so high that nobody meets it. */
const unlimited = (toml: string) => toml.replace(`limit = ${LIMIT}`, "limit = 1000000");

class Jobs {
  readonly service: Service;

  constructor(service: Service) {
    this.service = service;
  }

  async put(body: object, id = newJob()): Promise<string> {
    const answer = await this.service.send("PUT", `/api/jobs/${id}`, { headers: as("service"), body: JSON.stringify(body) });
    assert.ok([200, 201].includes(answer.status), answer.text);
    return id;
  }

  get(path: string, headers: Headers): Promise<Answer> {
    return this.service.send("GET", path, { headers });
  }

  token(headers: Headers, ...ids: string[]): Promise<Answer> {
    return this.get(`/api/ably-token?jobId=${ids.join(",")}`, headers);
  }

  close(id: string): Promise<Answer> {
    return this.service.send("POST", `/api/jobs/${id}/close`, { headers: as("service"), body: '{"reason":"done"}' });
  }

  /** Every way for a driver to ask about a job. */
  routes(user: string): Record<string, (id: string) => Promise<Answer>> {
    const headers = driver(user);
    return {
      "a post": (id) => this.service.post(id, FIX, headers),
      "the state": (id) => this.service.state(id, headers),
      "the trail": (id) => this.get(`/api/jobs/${id}/locations`, headers),
      "the job": (id) => this.get(`/api/jobs/${id}`, headers),
      "a token": (id) => this.token(headers, id),
      "a TokenRequest": (id) => this.get(`/api/ably-token?format=token-request&jobId=${id}`, headers),
    };
  }
}

describe("the registry alone", { concurrency: true }, () => {
  let service: Service;
  let jobs: Jobs;
  before(async () => {
    service = await Service.start({ JOB_REGISTRY: "required", TOKEN_REQUESTS: "on" }, unlimited);
    jobs = new Jobs(service);
  });
  after(() => service.stop());

  test("whoever is registered needs no claim, and a claim lets nobody in", async () => {
    const [d, c, other] = [somebody(), somebody(), somebody()];
    const id = await jobs.put({ driver: d, customers: [c] });
    assert.equal(assertTaken(await service.post(id, FIX, driver(d)), id)[0].seq, 1);
    for (const headers of [driver(d), customer(c)]) {
      for (const path of ["/location", "/locations", ""]) assert.equal((await jobs.get(`/api/jobs/${id}${path}`, headers)).status, 200);
      assert.deepEqual(claimed(await jobs.token(headers, id)).jobs, [id]);
    }
    for (const headers of [driver(other, [id]), customer(other, [id]), customer(d, [id])]) {
      for (const path of ["/location", "/locations", ""]) {
        assertProblem(await jobs.get(`/api/jobs/${id}${path}`, headers), 403, "not_a_participant");
      }
      assertAblyError(await jobs.token(headers, id), 403, 40160);
      assert.deepEqual(claimed(await jobs.get("/api/ably-token", headers)).jobs, []);
    }
    assertProblem(await service.post(id, FIX, driver(other, [id])), 403, "not_a_participant");
    assert.deepEqual(claimed(await jobs.get("/api/ably-token", customer(c, [newJob(), id]))).jobs, [id], "the claim's are candidates");
    assert.deepEqual(claimed(await jobs.get("/api/ably-token", customer(c))).jobs, [], "and nobody else names any");
    for (const role of ["dispatcher", "admin", "service"] as const) assert.equal((await service.state(id, as(role))).status, 200);
    assert.equal((await service.state(newJob(), as("dispatcher"))).json.seq, 0, "and they read as before");
  });

  test("a back end posts for the present driver of a registered job, and for nobody else", async () => {
    const [d, next] = [somebody(), somebody()];
    const id = await jobs.put({ driver: d, customers: [] });
    const post = (job: string, user: string) => service.post(job, { ...FIX, driver: user }, as("service"));
    assert.equal(assertTaken(await post(id, d), id)[0].status, "accepted");
    assertProblem(await post(id, next), 403, "not_a_participant");
    assertProblem(await post(newJob(), d), 403, "not_a_participant");
    await jobs.put({ driver: next, customers: [] }, id);
    assert.equal(assertTaken(await post(id, next), id)[0].seq, 1);
    assert.equal(assertTaken(await service.post(id, { locations: [FIX] }, driver(d)), id)[0].reason, "reassigned");
  });

  test("a token names up to twenty jobs, and has the channels of those that take its user in", async () => {
    const user = somebody();
    const mine = await Promise.all(Array.from({ length: 20 }, () => jobs.put({ driver: null, customers: [user] })));
    const [a = "", b = ""] = mine;
    const both = claimed(await jobs.token(customer(user), a, b));
    assert.deepEqual([both.jobs, both.claims["x-ably-revocation-key"]], [[a, b].sort(), undefined]);
    assert.deepEqual(claimed(await jobs.token(customer(user), ...mine)).jobs, [...mine].sort());
    const form = await service.send("POST", "/api/ably-token", { headers: customer(user), body: `jobId=${a}%2C${b}` });
    assert.deepEqual(claimed(form).jobs, [a, b].sort());
    const one = claimed(await jobs.token(customer(user), newJob(), a, await jobs.put({ driver: null, customers: [] })));
    assert.deepEqual([one.jobs, one.claims["x-ably-revocation-key"]], [[a], `job:${a}`], "a foreign one is just not in it");
    const tooMany = assertAblyError(await jobs.token(customer(user), ...mine, a), 400, 40003);
    assert.match(tooMany.message, /at most 20 jobs/);
    for (const names of [["", a], [a, ""], [a, "b:c"]]) assert.match(assertAblyError(await jobs.token(customer(user), ...names), 400, 40003).message, /a job id is/);
    assertAblyError(await jobs.token(customer(user), newJob(), newJob()), 403, 40160);
    assert.deepEqual(claimed(await jobs.token(as("dispatcher"), b, a)).jobs, [a, b].sort(), "a dispatcher's is narrowed too");
  });

  test("a closed one among several takes its own channel away, and all of them closed are nothing", async () => {
    const user = somebody();
    const [a, b] = [await jobs.put({ driver: user, customers: [] }), await jobs.put({ driver: user, customers: [] })];
    await jobs.close(a);
    assert.deepEqual(claimed(await jobs.token(driver(user), a, b)).jobs, [b]);
    assertAblyError(await jobs.token(driver(user), a), 403, 40160);
    await jobs.close(b);
    assertAblyError(await jobs.token(driver(user), a, b), 403, 40160);
    assertProblem(await service.state(a, driver(user)), 403, "job_closed");
  });

  test("a foreign job, one that nobody knows, and one that is forgotten are told apart by no byte, on no route", async () => {
    const [user, d] = [somebody(), somebody()];
    const [foreign, forgotten, unknown] = [await jobs.put({ driver: d, customers: ["somebody-else"] }), await jobs.put({ driver: d, customers: [] }), newJob()];
    await service.post(foreign, FIX, driver(d));
    assert.equal((await service.send("DELETE", `/api/jobs/${forgotten}`, { headers: as("service") })).status, 204);
    for (const [route, ask] of Object.entries(jobs.routes(user))) {
      const told = bytes(await ask(unknown));
      assert.equal(told[0], 403, route);
      assert.deepEqual(bytes(await ask(foreign)), told, route);
      assert.deepEqual(bytes(await ask(forgotten)), told, route);
    }
    assert.deepEqual(await service.sql(unknown, TABLES), [], "and nothing is kept of having been asked");
  });

  test("no job that nobody knows gets a table, however it is asked about", async () => {
    const user = somebody();
    for (const ask of Object.values(jobs.routes(user))) {
      const unknown = newJob();
      assert.equal((await ask(unknown)).status, 403);
      assert.deepEqual(await service.sql(unknown, TABLES), []);
    }
  });
});

describe("how long it takes", () => {
  let service: Service;
  let jobs: Jobs;
  before(async () => {
    service = await Service.start({ JOB_REGISTRY: "required" }, unlimited);
    jobs = new Jobs(service);
  });
  after(() => service.stop());

  const COUNT = 100;
  const median = (times: number[]) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;

  test("a foreign job takes as long as one that nobody knows", async (t) => {
    const foreign = await jobs.put({ driver: "driver-1", customers: ["customer-1"] });
    await service.post(foreign, FIX, driver("driver-1"));
    await service.ably.arrived(foreign, 3);
    const unknown = newJob();
    for (const [route, ask] of Object.entries(jobs.routes(somebody()))) {
      const taken = { [foreign]: [] as number[], [unknown]: [] as number[] };
      for (let count = 0; count < COUNT; count += 1) {
        // In turn, and each of them first as often as the other.
        for (const id of count % 2 === 0 ? [foreign, unknown] : [unknown, foreign]) {
          const begun = performance.now();
          assert.equal((await ask(id)).status, 403);
          taken[id]?.push(performance.now() - begun);
        }
      }
      const ratio = median(taken[foreign] ?? []) / median(taken[unknown] ?? []);
      t.diagnostic(`${route}: ${ratio.toFixed(2)}`);
      assert.ok(ratio > 1 / 1.5 && ratio < 1.5, `${route}: ${ratio}`);
    }
  });
});

describe("the limit", () => {
  let service: Service;
  let jobs: Jobs;
  before(async () => {
    service = await Service.start({ JOB_REGISTRY: "required" });
    jobs = new Jobs(service);
  });
  after(() => service.stop());

  /** Asks until it is told that that was too much. Its minute is the clock's: one that begins in between begins the count anew, once. */
  const exhaust = async (user: string) => {
    for (let count = 0; count <= 2 * LIMIT; count += 1) {
      const answer = await service.state(newJob(), driver(user));
      if (answer.status === 429) return count;
      assertProblem(answer, 403, "not_a_participant");
    }
    return assert.fail("nobody is stopped");
  };

  test("whoever asks about too many is told so, the same of foreign and unknown ones, and goes on with their own", async () => {
    const [user, other, d] = [somebody(), somebody(), somebody()];
    const [mine, foreign] = [await jobs.put({ driver: user, customers: [] }), await jobs.put({ driver: d, customers: [] })];
    assert.ok((await exhaust(user)) >= LIMIT);
    for (const [route, ask] of Object.entries(jobs.routes(user))) {
      let [one, two] = [await ask(foreign), await ask(newJob())];
      // Where another minute has begun meanwhile.
      if (one.status !== 429 || two.status !== 429) {
        await exhaust(user);
        [one, two] = [await ask(foreign), await ask(newJob())];
      }
      assert.deepEqual(bytes(one), bytes(two), route);
      if (route.includes("oken")) assertAblyError(one, 429, 42910);
      else assertProblem(one, 429, "too_many_unknown_jobs");
      assert.equal(one.header("retry-after"), "60");
    }
    assert.equal(assertTaken(await service.post(mine, FIX, driver(user)), mine)[0].status, "accepted");
    assert.equal((await service.state(mine, driver(user))).status, 200);
    assert.deepEqual(claimed(await jobs.token(driver(user), mine)).jobs, [mine]);
    assertProblem(await service.state(foreign, driver(other)), 403, "not_a_participant");
  });

  test("what is one's own takes no place, and neither does what a session lists", async () => {
    const user = somebody();
    const mine = await jobs.put({ driver: user, customers: [] });
    for (let count = 0; count < LIMIT + 5; count += 1) assert.equal((await service.state(mine, driver(user))).status, 200);
    const stale = Array.from({ length: 20 }, newJob);
    for (let count = 0; count < 4; count += 1) assert.deepEqual(claimed(await jobs.get("/api/ably-token", driver(user, [mine, ...stale]))).jobs, [mine]);
    assertProblem(await service.state(newJob(), driver(user)), 403, "not_a_participant");
  });

  test("each name of a token that is none of theirs takes a place", async () => {
    const user = somebody();
    const mine = await jobs.put({ driver: user, customers: [] });
    const statuses = [];
    // Three of nineteen fit into a minute, so at most six into the two that this may take part in.
    for (let count = 0; count < 8; count += 1) statuses.push((await jobs.token(driver(user), mine, ...Array.from({ length: 19 }, newJob))).status);
    assert.equal(statuses[0], 200);
    assert.ok(statuses.includes(429), statuses.join());
  });
});

test("without the limit nothing is answered, and the log says why", async () => {
  const service = await Service.start({ JOB_REGISTRY: "required" }, (toml) => toml.replace(/\[\[ratelimits\]\][^[]*/, ""));
  try {
    assertProblem(await service.state("a", driver("ann", ["a"])), 503, "misconfigured");
    await until("the log to say so", () => service.logs().some(({ text }) => text.includes('"variable":"UNKNOWN_JOBS"')));
    assert.deepEqual(await service.objects(), []);
  } finally {
    await service.stop();
  }
});

test("a limit that fails refuses, and tells nothing", async () => {
  const failing = (entry: string) => {
    const [, worker] = /export \{[^}]*?(\w+) as default\b/.exec(entry) ?? [];
    return `${entry}
const plain = ${worker}.fetch;
const limit = async (asked) => { throw new Error(JSON.stringify(asked)); };
${worker}.fetch = (request, env) => plain(request, { ...env, UNKNOWN_JOBS: { limit } });
`;
  };
  const service = await Service.start({ JOB_REGISTRY: "required" }, undefined, failing);
  try {
    assertProblem(await service.state(newJob(), driver("ann")), 503, "unavailable");
    assertAblyError(await service.send("GET", `/api/ably-token?jobId=${newJob()}`, { headers: driver("ann") }), 503, 50000);
    const lines = () => service.logs().filter(({ text }) => text.includes("limit_failed"));
    await until("the reasons to be logged", () => lines().length === 2);
    // What it was asked for: a key is never empty.
    for (const { text } of lines()) assert.equal(JSON.parse(text).reason, '{"key":"ann"}');
  } finally {
    await service.stop();
  }
});
