// `npm run test:e2e -- --app=<appId>`: the end-to-end tests against Ably itself. The app is named as well as the key, so
// that a key which happens to be in the environment is never used.

import { ablyKey } from "./dev/service.mjs";
import { setup } from "./setup/all.mjs";
import { environment } from "./setup/environment.mjs";
import { Failure, log, script } from "./setup/steps.mjs";
import { buildWorker } from "./setup/worker.mjs";
import { nodeTests } from "./testing/suites.mjs";

await script(async () => {
  const key = ablyKey(process.env.ABLY_API_KEY);
  const publishKey = process.env.ABLY_PUBLISH_KEY;
  delete process.env.ABLY_API_KEY;
  delete process.env.ABLY_PUBLISH_KEY;
  const app = process.argv.slice(2).flatMap((arg) => /^--app=(.+)$/.exec(arg)?.[1] ?? []).at(-1);
  if (key === undefined || app === undefined) {
    throw new Failure("What to do: ABLY_API_KEY=<appId.keyId:secret> npm run test:e2e -- --app=<appId>");
  }
  if (key.appId !== app) throw new Failure(`ABLY_API_KEY is a key of app ${key.appId}, and --app says ${app}: nothing was run.`);
  log(`End-to-end tests against ${process.env.ABLY_REST_URL || "Ably itself"}: app ${app}, key ${key.name}`);
  await setup();
  await buildWorker();
  const env = { ...environment(), ABLY_API_KEY: key.text, ...(publishKey && { ABLY_PUBLISH_KEY: publishKey }) };
  // Not its folder `local`: nobody cuts the network to Ably itself, or restarts it.
  const { passed, failed } = await nodeTests(["tests/e2e/*.test.ts"], env);
  log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
});
