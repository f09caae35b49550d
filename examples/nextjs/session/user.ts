// Somebody whom this app knows, without what it knows of anybody.

export type Role = "dispatcher" | "driver" | "customer";

export interface User {
  /** What Towline knows them by: the `sub` of their sessions. */
  id: string;
  role: Role;
  /** What people call them. */
  name: string;
}
