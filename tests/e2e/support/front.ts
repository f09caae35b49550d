// The platform's own front end between a page and the service: it knows who is signed in, and passes `authUrl` on with that
// user's session, as a Next.js rewrite with an HttpOnly cookie does.

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { COOKIE, type World } from "./world.ts";

export class Front {
  /** Asked at each request: signing in again, or out, is another answer. */
  session: () => string;
  /** The status of each answer that it has passed on. */
  readonly statuses: number[] = [];
  readonly #server: Server;

  private constructor(world: World, session: () => string) {
    this.session = session;
    this.#server = createServer(async (request, response) => {
      try {
        const { search } = new URL(request.url ?? "", world.url);
        const answer = await fetch(`${world.authUrl}${search}`, { headers: { cookie: `${COOKIE}=${this.session()}` } });
        this.statuses.push(answer.status);
        const passedOn = ["content-type", "cache-control", "x-ably-errorcode"].flatMap((name) => {
          const value = answer.headers.get(name);
          return value === null ? [] : [[name, value] as const];
        });
        response.writeHead(answer.status, Object.fromEntries(passedOn)).end(await answer.text());
      } catch {
        response.destroy();
      }
    });
  }

  static async start(t: TestContext, world: World, session: () => string): Promise<Front> {
    const front = new Front(world, session);
    front.#server.listen(0, "127.0.0.1");
    await once(front.#server, "listening");
    t.after(() => {
      front.#server.close();
      front.#server.closeAllConnections();
    });
    return front;
  }

  get authUrl() {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/api/ably-token`;
  }
}
