// Who drives, for the driver's page where it is opened without a network. Unlike the session a script may read it, and it proves nothing: Towline
// goes by the session. It is set and deleted in the same answers, so no page begins as a driver who was here before.

import "server-only";
import { cookies } from "next/headers";
import { cookieOptions } from "./cookie";
import type { User } from "./user";

const COOKIE = "driver";

export async function nameDriver(user: Pick<User, "id" | "role" | "name"> | undefined) {
  const jar = await cookies();
  if (user?.role !== "driver") return void jar.delete(COOKIE);
  jar.set(COOKIE, JSON.stringify({ id: user.id, name: user.name }), { ...(await cookieOptions()), httpOnly: false });
}
