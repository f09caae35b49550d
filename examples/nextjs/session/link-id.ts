// What a link's id tells: `link-`, when it was made, and what nobody can guess.

export const LINK = "link-";

/** Whether a customer is one by link. */
export const isLink = (userId: string) => userId.startsWith(LINK);

/** When a link was made, Unix milliseconds; undefined of an id that was made elsewhere. */
export function madeAt(link: string): number | undefined {
  const [, seconds] = /^link-([0-9a-z]{1,8})-[\w-]{22}$/.exec(link) ?? [];
  return seconds === undefined ? undefined : Number.parseInt(seconds, 36) * 1_000;
}
