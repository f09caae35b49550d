"use client";

import { unstable_isUnrecognizedActionError, unstable_rethrow } from "next/navigation";
import { useActionState } from "react";
import { OUTDATED, UNANSWERED } from "./unanswered";

/**
 * `useActionState` for an action of the server's. Where no answer comes, that would end the page with all that is typed; here it is a state.
 * @param unanswered the state then, with what is to be said
 */
export function useAction<State>(
  action: (state: Awaited<State>, form: FormData) => Promise<State>,
  initial: NoInfer<Awaited<State>>,
  unanswered: (text: string, form: FormData) => NoInfer<State>,
) {
  const send: typeof action = async (state, form) => {
    try {
      return await action(state, form);
    } catch (error) {
      // Where the server leads elsewhere, that is an error, too.
      unstable_rethrow(error);
      return unanswered(unstable_isUnrecognizedActionError(error) ? OUTDATED : UNANSWERED, form);
    }
  };
  // As the server renders it, it is the action itself: such a form can be sent without a script.
  return useActionState(typeof window === "undefined" ? action : send, initial);
}
