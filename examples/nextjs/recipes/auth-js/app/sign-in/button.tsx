"use client";

import { signIn } from "next-auth/react";

export function SignInButton({ to }: { to: string }) {
  return <button onClick={() => signIn("sso", { callbackUrl: `/session?to=${encodeURIComponent(to)}` })}>Sign in</button>;
}
