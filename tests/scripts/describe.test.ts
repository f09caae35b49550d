// The client's types are those of the descriptions. That these are what the code says, cargo's tests hold.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { wire } from "../../scripts/description/wire.mjs";
import { ROOT } from "../../scripts/setup/environment.mjs";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const openapi = JSON.parse(read("description/openapi.json"));
const events = JSON.parse(read("description/events.schema.json"));

test("wire.ts is what the descriptions say", () => {
  assert.ok(read("clients/typescript/src/wire.ts") === wire(openapi, events), "`npm run describe` writes it anew");
});

test("the members of a union are told apart by a mark that the others never have", () => {
  const text = wire(openapi, events);
  assert.match(text, /export type FirstState = \(FirstFix & \{\n {2}withheld\?: never;\n\}\) \| \(NoFix & /);
});

/** The routes of the first table of docs/http.md, as `METHOD /path`. */
function documented(text: string): string[] {
  const routes: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("## ")) break;
    const cell = /^\| (.*?) \|/.exec(line)?.[1] ?? "";
    // Methods stand before the path that they share; … is that of a job.
    let methods: string[] = [];
    for (const [, said = ""] of cell.matchAll(/`([^`]*)`/g)) {
      const [, method, path] = /^([A-Z]+)?(?: ?(\/\S+|…\S+))?/.exec(said) ?? [];
      if (method !== undefined) methods.push(method);
      if (path === undefined) continue;
      const whole = path.replace("…", "/api/jobs/{jobId}").replace(/\?.*/, "");
      routes.push(...methods.map((method) => `${method} ${whole}`));
      methods = [];
    }
  }
  return routes;
}

test("docs/http.md and the description have the same routes", () => {
  const described = Object.entries(openapi.paths as Record<string, object>).flatMap(([path, item]) =>
    Object.keys(item)
      .filter((method) => method !== "parameters")
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
  assert.deepEqual(documented(read("docs/http.md")).sort(), described.sort());
});
