/** For the page to sign in: a link is opened again by itself, and whoever has come by one has no account. @param to where they wanted to go */
export function ByLink({ to }: { to: string }) {
  if (!/^\/jobs\//.test(to)) return null;
  return <p className="notice">Were you sent a link to see a vehicle? Open that link again: you need no account.</p>;
}
