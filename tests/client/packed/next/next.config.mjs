import { join } from "node:path";

export default {
  // Where `ably` and the types are.
  turbopack: { root: join(import.meta.dirname, "../../..") },
};
