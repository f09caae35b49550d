"use client";

/** In the place of a page that has failed. What went wrong is in the server's log, and nobody else's business. */
export default function Failed({ retry }: { retry(): void }) {
  return (
    <main>
      <h1>This page has failed</h1>
      <p role="alert">That is our fault, not yours. What you have done before is kept.</p>
      <div className="row">
        <button type="button" className="primary" onClick={retry}>
          Try again
        </button>
        <a className="button" href="/">
          Go to your page
        </a>
      </div>
    </main>
  );
}
