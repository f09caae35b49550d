// A driver's phone: it keeps a post until it is answered 200, and sends it again until then. Its clock jumps.

import { setTimeout as delay } from "node:timers/promises";
import type { Posted } from "./judge.ts";
import type { Ledger } from "./ledger.ts";
import type { PlannedPost } from "./schedule.ts";
import type { World } from "./world.ts";

/** What passes: the same is sent again. */
const RETRIED = [408, 429, 500, 502, 503, 504];
/** How long a phone waits before it does that. */
const PAUSE_MS = 100;
/** How long it waits for an answer that the schedule does not have it give up. */
const PATIENCE_MS = 10_000;
/** How many of its last fixes and posts it could send once more. */
const KEPT = 12;
const HOUR_MS = 3_600_000;

/** A fix as it is sent; without `posted` it is one that nobody can take. */
interface Fix {
  posted?: Posted;
  body: Record<string, unknown>;
}

interface Post {
  fixes: Fix[];
  key?: string;
  sentAt: boolean;
}

export class Phone {
  readonly job: string;
  readonly #world: World;
  readonly #ledger: Ledger;
  readonly #headers: Record<string, string>;
  readonly #name: string;
  #clock = 0;
  #made = 0;
  #lastTime = 0;
  /** Fixes that another post may hold as well, since they are named by what is in them. */
  #fixes: Fix[] = [];
  #posts: Post[] = [];

  constructor(world: World, ledger: Ledger, job: string, name: string) {
    this.#world = world;
    this.#ledger = ledger;
    this.job = job;
    this.#name = name;
    this.#headers = { ...world.session({ sub: name, role: "driver", jobs: [job] }), "content-type": "application/json" };
  }

  /** Makes a post and sends it until it is answered. */
  async post(plan: PlannedPost, signal: AbortSignal): Promise<void> {
    this.#ledger.posts += 1;
    if (plan.jump !== undefined) this.#clock = plan.jump * HOUR_MS;
    const earlier = plan.repeats ? this.#posts.at(-1 - (this.#made % Math.max(1, this.#posts.length))) : undefined;
    const post = earlier ?? this.#make(plan);
    const sent = Array.from({ length: plan.twice ? 2 : 1 }, () => this.#send(post, plan.patience ?? PATIENCE_MS, signal));
    await Promise.all(sent);
  }

  #now(): number {
    return Date.now() + this.#clock;
  }

  #make({ naming, fresh, overlap, impossible, sentAt }: PlannedPost): Post {
    const made = Array.from({ length: fresh }, () => this.#fix(naming));
    // Under a key, a fix without an id would be named by its place, and so be another one.
    const earlier = this.#fixes.filter(({ body }) => naming !== "key" || "id" in body).slice(-overlap);
    const fixes = [...(overlap > 0 ? earlier : []), ...made, ...(impossible ? [{ body: { lat: 91, lng: 13 } }] : [])];
    const post = { fixes, sentAt, ...(naming === "key" && { key: `${this.#name}-${this.#made}` }) };
    if (naming === "ids" || naming === "times") this.#fixes = [...this.#fixes, ...made].slice(-KEPT);
    this.#posts = [...this.#posts, post].slice(-KEPT);
    return post;
  }

  #fix(naming: PlannedPost["naming"]): Fix {
    this.#made += 1;
    const posted = this.#ledger.fix(this.job, naming !== "nothing");
    const { lat, lng } = posted;
    // A clock that stands still between two fixes would be one more thing; here each has a time of its own.
    this.#lastTime = this.#now() <= this.#lastTime && this.#lastTime - this.#now() < 1_000 ? this.#lastTime + 1 : this.#now();
    const body = { lat, lng, speed: 12.5, ...(naming !== "nothing" && { capturedAt: this.#lastTime }) };
    return { posted, body: naming === "ids" ? { ...body, id: `${this.#name}/${this.#made}` } : body };
  }

  async #send(post: Post, patience: number, signal: AbortSignal): Promise<void> {
    const { fixes, key } = post;
    const alone = fixes.length === 1 && fixes[0]?.posted !== undefined;
    for (let wait = patience; ; wait = PATIENCE_MS) {
      signal.throwIfAborted();
      // A retry says anew when it is sent.
      const sentAt = post.sentAt ? { sentAt: this.#now() } : {};
      const body = alone ? { ...fixes[0]?.body, ...sentAt } : { locations: fixes.map(({ body }) => body), ...sentAt };
      for (const { posted } of fixes) if (posted !== undefined) posted.sent += 1;
      this.#ledger.requests += 1;
      const answer = await this.#request(body, key, AbortSignal.any([signal, AbortSignal.timeout(wait)]));
      if (answer?.status === 200) {
        this.#ledger.answered += 1;
        this.#ledger.told(this.job, fixes.map(({ posted }) => posted), JSON.parse(answer.text));
        return;
      }
      if (answer !== undefined && !RETRIED.includes(answer.status)) throw new Error(`${this.#name} is answered ${answer.status}: ${answer.text}`);
      await delay(PAUSE_MS, undefined, { signal });
    }
  }

  /** The answer, where there is a whole one. */
  async #request(body: object, key: string | undefined, signal: AbortSignal): Promise<{ status: number; text: string } | undefined> {
    try {
      const response = await fetch(`${this.#world.url}/api/jobs/${this.job}/location`, {
        method: "POST",
        headers: { ...this.#headers, ...(key !== undefined && { "idempotency-key": key }) },
        body: JSON.stringify(body),
        signal,
      });
      return { status: response.status, text: await response.text() };
    } catch {
      return undefined;
    }
  }
}
