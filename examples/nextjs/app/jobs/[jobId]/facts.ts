// What is known of a vehicle in numbers, rounded so that they do not pretend to know better.

import type { JobSnapshot } from "@towline/client";
import { isMoving, seenAs, span } from "@/ui/status";

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

const radians = (degrees: number) => (degrees * Math.PI) / 180;

/** The great circle from one place to another, in metres. */
export function metresBetween(a: { lat: number; lng: number }, b: { lat: number; lng: number }): number {
  const [lat, lng] = [radians(b.lat - a.lat), radians(b.lng - a.lng)];
  const h = Math.sin(lat / 2) ** 2 + Math.cos(radians(a.lat)) * Math.cos(radians(b.lat)) * Math.sin(lng / 2) ** 2;
  return 2 * 6_371_009 * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** A name, and what is known. */
export type Fact = readonly [string, string];

/** @param age of the position in milliseconds, by the service's clock */
export function facts(job: JobSnapshot, age: number | undefined): Fact[] {
  const { position } = job;
  if (position === undefined || age === undefined) return [];
  const status = seenAs(job);
  const known: Fact[] = [];
  const now = position.capturedAt + age;
  const moving = isMoving(job);
  // How fast it was says nothing of now.
  if (status === "live" && moving !== undefined) {
    known.push(["Movement", moving ? `Moving, ${kmh(position.speed ?? 0)}` : job.heartbeat === "parked" ? "Parked" : "Standing still"]);
  }
  if (job.arrivedAt !== undefined) known.push(["Arrived", ago(now - job.arrivedAt)]);
  known.push(["Last position", ago(age, position.clock === "ahead")]);
  if (position.accuracy !== undefined) known.push(["Accuracy", within(position.accuracy)]);
  if ((status === "stale" || status === "silent") && job.lastHeard !== undefined) known.push(["Driver's phone heard", ago(now - job.lastHeard)]);
  return known;
}
