// Moves markers from position to position, as vehicles do: about a second late, and never back.

import type { Position } from "../view/types.ts";

/** Where a marker is in a frame. */
export interface Gliding {
  /** Degrees, WGS 84. */
  lat: number;
  lng: number;
  /** Degrees clockwise from north, 0 … 360; the last that was known. */
  heading: number | undefined;
}

/** What a page is seen on. */
export interface Screen {
  /** Milliseconds that only grow. */
  now(): number;
  /** Calls once, after so many milliseconds, when the next frame is painted; unless what it returns is called before. */
  frame(ms: number, call: () => void): () => void;
  /** Whether nothing is to move: the page is hidden, or whoever looks has asked for less motion. */
  still(): boolean;
}

/** Markers that glide. */
export interface Glide {
  /**
   * The newest position of a marker, such as a snapshot's. One that is not newer than the last, by epoch and seq, changes nothing. Without
   * one the marker is gone, at once.
   */
  move(id: string, position: Position | undefined): void;
  /** Nothing moves any more, and no marker is known. */
  stop(): void;
}

interface Marker {
  to: Position;
  /** Where it was when it began to glide, for how many milliseconds it does, and where it is. */
  from: Gliding;
  since: number;
  ms: number;
  at: Gliding;
}

/** What is shown is at most so much later than what is known, in milliseconds. */
const LAG = 1_000;
/** Where nothing was known for so long, nobody knows which way was taken. */
const GAP = 30_000;
/** No vehicle is faster, in metres a second; but positions are off by so many metres. */
const FASTEST = 70;
const OFF = 100;
const METRES_A_DEGREE = 111_195;

/** From one angle to another the short way: −180 … 180. */
const turn = (from: number, to: number): number => ((((to - from) % 360) + 540) % 360) - 180;

function metres(a: Gliding, b: Position): number {
  return METRES_A_DEGREE * Math.hypot(b.lat - a.lat, turn(a.lng, b.lng) * Math.cos((a.lat * Math.PI) / 180));
}

function between(a: Gliding, b: Gliding, k: number): Gliding {
  return {
    lat: a.lat + (b.lat - a.lat) * k,
    lng: turn(0, a.lng + turn(a.lng, b.lng) * k),
    heading: a.heading === undefined || b.heading === undefined ? b.heading : (a.heading + turn(a.heading, b.heading) * k + 360) % 360,
  };
}

const browser: Screen = {
  now: () => performance.now(),
  frame(ms, call) {
    let frame = 0;
    const timer = setTimeout(() => (frame = requestAnimationFrame(call)), ms);
    return () => {
      clearTimeout(timer);
      cancelAnimationFrame(frame);
    };
  },
  still: () => document.hidden || matchMedia("(prefers-reduced-motion: reduce)").matches,
};

/**
 * Markers that glide between the positions that they are given. `show` is called where one is to be drawn elsewhere, and without a place where
 * it is gone: at most 20 times a second, 5 where there are over 50, 2 where there are over 150. It jumps where there is no way to show: to its first position, to
 * another epoch's, after 30 s without one, further than a vehicle drives, on a hidden page, and for people who want less motion.
 */
export function glide(show: (id: string, place: Gliding | undefined) => void, screen: Screen = browser): Glide {
  const markers = new Map<string, Marker>();
  /** Which of them are on their way. */
  const moving = new Map<string, Marker>();
  let cancel: (() => void) | undefined;

  function frame(): void {
    const now = screen.still() ? Infinity : screen.now();
    cancel = undefined;
    for (const [id, marker] of moving) draw(id, marker, now);
    next();
  }

  function next(): void {
    if (moving.size > 0) cancel ??= screen.frame(markers.size > 150 ? 500 : markers.size > 50 ? 200 : 50, frame);
  }

  function draw(id: string, marker: Marker, now: number): void {
    const { to, from, since, ms, at } = marker;
    const heading = to.heading ?? from.heading;
    const isThere = now - since >= ms;
    marker.at = isThere ? { lat: to.lat, lng: to.lng, heading } : between(from, { ...to, heading }, (now - since) / ms);
    if (isThere) moving.delete(id);
    // One that stands costs nothing.
    if (at === from || marker.at.lat !== at.lat || marker.at.lng !== at.lng || marker.at.heading !== at.heading) show(id, marker.at);
  }

  return {
    move(id, to) {
      const last = markers.get(id);
      if (to === undefined) {
        moving.delete(id);
        if (markers.delete(id)) show(id, undefined);
        return;
      }
      if (last && (to.epoch < last.to.epoch || (to.epoch === last.to.epoch && to.seq <= last.to.seq))) return;
      const from = last?.at ?? { lat: to.lat, lng: to.lng, heading: to.heading };
      const marker: Marker = { to, from, since: screen.now(), ms: 0, at: from };
      markers.set(id, marker);
      if (last && to.epoch === last.to.epoch && !screen.still()) {
        const gap = to.capturedAt - last.to.capturedAt;
        const rest = Math.max(0, last.since + last.ms - marker.since);
        const most = Math.max(OFF, (FASTEST * (gap + rest)) / 1_000);
        if (gap <= GAP && metres(from, to) <= most) marker.ms = Math.min(LAG, Math.max(0, gap) + rest);
      }
      moving.set(id, marker);
      if (marker.ms > 0) next();
      else draw(id, marker, Infinity);
    },
    stop() {
      cancel?.();
      cancel = undefined;
      markers.clear();
      moving.clear();
    },
  };
}
