/** What is said of a form that no answer has come to: from this site, or from Towline, which this site has asked. */
export const UNANSWERED = "No answer came: it may or may not have been done. Look before you try again.";
