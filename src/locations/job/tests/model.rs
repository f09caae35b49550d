//! The sequencer against the plainest thing that could be meant by its rules, over both logs, with sleep at any point.

use std::collections::BTreeMap;

use ably::rest::{ErrorClass, PublishError};
use proptest::prelude::*;

use super::*;

/// A fix as a phone may send it, with small numbers, so that much of it collides.
#[derive(Debug, Clone)]
enum Sent {
    Fix { id: Option<u8>, captured_at: Option<Millis>, lat: u8 },
    Nonsense,
}

#[derive(Debug, Clone)]
enum Act {
    Post {
        driver: u8,
        fixes: Vec<Sent>,
        /// The phone's clock at sending, less ours.
        sent_at: Option<Millis>,
        after: Millis,
    },
    /// Posts again what was posted at this index.
    Retry {
        post: usize,
        after: Millis,
    },
    Sleep,
    /// One step of the outbox, and how the publish goes.
    Publish {
        failure: Option<ErrorClass>,
        after: Millis,
    },
}

fn sent() -> impl Strategy<Value = Sent> {
    let id = prop::option::weighted(0.3, 0..12_u8);
    let captured_at = prop::option::weighted(
        0.8,
        prop_oneof![
            6 => -5_000..5_000_i64,
            2 => (-30..30_i64).prop_map(|n| n * 100),
            2 => -130_000..130_000_i64,
            1 => (-60..60_i64).prop_map(|minutes| minutes * 60_000),
            1 => (1..9_i64).prop_map(|years| years * 365 * DAY),
            1 => (-5_000..5_000_i64).prop_map(|by| by - 7_168 * DAY),
            1 => (-5_000..5_000_i64).prop_map(|by| by - FROM_2001),
            1 => Just(-DAY - 10_000),
        ],
    );
    let fix =
        (id, captured_at, 0..3_u8).prop_map(|(id, captured_at, lat)| Sent::Fix { id, captured_at, lat });
    prop_oneof![12 => fix, 1 => Just(Sent::Nonsense)]
}

fn act() -> impl Strategy<Value = Act> {
    let after = prop_oneof![12 => 0..2_000_i64, 4 => 0..100_000_i64, 1 => -100_000..0_i64, 1 => Just(-HOUR)];
    let failure = prop_oneof![
        6 => Just(None),
        2 => Just(Some(ErrorClass::Transient { retry_after: None })),
        1 => Just(Some(ErrorClass::BlamesAccess)),
    ];
    let clock = prop_oneof![-40_000..40_000_i64, Just(-3_000), Just(-HOUR), -HOUR - 40_000..-HOUR];
    let sent_at = prop::option::weighted(0.3, clock);
    prop_oneof![
        6 => (0..2_u8, prop::collection::vec(sent(), 1..8), sent_at, after.clone())
            .prop_map(|(driver, fixes, sent_at, after)| Act::Post { driver, fixes, sent_at, after }),
        2 => (any::<prop::sample::Index>(), after.clone())
            .prop_map(|(post, after)| Act::Retry { post: post.index(64), after }),
        1 => Just(Act::Sleep),
        5 => (failure, after).prop_map(|(failure, after)| Act::Publish { failure, after }),
    ]
}

/// From 1970 to 2001.
const FROM_2001: Millis = 978_307_200_000;

/// An accepted fix.
#[derive(Debug, Clone)]
struct Kept {
    driver: u8,
    id: Option<u8>,
    captured_at: Option<Millis>,
    lat: u8,
    ts: Millis,
    time: Time,
    live: bool,
}

/// When a fix was measured.
#[derive(Debug, Clone, Copy)]
struct Time {
    /// Our clock when it was accepted.
    at: Millis,
    /// Ours less the phone's.
    offset: Option<Millis>,
    /// As the phone should have said.
    meant: Millis,
    effective: Millis,
    clock: Option<&'static str>,
    /// Whether it was mended by the offset.
    by_offset: bool,
}

impl Time {
    fn lead(&self) -> Millis {
        self.meant - self.at
    }

    fn ahead(&self) -> bool {
        self.clock == Some("ahead")
    }
}

