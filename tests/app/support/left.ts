// What somebody who has used a browser leaves in it.

import type { Page, Response } from "playwright-core";
import type { Visit } from "./visit.ts";

/** All that scripts can store for the app, and the cookies, in one text; of JWTs what they say. */
export async function stored(visit: Visit, page: Page): Promise<string> {
  const cookies = (await visit.context.cookies()).map(({ name, value }) => [name, claims(value)]);
  const byScripts = await page.evaluate(async () => {
    const done = <T>(request: IDBRequest<T>) => new Promise<T>((resolve, reject) => Object.assign(request, { onsuccess: () => resolve(request.result), onerror: () => reject(request.error) }));
    const databases: unknown[] = [];
    for (const { name = "" } of await indexedDB.databases()) {
      const database = await done(indexedDB.open(name));
      for (const store of database.objectStoreNames) databases.push([name, store, await done(database.transaction(store).objectStore(store).getAll())]);
      database.close();
    }
    const files: string[] = [];
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const request of await cache.keys()) files.push(request.url, (await (await cache.match(request))?.text()) ?? "");
    }
    return JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), databases, files, window.name, history.state]);
  });
  return `${JSON.stringify(cookies)} ${byScripts}`;
}

/** A request to the service: whom the page took itself to be, whose session went with it, and how it was answered. */
export interface Asked {
  path: string;
  as: string | undefined;
  session: string | undefined;
  status: number;
}

/** The requests to the service that are answered from now on, as they are when what is returned is called. */
export function asked({ context, app }: Visit): () => Promise<Asked[]> {
  const all: Promise<Asked>[] = [];
  const read = async (response: Response, { pathname, searchParams }: URL): Promise<Asked> => {
    const headers = await response.request().allHeaders();
    const jwt = /(?:^|; )session=([^;]+)/.exec(headers.cookie ?? "")?.[1];
    return { path: pathname, as: headers["towline-user"] ?? searchParams.get("user") ?? undefined, session: jwt && claims(jwt).sub, status: response.status() };
  };
  context.on("response", (response) => {
    const url = new URL(response.url());
    if (url.origin !== app.url || !url.pathname.startsWith("/api/")) return;
    const one = read(response, url);
    // Of one that comes as the browser closes nobody asks any more.
    one.catch(() => {});
    all.push(one);
  });
  return () => Promise.all(all);
}

/** What a JWT says. */
function claims(jwt: string): { sub?: string } {
  return JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString());
}
