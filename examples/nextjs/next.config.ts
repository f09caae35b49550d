import type { NextConfig } from "next";

const headers = [
  { key: "content-security-policy", value: "frame-ancestors 'none'; base-uri 'self'; form-action 'self'; object-src 'none'" },
  { key: "permissions-policy", value: "geolocation=(self), screen-wake-lock=(self)" },
  { key: "referrer-policy", value: "same-origin" },
  { key: "x-content-type-options", value: "nosniff" },
];

export default {
  poweredByHeader: false,
  // Title and icon are in the head of every page, and never come after it.
  htmlLimitedBots: /./,
  headers: async () => [{ source: "/:path*", headers }],
  // `@towline/client` is a link to a folder of this repository. Whoever has it from a package leaves this line out.
  turbopack: { root: `${import.meta.dirname}/../..` },
} satisfies NextConfig;
