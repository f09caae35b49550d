// A file of somebody's own, GPX or GeoJSON, as the legs that were driven.

import { readFileSync } from "node:fs";
import { Failure } from "../setup/steps.mjs";
import { readGeoJson } from "./geojson.mjs";
import { readGpx } from "./gpx.mjs";

/**
 * Reads a file. What is wrong with it is a failure that names the line, or the member of the JSON.
 * @param {string} path
 */
export function readTrack(path) {
  try {
    return parseTrack(decoded(readFileSync(path)));
  } catch (error) {
    if (error instanceof Failure) throw new Failure(`${path}, ${error.message}`);
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    if (code === "ENOENT" || code === "EISDIR" || code === "EACCES") throw new Failure(`${path} cannot be read (${code}).`);
    throw error;
  }
}

/**
 * The text of a file, which is UTF-8, or what its first two bytes say.
 * @param {Buffer} bytes
 */
function decoded(bytes) {
  const mark = bytes.toString("hex", 0, 2);
  return new TextDecoder(mark === "fffe" ? "utf-16le" : mark === "feff" ? "utf-16be" : "utf-8").decode(bytes);
}

/**
 * @param {string} text of GPX or GeoJSON, told apart by how it begins
 * @returns {import("./point.mjs").Legs} with two points at least
 */
export function parseTrack(text) {
  const content = text.replace(/^\uFEFF/, "");
  const [first = ""] = content.trimStart();
  if (first !== "<" && first !== "{") throw new Failure("line 1: this is neither GPX, which begins with <, nor GeoJSON, which begins with {.");
  const legs = first === "<" ? readGpx(content) : readGeoJson(content);
  if (legs.flat().length < 2) throw new Failure("there are less than two points in it, and that is no drive.");
  return legs.filter((leg) => leg.length > 0);
}
