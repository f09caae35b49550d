// One client for the process, as Ably's tutorial has it.

import Ably from "ably";

const url = new URL(process.env.ABLY_REST_URL ?? "https://main.realtime.ably.net");

export const ably = new Ably.Rest({
  key: process.env.ABLY_API_KEY,
  endpoint: url.hostname,
  port: Number(url.port),
  tls: url.protocol === "https:",
  useBinaryProtocol: false,
});
