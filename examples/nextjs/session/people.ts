// Whom this example knows. A platform has this in its database, where nobody edits their own role: what is below then answers promises. It is
// in no script that a browser loads; pages tell a dispatcher names by `NamesProvider`.

import "server-only";
import people from "./people.json";
import type { Role, User } from "./user";

const byId = new Map(Object.entries(people).map(([id, { role, name }]) => [id, { id, role: role as Role, name }]));

export const PEOPLE: readonly User[] = [...byId.values()];

export function person(id: string): User | undefined {
  return byId.get(id);
}

/** What to call somebody: their id where this example does not know them. */
export function nameOf(id: string): string {
  return byId.get(id)?.name ?? id;
}
