// The few calls of the runtime that are one step here and several futures in Rust.

// How much of a body that nobody wants is read all the same: bytes, and milliseconds.
const UNWANTED_MAX = 1024 * 1024;
const UNWANTED_MS = 5000;

// Reads a request's body of at most `limit` bytes: null for a longer one, of which no more is kept than that.
async function readBody(request, limit) {
  const declared = request.headers.get("content-length");
  // HTTP holds a body to the length that it declares, and one call is cheaper than reading a stream.
  if (declared !== null) return Number(declared) <= limit ? new Uint8Array(await request.arrayBuffer()) : null;
  if (request.body === null) return new Uint8Array();
  const reader = request.body.getReader();
  const chunks = [];
  for (let size = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(chunks).arrayBuffer());
    size += value.byteLength;
    if (size > limit) break;
    chunks.push(value);
  }
  await drain(reader);
  return null;
}

// Reads on and keeps nothing. An answer that comes before its request has ended may never be seen: whoever passes the request on
// (a proxy, Wrangler on a laptop) fails to write the rest of it, and reports that instead (RFC 9112, 9.6).
async function drain(reader) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, UNWANTED_MS);
  });
  const rest = (async () => {
    for (let size = 0; size < UNWANTED_MAX; ) {
      const { done, value } = await reader.read();
      if (done) return;
      size += value.byteLength;
    }
  })();
  // Where the client went away there is nobody to answer.
  await Promise.race([rest.catch(() => {}), late]);
  clearTimeout(timer);
}

// Waits for what each step of a request waits for, and hands it over, until there is a response. A course that comes to no end is freed by
// the garbage collector: after a trap it must not be freed here, since its address is another's by then.
export async function follow(course, request, bodyMax, bound) {
  let asked = course.asked;
  let response;
  if (asked === undefined) {
    // Where it broke off there is nobody to answer; the log says so.
    const body = await readBody(request, bodyMax).catch(() => undefined);
    response = body ? course.read(body) : course.unread(body === null);
  }
  while (response === undefined) {
    asked ??= course.asked;
    if (asked.startsWith("wait ")) {
      const until = Number(asked.slice(5));
      asked = undefined;
      await new Promise((resolve) => setTimeout(resolve, until - Date.now()));
      response = course.waited();
      continue;
    }
    if (asked.startsWith("limit ")) {
      const [, places, key] = asked.split(" ");
      asked = undefined;
      try {
        response = course.limited(await takePlaces(bound.unknownJobs, Number(places), key));
      } catch (error) {
        response = course.failed(error);
      }
      continue;
    }
    if (asked.startsWith("stream ")) {
      try {
        const said = await stream(bound, asked.slice(7));
        response = typeof said === "string" ? course.replied(said) : course.streamed(said);
      } catch (error) {
        response = course.failed(error);
      }
      asked = undefined;
      continue;
    }
    let text;
    try {
      text = await (asked.startsWith("all ") ? callAll(bound, asked.slice(4)) : call(bound, asked));
    } catch (error) {
      response = course.failed(error);
      continue;
    } finally {
      asked = undefined;
    }
    response = course.replied(text === null ? undefined : String(text));
  }
  course.free();
  return response;
}

// Sends several objects a request each, at once; what they reply, in their order. Both are separated by a NUL. The first failure ends it,
// and no other is left unhandled: neither a rejection that comes later, nor, since the call is async, what is thrown at once.
async function callAll(bound, asked) {
  const replies = await Promise.all(asked.split("\0").map(async (one) => call(bound, one)));
  return replies.map(String).join("\0");
}

// Takes so many places in a rate limit, one a call, and says whether there were. What its binding says besides is not looked at.
async function takePlaces(limit, places, key) {
  const taken = await Promise.all(Array.from({ length: places }, async () => limit.limit({ key })));
  return taken.every(({ success }) => success === true);
}

// Sends an object a request: null where no object of a job can have the id that it is found by. Each call makes a new stub: after an
// exception a stub stays broken. `asked` has a line that says by what it is found, `job` or `ref` and the id, `list` and the name, or
// `inbox` and the user, and then the request.
function call({ jobs, indexes, inboxes }, asked) {
  const end = asked.indexOf("\n");
  const name = asked.slice(4, end);
  let id;
  if (asked.startsWith("job ")) id = jobs.idFromName(name);
  else if (asked.startsWith("inbox ")) return inboxes.get(inboxes.idFromName(asked.slice(6, end))).call(asked.slice(end + 1));
  else if (asked.startsWith("list ")) return indexes.get(indexes.idFromName(asked.slice(5, end))).page(asked.slice(end + 1));
  else {
    try {
      id = jobs.idFromString(name);
    } catch {
      return null;
    }
  }
  return jobs.get(id).call(asked.slice(end + 1));
}

// Asks a job's object for a stream, with nothing of the client's request: the stream, or else the text that it replies. `asked` is the job,
// and on the next line what it is asked.
async function stream({ jobs }, asked) {
  const end = asked.indexOf("\n");
  const object = jobs.get(jobs.idFromName(asked.slice(0, end)));
  // It is the object that is called, wherever this points.
  const said = await object.fetch("https://job/stream", { method: "POST", body: asked.slice(end + 1) });
  return said.ok ? said.body : said.text();
}

