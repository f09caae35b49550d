//! A job's object: the state machine that accepts fixes and publishes them.

use std::collections::HashMap;

use super::Millis;
use super::clock::{Clocks, Measured, TOLERANCE};
use super::event::{Message, Updated};
use super::fix::{Field, Fix, Reason, Rejection};
use super::log::{Body, Life, Log, LogError, Row, Sought, Time, Waking};
use super::outbox::{Failure, Next, Outbox, ROWS_MAX, Verdict};
use super::post::{Entry, Post};
use super::protocol::{Identity, JobAnswer, JobRefusal, JobRequest, NoState, Outcome, PostAnswer, Reply};
use super::sequence::{Alive, Mark, Markers, Sequence, ahead_after};
use crate::ids::JobId;

#[cfg(test)]
mod tests;

/// What the caller has to do next for the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Publish this, then say how it went by [`Job::published`] or [`Job::failed`]. Until then there is no other.
    Publish {
        /// What the message is known by here: the last seq that it stands for.
        seq: u64,
        /// Whose channel it goes to.
        job: JobId,
        /// The message.
        message: Message,
    },
    /// Ask again at that time, or after the next accepted post, whichever comes first.
    Wait {
        /// Unix milliseconds.
        until: Millis,
    },
    /// Ask again after the next accepted post, or when the publish in flight has ended.
    Idle,
}

/// One job: its sequence, what it keeps, and its outbox.
///
/// Nothing in it waits. Whatever [`handle`](Job::handle) writes for a post, it writes without a pause, so that the
/// storage makes it durable as one; and whatever it answers or publishes has been written before.
#[derive(Debug)]
pub struct Job<L> {
    log: L,
    /// Fixes measured longer ago than this are refused.
    max_fix_age: Millis,
    sequence: Sequence,
    outbox: Outbox,
}

/// What a retry is recognised by. A fix with neither `id` nor `capturedAt` has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'a> {
    Id(&'a str),
    /// `capturedAt` and the bits of `lat` and `lng`, which are finite and have but one zero.
    Place(Millis, u64, u64),
}

impl<'a> Key<'a> {
    fn of(fix: &'a Fix) -> Option<Self> {
        match fix.id() {
            Some(id) => Some(Self::Id(id.as_str())),
            None => fix.captured_at().map(|at| Self::Place(at, fix.lat().to_bits(), fix.lng().to_bits())),
        }
    }
}

/// What is to become of an entry, before seqs are given out.
enum Fate {
    /// It gets a seq.
    Fresh(Measured),
    /// The same as the fresh entry at this earlier index.
    Twin(usize),
    /// Whatever else happens.
    Known(Outcome),
}

