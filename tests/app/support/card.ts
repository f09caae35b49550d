// What a customer's page makes of a job, rendered without a browser.

import type { Job, JobSnapshot, Status } from "@towline/client";
import { loadModules } from "./modules.ts";

type By = "account" | "link" | "another_link";

export interface Card {
  words(job: JobSnapshot, by?: By): { short: string; heading: string; meaning: string };
  facts(job: JobSnapshot, age: number | undefined): [name: string, value: string][];
  listed(job: Partial<Job>): Status;
  ago(ms: number, isAbout?: boolean): string;
  within(accuracy: number): string;
  distance(metres: number): string;
  metresBetween(a: { lat: number; lng: number }, b: { lat: number; lng: number }): number;
  /** The card's HTML. */
  render(job: JobSnapshot, age: number | undefined, by?: By): string;
}

/** Loads it, as the app has it. */
export const loadCard = () =>
  loadModules<Card>(`
    import { createElement } from "react";
    import { renderToStaticMarkup } from "react-dom/server";
    import { JobCard } from "./app/jobs/[jobId]/card";
    import { facts } from "./app/jobs/[jobId]/facts";
    export { facts } from "./app/jobs/[jobId]/facts";
    export { words } from "./app/jobs/[jobId]/words";
    export * from "./map/spot";
    export * from "./ui/measures";
    export { listed } from "./ui/status";
    export const render = (job, age, by = "account") => renderToStaticMarkup(createElement(JobCard, { job, by, facts: facts(job, age) }));
  `);
