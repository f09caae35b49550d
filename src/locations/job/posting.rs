//! How a post is accepted: told from what was accepted before, judged by what the phone's clock is worth, and written down as one row.

use super::gates::Near;
use super::registered::NotTaken;
use super::{Job, JobRefusal, Log, LogError, Millis, Outcome, PostAnswer, Sequence};
use crate::ids::JobId;
use crate::jobs::figures::Figures;
use crate::locations::clock::{Clocks, Measured, TOLERANCE};
use crate::locations::dedupe::{self, Fate};
use crate::locations::fix::{Fix, Rejection};
use crate::locations::log::{Accepted, Content, Life, Pointers, Row, Time};
use crate::locations::post::{Entry, Post};
use crate::locations::print::Print;
use crate::locations::sequence::{Alive, Before, Mark, Markers, ahead_after};

impl<L: Log> Job<L> {
    /// Takes a post: says what has become of each of its fixes, and writes those that are new.
    pub(super) fn post(
        &mut self,
        job: JobId,
        post: Post,
        registry_alone: bool,
        now: Millis,
    ) -> Result<Result<PostAnswer, JobRefusal>, LogError> {
        self.sequence.of_job(&job)?;
        let terms = match self.terms(&post.driver, registry_alone)? {
            Ok(terms) => terms,
            Err(NotTaken::Refused(refusal)) => return Ok(Err(refusal)),
            Err(NotTaken::Reassigned) => {
                let answer = self.none_taken(job, self.sequence.epoch(), &post, Rejection::reassigned());
                self.count(&post.driver, Figures::of(&answer.results), false, now)?;
                return Ok(Ok(answer));
            }
        };
        let is_present = !terms.is_closed;
        if is_present {
            self.hear(now)?;
        }
        let alive = self.sequence.of_job(&job)?;
        // Our clock goes back, a little where the object moves to another machine, and acceptance does not.
        let ts = self.sequence.ts().map_or(now, |ts| ts.max(now));
        let at = if ts - now <= TOLERANCE { ts } else { now };
        let clocks = Clocks::of(&post, at, self.settings.max_fix_age);
        let pointers = self.sequence.pointers();
        let prints = post.prints();
        let earlier = match self.sequence.last_n() {
            0 => Vec::new(),
            _ => dedupe::earlier(&mut self.index, &self.log, pointers, &post, &prints)?,
        };
        let fates = dedupe::fates(&post, &earlier, &clocks, terms);
        // Only now: whoever repeats what was accepted is told so, however much waits.
        let new = fates.iter().filter(|fate| matches!(fate, Fate::Fresh(_))).count();
        let (new, waiting) = (new.min(self.room()), self.outbox.waiting());
        if new > 0 && waiting + new as u64 > self.settings.limits.unsent {
            self.heard_without_row(now);
            return Ok(Err(JobRefusal::Backlog));
        }
        if new > 0
            && let Err(retry_after) = self.bucket.take(new, now)
        {
            self.heard_without_row(now);
            return Ok(Err(JobRefusal::TooFast { retry_after }));
        }

        let mut results: Vec<Option<Outcome>> = fates.iter().map(|_| None).collect();
        let mut answer = |index: usize, outcome| {
            if let Some(result) = results.get_mut(index) {
                *result = Some(outcome);
            }
        };
        let mut fresh: Vec<(usize, Fix, Measured)> = Vec::new();
        let mut twins: Vec<(usize, usize)> = Vec::new();
        for (index, (entry, fate)) in post.entries.into_iter().zip(fates).enumerate() {
            match (fate, entry) {
                (Fate::Known(outcome), _) => answer(index, outcome),
                (Fate::Twin(first), _) => twins.push((index, first)),
                (Fate::Fresh(measured), Entry::Fix(fix)) => {
                    // In the order of their seqs, which is nearly always that in which they come, or its reverse; and std's sorting is
                    // much code.
                    let key = |measured: &Measured| (measured.effective, measured.captured_at);
                    let at = fresh.partition_point(|(.., other)| key(other) <= key(&measured));
                    fresh.insert(at, (index, fix, measured));
                }
                (Fate::Fresh(_), Entry::Bad(rejection)) => {
                    answer(index, Outcome::rejected(index, rejection));
                }
            }
        }

        let full = Rejection::trail_full();
        for (index, ..) in fresh.drain(self.room().min(fresh.len())..) {
            let same = twins.iter().filter(|(_, first)| *first == index).map(|(twin, _)| *twin);
            same.chain([index]).for_each(|index| answer(index, Outcome::rejected(index, full)));
        }
        let driver = &post.driver;
        let (mut n, mut seq) = (self.sequence.last_n(), alive.map_or(0, |alive| alive.seq));
        let mut markers = alive.map_or_else(Markers::default, |alive| alive.markers(driver));
        let mut late: Vec<usize> = Vec::new();
        let awaited = self.awaited(at);
        let mut near = Near::default();
        for (nth, (index, fix, measured)) in fresh.iter().enumerate() {
            (n, seq) = (n + 1, seq + 1);
            let (measured, said) = (*measured, fix.captured_at());
            let mark = Mark { n, driver, at, offset: clocks.offset(), said, measured };
            let clock = measured.clock;
            if markers.hold_back(&mark) {
                late.push(nth);
                answer(*index, Outcome::Late { seq, clock });
            } else {
                markers.follow(mark);
                let measured = measured.effective;
                awaited.iter().for_each(|awaited| near.look(awaited, n, fix, measured, at));
                answer(*index, Outcome::Accepted { seq, clock });
            }
            let same = twins.iter().filter(|(_, first)| first == index);
            same.for_each(|(twin, _)| answer(*twin, Outcome::Duplicate { seq }));
        }

        if !fresh.is_empty() {
            let live = markers.live.map(|mark| mark.n);
            // Those after the last live one are late by the pointers.
            let first_n = self.sequence.last_n() + 1;
            late.retain(|nth| live.is_some_and(|live| first_n + (*nth as u64) < live));
            let right = markers.right.map(|mark| mark.n).filter(|right| Some(*right) != live);
            let ahead = ahead_after(&pointers.ahead, driver, markers.ahead, at);
            let times = fresh.iter().enumerate();
            let times = times.filter_map(|(index, (.., measured))| Time::kept(index, *measured)).collect();
            let print = |(index, ..): &(usize, _, _)| prints.get(*index).copied().flatten();
            let prints: Vec<Print> = fresh.iter().filter_map(print).collect();
            let fixes: Vec<Fix> = fresh.into_iter().map(|(_, fix, _)| fix).collect();
            let pointers = Pointers { live, right, ahead, ..pointers.times_after(&fixes, at) };
            let (at, offset) = (Some(at).filter(|at| *at != ts), clocks.offset());
            let accepted = Accepted { at, offset, driver: driver.clone(), fixes, times, late };
            self.write(&job, Fresh { n, seq, ts, pointers, accepted, prints }, now)?;
            // Known before anything else is refused: what comes of it comes at the next turn then.
            self.near = near;
        }
        let results: Vec<Outcome> = results.into_iter().flatten().collect();
        self.count(driver, Figures::of(&results), is_present, now)?;
        if awaited.is_some() {
            self.follow_gate(now)?;
        }
        Ok(Ok(PostAnswer { ok: true, job_id: job, epoch: self.sequence.epoch(), results }))
    }

