// Requests that nobody means well with, the same ones for the same seed.

import { createHmac } from "node:crypto";
import type { Headers } from "./http.ts";
import { SESSION_SECRET, driverOf, seconds, session } from "./service.ts";

export interface Hostile {
  method: string;
  path: string;
  headers: Headers;
  body?: Buffer | Buffer[];
}

/** A small generator of numbers (mulberry32), since Math.random takes no seed. */
class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed;
  }
  /** 0 to below `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * limit);
  }
  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }
  in(chances: number): boolean {
    return this.below(chances) === 0;
  }
}

const METHODS = [
  ...Array(6).fill("GET"), ...Array(16).fill("POST"), "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "QUERY",
  "LOCK",
];
/** The jobs of a session that is in order. */
export const JOBS = ["a", "b", "hostile-1", "hostile-2"];
const ODD_IDS = [
  "..", ".", "%", "%00", "%2e%2e", "%2F", "%c0%af", "a%", "*", "a:b", "__proto__", "constructor", "x".repeat(64), "x".repeat(65),
  "x".repeat(3000), ";", "'", "a'--", "{jobId}", "a+b", "~", "[a]", "a\\b", "null",
];
const ODD_PARTS = [
  "/", "//", "/..", "/.", "/%2e", ";", "?", "#", "%", "%0d%0a", "%ff", "\\", "/location", "/api", "?jobId=", "&", "=",
  "?a=".padEnd(2000, "b"),
];
const QUERIES = [
  "", "", "?", "?jobId=a", "?jobId=%00", "?jobId=a&jobId=b", "?format=token-request", "?ttl=-1", "?ttl=1e400",
  "?ttl=18446744073709551616", "?clientId=%F0%9F%9A%9A", "?&&&=&=", "?%ff=%fe", "?clientId=*",
  "?capability=" + encodeURIComponent('{"*":["*"]}'), "?" + "a=b&".repeat(500), "?jobId=" + "%61".repeat(500),
];
const HEADER_NAMES = [
  "origin", "cookie", "idempotency-key", "content-type", "content-encoding", "accept", "x-request-id", "x-ably-clientid",
  "range", "if-none-match", "if-modified-since", "forwarded", "x-forwarded-for", "x-http-method-override", "sec-fetch-site",
  "cf-connecting-ip", "upgrade-insecure-requests", "te", "via", "referer", "user-agent", "x-odd",
  "access-control-request-method", "access-control-request-headers",
];
const HEADER_VALUES = [
  "", " ", "null", "*", "a", "a".repeat(4000), "\u00ff\u00fe", "{}", "\"", "a=b; a=c", "session=", "gzip", "bytes=0-",
  "text/html", "application/x-www-form-urlencoded", "https://evil.example", "0", "-1", "1e999", "x,y,,z", "\t", "' OR 1=1 --",
  "${jndi:ldap://x}", "%0d%0aset-cookie: a=b", "../../etc/passwd",
];

const NUMBERS = [
  "0", "-0", "1", "-1", "90", "90.0000001", "180", "1e308", "1e309", "-1e999999999", "1e-999999999", "9007199254740993",
  "18446744073709551616", "0.1e1", "1".repeat(3000), `0.${"1".repeat(3000)}`, "00", "01", "+1", ".5", "5.", "NaN", "Infinity",
  "0x10", "1_000",
];
const STRINGS = [
  '""', '"a"', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude9a"', '"\u202e"', '"\\x"', '"\\u12"', '"\n"',
  `"${"x".repeat(70)}"`, `"${"\\u0041".repeat(2000)}"`, '"2026-02-30T00:00:00Z"', '"2026-01-01T00:00:00+99:99"',
  '"9999-12-31T23:59:60Z"', '"-0001-01-01T00:00:00Z"', '"1e3"', '"__proto__"', '"',
];
const OTHERS = ["null", "true", "{}", "[]", "[1]", '{"lat":1}', "undefined", ""];
const JWT_HEADERS = [
  "null", "[]", "{", "{}", '{"alg":"none"}', '{"alg":"HS256","crit":["a"]}', '{"alg":"HS256","b64":false}', '{"alg":["HS256"]}', "\u0000",
];
const JWT_PAYLOADS = [
  "null", "[]", "{", "[".repeat(3000), '{"exp":1e999}', '{"sub":"\\ud800"}', `{"exp":${"9".repeat(400)}}`, '{"exp":1,"exp":2}', "\u00ff",
];
const FIELDS = [
  "lat", "lng", "speed", "heading", "accuracy", "altitude", "capturedAt", "id", "locations", "driver", "LAT", "l\\u0061t",
  "__proto__", "constructor", "", "wifi", "seq", "epoch", "jobId", "\\ud800", "sentAt",
];

export class Generator {
  readonly #dice: Dice;
  constructor(seed: number) {
    this.#dice = new Dice(seed);
  }

