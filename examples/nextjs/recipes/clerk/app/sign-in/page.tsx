import { SignIn } from "@clerk/nextjs";
import type { Metadata } from "next";

export const metadata: Metadata = { title: "Sign in" };

export default async function SignInPage({ searchParams }: { searchParams: Promise<{ to?: string }> }) {
  const { to = "/" } = await searchParams;
  return (
    <main>
      <h1>Towline</h1>
      <SignIn routing="hash" forceRedirectUrl={`/session?to=${encodeURIComponent(to)}`} />
    </main>
  );
}
