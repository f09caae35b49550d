// Names for jobs, whatever a platform calls them.

/**
 * A job id, 1 to 64 of `A-Z a-z 0-9 . _ -`, for any string; `fromJobId` gives the string back. What is made of letters, digits, `_` and `-`
 * stays as it is. All else is written as `.` and two hexadecimal digits, or `.-` and four, for each UTF-16 code unit.
 * RangeError where that is over 64 characters.
 */
export function toJobId(name: string): string {
  const hex = (unit: string) => {
    const code = unit.charCodeAt(0);
    return code < 256 ? `.${code.toString(16).padStart(2, "0")}` : `.-${code.toString(16).padStart(4, "0")}`;
  };
  const jobId = name.replace(/[^\w-]/g, hex) || "._";
  if (jobId.length > 64) throw new RangeError("as a job id it is over 64 characters long");
  return jobId;
}

/** Whether a job may have this id. Another one the service refuses, and with it all that are named beside it. */
export const isJobId = (id: string): boolean => /^[\w.-]{1,64}$/.test(id) && id !== "." && id !== "..";

/** The string of which `toJobId` has made a job id. RangeError where it has not made it. */
export function fromJobId(jobId: string): string {
  const unit = (_: string, four?: string, two = "") => String.fromCharCode(Number.parseInt(four ?? two, 16));
  const name = jobId === "._" ? "" : jobId.replace(/\.(?:-([\da-f]{4})|([\da-f]{2}))/g, unit);
  if (toJobId(name) !== jobId) throw new RangeError("no job id of toJobId's");
  return name;
}