  next(): Hostile {
    const dice = this.#dice;
    const method = dice.one(METHODS);
    const body = ["POST", "PUT", "PATCH", "QUERY", "PROPFIND"].includes(method) || dice.in(10) ? this.#body() : undefined;
    return { method, path: this.#path(), headers: this.#headers(), ...(body === undefined ? {} : { body }) };
  }

  #path(): string {
    const dice = this.#dice;
    const id = dice.in(5) ? dice.one(ODD_IDS) : dice.one(JOBS);
    let path = dice.in(12) ? dice.one(["/healthz", "/", `/api/jobs/${id}`, `/api/refs/${id}`]) : dice.in(4) ? "/api/ably-token" : `/api/jobs/${id}/location`;
    if (dice.in(8)) {
      const at = 1 + dice.below(path.length);
      path = path.slice(0, at) + dice.one(ODD_PARTS) + path.slice(dice.in(2) ? at : at + 1);
    }
    return path + dice.one(QUERIES);
  }

  #headers(): Headers {
    const dice = this.#dice;
    const headers: Headers = {};
    if (!dice.in(8)) Object.assign(headers, this.#session());
    for (let count = dice.below(4); count > 0; count -= 1) headers[dice.one(HEADER_NAMES)] = dice.one(HEADER_VALUES);
    return headers;
  }

  #session(): Headers {
    const dice = this.#dice;
    // Most of them get past the door.
    if (!dice.in(4)) return driverOf(...JOBS);
    const claims = () => {
      const now = [seconds(60), seconds(-60), Date.now()];
      const odd = [null, "", "*", -1, 1e300, 0.5, [], {}, ["a:b"], [null], "x".repeat(200), "\u0000", true, "admin", ["driver"], ...now];
      return Object.fromEntries(["sub", "role", "jobs", "exp", "nbf", "iat", "iss", "aud"].filter(() => dice.in(3)).map((name) => [name, dice.one(odd)]));
    };
    const token = dice.one([
      () => session(claims()),
      () => session(claims()),
      () => session({ jobs: JOBS, role: dice.one(["dispatcher", "customer", "admin", "service"]) }),
      () => signed(dice.one(JWT_HEADERS), JSON.stringify({ sub: "a", role: "driver", exp: seconds(60) })),
      () => signed('{"alg":"HS256"}', dice.one(JWT_PAYLOADS)),
      () => mutated(session({ jobs: JOBS }), dice),
      () => dice.one(["", ".", "..", "...", "a.b.c", "=".repeat(100), "eyJhbGciOiJIUzI1NiJ9..", "x".repeat(9000), "\u00e9"]),
    ])();
    return dice.in(5) ? { cookie: `session=${token}` } : { authorization: `${dice.one(["Bearer", "bearer", "Basic", "", "Bearer "])} ${token}` };
  }

  #body(): Buffer | Buffer[] {
    const dice = this.#dice;
    const body = dice.one([
      () => Buffer.from(this.#fix()),
      () => Buffer.from(this.#fix()),
      () => Buffer.from(`{"locations":[${Array.from({ length: dice.below(110) }, () => this.#fix()).join(",")}]}`),
      () => cut(Buffer.from(`{"locations":[${this.#fix()},${this.#fix()}]}`), dice),
      () => Buffer.from(dice.one(["[", "{\"a\":", '{"locations":[', '{"lat":[']).repeat(dice.one([10, 127, 128, 129, 5000]))),
      () => Buffer.from(`${"[".repeat(30_000)}${"]".repeat(30_000)}`),
      () => Buffer.from(`{"wifi":${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)},"lat":1,"lng":1}`),
      () => Buffer.from(`{"locations":[${"1,".repeat(20_000)}1]}`),
      () => Buffer.from(`{${'"lat":1,'.repeat(3000)}"lng":1}`),
      () => Buffer.from(Array.from({ length: dice.below(400) }, () => dice.below(256))),
      () => Buffer.from([0xef, 0xbb, 0xbf, ...Buffer.from(this.#fix())]),
      () => Buffer.from(this.#fix(), "utf16le"),
      () => Buffer.alloc(dice.one([0, 1, 65_535, 65_536, 65_537, 200_000]), dice.one([" ", "\u0000", "{", "\u00ff"])),
      () => Buffer.from(dice.one(["jobId=a&format=token-request", "%", "a=%ff&jobId=%00", "clientId=eve", "ttl=60000", "=".repeat(500), `t=${session()}`])),
    ])();
    // Chunked now and then.
    return dice.in(5) && body.length > 1 ? [body.subarray(0, 1), body.subarray(1)] : body;
  }

  /** A fix with something about it, most of the time. */
  #fix(): string {
    const dice = this.#dice;
    const fields = ['"lat":1.5', '"lng":2.5', `"id":"${dice.below(50)}"`].filter(() => !dice.in(8));
    for (let count = dice.below(3); count > 0; count -= 1) {
      const value = dice.one(dice.one([NUMBERS, STRINGS, OTHERS]));
      fields.splice(dice.below(fields.length + 1), 0, `"${dice.one(FIELDS)}":${value}`);
    }
    return `{${fields.join(dice.in(30) ? ",," : ",")}}`;
  }
}

function signed(header: string, payload: string): string {
  const text = `${Buffer.from(header).toString("base64url")}.${Buffer.from(payload, "latin1").toString("base64url")}`;
  return `${text}.${createHmac("sha256", SESSION_SECRET).update(text).digest("base64url")}`;
}

function mutated(text: string, dice: Dice): string {
  const at = dice.below(text.length);
  return text.slice(0, at) + dice.one(["", ".", "=", "A", "\u00ff", " "]) + text.slice(at + dice.below(3));
}

function cut(body: Buffer, dice: Dice): Buffer {
  return body.subarray(0, dice.below(body.length));
}