impl<L: Log> Job<L> {
    /// Wakes a job from its log. It reads its last row, and creates nothing.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn wake(log: L, max_fix_age: Millis) -> Result<Self, LogError> {
        let unborn = |after_epoch| (Sequence::Unborn { after_epoch }, Outbox::default());
        let (sequence, outbox) = match log.wake()? {
            Waking::Untouched => unborn(None),
            Waking::Ended { epoch } => unborn(Some(epoch)),
            Waking::Alive { life, last, position } => {
                let outbox = Outbox::resume(position, last.seq);
                (Sequence::Alive(Box::new(Alive::from_last(&log, life, &last)?)), outbox)
            }
        };
        Ok(Self { log, max_fix_age, sequence, outbox })
    }

    /// Answers a request at `now`, Unix milliseconds.
    ///
    /// # Errors
    /// [`LogError`], when nothing of a post is accepted.
    pub fn handle(&mut self, request: JobRequest, now: Millis) -> Result<Reply<JobAnswer>, LogError> {
        Ok(Reply::Answer(match request {
            JobRequest::Post { job, post } => JobAnswer::Post(self.post(job, post, now)?),
            JobRequest::State { job } => self.state(job)?,
            JobRequest::Identify => match self.sequence.job() {
                Some(job) => JobAnswer::Identity(Identity { job_id: job.clone() }),
                None => return Ok(Reply::Refusal(JobRefusal::Unknown)),
            },
        }))
    }

    /// What the outbox needs at `now`.
    ///
    /// # Errors
    /// [`LogError`], where waiting rows cannot be read or the position not be written.
    pub fn next(&mut self, now: Millis) -> Result<Step, LogError> {
        let Sequence::Alive(alive) = &self.sequence else { return Ok(Step::Idle) };
        loop {
            match self.outbox.next(now) {
                Next::Publish(row) => {
                    let message =
                        Message::of(&alive.life, row).map_err(|_| LogError::Damaged("a message to be"))?;
                    return Ok(Step::Publish { seq: row.seq, job: alive.life.job.clone(), message });
                }
                Next::Read { after } => {
                    let rows = self.log.rows_after(after, ROWS_MAX)?;
                    if rows.first().is_none_or(|row| row.first_seq() != after + 1) {
                        return Err(LogError::Damaged("rows that wait are gone"));
                    }
                    self.outbox.refill(rows);
                }
                Next::Confirm(position) => {
                    self.log.confirm(position)?;
                    self.outbox.confirmed();
                }
                Next::Wait { until } => return Ok(Step::Wait { until }),
                Next::Idle => return Ok(Step::Idle),
            }
        }
    }

    /// Notes that Ably has confirmed the message that ends at `seq`.
    pub fn published(&mut self, seq: u64, now: Millis) {
        self.outbox.published(seq, now);
    }

    /// Notes that publishing the message that ends at `seq` has failed; `jitter` is random, from 0 to 1.
    pub fn failed(&mut self, seq: u64, failure: Failure, now: Millis, jitter: f64) -> Verdict {
        self.outbox.failed(seq, failure, now, jitter)
    }

    fn state(&self, job: JobId) -> Result<JobAnswer, LogError> {
        let Some(alive) = self.sequence.of_job(&job)? else {
            return Ok(JobAnswer::NoState(NoState { job_id: job, epoch: None, seq: 0 }));
        };
        let live = &alive.live;
        let updated = Updated::of(&alive.life, live.seq, &live.fix, live.measured, live.ts);
        Ok(JobAnswer::State(Box::new(updated)))
    }

    fn post(&mut self, job: JobId, post: Post, now: Millis) -> Result<PostAnswer, LogError> {
        let alive = self.sequence.of_job(&job)?;
        // Our clock goes back, a little where the object moves to another machine, and acceptance does not.
        let ts = alive.map_or(now, |alive| alive.ts.max(now));
        let at = if ts - now <= TOLERANCE { ts } else { now };
        let clocks = Clocks::of(&post, at, self.max_fix_age);
        let fates = self.fates(alive, &post, &clocks)?;

        let mut outcomes: Vec<(usize, Outcome)> = Vec::with_capacity(fates.len());
        let mut fresh: Vec<(usize, Fix, Measured)> = Vec::new();
        let mut twins: Vec<(usize, usize)> = Vec::new();
        for (index, (entry, fate)) in post.entries.into_iter().zip(fates).enumerate() {
            match (fate, entry) {
                (Fate::Known(outcome), _) => outcomes.push((index, outcome)),
                (Fate::Twin(first), _) => twins.push((index, first)),
                (Fate::Fresh(measured), Entry::Fix(fix)) => fresh.push((index, fix, measured)),
                (Fate::Fresh(_), Entry::Bad(rejection)) => {
                    outcomes.push((index, Outcome::rejected(index, rejection)));
                }
            }
        }

        fresh.sort_by_key(|(index, _, measured)| (measured.effective, measured.captured_at, *index));
        let driver = &post.driver;
        let mut seq = alive.map_or(0, |alive| alive.seq);
        let mut markers = alive.map_or_else(Markers::default, |alive| alive.markers(driver));
        for (index, fix, measured) in &fresh {
            seq += 1;
            let (measured, said) = (*measured, fix.captured_at());
            let mark = Mark { seq, driver, at, offset: clocks.offset(), said, measured };
            let clock = measured.clock;
            outcomes.push((
                *index,
                if markers.hold_back(&mark) {
                    Outcome::Late { seq, clock }
                } else {
                    markers.follow(mark);
                    Outcome::Accepted { seq, clock }
                },
            ));
            let same = twins.iter().filter(|(_, first)| first == index);
            outcomes.extend(same.map(|(twin, _)| (*twin, Outcome::Duplicate { seq })));
        }
        outcomes.sort_unstable_by_key(|(index, _)| *index);

        if let (Some(live), false) = (markers.live.map(|mark| mark.seq), fresh.is_empty()) {
            let right = markers.right.map(|mark| mark.seq).filter(|right| *right != live);
            let ahead = ahead_after(alive.map_or(&[], Alive::ahead), driver, markers.ahead, at);
            let times = fresh.iter().enumerate();
            let times = times.filter_map(|(index, (.., measured))| Time::kept(index, *measured)).collect();
            let fixes: Vec<Fix> = fresh.into_iter().map(|(_, fix, _)| fix).collect();
            let latest = fixes.iter().filter_map(Fix::captured_at).max();
            let cap = alive.and_then(|alive| alive.cap).max(latest);
            let (at, offset) = (Some(at).filter(|at| *at != ts), clocks.offset());
            let body = Body { ts, at, offset, driver: post.driver, live, right, ahead, fixes, times };
            self.write(&job, Row { seq, cap, body })?;
        }
        Ok(PostAnswer {
            ok: true,
            job_id: job,
            epoch: self.sequence.epoch(),
            results: outcomes.into_iter().map(|(_, outcome)| outcome).collect(),
        })
    }

    /// Writes an accepted post. What is in memory follows only what is written.
    fn write(&mut self, job: &JobId, row: Row) -> Result<(), LogError> {
        match &mut self.sequence {
            Sequence::Alive(alive) => {
                self.log.append(&row, self.outbox.position())?;
                alive.follow(&row);
            }
            Sequence::Unborn { after_epoch } => {
                let began = u64::try_from(row.body.ts / 1000).unwrap_or_default();
                let epoch = after_epoch.map_or(began, |after| began.max(after + 1));
                let life = Life { job: job.clone(), epoch };
                self.log.begin(&life)?;
                self.log.append(&row, self.outbox.position())?;
                self.sequence = Sequence::Alive(Box::new(Alive::from_last(&self.log, life, &row)?));
            }
        }
        self.outbox.push(row);
        Ok(())
    }

    /// Decides on each entry of a post, by what was accepted before and by the entries before it.
    fn fates(&self, alive: Option<&Alive>, post: &Post, clocks: &Clocks) -> Result<Vec<Fate>, LogError> {
        let rows = match alive {
            Some(alive) => self.earlier(alive, post)?,
            None => Vec::new(),
        };
        let fixes = rows.iter().flat_map(Row::fixes);
        let before: HashMap<Key<'_>, (u64, &Fix)> =
            fixes.filter_map(|(seq, fix, _)| Some((Key::of(fix)?, (seq, fix)))).collect();
        let mut here: HashMap<Key<'_>, (usize, &Fix)> = HashMap::new();
        let reused = Rejection::of(Field::Id, Reason::IdReused);
        let fates = post.entries.iter().enumerate().map(|(index, entry)| {
            let fix = match entry {
                Entry::Fix(fix) => fix,
                Entry::Bad(rejection) => return Fate::Known(Outcome::rejected(index, *rejection)),
            };
            let key = Key::of(fix);
            if let Some((seq, original)) = key.and_then(|key| before.get(&key)) {
                return Fate::Known(match fix.same_measurement(original) {
                    true => Outcome::Duplicate { seq: *seq },
                    false => Outcome::rejected(index, reused),
                });
            }
            if let Some((first, original)) = key.and_then(|key| here.get(&key)) {
                return match fix.same_measurement(original) {
                    true => Fate::Twin(*first),
                    false => Fate::Known(Outcome::rejected(index, reused)),
                };
            }
            // Only here: a retry gets its seq back however long it has taken.
            let Ok(measured) = clocks.measure(fix) else {
                let too_old = Rejection::of(Field::CapturedAt, Reason::TooOld);
                return Fate::Known(Outcome::rejected(index, too_old));
            };
            if let Some(key) = key {
                here.insert(key, (index, fix));
            }
            Fate::Fresh(measured)
        });
        Ok(fates.collect())
    }

    /// The rows that may hold fixes of this post, found by one look-up; by none where a new fix is later than all before.
    fn earlier(&self, alive: &Alive, post: &Post) -> Result<Vec<Row>, LogError> {
        let mut sought = Sought::default();
        for entry in &post.entries {
            let Entry::Fix(fix) = entry else { continue };
            match Key::of(fix) {
                Some(Key::Id(id)) => sought.ids.push(id),
                Some(Key::Place(at, ..)) if Some(at) <= alive.cap => {
                    sought.places.push((at, fix.lat(), fix.lng()));
                }
                _ => {}
            }
        }
        if sought.is_empty() {
            return Ok(Vec::new());
        }
        let mut rows = self.log.find(&sought)?;
        rows.retain(|row| row.body.driver == post.driver);
        Ok(rows)
    }
}
