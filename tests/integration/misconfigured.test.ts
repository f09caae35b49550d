// A setting that is missing or wrong: everything but /healthz answers 503, and only the log says which.

import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAblyError, assertProblem } from "./support/answers.ts";
import { ABLY_KEY, SESSION_SECRET, Service, as, driverOf } from "./support/service.ts";

/** So odd that it would be noticed anywhere. */
const ODD = "zq7Xodd";

const WRONG: [variable: string, value: string | undefined][] = [
  ["ABLY_API_KEY", undefined],
  ["ABLY_API_KEY", ""],
  ["ABLY_API_KEY", ODD],
  ["ABLY_API_KEY", `AbCdEf.${ODD}`],
  ["ABLY_PUBLISH_KEY", ODD],
  ["ABLY_PUBLISH_KEY", `OtherA.key:${ODD}`],
  ["ABLY_REST_URL", `http://${ODD}.example`],
  ["SESSION_SECRET", undefined],
  ["SESSION_SECRET", ""],
  ["SESSION_SECRET", ODD],
  ["SESSION_SECRET", ABLY_KEY],
  ["SESSION_SECRET_PREVIOUS", ODD],
  ["SESSION_COOKIE", `${ODD}=`],
  ["SESSION_MAX_HOURS", ODD],
  ["SESSION_RENEWAL_SECONDS", `-${ODD}`],
  ["JOB_REGISTRY", ODD],
  ["MAX_FIX_AGE_HOURS", "0"],
  ["CORS_ORIGINS", "*"],
  ["CORS_ORIGINS", `https://${ODD}.example/`],
  ["CORS_HEADERS", "*"],
  ["CORS_HEADERS", `${ODD}:`],
];

for (const [variable, value] of WRONG) {
  const how = value === undefined ? "is missing" : `is ${value.replace(ODD, "…").replace(ABLY_KEY, "the Ably key") || "empty"}`;
  test(`${variable} ${how}: 503 without detail, and the log names the variable`, async () => {
    const service = await Service.start({ [variable]: value });
    try {
      const health = await service.send("GET", "/healthz");
      assert.equal(health.status, 200);
      assert.equal(health.json.status, "ok");

      const answers = [];
      for (const method of ["GET", "POST", "OPTIONS", "DELETE"]) {
        const token = await service.send(method, "/api/ably-token", { headers: as("admin") });
        assertAblyError(token, 503, 50000);
        answers.push(token);
        for (const path of ["/api/jobs/a/location", "/api/jobs/%61/location", "/api/nowhere", "/"]) {
          const answer = await service.send(method, path, { headers: driverOf("a") });
          assertProblem(answer, 503, "misconfigured");
          answers.push(answer);
        }
      }
      for (const { text } of answers) {
        assert.ok(!text.includes(variable) && !text.includes(ODD), text);
        assert.match(text, /misconfigured/);
      }

      const lines = (await service.logged(2 + answers.length)).map(({ text }) => JSON.parse(text));
      const named = lines.filter((line) => line.variable !== undefined);
      assert.ok(named.length >= 1);
      for (const line of named) {
        assert.deepEqual(Object.keys(line).sort(), ["code", "level", "rule", "variable"]);
        assert.deepEqual([line.code, line.level, line.variable], ["misconfigured", "error", variable]);
        assert.ok(line.rule.length > 0);
      }
      for (const { text } of service.logs()) {
        assert.ok(!text.includes(ODD) && !text.includes(SESSION_SECRET) && !text.includes(ABLY_KEY), "no value is logged");
      }
      assert.equal(lines.length - named.length, 1 + answers.length, "one line a request");
      assert.deepEqual(await service.objects(), []);
      assert.deepEqual(service.ably.strays, []);
    } finally {
      await service.stop();
    }
  });
}

test("several wrong settings are all named at once", async () => {
  const service = await Service.start({ ABLY_API_KEY: undefined, SESSION_SECRET: ODD, MAX_FIX_AGE_HOURS: ODD });
  try {
    await service.send("GET", "/api/ably-token");
    const variables = (await service.logged(4)).map(({ text }) => JSON.parse(text).variable);
    assert.deepEqual(variables.filter(Boolean).sort(), ["ABLY_API_KEY", "MAX_FIX_AGE_HOURS", "SESSION_SECRET"]);
  } finally {
    await service.stop();
  }
});

test("an empty optional setting is one that is not set", async () => {
  const names = [
    "ABLY_PUBLISH_KEY", "ABLY_REST_URL", "SESSION_SECRET_PREVIOUS", "SESSION_ISSUER", "SESSION_AUDIENCE", "SESSION_COOKIE", "SESSION_MAX_HOURS",
    "SESSION_RENEWAL_SECONDS", "JOB_REGISTRY", "MAX_FIX_AGE_HOURS", "CORS_ORIGINS", "CORS_HEADERS",
  ];
  const service = await Service.start(Object.fromEntries(names.map((name) => [name, ""])));
  try {
    assert.equal((await service.send("GET", "/api/ably-token", { headers: as("admin") })).status, 200);
  } finally {
    await service.stop();
  }
});
