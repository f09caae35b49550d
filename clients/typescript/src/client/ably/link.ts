// The one connection to Ably that a tab has, and its tokens.

import type { ClientOptions, ErrorInfo, Realtime, TokenDetails, TokenRequest } from "ably";
import { LOAD_AGAIN_MS } from "../later.ts";
import type { AblyModule, AblyOptions, Answer, Clock, LoadAbly } from "../types.ts";

export interface Link {
  /** From when `ably` is loaded until it is closed. */
  readonly realtime: Realtime | undefined;
  /** Whether it is open, or about to be. */
  readonly isOpen: boolean;
  open(): void;
  close(): void;
}

interface Needs {
  load: LoadAbly;
  options: AblyOptions | undefined;
  clock: Clock;
  token(): Promise<Answer<string>>;
  /** The connection has another state, by Ably's names; `failed` and `closed` are its end. */
  changed(state: string, reason?: ErrorInfo): void;
}

/** A client of Ably's that is closed is never opened again: it would go on with the token that it had. The next one is new. */
export function ablyLink({ load, options, clock, token, changed }: Needs): Link {
  let present: { realtime?: Realtime } | undefined;
  const end = () => {
    const ended = present?.realtime;
    present = undefined;
    ended?.close();
  };
  return {
    get realtime() {
      return present?.realtime;
    },
    get isOpen() {
      return present !== undefined;
    },
    open() {
      const mine: { realtime?: Realtime } = (present = {});
      const ifPresent = (call: () => void) => {
        if (present === mine) call();
      };
      /** By `code` and `statusCode` Ably's client knows whether to come again. */
      const newToken = async () => {
        const answer = await token();
        if (present === mine && answer.is === "ok") return answer.body;
        const statusCode = present === mine && answer.is === "again" ? 401 : 403;
        throw { message: "no token", code: statusCode === 401 ? 40170 : 40300, statusCode };
      };
      const begin = (loaded: AblyModule | { default: AblyModule }) => {
        const { Realtime: Client } = ("Realtime" in loaded ? loaded : loaded.default) as unknown as { Realtime: new (options: ClientOptions) => Realtime };
        const { connection } = (mine.realtime = new Client({
          ...options,
          // The page may stay after all where somebody is asked whether to leave it: `pagehide` says that it goes.
          closeOnUnload: false,
          authCallback: (_, give: (error: ErrorInfo | null, token: string | TokenDetails | TokenRequest | null) => void) =>
            void newToken().then((jwt) => give(null, jwt), (error) => give(error, null)),
        }));
        connection.on(({ current, reason }) =>
          ifPresent(() => {
            if (current === "failed" || current === "closed") end();
            changed(current, reason);
          }),
        );
      };
      load().then(
        (loaded) => ifPresent(() => begin(loaded)),
        // Its files are where the network is.
        () =>
          ifPresent(() => {
            changed("disconnected");
            clock.after(LOAD_AGAIN_MS, () => ifPresent(() => this.open()));
          }),
      );
    },
    close: end,
  };
}
