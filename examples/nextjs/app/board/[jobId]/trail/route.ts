// A job's whole trail as a file: all assignments, of which Towline tells a page at a time.

import { signedIn } from "@/session/session";
import { type Answer, ask, segment } from "@/towline/api";
import { jobName } from "@/ui/job-name";
import { attachment } from "./file-name";
import { FORMATS, isFormat, parts } from "./formats";

export async function GET(request: Request, { params }: { params: Promise<{ jobId: string }> }) {
  const { jobId } = await params;
  const format = new URL(request.url).searchParams.get("format") ?? "";
  if (!isFormat(format)) return new Response("There are gpx and geojson.", { status: 400 });
  const { token } = await signedIn(`/board/${jobId}/trail?format=${format}`, "dispatcher");

  const page = (after: string) => ask<unknown>(token, `/api/jobs/${segment(jobId)}/locations?format=${format}${after && `&after=${after}`}`);
  const first = await page("");
  if (!first.ok) return new Response("The trail cannot be had just now.", { status: first.status });

  async function* pages(): AsyncGenerator<unknown> {
    for (let answer: Answer<unknown> = first; ; answer = await page(answer.next)) {
      // The download fails then: half of a trail would look like all of it.
      if (!answer.ok) throw new Error(`Towline answered ${answer.status}`);
      yield answer.body;
      if (answer.next === undefined) break;
    }
  }
  const all = parts(FORMATS[format], jobName(jobId), pages());
  const file = new ReadableStream<string>({
    async pull(controller) {
      const { value, done } = await all.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
  return new Response(file.pipeThrough(new TextEncoderStream()), {
    headers: {
      "content-type": FORMATS[format].type,
      "content-disposition": attachment(jobId, format),
      "cache-control": "private, no-store",
    },
  });
}
