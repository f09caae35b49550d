// Which role may do what on which channel: what Towline's default policy grants.

/**
 * The capability, in Ably's canonical form: no white space, channels and operations sorted.
 * @param {string} role
 * @param {string} userId
 * @param {string[]} jobs
 */
export function capabilityOf(role, userId, jobs) {
  /** @type {Record<string, string[]>} */
  const channels = { [`notifications:user:${userId}`]: ["subscribe"] };
  if (role === "driver" || role === "customer") for (const job of jobs) channels[`dispatch:job:${job}`] = ["subscribe"];
  else channels["dispatch:job:*"] = ["subscribe"];
  if (role === "driver") channels["presence:dispatch"] = ["presence"];
  if (role === "dispatcher" || role === "admin") {
    channels["presence:dispatch"] = ["presence", "subscribe"];
    channels["presence:dispatch:*"] = ["presence", "subscribe"];
  }
  if (role === "admin") channels["admin:ops"] = ["subscribe"];
  return JSON.stringify(Object.fromEntries(Object.entries(channels).sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** Who may read any job's location. */
export const READS_ALL = new Set(["dispatcher", "admin", "service"]);
