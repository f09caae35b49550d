// What the service itself says of a job when all is over: its trail, over HTTP.

import type { Trail } from "./judge.ts";
import type { World } from "./world.ts";

const LIMIT = 1_000;

/** The whole trail of a job, page by page. */
export async function readTrail(world: World, job: string): Promise<Trail> {
  const headers = world.session({ sub: "dispatcher", role: "dispatcher" });
  const trail: Trail = { published: null, setAside: [], locations: [] };
  for (let after: string | null = "0.0"; after !== null; ) {
    const response: Response = await fetch(`${world.url}/api/jobs/${job}/locations?after=${after}&limit=${LIMIT}`, { headers });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`the trail of ${job} is answered ${response.status}: ${text}`);
    const page: Trail & { next: string | null } = JSON.parse(text);
    // Of these the last page knows best: more may have been published meanwhile.
    [trail.published, trail.setAside] = [page.published, page.setAside];
    trail.locations.push(...page.locations);
    after = page.next;
  }
  return trail;
}
