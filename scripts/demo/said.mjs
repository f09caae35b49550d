// What `npm run demo` tells the person who started it.

/**
 * @param {object} facts
 * @param {string} facts.app its URL
 * @param {string} facts.service
 * @param {string} [facts.page] of the local Ably
 * @param {ReturnType<typeof import("./cast.mjs").cast>} facts.cast
 */
export function text({ app, service, page, cast: { dispatchers, customers, drivers, jobs } }) {
  const [one, two, three] = customers.map(({ name }) => name);
  const last = drivers.at(-1)?.name;
  return [
    "",
    `Open       ${app}`,
    "",
    "Sign in as",
    `  ${list(dispatchers)}: a dispatcher. All jobs on one map; ${jobs.at(-1)?.jobId} waits for a driver`,
    `  ${list(customers)}: a customer. ${one} has one job, ${two} two, ${three} three, one of which shows its driver only when near`,
    `  ${last}: a driver. This browser is the phone then; ${last}'s simulated one goes silent after three minutes`,
    "",
    `Driving    ${drivers.length} simulated drivers: tunnels, wrong clocks, a network that comes and goes, one parked, one that goes silent`,
    "A drive of your own, GPX or GeoJSON, in another terminal:",
    "  npm run drive -- --file tests/data/car-drive.gpx --job my-drive --speed 10",
    "",
    `Service    ${service}`,
    ...(page === undefined ? [] : [`Look inside ${page}`]),
    "This is a development set-up: anybody who can open it can sign in as anybody. Ctrl-C stops everything.",
    "",
  ].join("\n");
}

/** @param {import("./cast.mjs").Person[]} people */
function list(people) {
  const names = people.map(({ name }) => name);
  return `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}
