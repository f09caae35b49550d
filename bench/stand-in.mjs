// A stand-in for Ably that takes every message at once, so that the service and not Ably is measured.

import { once } from "node:events";
import { createServer } from "node:http";
import { LOOPBACK } from "../scripts/dev/ports.mjs";

export async function standIn() {
  const answer = '{"messageId":"m"}';
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(201, { "content-type": "application/json" }).end(answer));
  });
  server.listen(0, LOOPBACK);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the stand-in for Ably has no port");
  return { port: address.port, close: () => (server.close(), server.closeAllConnections()) };
}
