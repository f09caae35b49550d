// What `npm start` tells the person who started it.

/**
 * @typedef {object} Facts What `.towline/dev.json` says.
 * @property {string} url of the service
 * @property {{ endpoint: string, port: number, tls: boolean, key?: string }} ably options of the `ably` client; the key is
 *   that of the local Ably only
 * @property {string} jobId
 * @property {import("./session.mjs").Sessions} sessions
 * @property {string} sessionSecret
 */

/**
 * Where clients find Ably, as options of the `ably` client.
 * @param {string | undefined} restUrl
 */
export function ablyAddress(restUrl) {
  if (restUrl === undefined) return { endpoint: "main", port: 443, tls: true };
  const { hostname, port, protocol } = new URL(restUrl);
  const tls = protocol === "https:";
  return { endpoint: hostname, port: Number(port) || (tls ? 443 : 80), tls };
}

/**
 * The text to print.
 * @param {Facts} facts
 * @param {string[]} reachable the service's URLs in the network, where it listens to that
 * @param {string} [page] the URL of the local Ably's page
 * @param {boolean} [isRegistryRequired] whether a job has to be registered before anybody takes part
 */
export function text({ url, ably, jobId, sessions }, reachable, page, isRegistryRequired = false) {
  const tokens = Object.entries(sessions).map(([role, token]) => `  ${role.padEnd(10)} ${token}`);
  const fix = JSON.stringify({ lat: 48.2082, lng: 16.3738, speed: 12.5, heading: 90 });
  const client = JSON.stringify({
    authUrl: `${url}/api/ably-token`,
    authHeaders: { Authorization: `Bearer ${sessions.customer}` },
    // Ably itself is where the client looks by itself.
    ...(ably.endpoint === "main" ? {} : { endpoint: ably.endpoint, port: ably.port, tls: ably.tls }),
  });
  const job = JSON.stringify({ driver: "driver-1", customers: ["customer-1"] });
  const registering = `curl -sS -X PUT ${url}/api/jobs/${jobId} -H 'Authorization: Bearer ${sessions.dispatcher}' -H 'Content-Type: application/json' -d '${job}'`;
  const channel = JSON.stringify(`dispatch:job:${jobId}`);
  const network =
    reachable.length === 0
      ? []
      : [
          `Reachable from your network, by whoever has a session: ${reachable.join(" ")}`,
          ably.key === undefined
            ? "Not reachable from there: Wrangler's own ports."
            : "Not reachable from there: the local Ably (to subscribe from a phone, start with ABLY_API_KEY) and Wrangler's own ports.",
          "",
        ];
  return [
    "",
    `Service    ${url}`,
    `Ably       ${ably.key === undefined ? "Ably itself" : `local, http://${ably.endpoint}:${ably.port}`}`,
    ...(page === undefined ? [] : [`Look inside ${page}`]),
    `Job        ${jobId}`,
    "",
    "A session token for each role (the driver's and the customer's for that job):",
    ...tokens,
    "",
    ...(isRegistryRequired ? ["Register the job first, as the dispatcher (JOB_REGISTRY=required):", `  ${registering}`, ""] : []),
    "Subscribe as the customer:",
    `  node --input-type=module -e 'import { Realtime } from "ably"; new Realtime(${client}).channels.get(${channel}).subscribe((m) => console.log(m.name, m.data))'`,
    "",
    "Post a fix as the driver:",
    `  curl -sS ${url}/api/jobs/${jobId}/location -H 'Authorization: Bearer ${sessions.driver}' -H 'Content-Type: application/json' -d '${fix}'`,
    "",
    ...network,
    "This is a development set-up: its sessions and secrets are made up in this clone (.towline) and end with it.",
    "The same facts for programs: .towline/dev.json. Ctrl-C stops everything.",
    "",
  ].join("\n");
}
