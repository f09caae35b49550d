// Looking at other processes: from /proc where there is one, which costs nothing, and else with ps.

import { existsSync, readFileSync } from "node:fs";
import { output } from "../setup/environment.mjs";

const PROC = existsSync("/proc/self/stat");

/**
 * Whether a process runs and is what it is taken for: its id may have gone to another since. A dead one that nobody
 * has collected yet does not run.
 * @param {number | undefined} pid
 * @param {string} command part of its command line
 */
export function runs(pid, command) {
  return pid !== undefined && look(pid)?.command.includes(command) === true;
}

/**
 * The npm that runs this process, where one does. There may be a shell between the two.
 * @returns {number | undefined} its process id
 */
export function npmProcess() {
  if (process.env.npm_lifecycle_event === undefined) return undefined;
  const parent = look(process.ppid);
  if (parent === undefined) return undefined;
  return [process.ppid, parent.parent].find((pid) => runs(pid, "npm"));
}

/** @param {number} pid */
function look(pid) {
  if (!PROC) {
    const [, parent, state, command] = /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(output("ps", ["-o", "ppid=,stat=,args=", "-p", String(pid)]) ?? "") ?? [];
    return command === undefined || state?.startsWith("Z") ? undefined : { parent: Number(parent), command };
  }
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    // The name of the program, in brackets, may hold blanks and brackets itself: what follows its end does not.
    const [state, parent] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return state === "Z" ? undefined : { parent: Number(parent), command };
  } catch {
    return undefined;
  }
}
