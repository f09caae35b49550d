// Tokens as a provider of sign-ins makes them, and the keys by which they are verified.

import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

export class Signer {
  readonly #alg: "RS256" | "ES256";
  readonly #private: KeyObject;
  readonly #public: KeyObject;

  constructor(alg: "RS256" | "ES256") {
    this.#alg = alg;
    const pair = alg === "RS256" ? generateKeyPairSync("rsa", { modulusLength: 2048 }) : generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#private = pair.privateKey;
    this.#public = pair.publicKey;
  }

  /** @param claims beyond `iat` and `exp` */
  token(claims: object, seconds: number): string {
    const iat = Math.floor(Date.now() / 1_000);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = `${part({ alg: this.#alg, typ: "JWT", kid: "key" })}.${part({ iat, exp: iat + seconds, ...claims })}`;
    return `${signed}.${sign("sha256", Buffer.from(signed), { key: this.#private, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  }

  get jwks() {
    return { keys: [{ ...this.#public.export({ format: "jwk" }), kid: "key", alg: this.#alg, use: "sig", key_ops: ["verify"] }] };
  }

  get pem() {
    return this.#public.export({ format: "pem", type: "spki" }).toString();
  }
}

/** What a token says, without asking whether that is so. */
export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}
