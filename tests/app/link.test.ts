// Codes of links, and who may send a form: what an attacker would try, without a browser.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { loadModules } from "./support/modules.ts";

interface Session {
  linkKey(secret: string): Uint8Array;
  newLink(now: number): string;
  linkCode(key: Uint8Array, jobId: string, link: string): string;
  openLink(key: Uint8Array, code: string): { jobId: string; link: string } | undefined;
  isLink(userId: string): boolean;
  madeAt(link: string): number | undefined;
  back(to: string): Response;
  isSameOrigin(request: { headers: Headers }): boolean;
}

const { linkKey, newLink, linkCode, openLink, isLink, madeAt, back, isSameOrigin } = await loadModules<Session>(`
  export * from "./session/link";
  export * from "./session/link-id";
  export * from "./session/same-origin";
  export * from "./app/session/back";
`);

const NOW = 1_795_968_000_000;
const key = linkKey(randomBytes(32).toString("base64url"));

test("a code opens the job and the link that it was made for", () => {
  for (const jobId of ["j", "job-17", "a.b-c_d", "x".repeat(64)]) {
    const link = newLink(NOW);
    assert.deepEqual(openLink(key, linkCode(key, jobId, link)), { jobId, link });
    assert.match(link, /^link-[!-~]+$/);
    assert.doesNotMatch(link, /[:*,/[\]]/);
    assert.ok(isLink(link));
    assert.equal(madeAt(link), NOW);
    // By its end a dispatcher tells which of a job's links they have before them.
    assert.equal(linkCode(key, jobId, link).slice(-22), link.slice(-22));
  }
});

test("a code with a flipped bit opens nothing, nor does a part of one, or another's key", () => {
  // Its last letter of five has two bits that stand for nothing.
  const code = linkCode(key, "job-1", newLink(NOW));
  for (let at = 0; at < code.length; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const other = Buffer.from(code);
      other[at]! ^= 1 << bit;
      assert.equal(openLink(key, other.toString("latin1")), undefined, `bit ${bit} of ${at}`);
    }
    assert.equal(openLink(key, code.slice(0, at)), undefined);
    assert.equal(openLink(key, code.slice(at + 1)), undefined);
  }
  for (const more of ["", "=", ".", ".x", "\n", " ", "%00", "\u0000"]) if (more) assert.equal(openLink(key, code + more), undefined);
  assert.equal(openLink(linkKey("another secret, which is as long as it has to be"), code), undefined);
});

test("the parts of two codes make no third", () => {
  const [a, b] = [linkCode(key, "job-a", newLink(NOW)), linkCode(key, "job-b", newLink(NOW))].map((code) => code.split("."));
  const [jobA, proofA, linkA] = a!;
  const [jobB, proofB, linkB] = b!;
  for (const code of [[jobA, proofA, linkB], [jobA, proofB, linkB], [jobB, proofA, linkA], [jobB, proofB, linkA], [jobA, proofB, linkA], [jobA, linkA, proofA]]) {
    assert.equal(openLink(key, code.join(".")), undefined);
  }
});

test("who knows the registry knows no code: a link's id has 128 random bits, and its proof needs the key", () => {
  const links = new Set(Array.from({ length: 1_000 }, () => newLink(NOW)));
  assert.equal(links.size, 1_000);
  const [link = ""] = links;
  assert.equal(Buffer.from(link.split("-").slice(2).join("-"), "base64url").length, 16);
  assert.equal(Buffer.from(linkCode(key, "job-17", link).split(".")[1]!, "base64url").length, 32);
  assert.notDeepEqual(linkKey("one secret"), linkKey("another secret"));
});

test("no form leads to another site, or round and round", () => {
  const leadsTo = (to: string) => back(to).headers.get("location");
  for (const to of ["/", "/jobs/job-17", "/board?x=1#y", "/sessions"]) assert.equal(leadsTo(to), to);
  for (const to of ["//evil.example", "/\\evil.example", "https://evil.example", "evil.example", "", "/\t/evil.example", "/\n/evil.example", "/ /x", "\\/evil.example", "javascript:alert(1)", "/session", "/session?to=/session", "/session/sign-out", "/é"]) {
    assert.equal(leadsTo(to), "/", JSON.stringify(to));
  }
});

test("only a page of the site sends its forms", () => {
  const from = (headers: Record<string, string>) => isSameOrigin({ headers: new Headers(headers) });
  const host = "app.example";
  assert.ok(from({ host, origin: "https://app.example" }));
  assert.ok(from({ host: "inside:3000", "x-forwarded-host": host, origin: "https://app.example", "sec-fetch-site": "same-origin" }));
  for (const origin of ["https://evil.example", "https://app.example.evil.example", "https://sub.app.example", "https://app.example:444", "null", ""]) {
    assert.ok(!from({ host, origin }), origin);
  }
  assert.ok(!from({ host }), "nobody says where it is from");
  assert.ok(!from({ origin: "https://evil.example", host: "evil.example", "sec-fetch-site": "cross-site" }));
  assert.ok(!from({ host, origin: "http://app.example", "sec-fetch-site": "cross-site" }), "the same host without TLS");
  assert.ok(!from({ host, origin: "https://app.example", "x-forwarded-host": "other.example" }));
});
