"use client";

import { type ComponentProps, createContext, use } from "react";
import { useFormStatus } from "react-dom";
import { SENT_BY } from "./sent-by";
import { useLasting } from "./use-lasting";

/** Longer than this site takes, where Towline answers it. */
const LATE_MS = 8_000;

/** Whose page it is. */
export const Whose = createContext("");

/** A form for the server, with whose page it is sent from. */
export function Form({ children, ...form }: ComponentProps<"form">) {
  return (
    <form {...form}>
      <input type="hidden" name={SENT_BY} value={use(Whose)} />
      {children}
      <Late />
    </form>
  );
}

/** Says that an answer is long in coming. Nothing else of the page can: until it is there Next.js renders nothing anew. */
function Late() {
  const isLate = useLasting(useFormStatus().pending, LATE_MS);
  return (
    <p className="muted" role="status">
      {isLate && "Still waiting for an answer."}
    </p>
  );
}
