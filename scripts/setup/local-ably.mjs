// The local Ably, built.

import { join } from "node:path";
import { output } from "./environment.mjs";
import { Failure, log, run } from "./steps.mjs";

/**
 * Builds the local Ably where it is not up to date, which cargo decides.
 * @param {(line: string) => void} [say]
 * @returns {Promise<string>} the path of its binary
 */
export async function buildLocalAbly(say = log) {
  say("[build] the local Ably (about 1 minute the first time, a moment after that)");
  await run("cargo", ["build", "--locked", "-p", "local-ably"], {
    advice: "mend what the compiler complains about, then run the same again.",
    say,
  });
  const metadata = output("cargo", ["metadata", "--format-version", "1", "--no-deps", "--locked"]);
  if (metadata === undefined) throw new Failure("cargo metadata fails, although cargo build did not.");
  return join(JSON.parse(metadata).target_directory, "debug", "local-ably");
}
