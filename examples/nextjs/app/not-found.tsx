import type { Metadata } from "next";

export const metadata: Metadata = { title: "Nothing here" };

export default function NotFound() {
  return (
    <main>
      <h1>There is nothing here</h1>
      <p>The address may be mistyped, or what was here is gone.</p>
      <a className="button primary" href="/">
        Go to your page
      </a>
    </main>
  );
}
