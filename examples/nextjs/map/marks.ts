// What stands on the map: HTML, which costs least to move.

import type { Status } from "@towline/client";
import styles from "./map.module.css";
import type { Vehicle } from "./types";

export interface Mark {
  element: HTMLElement;
  show(vehicle: Vehicle, isSelected: boolean): void;
  /** @param heading degrees clockwise from north; without one it is a dot, as it is at first */
  turn(heading: number | undefined): void;
}

/** A shape of its own for each, so that nobody has to tell colours apart. */
const SIGN: Partial<Record<Status, string>> = { stale: "…", silent: "?", offline: "⚡" };

/** A position that is off by no more is a point, in metres. */
const SHARP = 15;

/** A marker that moves costs little, one that turns is painted anew: so it turns by no fewer degrees than are seen. */
const SEEN = 3;

/** On the map's element: how long a metre is at the equator, in pixels. By it the circles of how accurate a position is grow with the map. */
export const METRE = "--metre";

export const pixelsAMetre = (zoom: number) => (512 * 2 ** zoom) / 40_075_017;

export function mark(onClick?: () => void): Mark {
  const element = named("div", styles.vehicle);
  element.setAttribute("role", "img");
  const halo = named("span", styles.halo);
  const arrow = named("span", styles.arrow);
  arrow.dataset.heading = "none";
  const sign = named("span", styles.sign);
  element.append(halo, arrow, sign);
  if (onClick) {
    element.addEventListener("click", onClick);
    element.dataset.choosable = "";
  }
  let turned: number | undefined;
  return {
    element,
    show({ jobId, status, label, position }, isSelected) {
      element.dataset.job = jobId;
      element.dataset.status = status;
      element.dataset.selected = String(isSelected);
      element.setAttribute("aria-label", label);
      const text = SIGN[status] ?? "";
      // Text that is put there anew is painted anew.
      if (text !== sign.textContent) sign.textContent = text;
      const { accuracy = 0, lat = 0 } = position ?? {};
      halo.hidden = accuracy <= SHARP;
      // A metre is longer on the map the further it is from the equator.
      halo.style.setProperty("--metres", String(accuracy / Math.cos((lat * Math.PI) / 180)));
    },
    turn(heading) {
      const next = heading === undefined ? undefined : (Math.round(heading / SEEN) * SEEN) % 360;
      if (next === turned) return;
      turned = next;
      arrow.dataset.heading = next === undefined ? "none" : "known";
      arrow.style.rotate = `${next ?? 0}deg`;
    },
  };
}

export function flag(): HTMLElement {
  return sight(styles.flag, "Where the vehicle is needed", "⚑");
}

export function here(): HTMLElement {
  return sight(styles.here, "You", "");
}

function sight(style: string | undefined, label: string, text: string): HTMLElement {
  const element = named("div", style);
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", label);
  element.textContent = text;
  return element;
}

function named(tag: string, style: string | undefined): HTMLElement {
  const element = document.createElement(tag);
  element.className = style ?? "";
  return element;
}