// The namespace of a binding's objects, in a jurisdiction where one is named: the objects outside of it are others. The runtime throws where it
// has no such jurisdiction.
export function namespaceOf(env, binding, jurisdiction) {
  const namespace = env[binding];
  return jurisdiction === undefined ? namespace : namespace.jurisdiction(jurisdiction);
}

// What a request may be passed on to.
export function bound(env, jurisdiction) {
  const objects = (binding) => namespaceOf(env, binding, jurisdiction);
  return { jobs: objects("JOBS"), indexes: objects("INDEXES"), inboxes: objects("INBOXES"), unknownJobs: env.UNKNOWN_JOBS };
}

// How long an object may take to say that it has heard, in milliseconds.
const HEAR_MS = 10_000;

async function inTime(heard) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), HEAR_MS);
  });
  try {
    return await Promise.race([heard, late]);
  } finally {
    clearTimeout(timer);
  }
}

// Hands a report to the one object that merges them.
export async function report(operations, text) {
  await inTime(operations.get(operations.idFromName("operations")).report(text));
}

// Tells the list of a name how a job is.
export async function tell(indexes, list, change) {
  await inTime(indexes.get(indexes.idFromName(list)).change(change));
}

// Has the inbox of a user take a notification, and says what has become of it.
export async function notify(inboxes, user, request) {
  return await inTime(inboxes.get(inboxes.idFromName(user)).call(request));
}

// The way from a job to its publisher.
export class Publisher {
  #publishers;
  #name;
  #stub;

  constructor(publishers, name) {
    this.#publishers = publishers;
    this.#name = name;
  }

  // Hands over a message. `ended` is told the number of its flight, and what the publisher says has become of it, or else the error.
  handOver(channel, body, flight, ended) {
    this.#stub ??= this.#publishers.get(this.#publishers.idFromName(this.#name));
    this.#stub.publish(channel, body).then(
      (told) => ended(flight, told),
      (error) => {
        // After an exception a stub stays broken.
        this.#stub = undefined;
        ended(flight, error);
      },
    );
  }
}

// Runs a statement, and reads all its rows here too: reading a row can throw as well as running does, and what is thrown past a Rust
// call that does not catch takes down every object beside this one; and rows that are left unread fail the commit of the whole turn.
// `bindings` is a JSON array: one text crosses for less than its values one by one.
const NO_ROWS = [];
export function queryRows(sql, statement, bindings) {
  const cursor = bindings === undefined ? sql.exec(statement) : sql.exec(statement, ...JSON.parse(bindings));
  // What changes rows has none to hand over, and need not be asked.
  return statement.startsWith("SELECT") ? [...cursor.raw()] : NO_ROWS;
}

// Sets an object's alarm. What it is written with is durable or lost as a whole, and then whoever waits for that is told: so nobody
// waits for this promise.
export function setAlarm(storage, at) {
  storage.setAlarm(at).catch(() => {});
}

// Makes the response to a request, and logs it: a promise of it, where the request has a body that was not read. `text` is four parts with
// a NUL after each but the last, since what crosses costs by the piece: headers that derive from no request, the answer's own headers (names
// and values in turn, each on a line of its own), the line of the log, and the body.
export function respond(request, status, text) {
  return respondWith(request, status, text, null);
}

// The same with a stream for the body.
export function respondWith(request, status, text, stream) {
  const fixedEnd = text.indexOf("\0");
  const ownEnd = text.indexOf("\0", fixedEnd + 1);
  const lineEnd = text.indexOf("\0", ownEnd + 1);
  const line = text.slice(ownEnd + 1, lineEnd);
  if (line !== "") status >= 500 ? console.error(line) : console.log(line);
  const response = () => {
    const headers = prepared(text.slice(0, fixedEnd));
    const lines = text.slice(fixedEnd + 1, ownEnd).split("\n");
    for (let i = 0; i + 1 < lines.length; i += 2) headers.set(lines[i], lines[i + 1]);
    // A 204 must have a null body, not an empty one.
    const body = lineEnd + 1 < text.length ? text.slice(lineEnd + 1) : stream;
    // It copies the headers, and what is this answer's alone does not stay in them.
    const made = new Response(body, { status, headers });
    for (let i = 0; i + 1 < lines.length; i += 2) headers.delete(lines[i]);
    return made;
  };
  if (request.bodyUsed || request.body === null) return response();
  return drain(request.body.getReader()).then(response);
}

// Most answers have the same headers but for a few. To make them is a good part of what an answer costs, and to copy them is not.
const PREPARED_MAX = 32;
const made = new Map();

// The headers of a text that has names and values in turn, each on a line of its own.
function prepared(text) {
  let headers = made.get(text);
  if (headers === undefined) {
    headers = new Headers();
    const lines = text.split("\n");
    for (let i = 0; i + 1 < lines.length; i += 2) headers.append(lines[i], lines[i + 1]);
    if (made.size >= PREPARED_MAX) made.clear();
    // Of a text of its own: a slice would keep all of what it was cut from.
    made.set(lines.join("\n"), headers);
  }
  return headers;
}
