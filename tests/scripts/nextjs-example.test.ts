// The code of docs/nextjs.md has the types that it says. `ably` is the real one; of React, Next.js and jose, which are no dependencies
// of ours, only what the example uses stands in below.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { ROOT } from "../../scripts/setup/environment.mjs";
import { compiled, filesOf, type SourceFile } from "./support/documents.ts";

const STAND_INS = `
declare module "react" {
  export type ReactNode = unknown;
  export function useState<T>(first: T): [T, (next: T | ((last: T) => T)) => void];
  export function useEffect(effect: () => void | (() => void), deps: unknown[]): void;
  export type Context<T> = (props: { value: T; children: ReactNode }) => ReactNode;
  export function createContext<T>(value: T): Context<T>;
  export function useContext<T>(context: Context<T>): T;
  export function useSyncExternalStore<T>(subscribe: (tick: () => void) => () => void, read: () => T, readOnServer: () => T): T;
}
declare module "react/jsx-runtime" {
  export namespace JSX {
    type Element = unknown;
    type ElementType = string | ((props: any) => unknown);
    interface ElementChildrenAttribute { children: unknown }
    interface IntrinsicAttributes { key?: string }
    interface Events { style?: Record<string, string>; onClick?: () => void; children?: unknown }
    interface IntrinsicElements {
      html: Events & { lang: string };
      body: Events;
      p: Events;
      button: Events;
      input: Events & { name: string; "aria-label": string };
      form: Events & { action: (form: FormData) => void };
    }
  }
  export const jsx: unknown, jsxs: unknown, Fragment: unknown;
}
declare module "next" {
  export type NextConfig = { rewrites?: () => Promise<{ source: string; destination: string }[]> };
}
declare module "next/headers" {
  type Options = { httpOnly: boolean; secure: boolean; sameSite: "lax" | "strict" | "none"; path: string };
  type Cookies = {
    get(name: string): { value: string } | undefined;
    set(name: string, value: string, options: Options): void;
    delete(name: string): void;
  };
  export function cookies(): Promise<Cookies>;
}
declare module "next/navigation" {
  export function notFound(): never;
  export function redirect(to: string): never;
}
declare module "jose" {
  export class SignJWT {
    constructor(claims: Record<string, unknown>);
    setProtectedHeader(header: { alg: string }): this;
    setSubject(subject: string): this;
    setIssuedAt(): this;
    setExpirationTime(time: string): this;
    sign(secret: Uint8Array): Promise<string>;
  }
  export function jwtVerify(token: string, secret: Uint8Array, options: { algorithms: string[] }): Promise<{ payload: { sub?: string } }>;
}
`;

const OPTIONS = {
  noEmit: true,
  strict: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  target: "es2024",
  lib: ["es2024", "dom", "dom.iterable"],
  module: "esnext",
  moduleResolution: "bundler",
  jsx: "react-jsx",
  skipLibCheck: true,
  types: ["node"],
  typeRoots: [join(ROOT, "node_modules/@types")],
  paths: { ably: [join(ROOT, "node_modules/ably")] },
};

const files = () => filesOf(join(ROOT, "docs/nextjs.md"));
const check = (t: TestContext, all: SourceFile[]) => compiled(t, OPTIONS, [...all, { path: "stand-ins.d.ts", code: STAND_INS }]);

test("the example for Next.js has no error of types", (t) => {
  const { status, stdout } = check(t, files());
  assert.equal(status, 0, stdout);
});

test("a call that ably does not have, or a component without what it needs, would be one", (t) => {
  const broken = files().map(({ path, code }) => ({
    path,
    code: code.replace("channel.detach()", "channel.detatch()").replace("<Account user={user} />", "<Account />"),
  }));
  const { status, stdout } = check(t, broken);
  assert.notEqual(status, 0);
  assert.match(stdout, /app\/ably\.ts\(\d+,\d+\): error .*detatch/);
  assert.match(stdout, /app\/layout\.tsx\(\d+,\d+\): error .*user/);
});
