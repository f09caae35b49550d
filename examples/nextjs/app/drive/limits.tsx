import styles from "./drive.module.css";

/** What a page cannot do. Towline takes positions from an app of your own by `POST /api/jobs/{jobId}/location`: see docs/http.md. */
export function Limits() {
  return (
    <section className={styles.limits} aria-label="What stops sharing">
      <p>
        <strong>Keep this page open and the screen on.</strong> Locking the phone, or leaving this page, stops sharing.
      </p>
      <details>
        <summary>To share with the phone locked</summary>
        <p>
          No web page can: phones stop pages that nobody sees. It takes an app on the phone that may use your location in the background, and that
          sends it for you. Ask your dispatcher whether there is one. To navigate, use another device, or an app beside this page on a split screen.
        </p>
      </details>
    </section>
  );
}

/** What a driver should know before the browser asks. */
export function Before() {
  return (
    <section className="card" aria-labelledby="before">
      <h2 id="before">Before you go on duty</h2>
      <ul className={styles.before}>
        <li>Your browser will ask for your location. Allow it, with “Precise” on, or nobody sees where you are.</li>
        <li>Your dispatch and your job’s customer see your position while you are on duty with a job, and at no other time.</li>
        <li>Without a network your positions are kept on this phone, and sent when there is one.</li>
      </ul>
      <Limits />
    </section>
  );
}

/** Where a refusal is taken back. */
export function Allowing() {
  return (
    <dl className={styles.allowing}>
      <dt>Safari on iPhone</dt>
      <dd>Page menu in the address bar → Website Settings → Location → Allow. If it is not there: Settings → Privacy &amp; Security → Location Services → Safari Websites.</dd>
      <dt>Chrome on Android</dt>
      <dd>Icon left of the address → Permissions → Location → Allow. The phone’s own Location has to be on.</dd>
      <dt>Firefox</dt>
      <dd>Lock left of the address → Location, blocked → remove it. Then load this page again.</dd>
    </dl>
  );
}
