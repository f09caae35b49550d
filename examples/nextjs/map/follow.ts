// A vehicle that is kept in view, until somebody moves the map by themselves.

import type { Map as MapLibre } from "maplibre-gl";
import type { Spot } from "./spot";

export interface Follow {
  /** Whom to follow from now on, and where that is, if it is known. */
  set(jobId: string | undefined, spot: Spot | undefined): void;
  /** Who is followed now. */
  who(): string | undefined;
  /** Where a marker is drawn. */
  at(jobId: string, spot: Spot): void;
}

/** So much of the map's width and height, on each side, is too near to the edge. */
const MARGIN = 0.2;

export function follow(map: MapLibre, told: (isFollowing: boolean) => void): Follow {
  let followed: string | undefined;
  /** Where it was drawn last. */
  let last: Spot | undefined;

  const keep = () => {
    if (followed === undefined || last === undefined || map.isMoving()) return;
    const { x, y } = map.project(last);
    const { clientWidth: width, clientHeight: height } = map.getContainer();
    // One that is not laid out has no middle to go to.
    if (width === 0 || height === 0) return;
    const isInside = x > width * MARGIN && x < width * (1 - MARGIN) && y > height * MARGIN && y < height * (1 - MARGIN);
    // It jumps for people who want less motion.
    if (!isInside) map.easeTo({ center: last });
  };

  // Only what a person does comes with the event that they have caused.
  map.on("movestart", ({ originalEvent }) => {
    if (originalEvent === undefined || followed === undefined) return;
    followed = undefined;
    told(false);
  });
  // The vehicle has gone on while the map went after it.
  map.on("moveend", keep);

  return {
    set(jobId, spot) {
      followed = jobId;
      last = spot;
      told(jobId !== undefined);
      keep();
    },
    who: () => followed,
    at(jobId, spot) {
      if (jobId !== followed) return;
      last = spot;
      keep();
    },
  };
}
