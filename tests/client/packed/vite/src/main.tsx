import { createRoot } from "react-dom/client";
import { Page } from "./page";

const root = document.getElementById("root");
if (root !== null) createRoot(root).render(<Page user="ann" initial={{ jobId: "job-1", epoch: null, seq: 0, now: 0 }} />);
