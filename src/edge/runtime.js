// The few calls of the runtime that are one step here and several futures in Rust.

// Reads a request's body of at most `limit` bytes: null for a longer one, of which no more is read than that.
export async function readBody(request, limit) {
  const declared = request.headers.get("content-length");
  // HTTP holds a body to the length that it declares, and one call is cheaper than reading a stream.
  if (declared !== null) return Number(declared) <= limit ? new Uint8Array(await request.arrayBuffer()) : null;
  const chunks = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > limit) return null;
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

// Sends a job's object a request. Each call makes a new stub: after an exception a stub stays broken.
export function callJob(jobs, jobId, request) {
  return jobs.get(jobs.idFromName(jobId)).call(request);
}

export function respond(status, headers, body) {
  return new Response(body, { status, headers });
}
