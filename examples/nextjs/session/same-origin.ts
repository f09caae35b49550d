/** The host that a browser has asked, as whatever stands before this server says: it has to pass on `Host`, or set `X-Forwarded-Host`. */
export function ownHost(headers: Headers): string {
  return headers.get("x-forwarded-host") ?? headers.get("host") ?? "";
}

/**
 * Whether a page of this site has sent a request, and no other site's. A cookie that is `SameSite` alone does not say so of a form that signs
 * somebody in. `Sec-Fetch-Site` tells http from https, too, where a browser sends it.
 */
export function isSameOrigin({ headers }: { headers: Headers }): boolean {
  const origin = headers.get("origin");
  const site = headers.get("sec-fetch-site") ?? "same-origin";
  return site === "same-origin" && origin !== null && URL.canParse(origin) && new URL(origin).host === ownHost(headers);
}
