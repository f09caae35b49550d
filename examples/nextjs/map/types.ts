import type { Position, Status, TrailPoint } from "@towline/client";
import type { Spot } from "./spot";

/** What is drawn of a job. The same object is the same vehicle at the same place. */
export interface Vehicle {
  jobId: string;
  status: Status;
  /** Without one there is no marker. */
  position: Position | undefined;
  /** What its marker is called, for whoever does not see it. */
  label: string;
}

/** What a map tells of what happens to it. */
export interface Told {
  /** Somebody has chosen a marker. Left out, none can be chosen. */
  select?: ((jobId: string) => void) | undefined;
  /** Whether the vehicle is kept in view that is to be followed: not any more once somebody has moved the map. */
  following(isFollowing: boolean): void;
  /** Whether the graphics card has been lost; it comes back by itself, in most browsers. */
  lost(isLost: boolean): void;
}

/** A map that is drawn. Each call is what there is from then on, all of it. */
export interface Drawing {
  vehicles(vehicles: readonly Vehicle[]): void;
  /** A line through these, by time. */
  trail(points: readonly TrailPoint[]): void;
  /** Where a vehicle is needed. */
  place(spot: Spot | undefined): void;
  /** Where whoever looks is. */
  you(spot: Spot | undefined): void;
  select(jobId: string | undefined): void;
  /** Keeps a vehicle in view, until somebody moves the map. */
  follow(jobId: string | undefined): void;
  /** Brings a vehicle to the middle, once, if it is on the map; and tells whether it is. */
  focus(jobId: string): boolean;
  /** Whether all that is drawn is shown again each time other vehicles are there, until somebody moves the map. */
  fitEach(isOn: boolean): void;
  /** Shows all that is drawn. */
  fit(): void;
  remove(): void;
}
