// The types of `clients/typescript/src/wire.ts`, from the descriptions.

/** @typedef {Record<string, any>} Schema */

/** What the client uses, each under the name that it has in the descriptions. */
const EXPORTED = [
  "Place",
  "Backfill",
  "LocationUpdated",
  "LocationBackfilled",
  "JobEvent",
  "PhoneState",
  "Vitals",
  "FirstFix",
  "NoFix",
  "Withheld",
  "FirstState",
  "TrailFix",
  "Page",
  "TrailPage",
  "OpenJob",
  "JobList",
  "Notification",
  "Problem",
  "Fix",
  "FixResult",
  "PostAnswer",
  "HeartbeatAnswer",
  "Job",
  "OwnJobs",
  "NewJob",
];

/** Lists of words to which a service that is newer may have added: a client takes any. */
const OPEN = ["Reason", "Field", "EndReason"];

/** What a member is that is not there.
 * @type {Schema} */
const ABSENT = {};

const HEAD = `// What the service says. Generated from description/*.json by \`npm run describe\`: do not edit.
`;

/** What is made of those, by hand. */
const TAIL = `
/** A position as it was measured, without when. */
export type Measured = Pick<TrailFix, "lat" | "lng" | "speed" | "heading" | "accuracy" | "altitude" | "clock">;

/** A fix as this package posts it: of the ways in which the service takes a time, one. */
export interface PostedFix extends Fix {
  id?: string;
  /** Unix milliseconds, the phone's clock. */
  capturedAt: number;
}
`;

/**
 * @param {Schema} openapi
 * @param {Schema} events
 * @returns {string} the file
 */
export function wire(openapi, events) {
  /** @type {Record<string, Schema>} */
  const schemas = { ...openapi.components.schemas, ...events.$defs };
  const declarations = EXPORTED.map((name) => {
    const schema = schemas[name];
    if (schema === undefined) throw new Error(`the descriptions have no ${name}`);
    const isInterface = schema.type === "object" && schema.properties !== undefined && schema.anyOf === undefined;
    const type = typeOf(schema, schemas, "");
    return `\n${comment(schema, "")}export ${isInterface ? `interface ${name} ${type}` : `type ${name} = ${type};`}\n`;
  });
  return HEAD + declarations.join("") + TAIL;
}

/**
 * @param {Schema} schema
 * @param {Record<string, Schema>} schemas
 * @param {string} indent
 * @returns {string}
 */
function typeOf(schema, schemas, indent) {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split("/").at(-1);
    const own = schema.properties === undefined ? undefined : typeOf({ ...schema, $ref: undefined, type: "object" }, schemas, indent);
    const of = EXPORTED.includes(name) ? name : OPEN.includes(name) ? "string" : typeOf(schemas[name] ?? {}, schemas, indent);
    return own === undefined ? of : `${of} & ${own}`;
  }
  if (schema === ABSENT) return "never";
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return union(schema.enum.map((/** @type {unknown} */ value) => JSON.stringify(value)));
  if (schema.properties !== undefined && schema.anyOf !== undefined) {
    const { anyOf, ...own } = schema;
    const more = typeOf({ anyOf: anyOf.map((/** @type {Schema} */ option) => ({ type: "object", ...option })) }, schemas, indent);
    return `${typeOf(own, schemas, indent)} & (${more})`;
  }
  const options = schema.oneOf ?? schema.anyOf;
  if (options !== undefined) return union(told(options, schemas).map((option) => typeOf(option, schemas, indent)));
  if (Array.isArray(schema.type)) {
    return union(schema.type.map((/** @type {string} */ type) => typeOf({ ...schema, type }, schemas, indent)));
  }
  switch (schema.type) {
    case "integer":
    case "number":
      return "number";
    case "string":
    case "boolean":
    case "null":
      return schema.type;
    case "array": {
      if (schema.prefixItems === undefined) {
        const item = typeOf(schema.items ?? {}, schemas, indent);
        return /^[\w"]+$/.test(item) || item.startsWith("{") ? `${item}[]` : `(${item})[]`;
      }
      const items = schema.prefixItems.map((/** @type {Schema} */ item) => `${item.title}: ${typeOf(item, schemas, indent)}`);
      return `[${items.join(", ")}, ...more: unknown[]]`;
    }
    case "object": {
      const any = schema.properties === undefined && (Object.values(schema.patternProperties ?? {})[0] ?? schema.additionalProperties);
      return any ? `Record<string, ${typeOf(any, schemas, indent)}>` : members(schema, schemas, indent);
    }
    default:
      return "unknown";
  }
}

/**
 * @param {Schema} schema
 * @param {Record<string, Schema>} schemas
 * @param {string} indent
 */
function members(schema, schemas, indent) {
  const { properties = {}, required = [] } = schema;
  const optional = Object.keys(properties).filter((name) => !required.includes(name));
  const lines = [...required, ...optional].map((name) => {
    const property = properties[name];
    const type = typeOf(property, schemas, `${indent}  `);
    return `${comment(property, `${indent}  `)}${indent}  ${name}${required.includes(name) ? "" : "?"}: ${type};\n`;
  });
  return `{\n${lines.join("")}${indent}}`;
}

/**
 * The members of a union, each of which says that it does not have the mark by which another one is told.
 * @param {Schema[]} options
 * @param {Record<string, Schema>} schemas
 * @returns {Schema[]}
 */
function told(options, schemas) {
  const whole = options.map((option) => (option.$ref === undefined ? option : (schemas[option.$ref.split("/").at(-1)] ?? {})));
  const isMark = (/** @type {Schema} */ property) => property.const === true;
  const marks = new Set(
    whole.flatMap(({ properties = {} }) => Object.keys(properties).filter((name) => isMark(properties[name]))),
  );
  return options.map((option, at) => {
    const missing = [...marks].filter((name) => whole[at]?.type === "object" && whole[at].properties?.[name] === undefined);
    if (missing.length === 0) return option;
    return { ...option, type: "object", properties: { ...option.properties, ...Object.fromEntries(missing.map((name) => [name, ABSENT])) } };
  });
}

/** @param {string[]} types */
function union(types) {
  return [...new Set(types)].map((type) => (type.includes(" & ") ? `(${type})` : type)).join(" | ");
}

/**
 * @param {Schema} schema
 * @param {string} indent
 */
function comment({ description }, indent) {
  return description === undefined ? "" : `${indent}/** ${description} */\n`;
}
