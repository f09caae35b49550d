// The board's list and its alarms, without a browser: what stands where, and what is told once.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { initialSnapshot, type JobSnapshot, type Listing, type Notification, type OpenJob } from "@towline/client";
import { loadModules } from "./support/modules.ts";

interface Row {
  jobId: string;
  state: string;
}

interface Alarm {
  key: string;
  kind: string;
  jobId: string | undefined;
  isDismissed: boolean;
}

interface Alarms {
  all: readonly Alarm[];
  news: readonly Alarm[];
  turn: number;
}

interface Values {
  job: string;
  driver: string;
  customers: string;
  lat: string;
  lng: string;
  hours: string;
}

interface Rendered {
  jobs: readonly OpenJob[];
  isWhole: boolean;
}

interface Told {
  jobs: readonly OpenJob[] | undefined;
  isWhole: boolean;
}

type NameOf = (id: string) => string;

interface Board {
  rowsOf(before: readonly Row[], jobs: readonly OpenJob[], views: ReadonlyMap<string, JobSnapshot>, isWhole: boolean): readonly Row[];
  found(rows: readonly Row[], text: string, filter: string, nameOf: NameOf): readonly Row[];
  answerable(filter: string, hasViews: boolean): string;
  listAtFirst(rendered: Rendered, listing: Listing): Told;
  listAfter(told: Told, rendered: Rendered, listing: Listing): Told;
  alarmsAfter(before: Alarms, rows: readonly Row[], items: readonly Notification[], now: number, nameOf: NameOf): Alarms;
  dismiss(alarms: Alarms, key?: string): Alarms;
  NO_ALARMS: Alarms;
  WORD: Record<string, string>;
  EMPTY: Values;
  jobOf(values: Values, now: number, people: readonly object[]): { jobId: string; job: object } | { errors: object };
}

const { rowsOf, found, answerable, listAtFirst, listAfter, alarmsAfter, dismiss, NO_ALARMS, WORD, EMPTY, jobOf } = await loadModules<Board>(`
  export * from "./app/board/rows";
  export * from "./app/board/alarms";
  export { WORD } from "./app/board/words";
  export * from "./app/board/new-job";
  export * from "./app/board/use-open-jobs";
`);

const PEOPLE = [
  { id: "driver-02", role: "driver", name: "Bruno" },
  { id: "ann", role: "customer", name: "Ann" },
  { id: "ben", role: "customer", name: "Ben" },
];
const nameOf = (of: string) => PEOPLE.find(({ id }) => id === of)?.name ?? of;

const NOW = 1_795_968_000_000;
const NO_VIEWS = new Map<string, JobSnapshot>();
const open = (jobId: string, more: Partial<OpenJob> = {}): OpenJob => ({ jobId, state: "open", version: 1, epoch: 1, driver: "driver-01", endsAt: NOW + 1, ...more });
const view = (jobId: string, status: JobSnapshot["status"], more: Partial<JobSnapshot> = {}): JobSnapshot => ({ ...initialSnapshot(jobId), status, ...more });
const seen = (...views: JobSnapshot[]) => new Map(views.map((one) => [one.jobId, one]));
const ids = (rows: readonly Row[]) => rows.map(({ jobId }) => jobId).join(" ");

