// README's tour: what it says to paste, and what it says that comes out.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createWriteStream, existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { ROOT } from "../../../scripts/setup/environment.mjs";
import { eventually, within } from "../../e2e/support/wait.ts";
import type { AnotherClone } from "./another-clone.ts";

/** A block to paste, and what comes out until the next one is. */
export interface Step {
  paste: string;
  output: string;
  /** Whether it comes from two places, which README then says. */
  eitherOrder: boolean;
}

/** How each shell is told to read as in a terminal, and no settings of anybody's. */
const OPTIONS = { bash: "--norc --noprofile -i", zsh: "-f -i" };

export type Shell = keyof typeof OPTIONS;

/** Those that README names. */
export const SHELLS: Shell[] = ["bash", "zsh"];

export function tour(readme = readFileSync(join(ROOT, "README.md"), "utf8")): Step[] {
  const section = /^## Tour.*?\n(.*?)^## /ms.exec(readme)?.[1] ?? "";
  const steps: Step[] = [];
  for (const [, prose = "", language, block = ""] of section.matchAll(/(.*?)^```(\w*)\n(.*?)^```$/gms)) {
    const last = steps.at(-1);
    if (language === "sh") steps.push({ paste: block, output: "", eitherOrder: false });
    else if (last !== undefined) Object.assign(last, { output: block, eitherOrder: /\beither order\b/.test(prose) });
  }
  const end = /^`(kill .*?)`/m.exec(section)?.[1];
  assert.ok(steps.length > 1 && end !== undefined, "README has a tour");
  return [...steps, { paste: `${end}\n`, output: "", eitherOrder: false }];
}

/**
 * What came out in a form that two runs share. Ids and times are replaced by their names, the same one for the same
 * value, and so is how old a fix was when somebody asked; the parts of what may come in either order are sorted.
 */
function comparable(steps: Step[]): string {
  const names = new Map<string, string>();
  let job = "";
  const name = (value: string) => {
    const kind = value.startsWith("job-") ? "job" : value.length === 13 ? "time" : "epoch";
    if (kind === "job") job = value;
    // Two jobs whose lives have begun in one second have the same epoch.
    const key = kind === "epoch" ? `${value} of ${job}` : value;
    if (!names.has(key)) names.set(key, `<${kind} ${names.size}>`);
    return names.get(key) ?? "";
  };
  return steps
    .map(({ output, eitherOrder }) => (eitherOrder ? output.split(/^(?=[^\s}])/m).sort().join("") : output))
    .join("---\n")
    .replace(/"ageMs":\d+/g, '"ageMs":<age>')
    .replace(/\bjob-[0-9a-f]{6}\b|\b\d{13}\b|\b\d{10}\b/g, name);
}

/** Whether there is such a shell. */
export function has(shell: Shell) {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, shell)));
}

/** Takes the tour through a clone in a shell, and compares what comes out with what README says. */
export async function take(clone: AnotherClone, shell: Shell) {
  const [input, errors] = [join(clone.base, `${shell}-input`), join(clone.base, `${shell}-errors`)];
  execFileSync("mkfifo", [input]);
  let lines: string[] = [];
  // The prompts, and what `ably-js` logs by itself when something fails, are on the standard error.
  const parts = clone.shell(shell, OPTIONS[shell], input, errors, (line) => void lines.push(line));
  let gone = false;
  const ended = parts.ended.catch(() => void (gone = true));
  // A shell that has ended reads no more, which is seen otherwise.
  const keyboard = createWriteStream(input).on("error", () => {});
  try {
    const [expected, actual] = [tour(), [] as Step[]];
    for (const [number, step] of expected.entries()) {
      const pasted = `=== pasted ${number}`;
      keyboard.write(`${step.paste}echo '${pasted}'\n`);
      const wanted = comparable(expected.slice(0, number + 1));
      const came = () => [...actual, { ...step, output: lines.filter((line) => line !== pasted).map((line) => `${line}\n`).join("") }];
      const all = () => gone || (lines.includes(pasted) && comparable(came()) === wanted) || undefined;
      await eventually("what README says", all).catch(() => {});
      assert.equal(comparable(came()), wanted, `in ${shell}, whose last words are\n${lastLines(errors)}`);
      actual.splice(0, Infinity, ...came());
      lines = [];
    }
    keyboard.end("wait\nexit\n");
    await within("the shell to end, and the customer who watched", ended);
  } finally {
    keyboard.destroy();
    await parts.stop();
  }
}

function lastLines(path: string) {
  return readFileSync(path, "utf8").split("\n").slice(-20).join("\n");
}
