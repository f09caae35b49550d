// What a customer's page makes of a job, rendered without a browser.

import { createRequire } from "node:module";
import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { JobSnapshot } from "@towline/client";
import { build } from "esbuild";
import { APP } from "../../../scripts/setup/app.mjs";
import { ROOT } from "../../../scripts/setup/environment.mjs";

export interface Card {
  words(job: JobSnapshot, isGuest?: boolean): { short: string; heading: string; meaning: string };
  facts(job: JobSnapshot, age: number | undefined): [name: string, value: string][];
  ago(ms: number, isAbout?: boolean): string;
  within(accuracy: number): string;
  distance(metres: number): string;
  metresBetween(a: { lat: number; lng: number }, b: { lat: number; lng: number }): number;
  /** The card's HTML. */
  render(job: JobSnapshot, age: number | undefined, isGuest?: boolean): string;
}

const CONTENTS = `
  import { createElement } from "react";
  import { renderToStaticMarkup } from "react-dom/server";
  import { JobCard } from "./card";
  import { facts } from "./facts";
  export * from "./facts";
  export * from "./words";
  export const render = (job, age, isGuest = false) => renderToStaticMarkup(createElement(JobCard, { job, isGuest, facts: facts(job, age) }));
`;

/** Loads it, as the app has it. */
export async function loadCard(): Promise<Card> {
  const folder = join(ROOT, "out", `card-${randomUUID()}`);
  mkdirSync(folder, { recursive: true });
  try {
    const outfile = join(folder, "card.cjs");
    const stdin = { contents: CONTENTS, resolveDir: join(APP, "app", "jobs", "[jobId]"), loader: "tsx" } as const;
    await build({ stdin, bundle: true, outfile, format: "cjs", platform: "node", jsx: "automatic", tsconfig: join(APP, "tsconfig.json"), logLevel: "error" });
    return createRequire(outfile)(outfile) as Card;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