describe("the list", () => {
  test("has first what is amiss, and each group by id, whatever comes in which order", () => {
    const jobs = [
      open("f-live"),
      open("e-stale"),
      open("d-none", { driver: null }),
      open("c-mute", { heartbeat: "no_fix" }),
      open("b-refused", { refusedSince: NOW }),
      open("a-live"),
      open("z-silent"),
      open("g-silent", { silentSince: NOW }),
    ];
    const views = seen(view("f-live", "live"), view("e-stale", "stale"), view("c-mute", "stale"), view("a-live", "live"), view("z-silent", "silent", { silentSince: NOW }));
    const order = "g-silent z-silent b-refused d-none c-mute e-stale a-live f-live";
    assert.equal(ids(rowsOf([], jobs, views, true)), order);
    assert.equal(ids(rowsOf([], jobs.toReversed(), views, true)), order);
  });

  test("is the same list, of the same rows, as long as it says the same: a vehicle that moves changes none", () => {
    const at = (seq: number) => seen(view("a", "live", { position: { epoch: 1, seq, lat: seq, lng: 1, capturedAt: NOW } }), view("b", "live"));
    const rows = rowsOf([], [open("a"), open("b")], at(1), true);
    assert.equal(rowsOf(rows, [open("a"), open("b")], at(2), true), rows);
    const [a, b] = rowsOf(rows, [open("a"), open("b", { driver: "driver-02" })], at(3), true);
    assert.equal(a, rows[0]);
    assert.notEqual(b, rows[1]);
  });

  test("believes of a silence what comes as it happens, before the list that is asked for now and then", () => {
    const jobs = [open("a", { silentSince: NOW }), open("b")];
    const rows = rowsOf([], jobs, seen(view("a", "live"), view("b", "none", { silentSince: NOW })), true);
    assert.deepEqual(rows.map(({ jobId, state }) => [jobId, state]), [["b", "silent"], ["a", "live"]]);
  });

  test("stays as it is while this device is cut off", () => {
    const jobs = [open("a"), open("b")];
    const rows = rowsOf([], jobs, seen(view("a", "live"), view("b", "stale")), true);
    assert.equal(ids(rows), "b a");
    const off = rowsOf(rows, jobs, seen(view("a", "offline"), view("b", "offline")), true);
    assert.equal(ids(off), "b a");
    assert.equal(off[0]?.state, "offline");
  });

  test("does not move where positions come as it is scrolled", () => {
    const jobs = [open("a"), open("b"), open("c", { silentSince: NOW })];
    const rows = rowsOf([], jobs, NO_VIEWS, false);
    assert.equal(ids(rows), "c a b");
    assert.deepEqual(rows.map(({ state }) => state), ["silent", "listed", "listed"]);
    const scrolled = rowsOf(rows, jobs, seen(view("b", "stale")), false);
    assert.equal(ids(scrolled), "c a b");
    assert.equal(scrolled[2]?.state, "stale");
  });

  test("says of what is asked for that it loads, and of what nobody asks for no more than that the job is open", () => {
    const rows = rowsOf([], [open("a"), open("b"), open("c", { silentSince: NOW })], seen(view("a", "waiting"), view("c", "waiting")), true);
    assert.deepEqual(rows.map(({ jobId, state }) => [jobId, WORD[state]]), [["c", "Not heard of"], ["a", "Loading"], ["b", "Open"]]);
  });

  test("says of a vehicle that is parked that it is, and not that it is out of date", () => {
    const [row] = rowsOf([], [open("a", { heartbeat: "parked" })], seen(view("a", "stale")), true);
    assert.equal(row?.state, "parked");
  });

  test("says of a silence of whose driver is off duty that they are, after what nobody can explain", () => {
    const jobs = [open("a", { silentSince: NOW, heartbeat: "off_duty" }), open("b", { silentSince: NOW }), open("c", { heartbeat: "off_duty" })];
    for (const isWhole of [true, false]) {
      const views = isWhole ? seen(view("a", "silent", { silentSince: NOW, heartbeat: "off_duty" }), view("b", "silent", { silentSince: NOW }), view("c", "live")) : NO_VIEWS;
      const rows = rowsOf([], jobs, views, isWhole);
      assert.deepEqual(rows.map(({ jobId, state }) => [jobId, WORD[state]]), [["b", "Not heard of"], ["a", "Off duty"], ["c", isWhole ? "Live" : "Open"]]);
      assert.equal(ids(found(rows, "", "amiss", nameOf)), "b a");
    }
  });

  test("is searched by id, by what the platform calls a job, and by driver's name or id, and by state", () => {
    const rows = rowsOf([], [open("job-1", { driver: "driver-02" }), open("Tow.20truck", { driver: null }), open("x", { silentSince: NOW })], NO_VIEWS, true);
    for (const [text, filter, wanted] of [
      ["bruno", "all", "job-1"],
      ["DRIVER-02", "all", "job-1"],
      ["tow truck", "all", "Tow.20truck"],
      ["", "no_driver", "Tow.20truck"],
      ["", "amiss", "x"],
      ["job", "amiss", ""],
    ] as const) {
      assert.equal(ids(found(rows, text, filter, nameOf)), wanted, `${text} ${filter}`);
    }
    assert.equal(found(rows, " ", "all", nameOf), rows);
  });
});

test("a filter that needs the positions of all jobs is none where they do not come", () => {
  for (const filter of ["live", "stale", "none"]) assert.deepEqual([answerable(filter, true), answerable(filter, false)], [filter, "all"]);
  for (const filter of ["all", "amiss", "no_driver", "parked"]) assert.equal(answerable(filter, false), filter);
});