    /// How many more fixes the trail takes.
    pub(super) fn room(&self) -> usize {
        let room = self.settings.limits.trail.saturating_sub(self.sequence.last_n());
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    /// Writes an accepted post, in the life that there is or in a new one.
    fn write(&mut self, job: &JobId, fresh: Fresh, now: Millis) -> Result<(), LogError> {
        let Fresh { n, seq, ts, pointers, accepted, prints } = fresh;
        let position = self.outbox.position_with(n, now);
        let row = |epoch| Row { n, epoch, seq, ts, pointers, content: Content::Fixes(accepted) };
        let epoch = self.sequence.next_epoch(ts);
        let row = match &mut self.sequence {
            Sequence::Alive(alive) => {
                let row = row(alive.life.epoch);
                self.log.append(&row, &prints, position)?;
                alive.follow(&row);
                row
            }
            Sequence::Unborn(Before { n, .. }) => {
                let (life, first_n) = (Life { job: job.clone(), epoch }, *n + 1);
                self.list_anew(now)?;
                let driver = self.registration.as_ref().and_then(|it| it.wanted.driver.as_ref());
                self.log.begin(&life, first_n, driver)?;
                let row = row(epoch);
                self.log.append(&row, &prints, position)?;
                self.sequence = Sequence::Alive(Box::new(Alive::from_last(&self.log, life, &row)?));
                row
            }
        };
        self.index.follow(&prints, n);
        self.outbox.push(row, position);
        self.alarm.posted(now);
        Ok(())
    }
}

/// The row to be of an accepted post, but for its epoch.
struct Fresh {
    n: u64,
    seq: u64,
    ts: Millis,
    pointers: Pointers,
    accepted: Accepted,
    /// What its fixes are recognised by.
    prints: Vec<Print>,
}
