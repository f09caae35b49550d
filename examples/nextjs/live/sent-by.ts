/** The field of a form that says whose page it was sent from. */
export const SENT_BY = "sent-by";

/** Whether a form comes from a page of this user's. An open page may be somebody's who was signed in before, and has not heard of it yet. */
export const isSentBy = (user: { id: string }, form: FormData) => form.get(SENT_BY) === user.id;

export const NOT_SENT_BY = "Nothing was done: somebody else has signed in in this browser. Load the page again.";
