/** Where Towline is. It is read when something is asked, so that one build serves any. */
export function towlineUrl(): string {
  const { TOWLINE_URL } = process.env;
  if (!TOWLINE_URL) throw new Error("TOWLINE_URL is not set: where Towline is, such as http://127.0.0.1:8787");
  return TOWLINE_URL;
}
