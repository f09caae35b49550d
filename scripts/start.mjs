// `npm start`: the local Ably (or Ably itself, where ABLY_API_KEY is set) and the service under Wrangler.

import { develop } from "./dev/develop.mjs";
import { text } from "./dev/facts.mjs";
import { listenAddress } from "./dev/ports.mjs";
import { log, script } from "./setup/steps.mjs";

await script(() =>
  develop({
    host: listenAddress(process.env.HOST),
    port: process.env.PORT,
    ready: (_, { facts, reachable, page, show }) => {
      log(text(facts, reachable, page, process.env.JOB_REGISTRY === "required"));
      // The person has read the facts before the log begins.
      show();
    },
  }),
);
