// Notifications: small events for one person, each taken once, published in order, and deleted once Ably has it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { Parts } from "../../scripts/dev/parts.mjs";
import { LOOPBACK } from "../../scripts/dev/ports.mjs";
import { startWorkerd } from "../e2e/support/workerd.ts";
import { assertProblem } from "./support/answers.ts";
import { OPERATIONS, type Publish, held, inboxOf, refused } from "./support/fake-ably.ts";
import { Client, type Headers } from "./support/http.ts";
import { ABLY_KEY, SESSION_SECRET, Service, as, newJob } from "./support/service.ts";
import { until } from "./support/until.ts";

const newUser = () => newJob().replace("job-", "user-");
const notification = (id: string, more: object = {}) => ({ id, type: "quote.sent", entityId: "Q-7", version: 3, ...more });

describe("notifications", { concurrency: true }, () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  const send = (user: string, body: unknown, headers: Headers = as("service")) =>
    service.send("POST", `/api/users/${user}/notifications`, { headers, body: typeof body === "string" ? body : JSON.stringify(body) });
  const taken = async (user: string, body: { id: string }, status = "accepted") => {
    const answer = await send(user, body);
    assert.deepEqual([answer.status, answer.json], [202, { ok: true, id: body.id, status }]);
  };
  const told = (user: string) => service.ably.publishes(inboxOf(user)).map(({ event }: Publish) => event.id as string);
  const rows = (user: string) => service.inboxSql(user, "SELECT id, body FROM notifications ORDER BY n");
  /** Until nothing waits for Ably any more, and that is written down. */
  const rest = (user: string) => until(`${user} to come to rest`, async () => (await rows(user)).every(({ body }) => body === null));

  test("is published on the user's channel, with what was sent and the time", async () => {
    const user = newUser();
    const before = Date.now();
    for (const role of ["dispatcher", "admin", "service"] as const) {
      const answer = await send(user, notification(role), as(role));
      assert.deepEqual([answer.status, answer.json], [202, { ok: true, id: role, status: "accepted" }]);
    }
    const [first, second] = await service.ably.arrived(inboxOf(user), 3);
    assert.match(first!.url, new RegExp(`/channels/notifications%3Auser%3A${user}/messages`));
    assert.equal(first!.message.name, "notification");
    const { ts, ...data } = first!.event;
    assert.deepEqual(data, notification("dispatcher"));
    assert.ok(ts >= before && ts <= Date.now(), ts);
    assert.notEqual(first!.message.id, second!.message.id);
    assert.deepEqual(told(user), ["dispatcher", "admin", "service"]);
  });

  test("is for drivers and customers to receive, not to send", async () => {
    for (const role of ["driver", "customer"] as const) {
      assertProblem(await send(newUser(), "{", as(role, [], { sub: "ann" })), 403, "not_a_dispatcher");
    }
    assertProblem(await send(newUser(), notification("a"), {}), 401, "session_missing");
  });

  test("its user is decoded once", async () => {
    const user = newUser();
    await taken(`auth0%7C${user}`, notification("a"));
    await service.ably.arrived(inboxOf(`auth0|${user}`), 1);
    for (const bad of ["a%2Fb", "a%20b", "a:b", "%", "%41%2a"]) {
      assertProblem(await send(bad, notification("a")), 400, "invalid_id");
    }
  });

  test("what is no notification is refused, and says why", async () => {
    const user = newUser();
    const bad: [unknown, string, string | undefined][] = [
      ["", "not_an_object", undefined],
      [[notification("a")], "not_an_object", undefined],
      ['{"id":"a","id":"a","type":"t","entityId":"e","version":1}', "repeated", "id"],
      [notification("a", { title: "Your car is here" }), "unknown_member", undefined],
      [notification(""), "invalid_id", "id"],
      [notification("x".repeat(65)), "invalid_id", "id"],
      [notification("towline:a.1.closed"), "invalid_id", "id"],
      [notification("a", { type: "Quote sent" }), "invalid_id", "type"],
      [notification("a", { entityId: "your car" }), "invalid_id", "entityId"],
      [notification("a", { version: 2 ** 53 }), "out_of_range", "version"],
      [notification("a", { version: "1" }), "wrong_type", "version"],
      [notification("a", { version: undefined }), "required", "version"],
    ];
    for (const [body, reason, field] of bad) {
      const json = assertProblem(await send(user, body), 400, "invalid_notification");
      assert.deepEqual([json.reason, json.field], [reason, field], JSON.stringify(body));
    }
    const long = (bytes: number) => JSON.stringify(notification("long")).padEnd(bytes);
    assertProblem(await send(user, long(4_097)), 413, "too_large");
    assertProblem(await send(user, long(70_000)), 413, "too_large");
    assertProblem(await service.send("POST", `/api/users/${user}/notifications`, { headers: { ...as("service"), "content-encoding": "gzip" }, body: "x" }), 415, "content_encoding");
    assertProblem(await service.send("GET", `/api/users/${user}/notifications`, { headers: as("service") }), 405, "method_not_allowed");
    assert.equal((await send(user, long(4_096))).status, 202);
  });

  test("the same again is a duplicate, and another content under its id is refused: while it waits, and after", async () => {
    const user = newUser();
    const first = held();
    service.ably.plan(inboxOf(user), first.behaviour);
    for (const moment of ["waits", "is gone"]) {
      await taken(user, notification("a"), moment === "waits" ? "accepted" : "duplicate");
      await taken(user, notification("a"), "duplicate");
      assertProblem(await send(user, notification("a", { version: 4 })), 409, "id_reused");
      first.release();
      await rest(user);
      await service.forgetInbox(user);
    }
    assert.deepEqual(told(user), ["a"]);
    assert.deepEqual(await rows(user), [{ id: "a", body: null }], "what is confirmed is deleted");
  });

  test("they arrive in order and once, whatever Ably answers", async () => {
    const user = newUser();
    service.ably.plan(inboxOf(user), refused(503, 50003), refused(500, 50000));
    const ids = Array.from({ length: 30 }, (_, n) => `n-${n}`);
    for (const id of ids) await taken(user, notification(id));
    await until("all to arrive", () => told(user).includes("n-29"));
    const all = service.ably.publishes(inboxOf(user));
    const bodies = new Map(all.map(({ message, body }) => [message.id, body]));
    for (const { message, body } of all) assert.equal(bodies.get(message.id), body, "a retry has the same bytes");
    assert.deepEqual([...new Set(told(user))], ids);
    assert.equal(told(user).length, 32);
    assert.equal(service.ably.mostInFlight(inboxOf(user)), 1);
  });

  test("what waits leaves though the object has slept and nobody asks", async () => {
    const user = newUser();
    service.ably.plan(inboxOf(user), ...Array(4).fill(refused(503, 50003)));
    await taken(user, notification("a"));
    await taken(user, notification("b"));
    await service.ably.arrived(inboxOf(user), 4);
    await service.forgetInbox(user);
    await service.ably.arrived(inboxOf(user), 6);
    assert.deepEqual(told(user), ["a", "a", "a", "a", "a", "b"]);
    await rest(user);
    assert.deepEqual(await service.inboxSql(user, "SELECT * FROM tasks"), []);
  });

  test("what Ably blames is dropped, those behind it go on, and operators hear by the object's reference alone", async () => {
    const user = newUser();
    service.ably.plan(inboxOf(user), refused(400, 40009));
    await taken(user, notification("a"));
    await taken(user, notification("b"));
    await until("the one behind it", () => told(user).includes("b"));
    const reference = await service.inboxReference(user);
    const reported = () => service.ably.publishes(OPERATIONS).flatMap(({ event }) => event.jobs).filter(({ ref }: any) => ref === reference);
    await until("operators to hear", () => reported().length > 0);
    const [{ at: _, ...report }] = reported();
    assert.deepEqual(report, { kind: "outbox.set_aside", ref: reference, cause: { class: "message", code: 40009, status: 400 } });
    const lines = service.logs().filter(({ text }) => text.includes(reference));
    assert.deepEqual(lines.map(({ level, text }) => [level, JSON.parse(text).code]), [["error", "publish_failed"]]);
    assert.ok(!service.logs().some(({ text }) => text.includes(user)), "no line names anybody");
    await taken(user, notification("a", { version: 9 }));
    await until("it to arrive after all", () => told(user).join() === "a,b,a");
  });
});