describe("of the server's list and the client's", () => {
  const [a, b, c] = [[open("a")], [open("a"), open("b")], [open("c")]];
  const waiting: Listing = { jobs: [], status: "waiting" };
  const ok = (jobs: readonly OpenJob[]): Listing => ({ jobs, status: "ok" });
  const whole = (jobs: readonly OpenJob[]) => ({ jobs, isWhole: true });
  const part = (jobs: readonly OpenJob[]) => ({ jobs, isWhole: false });

  test("the client's counts at first where it has one, else the server's", () => {
    assert.equal(listAtFirst(whole(a), waiting).jobs, a);
    assert.equal(listAtFirst(whole(a), ok(b)).jobs, b);
    assert.equal(listAtFirst(whole(a), { jobs: [], status: "offline" }).jobs, a);
  });

  test("the one that came last counts, and stays where none came", () => {
    const first = listAtFirst(whole(a), waiting);
    assert.equal(listAfter(first, whole(a), waiting), first);
    const listed = listAfter(first, whole(a), ok(b));
    assert.equal(listed.jobs, b);
    const made = listAfter(listed, whole(c), ok(b));
    assert.equal(made.jobs, c);
    assert.equal(listAfter(made, whole(c), ok(b)), made);
    assert.equal(listAfter(made, whole(c), { jobs: b, status: "offline" }), made);
  });

  test("a part takes no whole one's place", () => {
    const listed = listAfter(listAtFirst(part(a), waiting), part(a), ok(b));
    assert.deepEqual([listed.jobs, listed.isWhole], [b, true]);
    const none: readonly OpenJob[] = [];
    const failed = listAfter(listed, part(none), ok(b));
    assert.deepEqual([failed.jobs, failed.isWhole], [b, true]);
    assert.equal(listAfter(failed, part(none), ok(b)), failed);
    // Of the server's own, too, and not where there is nothing better.
    assert.equal(listAfter(listAtFirst(whole(a), waiting), part(c), waiting).jobs, a);
    const parts = listAfter(listAtFirst(part(a), waiting), part(c), waiting);
    assert.deepEqual([parts.jobs, parts.isWhole], [c, false]);
  });

  test("nothing may be shown once the client has erased its own, and a part counts after that", () => {
    const listed = listAfter(listAtFirst(whole(a), waiting), whole(a), ok(b));
    const erased = listAfter(listed, whole(a), waiting);
    assert.deepEqual([erased.jobs, erased.isWhole], [undefined, false]);
    assert.equal(listAfter(erased, part(c), waiting).jobs, c);
  });
});

