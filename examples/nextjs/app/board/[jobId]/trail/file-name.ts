import { jobName } from "@/ui/job-name";

/** What a system does not take in a file's name, and what nobody sees there. */
const UNSAFE = /[\p{C}<>:"/\\|?*]/gu;

/**
 * What makes an answer a file of its own, called as the job is. No system has a name for itself that begins like this, and it does not
 * hide a file. Who does not read `filename*` gets the other one, in ASCII.
 */
export function attachment(jobId: string, format: string): string {
  const name = `Trail ${jobName(jobId).replace(UNSAFE, "_")}.${format}`;
  const ascii = name.replace(/[^\x20-\x7e]/g, "_").replaceAll("%", "_");
  const all = encodeURIComponent(name).replace(/['()]/g, (mark) => `%${mark.charCodeAt(0).toString(16)}`);
  return `attachment; filename="${ascii}"; filename*=UTF-8''${all}`;
}
