import { redirect } from "next/navigation";
import type { Role } from "@/session/user";
import { signedIn } from "@/session/session";

const HOME: Record<Role, string> = { dispatcher: "/board", driver: "/drive", customer: "/jobs" };

export default async function Home() {
  const { user } = await signedIn("/");
  redirect("job" in user ? `/jobs/${encodeURIComponent(user.job)}` : HOME[user.role]);
}
