// A driver's page, of one job. Where the phone is, the test says.

import { createDriver, type Driver } from "../../../../clients/typescript/src/driver/index.ts";
import { client, told } from "./start.ts";

declare global {
  /** For the test. */
  var driver: Driver;
}

const config = told();
const line = document.body.appendChild(document.createElement("p"));
line.id = "driver";
globalThis.driver = createDriver(client(config));
const draw = () => {
  const { job, waiting, sending, sender, durable, ended, rejected } = driver.state.get();
  line.textContent = JSON.stringify({ job, waiting, sending, sender, durable, ended, rejected });
};
driver.state.subscribe(draw);
draw();
const [job] = config.jobs;
if (job !== undefined) driver.start(job);
