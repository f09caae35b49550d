export const dynamic = "force-dynamic";

/** Whether this server answers: an open page asks before it has itself rendered anew. */
export const GET = () => new Response(null, { status: 204, headers: { "cache-control": "no-store" } });
