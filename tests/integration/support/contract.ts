// What the descriptions promise, held against each answer and each event of the service: nothing may come that is not in them. They allow
// more members than they name, as a client has to; here none may.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { ValidateFunction } from "ajv/dist/2020.js";
import { ROOT } from "../../../scripts/setup/environment.mjs";
import type { Answer } from "./http.ts";

const read = (name: string) => JSON.parse(readFileSync(join(ROOT, "description", name), "utf8"));
const openapi = read("openapi.json");
const events = read("events.schema.json");

/** The headers of an answer that are there for whoever asked; others are every answer's. */
const TOLD = ["x-request-id", "etag", "link", "retry-after", "www-authenticate", "x-ably-errorcode", "allow"];

/** What any route may answer to a method that it does not have. */
const OF_OTHER_METHODS = ["MethodNotAllowed", "InvalidId", "Misconfigured"];
/** What any path may answer that is none. */
const OF_OTHER_PATHS = ["NotFound", "Misconfigured"];

/** Refuses, wherever a value is described, what the description does not name. */
function strictly(schema: any, isWhole: boolean): any {
  if (Array.isArray(schema)) return schema.map((option) => strictly(option, false));
  if (typeof schema !== "object" || schema === null) return schema;
  const strict = Object.fromEntries(
    Object.entries(schema).map(([keyword, value]: [string, any]) => {
      switch (keyword) {
        case "properties":
        case "patternProperties":
          return [keyword, Object.fromEntries(Object.entries(value).map(([name, property]) => [name, strictly(property, true)]))];
        case "items":
          return [keyword, strictly(value, true)];
        case "prefixItems":
          return [keyword, value.map((item: any) => strictly(item, true))];
        case "oneOf":
        case "anyOf":
        case "allOf":
          return [keyword, strictly(value, false)];
        default:
          return [keyword, value];
      }
    }),
  );
  const says = ["$ref", "properties", "oneOf", "anyOf", "allOf"].some((keyword) => keyword in schema);
  if (isWhole && says && !("additionalProperties" in schema)) strict.unevaluatedProperties = false;
  return strict;
}

function strictlyAll(schemas: Record<string, any>): Record<string, any> {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, strictly(schema, false)]));
}

const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema({ $id: "openapi", components: { schemas: strictlyAll(openapi.components.schemas) } });
ajv.addSchema({ $id: "taken", components: { schemas: openapi.components.schemas } });
ajv.addSchema({ $id: "events", $defs: strictlyAll(events.$defs) });

const compiled = new Map<string, ValidateFunction>();

/** What a schema of one of the documents takes. */
function taking(schema: any, document: string): ValidateFunction {
  const text = JSON.stringify(schema).replaceAll('"$ref":"#', `"$ref":"${document}#`);
  const validate = compiled.get(text) ?? ajv.compile(JSON.parse(text));
  compiled.set(text, validate);
  return validate;
}

/** Holds a value against a schema of one of the documents. */
function hold(value: unknown, document: string, schema: any, what: string): void {
  const validate = taking(strictly(schema, true), document);
  if (!validate(value)) {
    const wrong = ajv.errorsText(validate.errors, { dataVar: "it" });
    assert.fail(`${what} is not as the description has it: ${wrong}\n${JSON.stringify(value)}`);
  }
}

function resolve(value: any): any {
  return value?.$ref === undefined ? value : value.$ref.slice(2).split("/").reduce((at: any, name: string) => at[name], openapi);
}

const templates = Object.keys(openapi.paths).map((path) => ({ path, segments: path.split("/") }));

/** The template of a path, if the description has it. */
function templateOf(path: string): string | undefined {
  const given = path.split("/");
  const matches = ({ segments }: { segments: string[] }) =>
    segments.length === given.length && segments.every((segment, at) => segment.startsWith("{") || segment === given[at]);
  return templates.find(matches)?.path;
}

