import "server-only";
import type { AblyOptions } from "@towline/client";

/** Where Ably is: nothing for Ably itself, else what `.towline/dev.json` says of the local one. */
export function ablyOptions(): AblyOptions | undefined {
  const { ABLY_ENDPOINT: endpoint, ABLY_PORT: port, ABLY_TLS: tls } = process.env;
  return endpoint ? { endpoint, port: Number(port), tls: tls !== "false" } : undefined;
}
