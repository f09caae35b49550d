import { SignIn } from "@clerk/nextjs";
import type { Metadata } from "next";
import { ByLink } from "@/ui/by-link";

export const metadata: Metadata = { title: "Sign in" };

export default async function SignInPage({ searchParams }: { searchParams: Promise<{ to?: string }> }) {
  const { to = "/" } = await searchParams;
  return (
    <main>
      <h1>Towline</h1>
      <ByLink to={to} />
      <SignIn routing="hash" forceRedirectUrl={`/session?to=${encodeURIComponent(to)}`} />
    </main>
  );
}