/// What the times of a post mean.
fn times(post: &Posted, now: Millis) -> Vec<Option<Time>> {
    let offset = post.sent_at.map(|sent_at| now - sent_at);
    let meant = |said: Millis| {
        let by_offset = offset.filter(|offset| !(-30_000..=30_000).contains(offset));
        let shifted = said + by_offset.unwrap_or(0);
        let plausible = |time: Millis| time >= now - DAY && time <= now + 30_000;
        let mut readings = vec![(shifted, by_offset.is_some(), by_offset.is_some())];
        if shifted > now + 30_000 && plausible(said) {
            return (said, false, false);
        }
        if shifted < now - DAY {
            for read in [said + 7_168 * DAY, said + FROM_2001, said * 1_000 + FROM_2001] {
                if plausible(read) {
                    readings.push((read, true, false));
                }
            }
        }
        *readings.get(1).unwrap_or(&readings[0])
    };
    let said = |sent: &Sent| match sent {
        Sent::Fix { captured_at, .. } => *captured_at,
        Sent::Nonsense => None,
    };
    let mut ahead: Vec<Millis> = post.fixes.iter().filter_map(said).map(|said| meant(said).0).collect();
    ahead.retain(|time| *time > now + 30_000);
    ahead.sort();
    // From one to the next of a backlog it is a day at most.
    let newest = |of: Millis| {
        let mut newest = of;
        while let Some(next) = ahead.iter().find(|time| **time > newest && **time - newest <= DAY) {
            newest = *next;
        }
        newest
    };
    let time = |sent: &Sent| {
        let (meant, repaired, by_offset) = said(sent).map_or((now, false, false), meant);
        let ahead = meant > now + 30_000;
        let effective = if ahead { now - (newest(meant) - meant) } else { meant.min(now) };
        let clock = if ahead { Some("ahead") } else { repaired.then_some("repaired") };
        (effective >= now - DAY).then_some(Time { at: now, offset, meant, effective, clock, by_offset })
    };
    post.fixes.iter().map(time).collect()
}

/// A post as it was sent.
#[derive(Debug, Clone)]
struct Posted {
    driver: u8,
    fixes: Vec<Sent>,
    sent_at: Option<Millis>,
}

/// All accepted fixes, that of seq 1 first.
#[derive(Debug, Default)]
struct Model {
    kept: Vec<Kept>,
}

impl Model {
    fn same_key(kept: &Kept, driver: u8, id: Option<u8>, captured_at: Option<Millis>, lat: u8) -> bool {
        kept.driver == driver
            && match (kept.id, id) {
                (Some(a), Some(b)) => a == b,
                (None, None) => captured_at.is_some() && (kept.captured_at, kept.lat) == (captured_at, lat),
                _ => false,
            }
    }

    fn post(&mut self, post: &Posted, now: Millis) -> Vec<String> {
        let Posted { driver, ref fixes, .. } = *post;
        let ts = self.kept.last().map_or(now, |last| last.ts.max(now));
        let times = times(post, if ts - now <= 30_000 { ts } else { now });
        let mut results = vec![String::new(); fixes.len()];
        let mut new: Vec<(Millis, Millis, usize)> = Vec::new();
        let mut twins: Vec<(usize, usize)> = Vec::new();
        for (index, sent) in fixes.iter().enumerate() {
            let Sent::Fix { id, captured_at, lat } = *sent else {
                results[index] = format!("rejected:required:lat:{index}");
                continue;
            };
            if let Some(seq) =
                self.kept.iter().position(|kept| Self::same_key(kept, driver, id, captured_at, lat))
            {
                let same = (self.kept[seq].captured_at, self.kept[seq].lat) == (captured_at, lat);
                results[index] = if same {
                    format!("{}:duplicate", seq + 1)
                } else {
                    format!("rejected:id_reused:id:{index}")
                };
                continue;
            }
            let twin = new.iter().map(|(.., first)| *first).find(|first| {
                let Sent::Fix { id: i, captured_at: c, lat: l } = fixes[*first] else { return false };
                let time = times[*first].unwrap();
                let first = Kept { driver, id: i, captured_at: c, lat: l, ts, time, live: false };
                Self::same_key(&first, driver, id, captured_at, lat)
            });
            if let Some(first) = twin {
                let Sent::Fix { captured_at: c, lat: l, .. } = fixes[first] else {
                    panic!("nonsense was accepted")
                };
                if (c, l) == (captured_at, lat) {
                    twins.push((index, first));
                } else {
                    results[index] = format!("rejected:id_reused:id:{index}");
                }
                continue;
            }
            match times[index] {
                Some(time) => new.push((time.effective, time.meant, index)),
                None => results[index] = format!("rejected:too_old:capturedAt:{index}"),
            }
        }
        new.sort();
        for (.., index) in new {
            let Sent::Fix { id, captured_at, lat } = fixes[index] else { panic!("nonsense was accepted") };
            let time = times[index].unwrap();
            let live = !self.late(driver, captured_at, &time);
            self.kept.push(Kept { driver, id, captured_at, lat, ts, time, live });
            let status = if live { "accepted" } else { "late" };
            results[index] = format!("{}:{status}", self.kept.len());
            for (twin, _) in twins.iter().filter(|(_, first)| *first == index) {
                results[*twin] = format!("{}:duplicate", self.kept.len());
            }
        }
        results
    }

