// The few calls of the runtime that are one step here and several futures in Rust.

// Reads a request's body of at most `limit` bytes, and stops reading at the first byte beyond it: null then.
export async function readBody(request, limit) {
  if (Number(request.headers.get("content-length")) > limit) return null;
  const chunks = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > limit) return null;
    chunks.push(chunk);
  }
  const body = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return body;
}

// Sends a job's object a request. Each call makes a new stub: after an exception a stub stays broken.
export function callJob(jobs, jobId, request) {
  return jobs.get(jobs.idFromName(jobId)).call(request);
}

export function respond(status, headers, body) {
  return new Response(body, { status, headers });
}
