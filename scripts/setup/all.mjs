// All that every other script begins with. It runs on Node 20, before there is any package.

import { plainWrangler } from "../dev/plain-wrangler.mjs";
import { node, npmPackages } from "./packages.mjs";
import { cargoTools, rust } from "./rust.mjs";
import { perform } from "./steps.mjs";
import { wasmTarget } from "./wasm-target.mjs";

/** Provides whatever is missing. */
export async function setup() {
  await perform([rust, npmPackages, node, wasmTarget, cargoTools, plainWrangler]);
}
