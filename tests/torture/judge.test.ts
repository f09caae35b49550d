// The judge, by evidence in which each kind of violation is planted.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Counts, type Evidence, isClean, judge, type Message, type Posted, WINDOW_MS } from "./judge.ts";

const EPOCH = 1_700_000_000;
const AT = 1_700_000_100_000;
const JOB = "job-1";

const place = (seq: number, epoch = EPOCH) => `${epoch}.${seq}`;
const lat = (seq: number) => 45 + seq / 1e5;

function fix(seq: number, more: Partial<Posted> = {}): Posted {
  return { job: JOB, lat: lat(seq), lng: 13, recognisable: true, sent: 1, told: [place(seq)], ...more };
}

/** The message for `fromSeq` to `seq`, whose newest fix is the live one. */
function updated(fromSeq: number, seq = fromSeq, data: { epoch?: number; [field: string]: unknown } = {}, timestamp = AT): Message {
  const others = Array.from({ length: seq - fromSeq }, (_, index) => fromSeq + index);
  const backfill = others.map((own) => [own, AT, lat(own), 13]);
  return {
    id: `${JOB}/${place(seq, data.epoch)}`,
    name: "location.updated",
    timestamp,
    data: { jobId: JOB, epoch: EPOCH, seq, fromSeq, lat: lat(seq), lng: 13, ...(backfill.length > 0 && { backfill }), ...data },
  };
}

const kept = (seq: number, more: object = {}) => ({ epoch: EPOCH, seq, lat: lat(seq), lng: 13, ...more });

/** Six fixes that left as three messages, and nothing wrong with them. */
function sound(): Evidence {
  const heard = [updated(1), updated(2, 4), updated(5, 6)];
  return {
    job: JOB,
    posted: [1, 2, 3, 4, 5, 6].map((seq) => fix(seq)),
    heard,
    history: [...heard],
    trail: { published: { epoch: EPOCH, seq: 6 }, setAside: [], locations: [1, 2, 3, 4, 5, 6].map((seq) => kept(seq)) },
  };
}

/** That a judgement has these counts beside those of a sound run, and no others. */
function assertFound(plant: (evidence: Evidence) => void, expected: Partial<Counts>) {
  const evidence = sound();
  plant(evidence);
  const verdict = judge([evidence]);
  const zero = Object.fromEntries(Object.keys(verdict.counts).map((name) => [name, 0]));
  assert.deepEqual(verdict.counts, { ...zero, accepted: 6, published: 6, ...expected }, verdict.findings.join("\n"));
  assert.equal(isClean(verdict), Object.keys(expected).every((name) => ["accepted", "published", "doubledLater"].includes(name)));
}

/** The same to the subscriber and in Ably's record. */
function messages(evidence: Evidence, all: Message[]) {
  evidence.heard = all;
  evidence.history = [...all];
}

describe("what is sound", () => {
  test("one message a post, and several posts in one", () => assertFound(() => {}, {}));

  test("a head that is not the last, and fixes that are all late", () => {
    assertFound((evidence) => {
      const head = { headSeq: 5, lat: lat(5), backfill: [[6, AT, lat(6), 13]] };
      const { lat: _, lng: __, ...late } = updated(2, 4).data;
      late.backfill.push([4, AT, lat(4), 13]);
      messages(evidence, [updated(1), { ...updated(2, 4), name: "location.backfilled", data: late }, updated(5, 6, head)]);
    }, {});
  });

  test("a new epoch begins at 1 again", () => {
    assertFound((evidence) => {
      const epoch = EPOCH + 9;
      evidence.posted.push(fix(9, { told: [place(1, epoch)] }));
      messages(evidence, [...evidence.heard, updated(1, 1, { epoch, lat: lat(9) })]);
      evidence.trail.locations.push(kept(1, { epoch, lat: lat(9) }));
      evidence.trail.published = { epoch, seq: 1 };
    }, { accepted: 7, published: 7 });
  });

  test("a fix that cannot be recognised may be there as often as it was sent, and told for fewer", () => {
    assertFound((evidence) => {
      evidence.posted[2] = fix(3, { recognisable: false, sent: 2, told: [place(3)] });
      messages(evidence, [...evidence.heard, updated(7, 7, { lat: lat(3) })]);
      evidence.trail.locations.push(kept(7, { lat: lat(3) }));
      evidence.trail.published = { epoch: EPOCH, seq: 7 };
    }, { published: 7 });
  });

  test("events of another kind on the channel", () => {
    assertFound((evidence) => {
      messages(evidence, [{ id: "a", name: "driver.silent", timestamp: AT, data: { epoch: EPOCH, afterSeq: 0 } }, ...evidence.heard]);
    }, {});
  });
});

