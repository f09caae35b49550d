// A page that fails, because of what the server got: in the place of Towline stands a stub that has gone wrong.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { startApp } from "../../scripts/dev/app.mjs";
import { Parts } from "../../scripts/dev/parts.mjs";
import { freePort } from "../../scripts/dev/ports.mjs";
import { buildApp } from "../../scripts/setup/app.mjs";
import { eventually } from "../e2e/support/wait.ts";
import { launchBrowser } from "../local-ably/browser.ts";
import { small, violations } from "./support/fit.ts";

test("a page that fails says so and nothing of why, and goes on once the fault is gone", async () => {
  let list: object = { of: "a secret of the server's" };
  let asked = 0;
  const stub = createServer((_, response) => {
    asked += 1;
    response.setHeader("content-type", "application/json").end(JSON.stringify(list));
  });
  stub.listen(0, "127.0.0.1");
  await once(stub, "listening");
  after(() => stub.close());
  const parts = new Parts();
  after(() => parts.stop());
  await buildApp();
  const port = await freePort(32_000, "localhost");
  const towline = `http://127.0.0.1:${(stub.address() as AddressInfo).port}`;
  const { url } = await startApp(parts, { port, towline, sessionSecret: "a secret of this test, as long as it has to be" });
  const browser = await launchBrowser();
  after(() => browser.close());

  const page = await browser.newPage({ baseURL: url });
  await page.request.post("/session/sign-in", { form: { id: "ben", to: "/sign-in" }, headers: { origin: url } });
  await page.goto("/jobs");
  await page.getByRole("heading", { name: "This page has failed" }).waitFor();
  assert.match(await page.getByRole("alert").first().innerText(), /our fault/);
  assert.doesNotMatch(await page.content(), /a secret of the server|not iterable|towline\/api/);
  assert.deepEqual([await violations(page), await small(page)], [[], []]);
  const before = asked;
  await page.getByRole("button", { name: "Try again" }).click();
  await eventually("the server to ask again", async () => (asked > before ? true : undefined));
  await page.getByRole("heading", { name: "This page has failed" }).waitFor();
  list = { jobs: [], next: null };
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("heading", { name: "Your jobs" }).waitFor();
  assert.equal(await page.getByText("This page has failed").count(), 0);
});