describe("what jobs tell by themselves", { concurrency: true }, () => {
  let service: Service;
  before(async () => {
    service = await Service.start({ TOKEN_REQUESTS: "off" });
  });
  after(() => service.stop());

  const send = async (method: string, path: string, body?: unknown) => {
    const answer = await service.send(method, `/api/jobs/${path}`, { headers: as("dispatcher"), ...(body !== undefined && { body: JSON.stringify(body) }) });
    assert.ok(answer.status < 300, answer.text);
  };
  const told = (user: string) =>
    service.ably.publishes(inboxOf(user)).map(({ event: { ts: _, ...event } }: Publish) => event);
  const hears = async (user: string, ...expected: [string, string, number][]) => {
    await service.ably.arrived(inboxOf(user), expected.length);
    const events = expected.map(([job, what, version]) => ({ id: `towline:${job}.${version}.${what}`, type: `job.${what}`, entityId: job, version }));
    assert.deepEqual(told(user), events);
  };
  const untold = (job: string) => service.sql(job, "SELECT 1 FROM tasks WHERE kind = 'notify'");

  test("whoever comes or goes hears of it, and all of the end", async () => {
    const [job, driver, next, ann, bob] = [newJob(), newUser(), newUser(), newUser(), newUser()];
    await send("PUT", job, { driver, customers: [ann] });
    await hears(driver, [job, "assigned", 1]);
    await send("PUT", job, { driver: next, customers: [ann] });
    await send("PUT", `${job}/customers/${bob}`);
    await send("DELETE", `${job}/customers/${bob}`);
    await send("PUT", job, { driver: next, customers: [ann], dispatchId: "west" });
    await send("PUT", job, { driver: ann, customers: [next] });
    await send("POST", `${job}/close`, { reason: "done" });
    await send("POST", `${job}/close`, { reason: "done" });
    await hears(driver, [job, "assigned", 1], [job, "unassigned", 2]);
    await hears(next, [job, "assigned", 2], [job, "unassigned", 6], [job, "assigned", 6], [job, "closed", 7]);
    await hears(ann, [job, "assigned", 1], [job, "unassigned", 6], [job, "assigned", 6], [job, "closed", 7]);
    await hears(bob, [job, "assigned", 3], [job, "unassigned", 4]);
    await until("that to be written down", async () => (await untold(job)).length === 0);
  });

  test("a job that ends by itself, or is deleted, tells it", async () => {
    const [ending, deleted, driver, ann] = [newJob(), newJob(), newUser(), newUser()];
    await send("PUT", ending, { driver, customers: [], endsAt: Date.now() + 1_500 });
    await send("PUT", deleted, { driver: null, customers: [ann] });
    await send("DELETE", deleted);
    await hears(ann, [deleted, "assigned", 1], [deleted, "closed", 2]);
    await hears(driver, [ending, "assigned", 1], [ending, "closed", 2]);
    await until("all that names somebody to go", async () => (await service.sql(deleted, "SELECT 1 FROM tasks")).length === 0, 30_000);
  });

  test("a job that Ably does not hear of tells all the same, and what it tells does not wait for it", async () => {
    const [job, driver] = [newJob(), newUser()];
    service.ably.plan(job, ...Array(3).fill(refused(401, 40101)));
    service.ably.plan(inboxOf(driver), refused(503, 50003));
    await send("PUT", job, { driver, customers: [] });
    await service.ably.arrived(inboxOf(driver), 2);
    assert.deepEqual(new Set(service.ably.publishes(inboxOf(driver)).map(({ body }) => body)).size, 1);
  });

  test("a post tells nobody", async () => {
    const [job, ann] = [newJob(), newUser()];
    await send("PUT", job, { driver: "driver-1", customers: [ann] });
    await hears(ann, [job, "assigned", 1]);
    await service.post(job, { lat: 1, lng: 2 });
    await service.ably.reached(job, 1);
    assert.deepEqual(await untold(job), []);
    assert.equal(told(ann).length, 1);
  });
});

