// The programs of tests/sdks, each with an SDK of another language, against one local Ably. ably-js is there too: what it
// publishes the others read, and what they publish it reads.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { createServer } from "node:tls";
import * as Ably from "ably";
import { Parts } from "../dev/parts.mjs";
import { LOOPBACK } from "../dev/ports.mjs";
import { environment, ROOT } from "../setup/environment.mjs";
import { Failure, log, run } from "../setup/steps.mjs";

const PROGRAMS = join(ROOT, "tests", "sdks");
const BUILT = join(ROOT, "target", "sdks");
/** No program takes this long: one that does hangs. */
const PROGRAM_MS = 3 * 60_000;

const FORMATS = ["json", "msgpack"];
const REALTIME_CHECKS = ["connect", "subscribe", "publish", "presence", "history", "reads ably js", "resume"];
const REST_CHECKS = ["publish", "history", "reads ably js", "presence", "token"];

/** What every SDK publishes and reads. */
const PAYLOADS = [
  ["text", "héllo ✓"],
  ["json", { n: [1, 2.5, null] }],
  ["binary", Buffer.from([0x00, 0xff, 0x7f])],
];

/**
 * @typedef {object} Sdk
 * @property {string} id the name of its folder, and how its channels begin
 * @property {string} title
 * @property {string[]} checks what its program is to print, for each format
 * @property {() => Promise<void>} prepare gets it from its registry, in the version that is pinned, and builds the program
 * @property {string[]} command
 */

const VENV = join(BUILT, "python");
const JAVA = join(BUILT, "java");

/** @type {Sdk[]} */
const SDKS = [
  {
    id: "python",
    title: "Python: ably 3.1.4",
    checks: REALTIME_CHECKS,
    prepare: async () => {
      if (!existsSync(join(VENV, "bin", "pip"))) {
        await run("python3", ["-m", "venv", "--clear", VENV], {
          advice: "install Python 3.11 or later with its venv, on Debian: apt-get install python3-venv",
        });
      }
      const requirements = join(PROGRAMS, "python", "requirements.txt");
      await run(join(VENV, "bin", "pip"), ["install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r", requirements], {
        advice: "check that pip reaches its registry.",
      });
    },
    command: [join(VENV, "bin", "python"), join(PROGRAMS, "python", "checks.py")],
  },
  {
    id: "java",
    title: "Java: io.ably:ably-java 1.5.0",
    checks: REALTIME_CHECKS,
    // `-C`: an artifact that is not what its repository's checksum says is refused.
    prepare: () =>
      run("mvn", ["-B", "-q", "-C", "-f", join(PROGRAMS, "java", "pom.xml"), "compile", "dependency:copy-dependencies"], {
        advice: "install a JDK from 17 on and Maven, and check that Maven reaches its repository.",
      }),
    command: ["java", "-cp", [join(JAVA, "classes"), join(JAVA, "dependency", "*")].join(delimiter), "Checks"],
  },
  {
    id: "rust",
    title: "Rust: ably 0.2.0, which has REST alone, over TLS alone",
    checks: REST_CHECKS,
    prepare: () =>
      run("cargo", ["build", "--locked", "--manifest-path", join(PROGRAMS, "rust", "Cargo.toml"), "--target-dir", join(BUILT, "rust")], {
        advice: "check that cargo reaches its registry; the SDK links OpenSSL, on Debian: apt-get install libssl-dev pkg-config",
      }),
    command: [join(BUILT, "rust", "debug", "checks")],
  },
];

/**
 * @param {string} binary the local Ably's
 * @returns {Promise<{ passed: number, failed: number }>}
 */
export async function testSdks(binary) {
  /** @type {{ name: string, why?: string }[]} */
  const results = [];
  /** @type {Sdk[]} */
  const ready = [];
  for (const sdk of SDKS) {
    log(`[set-up] ${sdk.title}`);
    try {
      await sdk.prepare();
      ready.push(sdk);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      results.push({ name: `${sdk.id}: could not be set up`, why: error.message });
    }
  }
  const folder = mkdtempSync(join(tmpdir(), "towline-sdks-"));
  const parts = new Parts();
  /** @type {(() => void)[]} */
  const endings = [() => rmSync(folder, { recursive: true })];
  try {
    const key = `sdks00.sdks00:${randomBytes(16).toString("base64url")}`;
    const controlSecret = randomBytes(16).toString("base64url");
    const port = await localAbly(parts, binary, key, controlSecret);
    const { client, read } = await resident(key, port);
    endings.push(() => client.close());
    const front = await tlsFront(folder, port);
    endings.push(front.close);
    const env = {
      ...environment(),
      SDKS_ADDRESS: `${LOOPBACK}:${port}`,
      SDKS_KEY: key,
      SDKS_CONTROL_SECRET: controlSecret,
      SDKS_TLS_ADDRESS: `${LOOPBACK}:${front.port}`,
      // Where OpenSSL looks for whom to trust.
      SSL_CERT_FILE: front.certificate,
    };
    for (const sdk of ready) {
      log(`\n=== ${sdk.title}`);
      results.push(...(await Promise.race([runProgram(sdk, env), parts.ended])));
      for (const format of FORMATS) results.push(await readByAblyJs(sdk, format, read));
    }
  } finally {
    for (const end of endings.reverse()) end();
    await parts.stop();
  }
  const failed = results.filter(({ why }) => why !== undefined);
  for (const { name, why } of failed) log(`\nfailed: ${name}\n  ${why}`);
  return { passed: results.length - failed.length, failed: failed.length };
}

