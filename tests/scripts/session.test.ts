import assert from "node:assert/strict";
import { test } from "node:test";
import { sessions, sign } from "../../scripts/dev/session.mjs";

const SECRET = "a secret of at least thirty-two bytes: ü";
const NOW = Date.UTC(2026, 10, 24);

function claims(token: string) {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

test("a token equals one that openssl made", () => {
  // printf of the two parts, each through openssl base64; both through openssl dgst -sha256 -hmac.
  assert.equal(
    sign({ sub: "driver-1", exp: 1 }, "0123456789abcdef0123456789abcdef"),
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJkcml2ZXItMSIsImV4cCI6MX0.DrKVJ5wKyctaFQQBNEwPTioDqarGJ5_YaRAkCn1UG4s",
  );
});

test("each role has its session, and only those who take part in the job name it", () => {
  const made = sessions({ secret: SECRET, jobId: "job-1", now: NOW });
  const exp = NOW / 1000 + 12 * 3600 - 60;
  assert.deepEqual(claims(made.driver), { sub: "driver-1", role: "driver", exp, jobs: ["job-1"] });
  assert.deepEqual(claims(made.customer), { sub: "customer-1", role: "customer", exp, jobs: ["job-1"] });
  assert.deepEqual(claims(made.dispatcher), { sub: "dispatcher-1", role: "dispatcher", exp });
  assert.deepEqual(claims(made.admin), { sub: "admin-1", role: "admin", exp });
});

test("sessions keep to what the service is configured to demand", () => {
  const settings = { SESSION_MAX_HOURS: "1", SESSION_ISSUER: "https://issuer", SESSION_AUDIENCE: "towline" };
  const { driver } = sessions({ secret: SECRET, jobId: "job-1", now: NOW, settings });
  const { exp, iss, aud } = claims(driver);
  assert.deepEqual({ exp, iss, aud }, { exp: NOW / 1000 + 3600 - 60, iss: "https://issuer", aud: "towline" });
});
