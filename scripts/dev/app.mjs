// The app of `examples/nextjs`, started. It has been built before.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { APP, NEXT, RUNNING } from "../setup/app.mjs";
import { environment } from "../setup/environment.mjs";
import { answers } from "./answers.mjs";

/** How long it may take until it answers. */
const READY_MS = 30_000;

/**
 * @typedef {object} AppOptions
 * @property {number} port where it listens, on this machine alone
 * @property {string} towline the service's URL
 * @property {string} sessionSecret
 * @property {{ endpoint: string, port: number, tls: boolean }} [ably] where Ably is, if it is not Ably itself
 */

/**
 * Starts it as one of the parts, and returns where it is once it answers.
 * @param {import("./parts.mjs").Parts} parts
 * @param {AppOptions} options
 */
export async function startApp(parts, { port, towline, sessionSecret, ably }) {
  const env = {
    ...environment(),
    NODE_ENV: "production",
    NEXT_TELEMETRY_DISABLED: "1",
    TOWLINE_URL: towline,
    SESSION_SECRET: sessionSecret,
    // Said in any case: otherwise the app takes what a developer has in `.env.local`.
    ABLY_ENDPOINT: ably?.endpoint ?? "",
    ABLY_PORT: ably ? String(ably.port) : "",
    ABLY_TLS: ably ? String(ably.tls) : "",
  };
  const running = join(RUNNING, String(process.pid));
  mkdirSync(RUNNING, { recursive: true });
  writeFileSync(running, "");
  parts.removeAtEnd(running);
  const part = parts.start("The app", "node", [NEXT, "start", APP, "--hostname", "localhost", "--port", String(port)], env, () => {});
  // By its name: at 127.0.0.1 a browser would keep other cookies.
  const url = `http://localhost:${port}`;
  await answers(`${url}/sign-in`, "The app", parts.stopping, READY_MS);
  return { ...part, url };
}
