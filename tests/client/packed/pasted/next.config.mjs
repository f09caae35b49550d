import { join } from "node:path";

export default {
  // Where the packages are that are linked here.
  turbopack: { root: join(import.meta.dirname, "../../../..") },
};
