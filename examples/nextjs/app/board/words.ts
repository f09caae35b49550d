// What is said on the board, in words and signs. What a job's state is called on every page is in `ui/status`.

import type { PhoneState } from "@towline/client";
import type { NameOf } from "@/ui/names";
import { SHORT, SIGNS, span } from "@/ui/status";
import type { Alarm } from "./alarms";
import type { State } from "./rows";

export const driverName = (driver: string | null, nameOf: NameOf): string => (driver === null ? "No driver" : nameOf(driver));

export const SIGN: Record<State, string> = { ...SIGNS, off_duty: "–", refused: "!", no_driver: "+", parked: "P", listed: "·" };

export const WORD: Record<State, string> = {
  ...SHORT,
  off_duty: "Off duty",
  refused: "Refused",
  no_driver: "Needs a driver",
  parked: "Parked",
  listed: "Open",
};

export const ALARM_SIGN: Record<Alarm["kind"], string> = { silent: "?", refused: "!", no_permission: "⊘", no_fix: "○", no_driver: "+", notification: "i" };

export const PHONE: Record<PhoneState, string> = {
  parked: "Parked, and the phone is heard of",
  no_permission: "The phone may not tell where it is",
  no_fix: "The phone finds no position",
  off_duty: "The driver is off duty",
};

/** How old a position is. To ten seconds: what is told each few seconds does not change its text each second. */
export function ago(ms: number): string {
  if (ms < 10_000) return "now";
  return `${ms < 60_000 ? `${Math.floor(ms / 10_000) * 10} s` : span(ms)} ago`;
}
