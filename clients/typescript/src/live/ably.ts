// A job by its channel of Ably's, and its first state where the channel may have left something out.

import { timer } from "../client/timer.ts";
import type { Core } from "../client/types.ts";
import type { Feed } from "../view/types.ts";
import { firstState, isOfRegistration, pollMs } from "./first.ts";
import { hint, works } from "./hint.ts";
import { streamFeed } from "./stream.ts";

/** Within how long Ably has to bring a channel, half of it by chance. Access that ends meanwhile is told by nobody. */
const WITHIN_MS = 10_000;
/** Within how long it is asked what a change of the channel means, by chance: Ably's network changes for all who watch at once. */
const SOON_MS = 250;

/**
 * What comes on the channel, and the first state: at once, after each attachment that may have missed something, and whenever access may
 * have ended. Where the viewer may read and has no channel (a gate, joined a moment ago, or Ably is not reached) a stream stands in for it,
 * and without one a request every 5 s, until it is there.
 */
export function ablyFeed(core: Core): Feed {
  const { channels, clock, connection, visible } = core;
  const byStream = core.stream && streamFeed(core);
  return (jobId, give) => {
    let attached = false;
    // The token has no such channel, or Ably does not bring it.
    let missing = false;
    let withheld = false;
    // The viewer may read, and has no channel: from when that is known until it is attached.
    let without = false;
    let standIn: (() => void) | undefined;
    const waiting = timer(clock);
    // What was missed, and what a cut means.
    const [asking, checking] = [timer(clock), timer(clock)];
    const soon = (which: typeof asking) => which(SOON_MS * Math.random(), first.now);
    const miss = () => {
      missing = true;
      if (connection.get().state !== "connected") hint("no ably");
      wait();
      first.now();
    };
    /** Gives Ably its time, where nothing is known of the channel and somebody looks. */
    const wait = () => {
      waiting();
      if (!attached && !missing && visible.get()) waiting(WITHIN_MS * (0.5 + Math.random() / 2), miss);
    };

    const link = (up: boolean) => standIn || give({ is: "link", up, at: clock.now() });
    const unneeded = () => {
      standIn?.();
      standIn = undefined;
    };
    const first = firstState(
      core,
      jobId,
      (input) => {
        if (input.is === "refused") {
          without = false;
          missing = !attached;
          wait();
          unneeded();
        }
        give(input);
      },
      (state) => {
        withheld = state.withheld === true;
        without = withheld || (!attached && (missing || without));
        if (without && byStream) standIn ??= byStream(jobId, give).stop;
        if (!without) unneeded();
        if (attached || without) link(true);
        return without && !byStream ? pollMs(core) : undefined;
      },
      () => attached || link(false),
    );
    first.now();
    wait();
    const leave = [
      channels!.listen(
        `dispatch:job:${jobId}`,
        {
          message(name, data, at) {
            // What was sent before the gate was closed may still come after it.
            if (!withheld) give({ is: "message", name, data, at });
            // Who takes part has changed, and may not be the viewer any more; or there is a gate now, or another place.
            if (isOfRegistration(name, data)) first.now();
          },
          attached(continuous) {
            works("no ably");
            attached = true;
            missing = false;
            wait();
            link(true);
            checking();
            if (!continuous || standIn) soon(asking);
          },
          detached() {
            attached = false;
            link(false);
            wait();
            // The network, or access has ended; not that, if it goes on.
            checking();
            if (visible.get()) soon(checking);
          },
          refused() {
            attached = false;
            miss();
          },
        },
        jobId,
      ),
      connection.subscribe(() => {
        const { state } = connection.get();
        // Where there is no channel anyway, the answers say how the service is reached.
        if (state === "offline" && !missing && !without) link(false);
        else if (state === "connected" && attached) link(true);
      }),
      visible.subscribe(wait),
      core.live({ refresh: first.now }),
      waiting,
      asking,
      checking,
      first.stop,
      unneeded,
    ];
    return {
      ask: first.now,
      stop() {
        for (const call of leave) call();
      },
    };
  };
}
