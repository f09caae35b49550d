"use client";

// What people are called, and whom a job can be given to: as the server says it with a page, to those who may know.

import { createContext, type ReactNode, useContext, useMemo } from "react";
import type { Role, User } from "@/session/user";

/** What to call somebody: their id where the page was not told. */
export type NameOf = (id: string) => string;

interface Names {
  people: readonly User[];
  nameOf: NameOf;
}

const Context = createContext<Names | undefined>(undefined);

export function NamesProvider({ people, children }: { people: readonly User[]; children: ReactNode }) {
  const names = useMemo((): Names => {
    const byId = new Map(people.map(({ id, name }) => [id, name]));
    return { people, nameOf: (id) => byId.get(id) ?? id };
  }, [people]);
  return <Context value={names}>{children}</Context>;
}

function useContextOfNames(): Names {
  const names = useContext(Context);
  if (names === undefined) throw new Error("there is no NamesProvider above");
  return names;
}

export const useNames = (): NameOf => useContextOfNames().nameOf;

/** All of a role. */
export const usePeople = (role: Role): readonly User[] => useContextOfNames().people.filter((person) => person.role === role);
