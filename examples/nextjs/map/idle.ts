/** Waits until the page has been loaded, and the browser has nothing else to do: a map is not worth making anybody wait. */
export async function idle(): Promise<void> {
  if (document.readyState !== "complete") await new Promise((loaded) => addEventListener("load", loaded, { once: true }));
  // Safari has no such thing.
  await new Promise<void>((free) => ("requestIdleCallback" in window ? requestIdleCallback(() => free(), { timeout: 1_000 }) : setTimeout(free, 100)));
}
