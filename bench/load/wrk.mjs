// wrk: it goes as fast as the server answers. What it sends comes from a Lua script, which is written for each load.

import { spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "../../scripts/setup/steps.mjs";
import { output } from "../../scripts/setup/environment.mjs";

/** @import { Shape } from "./shape.mjs" */

/**
 * @typedef {object} Driven
 * @property {number} requests that were answered
 * @property {number} seconds
 * @property {number} open how many may have been under way when it ended
 */

/** Fails where there is no wrk. */
export function needWrk() {
  if (output("sh", ["-c", "command -v wrk"]) === undefined) {
    throw new Failure("The load comes from wrk, which is not here.\nWhat to do: apt-get install wrk, or brew install wrk.");
  }
}

/**
 * @param {Shape} shape
 * @param {object} options
 * @param {string} options.url
 * @param {number} options.connections
 * @param {number} options.seconds
 * @param {string} options.dir a temporary folder
 * @returns {Promise<Driven>}
 */
export async function drive(shape, { url, connections, seconds, dir }) {
  const script = join(dir, `${shape.tag}.lua`);
  writeFileSync(script, lua(shape));
  // One thread: two would each have a clock of their own, and the machine has little to spare.
  const child = spawn("wrk", ["-t1", `-c${connections}`, `-d${seconds}`, "--timeout", "20", "-s", script, url], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (text += data));
  await new Promise((resolve, reject) => child.once("close", resolve).once("error", reject));
  rmSync(script);
  const said = /RESULT (.*)/.exec(text)?.[1];
  if (said === undefined) throw new Error(`wrk said no result: ${text}`);
  const { requests, us, refused, errors } = JSON.parse(said);
  if (refused + errors > 0 || requests === 0) throw new Error(`of ${requests} requests ${refused} were refused, and ${errors} broke off`);
  return { requests, seconds: us / 1e6, open: connections };
}

/** @param {Shape} shape */
function lua({ heads, fixes, ids, lagMs, tag }) {
  return `local ffi = require("ffi")
ffi.cdef[[ typedef struct { long s; long us; } towline_time; int gettimeofday(towline_time *, void *); ]]
local time = ffi.new("towline_time")
local function now()
  ffi.C.gettimeofday(time, nil)
  return tonumber(time.s) * 1000 + math.floor(tonumber(time.us) / 1000)
end
local heads = { ${heads.map((head) => JSON.stringify(head)).join(",\n")} }
local clocks, places, turn, count = {}, #heads, 0, 0
local function fix(captured)
  count = count + 1
  return string.format('{"lat":%.5f,"lng":13.71234,"speed":12.5,"heading":90,"accuracy":5,"capturedAt":%.0f${ids ? `,"id":"${tag}-%d"` : ""}}',
    45 + count % 100000 / 1e5, captured${ids ? ", count" : ""})
end
request = function()
  turn = turn % places + 1
${fixes === 0 ? "  return heads[turn]" : postLua(fixes, lagMs)}
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%d,"us":%d,"refused":%d,"errors":%d}\\n',
    summary.requests, summary.duration, e.status, e.connect + e.read + e.write + e.timeout))
end
`;
}

/**
 * @param {number} fixes
 * @param {number} lagMs
 */
function postLua(fixes, lagMs) {
  const first = `  local captured = math.max((clocks[turn] or 0) + 1, now() - ${lagMs + fixes - 1})`;
  if (fixes === 1)
    return `${first}\n  clocks[turn] = captured\n  local body = fix(captured)\n  return heads[turn] .. #body .. "\\r\\n\\r\\n" .. body`;
  return `${first}
  local all = {}
  for i = 1, ${fixes} do all[i] = fix(captured + i - 1) end
  clocks[turn] = captured + ${fixes - 1}
  local body = '{"locations":[' .. table.concat(all, ",") .. ']}'
  return heads[turn] .. #body .. "\\r\\n\\r\\n" .. body`;
}
