//! How an object sees to it that what it reports is heard: each report is written down first, and handed to the desk again and again
//! until that has it.

use super::{Kind, Report};
use crate::objects::Millis;
use crate::objects::backoff::{ACCESS, LONGEST, goes_on};

/// So often an object reports of a kind at most: once in so many milliseconds.
const APART: Millis = 60_000;

/// What an object has to report, and has not been heard yet, in the order in which it happened.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Vec<Waiting>,
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

#[derive(Debug)]
struct Waiting {
    queued: Queued,
    /// It was handed over, and perhaps heard: then it stays what it is. Of others there is at most one of a kind.
    is_tried: bool,
}

impl Queue {
    /// Goes on with what was written down. Each of them may have been heard.
    pub fn resume(queued: Vec<Queued>) -> Self {
        let last_id = queued.iter().map(|queued| queued.id).max().unwrap_or_default();
        let waiting = queued.into_iter().map(|queued| Waiting { queued, is_tried: true }).collect();
        Self { waiting, last_id, ..Self::default() }
    }

    /// Adds a report, and gives what is to be written down: where one of its kind waits that was not handed over yet, both as one.
    pub fn push(&mut self, report: Report, now: Millis) -> Queued {
        let is_same = |queued: &Queued| queued.report.kind == report.kind;
        let mut waiting = self.waiting.iter_mut();
        if let Some(same) = waiting.find(|waiting| !waiting.is_tried && is_same(&waiting.queued)) {
            let times = same.queued.report.times + report.times;
            same.queued.report = Report { times, ..report };
            return same.queued.clone();
        }
        let all = self.waiting.iter().map(|waiting| &waiting.queued).chain(&self.in_flight);
        let heard = match all.filter(|queued| is_same(queued)).count() {
            0 => self.heard.iter().find(|(kind, _)| *kind == report.kind).map(|(_, at)| *at),
            _ => Some(now),
        };
        // One that our clock is far from, since it has gone back, holds up nothing.
        let due = heard.map(|heard| heard + APART).filter(|due| (now..=now + 2 * APART).contains(due));
        self.last_id += 1;
        let queued = Queued { id: self.last_id, report, due: due.unwrap_or(now) };
        self.waiting.push(Waiting { queued: queued.clone(), is_tried: false });
        queued
    }

    /// The report that is to be handed over now: then [`heard`](Self::heard) or [`failed`](Self::failed) is to be called.
    pub fn next(&mut self, now: Millis) -> Option<Report> {
        if self.in_flight.is_some() || goes_on(self.not_before, now) {
            return None;
        }
        let index = self.waiting.iter().position(|waiting| is_due(waiting.queued.due, now))?;
        let Waiting { queued, .. } = self.waiting.remove(index);
        let report = queued.report.clone();
        self.in_flight = Some(queued);
        Some(report)
    }

    /// The id of what was handed over.
    pub fn in_flight(&self) -> Option<u64> {
        self.in_flight.as_ref().map(|queued| queued.id)
    }

    /// Notes that what was handed over is heard, and that nothing is kept of it any more.
    pub fn heard(&mut self, now: Millis) {
        let Some(Queued { report, .. }) = self.in_flight.take() else { return };
        (self.failures, self.not_before) = (0, 0);
        self.heard.retain(|(kind, _)| *kind != report.kind);
        self.heard.push((report.kind, now));
    }

    /// Notes that nobody may have heard it: it is handed over again, later, and before all that has happened since. `jitter` is random,
    /// from 0 to 1. Says whether it went well before.
    pub fn failed(&mut self, now: Millis, jitter: f64) -> bool {
        let is_new = self.failures == 0;
        self.not_before = now + ACCESS.delay(self.failures, jitter);
        self.failures = self.failures.saturating_add(1);
        let again = self.in_flight.take().map(|queued| Waiting { queued, is_tried: true });
        self.waiting.splice(0..0, again);
        is_new
    }

    /// Whether all of them were heard.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.is_none()
    }

    /// When one of them is to be looked after, if nothing happens before; a time that is past means at once.
    pub fn due(&self, now: Millis) -> Option<Millis> {
        let waiting = self.waiting.iter().map(|waiting| &waiting.queued).chain(&self.in_flight);
        let due = waiting.map(|queued| if is_due(queued.due, now) { now } else { queued.due }).min()?;
        Some(if self.not_before > now + LONGEST { due } else { due.max(self.not_before) })
    }
}

