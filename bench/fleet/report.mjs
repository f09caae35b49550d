// What a fleet has come to, for people and as JSON.

import { cpus } from "node:os";
import { output } from "../../scripts/setup/environment.mjs";

/** @import { Posted } from "./drivers.mjs" */
/** @import { Options } from "./options.mjs" */
/** @import { Received } from "./subscribers.mjs" */

/**
 * @typedef {object} Seen
 * @property {number} seconds that were measured
 * @property {Posted} posted
 * @property {Received} received
 * @property {Record<string, number>} cpu seconds, by process
 * @property {{ empty: number, afterRamp: number, atEnd: number, growth: number }} memory of workerd in MiB, and MiB a minute
 * @property {{ mean: number, max: number }} requests to Ably a second
 * @property {{ mean: number, max: number }} messages at Ably a second, published and delivered
 * @property {{ requests: number, messages: number }} counted at Ably from the start on
 * @property {string[]} faults
 *
 * @typedef {ReturnType<typeof reportOf>} Report
 */

/**
 * @param {Options} options
 * @param {Seen} seen
 */
export function reportOf(options, { seconds, posted, received, cpu, memory, requests, messages, counted, faults }) {
  const fixes = posted.jobs.reduce((sum, given) => sum + given.fixes, 0);
  return {
    made: new Date().toISOString(),
    versions: { node: process.version, workerd: output("workerd", ["--version"]) ?? "", cores: cpus().length },
    options,
    seconds,
    postsPerSecond: posted.accepted / seconds,
    refusedPosts: posted.refused,
    answersMs: posted.answers,
    toSubscribersMs: received.delays,
    disconnected: received.disconnected,
    memoryMiB: memory,
    cpuMicrosecondsAFix: ((cpu.workerd ?? NaN) / posted.accepted) * 1e6,
    cores: Object.fromEntries(Object.entries(cpu).map(([name, spent]) => [name, spent / seconds])),
    ably: { requestsPerSecond: requests, messagesPerSecond: messages, ...counted, fixes, fixesARequest: fixes / counted.requests },
    faults,
  };
}

/** @param {Report} report */
export function told(report) {
  const { postsPerSecond, refusedPosts, answersMs, toSubscribersMs, memoryMiB, cores, ably, faults } = report;
  const refused = Object.entries(refusedPosts).map(([status, count]) => `${count} by ${status}`);
  const three = (/** @type {{ p50: number, p99: number, max: number }} */ { p50, p99, max }) => `p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`;
  const two = (/** @type {{ mean: number, max: number }} */ { mean, max }) => `${mean.toFixed(1)} on average, ${max.toFixed(0)} at most`;
  const rows = [
    ["posts a second", `${postsPerSecond.toFixed(1)} accepted; refused: ${refused.join(", ") || "none"}`],
    ["from post to answer", three(answersMs)],
    ["from post to subscriber", three(toSubscribersMs)],
    [
      "memory of workerd",
      `${memoryMiB.empty.toFixed(0)} MiB empty, ${memoryMiB.afterRamp.toFixed(0)} after the ramp, ${memoryMiB.atEnd.toFixed(0)} at the end: ${memoryMiB.growth.toFixed(2)} MiB a minute`,
    ],
    ["CPU of workerd", `${report.cpuMicrosecondsAFix.toFixed(0)} µs a fix`],
    [
      "cores",
      Object.entries(cores)
        .map(([name, share]) => `${name} ${share.toFixed(2)}`)
        .join(", "),
    ],
    ["requests to Ably a second", `${two(ably.requestsPerSecond)}; ${ably.fixesARequest.toFixed(1)} fixes a request`],
    ["messages at Ably a second", two(ably.messagesPerSecond)],
    ["connections lost", String(report.disconnected)],
  ];
  const verdict =
    faults.length === 0
      ? "Each fix came once and in order to each subscriber, nothing is left to send, and Ably refused nothing."
      : `It did not hold:\n  ${faults.join("\n  ")}`;
  return `${rows.map(([name = "", text]) => `${name.padEnd(27)}${text}`).join("\n")}\n\n${verdict}`;
}
