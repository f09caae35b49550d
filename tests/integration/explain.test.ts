// Whether somebody may do something: as a token says it that they get at the same moment.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT } from "../../scripts/setup/environment.mjs";
import { assertPrivate, assertProblem } from "./support/answers.ts";
import type { Headers } from "./support/http.ts";
import { Service, as, newJob, type Role } from "./support/service.ts";

const OPERATIONS = ["subscribe", "presence", "publish", "history"];
const POLICY = readFileSync(join(ROOT, "policy.toml"), "utf8").split("\n");

/** What a token has, as Ably reads it: a `*` is one segment, and at the end one or more. */
function allows(capability: Record<string, string[]>, channel: string, operation: string): boolean {
  const covers = (pattern: string) => {
    const [wanted, given] = [pattern.split(":"), channel.split(":")];
    const isOpen = wanted.at(-1) === "*" && given.length >= wanted.length;
    return (isOpen || wanted.length === given.length) && wanted.every((segment, at) => segment === "*" || segment === given[at]);
  };
  return Object.entries(capability).some(([pattern, operations]) => operations.includes(operation) && covers(pattern));
}

for (const registry of ["on", "required", "off"]) {
  describe(`explanations with JOB_REGISTRY=${registry}`, () => {
    let service: Service;
    before(async () => {
      service = await Service.start({ JOB_REGISTRY: registry, TOKEN_REQUESTS: "off" });
    });
    after(() => service.stop());

    const asked = (question: object | string, headers: Headers = as("service")) =>
      service.send("POST", "/api/policy/explain", { headers, body: typeof question === "string" ? question : JSON.stringify(question) });
    const explain = async (role: Role, userId: string, jobs: string[], channel: string, operation: string) => {
      const answer = await asked({ userId, role, jobs, channel, operation }, as("admin"));
      assert.equal(answer.status, 200, answer.text);
      assertPrivate(answer);
      return answer.json;
    };
    const token = async (role: Role, sub: string, jobs: string[], jobId?: string): Promise<Record<string, string[]>> => {
      const query = jobId === undefined ? "" : `?jobId=${jobId}`;
      const answer = await service.send("GET", `/api/ably-token${query}`, { headers: as(role, jobs, { sub }) });
      if (answer.status === 403) return {};
      assert.equal(answer.status, 200, answer.text);
      const { "x-ably-capability": capability } = JSON.parse(Buffer.from(answer.text.split(".")[1] ?? "", "base64url").toString());
      return JSON.parse(capability);
    };
    const send = async (method: string, path: string, body: object) => {
      const answer = await service.send(method, path, { headers: as("dispatcher"), body: JSON.stringify(body) });
      assert.ok(answer.status < 300, answer.text);
    };

    /** Jobs in each state, as far as there is a registry. */
    const state = async () => {
      const [claimed, theirs, others, closed, gated, unknown] = [newJob(), newJob(), newJob(), newJob(), newJob(), newJob()];
      // Where the registry alone decides, nobody is taken in by a claim.
      if (registry !== "required") assert.equal((await service.post(claimed, { lat: 1, lng: 2 })).status, 200);
      if (registry !== "off") {
        const body = { driver: "driver-1", customers: ["customer-1"] };
        for (const job of [theirs, closed]) await send("PUT", `/api/jobs/${job}`, body);
        await send("PUT", `/api/jobs/${others}`, { driver: "driver-2", customers: ["customer-2"] });
        await send("POST", `/api/jobs/${closed}/close`, { reason: "done" });
        await send("PUT", `/api/jobs/${gated}`, { ...body, gate: { customer: { from: Date.now() + 60_000 } } });
      }
      return { claimed, theirs, others, closed, gated, unknown };
    };

    test("each says what the token says, for every role, channel and operation", async () => {
      const { claimed, theirs, others, closed, gated, unknown } = await state();
      const jobs = [claimed, theirs, others, closed, gated];
      const channels = [
        ...[...jobs, unknown].map((job) => `dispatch:job:${job}`),
        "dispatch:job",
        `dispatch:job:${theirs}:x`,
        "presence:dispatch",
        "presence:dispatch:west",
        "notifications:user:driver-1",
        "notifications:user:customer-1",
        "admin:ops",
        "nothing",
      ];
      for (const role of ["driver", "customer", "dispatcher", "admin"] as const) {
        const user = `${role}-1`;
        const named = registry === "required" && (role === "driver" || role === "customer");
        const tokens = new Map<string, Record<string, string[]>>();
        for (const channel of channels) {
          const job = /^dispatch:job:([^:]+)$/.exec(channel)?.[1];
          const jobId = named ? job : undefined;
          const capability = tokens.get(jobId ?? "") ?? (await token(role, user, jobs, jobId));
          tokens.set(jobId ?? "", capability);
          for (const operation of OPERATIONS) {
            const said = await explain(role, user, jobs, channel, operation);
            assert.equal(said.allowed, allows(capability, channel, operation), `${role} ${operation} ${channel} ${JSON.stringify(said)}`);
            assert.equal(said.job, job);
            if (said.rule === null) assert.deepEqual([said.allowed, said.decidedBy], [false, "policy"]);
            else assert.ok(said.rule.file === "policy.toml" && POLICY[said.rule.line - 1]?.includes(`"${operation}"`), JSON.stringify(said));
          }
        }
      }
      const never = await explain("service", "service-1", jobs, `dispatch:job:${theirs}`, "subscribe");
      assert.deepEqual(never, { allowed: false, decidedBy: "policy", rule: null, job: theirs });
    });

    test("what has decided is named", async () => {
      const { claimed, theirs, others, closed, gated, unknown } = await state();
      const decided = async (job: string, jobs: string[], role: "driver" | "customer" | "dispatcher" = "customer") => {
        const { allowed, decidedBy } = await explain(role, `${role}-1`, jobs, `dispatch:job:${job}`, "subscribe");
        return `${allowed} ${decidedBy}`;
      };
      const expected = {
        on: ["true claim", "true registry", "false registry", "false closed", "false gate", "false claim", "false claim"],
        required: ["false registry", "true registry", "false registry", "false closed", "false gate", "false registry", "true registry"],
        off: ["true claim", "true claim", "true claim", "true claim", "true claim", "false claim", "false claim"],
      }[registry];
      const jobs = [claimed, theirs, others, closed, gated];
      const said = [...(await Promise.all(jobs.map((job) => decided(job, jobs)))), await decided(unknown, jobs), await decided(theirs, [])];
      assert.deepEqual(said, expected);
      assert.equal(await decided(closed, [], "dispatcher"), "true policy");
      const tables = "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_%' ESCAPE '\\'";
      assert.deepEqual(await service.sql(unknown, tables), [], "a question creates nothing");
    });

    test("who may ask, and what", async () => {
      const question = { userId: "ann", role: "driver", jobs: [], channel: "admin:ops", operation: "subscribe" };
      for (const role of ["driver", "customer", "dispatcher"] as const) assertProblem(await asked("{", as(role)), 403, "not_an_operator");
      for (const [change, field, reason] of [
        [{ userId: "a:b" }, "userId", "invalid_id"],
        [{ role: "boss" }, "role", "out_of_range"],
        [{ jobs: [".."] }, "jobs", "invalid_id"],
        [{ channel: "" }, "channel", "out_of_range"],
        [{ operation: "fly" }, "operation", "out_of_range"],
        [{ more: 1 }, undefined, "unknown_member"],
      ] as const) {
        const problem = assertProblem(await asked({ ...question, ...change }), 400, "invalid_question");
        assert.deepEqual([problem.field, problem.reason], [field, reason]);
        if (field === "operation") assert.match(problem.detail, /annotation-publish.*history.*subscribe$/);
      }
      assertProblem(await asked("nothing"), 400, "invalid_question");
    });
  });
}
