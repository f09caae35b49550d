// A server that stands in for a provider's, at a port of this machine.

import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { after } from "node:test";

export interface Asked {
  method: string;
  url: URL;
  headers: IncomingMessage["headers"];
  body: string;
}

/** What is answered: JSON, or where to go. */
export type Said = { status: number; body?: object } | { to: string };

/** Starts it, stops it when the tests of the file have ended, and returns where it is. */
export async function serve(answer: (asked: Asked) => Said): Promise<string> {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const text of request) body += text;
    const { method = "", headers, url = "" } = request;
    const said = answer({ method, url: new URL(url, "http://localhost"), headers, body });
    if ("to" in said) response.writeHead(302, { location: said.to }).end();
    else response.writeHead(said.status, { "content-type": "application/json" }).end(said.body && JSON.stringify(said.body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