/// Whether it is time. One that is further away than it ever was, since our clock has gone back, is due.
fn is_due(due: Millis, now: Millis) -> bool {
    due <= now || due > now + 2 * APART
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::JobId;

    fn report(kind: Kind, at: Millis) -> Report {
        let job_id = JobId::parse("j".to_owned()).ok();
        Report { kind, job_id, r#ref: "r".to_owned(), at, since: None, cause: None, times: 1 }
    }

    /// Hands over what is due, which is heard.
    fn hear(queue: &mut Queue, now: Millis) -> Option<Report> {
        let report = queue.next(now);
        queue.heard(now);
        report
    }

    #[test]
    fn a_kind_is_reported_at_once_and_then_once_a_minute() {
        let mut queue = Queue::default();
        assert_eq!(queue.push(report(Kind::HELD, 5), 5).due, 5);
        assert_eq!(queue.push(report(Kind::SET_ASIDE, 7), 7).due, 7, "another kind");
        assert_eq!(queue.next(8).unwrap().at, 5);
        assert_eq!((queue.next(8), queue.in_flight()), (None, Some(1)), "one in flight");
        assert_eq!(queue.push(report(Kind::HELD, 9), 9).due, 60_009, "one is in flight");
        queue.heard(10);
        assert_eq!(queue.due(10), Some(10));
        assert_eq!(hear(&mut queue, 10).unwrap().kind, Kind::SET_ASIDE);
        assert_eq!((queue.next(60_008), queue.due(60_008)), (None, Some(60_009)));
        assert_eq!(hear(&mut queue, 60_009).unwrap().at, 9);
        assert_eq!((queue.due(60_009), queue.next(60_009)), (None, None));
        assert_eq!(queue.push(report(Kind::HELD, 100_000), 100_000).due, 120_009);
    }

    #[test]
    fn what_happens_again_before_it_was_handed_over_is_one_report_of_the_last_time() {
        let mut queue = Queue::default();
        queue.push(report(Kind::HELD, 5), 5);
        let merged = queue.push(report(Kind::HELD, 6), 6);
        assert_eq!((merged.id, merged.due, merged.report.at, merged.report.times), (1, 5, 6, 2));
        assert_eq!(queue.next(6).unwrap(), merged.report);
        // It may have been heard: so it stays what it is, and the next is another.
        queue.failed(6, 0.0);
        let other = queue.push(report(Kind::HELD, 7), 7);
        assert_eq!((other.id, other.due, other.report.times), (2, 60_007, 1));
        assert_eq!(queue.push(report(Kind::HELD, 8), 8).id, 2);
        assert_eq!(hear(&mut queue, 9_000).unwrap().at, 6);
        assert_eq!(hear(&mut queue, 90_000).unwrap().at, 8);
    }

    #[test]
    fn what_nobody_has_heard_is_handed_over_again_before_all_else_and_less_and_less_often() {
        let mut queue = Queue::default();
        queue.push(report(Kind::HELD, 5), 5);
        assert!(queue.next(5).is_some());
        assert_eq!(queue.due(5), Some(5), "the object may die before it is heard");
        queue.push(report(Kind::HELD, 6), 6);
        assert!(queue.failed(100_000, 0.0));
        assert_eq!((queue.due(100_000), queue.next(100_999)), (Some(101_000), None));
        assert_eq!(queue.next(101_000).unwrap().at, 5);
        assert!(!queue.failed(101_000, 0.0));
        assert_eq!(queue.due(101_000), Some(103_000));
        assert_eq!(hear(&mut queue, 103_000).unwrap().at, 5);
        assert_eq!(hear(&mut queue, 103_000).unwrap().at, 6);
        queue.push(report(Kind::RESUMED, 103_006), 103_006);
        assert_eq!(queue.due(103_006), Some(103_006), "it goes well again");
    }

    #[test]
    fn what_was_written_down_is_handed_over_after_a_sleep_and_no_id_is_used_twice() {
        let mut queue = Queue::default();
        let kept = [Kind::HELD, Kind::SET_ASIDE].map(|kind| queue.push(report(kind, 5), 5));
        let mut queue = Queue::resume(kept.into());
        assert_eq!(queue.push(report(Kind::RESUMED, 9), 9).id, 3);
        assert_eq!(queue.push(report(Kind::HELD, 9), 9).id, 4, "the first may have been heard");
        let mut ids = Vec::new();
        while queue.next(90_000).is_some() {
            ids.extend(queue.in_flight());
            queue.heard(90_000);
        }
        assert_eq!(ids, [1, 2, 3, 4]);
    }

    #[test]
    fn where_our_clock_has_gone_back_nothing_waits_for_it() {
        let mut queue = Queue::default();
        let ahead = 86_400_000;
        queue.push(report(Kind::HELD, ahead), ahead);
        hear(&mut queue, ahead);
        queue.push(report(Kind::HELD, ahead), ahead);
        assert_eq!(queue.due(0), Some(0));
        assert!(queue.next(0).is_some());
        queue.failed(ahead, 0.0);
        assert_eq!(queue.due(0), Some(0));
        assert!(hear(&mut queue, 0).is_some());
        // By a little, as on another machine, it changes nothing.
        hear(&mut queue, 0);
        queue.push(report(Kind::SET_ASIDE, 50_000), 50_000);
        hear(&mut queue, 50_000);
        assert_eq!(queue.push(report(Kind::SET_ASIDE, 45_000), 45_000).due, 110_000);
    }
}
