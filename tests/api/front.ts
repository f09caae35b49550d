// What stands between the fuzzer and the service: it holds each answer against the description, strictly, and ends streams, which would
// never end by themselves.

import { once } from "node:events";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { holdAnswer } from "../integration/support/contract.ts";
import { Answer } from "../integration/support/http.ts";

/** So long a stream is read, in milliseconds: its first events come at once. */
const STREAM_MS = 50;

export interface Front {
  url: string;
  /** What is not as the description has it, each with how often it came. */
  wrong: Map<string, number>;
  /** How often each answer came, by status, method and route. */
  statuses: Map<string, number>;
  close(): void;
}

/** Starts one in front of a service. */
export async function front(service: string): Promise<Front> {
  const { hostname, port } = new URL(service);
  const wrong = new Map<string, number>();
  const statuses = new Map<string, number>();
  const count = (counts: Map<string, number>, what: string) => counts.set(what, (counts.get(what) ?? 0) + 1);
  const agent = new Agent({ keepAlive: true });
  const server = createServer((incoming, outgoing) => {
    const { method = "", url: path = "", rawHeaders } = incoming;
    const onward = request({ method, path, hostname, port, headers: rawHeaders, agent }, (answer) => {
      const status = answer.statusCode ?? 0;
      outgoing.writeHead(status, answer.rawHeaders);
      const chunks: Buffer[] = [];
      const end = () => {
        const whole = new Answer(status, answer.rawHeaders, Buffer.concat(chunks));
        count(statuses, `${status} ${method}`);
        try {
          holdAnswer(method, path, whole);
        } catch (error) {
          count(wrong, error instanceof Error ? error.message : String(error));
        }
        outgoing.end();
      };
      answer.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        outgoing.write(chunk);
      });
      answer.on("end", end);
      if (method !== "HEAD" && answer.headers["content-type"] === "text/event-stream") {
        setTimeout(() => {
          answer.removeListener("end", end);
          end();
          answer.destroy();
        }, STREAM_MS);
      }
      answer.on("error", () => {});
    });
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: own } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${own}`, wrong, statuses, close: () => (server.close(), server.closeAllConnections(), agent.destroy()) };
}
