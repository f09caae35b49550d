// `npm run drive -- --file track.gpx --job JOB`: replays a drive of the user's own.

import { npmPackages } from "./setup/packages.mjs";
import { perform, script } from "./setup/steps.mjs";

await script(async () => {
  await perform([npmPackages]);
  // It uses packages, which have to be there first.
  const { drive } = await import("./drive/command.mjs");
  return drive(process.argv.slice(2));
});
