// A page without React.

import { watchJob } from "../../../../clients/typescript/src/index.ts";
import { client, told } from "./start.ts";

const config = told();
const towline = client(config);
for (const jobId of config.jobs) {
  const line = document.body.appendChild(document.createElement("p"));
  line.dataset.job = jobId;
  const job = watchJob(towline, jobId);
  const draw = () => {
    const { status, position } = job.get();
    line.textContent = `${status} ${position === undefined ? "nowhere" : `at ${position.lat} ${position.lng}`}`;
  };
  job.subscribe(draw);
  draw();
}