/**
 * Starts the local Ably.
 * @param {Parts} parts
 * @param {string} binary
 * @param {string} key
 * @param {string} controlSecret
 * @returns {Promise<number>} its port
 */
function localAbly(parts, binary, key, controlSecret) {
  const env = { ...environment(), LOCAL_ABLY_KEY: key, LOCAL_ABLY_CONTROL_SECRET: controlSecret };
  /** @type {Promise<number>} */
  const port = new Promise((resolve) => {
    const args = ["--port", "0", "--namespace", "persisted=persisted"];
    parts.start("The local Ably", binary, args, env, (line) => {
      if (line.startsWith("{")) resolve(JSON.parse(line).port);
    });
  });
  return Promise.race([port, parts.ended]);
}

/**
 * ably-js: a member of the channel `residents`, and the publisher on `persisted:from-ably-js`.
 * @param {string} key
 * @param {number} port
 */
async function resident(key, port) {
  const client = new Ably.Realtime({ key, clientId: "resident", endpoint: LOOPBACK, port, tls: false });
  await client.channels.get("residents").presence.enter({ from: "ably-js" });
  const channel = client.channels.get("persisted:from-ably-js");
  for (const [name, data] of PAYLOADS) await channel.publish(/** @type {string} */ (name), data);
  const read = async (/** @type {string} */ name) => {
    const page = await client.channels.get(name).history({ direction: "forwards", limit: PAYLOADS.length });
    return page.items.map((message) => [message.name, message.data]);
  };
  return { client, read };
}

/**
 * @param {Sdk} sdk
 * @param {string} format
 * @param {(channel: string) => Promise<unknown[]>} read
 */
async function readByAblyJs({ id }, format, read) {
  const name = `${format} read by ably js`;
  try {
    assert.deepEqual(await read(`${id}-${format}`), PAYLOADS);
    log(`ok ${name}`);
    return { name };
  } catch (error) {
    log(`failed ${name}`);
    return { name: `${id}: ${name}`, why: String(error) };
  }
}

/**
 * Runs a program. A check that it does not tell of has failed.
 * @param {Sdk} sdk
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ name: string, why?: string }[]>}
 */
async function runProgram({ id, checks, command }, env) {
  const [program = "", ...args] = command;
  /** @type {Map<string, string | undefined>} the reason of each that failed */
  const told = new Map();
  const end = await new Promise((resolve) => {
    const child = spawn(program, args, { env, timeout: PROGRAM_MS, stdio: ["ignore", "pipe", "inherit"] });
    createInterface({ input: child.stdout }).on("line", (line) => {
      log(line);
      const [, outcome, name = "", why] = /^(ok|failed) ([a-z ]+)(?:: (.*))?$/.exec(line) ?? [];
      if (outcome !== undefined) told.set(name, outcome === "ok" ? undefined : (why ?? "it does not say why"));
    });
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => resolve(signal ?? code));
  });
  const expected = FORMATS.flatMap((format) => checks.map((check) => `${format} ${check}`));
  const results = expected.map((name) => {
    const why = told.has(name) ? told.get(name) : `the program has not told of it, and ended with ${end}`;
    return { name: `${id}: ${name}`, ...(why !== undefined && { why }) };
  });
  if (end !== 0 && results.every(({ why }) => why === undefined)) {
    results.push({ name: `${id}: the end of the program`, why: `it ended with ${end}` });
  }
  return results;
}

/**
 * Something that speaks TLS in front of the local Ably, which does not.
 * @param {string} folder
 * @param {number} port the local Ably's
 */
async function tlsFront(folder, port) {
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
  const subject = ["-subj", `/CN=${LOOPBACK}`, "-addext", `subjectAltName=IP:${LOOPBACK}`];
  const made = ["-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "1"];
  await run("openssl", ["req", "-x509", ...made, ...subject], { advice: "install the program openssl, 1.1.1 or later." });
  const server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (socket) => {
    const upstream = connect(port, LOOPBACK);
    socket.on("error", () => upstream.destroy());
    upstream.on("error", () => socket.destroy());
    socket.pipe(upstream).pipe(socket);
  });
  await new Promise((resolve) => server.listen(0, LOOPBACK, () => resolve(undefined)));
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { port: address.port, certificate, close: () => void server.close() };
}
