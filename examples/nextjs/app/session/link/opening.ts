/** What becomes of a link that somebody opens. */
export type Opening =
  | { is: "open"; page: string }
  /** Somebody is signed in in this browser, and opening it would sign them out. */
  | { is: "signed_in"; id: string; name: string }
  /** It is no link of this site's. */
  | { is: "wrong" }
  | { is: "revoked" }
  | { is: "ended" }
  | { is: "unreachable" };
