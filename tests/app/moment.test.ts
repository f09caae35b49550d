// Times as a server writes them, and as a browser has to write them once more, whatever it knows of languages and dates.

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadModules } from "./support/modules.ts";

const AT = Date.UTC(2026, 10, 9, 5, 7, 59);

test("a time is written without what browsers disagree about", async (t) => {
  t.mock.property(globalThis, "Intl", undefined as unknown as typeof Intl);
  const { render } = await loadModules<{ render(at: number): string }>(`
    import { createElement } from "react";
    import { renderToStaticMarkup } from "react-dom/server";
    import { Moment } from "./ui/moment";
    export const render = (at) => renderToStaticMarkup(createElement(Moment, { at }));
  `);
  assert.equal(render(AT), '<time dateTime="2026-11-09T05:07:59.000Z">2026-11-09 05:07 UTC</time>');
});
