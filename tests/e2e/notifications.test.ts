// Notifications as a customer's own client receives them, with the token that the service gives it.

import assert from "node:assert/strict";
import type { InboundMessage } from "ably";
import { inBothFormats } from "./support/clients.ts";
import { eventually } from "./support/wait.ts";
import { unique, World } from "./support/world.ts";

const world = await World.forThisFile();

async function platform(method: string, path: string, body: object) {
  const headers = { authorization: `Bearer ${world.session({ role: "service" })}` };
  const response = await fetch(`${world.url}${path}`, { method, headers, body: JSON.stringify(body) });
  const text = await response.text();
  assert.ok(response.ok, text);
  return JSON.parse(text);
}

inBothFormats(world, "a customer hears of their jobs and of what the platform tells them, in order, and nobody else does", async (_, clients) => {
  const [job, ann, bob] = [unique("job"), unique("ann"), unique("bob")];
  const listen = async (sub: string) => {
    const client = await clients.connected(world.session({ role: "customer", sub, jobs: [job] }));
    const messages: InboundMessage[] = [];
    await client.channels.get(`notifications:user:${sub}`).subscribe((message) => messages.push(message));
    return messages;
  };
  const [byAnn, byBob] = [await listen(ann), await listen(bob)];
  await platform("PUT", `/api/jobs/${job}`, { driver: null, customers: [ann] });
  const quotes = Array.from({ length: 20 }, (_, n) => ({ id: `quote-${n}`, type: "quote.sent", entityId: `Q-${n}`, version: 1 }));
  await eventually("her to be assigned", () => byAnn[0]);
  for (const quote of quotes) {
    assert.deepEqual(await platform("POST", `/api/users/${ann}/notifications`, quote), { ok: true, id: quote.id, status: "accepted" });
    assert.equal((await platform("POST", `/api/users/${ann}/notifications`, quote)).status, "duplicate");
  }
  await eventually("the last quote", () => byAnn.find(({ data }) => data.id === "quote-19"));
  // With it her tokens are revoked: she hears of it by the next one.
  await platform("POST", `/api/jobs/${job}/close`, { reason: "done" });
  await eventually("the end", () => byAnn.find(({ data }) => data.type === "job.closed"), 60_000);
  const data = byAnn.map(({ data: { ts, ...told } }) => (assert.ok(ts > 0), told));
  const ofJob = (what: string, version: number) => ({ id: `towline:${job}.${version}.${what}`, type: `job.${what}`, entityId: job, version });
  assert.deepEqual(data, [ofJob("assigned", 1), ...quotes, ofJob("closed", 2)]);
  assert.ok(byAnn.every(({ name }) => name === "notification"));
  assert.equal(byBob.length, 0);
});
