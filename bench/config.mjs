// The configuration of a workerd that runs the built Worker, with its objects on disk, and its peer beside it.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LOOPBACK } from "../scripts/dev/ports.mjs";
import { ROOT } from "../scripts/setup/environment.mjs";

/**
 * @param {string} dir holds `worker/`, as Wrangler bundles it, and `hello.js`; the objects' storage goes there too
 * @param {{ towline: number, hello: number }} ports
 * @param {Record<string, string>} settings the service's
 */
export function config(dir, ports, settings) {
  const wasm = readdirSync(join(dir, "worker")).find((name) => name.endsWith(".wasm"));
  if (wasm === undefined) throw new Error("Wrangler's bundle has no wasm");
  const date = /compatibility_date = "(.*)"/.exec(readFileSync(join(ROOT, "wrangler.toml"), "utf8"))?.[1];
  const bindings = Object.entries(settings).map(([name, text]) => `(name = "${name}", text = "${text}")`);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "towline", worker = .towline),
    (name = "hello", worker = .hello),
    (name = "disk", disk = (path = "${dir}", writable = true)),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [
    (name = "towline", address = "${LOOPBACK}:${ports.towline}", http = (), service = "towline"),
    (name = "hello", address = "${LOOPBACK}:${ports.hello}", http = (), service = "hello"),
  ],
);
const towline :Workerd.Worker = (
  modules = [
    (name = "entry.js", esModule = embed "worker/entry.js"),
    (name = "./${wasm}", wasm = embed "worker/${wasm}"),
  ],
  compatibilityDate = "${date}",
  durableObjectNamespaces = [(className = "Job", uniqueKey = "bench", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [${bindings.join(", ")}, (name = "JOBS", durableObjectNamespace = "Job")],
);
const hello :Workerd.Worker = (
  modules = [(name = "hello.js", esModule = embed "hello.js")],
  compatibilityDate = "${date}",
);
`;
}
