export type { Platform } from "./platform.ts";
export type { SignOut } from "./sign-out.ts";
export { type ByCookies, type BySession, createTowline, type Towline, type TowlineOptions } from "./towline.ts";
export type * from "./types.ts";
