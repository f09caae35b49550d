// The sides: what is measured against each other, each in a process of its own.

import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NPM_BIN, ROOT } from "../../scripts/setup/environment.mjs";
import { Failure, log, run } from "../../scripts/setup/steps.mjs";
import { bundleWorker } from "../../scripts/testing/bundle.mjs";
import { classesIn, config, workerConfig } from "../config.mjs";
import { SCENARIOS } from "../scenarios.mjs";
import { settings } from "../workerd.mjs";
import { nextjs } from "./nextjs.mjs";
import { install, PEERS } from "./packages.mjs";

/** @import { Worker } from "../config.mjs" */
/** @import { Start } from "../processes.mjs" */

/**
 * @typedef {object} Side
 * @property {string} name
 * @property {string} what
 * @property {boolean} hasLog whether it keeps one, and so promises what Towline does
 * @property {(scenario: string) => boolean} takesPart
 * @property {boolean} [mayDiffer] whether it may answer otherwise than it promises: a build of before a promise was made
 * @property {boolean} [isSlow] whether it is slower than the others by so much that latencies at its rate would say nothing of them
 * @property {() => Promise<string>} prepare builds it, and says into which folder
 * @property {(folder: string, dir: string, ports: { own: number, ably: number }) => Start} start how it is started, with its storage in `dir`
 */

/** The side whose figures are 1. */
export const BASE = "tuned";

/** The sides that are ours, as they are now: `npm run bench:check` compares these with what they were. */
export const OURS = ["towline", "towline-batched"];

/** The sides that send batches, all at the same pace. */
export const BATCHED = { ours: "towline-batched", peer: "publishers" };

/** Which scenarios are of the floor alone. */
export const FLOOR = "hello";

/**
 * All sides that there are.
 * @param {{ towline?: string, builds: [string, string][] }} options a folder with the production build, instead of one that is built now; and
 * further builds of ours, by name
 * @returns {Side[]}
 */
export function allSides({ towline, builds }) {
  const ours = towline === undefined ? production : async () => towline;
  return [
    build("towline", "the production build, in which each job publishes by itself", ours, { ABLY_PUBLISHING: "direct" }),
    {
      ...build("towline-batched", "the production build, whose publishers send batches", withPublishers(ours), { ABLY_PUBLISHING: "batched" }),
      takesPart: publishes,
    },
    ...builds.map(([name, folder]) => ({ ...build(name, "another build", async () => folder), mayDiffer: true })),
    peer("tuned", "(a) JavaScript with WebCrypto, tuned by hand"),
    peer("hono", "(b) Hono and jose"),
    {
      ...peer("publishers", "(d) (a), whose jobs hand their messages to objects that send batches", {
        ...OWN_OBJECTS,
        PUBLISHERS: { name: "Publisher", key: "bench-publishers" },
      }),
      takesPart: publishes,
    },
    nextjs,
    floor,
  ];
}

function production() {
  log("[set-up] the production build (minutes, where it was not built before)");
  return bundleWorker();
}

/**
 * Whether something is published in a scenario: where nothing is, a side that sends batches is the same as the one that does not.
 * @param {string} scenario
 */
function publishes(scenario) {
  return SCENARIOS.some(({ name, kind }) => name === scenario && kind === "post");
}

/**
 * A build that has no publishers would be measured as if it had.
 * @param {() => Promise<string>} prepare
 */
function withPublishers(prepare) {
  return async () => {
    const folder = await prepare();
    if (classesIn(folder).includes("Publisher")) return folder;
    throw new Failure("The build has no publishers, so there is no side towline-batched: leave it out of --sides.");
  };
}

/** What every peer has. */
const OWN_OBJECTS = { JOBS: { name: "Job", key: "bench" } };

/**
 * A build of Towline.
 * @param {string} name
 * @param {string} what
 * @param {() => Promise<string>} prepare
 * @param {Record<string, string>} [own] its own settings; without them it has what is the default
 * @returns {Side}
 */
function build(name, what, prepare, own = {}) {
  return {
    name,
    what,
    hasLog: true,
    takesPart: (scenario) => scenario !== FLOOR,
    prepare,
    start: (folder, dir, { own: port, ably }) => {
      copyInto(folder, dir);
      return workerd(dir, port, "/healthz", config(dir, { towline: port }, { ...settings(ably), ...own }));
    },
  };
}

/**
 * A peer that runs in workerd.
 * @param {string} name of its folder too
 * @param {string} what
 * @param {NonNullable<Worker["objects"]>} [objects]
 * @returns {Side}
 */
function peer(name, what, objects = OWN_OBJECTS) {
  return {
    name,
    what,
    hasLog: true,
    takesPart: (scenario) => scenario !== FLOOR,
    prepare: async () => {
      await install(name);
      return bundled(name, join(PEERS, name, "worker.js"));
    },
    start: (folder, dir, { own, ably }) => {
      copyInto(folder, dir);
      return workerd(dir, own, "/healthz", workerConfig(dir, { port: own, entry: "worker.js", objects, settings: settings(ably) }));
    },
  };
}

/** @type {Side} */
const floor = {
  name: FLOOR,
  what: "a Worker that only answers 200: the floor of HTTP in",
  hasLog: false,
  takesPart: (scenario) => scenario === FLOOR,
  prepare: () => bundled(FLOOR, join(ROOT, "bench", "hello.js")),
  start: (folder, dir, { own }) => {
    copyInto(folder, dir);
    return workerd(dir, own, "/", workerConfig(dir, { port: own, entry: "worker.js" }));
  },
};

/**
 * Bundles a Worker of one module.
 * @param {string} name
 * @param {string} entry
 */
async function bundled(name, entry) {
  const folder = join(ROOT, "out", "bench", name);
  const options = ["--bundle", "--format=esm", "--target=es2024", "--conditions=workerd,worker,browser", "--external:cloudflare:workers"];
  await run(join(NPM_BIN, "esbuild"), [entry, ...options, "--log-level=warning", `--outfile=${join(folder, "worker.js")}`], {
    advice: "see what esbuild says above.",
  });
  return folder;
}

/**
 * @param {string} folder
 * @param {string} dir
 */
function copyInto(folder, dir) {
  mkdirSync(dir, { recursive: true });
  cpSync(folder, join(dir, "worker"), { recursive: true });
}

/**
 * @param {string} dir
 * @param {number} port
 * @param {string} path
 * @param {string} text
 * @returns {Start}
 */
function workerd(dir, port, path, text) {
  writeFileSync(join(dir, "config.capnp"), text);
  return { command: join(NPM_BIN, "workerd"), args: ["serve", join(dir, "config.capnp")], port, path };
}
