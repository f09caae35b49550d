// Ably's channels, each attached as long as somebody listens, on one connection a tab.

import type { ChannelMode, ErrorInfo, Realtime, RealtimeChannel } from "ably";
import type { Stoppable } from "../later.ts";
import type { Lives } from "../life.ts";
import { each } from "../store.ts";
import type { AblyOptions, Answer, ChannelListener, Clock, Connection, Http, LoadAbly } from "../types.ts";
import { isWanted, type Lease, modesOf, type Part } from "./lease.ts";
import { ablyLink } from "./link.ts";
import { tokensFrom } from "./tokens.ts";

/** A channel that nobody listens to any more is kept so long: whoever goes often comes back. Tokens are no closer to each other, either. */
const LINGER_MS = 1_000;
/** A page that nobody has looked at for so long needs no connection, unless it is on duty. */
const HIDDEN_MS = 60_000;
/** Ably's limit of a connection. */
const CHANNELS_MAX = 200;
/** After how long a channel that was refused is asked for again, at first and at most: whoever joins a job late gets it after 125 s. */
const AGAIN_MS = 5_000;
const AGAIN_MAX_MS = 60_000;
/** How long nobody is asked where there is no token, or Ably takes none: such causes go away, a key or an account is mended. */
const REFUSED_MS = 120_000;
/** Ably's code of a token that was revoked, and when another one is sure to be of a later second. */
const REVOKED = 40141;
const REVOKED_MS = 1_000;

interface Needs {
  load: LoadAbly;
  options: AblyOptions | undefined;
  http: Http;
  /** Asks whose session it is, which stops the client where it is another one's. */
  check(): Promise<unknown>;
  life: Lives;
  clock: Clock;
  /** How Ably is reached has changed; or has not. */
  reached(state: Connection["state"], reason?: Connection["reason"]): void;
}

