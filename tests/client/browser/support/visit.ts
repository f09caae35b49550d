// Somebody at a browser of their own: what they see, and what they do.

import type { TestContext } from "node:test";
import type { BrowserContext, Page } from "playwright-core";
import { eventually } from "../../../e2e/support/wait.ts";
import type { Person } from "../../../e2e/support/world.ts";
import type { Shown } from "../pages/watching.tsx";
import type { Site } from "./site.ts";

/** How a page is asked for. */
export interface How {
  jobs?: string[];
  /** Without Ably. */
  stream?: boolean;
  /** With first states in the HTML. */
  rendered?: boolean;
  /** The browser may keep the HTML. */
  kept?: boolean;
}

/** Before any script of the page: tells each text that is to be read in it, and lets the test hide the tab. */
export const ON_LOOKER = () => {
  let hidden = false;
  Object.defineProperties(Document.prototype, {
    hidden: { get: () => hidden },
    visibilityState: { get: () => (hidden ? "hidden" : "visible") },
  });
  const tell = () => document.body && read(document.body.innerText);
  Object.assign(window, {
    hide(to: boolean) {
      hidden = to;
      document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    },
  });
  new MutationObserver(tell).observe(document, { childList: true, subtree: true, characterData: true });
  // A page that comes back as it was changes nothing.
  addEventListener("pageshow", tell);
};

declare const read: (text: string) => void;
declare const hide: (to: boolean) => void;

/** A browser profile, which several people may use one after the other. */
export class Phone {
  readonly site: Site;
  readonly context: BrowserContext;
  /** Every text that could be read, in every page, in order. */
  readonly read: { page: string; text: string }[] = [];
  /** What pages have said on the console that is no mere word. */
  readonly said: string[] = [];
  /** How many WebSockets its pages have opened. */
  sockets = 0;

  private constructor(site: Site, context: BrowserContext) {
    this.site = site;
    this.context = context;
  }

  static async of(t: TestContext, site: Site): Promise<Phone> {
    const context = await site.browser.newContext();
    t.after(() => context.close());
    const phone = new Phone(site, context);
    await context.exposeBinding("read", ({ page }, text: string) => void phone.read.push({ page: page.url(), text }));
    await context.addInitScript(ON_LOOKER);
    context.on("page", (page) => page.on("websocket", () => void (phone.sockets += 1)));
    context.on("console", (message) => void (["error", "warning"].includes(message.type()) && phone.said.push(message.text())));
    context.on("weberror", (error) => void phone.said.push(String(error.error())));
    return phone;
  }

  async signIn(person: Person) {
    await this.context.addCookies([this.site.cookie(person)]);
  }

  /** Opens a page in a tab of its own. */
  async open(name: string, how: How = {}): Promise<Tab> {
    const page = await this.context.newPage();
    const tab = new Tab(this, page);
    await tab.go(name, how);
    return tab;
  }
}

/** A tab. */
export class Tab {
  readonly phone: Phone;
  readonly page: Page;

  constructor(phone: Phone, page: Page) {
    this.phone = phone;
    this.page = page;
  }

  async go(name: string, { jobs = [], ...flags }: How = {}) {
    const query = new URLSearchParams({ jobs: jobs.join(",") });
    for (const [flag, set] of Object.entries(flags)) if (set) query.set(flag, "");
    await this.page.goto(`${this.phone.site.url}/${name}?${query}`);
  }

  /** Everything that the document has rendered of a job, in order. */
  shown(job?: string): Promise<Shown[]> {
    return this.page.evaluate((job) => shown.filter((one) => job === undefined || one.job === job), job);
  }

  /** Waits until what the page shows of a job now is as wanted. */
  sees(job: string, what: string | RegExp, bound?: number): Promise<string> {
    return this.reads(`[data-job="${job}"]`, what, bound);
  }

  /** Waits until an element reads as wanted. */
  reads(selector: string, what: string | RegExp, bound?: number): Promise<string> {
    let last: string | null = null;
    const fits = (text: string) => (typeof what === "string" ? text.includes(what) : what.test(text));
    return eventually(`${selector} to read ${what}`, async () => {
      last = await this.page.locator(selector).textContent({ timeout: 1_000 }).catch(() => null);
      return last !== null && fits(last) ? last : undefined;
    }, bound).catch((error) => {
      throw new Error(`${error.message}; it reads ${JSON.stringify(last)}`);
    });
  }

  hide() {
    return this.page.evaluate(() => hide(true));
  }

  unhide() {
    return this.page.evaluate(() => hide(false));
  }
}
