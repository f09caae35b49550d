// The driver's page, opened where there is no network: phones load pages again whenever they like. It keeps `/drive/offline`, which is the same
// for everybody and holds nobody's data, and the scripts and styles that it needs; what drivers record is not its business. The network comes
// first, so an update of the app is there with the next visit, and brings its own offline page. To be rid of it: sign out.

const CACHE = "drive";
const SHELL = "/drive/offline";

/** A network that has not answered by then is none. */
const PATIENCE_MS = 8_000;

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (origin !== location.origin || request.method !== "GET") return;
  if (request.mode === "navigate" && pathname === "/drive") event.respondWith(page(event));
  else if (pathname.startsWith("/_next/static/")) event.respondWith(asset(request));
});

async function page(event) {
  // Until it has begun to answer: what it answers may take as long as it likes.
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
  try {
    const answer = await fetch(event.request, { signal: patience.signal }).finally(() => clearTimeout(timer));
    // What stands between says that the site cannot be reached.
    if (answer.status < 500) {
      event.waitUntil(keep().catch(() => {}));
      return answer;
    }
  } catch {}
  return (await caches.match(SHELL)) ?? Response.error();
}

/** What is below this path never changes. */
async function asset(request) {
  return (await caches.match(request)) ?? fetch(request);
}

/** Keeps the offline page as it is now, with all that it names; what only an earlier one has named goes. */
async function keep() {
  const answer = await fetch(SHELL, { credentials: "omit", cache: "no-store" });
  if (!answer.ok) throw new Error(`the offline page: ${answer.status}`);
  const html = await answer.clone().text();
  const assets = new Set(html.match(/\/_next\/static\/[\w./~%-]+/g));
  const cache = await caches.open(CACHE);
  const kept = new Set((await cache.keys()).map(({ url }) => new URL(url).pathname));
  await cache.addAll([...assets].filter((path) => !kept.has(path)));
  // The page comes last, and so is never there without them.
  await cache.put(SHELL, answer);
  for (const path of kept) if (path !== SHELL && !assets.has(path)) await cache.delete(path);
}
