// The fuzzer of tests/api against the service in workerd, with a local Ably behind it.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalAbly } from "../../tests/e2e/support/ably.ts";
import { startWorkerd } from "../../tests/e2e/support/workerd.ts";
import { front } from "../../tests/api/front.ts";
import { Parts } from "../dev/parts.mjs";
import { sign } from "../dev/session.mjs";
import { environment, ROOT } from "../setup/environment.mjs";
import { log, run } from "../setup/steps.mjs";

const HERE = join(ROOT, "tests", "api");
const VENV = join(ROOT, "target", "api", "python");
const SEED = "20260131";

/** So many examples of an operation, a round. */
const EXAMPLES = 10;

/** The job that is there, and who takes part in it, in the fuzzer's settings. */
const KNOWN = `
[parameters]
"path.jobId" = "\${TOWLINE_JOB}"
"path.userId" = "customer-1"
"path.ref" = "\${TOWLINE_REF}"
`;

/**
 * @typedef {object} Round
 * @property {string} role whose session it has
 * @property {boolean} known whether its requests are about a job that is there; else about any
 */

/** @type {Round[]} */
const ROUNDS = [
  { role: "driver", known: true },
  { role: "customer", known: true },
  { role: "dispatcher", known: true },
  { role: "admin", known: true },
  { role: "service", known: true },
  { role: "service", known: false },
];

/**
 * @param {string[]} more further arguments for the fuzzer
 * @returns {Promise<boolean>} whether nothing was wrong
 */
export async function testApi(more) {
  await python();
  const folder = mkdtempSync(join(tmpdir(), "towline-api-"));
  const parts = new Parts();
  const ably = await LocalAbly.start();
  const secret = randomBytes(32).toString("base64url");
  try {
    const settings = { SESSION_SECRET: secret, SESSION_COOKIE: "session", ...ably.settings };
    const service = await startWorkerd(parts, folder, settings);
    const before = await front(service.url);
    let good = true;
    for (const [at, { role, known }] of ROUNDS.entries()) {
      log(`\n=== ${role}, ${known ? "a job that is there" : "any job"}`);
      const job = `job-${at}`;
      const as = (/** @type {string} */ role) => {
        const claims = { sub: `${role}-1`, role, jobs: [job], exp: Math.floor(Date.now() / 1000) + 3600 };
        return `Bearer ${sign(claims, secret)}`;
      };
      const reference = await prepare(service.url, job, as);
      const config = join(folder, "schemathesis.toml");
      const common = readFileSync(join(HERE, "schemathesis.toml"), "utf8");
      // A table of its own, so it stands before those of single operations.
      writeFileSync(config, known ? common.replace("\n[phases", `${KNOWN}\n[phases`) : common);
      const args = ["--config-file", config, "run", join(ROOT, "description", "openapi.json"), "--url", before.url];
      const options = ["--seed", SEED, "--max-examples", String(EXAMPLES), "--warnings", "off", "--no-color", ...more];
      const env = {
        ...environment(),
        TOWLINE_SESSION: as(role),
        TOWLINE_JOB: job,
        TOWLINE_REF: reference,
        PYTHONPATH: HERE,
        PYTHONDONTWRITEBYTECODE: "1",
        SCHEMATHESIS_HOOKS: "hooks",
      };
      const code = await foreground(join(VENV, "bin", "schemathesis"), [...args, ...options], folder, env);
      good &&= code === 0;
    }
    for (const [what, times] of before.wrong) log(`\nfailed, ${times} times: ${what}`);
    log(`\nanswers: ${[...before.statuses].map(([what, times]) => `${what} ${times}`).sort().join(", ")}`);
    before.close();
    return good && before.wrong.size === 0;
  } finally {
    await Promise.all([parts.stop(), ably.stop()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Gets the fuzzer, in the version that is pinned. */
async function python() {
  if (!existsSync(join(VENV, "bin", "pip"))) {
    log("[set-up] the fuzzer (half a minute)");
    await run("python3", ["-m", "venv", "--clear", VENV], {
      advice: "install Python 3.11 or later with its venv, on Debian: apt-get install python3-venv",
    });
  }
  const requirements = join(HERE, "requirements.txt");
  await run(join(VENV, "bin", "pip"), ["install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r", requirements], {
    advice: "check that pip reaches its registry.",
  });
}

/**
 * Registers a job, posts to it, and has something said of it.
 * @param {string} url
 * @param {string} job
 * @param {(role: string) => string} as
 * @returns {Promise<string>} what the log calls it
 */
async function prepare(url, job, as) {
  const send = async (/** @type {string} */ method, /** @type {string} */ path, /** @type {string} */ role, /** @type {object} */ body) => {
    const answer = await fetch(`${url}/api/jobs/${job}${path}`, {
      method,
      headers: { authorization: as(role) },
      ...(method !== "GET" && { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const place = { lat: 48.2, lng: 16.4 };
  await send("PUT", "", "service", { driver: "driver-1", customers: ["customer-1"], place, dispatchId: "west" });
  await send("POST", "/location", "driver", { locations: [{ lat: 48.1, lng: 16.3, id: "a" }, { lat: 48.11, lng: 16.3, id: "b" }] });
  await send("POST", "/heartbeat", "driver", { state: "parked" });
  await send("POST", "/events", "service", { id: "photo-1", type: "photo.added", version: 1 });
  const { ref } = /** @type {{ ref: string }} */ (await send("GET", "/outbox", "admin", {}));
  return ref;
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>}
 */
function foreground(command, args, cwd, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: "inherit" });
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}
