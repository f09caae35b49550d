/** Sends a form of `/session`'s, without going where its answer leads. */
export const post = (path: string) => fetch(path, { method: "POST", redirect: "manual" });
