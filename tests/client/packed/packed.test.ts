// What `npm publish` would give away, used as others would: by the compiler alone, by Vite, by Next.js.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { Parts } from "../../../scripts/dev/parts.mjs";
import { freePort, LOOPBACK } from "../../../scripts/dev/ports.mjs";
import { environment, ROOT } from "../../../scripts/setup/environment.mjs";
import { installPackages } from "../../../scripts/setup/folder-packages.mjs";
import { eventually } from "../../e2e/support/wait.ts";
import { linkApp, NEXT, pack, Project } from "./project.ts";

const folder = mkdtempSync(join(tmpdir(), "towline-packed-"));
after(() => rmSync(folder, { recursive: true }));
const { archive, files } = pack(folder);

const OPTIONS = { noEmit: true, strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, target: "es2022", lib: ["es2022", "dom"], types: [], skipLibCheck: false };

function project(t: TestContext, ...how: [files: string, within?: string]) {
  const made = new Project(archive, ...how);
  t.after(() => made.remove());
  return made;
}

test("the archive holds what is imported, its types, its README and its licence, and no source", () => {
  const beside = files.filter((path) => !/^dist\/.*\.(js|d\.ts)$/.test(path));
  assert.deepEqual(beside.sort(), ["LICENSE", "README.md", "package.json"]);
  for (const entry of ["index", "react/index", "driver/index"]) {
    assert.ok(files.includes(`dist/${entry}.js`) && files.includes(`dist/${entry}.d.ts`), entry);
  }
});

for (const [module, moduleResolution] of [["nodenext", "nodenext"], ["esnext", "bundler"]]) {
  test(`its types resolve for the compiler alone, with module ${module} and resolution ${moduleResolution}`, (t) => {
    const plain = project(t, "plain");
    const compiles = (files: string[], jsx = {}) => {
      plain.write("tsconfig.json", { compilerOptions: { ...OPTIONS, module, moduleResolution, ...jsx }, files });
      const { status, said } = plain.run("tsc", ["-p", "."]);
      assert.equal(status, 0, said);
    };
    // Before there is any React or Ably: neither is asked for by who uses neither.
    compiles(["watch.ts", "driver.ts"]);
    plain.link(ROOT, "react", "@types/react", "ably", "@types/node");
    // The types of Ably's own client need those of Node.
    compiles(["watch.ts", "driver.ts", "page.tsx"], { jsx: "react-jsx", types: ["node"] });
  });
}

interface Chunk {
  name: string;
  fileName: string;
  isEntry: boolean;
  imports: string[];
  dynamicImports: string[];
  moduleIds: string[];
}

test("Vite builds it, and a page gets neither React nor the driver unless it uses them", async (t) => {
  const vite = join(import.meta.dirname, "vite");
  await installPackages(vite);
  const site = project(t, "vite");
  site.link(vite, "vite");
  site.link(ROOT, "react", "react-dom", "ably");
  for (const name of ["watch.ts", "page.tsx"]) cpSync(join(import.meta.dirname, "plain", name), join(site.folder, "src", name));
  const { status, said } = site.run("node", [join(site.folder, "node_modules/vite/bin/vite.js"), "build"]);
  assert.equal(status, 0, said);
  assert.doesNotMatch(said, /warn/i, said);
  const chunks = JSON.parse(readFileSync(join(site.folder, "dist/modules.json"), "utf8")) as Chunk[];
  /** The modules that a page loads, also those that it loads later. */
  const loaded = (entry: string) => {
    const wanted = chunks.filter(({ name, isEntry }) => isEntry && name === entry);
    for (const { imports, dynamicImports } of wanted) {
      const more = [...imports, ...dynamicImports].flatMap((file) => chunks.filter(({ fileName }) => fileName === file));
      wanted.push(...more.filter((chunk) => !wanted.includes(chunk)));
    }
    return wanted.flatMap(({ moduleIds }) => moduleIds).join("\n");
  };
  assert.match(loaded("watch"), /@towline\/client\/dist\/index\.js|@towline\/client\/dist\/client/);
  assert.doesNotMatch(loaded("watch"), /dist\/react|dist\/driver|node_modules\/(react|react-dom|ably)\//);
  assert.match(loaded("page"), /dist\/react[^]*node_modules\/ably\/|node_modules\/ably\/[^]*dist\/react/);
  assert.doesNotMatch(loaded("page"), /dist\/driver/);
});

test("Next.js builds and serves it: pages of the server may import it, and its hooks are the client's", async (t) => {
  const app = project(t, "next", import.meta.dirname);
  await linkApp(app);
  const page = readFileSync(join(import.meta.dirname, "plain/page.tsx"), "utf8");
  app.write("app/job.tsx", `"use client";\n\n${page}`);
  const { status, said } = app.run("node", [NEXT, "build"], { NEXT_TELEMETRY_DISABLED: "1" });
  assert.equal(status, 0, said);
  const parts = new Parts();
  t.after(() => parts.stop());
  const port = await freePort(13_100, LOOPBACK);
  const log: string[] = [];
  parts.start("Next.js", "node", [NEXT, "start", app.folder, "--hostname", LOOPBACK, "--port", String(port)], { ...environment(), NODE_ENV: "production" }, (line) => log.push(line));
  const html = (path: string) =>
    eventually(`Next.js to answer ${path}\n${said}`, async () => {
      const answer = await fetch(`http://${LOOPBACK}:${port}${path}`).catch(() => undefined);
      return answer?.ok ? answer.text() : undefined;
    });
  // The position stands in the HTML, before any script has run.
  assert.match(await html("/"), /<p>48\.25 16\.5<\/p>/);
  assert.match(await html("/still"), /<p>idle, function<\/p>/);
  assert.doesNotMatch(log.join("\n"), /error|warn/i, log.join("\n"));
  const scripts = readdirSync(join(app.folder, ".next/static"), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js"));
  const code = scripts.map((name) => readFileSync(join(app.folder, ".next/static", name), "utf8")).join("\n");
  // By this name the driver's queue is found in the browser's storage.
  const name = "towline-driver";
  assert.ok(readFileSync(join(app.folder, "node_modules/@towline/client/dist/driver/driver.js"), "utf8").includes(name));
  assert.ok(!code.includes(name), "the driver is in no script of a page that has none");
});
