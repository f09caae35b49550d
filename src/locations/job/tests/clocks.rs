//! What the rules of clocks come to, whatever phones say: a right clock is never held back by a wrong one, and nothing that was
//! measured before what is shown moves the marker.

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use super::*;

const MINUTE: Millis = 60_000;
const YEAR: Millis = 365 * DAY;
const WEEKS_1024: Millis = 7_168 * DAY;
const FROM_2001: Millis = 978_307_200_000;

/// How a phone's clock is wrong, as long as the game lasts.
#[derive(Debug, Clone, Copy)]
enum Clock {
    /// By less than it matters.
    Right { skew: Millis },
    /// Behind, which it does not say.
    Behind { by: Millis },
    /// Ahead, which it does not say.
    Ahead { by: Millis },
    /// By any amount, which it says with every post.
    Says { wrong: Millis },
    /// It counts GPS weeks from 0 again.
    Rollover,
    /// It counts from 2001.
    From2001,
    /// It counts seconds from 2001.
    Seconds2001,
}

impl Clock {
    /// What it shows at a time.
    fn shows(self, at: Millis) -> Millis {
        match self {
            Self::Right { skew } => at + skew,
            Self::Behind { by } => at - by,
            Self::Ahead { by } => at + by,
            Self::Says { wrong } => at + wrong,
            Self::Rollover => at - WEEKS_1024,
            Self::From2001 => at - FROM_2001,
            Self::Seconds2001 => (at - FROM_2001).div_euclid(1_000),
        }
    }

    /// What it says of itself when it sends.
    fn sent_at(self, at: Millis) -> Option<Millis> {
        matches!(self, Self::Says { .. }).then(|| self.shows(at))
    }
}

fn clock() -> impl Strategy<Value = Clock> {
    prop_oneof![
        2 => (-5_000..=0_i64).prop_map(|skew| Clock::Right { skew }),
        1 => (0..20 * HOUR).prop_map(|by| Clock::Behind { by }),
        2 => prop_oneof![95_000..10 * MINUTE, 10 * MINUTE..8 * YEAR].prop_map(|by| Clock::Ahead { by }),
        2 => prop_oneof![-20 * HOUR..-MINUTE, MINUTE..20 * HOUR, MINUTE..40 * YEAR].prop_map(|wrong| Clock::Says { wrong }),
        1 => Just(Clock::Rollover),
        1 => Just(Clock::From2001),
        1 => Just(Clock::Seconds2001),
    ]
}

/// A post between those of the phone in question, by a clock that is ahead.
#[derive(Debug, Clone)]
struct Wrong {
    /// By the same driver, who has two phones, or whose phone is right again.
    own: bool,
    leads: Vec<Millis>,
}

fn wrong(own: bool) -> impl Strategy<Value = Option<Wrong>> {
    let lead = prop_oneof![30_001..2 * MINUTE, MINUTE..DAY, DAY..543 * YEAR];
    let post = (prop::collection::vec(lead, 1..4), prop::bool::weighted(0.5));
    prop::option::of(post.prop_map(move |(leads, same)| Wrong { own: own && same, leads }))
}

/// A job on the road: `d` is the driver whose phone it is about.
struct Road {
    job: Job<MemoryLog>,
    log: MemoryLog,
    now: Millis,
    lat: f64,
}

impl Road {
    fn new() -> Self {
        let log = MemoryLog::default();
        Self { job: wake(log.clone()), log, now: NOW, lat: 0.0 }
    }

    /// A place where nobody has been: no fix of a game is another's duplicate.
    fn fix(&mut self, captured_at: Millis) -> Value {
        self.lat += 1e-5;
        json!({"lat": self.lat, "lng": 16.37, "capturedAt": captured_at})
    }

    fn post(&mut self, driver: &str, fixes: &[Value], sent_at: Option<Millis>) -> Vec<String> {
        let body = json!({"locations": fixes, "sentAt": sent_at});
        let answer = post_as(&mut self.job, driver, None, &body, self.now);
        let status = |result: &Value| result["status"].as_str().unwrap().to_owned();
        answer["results"].as_array().unwrap().iter().map(status).collect()
    }

    fn between(&mut self, wrong: Option<Wrong>) {
        let Some(Wrong { own, leads }) = wrong else { return };
        let fixes: Vec<Value> = leads.iter().map(|lead| self.fix(self.now + lead)).collect();
        self.post(if own { "d" } else { "other" }, &fixes, None);
    }

