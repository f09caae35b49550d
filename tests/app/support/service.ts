// The service where the registry alone decides, in a workerd of its own.

import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { startWorkerd } from "../../e2e/support/workerd.ts";

/**
 * Starts it. A workerd by itself has no rate limits, which such a service wants to have: one stands in that refuses nobody.
 */
export const startService: typeof startWorkerd = (parts, folder, settings) =>
  startWorkerd(parts, folder, settings, (worker) => {
    const entry = join(worker, "entry.js");
    const [, name] = /export \{[^}]*?(\w+) as default\b/.exec(readFileSync(entry, "utf8")) ?? [];
    appendFileSync(
      entry,
      `
const unlimited = ${name}.fetch;
${name}.fetch = (request, env) => unlimited(request, { ...env, UNKNOWN_JOBS: { limit: async () => ({ success: true }) } });
`,
    );
  });
