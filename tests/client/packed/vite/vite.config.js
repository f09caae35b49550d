// Two pages of a site. Which modules went into which file is written beside them.

/** @type {import("vite").UserConfig} */
export default {
  logLevel: "warn",
  build: {
    rolldownOptions: { input: { watch: "src/watch.ts", page: "src/main.tsx" } },
  },
  plugins: [
    {
      name: "modules",
      generateBundle(_options, bundle) {
        const chunks = Object.values(bundle).flatMap((file) => (file.type === "chunk" ? [file] : []));
        const source = JSON.stringify(chunks.map(({ name, fileName, isEntry, imports, dynamicImports, moduleIds }) => ({ name, fileName, isEntry, imports, dynamicImports, moduleIds })));
        this.emitFile({ type: "asset", fileName: "modules.json", source });
      },
    },
  ],
};
