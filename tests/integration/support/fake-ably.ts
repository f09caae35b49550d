// Ably's REST API as each test wants it to behave: what the Worker fetches ends here.
//
// The harness hands the Worker's outbound requests to `globalThis.fetch`. Node's test runner gives every file a process of its own,
// so that each has its own.

import diagnostics from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { holdEvent } from "./contract.ts";
import { until } from "./until.ts";

/** A publish as it arrived. */
export interface Publish {
  method: string;
  url: string;
  headers: Headers;
  /** The body, byte for byte. */
  body: string;
  /** The body's one message. */
  message: { id: string; name: string; data: string; encoding: string };
  /** `message.data`, parsed. */
  event: any;
  /** By `performance.now()`. */
  at: number;
  /** Which batch request it came in; nothing where it came by itself. */
  batch?: number;
}

/** A batch request as it arrived: what was in it, by job. */
export interface Batch {
  jobs: string[];
  at: number;
}

/** How a batch request is answered as a whole. */
export type WholeBehaviour = (batch: Batch) => Response | Promise<Response>;

/** A revocation as it arrived. */
export interface Revocation {
  url: string;
  targets: string[];
  issuedBefore: number;
  /** By `performance.now()`. */
  at: number;
}

/** How a revocation is answered. */
export type RevocationBehaviour = (revocation: Revocation) => Response | Promise<Response>;

export const revoked: RevocationBehaviour = ({ targets, issuedBefore }) => {
  const results = targets.map((target) => ({ target, issuedBefore, appliesAt: Date.now() }));
  return Response.json({ successCount: targets.length, failureCount: 0, results }, { status: 201 });
};

/** A refusal of a whole batch, in Ably's shape. */
export function refusedWhole(status: number, code: number, headers: Record<string, string> = {}): WholeBehaviour {
  return () => refusal(status, code, headers, "refused by the test");
}

/** What stands in the place of a job's id for what operators hear: no job has it. */
export const OPERATIONS = "admin:ops";

/** What stands in the place of a job's id for what a user is told: no job has it. */
export function inboxOf(user: string): string {
  return `user:${user}`;
}

/** How a publish is answered, with the means to cut its connection. */
export type Behaviour = (publish: Publish, cut: () => void) => Response | Promise<Response>;

export const stored: Behaviour = ({ message }) =>
  Response.json({ channel: "c", messageId: message.id, serials: ["s"] }, { status: 201 });

/** A refusal in Ably's shape. */
export function refused(status: number, code: number, headers: Record<string, string> = {}, message = "refused by the test"): Behaviour {
  return () => refusal(status, code, headers, message);
}

function refusal(status: number, code: number, headers: Record<string, string>, message: string): Response {
  const error = { code, statusCode: status, message, href: `https://help.ably.io/error/${code}` };
  return Response.json({ error }, { status, headers: { "x-ably-errorcode": String(code), ...headers } });
}

/** An answer that a test gives when it wants to. */
export function held(): { behaviour: Behaviour; release: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    behaviour: async (publish, cut) => {
      await promise;
      return stored(publish, cut);
    },
    release: resolve,
  };
}

export const hangs: Behaviour = () => new Promise(() => {});

export const resets: Behaviour = (_, cut) => {
  cut();
  return new Promise(() => {});
};

/** A body that breaks off before its end. */
export const breaksOff: Behaviour = (_, cut) =>
  new Response(partOfABody(cut), { status: 201, headers: { "content-type": "application/json", "content-length": "100" } });

/** A body that stops before its end, while the connection stays. */
export const stalls: Behaviour = () =>
  new Response(partOfABody(() => {}), { status: 201, headers: { "content-type": "application/json", "content-length": "100" } });

function partOfABody(then: () => void): ReadableStream {
  let parts = 0;
  return new ReadableStream({
    async pull(controller) {
      parts += 1;
      if (parts === 1) {
        controller.enqueue(new TextEncoder().encode('{"channel":'));
        return;
      }
      // The first part has left by then.
      await new Promise((resolve) => setTimeout(resolve, 50));
      then();
      await new Promise(() => {});
    },
  });
}

export class FakeAbly {
  readonly #publishes = new Map<string, Publish[]>();
  readonly #plans = new Map<string, Behaviour[]>();
  readonly #inFlight = new Map<string, number>();
  readonly #sockets = new Map<string, Socket>();
  readonly #wholePlans: WholeBehaviour[] = [];
  readonly #revocationPlans = new Map<string, RevocationBehaviour[]>();
  readonly #revocations: Revocation[] = [];
  /** The batch requests, in the order in which they came. */
  readonly batches: Batch[] = [];
  /** Whatever else the Worker fetched. */
  readonly strays: string[] = [];
  readonly #mostInFlight = new Map<string, number>();
  readonly #fetch = globalThis.fetch;