    fn sleep(&mut self) {
        self.job = wake(self.log.clone());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("CLOCK_GAMES").ok().and_then(|games| games.parse().ok()).unwrap_or(1_000),
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    /// Posted in order and within a minute, also in batches, also by a driver one of whose clocks is ahead.
    #[test]
    fn a_right_clock_is_live_whatever_clocks_ahead_come_between(
        skew in -5_000..=5_000_i64,
        says in any::<bool>(),
        posts in prop::collection::vec(
            (wrong(true), 0..20_000_i64, 0..25_000_i64, 1..5_usize, any::<bool>()), 1..40,
        ),
    ) {
        let mut road = Road::new();
        let mut measured = road.now;
        for (wrong, pause, under_way, fixes, sleeps) in posts {
            road.now = road.now.max(measured) + pause;
            road.between(wrong);
            if sleeps { road.sleep() }
            // The phone has measured since its last post, if not for a minute, and its post takes a while to arrive.
            let sent = road.now - under_way;
            let since = (measured + 1).max(road.now - MINUTE + 5_000);
            let times: Vec<Millis> = (0..fixes as Millis).map(|n| since + n).filter(|at| *at <= sent.max(since)).collect();
            measured = *times.last().unwrap();
            road.now = road.now.max(measured);
            let fixes: Vec<Value> = times.iter().map(|at| road.fix(at + skew)).collect();
            let statuses = road.post("d", &fixes, says.then_some(sent + skew));
            prop_assert!(statuses.iter().all(|status| status == "accepted"), "{statuses:?}");
        }
    }

    /// By a clock that is right, or wrong in one way: it was live, something that it measured before comes after it.
    #[test]
    fn what_was_delayed_or_is_sent_again_never_becomes_live(
        clock in clock(),
        drives in prop::collection::vec((1_000..30_000_i64, 1..4_usize), 1..6),
        held in prop::collection::vec((1..4_usize, 0..3_000_i64, 0..20_000_i64, any::<bool>()), 1..12),
        between in prop::collection::vec(wrong(false), 12),
    ) {
        let mut road = Road::new();
        let mut delayed: Vec<Millis> = Vec::new();
        let mut posted: Vec<(Vec<Value>, Option<Millis>)> = Vec::new();
        // On the way, of each few fixes one goes astray.
        for (pause, astray) in drives {
            for _ in 0..astray {
                road.now += pause;
                delayed.push(road.now);
            }
            road.now += pause;
            let fixes = vec![road.fix(clock.shows(road.now))];
            road.now += 200;
            let sent_at = clock.sent_at(road.now);
            prop_assert_eq!(road.post("d", &fixes, sent_at), ["accepted"]);
            posted.push((fixes, sent_at));
        }
        for ((count, pause, under_way, sleeps), wrong) in held.into_iter().zip(between) {
            road.now += pause;
            road.between(wrong);
            if sleeps { road.sleep() }
            let again = posted.get(count % posted.len()).cloned().unwrap();
            let sent_at = clock.sent_at(road.now);
            prop_assert_eq!(road.post("d", &again.0, sent_at), ["duplicate"]);
            // A clock that is ahead and does not say so is known by its lead for a minute; and again when a fix has taken so long that
            // it comes to lie more than a minute back.
            let now = road.now;
            let known = |at: &Millis| match clock {
                Clock::Ahead { by } => *at > now - MINUTE + 21_000 || at + by < now - MINUTE,
                _ => true,
            };
            let times: Vec<Millis> = (0..count).filter_map(|_| delayed.pop()).filter(known).collect();
            let fixes: Vec<Value> = times.iter().map(|at| road.fix(clock.shows(*at))).collect();
            if fixes.is_empty() { continue }
            road.now += under_way;
            let statuses = road.post("d", &fixes, sent_at);
            prop_assert!(statuses.iter().all(|status| status == "late"), "{statuses:?}");
        }
    }

    /// Whatever phones say and however often the object sleeps: no time is published that is after the acceptance, a time that is
    /// not the phone's own is marked, and what was sent is what a retry is known by.
    #[test]
    fn no_time_is_shown_from_after_its_acceptance(
        posts in prop::collection::vec((clock(), 0..3 * HOUR, 0..MINUTE, any::<bool>()), 1..20),
    ) {
        let mut road = Road::new();
        for (clock, age, pause, sleeps) in posts {
            road.now += pause;
            if sleeps { road.sleep() }
            let fix = road.fix(clock.shows(road.now - age));
            let sent_at = clock.sent_at(road.now);
            let answer = post(&mut road.job, json!({"locations": [fix], "sentAt": sent_at}), road.now);
            let retry = post(&mut road.job, json!({"locations": [fix]}), road.now);
            prop_assert_eq!(&retry["results"][0]["status"], "duplicate");
            let shown = state(&mut road.job);
            let (captured_at, ts) = (shown["capturedAt"].as_i64(), shown["ts"].as_i64());
            prop_assert!(captured_at <= ts);
            if answer["results"][0]["status"] == "accepted" {
                let said = fix["capturedAt"].as_i64().unwrap();
                let marked = shown.get("clock").is_some();
                prop_assert_eq!(&shown["clock"], &answer["results"][0]["clock"]);
                prop_assert_eq!(marked, said > road.now + 30_000 || shown["capturedAt"] != json!(said.min(road.now)));
            }
        }
    }
}
