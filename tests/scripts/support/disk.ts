// What stands in the files under some folders.

import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

export interface Found {
  /** Which of the texts that were looked for. */
  what: string;
  path: string;
  mode: number;
}

/** Every file in which one of these texts stands, byte for byte. */
export function grep(folders: string[], texts: Record<string, string>): Found[] {
  return folders.flatMap(files).flatMap((path) => {
    const content = orNothing(() => ({ bytes: readFileSync(path), mode: statSync(path).mode & 0o777 }));
    const there = Object.entries(texts).filter(([, text]) => content?.bytes.includes(text));
    return there.map(([what]) => ({ what, path, mode: content?.mode ?? 0 }));
  });
}

/** The files in a folder and in its folders. Links are not followed, as `recursive` of Node's own would. */
function files(folder: string): string[] {
  return (orNothing(() => readdirSync(folder, { withFileTypes: true })) ?? []).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? files(path) : entry.isFile() ? [path] : [];
  });
}

/** What is read, unless it is not there: of what runs, files come and go. */
function orNothing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
