// What a build is made from, as one value: where it has not changed, nothing has to be built.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * A hash over the names and contents of files.
 * @param {string} root
 * @param {string[]} inputs files and folders, relative to the root; what is not there does not count
 * @param {{ except?: string[], facts?: string[] }} [more] files and folders that do not count, and what else counts, such as versions of tools
 */
export function hashOf(root, inputs, { except = [], facts = [] } = {}) {
  const hash = createHash("sha256").update(JSON.stringify(facts));
  for (const path of inputs.flatMap((input) => files(root, input, except)).sort()) {
    hash.update(`${path}\0${createHash("sha256").update(readFileSync(join(root, path))).digest("hex")}\0`);
  }
  return hash.digest("hex");
}

/**
 * @param {string} root
 * @param {string} path relative to the root
 * @param {string[]} except
 * @returns {string[]} the files at a path, and in its folders
 */
function files(root, path, except) {
  const found = statSync(join(root, path), { throwIfNoEntry: false });
  if (found === undefined || except.includes(path)) return [];
  if (!found.isDirectory()) return [path];
  return readdirSync(join(root, path)).flatMap((name) => files(root, `${path}/${name}`, except));
}
