import type { Metadata } from "next";
import { PEOPLE } from "@/session/people";
import type { Role } from "@/session/user";
import { ByLink } from "@/ui/by-link";

export const metadata: Metadata = { title: "Sign in" };

const ROLES: [Role, string][] = [
  ["dispatcher", "Dispatchers"],
  ["driver", "Drivers"],
  ["customer", "Customers"],
];

export default async function SignIn({ searchParams }: { searchParams: Promise<{ to?: string }> }) {
  const { to = "/" } = await searchParams;
  return (
    <main>
      <h1>Towline</h1>
      <p className="notice">
        <strong>An example.</strong> Whoever opens this page can be anybody. Your own sign-in takes its place: see <code>recipes/</code>.
      </p>
      <ByLink to={to} />
      <form method="post" action="/session/sign-in" className="stack">
        <input type="hidden" name="to" value={to} />
        {ROLES.map(([role, title]) => (
          <fieldset key={role} className="people">
            <legend>{title}</legend>
            {PEOPLE.filter((person) => person.role === role).map(({ id, name }) => (
              <button key={id} name="id" value={id}>
                {name}
              </button>
            ))}
          </fieldset>
        ))}
      </form>
    </main>
  );
}
