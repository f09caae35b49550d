// One HTTP exchange: request, head and body of the answer, under one timer. The result is always an object:
//   status    the answer's status, or 0 where no head arrived
//   headers   the answer's Headers, once the head arrived
//   body      Uint8Array: the whole body, or the beginning of one that is longer than `bodyMax`; else empty
//   failure   why the exchange broke off, or undefined where it is complete
//   timedOut  whether the timer was why
//
// `headers` has names and values in turn, each on a line of its own; `body` is text. `timeout` is in milliseconds; undefined means none.
export async function exchange(method, url, headers, body, timeout, bodyMax) {
  const result = { status: 0, headers: undefined, body: new Uint8Array(), failure: undefined, timedOut: false };
  const controller = new AbortController();
  let timer;
  // Raced, rather than left to the signal alone: a runtime need not apply that to a body whose head has arrived.
  const expiry = new Promise((_, reject) => {
    if (timeout === undefined) return;
    timer = setTimeout(() => {
      result.timedOut = true;
      reject(new Error("timed out"));
      controller.abort();
    }, timeout);
  });
  try {
    await Promise.race([run(result, method, url, headers, body, bodyMax, controller.signal), expiry]);
  } catch (error) {
    // Runtimes quote the URL in some messages; what is in it does not belong in a log.
    result.failure = String(error?.message ?? error).replaceAll(url, "the URL").slice(0, 200);
  } finally {
    clearTimeout(timer);
  }
  return result;
}

// A caller sends the same headers again and again: making them is a good part of a request's cost.
const PREPARED_MAX = 8;
const made = new Map();
function prepared(text) {
  let headers = made.get(text);
  if (headers === undefined) {
    headers = new Headers();
    const lines = text.split("\n");
    for (let i = 0; i + 1 < lines.length; i += 2) headers.append(lines[i], lines[i + 1]);
    if (made.size >= PREPARED_MAX) made.clear();
    made.set(text, headers);
  }
  return headers;
}

async function run(result, method, url, headers, body, bodyMax, signal) {
  const response = await globalThis.fetch(url, { method, headers: prepared(headers), body, redirect: "manual", signal });
  result.headers = response.headers;
  result.status = response.status;
  if (!response.body) return;
  // Usual answers state a small length and can be read by one call. With a Content-Encoding it is not the body's length.
  const length = response.headers.get("content-length");
  if (length !== null && Number(length) <= bodyMax && !response.headers.has("content-encoding")) {
    result.body = new Uint8Array(await response.arrayBuffer());
    return;
  }
  const reader = response.body.getReader();
  const chunks = [];
  let total = 0;
  while (total <= bodyMax) {
    const { done, value } = await reader.read();
    if (done) {
      result.body = joined(chunks, total);
      return;
    }
    chunks.push(value);
    total += value.byteLength;
  }
  result.body = joined(chunks, total);
  reader.cancel().catch(() => {});
  throw new Error(`a body of more than ${bodyMax} bytes`);
}

function joined(chunks, total) {
  const whole = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}
