// One HTTP exchange: request, head and body of the answer, under one timer. At its end, and never before this has returned, `done` is
// called with the exchange's number and:
//   status    the answer's status, or 0 where no head arrived
//   headers   the answer's Headers, once the head arrived
//   body      Uint8Array: the whole body, or the beginning of one that is longer than `bodyMax`; else empty
//   failure   why the exchange broke off, or undefined where it is complete
//   timedOut  whether the timer was why
//
// `request` is method, URL, headers and body with a NUL after each but the last, since texts cost by the piece where they cross; its headers
// are names and values in turn, each on a line of its own. `timeout` is in milliseconds; undefined means none.
//
// Each object of the runtime's that is touched costs by itself, and so does each promise between the runtime and the caller: so of an
// answer nothing is asked for that is not needed, and one function that is made once hears of all exchanges.
export function exchange(request, timeout, bodyMax, number, done) {
  const result = { status: 0, headers: undefined, body: EMPTY, failure: undefined, timedOut: false };
  const controller = new AbortController();
  const methodEnd = request.indexOf("\0");
  const urlEnd = request.indexOf("\0", methodEnd + 1);
  const headersEnd = request.indexOf("\0", urlEnd + 1);
  const url = request.slice(methodEnd + 1, urlEnd);
  let timer;
  let isDone = false;
  const end = () => {
    if (isDone) return;
    isDone = true;
    clearTimeout(timer);
    done(number, result);
  };
  const fail = (error) => {
    // Runtimes quote the URL in some messages; what is in it does not belong in a log.
    result.failure ??= String(error?.message ?? error).replaceAll(url, "the URL").slice(0, 200);
    end();
  };
  // The exchange ends with the timer, rather than when the signal has ended it: a runtime need not apply that to a body whose head has
  // arrived.
  if (timeout !== undefined)
    timer = setTimeout(() => {
      result.timedOut = true;
      controller.abort();
      fail("timed out");
    }, timeout);
  // What is thrown at once, by a header that is none, fails the exchange as well.
  const answered = new Promise((resolve) => {
    const init = {
      method: request.slice(0, methodEnd),
      headers: prepared(request.slice(urlEnd + 1, headersEnd)),
      body: request.slice(headersEnd + 1),
      redirect: "manual",
      signal: controller.signal,
    };
    resolve(globalThis.fetch(url, init));
  });
  answered.then((response) => read(result, response, bodyMax)).then(end, fail);
}

const EMPTY = new Uint8Array();

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
    // Of a text of its own: a slice would keep all of what it was cut from.
    made.set(lines.join("\n"), headers);
  }
  return headers;
}

// Reads an answer: resolves once it is whole.
function read(result, response, bodyMax) {
  const { status, headers } = response;
  result.status = status;
  result.headers = headers;
  // Usual answers state a small length and can be read by one call. With a Content-Encoding it is not the body's length.
  const length = headers.get("content-length");
  if (length !== null && Number(length) <= bodyMax && !headers.has("content-encoding")) {
    return response.arrayBuffer().then((body) => {
      if (!result.timedOut) result.body = new Uint8Array(body);
    });
  }
  return response.body === null ? undefined : readStream(result, response.body, bodyMax);
}

async function readStream(result, stream, bodyMax) {
  const reader = stream.getReader();
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
