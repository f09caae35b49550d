/** What is said of a form that no answer has come to: from this site, or from Towline, which this site has asked. */
export const UNANSWERED = "No answer came: it may or may not have been done. Look before you try again.";

/** What is said of one that this site does not have any more, since the page has been open for longer than its present build is there. */
export const OUTDATED = "Nothing was done: this page is of an earlier version of the site. Load it again.";
