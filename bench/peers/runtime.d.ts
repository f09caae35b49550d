// The few types of the runtime and of the peers' packages that the peers use. Their packages are installed in the peers' own folders, and
// only where they are measured: so the types of the repository do not depend on them.

declare module "cloudflare:workers" {
  export class DurableObject<Env = unknown> {
    constructor(state: State, env: Env);
    protected ctx: State;
    protected env: Env;
  }
  export interface State {
    id: { toString(): string; name?: string };
    storage: Storage;
    waitUntil(promise: Promise<unknown>): void;
  }
  export interface Storage {
    sql: Sql;
    setAlarm(at: number): Promise<void>;
    getAlarm(): Promise<number | null>;
  }
  export interface Sql {
    exec(statement: string, ...bindings: unknown[]): Cursor;
  }
  export interface Cursor {
    toArray(): Record<string, any>[];
    raw(): Iterable<any[]>;
  }
}

declare module "hono" {
  export const Hono: any;
  export type Context = any;
}
declare module "hono/request-id";
declare module "hono/factory";
declare module "jose";

interface Uint8Array {
  toBase64(options?: { alphabet?: "base64" | "base64url"; omitPadding?: boolean }): string;
}
interface Uint8ArrayConstructor {
  fromBase64(text: string, options?: { alphabet?: "base64" | "base64url" }): Uint8Array<ArrayBuffer>;
}
