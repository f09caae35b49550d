// That no source of a project says `any`: what it stands for is checked by nobody. What is `any` without saying so is refused by `strict`.

import { join, relative, sep } from "node:path";
import { SyntaxKind } from "typescript/unstable/ast";
import { API } from "typescript/unstable/sync";

const [folder = "."] = process.argv.slice(2);
const api = new API({ cwd: folder });
const [project] = api.updateSnapshot({ openProjects: [join(folder, "tsconfig.json")] }).getProjects();
if (project === undefined) throw new Error(`there is no project in ${folder}`);
const { program } = project;

/** @type {string[]} */
const found = [];
let read = 0;
for (const name of program.getSourceFileNames()) {
  const path = relative(folder, name);
  // Others' declarations, and what Next.js has made.
  if (path.startsWith("..") || /^(node_modules|\.next)\b/.test(path.split(sep)[0] ?? "")) continue;
  const file = program.getSourceFile(name);
  if (file === undefined) continue;
  read += 1;
  /** @param {import("typescript/unstable/ast").Node} node */
  const look = (node) => {
    if (node.kind === SyntaxKind.AnyKeyword) found.push(`${path}:${file.text.slice(0, node.pos).split("\n").length}`);
    node.forEachChild(look);
  };
  look(file);
}
api.close();
for (const one of found) console.error(`${one}: any`);
console.log(`${read} files, ${found.length} times any`);
process.exitCode = found.length === 0 && read > 0 ? 0 : 1;