    fn late(&self, driver: u8, said: Option<Millis>, this: &Time) -> bool {
        let mut live = self.kept.iter().enumerate().rev().filter(|(_, kept)| kept.live);
        let any = live.clone().next().map(|(_, kept)| kept);
        let slow = this.at - this.effective > 60_000;
        if this.ahead() {
            if slow
                && any.is_some_and(|last| {
                    last.time.effective <= this.at + 30_000 && this.effective < last.time.effective
                })
            {
                return true;
            }
            let Some((at, last)) = live.find(|(_, kept)| kept.driver == driver && kept.time.ahead()) else {
                return false;
            };
            // It is forgotten as soon as anything is accepted at a time of ours when it could hold nothing back.
            let holds = |at: Millis| (last.time.at - 30_000..=last.time.at + 60_000).contains(&at);
            return self.kept[at..].iter().all(|kept| holds(kept.time.at))
                && holds(this.at)
                && (this.lead() - last.time.lead()).abs() <= 60_000
                && this.meant < last.time.meant;
        }
        let mut live = live.map(|(_, kept)| kept);
        let after = |last: &Kept| {
            if last.time.effective > this.at + 30_000 {
                return false;
            }
            let by_one_phone = last.driver == driver;
            let plain = |said: Option<Millis>, time: &Time| {
                said.is_some() && (time.by_offset || time.clock != Some("repaired"))
            };
            if let (Some(a), Some(b), true) = (this.offset, last.time.offset, by_one_phone)
                && (a - b).abs() <= 30_000
                && plain(said, this)
                && plain(last.captured_at, &last.time)
            {
                return said < last.captured_at;
            }
            if by_one_phone && this.lead() > 0 && last.time.lead() > 0 {
                return this.meant < last.time.meant;
            }
            this.effective < last.time.effective
        };
        let right = live.find(|kept| !kept.time.ahead());
        right.is_some_and(after) || (slow && any.is_some_and(after))
    }

    fn live(&self) -> Option<(usize, &Kept)> {
        self.kept.iter().enumerate().rev().find(|(_, kept)| kept.live).map(|(index, kept)| (index + 1, kept))
    }
}

fn body(post: &Posted) -> Value {
    let fix = |sent: &Sent| match sent {
        Sent::Nonsense => json!({"latitude": 1}),
        Sent::Fix { id, captured_at, lat } => json!({
            "lat": f64::from(*lat) / 3.0, "lng": 0.1, "capturedAt": captured_at, "id": id.map(|id| format!("id-{id}")),
        }),
    };
    json!({"locations": post.fixes.iter().map(fix).collect::<Vec<_>>(), "sentAt": post.sent_at})
}

/// A phone's clock follows the time: what it sends is relative to the moment of the post.
fn at(fixes: &[Sent], now: Millis) -> Vec<Sent> {
    let at = |sent: &Sent| match sent.clone() {
        Sent::Fix { id, captured_at, lat } => {
            Sent::Fix { id, captured_at: captured_at.map(|at| now + at), lat }
        }
        Sent::Nonsense => Sent::Nonsense,
    };
    fixes.iter().map(at).collect()
}

/// A job, and what its subscribers have seen.
struct Rig<L> {
    job: Job<L>,
    sleep: Box<dyn Fn() -> L>,
    /// The bytes of each message id, which may not change.
    bytes: BTreeMap<String, String>,
    /// Every message that reached Ably for the first time, in order.
    seen: Vec<Value>,
}

impl<L: Log> Rig<L> {
    fn new(open: impl Fn() -> L + 'static) -> Self {
        Self { job: wake(open()), sleep: Box::new(open), bytes: BTreeMap::new(), seen: Vec::new() }
    }

    fn sleep(&mut self) {
        self.job = wake((self.sleep)());
    }

    fn publish(&mut self, failure: Option<ErrorClass>, now: Millis) -> Need {
        let need = self.job.next(now).unwrap();
        if let Need::Publish(Publication { ticket, body, .. }) = &need {
            let message: PublishedMessage = serde_json::from_str(body.as_str()).unwrap();
            let earlier = self.bytes.insert(message.id.clone(), message.data.clone());
            assert!(earlier.as_ref().is_none_or(|earlier| *earlier == message.data), "{}", message.id);
            // A publish that fails may have arrived all the same.
            if earlier.is_none() {
                self.seen.push(serde_json::from_str(&message.data).unwrap());
            }
            match failure {
                None => self.job.published(now).unwrap(),
                Some(class) => {
                    self.job
                        .failed(*ticket, (&PublishError::new(class, None, None, "")).into(), now, 0.5)
                        .unwrap();
                }
            }
        }
        need
    }

