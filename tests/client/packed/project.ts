// The package as it would be published, in fresh projects.

import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { APP, NEXT } from "../../../scripts/setup/app.mjs";
import { environment, ROOT } from "../../../scripts/setup/environment.mjs";
import { installPackages } from "../../../scripts/setup/folder-packages.mjs";

/** Packs the client, built anew, into a folder, and returns the path of the archive. */
export function pack(folder: string): { archive: string; files: string[] } {
  const args = ["pack", "-w", "@towline/client", "--pack-destination", folder, "--json", "--loglevel=error"];
  const said = execFileSync("npm", args, { cwd: ROOT, env: environment(), encoding: "utf8" });
  const [{ filename, files }] = JSON.parse(said) as [{ filename: string; files: { path: string }[] }];
  return { archive: join(folder, filename), files: files.map(({ path }) => path) };
}

/** What a folder may have beside its sources. */
const NOT_SOURCES = ["node_modules", "package-lock.json", ".next", "next-env.d.ts", "tsconfig.tsbuildinfo"];

/** A project that is new: the sources of a folder, and nothing installed but the package. */
export class Project {
  readonly folder: string;

  /**
   * @param files the folder, beside this file where it is not absolute
   * @param within the folder whose packages it also sees, if any
   */
  constructor(archive: string, files: string, within = tmpdir()) {
    this.folder = mkdtempSync(join(within, "packed-"));
    cpSync(resolve(import.meta.dirname, files), this.folder, { recursive: true, filter: (path) => !NOT_SOURCES.includes(basename(path)) });
    this.write("package.json", { private: true, type: "module", dependencies: { "@towline/client": archive } });
    execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: this.folder, env: environment(), stdio: "inherit" });
  }

  write(path: string, content: object | string) {
    writeFileSync(join(this.folder, path), typeof content === "string" ? content : JSON.stringify(content));
  }

  /** Installs packages that are in another folder already. */
  link(from: string, ...names: string[]) {
    for (const name of names) {
      const path = join(this.folder, "node_modules", name);
      mkdirSync(dirname(path), { recursive: true });
      symlinkSync(join(from, "node_modules", name), path);
    }
  }

  /** Runs a program in it, and returns how that went. */
  run(command: string, args: string[], env: Record<string, string> = {}) {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: this.folder, env: { ...environment(), ...env }, encoding: "utf8" });
    return { status, said: stdout + stderr };
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export { NEXT };

/** Gives a project the packages of `examples/nextjs`. It has to be in the repository: Next.js follows no link out of the folder that it is told. */
export async function linkApp(project: Project) {
  await installPackages(APP);
  project.link(APP, "next", "react", "react-dom", "jose", "ably", "maplibre-gl", "typescript", "@types/react", "@types/react-dom", "@types/node");
}