describe("what is planted is found", () => {
  test("a message that the subscriber never heard", () => {
    assertFound((evidence) => messages(evidence, [updated(1), updated(5, 6)]), { published: 3, lost: 3, gaps: 3 });
  });

  test("the last message, of which no later one tells", () => {
    assertFound((evidence) => messages(evidence, [updated(1), updated(2, 4)]), { published: 4, lost: 2 });
  });

  test("a fix that was told and is not in the trail", () => {
    assertFound((evidence) => {
      evidence.posted.push(fix(7));
      messages(evidence, [...evidence.heard, updated(7)]);
    }, { accepted: 7, published: 7, lost: 2 });
  });

  test("a fix in the trail alone", () => {
    assertFound((evidence) => {
      evidence.posted.push(fix(7, { told: [] }));
      evidence.trail.locations.push(kept(7));
      evidence.trail.published = { epoch: EPOCH, seq: 7 };
    }, { lost: 1 });
  });

  test("a message that came twice within the window, and one that came twice after it", () => {
    const again = (after: number) => (evidence: Evidence) => messages(evidence, [...evidence.heard, updated(5, 6, {}, AT + after)]);
    assertFound(again(WINDOW_MS - 1), { doubled: 2, sameId: 1 });
    assertFound(again(WINDOW_MS), { doubledLater: 2 });
  });

  test("seqs that two messages stand for in part", () => {
    assertFound((evidence) => messages(evidence, [updated(1), updated(2, 4), updated(4, 6)]), { doubled: 1 });
  });

  test("messages that overtook each other", () => {
    assertFound((evidence) => messages(evidence, [updated(1), updated(5, 6), updated(2, 4)]), { outOfOrder: 1, gaps: 3 });
  });

  test("an epoch that goes back", () => {
    assertFound((evidence) => {
      const epoch = EPOCH - 9;
      evidence.posted.push(fix(9, { told: [place(1, epoch)] }));
      messages(evidence, [...evidence.heard, updated(1, 1, { epoch, lat: lat(9) })]);
      evidence.trail.locations.unshift(kept(1, { epoch, lat: lat(9) }));
    }, { accepted: 7, published: 7, outOfOrder: 1 });
  });

  test("what Ably refused for good is set aside: neither lost nor a gap", () => {
    assertFound((evidence) => {
      messages(evidence, [updated(1), updated(5, 6)]);
      evidence.trail.setAside.push({ epoch: EPOCH, fromSeq: 2, seq: 4 });
    }, { published: 3, setAside: 3 });
  });

  test("a seq that the trail leaves out, and one that it has too late or twice", () => {
    assertFound((evidence) => {
      evidence.posted.push(fix(8));
      messages(evidence, [...evidence.heard, updated(8)]);
      evidence.trail.locations.push(kept(8));
      evidence.trail.published = { epoch: EPOCH, seq: 8 };
    }, { accepted: 7, published: 7, gaps: 2 });
    assertFound(({ trail }) => trail.locations.splice(2, 2, kept(4), kept(3)), { gaps: 1, outOfOrder: 1 });
    assertFound(({ trail }) => trail.locations.splice(2, 0, kept(2)), { renumbered: 2 });
  });

  test("a fix that was told two seqs, and a seq that was told for two fixes", () => {
    assertFound(({ posted }) => posted[1]!.told.push(place(3)), { renumbered: 2 });
    assertFound(({ posted }) => posted.push(fix(9, { told: [place(3)] })), { renumbered: 1 });
  });

  test("a retry that was not recognised", () => {
    assertFound((evidence) => {
      messages(evidence, [...evidence.heard, updated(7, 7, { lat: lat(3) })]);
      evidence.trail.locations.push(kept(7, { lat: lat(3) }));
      evidence.trail.published = { epoch: EPOCH, seq: 7 };
      // To the subscriber, to the trail, and once more than it may be kept.
    }, { published: 7, renumbered: 3 });
  });

  test("a fix without identity that is there more often than it was sent", () => {
    assertFound((evidence) => {
      evidence.posted[2] = fix(3, { recognisable: false });
      messages(evidence, [...evidence.heard, updated(7, 7, { lat: lat(3) })]);
      evidence.trail.locations.push(kept(7, { lat: lat(3) }));
      evidence.trail.published = { epoch: EPOCH, seq: 7 };
    }, { published: 7, renumbered: 1 });
  });

  test("a position that nobody posted: to the subscriber, as head and in a backfill, and in the trail", () => {
    assertFound((evidence) => messages(evidence, [updated(1, 1, { lat: 1 }), ...evidence.heard.slice(1)]), { altered: 1 });
    assertFound((evidence) => messages(evidence, [...evidence.heard.slice(0, 2), updated(5, 6, { backfill: [[5, AT, 1, 1]] })]), { altered: 1 });
    assertFound(({ trail }) => trail.locations.splice(0, 1, kept(1, { lat: 1 })), { altered: 1 });
  });

  test("two fixes that have changed places", () => {
    const swapped = { lat: lat(5), backfill: [[5, AT, lat(6), 13]] };
    assertFound((evidence) => messages(evidence, [...evidence.heard.slice(0, 2), updated(5, 6, swapped)]), { renumbered: 2 });
  });

  test("a message that does not tell what it stands for", () => {
    const without = (evidence: Evidence) => messages(evidence, [...evidence.heard.slice(0, 2), updated(5, 6, { backfill: [] })]);
    assertFound(without, { altered: 1, published: 5, lost: 1, gaps: 1 });
  });

  test("a trail that does not say that all is published", () => {
    assertFound(({ trail }) => (trail.published = { epoch: EPOCH, seq: 4 }), { unconfirmed: 1 });
    assertFound(({ trail }) => (trail.published = null), { unconfirmed: 1 });
  });

  test("Ably's record says otherwise than the subscriber", () => {
    assertFound((evidence) => evidence.history.pop(), { unheard: 1 });
    assertFound((evidence) => evidence.history.splice(1, 0, updated(1)), { sameId: 1, unheard: 1 });
  });
});

test("jobs are judged by themselves, and counted together", () => {
  const other = { ...sound(), job: "job-2", heard: [], history: [] };
  const { counts, findings } = judge([sound(), other]);
  assert.deepEqual([counts.accepted, counts.published, counts.lost], [12, 6, 6]);
  assert.ok(findings.every((finding) => finding.includes("job-2")));
});
