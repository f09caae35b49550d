// A browser without scripts: it keeps cookies, and follows where it is led.

/** More than any way through a sign-in. */
const MOST_STEPS = 12;

export interface Page {
  /** Where it ended. */
  url: URL;
  status: number;
  text: string;
}

export class Visitor {
  readonly #site: URL;
  readonly cookies = new Map<string, string>();

  constructor(site: string) {
    this.#site = new URL(site);
  }

  /** Asks once, as a script of the site's pages does. Cookies go to the site alone. */
  async ask(to: string, init: RequestInit = {}): Promise<Response> {
    const url = new URL(to, this.#site);
    const headers = new Headers(init.headers);
    if (url.origin === this.#site.origin) {
      headers.set("cookie", [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; "));
      if (init.method === "POST") headers.set("origin", this.#site.origin);
    }
    const answer = await fetch(url, { ...init, headers, redirect: "manual" });
    if (url.origin === this.#site.origin) for (const line of answer.headers.getSetCookie()) this.#keep(line);
    return answer;
  }

  /** Opens a page, or sends a form. */
  async open(to: string, form?: Record<string, string>): Promise<Page> {
    let url = new URL(to, this.#site);
    let init: RequestInit = form === undefined ? {} : { method: "POST", body: new URLSearchParams(form) };
    for (let step = 0; step < MOST_STEPS; step += 1) {
      const answer = await this.ask(url.href, { ...init, headers: { accept: "text/html", "sec-fetch-dest": "document", "sec-fetch-mode": "navigate" } });
      const location = answer.headers.get("location");
      if (location === null) return { url, status: answer.status, text: await answer.text() };
      url = new URL(location, url);
      init = {};
    }
    throw new Error(`led from page to page, at last to ${url.pathname}`);
  }

  #keep(line: string) {
    const [, name = "", value = "", attributes = ""] = /^([^=]+)=([^;]*)(.*)$/.exec(line) ?? [];
    const [, expires] = /;\s*expires=([^;]+)/i.exec(attributes) ?? [];
    const isGone = /;\s*max-age=0\b/i.test(attributes) || (expires !== undefined && Date.parse(expires) <= Date.now());
    if (isGone) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}
