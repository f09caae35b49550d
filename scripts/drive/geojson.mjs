// Reads GeoJSON: lines with their times beside them, points with theirs in their properties, or bare geometry.

import { Failure } from "../setup/steps.mjs";
import { wrapped } from "./earth.mjs";
import { isTimed, point } from "./point.mjs";

/**
 * @typedef {import("./point.mjs").Point} Point
 * @typedef {{ [member: string]: unknown }} Json an object, as far as is known
 */

/** By which names other tools tell of a point. Of a line they are arrays, in the singular or the plural, one of each point. */
const NAMES = {
  time: ["capturedAt", "timestamp", "time", "coordTime", "startTime", "tst"],
  speed: ["speed"],
  heading: ["heading", "course", "bearing"],
  accuracy: ["accuracy", "horizontal_accuracy"],
};

/** What is below this, as a fourth coordinate, is no time since 1970 in seconds or milliseconds: it would be of before 1973. */
const TIME_ABOVE = 1e8;

/**
 * @param {string} text
 * @returns {import("./point.mjs").Legs}
 */
export function readGeoJson(text) {
  /** @type {Point[]} */
  const points = [];
  /** What is no way: areas, which stand beside many a track. @type {string[]} */
  const others = [];
  const legs = features(parse(text), "").flatMap(({ geometry, properties, where }) => {
    const { type, coordinates } = geometry;
    if (type === "LineString") return [line(list(coordinates, where), besides(properties), where)];
    if (type === "MultiLineString") {
      return list(coordinates, where).map((part, index) => line(list(part, where), besides(properties, index), `${where}[${index}]`));
    }
    if (type === "MultiPoint") return [line(list(coordinates, where), besides(properties), where)];
    if (type === "Point") points.push(at(coordinates, (name) => properties[name], where));
    else if (typeof type === "string") others.push(`${where}: a ${type} is no way that anybody drives; lines and points are.`);
    else throw new Failure(`${where === "coordinates" ? "line 1" : where}: this is no GeoJSON, each part of which says its "type".`);
    return [];
  });
  const [none] = others;
  if (none !== undefined && legs.length + points.length === 0) throw new Failure(none);
  // Lines are a way that was driven; points beside them are places on it, unless they alone say when that was.
  return legs.length > 0 && (isTimed(legs) || !isTimed([points])) ? legs : [points];
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = /** @type {SyntaxError} */ (error);
    const before = text.slice(0, Number(/position (\d+)/.exec(message)?.[1] ?? text.length));
    // The message of the parser quotes the file, and so positions.
    throw new Failure(`line ${before.split("\n").length}: this is no whole JSON.`);
  }
}

/**
 * Every geometry that there is in a value, with the properties of its feature.
 * @param {unknown} value
 * @param {string} where
 * @param {Json} [properties]
 * @returns {{ geometry: Json, properties: Json, where: string }[]}
 */
function features(value, where, properties = {}) {
  const json = object(value, where);
  const inside = (/** @type {string} */ name) => (where === "" ? name : `${where}.${name}`);
  const all = (/** @type {string} */ name) => {
    return list(json[name], inside(name)).flatMap((one, index) => features(one, `${inside(name)}[${index}]`, properties));
  };
  if (json.type === "FeatureCollection") return all("features");
  if (json.type === "GeometryCollection") return all("geometries");
  if (json.type !== "Feature") return [{ geometry: json, properties, where: inside("coordinates") }];
  // A feature without a place is allowed, and is none of a way.
  return json.geometry === null ? [] : features(json.geometry, inside("geometry"), object(json.properties ?? {}, inside("properties")));
}

/**
 * What is told beside a line, by the index of its point.
 * @param {Json} properties
 * @param {number} [part] which of several lines
 * @returns {(name: string, index: number) => unknown}
 */
function besides(properties, part) {
  const beside = /** @type {Json} */ (properties.coordinateProperties ?? properties);
  return (name, index) => {
    const found = beside[name] ?? beside[`${name}s`];
    const ofPart = part === undefined || !Array.isArray(found) ? found : found[part];
    return Array.isArray(ofPart) ? ofPart[index] : undefined;
  };
}

/**
 * @param {unknown[]} coordinates
 * @param {(name: string, index: number) => unknown} beside
 * @param {string} where
 */
function line(coordinates, beside, where) {
  return coordinates.map((position, index) => at(position, (name) => beside(name, index), `${where}[${index}]`));
}

/**
 * @param {unknown} position
 * @param {(name: string) => unknown} said
 * @param {string} where
 */
function at(position, said, where) {
  const [lng, lat, altitude, fourth] = list(position, where);
  const told = Object.entries(NAMES).map(([name, names]) => [name, names.map(said).find((value) => value !== undefined && value !== null)]);
  const { time = typeof fourth === "number" && fourth > TIME_ABOVE ? fourth : undefined, ...measured } = Object.fromEntries(told);
  // Who draws a line over the antimeridian often counts on.
  return point({ lat, lng: typeof lng === "number" ? wrapped(lng) : lng, altitude: altitude ?? said("altitude"), ...measured, time }, where);
}

/**
 * @param {unknown} value
 * @param {string} where
 * @returns {Json}
 */
function object(value, where) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Failure(`${where || "line 1"}: an object is missing here.`);
  return /** @type {Json} */ (value);
}

/**
 * @param {unknown} value
 * @param {string} where
 * @returns {unknown[]}
 */
function list(value, where) {
  if (!Array.isArray(value)) throw new Failure(`${where}: an array is missing here.`);
  return value;
}
