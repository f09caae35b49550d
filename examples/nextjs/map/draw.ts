// A map by MapLibre. It is a file of its own, loaded after the page has been painted.

import { glide } from "@towline/client";
import { LngLatBounds, Map as MapLibre, Marker, NavigationControl, ScaleControl, setWorkerUrl } from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import { follow } from "./follow";
import { ground } from "./ground";
import { flag, here, type Mark, mark, METRE, pixelsAMetre } from "./marks";
import { plain, TILES } from "./style";
import { onFrom, type Spot } from "./spot";
import type { Drawing, Told, Vehicle } from "./types";

setWorkerUrl(new URL("maplibre-gl/dist/maplibre-gl-worker.mjs", import.meta.url).href);

/** North is up, so that an arrow points where the vehicle goes. */
const FLAT = { dragRotate: false, touchPitch: false, pitchWithRotate: false, maxPitch: 0 };

const LOCALE = {
  "Map.Title": "Map. Arrow keys move it, plus and minus zoom.",
  "CooperativeGesturesHandler.MobileHelpText": "Two fingers move the map.",
  "CooperativeGesturesHandler.WindowsHelpText": "Ctrl and the wheel zoom the map.",
  "CooperativeGesturesHandler.MacHelpText": "⌘ and the wheel zoom the map.",
};

/** By fewer pixels a marker does not move. */
const UNSEEN_PX = 0.4;

/** Draws a map into an element. Throws where there is no WebGL. */
export function draw(container: HTMLElement, told: Told): Drawing {
  // Where people touch, one finger scrolls the page: the map may fill their screen. A mouse goes round the map, and its wheel zooms without a key.
  const cooperativeGestures = matchMedia("(pointer: coarse)").matches;
  const map = new MapLibre({ container, style: TILES ?? plain(), zoom: 1, attributionControl: TILES ? {} : false, cooperativeGestures, locale: LOCALE, ...FLAT });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new NavigationControl({ showCompass: false }));
  map.addControl(new ScaleControl());
  map.on("webglcontextlost", () => told.lost(true));
  map.on("webglcontextrestored", () => told.lost(false));

  /** `at` is where the vehicle is; its marker may be so little off that it is not seen. */
  const marks = new Map<string, { marker: Marker; mark: Mark; at: Spot }>();
  const shown = new Map<string, Vehicle>();
  const below = ground(map);
  const following = follow(map, told.following);
  let needed: { marker: Marker; spot: Spot } | undefined;
  let looker: { marker: Marker; spot: Spot } | undefined;
  let selected: string | undefined;
  let fitted = false;
  let fitsEach = false;
  let isMoved = false;
  /** Whose vehicles there are, with a position. */
  let placed = "";
  let gone = false;

  // On a map of a whole town most of what glides moves by less than is seen: to draw it is what costs.
  const isSeen = (marker: Marker, at: Spot) => map.project(marker.getLngLat()).dist(map.project(at)) >= UNSEEN_PX;

  const gliding = glide((jobId, at) => {
    const vehicle = shown.get(jobId);
    const there = marks.get(jobId);
    if (at === undefined || vehicle === undefined) {
      there?.marker.remove();
      marks.delete(jobId);
      return;
    }
    if (there === undefined) {
      const { select } = told;
      const made = mark(select && (() => select(jobId)));
      made.show(vehicle, jobId === selected);
      made.turn(at.heading);
      marks.set(jobId, { mark: made, marker: new Marker({ element: made.element }).setLngLat(at).addTo(map), at });
    } else {
      there.at = at;
      if (isSeen(there.marker, at)) there.marker.setLngLat(at);
      there.mark.turn(at.heading);
    }
    following.at(jobId, at);
  });

  // For whoever measures what is seen, such as a test.
  const tellView = () => {
    const { lng, lat } = map.getCenter();
    container.dataset.view = `${lng},${lat},${map.getZoom()}`;
    container.style.setProperty(METRE, `${pixelsAMetre(map.getZoom())}px`);
  };
  map.on("move", tellView);
  // Seen from nearer it would be seen.
  map.on("zoom", () => {
    for (const { marker, at } of marks.values()) marker.setLngLat(at);
  });
  // Only what a person does comes with the event that they have caused.
  map.on("movestart", ({ originalEvent }) => {
    if (originalEvent) isMoved = true;
  });
  tellView();

  const stand = (element: HTMLElement, spot: Spot | undefined, anchor: "bottom" | "center") =>
    spot && { spot, marker: new Marker({ element, anchor }).setLngLat(spot).addTo(map) };

  const fit = () => {
    const bounds = new LngLatBounds();
    let first: number | undefined;
    const extend = ({ lng, lat }: Spot) => bounds.extend([onFrom((first ??= lng), lng), lat]);
    // Who follows a vehicle wants to see it near, and not all of its way.
    const followed = following.who();
    for (const { jobId, position } of shown.values()) {
      if (position && (followed ?? jobId) === jobId) extend(position);
    }
    if (!followed) for (const point of below.points()) extend(point);
    for (const there of [needed, looker]) if (there) extend(there.spot);
    if (bounds.isEmpty()) return;
    map.fitBounds(bounds, { padding: 60, maxZoom: 15, animate: fitted });
    fitted = true;
    isMoved = false;
  };

  // Once all is there that is drawn at the same time.
  const firstFit = () => {
    if (!fitted) queueMicrotask(() => fitted || gone || fit());
  };

  return {
    vehicles(vehicles) {
      const ids = new Set(vehicles.map(({ jobId }) => jobId));
      for (const jobId of shown.keys()) {
        if (ids.has(jobId)) continue;
        gliding.move(jobId, undefined);
        shown.delete(jobId);
      }
      for (const vehicle of vehicles) {
        // Of many vehicles few have moved since they were told last.
        if (shown.get(vehicle.jobId) === vehicle) continue;
        shown.set(vehicle.jobId, vehicle);
        marks.get(vehicle.jobId)?.mark.show(vehicle, vehicle.jobId === selected);
        gliding.move(vehicle.jobId, vehicle.position);
      }
      if (fitsEach) {
        const before = placed;
        placed = vehicles.flatMap(({ jobId, position }) => (position ? [jobId] : [])).sort().join();
        if (fitted && !isMoved && placed !== before) fit();
      }
      firstFit();
    },
    trail(points) {
      below.trail(points);
      firstFit();
    },
    place(spot) {
      needed?.marker.remove();
      needed = stand(flag(), spot, "bottom");
      firstFit();
    },
    you(spot) {
      const isNew = looker === undefined;
      looker?.marker.remove();
      looker = stand(here(), spot, "center");
      if (spot && isNew) fit();
    },
    select(jobId) {
      const before = selected;
      selected = jobId;
      for (const id of [before, jobId]) {
        const vehicle = id === undefined ? undefined : shown.get(id);
        if (vehicle) marks.get(vehicle.jobId)?.mark.show(vehicle, vehicle.jobId === jobId);
      }
    },
    follow(jobId) {
      following.set(jobId, jobId === undefined ? undefined : marks.get(jobId)?.marker.getLngLat());
    },
    focus(jobId) {
      const at = marks.get(jobId)?.marker.getLngLat();
      if (at === undefined) return false;
      isMoved = true;
      map.easeTo({ center: at, zoom: Math.max(map.getZoom(), 13) });
      return true;
    },
    fitEach(isOn) {
      fitsEach = isOn;
    },
    fit,
    remove() {
      gone = true;
      gliding.stop();
      below.remove();
      map.remove();
    },
  };
}
