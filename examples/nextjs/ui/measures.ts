// What is known in numbers, in words that do not pretend to know better.

import { span } from "./status";

/** @param isAbout where the phone's clock is wrong, and the age only as good as can be known */
export function ago(ms: number, isAbout = false): string {
  if (ms < 1_000) return "just now";
  return `${isAbout ? "about " : ""}${span(ms)} ago`;
}

/** To one digit, and never better than it is: 23 m is `within about 30 m`. */
export function within(accuracy: number): string {
  const power = 10 ** Math.floor(Math.log10(Math.max(accuracy, 1)));
  const metres = Math.ceil(accuracy / power) * power;
  return `within about ${metres < 1_000 ? `${metres} m` : `${metres / 1_000} km`}`;
}

export function distance(metres: number): string {
  if (metres < 50) return "less than 50 m";
  if (metres < 1_000) return `${Math.round(metres / 10) * 10} m`;
  return `${metres < 10_000 ? (metres / 1_000).toFixed(1) : Math.round(metres / 1_000)} km`;
}

export function kmh(metresPerSecond: number): string {
  return `${Math.round(metresPerSecond * 3.6)} km/h`;
}