  constructor() {
    globalThis.fetch = (input, init) => this.#answer(new URL(String(input)), init as unknown as Request);
    diagnostics.subscribe("http.server.request.start", this.#note);
  }

  close(): void {
    globalThis.fetch = this.#fetch;
    diagnostics.unsubscribe("http.server.request.start", this.#note);
  }

  /** What happens to the next publishes of a job. Those after them are stored. */
  plan(jobId: string, ...behaviours: Behaviour[]): void {
    this.#plans.set(jobId, behaviours);
  }

  /** What happens to the next batch requests as a whole. Of those after them each message is treated as its job's plan says. */
  planBatches(...behaviours: WholeBehaviour[]): void {
    this.#wholePlans.push(...behaviours);
  }

  /** What happens to the next revocations that name a target. Those after them are done. */
  planRevocations(target: string, ...behaviours: RevocationBehaviour[]): void {
    this.#revocationPlans.set(target, behaviours);
  }

  /** The revocations that name a target, in the order in which they came. */
  revocations(target: string): Revocation[] {
    return this.#revocations.filter(({ targets }) => targets.includes(target));
  }

  publishes(jobId: string): Publish[] {
    return this.#publishes.get(jobId) ?? [];
  }

  /** The seqs that a job's publishes stand for, in the order in which they came. */
  seqs(jobId: string): number[] {
    const seqs = ({ event }: Publish) => Array.from({ length: event.seq + 1 - event.fromSeq }, (_, index) => event.fromSeq + index);
    return this.publishes(jobId).flatMap(seqs);
  }

  /** Waits until a publish of a job has arrived that stands for this seq. */
  async reached(jobId: string, seq: number): Promise<Publish[]> {
    await until(`seq ${seq} of ${jobId}`, () => this.seqs(jobId).includes(seq), 60_000);
    return this.publishes(jobId);
  }

  /** The most publishes of a job that were under way at once. */
  mostInFlight(jobId: string): number {
    return this.#mostInFlight.get(jobId) ?? 0;
  }

  /** Waits until so many publishes of a job have arrived, retries included. */
  async arrived(jobId: string, count: number): Promise<Publish[]> {
    await until(`${count} publishes of ${jobId}`, () => this.publishes(jobId).length >= count, 60_000);
    return this.publishes(jobId);
  }

  // A fetch that fails reaches the Worker as a 500 of the harness's. A connection that breaks has to be broken, and its socket
  // is known only to the harness's own server.
  #note = (message: unknown): void => {
    const { request, socket } = message as { request: IncomingMessage; socket: Socket };
    const url = request.headers["mf-original-url"];
    if (typeof url === "string") this.#sockets.set(url, socket);
  };

  async #answer(url: URL, request: Request): Promise<Response> {
    if (url.pathname === "/messages") return this.#answerBatch(url, request);
    if (/^\/keys\/[^/]+\/revokeTokens$/.test(url.pathname)) return this.#answerRevocation(url, request);
    const channel = /^\/channels\/(?:dispatch%3Ajob%3A([^/]+)|notifications%3Auser%3A([^/]+)|admin%3Aops)\/messages$/.exec(url.pathname);
    const user = channel?.[2] === undefined ? undefined : inboxOf(decodeURIComponent(channel[2]));
    const jobId = channel?.[0] === undefined ? undefined : (channel[1] ?? user ?? OPERATIONS);
    if (jobId === undefined) {
      this.strays.push(url.href);
      return new Response(null, { status: 404 });
    }
    this.#departs(jobId);
    try {
      return await this.#publish(jobId, url, request, await request.text());
    } finally {
      this.#lands(jobId);
    }
  }

  async #answerRevocation(url: URL, request: Request): Promise<Response> {
    const revocation = { ...(JSON.parse(await request.text()) as Pick<Revocation, "targets" | "issuedBefore">), url: url.href, at: performance.now() };
    this.#revocations.push(revocation);
    const planned = revocation.targets.map((target) => this.#revocationPlans.get(target)?.shift());
    return (planned.find((behaviour) => behaviour !== undefined) ?? revoked)(revocation);
  }

  // What is in it is written as each message was, so that its bytes can be compared whichever way they came.
  async #answerBatch(url: URL, request: Request): Promise<Response> {
    const specs = JSON.parse(await request.text()) as { channels: [string]; messages: [object] }[];
    const jobs = specs.map(({ channels: [channel] }) => channel.replace("dispatch:job:", "").replace(/^notifications:user:/, inboxOf("")));
    const batch = { jobs, at: performance.now() };
    const number = this.batches.push(batch);
    jobs.forEach((job) => this.#departs(job));
    try {
      const whole = this.#wholePlans.shift();
      if (whole !== undefined) return await whole(batch);
      const results = specs.map(async ({ channels: [channel], messages: [message] }, place) => {
        const answer = await this.#publish(jobs[place] ?? "", url, request, JSON.stringify(message), number);
        const { error, messageId } = (await answer.json()) as { error?: object; messageId?: string };
        const result = error === undefined ? { channel, messageId, serials: ["s"] } : { channel, error };
        return { successCount: error === undefined ? 1 : 0, failureCount: error === undefined ? 0 : 1, results: [result] };
      });
      return Response.json(await Promise.all(results), { status: 201 });
    } finally {
      jobs.forEach((job) => this.#lands(job));
    }
  }

  async #publish(jobId: string, url: URL, request: Request, body: string, batch?: number): Promise<Response> {
    const message = JSON.parse(body);
    const event = JSON.parse(message.data);
    // The Worker would take an error for one of Ably's.
    queueMicrotask(() => holdEvent(message.name, event));
    const publish = { method: request.method, url: url.href, headers: request.headers, body, message, event, at: performance.now(), batch };
    this.#publishes.set(jobId, [...this.publishes(jobId), publish]);
    const behaviour = this.#plans.get(jobId)?.shift() ?? stored;
    return behaviour(publish, () => this.#sockets.get(url.href)?.destroy());
  }

  #departs(jobId: string): void {
    const flying = (this.#inFlight.get(jobId) ?? 0) + 1;
    this.#inFlight.set(jobId, flying);
    this.#mostInFlight.set(jobId, Math.max(this.mostInFlight(jobId), flying));
  }

  #lands(jobId: string): void {
    this.#inFlight.set(jobId, (this.#inFlight.get(jobId) ?? 1) - 1);
  }
}
