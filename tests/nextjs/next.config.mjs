export default {
  // The one of docs/nextjs.md.
  rewrites: async () => [{ source: "/api/jobs/:path*", destination: `${process.env.TOWLINE_URL}/api/jobs/:path*` }],
  // Not the repository around it, which has a lockfile too.
  turbopack: { root: import.meta.dirname },
};
