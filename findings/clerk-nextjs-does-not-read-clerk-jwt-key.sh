#!/usr/bin/env bash
# @clerk/nextjs 7.9.17 (with Next.js 16.4.6): CLERK_JWT_KEY in the environment.
#
# Expected: session tokens are verified by that key, without a request to Clerk: `@clerk/backend`, which verifies them, says "Set the CLERK_JWT_KEY
#           environment variable." where it has no key, and Clerk's documentation of earlier versions says that it is picked up.
# Seen:     clerkMiddleware() does not look at it. It asks Clerk for `/v1/jwks`, and where that fails everybody is signed out, with the reason
#           `unexpected-error` and nothing in the log. The same key as the option `jwtKey` is used.
# What to do: pass it on, clerkMiddleware(handler, { jwtKey: process.env.CLERK_JWT_KEY }).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --save-exact @clerk/nextjs@7.9.17 next@16.4.6 react@19.3.1 react-dom@19.3.1
cat >finding.cjs <<'JS'
const { generateKeyPairSync, sign } = require("node:crypto");
const { createServer } = require("node:http");

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const jwtKey = publicKey.export({ format: "pem", type: "spki" });
const now = Math.floor(Date.now() / 1000);
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const times = { iat: now, nbf: now - 10, exp: now + 60 };
const claims = { iss: "https://clerk.example.com", azp: "http://localhost", sub: "user_1", sid: "sess_1", sts: "active", v: 2, ...times };
const signed = `${part({ alg: "RS256", typ: "JWT", kid: "key" })}.${part(claims)}`;
const token = `${signed}.${sign("sha256", Buffer.from(signed), privateKey).toString("base64url")}`;

const asked = new Set();
const api = createServer((request, response) => {
  asked.add(request.url);
  response.writeHead(404).end();
});
api.listen(0, "127.0.0.1", async () => {
  process.env.CLERK_JWT_KEY = jwtKey;
  process.env.CLERK_API_URL = `http://127.0.0.1:${api.address().port}`;
  process.env.CLERK_SECRET_KEY = "sk_live_of_this_script";
  process.env.NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY = `pk_live_${Buffer.from("clerk.example.com$").toString("base64")}`;
  process.env.NEXT_PUBLIC_CLERK_TELEMETRY_DISABLED = "1";
  const { NextRequest } = require("next/server");
  const { clerkMiddleware } = require("@clerk/nextjs/server");
  const status = async (options) => {
    const request = new NextRequest("http://localhost/", { headers: { cookie: `__session=${token}; __client_uat=${now - 1}` } });
    const { headers } = await clerkMiddleware(() => {}, options)(request, {});
    return headers.get("x-middleware-request-x-clerk-auth-status") ?? headers.get("x-clerk-auth-status");
  };
  const seen = { byEnvironment: await status({}), asked: [...asked], byOption: await status({ jwtKey }) };
  console.log(JSON.stringify(seen));
  process.exit(seen.byEnvironment === "signed-out" && seen.asked.includes("/v1/jwks") && seen.byOption === "signed-in" ? 0 : 1);
});
JS
node finding.cjs