test("without a registry no job tells anything", async () => {
  const service = await Service.start({ JOB_REGISTRY: "off" });
  try {
    const [job, user] = [newJob(), newUser()];
    await service.send("PUT", `/api/jobs/${job}`, { headers: as("service"), body: JSON.stringify({ driver: user, customers: [] }) });
    await service.send("POST", `/api/users/${user}/notifications`, { headers: as("service"), body: JSON.stringify(notification("a")) });
    const [first] = await service.ably.arrived(inboxOf(user), 1);
    assert.equal(first!.event.id, "a");
  } finally {
    await service.stop();
  }
});

test("notifications leave by publishers too, beside the jobs' messages", async () => {
  const service = await Service.start({ ABLY_PUBLISHING: "batched", ABLY_PUBLISHERS: "1", JOB_REGISTRY: "off" });
  try {
    const users = Array.from({ length: 5 }, newUser);
    await Promise.all(
      users.map(async (user) => {
        for (const id of ["a", "b", "c"]) {
          const body = JSON.stringify(notification(id));
          assert.equal((await service.send("POST", `/api/users/${user}/notifications`, { headers: as("service"), body })).status, 202);
        }
      }),
    );
    for (const user of users) {
      const all = await service.ably.arrived(inboxOf(user), 3);
      assert.deepEqual(all.map(({ event }) => event.id), ["a", "b", "c"]);
    }
  } finally {
    await service.stop();
  }
});

