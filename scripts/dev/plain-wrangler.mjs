// What `npx wrangler dev` reads when somebody runs it by hand, in files that git ignores.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../setup/environment.mjs";
import { ABLY_PORT, clone, writePrivate } from "./clone.mjs";
import { DEVELOPMENT, DISCREET } from "./service.mjs";

const WRITTEN_BY = "# Written by set-up, for `npx wrangler dev` beside `npm run local-ably`. Delete this line to keep your own.";

/**
 * The settings of the Worker.
 * @param {import("./clone.mjs").Clone} secrets
 */
export function devVarsText({ localAblyKey, sessionSecret }) {
  const ABLY_REST_URL = `http://127.0.0.1:${ABLY_PORT}`;
  return text({ ABLY_API_KEY: localAblyKey, ABLY_REST_URL, SESSION_SECRET: sessionSecret, ...DEVELOPMENT });
}

/** The settings of Wrangler itself, which it does not take from `.dev.vars` or wrangler.toml. */
export function envLocalText() {
  return text(DISCREET);
}

/** @param {Record<string, string>} settings */
function text(settings) {
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  return `${WRITTEN_BY}\n${lines.join("")}`;
}

/** @type {[path: string, text: () => string][]} */
const FILES = [
  [join(ROOT, ".dev.vars"), () => devVarsText(clone())],
  [join(ROOT, ".env.local"), envLocalText],
];

/** The files that are not there, or that were written by set-up and say something else by now. */
function stale() {
  return FILES.filter(([path, text]) => {
    if (!existsSync(path)) return true;
    const present = readFileSync(path, "utf8");
    return present.startsWith(WRITTEN_BY) && present !== text();
  });
}

/** @type {import("../setup/steps.mjs").Step} */
export const plainWrangler = {
  what: "secrets of this clone, .dev.vars and .env.local",
  takes: "a moment",
  done: () => stale().length === 0,
  run: async () => {
    for (const [path, text] of stale()) writePrivate(path, text());
  },
};
