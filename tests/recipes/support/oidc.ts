// A provider that speaks OpenID Connect, where whoever comes is signed in as the user that was said before.

import { createHash } from "node:crypto";
import { unique } from "../../e2e/support/world.ts";
import { type Asked, type Said, serve } from "./serve.ts";
import { Signer } from "./tokens.ts";

export const CLIENT = { id: "towline", secret: "a secret of the client's" };

/** What is known of a user: what its owner has written into the profile included. */
type Profile = { sub: string; [claim: string]: unknown };

export class OpenIdProvider {
  issuer = "";
  /** Who is signed in there. */
  profile: Profile = { sub: "nobody" };
  readonly #signer = new Signer("RS256");
  readonly #codes = new Map<string, { nonce: string; challenge: string; to: string; profile: Profile }>();

  static async start(): Promise<OpenIdProvider> {
    const provider = new OpenIdProvider();
    provider.issuer = await serve((asked) => provider.#answer(asked));
    return provider;
  }

  #answer({ url: { pathname, searchParams: query }, headers, body }: Asked): Said {
    const { issuer } = this;
    if (pathname === "/.well-known/openid-configuration") {
      const endpoints = { authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/jwks` };
      return { status: 200, body: { issuer, ...endpoints, response_types_supported: ["code"], subject_types_supported: ["public"], id_token_signing_alg_values_supported: ["RS256"] } };
    }
    if (pathname === "/jwks") return { status: 200, body: this.#signer.jwks };
    if (pathname === "/authorize") {
      const code = unique("code");
      const to = query.get("redirect_uri") ?? "";
      this.#codes.set(code, { nonce: query.get("nonce") ?? "", challenge: query.get("code_challenge") ?? "", to, profile: this.profile });
      return { to: `${to}?${new URLSearchParams({ code, state: query.get("state") ?? "" })}` };
    }
    const form = new URLSearchParams(body);
    const code = this.#codes.get(form.get("code") ?? "");
    const verifier = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
    const [id, secret] = Buffer.from(headers.authorization?.split(" ")[1] ?? "", "base64").toString().split(":").map((part) => decodeURIComponent(part.replaceAll("+", " ")));
    const isRight = id === CLIENT.id && secret === CLIENT.secret && form.get("redirect_uri") === code?.to;
    if (pathname !== "/token" || !code || verifier !== code.challenge || !isRight) return { status: 400, body: { error: "invalid_grant" } };
    this.#codes.delete(form.get("code") ?? "");
    const id_token = this.#signer.token({ iss: issuer, aud: CLIENT.id, nonce: code.nonce, ...code.profile }, 300);
    return { status: 200, body: { access_token: "of no use", token_type: "Bearer", expires_in: 300, id_token } };
  }
}
