// What is random per clone, and the files in which it is kept: readable by their owner alone, and ignored by git.

import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../setup/environment.mjs";

/** Where this clone keeps what is its own. */
export const STATE = join(ROOT, ".towline");

/** The ports that a clone uses where they are free, and that `.dev.vars` counts on. */
export const SERVICE_PORT = 8787;
export const ABLY_PORT = 8788;

/**
 * @typedef {object} Clone
 * @property {string} jobId the job that the printed examples are about
 * @property {string} sessionSecret its UTF-8 bytes are the HMAC key of the sessions
 * @property {string} localAblyKey `appId.keyId:secret` of the local Ably
 */

/**
 * This clone's secrets, made at the first call.
 * @param {string} folder
 * @returns {Clone}
 */
export function clone(folder = STATE) {
  const path = join(folder, "clone.json");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!existsSync(path)) {
    // Six characters, as Ably's own app and key ids have.
    const id = () => randomBytes(3).toString("hex");
    const secret = () => randomBytes(32).toString("base64url");
    const made = { jobId: `job-${id()}`, sessionSecret: secret(), localAblyKey: `${id()}.${id()}:${secret()}` };
    // Whole or not at all, and never over what another process has just made.
    const draft = `${path}.${process.pid}`;
    writePrivate(draft, JSON.stringify(made));
    try {
      linkSync(draft, path);
    } catch (error) {
      if (!existsSync(path)) throw error;
    } finally {
      rmSync(draft);
    }
  }
  return JSON.parse(readFileSync(path, "utf8"));
}

/**
 * Writes a file that its owner alone can read, also where it was there before with other rights.
 * @param {string} path
 * @param {string} text
 */
export function writePrivate(path, text) {
  if (existsSync(path)) chmodSync(path, 0o600);
  writeFileSync(path, text, { mode: 0o600 });
}