/** Ably as it is for a runtime of its own: it notes what comes on users' channels, and takes it or does not. */
async function ablyOfItsOwn() {
  const messages: { channel: string; body: string }[] = [];
  const state = { status: 201, messages, port: 0, close: () => {} };
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const [, channel] = /^\/channels\/(notifications[^/]*)\/messages/.exec(request.url ?? "") ?? [];
    if (channel !== undefined) messages.push({ channel: decodeURIComponent(channel), body });
    const answer = state.status === 201 ? { messageId: "m" } : { error: { code: state.status * 100, statusCode: state.status, message: "no" } };
    response.writeHead(state.status, { "content-type": "application/json" }).end(JSON.stringify(answer));
  });
  server.listen(0, LOOPBACK);
  await once(server, "listening");
  state.port = (server.address() as AddressInfo).port;
  state.close = () => (server.close(), server.closeAllConnections());
  return state;
}

test("a runtime that is killed loses no notification, and tells none twice", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "towline-notifications-"));
  const ably = await ablyOfItsOwn();
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
    const send = (method: string, path: string, body: object) => client.send(method, path, { headers: as("service"), body: JSON.stringify(body) });
    const kill = () => {
      assert.ok(pid !== undefined);
      process.kill(pid, "SIGKILL");
    };
    return { send, kill };
  };
  // What an inbox takes of a job it never says; and Ably is down.
  ably.status = 503;
  const deaf = await start((worker) => {
    const entry = join(worker, "entry.js");
    const code = readFileSync(entry, "utf8");
    const mute = code.replace(
      /(\bInbox\d* = class extends DurableObject \{[^]*?)return (this\.rust\.call\("call", request\))/,
      '$1const said = $2; return request.includes("towline:") ? new Promise(() => {}) : said',
    );
    assert.notEqual(mute, code);
    writeFileSync(entry, mute);
  });
  const [job, user, told] = [newJob(), newUser(), newUser()];
  for (const id of ["a", "b", "c"]) assert.equal((await deaf.send("POST", `/api/users/${told}/notifications`, notification(id))).status, 202);
  assert.equal((await deaf.send("PUT", `/api/jobs/${job}`, { driver: user, customers: [] })).status, 201);
  assert.equal((await deaf.send("PUT", `/api/jobs/${job}`, { driver: null, customers: [user] })).status, 200);
  await until("both to be tried", () => new Set(ably.messages.map(({ channel }) => channel)).size >= 2);
  deaf.kill();

  ably.status = 201;
  const before = ably.messages.length;
  const { send } = await start();
  // Nobody asks: alarms see to it.
  const since = (name: string) => ably.messages.slice(before).filter(({ channel }) => channel === `notifications:user:${name}`);
  await until("all to arrive", () => since(user).length >= 3 && since(told).length >= 3, 60_000);
  const data = (name: string) => since(name).map(({ body }) => JSON.parse(JSON.parse(body).data));
  assert.deepEqual(data(user).map(({ type, version }) => `${type} ${version}`), ["job.assigned 1", "job.unassigned 2", "job.assigned 2"]);
  assert.deepEqual(data(told).map(({ id }) => id), ["a", "b", "c"]);
  const first = ably.messages.find(({ channel }) => channel === `notifications:user:${told}`);
  assert.equal(since(told)[0]?.body, first?.body, "the same bytes as before");
  assert.equal((await send("POST", `/api/users/${told}/notifications`, notification("a"))).json.status, "duplicate");
});
