"use client";

import { useId, useState } from "react";
import { Form } from "@/live/form";
import { useAction } from "@/live/use-action";
import { LINK } from "@/session/link-id";
import { Moment } from "@/ui/moment";
import { makeLink, revokeLink } from "./actions";
import styles from "./job.module.css";
import { NOTHING, unanswered } from "./outcome";
import { Said, Submit, useNewest } from "./said";

/** Links by which somebody without an account sees this job. */
export function Links({ jobId, links }: { jobId: string; links: readonly { link: string; madeAt: number | undefined }[] }) {
  const [made, make] = useAction(makeLink, { outcome: NOTHING }, (text) => ({ outcome: unanswered(text) }));
  const [revoked, revoke] = useAction(revokeLink, NOTHING, unanswered);
  const [ofMade, ofRevoked] = useNewest(made.outcome, revoked);
  const isThere = links.some(({ link }) => link === linkOf(made.url));
  return (
    <section className="card" aria-labelledby="links">
      <h2 id="links">Links</h2>
      <p className="muted">
        Whoever has a link sees where the vehicle is, without an account, until you revoke it or the job ends. Whoever forwards it shares the view: so make one
        for each person.
      </p>
      <ul className={styles.list}>
        {links.map(({ link, madeAt }) => (
          <li key={link}>
            <span>
              Made {madeAt === undefined ? "elsewhere" : <Moment at={madeAt} />} <span className="muted">…{link.slice(-4)}</span>
            </span>
            <details>
              <summary>
                Revoke<span className="sr-only"> the link that ends in {link.slice(-4)}</span>
              </summary>
              <Form action={revoke} className={styles.sure}>
                <input type="hidden" name="jobId" value={jobId} />
                <input type="hidden" name="link" value={link} />
                <p>Whoever has this link sees nothing from then on, in an open page too.</p>
                <Submit className="danger">Revoke it</Submit>
              </Form>
            </details>
          </li>
        ))}
      </ul>
      <Said outcome={ofRevoked} />
      {made.url !== undefined && isThere && <MadeLink key={made.url} url={made.url} />}
      <Form action={make}>
        <input type="hidden" name="jobId" value={jobId} />
        <Submit>Make a link</Submit>
      </Form>
      <Said outcome={ofMade} />
    </section>
  );
}

/** The link's id, of which its code has the part that is not the same in all. */
const linkOf = (url = "") => LINK + url.split("#")[1]?.split(".")[2];

function MadeLink({ url }: { url: string }) {
  const id = useId();
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(url);
      setCopied(true);
    } catch {
      // It may be forbidden, and over http there is none: the field, selected, is copied by hand.
      document.getElementById(id)?.focus();
    }
  };
  return (
    <div className={styles.made}>
      <label htmlFor={id}>Copy it now: it is not shown again.</label>
      <div className="row">
        <input id={id} readOnly value={url} onFocus={({ target }) => target.select()} />
        <button type="button" className="primary" onClick={copy}>
          Copy
        </button>
        <span role="status">{isCopied && "Copied."}</span>
      </div>
    </div>
  );
}
