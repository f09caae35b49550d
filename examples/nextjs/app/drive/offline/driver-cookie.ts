// Which driver is signed in in this browser, as `session/driver-cookie` names them to scripts.

/** The cookie's value; null where no driver is. */
export const driverCookie = (): string | null => /(?:^|; )driver=([^;]+)/.exec(document.cookie)?.[1] ?? null;

export const driverOf = (cookie: string): { id: string; name: string } => JSON.parse(decodeURIComponent(cookie));
