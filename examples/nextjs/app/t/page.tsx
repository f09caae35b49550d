import type { Metadata } from "next";
import { OpenLink } from "./open-link";
import styles from "./shared.module.css";

export const metadata: Metadata = { title: "Shared with you", referrer: "no-referrer" };

/** Where a link leads. It is the same page for every link: the code stands behind the `#`, and no server gets to see it before somebody taps. */
export default function SharedPage() {
  return (
    <main className={styles.page}>
      <p className={styles.brand}>Towline</p>
      <div className={`card ${styles.card}`}>
        <noscript>
          <h1>This link needs a script</h1>
          <p>Its code is kept from every server until you open it, and only a script can do that. Allow scripts for this page, and load it again.</p>
        </noscript>
        <OpenLink />
      </div>
    </main>
  );
}
