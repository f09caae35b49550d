// `npm run demo`: the service, its Ably, the app of examples/nextjs, and twelve simulated drivers, ready to look at.

import { develop } from "./dev/develop.mjs";
import { freePort, portFrom } from "./dev/ports.mjs";
import { buildApp } from "./setup/app.mjs";
import { log, script } from "./setup/steps.mjs";

/** Where the app is, if that port is free. */
const PORT = 3000;

await script(async () => {
  const wanted = portFrom(process.env.PORT, PORT);
  const port = await freePort(wanted, "localhost");
  if (port !== wanted) log(`Port ${wanted} is taken: the app will be at ${port}.`);
  await develop({
    taken: [port],
    settings: {
      SESSION_COOKIE: "session",
      CORS_ORIGINS: `http://localhost:${port}`,
      JOB_REGISTRY: "required",
      // The app's sessions are as these are left out.
      SESSION_ISSUER: "",
      SESSION_AUDIENCE: "",
    },
    build: buildApp,
    ready: async (parts, up) => {
      // It uses packages, which are there by now.
      const { runDemo } = await import("./demo/demo.mjs");
      await runDemo(parts, up, port);
    },
  });
});
