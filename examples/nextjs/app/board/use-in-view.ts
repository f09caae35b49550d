import { type RefObject, useEffect, useState } from "react";

/** How long the list stands before it is asked where the vehicles are of what it shows. */
const STANDS_MS = 250;

/**
 * The ids of the rows (`data-row`) of a list that can be seen, or nearly; undefined while that is not known.
 * @param rows what the list is made of: with others there are other elements. Undefined: nobody asks
 */
export function useInView(list: RefObject<HTMLElement | null>, rows: readonly unknown[] | undefined): readonly string[] | undefined {
  const [inView, setInView] = useState<readonly string[]>();
  useEffect(() => {
    if (list.current === null || rows === undefined) return;
    const seen = new Set<string>();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const jobId = (target as HTMLElement).dataset.row ?? "";
          if (isIntersecting) seen.add(jobId);
          else seen.delete(jobId);
        }
        clearTimeout(timer);
        timer = setTimeout(() => setInView([...seen].sort()), STANDS_MS);
      },
      { rootMargin: "300px 0px" },
    );
    for (const row of list.current.querySelectorAll("[data-row]")) observer.observe(row);
    return () => {
      observer.disconnect();
      clearTimeout(timer);
    };
  }, [list, rows]);
  return inView;
}
