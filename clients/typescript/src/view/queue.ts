/** Runs what it is given, at most so much of it at once, first come first served. */
export function queue(room: number): (run: () => Promise<void>) => Promise<void> {
  const waiting: (() => void)[] = [];
  return async (run) => {
    if (room > 0) room--;
    else await new Promise<void>((go) => waiting.push(go));
    try {
      await run();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else room++;
    }
  };
}
