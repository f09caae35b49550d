// The set-up as a developer runs it: what it says, what README promises of it, where it listens, and what it leaves on disk.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { writePrivate } from "../../scripts/dev/clone.mjs";
import { sign } from "../../scripts/dev/session.mjs";
import { ROOT } from "../../scripts/setup/environment.mjs";
import { buildWorker } from "../../scripts/setup/worker.mjs";
import { eventually } from "../e2e/support/wait.ts";
import { AnotherClone, type Running } from "./support/another-clone.ts";
import { grep } from "./support/disk.ts";
import { networkPorts } from "./support/listening.ts";
import { has, SHELLS, take } from "./support/tour.ts";

const COOKIE = "towline_session";
/** A place that is asked about in a query, and one that is posted: nothing else is there. */
const ASKED = "47.5318642";
const POSTED = "46.9751308";

type Secrets = Record<string, string>;

const random = () => randomBytes(32).toString("base64url");

describe("a development set-up", () => {
  let clone: AnotherClone;
  before(async () => {
    await buildWorker();
    clone = new AnotherClone();
  });
  after(() => clone.remove());

  /**
   * Sends secrets in all the places where clients put them. In development there is a hint for each refusal: two are waited for, so that
   * the run has said a good deal before it is looked at. What Wrangler has not passed on when it is told to end, it never does.
   */
  async function plant({ url, output }: Running): Promise<Secrets> {
    const { jobId, sessionSecret } = clone.secrets;
    const exp = Math.floor(Date.now() / 1000) + 600;
    const session = () => sign({ sub: `driver-${random()}`, role: "driver", jobs: [jobId], exp }, sessionSecret);
    const [query, header, cookie, body] = [session(), session(), session(), session()];
    const location = `/api/jobs/${jobId}/location`;
    const headers = { Authorization: `Bearer ${header}` };
    const requests: [path: string, status: number, init?: RequestInit][] = [
      [`/api/ably-token?access_token=${query}`, 400],
      [`/nowhere?token=${query}`, 404],
      [`${location}?token=${query}`, 400, { method: "POST", headers, body: "{}" }],
      [`${location}?near=${ASKED},11.2`, 200, { headers }],
      ["/api/ably-token", 200, { headers }],
      ["/api/ably-token", 200, { headers: { Cookie: `${COOKIE}=${cookie}` } }],
      [location, 400, { method: "POST", headers, body: JSON.stringify({ token: body }) }],
      [location, 200, { method: "POST", headers, body: `{"lat": ${POSTED}, "lng": 11.2}` }],
    ];
    for (const [path, status, init] of requests) {
      const answer = await fetch(url + path, init);
      assert.equal(answer.status, status, `${path.split("?")[0]}: ${await answer.text()}`);
    }
    for (const hint of ["Hint, 400 session_in_query at GET /api/ably-token: ", "Hint, 400 invalid_fix at POST "]) {
      await eventually(`the line "${hint}…"`, () => output.find((line) => line.includes(hint)));
    }
    const sessions = Object.entries({ query, header, cookie, body }).map(([where, token]) => [`a session in a ${where}`, signature(token)]);
    return { "a coordinate in a query": ASKED, ...Object.fromEntries(sessions) };
  }

  /** The part of a token that no other has. */
  function signature(token: string) {
    return token.split(".").at(-1) ?? "";
  }

  /** This clone's own secrets, which some files are there to hold. */
  function own(): Secrets {
    const { sessionSecret, localAblyKey } = clone.secrets;
    return { "the session secret": sessionSecret, "the local Ably's key": localAblyKey.split(":")[1] ?? "" };
  }

  /** Looks for secrets in all that is on disk. The clone's own may be in `holders`, which nobody else can read. */
  function assertNowhere(secrets: Secrets, holders = [".towline/clone.json", ".dev.vars"]) {
    // Wrangler may keep things beside the packages, which the other clone shares with this one.
    const folders = [clone.base, ...[".cache", ".mf"].map((name) => join(ROOT, "node_modules", name))];
    const mayHold = holders.map((name) => clone.path(name));
    const all = grep(folders, { ...secrets, ...own(), posted: POSTED });
    const stray = all.filter(({ what, path, mode }) => {
      if (what === "posted") return !path.startsWith(clone.path(".wrangler", "state", "v3", "do"));
      return !(what in own() && mayHold.includes(path) && mode === 0o600);
    });
    assert.deepEqual(stray, []);
    // So all was looked at, and as it is: a position stands where the objects keep it.
    assert.ok(all.some(({ what }) => what === "posted"));
  }

  /** The same for what a run has said. */
  function assertUnsaid(secrets: Secrets, { output }: Running) {
    const text = output.join("\n");
    for (const [what, secret] of Object.entries({ ...secrets, ...own() })) assert.ok(!text.includes(secret), what);
  }

  describe("npm start", () => {
    const previous = { "the session secret before this one": random() };
    const written = () => clone.path(".wrangler", "state", "v3", "observability");
    let running: Running;
    before(async () => {
      mkdirSync(written(), { recursive: true });
      writeFileSync(join(written(), "of an older run"), "");
      running = await clone.npmStart({ SESSION_COOKIE: COOKIE, SESSION_SECRET_PREVIOUS: Object.values(previous).join() });
    });
    after(() => running?.stop());

    test("it removes what an older run wrote down about requests, and says so", () => {
      assert.ok(!existsSync(join(written(), "of an older run")));
      assert.ok(running.output.some((line) => line.startsWith("Removed .wrangler/state/v3/observability")));
    });

    for (const shell of SHELLS.filter(has)) {
      test(`README's tour in ${shell}: what comes out is what README says`, async () => {
        await take(clone, shell);
        clone.newJob();
      });
    }

    test("a client's secrets and its own stand nowhere on disk, while it runs and afterwards, but where its own are meant to", async () => {
      const secrets = { ...previous, ...(await plant(running)) };
      const sessions = Object.entries(clone.facts.sessions).map(([role, token]) => [`the session of a ${role}`, signature(token)]);
      assertNowhere(secrets, [".towline/clone.json", ".towline/dev.json", ".dev.vars"]);
      await running.stop();
      assertNowhere({ ...secrets, ...Object.fromEntries(sessions) });
      assertUnsaid(secrets, running);
    });
  });

  describe("npm start with a key of Ably's, for the network", () => {
    const secret = random();
    let running: Running;
    before(async () => {
      // Nobody is there: what is published waits.
      const ably = { ABLY_API_KEY: `AbCdEf.key1:${secret}`, ABLY_REST_URL: "http://127.0.0.1:9" };
      running = await clone.npmStart({ ...ably, HOST: "0.0.0.0", SESSION_COOKIE: COOKIE });
    });
    after(() => running?.stop());

    test("it names the app in its first line", () => {
      assert.match(running.output.find((line) => line.startsWith("Towline")) ?? "", /Ably itself: app AbCdEf, key AbCdEf\.key1$/);
    });

    test("it says how the network reaches the service, whose port is the only one that it reaches", async () => {
      const said = /^Reachable from your network, .*: (.*)$/m.exec(running.output.join("\n"))?.[1] ?? "";
      for (const url of [running.url, ...said.split(" ").filter(Boolean)]) assert.equal((await fetch(`${url}/healthz`)).status, 200, url);
      // Other systems do not tell.
      if (process.platform === "linux") assert.deepEqual(networkPorts(clone.claim.pid), [Number(new URL(running.url).port)]);
    });

    test("the key, a client's secrets and its own stand nowhere on disk, while it runs and afterwards, but where its own are meant to", async () => {
      const secrets = { "the key": secret, ...(await plant(running)) };
      assertNowhere(secrets, [".towline/clone.json", ".towline/dev.json", ".dev.vars"]);
      await running.stop();
      assertNowhere(secrets);
      assertUnsaid(secrets, running);
    });
  });

  test("plain wrangler dev leaves a client's secrets nowhere on disk either", async () => {
    // Without the line by which set-up knows it for its own.
    const vars = readFileSync(clone.path(".dev.vars"), "utf8").replace(/^#.*\n/, "");
    writePrivate(clone.path(".dev.vars"), `${vars}SESSION_COOKIE=${COOKIE}\n`);
    const running = await clone.wranglerDev();
    try {
      const secrets = await plant(running);
      assertNowhere(secrets);
      await running.stop();
      assertNowhere(secrets);
      assertUnsaid(secrets, running);
    } finally {
      await running.stop();
    }
  });
});
