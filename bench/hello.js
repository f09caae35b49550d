// The peer: what the runtime itself costs, in the same process and the same run.
export default { fetch: () => new Response("hello") };
