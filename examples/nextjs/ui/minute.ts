/** A time as a field of a form has it, to the minute and in UTC: `2026-11-29T15:57`. @param at Unix milliseconds */
export const utcMinute = (at: number) => new Date(at).toISOString().slice(0, 16);

/** A time that reads the same wherever it is written: `2026-11-29 15:57 UTC`. @param at Unix milliseconds */
export const utcText = (at: number) => `${utcMinute(at).replace("T", " ")} UTC`;
