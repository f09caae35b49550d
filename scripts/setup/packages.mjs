// The npm packages, and among them a Node that Wrangler accepts.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { output, ROOT } from "./environment.mjs";
import { Failure, run } from "./steps.mjs";

/** From here on Node runs TypeScript as it is, which the tests need; Wrangler is content with 22.12. */
const NODE_MIN = { major: 22, minor: 18 };
const NODE_WANTED = `Node ${NODE_MIN.major}.${NODE_MIN.minor} or later`;

/** @type {import("./steps.mjs").Step} */
export const npmPackages = {
  what: "npm packages of package-lock.json",
  takes: "30 s",
  done: () => installed(readLock("package-lock.json"), readLock(join("node_modules", ".package-lock.json"))),
  run: () =>
    // Its warnings are about the Node that runs npm; the packages run on the one that comes with them.
    run("npm", ["ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund", "--loglevel=error"], {
      advice: "check that npm reaches its registry (npm ping), then run the same again.",
    }),
};

/** @type {import("./steps.mjs").Step} */
export const node = {
  what: NODE_WANTED,
  takes: "a moment",
  done: () => {
    const [major = 0, minor = 0] = (output("node", ["-p", "process.versions.node"]) ?? "").split(".").map(Number);
    return major > NODE_MIN.major || (major === NODE_MIN.major && minor >= NODE_MIN.minor);
  },
  run: async () => {
    throw new Failure(
      `There is no ${NODE_WANTED}. npm's package "node" brings one by its install script, unless npm\n` +
        "is told to ignore scripts (npm config get ignore-scripts) or the package has none for this machine.\n" +
        "What to do: npm ci --ignore-scripts=false, or install Node 24 yourself.",
    );
  },
};

/**
 * @typedef {{ packages: Record<string, { version?: string, optional?: boolean }> }} Lock
 */

/**
 * Whether what npm installed (its own record in node_modules) is what the lock file asks for. A package that is
 * optional may be missing: it is for another machine.
 * @param {Lock | undefined} wanted
 * @param {Lock | undefined} present
 */
export function installed(wanted, present) {
  if (wanted === undefined || present === undefined) return false;
  const same = Object.entries(wanted.packages).every(([path, { version, optional }]) => {
    const there = present.packages[path];
    return path === "" || (there === undefined ? optional === true : there.version === version);
  });
  return same && Object.keys(present.packages).every((path) => path in wanted.packages);
}

/** @param {string} path */
function readLock(path) {
  try {
    return /** @type {Lock} */ (JSON.parse(readFileSync(join(ROOT, path), "utf8")));
  } catch {
    return undefined;
  }
}
