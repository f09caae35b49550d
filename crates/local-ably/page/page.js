// What the page does: it looks at the server by its inspector, and at one channel by the protocol.

import { Inspector } from "./inspector.js";
import { Limits } from "./limits.js";
import { Messages } from "./messages.js";
import { Panels } from "./panels.js";
import { Presence } from "./presence.js";
import { Rates } from "./rates.js";
import { Realtime } from "./realtime.js";
import { byId, dress, element, write } from "./view.js";

/** How long typing may pause before it counts, in milliseconds. */
const TYPING_MS = 250;

const input = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (byId(id));
const form = (/** @type {string} */ id, /** @type {() => void} */ submit) =>
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });

/** What outlives a reload, in this tab alone. */
const kept = {
  /** @param {string} name */
  get: (name) => sessionStorage.getItem(`local-ably.${name}`) ?? "",
  /** @param {string} name @param {string} value */
  set: (name, value) => sessionStorage.setItem(`local-ably.${name}`, value),
};

/** Takes the secret out of the URL, where others could see it, or from where it was kept. */
function secretOfPage() {
  const given = new URLSearchParams(location.hash.slice(1)).get("secret");
  if (given !== null) {
    kept.set("secret", given);
    history.replaceState(null, "", location.pathname);
  }
  return kept.get("secret");
}

/** @param {string} text @param {"good" | "bad" | ""} tone */
function say(text, tone) {
  write(byId("state"), text);
  dress(byId("state"), tone);
}

/** @type {Page | undefined} */
let page;

/** The page, once there is a secret. */
class Page {
  #inspector;
  /** @type {Realtime | undefined} */
  #realtime;
  /** Whose channels `#realtime` reads. */
  #reads = "";
  #app = kept.get("app");
  #channel = "";
  #attachment = { text: "", good: true };
  #filter = "";
  #paused = false;
  /** @type {any} */
  #snapshot;
  #rates = new Rates();
  #limits = new Limits();
  #presence = new Presence();
  #messages = new Messages(
    () => this.#realtime?.read() ?? { frames: [], dropped: 0 },
    (connectionId) => this.#panels.who(connectionId),
  );
  #panels = new Panels((channel) => this.choose(channel));

  /** @param {string} secret */
  constructor(secret) {
    this.#inspector = new Inspector(secret, (snapshot) => this.#heard(snapshot), (state, why) => this.#state(state, why));
    this.#watch();
  }

  end() {
    this.#inspector.stop();
    this.#realtime?.close();
  }

  /** @param {string} channel */
  choose(channel) {
    if (channel === this.#channel) return;
    this.#channel = channel;
    kept.set("channel", channel);
    this.#messages.clear();
    this.#presence.clear();
    this.#attachment = { text: "", good: true };
    this.#realtime?.watch(channel);
    this.#watch();
    this.#draw();
  }

  /** @param {string} app */
  chooseApp(app) {
    this.#app = app;
    kept.set("app", app);
    this.#watch();
  }

  /** @param {string} text */
  filter(text) {
    this.#filter = text.trim().toLowerCase();
    this.#messages.filter(this.#filter);
    this.#presence.filter(this.#filter);
    this.#panels.filter(this.#filter);
    this.#watch();
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.#paused = paused;
    this.#messages.pause(paused);
    this.#presence.pause(paused);
    this.#draw();
  }

  #watch() {
    void this.#inspector.watch({
      filter: this.#filter,
      ...(this.#app !== "" && { app: this.#app }),
      ...(this.#channel !== "" && { channel: this.#channel }),
    });
  }

  /** @param {"live" | "lost" | "refused"} state @param {string} why */
  #state(state, why) {
    if (state === "refused") {
      this.end();
      kept.set("secret", "");
      ask(why);
    } else if (state === "lost") {
      say(`Not reached: ${why}. Trying again`, "bad");
    } else {
      say(this.#paused ? "Live, and paused here" : "Live", "good");
    }
  }

  /** @param {any} snapshot */
  #heard(snapshot) {
    // What was chosen may be gone: apps can be removed.
    if (snapshot.app === null && this.#app !== "" && snapshot.apps.length > 0) {
      this.chooseApp("");
      return;
    }
    this.#snapshot = snapshot;
    this.#panels.remember(snapshot);
    this.#rates.count(snapshot);
    this.#limits.count(snapshot);
    const app = snapshot.app?.id ?? "";
    if (app !== this.#reads) this.#read(app);
    this.#draw();
  }

  /** Reads the channels of another app. @param {string} app */
  #read(app) {
    this.#realtime?.close();
    this.#realtime = undefined;
    this.#reads = app;
    this.#rates.clear();
    const before = this.#channel;
    this.#channel = "";
    this.#messages.clear();
    this.#presence.clear();
    if (app === "") return;
    this.#realtime = new Realtime(() => this.#inspector.token(app), {
      state: (text, good) => {
        this.#attachment = { text, good };
        this.#draw();
      },
      arrived: () => this.#messages.arrived(),
      presence: (frame) => this.#presence.heard(frame),
      attached: (hasPresence) => this.#presence.attached(hasPresence),
    });
    const known = before || kept.get("channel") || this.#snapshot.app.channels.shown[0]?.name;
    if (known) this.choose(known);
  }

  #draw() {
    const snapshot = this.#snapshot;
    if (snapshot === undefined || this.#paused) return;
    drawApps(snapshot);
    this.#rates.draw(snapshot);
    this.#limits.draw();
    this.#panels.draw(snapshot, { chosen: this.#channel, attachment: this.#attachment, rates: this.#rates });
  }
}

/** @param {any} snapshot */
function drawApps({ apps, app }) {
  const select = /** @type {HTMLSelectElement} */ (byId("app"));
  byId("app-choice").hidden = apps.length < 2;
  const names = Array.from(select.options, (option) => option.value);
  if (names.join() !== apps.join()) {
    select.replaceChildren(...apps.map((/** @type {string} */ id) => element("option", "", id)));
  }
  if (app !== null && select.value !== app.id && document.activeElement !== select) select.value = app.id;
}

/** Asks for the secret. @param {string} [why] */
function ask(why = "") {
  page?.end();
  page = undefined;
  byId("inside").hidden = true;
  byId("entrance").hidden = false;
  write(byId("entrance-error"), why);
  say("Waiting for the secret", "");
  input("secret").value = "";
  input("secret").focus();
}

/** @param {string} secret */
function enter(secret) {
  page?.end();
  byId("entrance").hidden = true;
  byId("inside").hidden = false;
  say("Connecting…", "");
  page = new Page(secret);
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let typing;
input("filter").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => page?.filter(input("filter").value), TYPING_MS);
});
byId("pause").addEventListener("click", () => {
  const paused = byId("pause").getAttribute("aria-pressed") !== "true";
  byId("pause").setAttribute("aria-pressed", String(paused));
  page?.pause(paused);
});
byId("app").addEventListener("change", () => page?.chooseApp(input("app").value));
form("watch-form", () => {
  const channel = input("watch").value;
  if (channel !== "") page?.choose(channel);
  input("watch").value = "";
});
form("entrance-form", () => {
  kept.set("secret", input("secret").value.trim());
  enter(kept.get("secret"));
});
// Another URL of the page, opened in the same tab, brings another secret.
addEventListener("hashchange", () => {
  if (location.hash.includes("secret=")) enter(secretOfPage());
});

const secret = secretOfPage();
if (secret === "") ask();
else enter(secret);
