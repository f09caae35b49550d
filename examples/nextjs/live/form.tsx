"use client";

import { type ComponentProps, createContext, use } from "react";
import { SENT_BY } from "./sent-by";

/** Whose page it is. */
export const Whose = createContext("");

/** A form for the server, with whose page it is sent from. */
export function Form({ children, ...form }: ComponentProps<"form">) {
  return (
    <form {...form}>
      <input type="hidden" name={SENT_BY} value={use(Whose)} />
      {children}
    </form>
  );
}