    /// What subscribers have seen of each seq, which must have come gapless and in order.
    fn trail(&self) -> Vec<(u64, f64, bool)> {
        let mut trail = Vec::new();
        for event in &self.seen {
            let (from, seq) = (event["fromSeq"].as_u64().unwrap(), event["seq"].as_u64().unwrap());
            assert_eq!(from, trail.len() as u64 + 1);
            let mut fixes: Vec<(u64, f64, bool)> = event["backfill"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|tuple| (tuple[0].as_u64().unwrap(), tuple[2].as_f64().unwrap(), false))
                .collect();
            if let Some(lat) = event["lat"].as_f64() {
                fixes.push((event["headSeq"].as_u64().unwrap_or(seq), lat, true));
            }
            fixes.sort_by_key(|(seq, ..)| *seq);
            assert_eq!(fixes.len() as u64, seq + 1 - from);
            trail.extend(fixes);
        }
        trail
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_job_does_what_its_rules_mean(acts in prop::collection::vec(act(), 1..40)) {
        let mut model = Model::default();
        let memory = MemoryLog::default();
        let sqlite = Sqlite::new();
        let (kept, written) = (memory.clone(), sqlite.clone());
        let mut awake = Rig::new(move || memory.clone());
        let mut sleepy = Rig::new(move || SqlLog::new(sqlite.clone()));
        let mut posted: Vec<Posted> = Vec::new();
        let mut now = NOW;

        for act in acts {
            match act {
                Act::Post { driver, fixes, sent_at, after } => {
                    now += after;
                    let post = Posted { driver, fixes: at(&fixes, now), sent_at: sent_at.map(|sent_at| now + sent_at) };
                    let expected = model.post(&post, now);
                    let name = format!("driver-{driver}");
                    let answer = post_as(&mut awake.job, &name, None, &body(&post), now);
                    prop_assert_eq!(brief(&answer), expected);
                    sleepy.sleep();
                    prop_assert_eq!(post_as(&mut sleepy.job, &name, None, &body(&post), now), answer);
                    posted.push(post);
                }
                Act::Retry { post, after } => {
                    now += after;
                    if let Some(post) = posted.get(post % posted.len().max(1)) {
                        let expected = model.post(post, now);
                        let writes = (kept.all().len(), written.rows_written());
                        let name = format!("driver-{}", post.driver);
                        let answer = post_as(&mut awake.job, &name, None, &body(post), now);
                        prop_assert_eq!(brief(&answer), expected.clone());
                        prop_assert_eq!(post_as(&mut sleepy.job, &name, None, &body(post), now), answer);
                        if !expected.iter().any(|result| result.contains("accepted") || result.contains("late")) {
                            prop_assert_eq!((kept.all().len(), written.rows_written()), writes);
                        }
                    }
                }
                Act::Sleep => sleepy.sleep(),
                Act::Publish { failure, after } => {
                    now += after;
                    awake.publish(failure, now);
                    sleepy.publish(failure, now);
                }
            }

            let shown = state(&mut awake.job);
            prop_assert_eq!(state(&mut sleepy.job), shown.clone());
            if let Some((seq, fix)) = model.live() {
                prop_assert_eq!(&shown["seq"], &json!(seq));
                prop_assert_eq!(&shown["ts"], &json!(fix.ts));
                prop_assert_eq!(&shown["capturedAt"], &json!(fix.time.effective));
                prop_assert_eq!(shown.get("clock").and_then(Value::as_str), fix.time.clock);
            }
        }

        // Both logs hold the same rows, the model's fixes, gapless.
        let rows = kept.all();
        let stored = SqlLog::new(written).rows_after(0, 1_000).unwrap_or_default();
        prop_assert_eq!(&stored, &rows);
        let seqs: Vec<u64> = rows.iter().flat_map(Row::fixes).map(|kept| kept.seq).collect();
        prop_assert_eq!(seqs, (1..=model.kept.len() as u64).collect::<Vec<_>>());

        // Once Ably takes everything, subscribers have seen every seq in order, however often the object slept.
        for rig_done in [
            { while awake.job.outbox.waiting() > 0 { awake.publish(None, now); now += 60_000; } awake.trail() },
            { while sleepy.job.outbox.waiting() > 0 { sleepy.publish(None, now); now += 60_000; } sleepy.trail() },
        ] {
            let lats: Vec<f64> = rig_done.iter().map(|(_, lat, _)| *lat).collect();
            let expected: Vec<f64> = model.kept.iter().map(|kept| f64::from(kept.lat) / 3.0).collect();
            prop_assert_eq!(lats, expected);
            for (seq, _, head) in rig_done {
                prop_assert!(!head || model.kept[seq as usize - 1].live);
            }
        }
    }
}
