// What each page begins with: what it was told, and its client.

import type { ReactNode } from "react";
import { createRoot, hydrateRoot } from "react-dom/client";
import { createTowline, type Towline } from "../../../../clients/typescript/src/index.ts";
import type { Config } from "../support/site.ts";

declare global {
  /** The page's client, for the test. */
  var towline: Towline;
}

/** What the HTML says. */
export function told(): Config {
  return JSON.parse(document.getElementById("config")?.textContent ?? "{}");
}

/** The client of a page, as an app makes it. */
export function client({ user, ablyPort }: Config): Towline {
  const byAbly = ablyPort !== undefined && { ably: () => import("ably"), ablyOptions: { endpoint: "127.0.0.1", port: ablyPort, tls: false } };
  return (globalThis.towline = createTowline({ url: "", cookies: true, user, ...byAbly }));
}

/** Shows a page, or takes over one that came rendered. */
export function start(page: ReactNode) {
  const root = document.getElementById("root") as HTMLElement;
  if (root.hasChildNodes()) hydrateRoot(root, page, { onRecoverableError: (error) => console.error("not as it was rendered:", error) });
  else createRoot(root).render(page);
}
