// `npm run describe`: writes anew what is made of the code: the descriptions by a test that makes them, and of those the client's types.

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { wire } from "./description/wire.mjs";
import { environment, ROOT } from "./setup/environment.mjs";

const made = spawnSync("cargo", ["test", "--quiet", "--locked", "-p", "towline", "--lib", "http::description"], {
  cwd: ROOT,
  env: { ...environment(), DESCRIBE: "write" },
  stdio: "inherit",
});
if (made.status !== 0) process.exit(1);
const read = (/** @type {string} */ name) => JSON.parse(readFileSync(join(ROOT, "description", name), "utf8"));
writeFileSync(join(ROOT, "clients/typescript/src/wire.ts"), wire(read("openapi.json"), read("events.schema.json")));
