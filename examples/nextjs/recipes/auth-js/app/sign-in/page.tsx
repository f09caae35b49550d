import type { Metadata } from "next";
import { ByLink } from "@/ui/by-link";
import { SignInButton } from "./button";

export const metadata: Metadata = { title: "Sign in" };

export default async function SignIn({ searchParams }: { searchParams: Promise<{ to?: string; error?: string }> }) {
  const { to = "/", error } = await searchParams;
  return (
    <main>
      <h1>Towline</h1>
      <ByLink to={to} />
      {error !== undefined && (
        <p className="notice" role="alert">
          {error === "AccessDenied" ? "Nobody here knows you. Ask your dispatcher." : "That did not work. Try again."}
        </p>
      )}
      <SignInButton to={to} />
    </main>
  );
}
