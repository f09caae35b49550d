// The browser that tests drive.

import assert from "node:assert/strict";
import { type Browser, chromium } from "playwright-core";
import { ADVICE, chromiumPath } from "../../scripts/setup/chromium.mjs";

/** Starts a Chromium that has no business of its own on the network, with further arguments if any are given. */
export function launchBrowser(...args: string[]): Promise<Browser> {
  return launch(args);
}

/** One that keeps the pages that are left, for whoever goes back to them, as people's browsers do. */
export function launchKeeper(...args: string[]): Promise<Browser> {
  return launch(args, ["--disable-back-forward-cache"]);
}

function launch(args: string[], ignoreDefaultArgs: string[] = []): Promise<Browser> {
  const executablePath = chromiumPath();
  assert(executablePath !== undefined, ADVICE);
  const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
  const common = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", ...quiet];
  return chromium.launch({ executablePath, args: [...common, ...args], ignoreDefaultArgs });
}
