"use client";

import { type ReactNode, useState } from "react";

interface KeptProps {
  /** Nothing where the server could not find out. */
  children: ReactNode;
  /** What is said then. */
  without: ReactNode;
}

/** What the server has rendered last of what it knew, with all that somebody has typed there, where it now knows nothing. */
export function Kept({ children, without }: KeptProps) {
  const [last, keep] = useState(children);
  if (children && children !== last) keep(children);
  return (
    <>
      {!children && without}
      {children || last}
    </>
  );
}