export function ablyChannels(needs: Needs): Stoppable {
  const { http, check, life, clock, reached } = needs;
  const tokens = tokensFrom(http);
  const leases = new Map<string, Lease>();
  const link = ablyLink({ ...needs, token: newToken, changed });
  /** How many tokens there have been. */
  let token = 0;
  let isOver = false;
  /** There while nobody is asked, as a connection was refused: ends that. */
  let refusal: (() => void) | undefined;
  /** Since the page is not seen: ends the time for which it is kept. `long`: that is over. */
  let hidden: (() => void) | "long" | undefined;
  let watching: (() => void)[] | undefined;
  let soon: (() => void) | undefined;
  /** When another token is asked for next. */
  let again: { at: number; cancel(): void } | undefined;
  let agains = 0;
  let askedAt = -Infinity;

  const all = () => [...leases.values()];
  const isConnected = () => link.realtime?.connection.state === "connected";

  /** Nothing is done within a tick: what comes and goes in one is nothing. */
  function settleSoon() {
    soon ??= clock.after(0, settle);
  }

  /** Brings what there is into line with what is wanted. */
  function settle() {
    soon?.();
    soon = undefined;
    forget();
    const onDuty = all().some(({ parts }) => [...parts].some(({ is }) => is));
    if (leases.size === 0 || life.away.get() || (hidden === "long" && !onDuty)) {
      drop();
      forget();
      reached(leases.size === 0 ? "idle" : "hidden");
    } else if (!refusal) {
      if (!link.isOpen) {
        reached("connecting");
        link.open();
      }
      for (const lease of all()) step(lease);
    }
    for (const lease of all()) {
      // Whoever has come to a channel that others had before.
      each(lease.parts, (part) => {
        if (part.told || !(lease.up || lease.refused || refusal)) return;
        part.told = true;
        if (!lease.up) return part.hears?.refused?.(clock.now());
        part.hears?.attached?.(false, clock.now());
        if (part.hears?.presence) readMembers(lease);
      });
    }
  }

  function forget() {
    for (const lease of all()) if (!lease.channel && !isWanted(lease)) leases.delete(lease.name);
  }

  /** Closes the connection, if there is one, and with it what was on it. */
  function drop() {
    link.close();
    again?.cancel();
    again = undefined;
    refusal?.();
    refusal = undefined;
    agains = 0;
    for (const lease of all()) {
      lease.linger?.();
      lease.linger = lease.channel = undefined;
      lease.refused = lease.asked = false;
      down(lease);
    }
  }

  function changed(state: string, reason?: ErrorInfo) {
    if (state === "connected") {
      reached(state);
      settle();
    } else if (state === "failed") {
      // Asked again at once, session and Ably would say the same.
      drop();
      refusal = clock.after(REFUSED_MS, nudge);
      for (const lease of all()) refuse(lease);
      reached("offline", "refused");
    } else if (state !== "connecting") {
      // Which it is until it is connected, however often it tries.
      reached("offline");
      if (state === "closed") drop();
      for (const lease of all()) down(lease);
      settleSoon();
      // Tokens are revoked by whole seconds: one of the same second is too, and `ably` would wait for long before it asks for the next.
      if (reason?.code === REVOKED) clock.after(REVOKED_MS, nudge);
    }
  }

  async function newToken(): Promise<Answer<string>> {
    const wanted = all().filter(({ parts }) => parts.size > 0);
    askedAt = clock.now();
    const answer = await tokens.ask([...new Set(wanted.flatMap(({ jobId }) => jobId ?? []))]);
    if (answer.is === "ok") {
      token += 1;
      for (const lease of wanted) lease.asked = true;
    }
    // The token route does not say whether it was the session that it refused, but for 40160: there it is good, and gets nothing.
    if (answer.is === "refused" && answer.type !== "40160") await check();
    return answer;
  }

  /** Asks for another token where this one lacks something: at once where that is new, else after a while. */
  function askAgain(isNew: boolean) {
    const now = clock.now();
    if (isNew) agains = -1;
    const at = isNew ? Math.max(now, askedAt + LINGER_MS) : now + Math.min(AGAIN_MS * 2 ** agains, AGAIN_MAX_MS);
    if (again && again.at <= at) return;
    again?.cancel();
    const cancel = clock.after(at - now, () => {
      const done = () => {
        if (again === mine) again = undefined;
        settleSoon();
      };
      // None is sooner, until it has come.
      mine.at = -Infinity;
      if (!isConnected() || !all().some((lease) => lease.parts.size > 0 && lacks(lease))) return done();
      agains += 1;
      link.realtime?.auth.authorize().then(done, done);
    });
    const mine = (again = { at, cancel });
  }

  /** Whether the present token does not have it, as it says itself, or as Ably has said. */
  function lacks({ name, channel, tried }: Lease) {
    return !tokens.may(name) || (channel?.state === "failed" && tried === token);
  }

  /** Does the next thing about a channel. Called again at each change of what there is or is wanted. */
  function step(lease: Lease) {
    const { realtime } = link;
    let { channel } = lease;
    if (!realtime) return;
    const state = channel?.state ?? "initialized";
    if (!isWanted(lease)) {
      // What is under way ends first: `ably` would take the answer to one for that to another.
      if (!channel || state === "detaching" || (state === "attaching" && isConnected())) return;
      if (state === "attached" || state === "attaching" || state === "suspended") return void channel.detach().catch(() => {});
      lease.channel = undefined;
      realtime.channels.release(lease.name);
      return settleSoon();
    }
    if (lease.parts.size === 0) return;
    if (state === "attached" && channel) return bePresent(lease, channel);
    if (!isConnected() || state === "attaching" || state === "detaching" || state === "suspended") return;
    if (lacks(lease)) {
      if (lease.asked) refuse(lease);
      return askAgain(!lease.asked);
    }
    const taken = all().filter(({ channel }) => channel);
    if (!channel && taken.length >= CHANNELS_MAX) {
      // Whoever lingers makes way. Where all are wanted, the first have their places.
      const idle = taken.filter(({ parts }) => parts.size === 0);
      if (idle.length === 0) return refuse(lease);
      const next = idle.find(({ linger }) => linger);
      if (next) leave(next);
      return;
    }
    channel ??= begin(lease, realtime);
    lease.tried = token;
    channel.attach().catch(() => {});
  }

  function begin(lease: Lease, { channels }: Realtime): RealtimeChannel {
    const modes = modesOf(lease);
    const channel = channels.get(lease.name, { attachOnSubscribe: false, modes });
    Object.assign(lease, { channel, modes, present: undefined, doing: undefined, whole: false });
    channel.on(({ current, resumed }) => {
      if (lease.channel !== channel) return;
      if (current === "attached") {
        lease.up = true;
        lease.refused = false;
        const continuous = resumed && lease.whole === true;
        lease.whole = true;
        tell(lease, (listener, at) => listener.attached?.(continuous, at));
        readMembers(lease);
      } else down(lease);
      if (current === "detached" || current === "failed") {
        lease.whole = false;
        // Ably's client is present again by itself where it was cut off only.
        lease.present = undefined;
      }
      step(lease);
    });
    void channel.subscribe((message) => {
      if (lease.channel === channel) hear(lease, (listener, at) => listener.message?.(message.name ?? "", message.data, at));
    });
    if (modes.includes("PRESENCE_SUBSCRIBE")) void channel.presence.subscribe(() => readMembers(lease));
    return channel;
  }

  /** Is present as far as that is wanted now, and asks Ably for more where more is needed than when it was attached. */
  function bePresent(lease: Lease, channel: RealtimeChannel) {
    const lacksOf = (modes: ChannelMode[]) => modes.filter((mode) => !lease.modes?.includes(mode));
    const last = () => [...lease.parts].findLast(({ is }) => is);
    if (lacksOf(modesOf(lease)).length === 0 && last() === lease.present) return;
    const act = async () => {
      if (lease.channel !== channel || channel.state !== "attached") return;
      const modes = modesOf(lease);
      const more = lacksOf(modes);
      if (more.length > 0) {
        await channel.setOptions({ attachOnSubscribe: false, modes });
        lease.modes = modes;
        if (more.includes("PRESENCE_SUBSCRIBE")) seeMembers(lease, channel);
      }
      const is = last();
      if (is === lease.present) return;
      await (is ? channel.presence.enter(is.is?.data) : channel.presence.leave());
      lease.present = is;
    };
    // One after the other. What fails is tried again at the next change, and Ably's client logs it.
    lease.doing = (lease.doing ?? Promise.resolve()).then(act).catch(() => {});
  }

  function seeMembers(lease: Lease, channel: RealtimeChannel) {
    void channel.presence.subscribe(() => readMembers(lease));
    readMembers(lease);
  }

  /** Reads who is there, and tells it: once for all that changes in one go. */
  function readMembers(lease: Lease) {
    lease.reading ??= clock.after(0, async () => {
      lease.reading = undefined;
      const { channel, modes } = lease;
      if (!channel || !modes?.includes("PRESENCE_SUBSCRIBE")) return;
      const members = await channel.presence.get().catch(() => undefined);
      if (!members || lease.channel !== channel) return;
      const there = members.map(({ clientId, connectionId, data, timestamp }) => ({ clientId, connectionId, data, timestamp }));
      hear(lease, (listener) => listener.presence?.(there));
    });
  }

  function hear({ parts }: Lease, call: (listener: ChannelListener, at: number) => void) {
    const at = clock.now();
    each(parts, ({ hears }) => hears && call(hears, at));
  }

  /** Tells how the channel is, by which also those who have just come know it. */
  function tell(lease: Lease, call: (listener: ChannelListener, at: number) => void) {
    for (const part of lease.parts) part.told = true;
    hear(lease, call);
  }

  function down(lease: Lease) {
    if (!lease.up) return;
    lease.up = false;
    tell(lease, (listener, at) => listener.detached?.(at));
  }

  function refuse(lease: Lease) {
    if (lease.refused) return;
    lease.refused = true;
    tell(lease, (listener, at) => listener.refused?.(at));
  }

  /** Nobody has a part in it any more, or has had one for long. */
  function leave(lease: Lease) {
    lease.linger?.();
    lease.linger = undefined;
    settleSoon();
  }

  function see() {
    if (typeof hidden === "function") hidden();
    hidden = undefined;
    if (life.visible.get()) return nudge();
    hidden = clock.after(HIDDEN_MS, () => {
      hidden = "long";
      settle();
    });
  }

  /** What would be tried again later is tried now. */
  function nudge() {
    refusal?.();
    refusal = undefined;
    const { realtime } = link;
    const state = realtime?.connection.state;
    if (state === "disconnected" || state === "suspended") realtime?.connect();
    for (const { channel } of all()) if (channel?.state === "suspended") channel.attach().catch(() => {});
    settleSoon();
  }

  function take(name: string, part: Part, jobId?: string): () => void {
    if (isOver) return () => {};
    if (!watching) {
      watching = [life.visible.subscribe(see), life.away.subscribe(settle), life.live({ refresh: nudge })];
      see();
    }
    const lease = leases.get(name) ?? { name, jobId, parts: new Set() };
    leases.set(name, lease);
    lease.linger?.();
    lease.linger = undefined;
    lease.parts.add(part);
    settleSoon();
    return () => {
      if (!lease.parts.delete(part)) return;
      settleSoon();
      if (lease.parts.size === 0 && lease.channel) lease.linger = clock.after(LINGER_MS, () => leave(lease));
    };
  }

  return {
    listen: (name, hears, jobId) => take(name, { hears }, jobId),
    enter: (name, data) => take(name, { is: { data } }),
    stop() {
      isOver = true;
      each(watching ?? [], (off) => off());
      if (typeof hidden === "function") hidden();
      drop();
      soon?.();
      leases.clear();
    },
  };
}
