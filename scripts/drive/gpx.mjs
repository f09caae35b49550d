// Reads GPX 1.0 and 1.1: tracks, or else routes, or else waypoints.

import { DOMParser, onErrorStopParsing, ParseError } from "@xmldom/xmldom";
import { Failure } from "../setup/steps.mjs";
import { point } from "./point.mjs";

/** @typedef {import("@xmldom/xmldom").Element} Element */

/**
 * What beside place, altitude and time is told of a point, by the elements' names, whichever namespace they are in: GPX 1.0 has speed
 * and course itself, and for 1.1 each maker has extensions of its own.
 */
const MEASURED = { speed: ["speed"], heading: ["course", "heading", "bearing"], accuracy: ["accuracy"] };

/**
 * @param {string} text
 * @returns {import("./point.mjs").Legs}
 */
export function readGpx(text) {
  const root = parse(text);
  if (root.localName !== "gpx") throw new Failure(`line ${root.lineNumber}: this is <${root.localName}>, and GPX begins with <gpx>.`);
  const tracks = children(root, "trk").flatMap((track) => children(track, "trkseg")).map((segment) => children(segment, "trkpt"));
  const routes = children(root, "rte").map((route) => children(route, "rtept"));
  const found = [tracks, routes, [children(root, "wpt")]].find((legs) => legs.some((leg) => leg.length > 0)) ?? [];
  return found.map((leg) => leg.map(read));
}

/** @param {Element} element */
function read(element) {
  const within = [...descendants(element)];
  const said = (/** @type {string[]} */ names) =>
    within.find(({ localName }) => names.includes(localName?.toLowerCase() ?? ""))?.textContent ?? undefined;
  const raw = {
    lat: element.getAttribute("lat"),
    lng: element.getAttribute("lon"),
    altitude: children(element, "ele")[0]?.textContent,
    time: children(element, "time")[0]?.textContent?.trim(),
    ...Object.fromEntries(Object.entries(MEASURED).map(([name, names]) => [name, said(names)])),
  };
  return point(raw, `line ${element.lineNumber}`);
}

/**
 * @param {string} text
 * @returns {Element}
 */
function parse(text) {
  try {
    // What is less than an error is about what does not matter here; an error would be mended by guesses, which lose points.
    const root = new DOMParser({ onError: onErrorStopParsing }).parseFromString(text, "text/xml").documentElement;
    if (root !== null) return root;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    // The message of the parser quotes the file, and so positions.
    throw new Failure(`line ${error.locator?.lineNumber ?? 1}: this is no whole XML.`);
  }
  throw new Failure("line 1: there is nothing in this XML.");
}

/**
 * The elements directly below one, by their name.
 * @param {Element} element
 * @param {string} name
 */
function children(element, name) {
  return [...below(element)].filter(({ localName }) => localName === name);
}

/**
 * @param {Element} element
 * @returns {Generator<Element>}
 */
function* descendants(element) {
  for (const child of below(element)) {
    yield child;
    yield* descendants(child);
  }
}

/**
 * @param {Element} element
 * @returns {Generator<Element>}
 */
function* below(element) {
  for (let node = element.firstChild; node !== null; node = node.nextSibling) {
    if (node.nodeType === node.ELEMENT_NODE) yield /** @type {Element} */ (node);
  }
}
