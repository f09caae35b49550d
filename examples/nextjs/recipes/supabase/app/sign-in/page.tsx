import type { Metadata } from "next";
import { ByLink } from "@/ui/by-link";

export const metadata: Metadata = { title: "Sign in" };

export default async function SignIn({ searchParams }: { searchParams: Promise<{ to?: string; failed?: string }> }) {
  const { to = "/", failed } = await searchParams;
  return (
    <main>
      <h1>Towline</h1>
      <ByLink to={to} />
      {failed !== undefined && (
        <p className="notice" role="alert">
          That did not work. Are address and password right?
        </p>
      )}
      <form method="post" action="/session/sign-in" className="stack">
        <input type="hidden" name="to" value={to} />
        <label>
          E-mail <input name="email" type="email" autoComplete="username" required />
        </label>
        <label>
          Password <input name="password" type="password" autoComplete="current-password" required />
        </label>
        <button>Sign in</button>
      </form>
    </main>
  );
}
