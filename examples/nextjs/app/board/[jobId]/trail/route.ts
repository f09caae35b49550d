// A job's whole trail as a file: all assignments, of which Towline tells a page at a time.

import { signedIn } from "@/session/session";
import { type Answer, ask, segment } from "@/towline/api";
import { FORMATS, isFormat } from "./formats";

export async function GET(request: Request, { params }: { params: Promise<{ jobId: string }> }) {
  const { jobId } = await params;
  const format = new URL(request.url).searchParams.get("format") ?? "";
  if (!isFormat(format)) return new Response("There are gpx and geojson.", { status: 400 });
  const { token } = await signedIn(`/board/${jobId}/trail?format=${format}`, "dispatcher");
  const { type, begin, inner, end } = FORMATS[format];

  const page = (after: string) => ask<unknown>(token, `/api/jobs/${segment(jobId)}/locations?format=${format}${after && `&after=${after}`}`);
  const first = await page("");
  if (!first.ok) return new Response("The trail cannot be had just now.", { status: first.status });

  async function* parts(): AsyncGenerator<string> {
    yield begin(jobId);
    let before = "";
    for (let answer: Answer<unknown> = first; ; answer = await page(before)) {
      // The download fails then: half of a trail would look like all of it.
      if (!answer.ok) throw new Error(`Towline answered ${answer.status}`);
      yield inner(answer.body, before);
      if (answer.next === undefined) break;
      before = answer.next;
    }
    yield end;
  }
  const all = parts();
  const file = new ReadableStream<string>({
    async pull(controller) {
      const { value, done } = await all.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
  return new Response(file.pipeThrough(new TextEncoderStream()), {
    headers: {
      "content-type": type,
      "content-disposition": `attachment; filename="${jobId}.${format}"`,
      "cache-control": "private, no-store",
    },
  });
}
