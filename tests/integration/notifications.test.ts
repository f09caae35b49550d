// Notifications: small events for one person, each taken once, published in order, and deleted once Ably has it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertProblem } from "./support/answers.ts";
import { OPERATIONS, type Publish, held, inboxOf, refused } from "./support/fake-ably.ts";
import type { Headers } from "./support/http.ts";
import { Service, as, newJob } from "./support/service.ts";
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
      ['{"id":"a","id":"a","type":"t","entityId":"e","version":1}', "not_an_object", undefined],
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
