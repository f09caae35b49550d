// Ends what `npm start` has started, however `npm start` itself ends: by Ctrl-C, by a crash, or by a kill -9 that lets
// it clean up nothing. It is a process of its own that reads its orders from its standard input, and goes to work when
// that closes, which the system does for the dead as well.
//
// Orders, one a line: `group <id>` is a process group to end, `file <path>` a file to remove afterwards.

import { rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** How long a part may take to end by itself. */
const GRACE_MS = 5_000;

// What ends `npm start` must not end this first.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});

let input = "";
for await (const text of process.stdin.setEncoding("utf8")) input += text;
const orders = input.split("\n").map((line) => /^(\w+) (.+)$/.exec(line) ?? []);
const groups = orders.filter(([, kind]) => kind === "group").map(([, , id]) => Number(id));

signal("SIGTERM");
for (const end = Date.now() + GRACE_MS; signal(0) && Date.now() < end; ) await delay(50);
signal("SIGKILL");
for (const [, kind, path] of orders) if (kind === "file" && path !== undefined) rmSync(path, { force: true });

/**
 * Signals every group.
 * @param {NodeJS.Signals | 0} name
 * @returns {boolean} whether any is still there
 */
function signal(name) {
  const reached = groups.map((id) => {
    try {
      return process.kill(-id, name);
    } catch {
      return false;
    }
  });
  return reached.includes(true);
}
