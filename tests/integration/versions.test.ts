// What earlier versions have written wakes in the runtime with all that it holds. The databases are as an object left them, and beside
// each is what was posted, answered and published.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { ROOT } from "../../scripts/setup/environment.mjs";
import { assertState, assertTaken } from "./support/answers.ts";
import { Service, as } from "./support/service.ts";

const FOLDER = join(ROOT, "tests/data/storage");
const VERSIONS = readdirSync(FOLDER).filter((name) => name.endsWith(".sqlite")).map((name) => name.slice(0, -".sqlite".length));

interface Story {
  job: string;
  posts: { driver: string; key?: string; body: object; results: { seq?: number }[] }[];
  state: { seq: number; epoch: number };
  rows: number;
  waiting: number[];
  published: { id: string; data: string }[];
}

describe("a storage of an earlier version", () => {
  let service: Service;
  before(async () => {
    service = await Service.start();
  });
  after(() => service.stop());

  /** Puts a database's tables and rows into a job's object. */
  async function load(version: string, job: string) {
    const database = new DatabaseSync(join(FOLDER, `${version}.sqlite`), { readOnly: true });
    const literal = (value: unknown) => (typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value));
    for (const { name, sql } of database.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'table'").all()) {
      await service.sql(job, String(sql));
      for (const row of database.prepare(`SELECT * FROM ${name}`).all()) {
        await service.sql(job, `INSERT INTO ${name} (${Object.keys(row)}) VALUES (${Object.values(row).map(literal)})`);
      }
    }
    database.close();
    await service.forget(job);
  }

  for (const version of VERSIONS) {
    test(`${version} wakes with every fix, and sends what has not reached Ably`, async () => {
      const story: Story = JSON.parse(readFileSync(join(FOLDER, `${version}.json`), "utf8"));
      const driver = (name: string) => as("driver", [story.job], { sub: name });
      await load(version, story.job);
      assert.deepEqual(assertState(await service.state(story.job, driver("driver-1"))), story.state);
      const last = story.published.at(-1);
      // Then what may have left by itself, and the others as one.
      const seqs = [...new Set([story.waiting[0], story.waiting[1], story.waiting.at(-1)])];
      const sent = await service.ably.arrived(story.job, seqs.length);
      assert.deepEqual(JSON.parse(sent[0]!.body), last, "what was in flight goes out with the same bytes");
      assert.deepEqual(sent.map(({ event }) => event.seq), seqs);

      for (const sleep of [false, true]) {
        if (sleep) await service.evict(story.job);
        for (const { driver: name, key, body, results } of story.posts) {
          // A fix that nothing names is never a duplicate.
          const fixes: object[] = "locations" in body ? (body.locations as object[]) : [body];
          if (key === undefined && fixes.some((fix) => !("id" in fix || "capturedAt" in fix))) continue;
          const answer = await service.post(story.job, body, { ...driver(name), "idempotency-key": key });
          assert.deepEqual(assertTaken(answer, story.job), results.map(({ seq }) => ({ status: "duplicate", seq })));
        }
      }
      const answer = await service.post(story.job, { lat: 48.24, lng: 16.4 }, driver("driver-1"));
      assert.deepEqual(answer.json, { ok: true, jobId: story.job, epoch: story.state.epoch, results: [{ status: "accepted", seq: story.state.seq + 1 }] });
      assert.deepEqual(await service.sql(story.job, "SELECT count(*) AS rows FROM log"), [{ rows: story.rows + 1 }]);
    });
  }
});