describe("alarms", () => {
  const rows = (...jobs: OpenJob[]) => rowsOf([], jobs, NO_VIEWS, true);
  const kinds = ({ all }: Alarms) => all.map(({ kind, jobId }) => `${kind} ${jobId}`);
  const shown = ({ all }: Alarms) => all.filter(({ isDismissed }) => !isDismissed).length;
  const silent = rows(open("a", { silentSince: NOW - 5 }));

  test("each thing that has become amiss makes one", () => {
    const all = alarmsAfter(
      NO_ALARMS,
      rows(
        open("a", { silentSince: NOW - 5 }),
        open("b", { refusedSince: NOW - 4 }),
        open("c", { heartbeat: "no_permission" }),
        open("d", { heartbeat: "no_fix" }),
        open("e", { driver: null, startsAt: NOW - 6 }),
        open("f", { driver: null, startsAt: NOW + 1 }),
        open("g", { driver: null }),
        open("h", { heartbeat: "parked" }),
        open("i", { startsAt: NOW - 9 }),
      ),
      [],
      NOW,
      nameOf,
    );
    assert.deepEqual(kinds(all), ["refused b", "silent a", "no_driver e", "no_permission c", "no_fix d"]);
    assert.deepEqual(all.news, all.all);
  });

  test("a repeat makes none, also where it was dismissed; the next one does, once it was over", () => {
    const first = alarmsAfter(NO_ALARMS, silent, [], NOW, nameOf);
    assert.equal(alarmsAfter(first, silent, [], NOW + 1_000, nameOf), first);
    const dismissed = dismiss(first, first.all[0]?.key);
    assert.equal(shown(dismissed), 0);
    assert.equal(alarmsAfter(dismissed, silent, [], NOW + 2_000, nameOf), dismissed);
    const over = alarmsAfter(dismissed, rows(open("a")), [], NOW, nameOf);
    assert.equal(over.all.length, 0);
    const again = alarmsAfter(over, rows(open("a", { silentSince: NOW })), [], NOW, nameOf);
    assert.equal(shown(again), 1);
    assert.deepEqual(again.news, again.all);
    assert.notEqual(again.turn, first.turn, "the same words are news");
    assert.equal(dismissed.turn, first.turn);
  });

  test("news are what is new, and stay so until there is more", () => {
    const first = alarmsAfter(NO_ALARMS, silent, [], NOW, nameOf);
    const both = alarmsAfter(first, rows(open("a", { silentSince: NOW }), open("b", { refusedSince: NOW })), [], NOW, nameOf);
    assert.deepEqual(kinds(both), ["refused b", "silent a"]);
    assert.deepEqual(both.news.map(({ jobId }) => jobId), ["b"]);
    const one = alarmsAfter(both, rows(open("b", { refusedSince: NOW })), [], NOW, nameOf);
    assert.deepEqual([kinds(one), one.news], [["refused b"], both.news]);
  });

  test("a notification stays until it is dismissed, also where the client does not have it any more", () => {
    const item = { id: "n-1", type: "job.assigned", entityId: "a", version: 1, ts: NOW };
    const first = alarmsAfter(NO_ALARMS, [], [item], NOW, nameOf);
    assert.deepEqual(kinds(first), ["notification a"]);
    assert.equal(alarmsAfter(first, [], [], NOW, nameOf), first);
    assert.equal(shown(dismiss(first)), 0);
    const [other] = alarmsAfter(NO_ALARMS, [], [{ ...item, type: "invoice.paid" }], NOW, nameOf).all;
    assert.equal(other?.jobId, undefined, "it is about something else, and leads to no job");
  });

  test("as many notifications as the client has at most do not come again and again", () => {
    const items = Array.from({ length: 100 }, (_, n) => ({ id: `n-${n}`, type: "job.assigned", entityId: "a", version: n, ts: NOW - n }));
    const all = alarmsAfter(NO_ALARMS, [], items, NOW, nameOf);
    assert.equal(all.all.length, 100);
    const more = alarmsAfter(all, [], [{ id: "new", type: "job.closed", entityId: "a", version: 1, ts: NOW }, ...items.slice(0, 99)], NOW, nameOf);
    assert.deepEqual([more.news.length, more.all.length], [1, 101]);
    const next = alarmsAfter(more, [], [{ id: "new", type: "job.closed", entityId: "a", version: 1, ts: NOW }, ...items.slice(0, 99)], NOW, nameOf);
    assert.equal(alarmsAfter(next, [], [{ id: "new", type: "job.closed", entityId: "a", version: 1, ts: NOW }, ...items.slice(0, 99)], NOW, nameOf), next);
  });
});

describe("the form for a new job", () => {
  const of = (values: Partial<Values>) => jobOf({ ...EMPTY, job: "a", ...values }, NOW, PEOPLE);

  test("makes a job id of any name, and ids of customers' names", () => {
    const made = of({ job: "Tow truck", customers: "Ann,  auth0|7 , ANN,ben,", driver: "driver-03", lat: "48,5", lng: "-16.25", hours: "2" });
    const job = { driver: "driver-03", customers: ["ann", "auth0|7", "ben"], place: { lat: 48.5, lng: -16.25 }, endsAt: NOW + 2 * 3_600_000 };
    assert.deepEqual(made, { jobId: "Tow.20truck", job });
    assert.deepEqual(of({}), { jobId: "a", job: { driver: null, customers: [], endsAt: NOW + 8 * 3_600_000 } });
  });

  test("says what is wrong beside the field that it is in", () => {
    const wrong = (values: Partial<Values>) => {
      const made = of(values);
      return "errors" in made ? Object.keys(made.errors) : [];
    };
    assert.deepEqual(wrong({ job: "" }), ["job"]);
    assert.deepEqual(wrong({ job: "ä".repeat(40) }), ["job"]);
    assert.deepEqual(wrong({ lat: "1" }), ["lng"]);
    assert.deepEqual(wrong({ lng: "1" }), ["lat"]);
    assert.deepEqual(wrong({ lat: "90.1", lng: "x" }), ["lat", "lng"]);
    assert.deepEqual(wrong({ hours: "" }), ["hours"]);
    assert.deepEqual(wrong({ lat: "0", lng: "0" }), []);
  });
});
