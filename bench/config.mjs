// The configuration of a workerd that runs a Worker, with its objects on disk.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LOOPBACK } from "../scripts/dev/ports.mjs";
import { ROOT } from "../scripts/setup/environment.mjs";

/** What a job takes, lifted: a measurement posts faster than any phone. */
export const UNLIMITED = {
  JOB_FIX_RATE: "1000000",
  JOB_FIX_BURST: "1000000",
  JOB_UNSENT_MAX: "10000000",
  JOB_TRAIL_MAX: "2000000",
  JOB_PUBLISH_RATE: "1000",
};

/** The date that the build runs with, so that its peers run with no other. */
const DATE = /compatibility_date = "(.*)"/.exec(readFileSync(join(ROOT, "wrangler.toml"), "utf8"))?.[1];

/** The objects of a build: their classes, by the name under which they are bound. */
const OBJECTS = {
  JOBS: { name: "Job", key: "bench" },
  OPERATIONS: { name: "Operations", key: "bench-operations" },
  PUBLISHERS: { name: "Publisher", key: "bench-publishers" },
  INDEXES: { name: "Index", key: "bench-indexes" },
  INBOXES: { name: "Inbox", key: "bench-inboxes" },
};

/**
 * @typedef {object} Worker
 * @property {number} port
 * @property {string} entry the file that is its entry, in `worker/`
 * @property {Record<string, { name: string, key: string }>} [objects] its objects' classes, by binding, each with the folder of their storage
 * @property {Record<string, string>} [settings]
 */

/**
 * @param {string} dir holds `worker/`, as Wrangler bundles it; the objects' storage goes there too
 * @param {{ towline: number }} ports of the Worker
 * @param {Record<string, string>} settings the service's
 */
export function config(dir, ports, settings) {
  if (wasmIn(dir) === undefined) throw new Error("Wrangler's bundle has no wasm");
  return workerConfig(dir, { port: ports.towline, entry: "entry.js", objects: objectsIn(dir), settings });
}

/**
 * @param {string} dir as above
 * @param {Worker} worker
 */
export function workerConfig(dir, { port, entry, objects = {}, settings = {} }) {
  const wasm = wasmIn(dir);
  const modules = [
    `(name = "${entry}", esModule = embed "worker/${entry}")`,
    ...(wasm === undefined ? [] : [`(name = "./${wasm}", wasm = embed "worker/${wasm}")`]),
  ];
  const namespaces = Object.values(objects).map(({ name, key }) => `(className = "${name}", uniqueKey = "${key}", enableSql = true)`);
  const bindings = [
    ...Object.entries(settings).map(([name, text]) => `(name = "${name}", text = "${text}")`),
    ...Object.entries(objects).map(([binding, { name }]) => `(name = "${binding}", durableObjectNamespace = "${name}")`),
  ];
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "disk", disk = (path = "${dir}", writable = true)),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "worker", address = "${LOOPBACK}:${port}", http = (), service = "worker")],
);
const worker :Workerd.Worker = (
  modules = [${modules.join(", ")}],
  compatibilityDate = "${DATE}",
  durableObjectNamespaces = [${namespaces.join(", ")}],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [${bindings.join(", ")}],
);
`;
}

/**
 * Those of the objects that the build has: an older one has fewer classes.
 * @param {string} dir
 */
function objectsIn(dir) {
  const classes = classesIn(join(dir, "worker"));
  return Object.fromEntries(Object.entries(OBJECTS).filter(([, { name }]) => classes.includes(name)));
}

/**
 * What the entry exports by name.
 * @param {string} folder that Wrangler has bundled a build into
 */
export function classesIn(folder) {
  const exported = /\bexport \{([^}]*)\}/.exec(readFileSync(join(folder, "entry.js"), "utf8"))?.[1] ?? "";
  return exported.split(/\W+/);
}

/** @param {string} dir */
function wasmIn(dir) {
  return readdirSync(join(dir, "worker")).find((name) => name.endsWith(".wasm"));
}
