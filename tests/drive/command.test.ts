// What the command is asked, and what it says of that.

import assert from "node:assert/strict";
import { test } from "node:test";
import { asked, progressLine } from "../../scripts/drive/command.mjs";

const args = (text: string) => text.split(" ");

test("a file, a job and a speed", () => {
  const { file, job, speed, url } = asked(args("--file a.gpx --job job-1 --speed 0.5 --url http://127.0.0.1:8787")) ?? assert.fail();
  assert.deepEqual([file, job, speed, url], ["a.gpx", "job-1", 0.5, "http://127.0.0.1:8787"]);
  assert.equal(asked(args("--file a.gpx --job job-1"))?.speed, 1);
  for (const help of ["--help", "-h", "--file a.gpx --help"]) assert.equal(asked(args(help)), undefined);
});

test("what cannot be meant is told, with the help where something is missing", () => {
  const cases: [string, RegExp][] = [
    ["--job job-1", /--file and --job are needed[^]*npm run drive/],
    ["--file a.gpx", /--file and --job are needed/],
    ["--file a.gpx --job job-1 --loop", /--loop[^]*npm run drive/],
    ["--file a.gpx --job job-1 more", /more/],
    ...["0", "-1", "fast", "Infinity"].map((speed): [string, RegExp] => [`--file a.gpx --job job-1 --speed=${speed}`, /--speed is a number above 0/]),
    ...[".", "..", "a/b", "ä", "x".repeat(65)].map((job): [string, RegExp] => [`--file a.gpx --job ${job}`, /--job is 1 to 64/]),
  ];
  for (const [text, said] of cases) assert.throws(() => asked(args(text)), ({ message }: Error) => said.test(message), text);
});

test("what has become of the drive, in a line", () => {
  assert.equal(progressLine(110, { sent: 0, became: {} }), "  0 of 110 posted");
  const trouble = "503 backlog; sent again in 3 s";
  assert.equal(
    progressLine(110, { sent: 37, became: { accepted: 35, "rejected (too_old)": 2 }, trouble }),
    "  37 of 110 posted: 35 accepted, 2 rejected (too_old). The rest waits: 503 backlog; sent again in 3 s",
  );
});
