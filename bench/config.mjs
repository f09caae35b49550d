// The configuration of a workerd that runs the built Worker, with its objects on disk, and a peer beside it where it is measured.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LOOPBACK } from "../scripts/dev/ports.mjs";
import { ROOT } from "../scripts/setup/environment.mjs";

/** What a job takes, lifted: a measurement posts faster than any phone. */
export const UNLIMITED = { JOB_FIX_RATE: "1000000", JOB_FIX_BURST: "1000000", JOB_UNSENT_MAX: "10000000", JOB_TRAIL_MAX: "2000000" };

/**
 * @param {string} dir holds `worker/`, as Wrangler bundles it, and `hello.js` where there is a peer; the objects' storage goes there too
 * @param {{ towline: number, hello?: number }} ports of the Worker, and of the peer
 * @param {Record<string, string>} settings the service's
 */
export function config(dir, ports, settings) {
  const wasm = readdirSync(join(dir, "worker")).find((name) => name.endsWith(".wasm"));
  if (wasm === undefined) throw new Error("Wrangler's bundle has no wasm");
  const date = /compatibility_date = "(.*)"/.exec(readFileSync(join(ROOT, "wrangler.toml"), "utf8"))?.[1];
  const bindings = Object.entries(settings).map(([name, text]) => `(name = "${name}", text = "${text}")`);
  const peer = ports.hello === undefined ? { service: "", socket: "", worker: "" } : hello(ports.hello, date);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "towline", worker = .towline),
    ${peer.service}
    (name = "disk", disk = (path = "${dir}", writable = true)),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [
    (name = "towline", address = "${LOOPBACK}:${ports.towline}", http = (), service = "towline"),
    ${peer.socket}
  ],
);
const towline :Workerd.Worker = (
  modules = [
    (name = "entry.js", esModule = embed "worker/entry.js"),
    (name = "./${wasm}", wasm = embed "worker/${wasm}"),
  ],
  compatibilityDate = "${date}",
  durableObjectNamespaces = [
    (className = "Job", uniqueKey = "bench", enableSql = true),
    (className = "Operations", uniqueKey = "bench-operations", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [${bindings.join(", ")}, (name = "JOBS", durableObjectNamespace = "Job"), (name = "OPERATIONS", durableObjectNamespace = "Operations")],
);
${peer.worker}
`;
}

/**
 * @param {number} port
 * @param {string | undefined} date
 */
function hello(port, date) {
  return {
    service: '(name = "hello", worker = .hello),',
    socket: `(name = "hello", address = "${LOOPBACK}:${port}", http = (), service = "hello"),`,
    worker: `const hello :Workerd.Worker = (
  modules = [(name = "hello.js", esModule = embed "hello.js")],
  compatibilityDate = "${date}",
);`,
  };
}
