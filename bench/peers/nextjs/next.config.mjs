export default {
  poweredByHeader: false,
  // Not the repository around it, which has a lockfile too.
  turbopack: { root: import.meta.dirname },
};
