// The production build in a workerd of its own, with nothing between it and the network: it is faster than under Wrangler by far.

import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { config } from "../../../bench/config.mjs";
import type { Parts } from "../../../scripts/dev/parts.mjs";
import { LOOPBACK } from "../../../scripts/dev/ports.mjs";
import { environment, NPM_BIN } from "../../../scripts/setup/environment.mjs";
import { bundleWorker } from "../../../scripts/testing/bundle.mjs";
import { within } from "./wait.ts";

/**
 * Starts it, and returns when it listens.
 * @param folder where it, its configuration and its objects' storage go
 * @param change what is done to the folder with the Worker before that
 */
export async function startWorkerd(
  parts: Parts,
  folder: string,
  settings: Record<string, string>,
  change: (worker: string) => void | Promise<void> = () => {},
) {
  const worker = join(folder, "worker");
  cpSync(process.env.WORKER_BUNDLE ?? (await bundleWorker()), worker, { recursive: true });
  await change(worker);
  const file = join(folder, "config.capnp");
  writeFileSync(file, config(folder, { towline: 0 }, settings));
  const log: string[] = [];
  let pid: number | undefined;
  const listening = new Promise<string>((resolve) => {
    // It says at which port it listens.
    ({ pid } = parts.start("workerd", join(NPM_BIN, "workerd"), ["serve", file, "--control-fd=1"], environment(), (line) => {
      log.push(line);
      const [, port] = /"event":"listen".*"port":(\d+)/.exec(line) ?? [];
      if (port !== undefined) resolve(`http://${LOOPBACK}:${port}`);
    }));
  });
  const url = await within("workerd to listen", Promise.race([listening, parts.ended as Promise<never>]));
  return { url, log, pid };
}
