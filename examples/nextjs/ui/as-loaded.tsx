/** For whoever has no scripts: nothing on the page goes on by itself. */
export function AsLoaded() {
  return (
    <noscript>
      <p className="notice">This is as it was when the page was loaded. Reload it for news.</p>
    </noscript>
  );
}
