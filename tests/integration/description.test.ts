// The descriptions, as they are served.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT } from "../../scripts/setup/environment.mjs";
import { Service } from "./support/service.ts";

describe("the descriptions", () => {
  let service: Service;
  before(async () => (service = await Service.start({ CORS_ORIGINS: "https://app.example", SESSION_SECRET: undefined })));
  after(() => service.stop());

  for (const [name, type] of [
    ["openapi.json", "application/json"],
    ["events.schema.json", "application/schema+json"],
  ] as const) {
    test(`${name} is what is committed, for anyone, whatever the settings are`, async () => {
      const answer = await service.send("GET", `/${name}`, { headers: { origin: "https://app.example" } });
      assert.equal(answer.status, 200);
      assert.equal(answer.header("content-type"), type);
      assert.equal(answer.header("cache-control"), "public, max-age=300");
      assert.equal(answer.header("access-control-allow-origin"), undefined);
      assert.equal(answer.header("vary"), undefined);
      assert.deepEqual(answer.json, JSON.parse(readFileSync(join(ROOT, "description", name), "utf8")));
      assert.ok(!/\n|": /.test(answer.text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')), "it is as short as it can be");
      const head = await service.send("HEAD", `/${name}`);
      assert.deepEqual([head.status, head.body.length], [200, 0]);
      const other = await service.send("POST", `/${name}`, { body: "{}" });
      assert.deepEqual([other.status, other.header("allow")], [405, "GET, HEAD"]);
    });
  }
});
