//! How an object sees to it that what it reports is heard: each report is written down first, and again and again handed to the desk
//! until that has it.

use super::{Kind, Report};
use crate::objects::Millis;
use crate::objects::backoff::ACCESS;

/// So often an object reports of a kind at most: once in so many milliseconds.
const APART: Millis = 60_000;

/// What an object has to report, and has not been heard yet.
#[derive(Debug, Default)]
pub struct Queue {
    /// At most one of a kind.
    waiting: Vec<Queued>,
    in_flight: Option<Queued>,
    /// When each kind was heard last. What an object forgets of it when it sleeps, the desk knows.
    heard: Vec<(Kind, Millis)>,
    last_id: u64,
    failures: u32,
    not_before: Millis,
}

/// A report that has not been heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// By which it is known: no two that wait have the same.
    pub id: u64,
    /// What is reported.
    pub report: Report,
    /// No sooner than this, Unix milliseconds.
    pub due: Millis,
}

impl Queue {
    /// Goes on with what was written down.
    pub fn resume(waiting: Vec<Queued>) -> Self {
        let last_id = waiting.iter().map(|queued| queued.id).max().unwrap_or_default();
        Self { waiting, last_id, ..Self::default() }
    }

    /// Adds a report, and gives it back where it is to be written down: not where one of its kind waits already.
    pub fn push(&mut self, report: Report, now: Millis) -> Option<Queued> {
        let is_same = |queued: &Queued| queued.report.kind == report.kind;
        if self.waiting.iter().any(is_same) {
            return None;
        }
        let heard = match &self.in_flight {
            Some(queued) if is_same(queued) => Some(now),
            // One that our clock has not reached, since it has gone back, holds up nothing.
            _ => self.heard.iter().find(|(kind, at)| *kind == report.kind && *at <= now).map(|(_, at)| *at),
        };
        let due = heard.map_or(now, |heard| now.max(heard + APART));
        self.last_id += 1;
        let queued = Queued { id: self.last_id, report, due };
        self.waiting.push(queued.clone());
        Some(queued)
    }

    /// The report that is to be handed over now: then [`heard`](Self::heard) or [`failed`](Self::failed) is to be called.
    pub fn next(&mut self, now: Millis) -> Option<Report> {
        if self.in_flight.is_some() || now < self.not_before {
            return None;
        }
        let index = self.waiting.iter().position(|queued| queued.due <= now)?;
        let queued = self.waiting.remove(index);
        let report = queued.report.clone();
        self.in_flight = Some(queued);
        Some(report)
    }

    /// Notes that what was handed over is heard. Gives its id: nothing needs to be kept of it.
    pub fn heard(&mut self, now: Millis) -> Option<u64> {
        let Queued { id, report, .. } = self.in_flight.take()?;
        (self.failures, self.not_before) = (0, 0);
        self.heard.retain(|(kind, _)| *kind != report.kind);
        self.heard.push((report.kind, now));
        Some(id)
    }

    /// Notes that nobody has heard it: it is handed over again, later. `jitter` is random, from 0 to 1. Says whether it went well before.
    pub fn failed(&mut self, now: Millis, jitter: f64) -> bool {
        let is_new = self.failures == 0;
        self.not_before = now + ACCESS.delay(self.failures, jitter);
        self.failures = self.failures.saturating_add(1);
        self.waiting.extend(self.in_flight.take());
        is_new
    }

    /// When one of them is to be looked after, if nothing happens before; a time that is past means at once.
    pub fn due(&self) -> Option<Millis> {
        let waiting = self.waiting.iter().map(|queued| queued.due).min();
        waiting
            .into_iter()
            .chain(self.in_flight.as_ref().map(|queued| queued.due))
            .min()
            .map(|due| due.max(self.not_before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::JobId;

    fn report(kind: Kind, at: Millis) -> Report {
        let job_id = JobId::parse("j".to_owned()).unwrap();
        Report { kind, job_id, r#ref: "r".to_owned(), at, since: None, cause: None }
    }

    #[test]
    fn a_kind_is_reported_at_once_and_then_once_a_minute() {
        let mut queue = Queue::default();
        assert_eq!(queue.push(report(Kind::HELD, 5), 5).unwrap().due, 5);
        assert_eq!(queue.push(report(Kind::HELD, 6), 6), None, "one waits");
        assert_eq!(queue.push(report(Kind::SET_ASIDE, 7), 7).unwrap().due, 7, "another kind");
        assert_eq!(queue.next(8).unwrap().at, 5);
        assert_eq!(queue.next(8), None, "one in flight");
        assert_eq!(queue.push(report(Kind::HELD, 9), 9).unwrap().due, 60_009, "one is in flight");
        assert_eq!(queue.heard(10), Some(1));
        assert_eq!((queue.due(), queue.next(10).unwrap().kind), (Some(7), Kind::SET_ASIDE));
        assert_eq!(queue.heard(11), Some(2));
        assert_eq!((queue.next(60_008), queue.due()), (None, Some(60_009)));
        assert_eq!(queue.next(60_009).unwrap().at, 9);
        assert_eq!((queue.heard(60_009), queue.due(), queue.heard(60_009)), (Some(3), None, None));
        assert_eq!(queue.push(report(Kind::HELD, 100_000), 100_000).unwrap().due, 120_009);
        // Our clock has gone back.
        assert_eq!(Queue { waiting: vec![], ..queue }.push(report(Kind::HELD, 4), 4).unwrap().due, 4);
    }

    #[test]
    fn what_nobody_has_heard_is_handed_over_again_and_less_and_less_often() {
        let mut queue = Queue::default();
        queue.push(report(Kind::HELD, 5), 5);
        assert!(queue.next(5).is_some());
        assert_eq!(queue.due(), Some(5), "the object may die before it is heard");
        assert!(queue.failed(5, 0.0));
        assert_eq!((queue.due(), queue.next(1_004)), (Some(1_005), None));
        assert!(queue.next(1_005).is_some());
        assert!(!queue.failed(1_005, 0.0));
        assert_eq!(queue.due(), Some(3_005));
        assert!(queue.next(3_005).is_some());
        assert_eq!(queue.heard(3_005), Some(1));
        queue.push(report(Kind::RESUMED, 3_006), 3_006);
        assert_eq!(queue.due(), Some(3_006), "it goes well again");
    }

    #[test]
    fn what_was_written_down_is_handed_over_after_a_sleep_and_no_id_is_used_twice() {
        let mut queue = Queue::default();
        let kept: Vec<Queued> = [Kind::HELD, Kind::SET_ASIDE]
            .into_iter()
            .filter_map(|kind| queue.push(report(kind, 5), 5))
            .collect();
        let mut queue = Queue::resume(kept);
        assert_eq!(queue.push(report(Kind::RESUMED, 9), 9).unwrap().id, 3);
        let mut ids = Vec::new();
        while queue.next(9).is_some() {
            ids.extend(queue.heard(9));
        }
        assert_eq!(ids, [1, 2, 3]);
    }
}
