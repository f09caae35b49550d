// What the service needs to run under Wrangler on a laptop: its settings, and Wrangler's own.

import { environment } from "../setup/environment.mjs";
import { Failure } from "../setup/steps.mjs";
import { LOOPBACK } from "./ports.mjs";

/** The service's optional settings: who sets one for `npm start` finds it in the service. */
const OPTIONAL = [
  "ABLY_PUBLISH_KEY",
  "ABLY_REST_URL",
  "SESSION_SECRET_PREVIOUS",
  "SESSION_ISSUER",
  "SESSION_AUDIENCE",
  "SESSION_COOKIE",
  "SESSION_MAX_HOURS",
  "SESSION_RENEWAL_SECONDS",
  "CORS_ORIGINS",
  "CORS_HEADERS",
  "DEV_HINTS",
  "ABLY_PUBLISHERS",
  "ABLY_PUBLISHING",
  "ABLY_REQUESTS_PER_SECOND",
  "JOB_FIX_BURST",
  "JOB_FIX_RATE",
  "JOB_MAX_HOURS",
  "JOB_PUBLISH_RATE",
  "JOB_REGISTRY",
  "JOB_TRAIL_MAX",
  "JOB_UNSENT_MAX",
  "MAX_FIX_AGE_HOURS",
  "OBJECT_JURISDICTION",
  "SILENT_AFTER_SECONDS",
  "TOKEN_REQUESTS",
  "TRAIL_RETENTION_DAYS",
];

/** What the service has in a development set-up alone: its log says why a request is refused, and what to do. */
export const DEVELOPMENT = { DEV_HINTS: "on" };

/** What keeps Wrangler from writing down or showing what goes through it; `.env.local` has it for whoever runs Wrangler by hand. */
export const DISCREET = {
  // It would write every request's URL, with all that is in its query, into a file that outlives the run.
  X_LOCAL_OBSERVABILITY: "false",
  // It would serve every object's SQL to whoever sends `Host: localhost`.
  X_LOCAL_EXPLORER: "false",
};

/** Wrangler's own settings, wherever we run it. */
export const WRANGLER = {
  ...DISCREET,
  // Nothing leaves the laptop, and nothing is asked.
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  // Its debug log would be a file outside the clone.
  WRANGLER_WRITE_LOGS: "false",
};

/** What else of the environment Wrangler and the build need. The rest, and its secrets, are not for the Worker. */
const PASSED_ON = /^(PATH|HOME|USER|TMPDIR|TERM|LANG|LC_\w+|XDG_\w+|CARGO_\w+|RUSTUP_\w+|RUSTFLAGS|CC|\w+_proxy|SSL_CERT_\w+|NODE_EXTRA_CA_CERTS|NO_COLOR|FORCE_COLOR)$/i;

/**
 * The optional settings among an environment.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Record<string, string>}
 */
export function optionalSettings(env) {
  return Object.fromEntries(OPTIONAL.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
}

/**
 * The environment of `wrangler dev`. With `CLOUDFLARE_INCLUDE_PROCESS_ENV` it is also the Worker's, so that a key
 * reaches it through no file and no command line.
 * @param {Record<string, string>} settings the service's
 * @returns {NodeJS.ProcessEnv}
 */
export function wranglerEnvironment(settings) {
  const passed = Object.entries(environment()).filter(([name]) => PASSED_ON.test(name));
  return {
    ...Object.fromEntries(passed),
    CLOUDFLARE_INCLUDE_PROCESS_ENV: "true",
    ...WRANGLER,
    ...settings,
  };
}

/**
 * The arguments of `wrangler dev`, which listens to this machine alone.
 * @param {number} port
 */
export function wranglerArguments(port) {
  // An env file is named so that `.dev.vars` is not read: its key is that of the local Ably at its usual port.
  const settings = ["--env-file", "/dev/null", "--show-interactive-dev-session=false"];
  return ["dev", "--ip", LOOPBACK, "--port", String(port), "--inspector-ip", LOOPBACK, ...settings];
}

/**
 * An Ably key, where there is one. The message of the failure does not quote it.
 * @param {string | undefined} text `appId.keyId:secret`
 */
export function ablyKey(text) {
  if (!text) return undefined;
  const [, appId, keyId] = /^([\w-]+)\.([\w-]+):[^\s:]+$/.exec(text) ?? [];
  if (appId === undefined || keyId === undefined) throw new Failure("ABLY_API_KEY is no Ably key: that is appId.keyId:secret.");
  return { text, appId, name: `${appId}.${keyId}` };
}
