// What somebody has said of their duty, as the tab keeps it: it outlasts that a page is loaded anew, and ends with the tab, or where it is somebody else's.

export interface Duty {
  readonly on: boolean;
  /** Which job a driver drives for. */
  readonly job?: string | undefined;
}

const KEY = "towline-duty";

/** A browser that lets nothing be kept only makes them say it again. */
export function keepDuty(user: string, { on, job }: Duty) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ user, on, job }));
  } catch {}
}

/** Forgets what was said in this tab, whoever has. */
export function endDuty() {
  try {
    sessionStorage.removeItem(KEY);
  } catch {}
}

/** What this user has said in this tab, if they have. */
export function keptDuty(user: string): Duty | undefined {
  try {
    const { user: whose, on, job } = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
    return whose === user ? { on: on === true, job: typeof job === "string" ? job : undefined } : undefined;
  } catch {
    return undefined;
  }
}
