/** Leads to a path of this site, after a form. What leads to another one (`//example.com`, `/\example.com`), or back here, leads home. */
export function back(to: string): Response {
  const path = /^\/(?![/\\]|session\b)[\x21-\x7e]*$/.test(to) ? to : "/";
  return new Response(null, { status: 303, headers: { location: path } });
}
