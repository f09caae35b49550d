// What a customer is told of a vehicle in numbers.

import type { JobSnapshot } from "@towline/client";
import { ago, kmh, within } from "@/ui/measures";
import { isMoving, seenAs } from "@/ui/status";

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
