import { type RefObject, useEffect, useState } from "react";

/** The list is in view once it reaches above the screen's lowest quarter: below a map that fills a phone's screen it is not looked at. */
const LOOKED_AT = "0px 0px -25% 0px";

/** How long the list stands before it is asked where the vehicles are of what it shows. */
const STANDS_MS = 250;

/**
 * The ids of the rows (`data-row`) of a list that can be seen, or nearly; none where the list is not in view, undefined while that is not known.
 * @param rows what the list is made of: with others there are other elements. Undefined: nobody asks
 */
export function useInView(list: RefObject<HTMLElement | null>, rows: readonly unknown[] | undefined): readonly string[] | undefined {
  const [inView, setInView] = useState<readonly string[]>();
  useEffect(() => {
    if (list.current === null || rows === undefined) return;
    const seen = new Set<string>();
    let isInView = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tell = () => {
      clearTimeout(timer);
      timer = setTimeout(() => setInView(isInView ? [...seen].sort() : []), STANDS_MS);
    };
    const ofList = new IntersectionObserver(
      (entries) => {
        isInView = entries.at(-1)?.isIntersecting ?? false;
        tell();
      },
      { rootMargin: LOOKED_AT },
    );
    ofList.observe(list.current);
    const ofRows = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const jobId = (target as HTMLElement).dataset.row ?? "";
          if (isIntersecting) seen.add(jobId);
          else seen.delete(jobId);
        }
        tell();
      },
      { rootMargin: "300px 0px" },
    );
    for (const row of list.current.querySelectorAll("[data-row]")) ofRows.observe(row);
    return () => {
      ofList.disconnect();
      ofRows.disconnect();
      clearTimeout(timer);
    };
  }, [list, rows]);
  return inView;
}