/** The answer, as far as it is a problem, is one of these. */
function isOneOf(problems: string[], answer: Answer, what: string): void {
  assert.equal(answer.header("content-type"), "application/problem+json", what);
  const schema = { oneOf: problems.map((name) => ({ $ref: `#/components/schemas/${name}` })) };
  hold(answer.json, "openapi", schema, what);
  assert.equal(answer.json.status, answer.status, what);
}

/** Holds an answer against the description. */
export function holdAnswer(method: string, target: string, answer: Answer): void {
  const { pathname } = new URL(`http://localhost${target}`);
  const path = templateOf(pathname);
  const what = `The answer ${answer.status} to ${method} ${path ?? "a path that is none"}`;
  assert.ok(answer.header("x-request-id") !== undefined, `${what} has no X-Request-Id`);
  const isHead = method === "HEAD";
  if (isHead) assert.equal(answer.body.length, 0, what);
  if (method === "OPTIONS" && answer.status === 204) return assert.equal(answer.body.length, 0, what);
  const operation = path && openapi.paths[path][isHead ? "get" : method.toLowerCase()];
  if (!operation) {
    // Nothing is left of a body to be looked at.
    if (isHead) return;
    // The callers of this route read Ably's shape, whatever is wrong.
    if (path === "/api/ably-token") return hold(answer.json, "openapi", { $ref: "#/components/schemas/AblyError" }, what);
    return isOneOf(path ? OF_OTHER_METHODS : OF_OTHER_PATHS, answer, what);
  }
  const promised = resolve(operation.responses[answer.status]);
  assert.ok(promised, `${what} is not in the description: ${answer.text.slice(0, 500)}`);
  const headers = Object.keys(promised.headers ?? {}).map((name) => name.toLowerCase());
  for (const name of TOLD) {
    const value = answer.header(name);
    if (value === undefined) continue;
    assert.ok(headers.includes(name), `${what} has ${name}, which is not in the description`);
    const header = Object.entries(promised.headers).find(([told]) => told.toLowerCase() === name)?.[1];
    const { schema } = resolve(header);
    hold(schema.type === "integer" ? Number(value) : value, "openapi", schema, `${name} of ${what}`);
  }
  const type = answer.header("content-type");
  if (promised.content === undefined) {
    assert.equal(type, undefined, what);
    return assert.equal(answer.body.length, 0, what);
  }
  const content = promised.content[type ?? ""];
  assert.ok(content, `${what} is ${type}, which is not in the description`);
  if (isHead || !/json$/.test(type ?? "")) return;
  hold(answer.json, "openapi", content.schema, what);
  if (type === "application/problem+json") assert.equal(answer.json.status, answer.status, what);
}

/** Holds a body that was taken against the description: it may be stricter than the service nowhere. */
export function holdTaken(method: string, target: string, body: Buffer, answer: Answer): void {
  const path = templateOf(new URL(`http://localhost${target}`).pathname);
  const schema = path && openapi.paths[path][method.toLowerCase()]?.requestBody?.content["application/json"]?.schema;
  if (!schema || answer.status >= 300) return;
  // A fix of a batch that is wrong is not taken, though the post is.
  if (answer.json.results?.some(({ status }: { status: string }) => status === "rejected")) return;
  const validate = taking(schema, "taken");
  const sent = JSON.parse(body.toString());
  assert.ok(validate(sent), `${method} ${path} has taken what the description does not: ${ajv.errorsText(validate.errors)}\n${body}`);
}

const byName = new Map<string, any[]>();
for (const event of events.anyOf) {
  const { name, data } = event.properties;
  byName.set(name.const, [...(byName.get(name.const) ?? []), data]);
}

/** Holds an event against the description. */
export function holdEvent(name: string, data: unknown): void {
  const schemas = byName.get(name);
  assert.ok(schemas, `the event ${name} is not in the description`);
  hold(data, "events", schemas.length === 1 ? schemas[0] : { anyOf: schemas }, `the event ${name}`);
}
