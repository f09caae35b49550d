// What the cookies hold: JWTs that nobody but this server and Towline can make.

import "server-only";
import { type JWTPayload, jwtVerify, SignJWT } from "jose";

export function secret(): string {
  const text = process.env.SESSION_SECRET;
  if (!text) throw new Error("SESSION_SECRET is not set: it is Towline's, and `.towline/dev.json` has it beside `npm start`");
  return text;
}

const key = () => new TextEncoder().encode(secret());

/** @param lifetime such as `1h` */
export async function sign(claims: JWTPayload, subject: string, lifetime: string): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).setSubject(subject).setIssuedAt().setExpirationTime(lifetime).sign(key());
}

/**
 * The claims of a JWT; undefined where there is none, it was not made here, or it is over.
 * @param late how long ago it may be over, such as `7d`
 */
export async function claims(token: string | undefined, late = "0s"): Promise<(JWTPayload & { sub: string; exp: number }) | undefined> {
  if (token === undefined) return undefined;
  try {
    const { payload } = await jwtVerify(token, key(), { algorithms: ["HS256"], requiredClaims: ["sub", "exp"], clockTolerance: late });
    return payload as JWTPayload & { sub: string; exp: number };
  } catch {
    return undefined;
  }
}
