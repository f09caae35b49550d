//! A job's object: the state machine that accepts fixes and publishes them.
//!
//! What it keeps to, whatever fails and whenever it sleeps:
//!
//! - **No gaps.** Within an epoch the seqs of accepted fixes are 1, 2, 3 …, and so are the `n` of all that leaves, from one life to
//!   the next. Neither is given out twice, as long as the last row is kept.
//! - **What commits together.** A post is one row: its fixes, their seqs, the pointers to what is live, what a retry is recognised by,
//!   and how far the outbox has come. A message that is given up, and the position after it, are two writes without a pause. What
//!   is in memory follows only what is written.
//! - **What is on disk before what.** Nothing here waits, and the runtime lets nothing out before what was written is durable: so a
//!   seq that was answered, published or shown is on disk; and a message that goes out again is made of the same row, and has the
//!   same bytes. Only the position may be behind, by what Ably recognises as a double.
//! - **Acceptance never goes back.** The times of rows never decrease, whatever our clock does.
//! - **`live ≤ n`.** What is live is among what is accepted. Whether a fix is live is decided once, when it is accepted.

use ably::rest::{ErrorClass, PublishBody, PublishError};

use super::Millis;
use super::clock::{Clocks, Measured, TOLERANCE};
use super::dedupe::{self, Fate, Index};
use super::event::{self, Updated};
use super::fix::Fix;
use super::log::{Accepted, Cause, Content, Life, Log, LogError, Pointers, Row, SetAside, Time};
use super::outbox::{Next, Outbox, ROWS_MAX, Verdict};
use super::post::{Entry, Post};
use super::print::Print;
use super::protocol::{Identity, JobAnswer, JobRefusal, JobRequest, NoState, Outcome, PostAnswer, Reply};
use super::sequence::{Alive, Before, Mark, Markers, Sequence, ahead_after};
use crate::ids::JobId;

#[cfg(test)]
mod tests;

/// What the outbox needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Publish this, then say how it went by [`Job::published`] or [`Job::failed`]. Until then there is no other.
    Publish(Publication),
    /// Ask again at that time, or after the next accepted post, whichever comes first.
    Wait {
        /// Unix milliseconds.
        until: Millis,
    },
    /// Ask again after the next accepted post, or when the publish in flight has ended.
    Nothing,
}

/// A message on its way to Ably.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// What it is known by here.
    pub ticket: Ticket,
    /// Where it goes.
    pub channel: String,
    /// What is sent.
    pub body: PublishBody,
}

/// Names a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The last `n` that it stands for.
    n: u64,
    /// The last seq that it stands for.
    pub seq: u64,
}

/// One job: its sequence, what it keeps, and its outbox.
#[derive(Debug)]
pub struct Job<L> {
    log: L,
    /// Fixes measured longer ago than this are refused.
    max_fix_age: Millis,
    sequence: Sequence,
    index: Index,
    outbox: Outbox,
}

impl<L: Log> Job<L> {
    /// Wakes a job from its log. It reads its last row, and creates nothing.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn wake(mut log: L, max_fix_age: Millis) -> Result<Self, LogError> {
        let waking = log.wake()?;
        let (sequence, position) = Sequence::wake(&log, waking)?;
        let outbox = Outbox::resume(position, sequence.last_n());
        Ok(Self { log, max_fix_age, sequence, index: Index::default(), outbox })
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
    pub fn next(&mut self, now: Millis) -> Result<Need, LogError> {
        let Some(job) = self.sequence.job() else { return Ok(Need::Nothing) };
        loop {
            match self.outbox.next(now) {
                Next::Publish(row) => {
                    let ticket = Ticket { n: row.n, seq: row.seq };
                    let message = event::message(job, row).and_then(|message| {
                        message
                            .map(|(channel, message)| Ok((channel, PublishBody::one(&message)?)))
                            .transpose()
                    });
                    match message {
                        Ok(Some((channel, body))) => {
                            return Ok(Need::Publish(Publication { ticket, channel, body }));
                        }
                        Ok(None) => self.outbox.published(ticket.n, now),
                        // With these types it cannot be; were it so, the message would never go, and those behind it must.
                        Err(_) => {
                            let error =
                                PublishError::new(ErrorClass::BlamesMessage, None, None, "unwritable");
                            self.failed(ticket, &error, now, 0.0)?;
                            return self.next(now);
                        }
                    }
                }
                Next::Read { after } => {
                    let rows = self.log.rows_after(after, ROWS_MAX)?;
                    if rows.first().is_none_or(|row| row.first_n() != after + 1) {
                        return Err(LogError::Damaged("rows that wait are gone"));
                    }
                    self.outbox.refill(rows);
                }
                Next::Confirm(position) => {
                    self.log.confirm(position)?;
                    self.outbox.confirmed();
                }
                Next::Wait { until } => return Ok(Need::Wait { until }),
                Next::Idle => return Ok(Need::Nothing),
            }
        }
    }

    /// Notes that Ably has confirmed a publication.
    pub fn published(&mut self, ticket: Ticket, now: Millis) {
        self.outbox.published(ticket.n, now);
    }

    /// Notes that a publication has failed; `jitter` is random, from 0 to 1.
    ///
    /// # Errors
    /// [`LogError`], where it is given up and that cannot be written down: then it goes out again after a sleep.
    pub fn failed(
        &mut self,
        ticket: Ticket,
        error: &PublishError,
        now: Millis,
        jitter: f64,
    ) -> Result<Verdict, LogError> {
        let verdict = self.outbox.failed(ticket.n, error.class, now, jitter);
        if let Verdict::SetAside { first_n } = verdict {
            let message = SetAside { first_n, last_n: ticket.n, ts: now, cause: Cause::of(error) };
            self.log.set_aside(&message, self.outbox.position())?;
            self.outbox.confirmed();
        }
        Ok(verdict)
    }

    fn state(&self, job: JobId) -> Result<JobAnswer, LogError> {
        let alive = self.sequence.of_job(&job)?;
        let Some((alive, live)) = alive.and_then(|alive| Some((alive, alive.live.as_ref()?))) else {
            return Ok(JobAnswer::NoState(NoState { job_id: job, epoch: self.sequence.epoch(), seq: 0 }));
        };
        let epoch = alive.life.epoch;
        let updated = Updated::of(&job, epoch, live.seq, &live.fix, live.measured, live.ts);
        Ok(JobAnswer::State(Box::new(updated)))
    }

    fn post(&mut self, job: JobId, post: Post, now: Millis) -> Result<PostAnswer, LogError> {
        let alive = self.sequence.of_job(&job)?;
        // Our clock goes back, a little where the object moves to another machine, and acceptance does not.
        let ts = self.sequence.ts().map_or(now, |ts| ts.max(now));
        let at = if ts - now <= TOLERANCE { ts } else { now };
        let clocks = Clocks::of(&post, at, self.max_fix_age);
        let pointers = self.sequence.pointers();
        let prints = post.prints();
        let earlier = match self.sequence.last_n() {
            0 => Vec::new(),
            _ => dedupe::earlier(&mut self.index, &self.log, pointers, &post, &prints)?,
        };
        let fates = dedupe::fates(&post, &earlier, &clocks);

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
                (Fate::Fresh(measured), Entry::Fix(fix)) => fresh.push((index, fix, measured)),
                (Fate::Fresh(_), Entry::Bad(rejection)) => {
                    answer(index, Outcome::rejected(index, rejection));
                }
            }
        }

        fresh.sort_by_key(|(index, _, measured)| (measured.effective, measured.captured_at, *index));
        let driver = &post.driver;
        let (mut n, mut seq) = (self.sequence.last_n(), alive.map_or(0, |alive| alive.seq));
        let mut markers = alive.map_or_else(Markers::default, |alive| alive.markers(driver));
        for (index, fix, measured) in &fresh {
            (n, seq) = (n + 1, seq + 1);
            let (measured, said) = (*measured, fix.captured_at());
            let mark = Mark { n, driver, at, offset: clocks.offset(), said, measured };
            let clock = measured.clock;
            if markers.hold_back(&mark) {
                answer(*index, Outcome::Late { seq, clock });
            } else {
                markers.follow(mark);
                answer(*index, Outcome::Accepted { seq, clock });
            }
            let same = twins.iter().filter(|(_, first)| first == index);
            same.for_each(|(twin, _)| answer(*twin, Outcome::Duplicate { seq }));
        }

        if !fresh.is_empty() {
            let live = markers.live.map(|mark| mark.n);
            let right = markers.right.map(|mark| mark.n).filter(|right| Some(*right) != live);
            let ahead = ahead_after(&pointers.ahead, driver, markers.ahead, at);
            let times = fresh.iter().enumerate();
            let times = times.filter_map(|(index, (.., measured))| Time::kept(index, *measured)).collect();
            let print = |(index, ..): &(usize, _, _)| prints.get(*index).copied().flatten();
            let prints: Vec<Print> = fresh.iter().filter_map(print).collect();
            let fixes: Vec<Fix> = fresh.into_iter().map(|(_, fix, _)| fix).collect();
            let pointers = Pointers { live, right, ahead, ..pointers.times_after(&fixes, at) };
            let (at, offset) = (Some(at).filter(|at| *at != ts), clocks.offset());
            let accepted = Accepted { at, offset, driver: post.driver, fixes, times };
            self.write(&job, Fresh { n, seq, ts, pointers, accepted, prints })?;
        }
        Ok(PostAnswer {
            ok: true,
            job_id: job,
            epoch: self.sequence.epoch(),
            results: results.into_iter().flatten().collect(),
        })
    }

    /// Writes an accepted post, in the life that there is or in a new one.
    fn write(&mut self, job: &JobId, fresh: Fresh) -> Result<(), LogError> {
        let Fresh { n, seq, ts, pointers, accepted, prints } = fresh;
        let row = |epoch| Row { n, epoch, seq, ts, pointers, content: Content::Fixes(accepted) };
        let row = match &mut self.sequence {
            Sequence::Alive(alive) => {
                let row = row(alive.life.epoch);
                self.log.append(&row, &prints, self.outbox.position())?;
                alive.follow(&row);
                row
            }
            Sequence::Unborn(Before { life, n, .. }) => {
                let began = u64::try_from(ts / 1000).unwrap_or_default();
                let epoch = life.as_ref().map_or(began, |last| began.max(last.epoch + 1));
                let life = Life { job: job.clone(), epoch };
                self.log.begin(&life, *n + 1)?;
                let row = row(epoch);
                self.log.append(&row, &prints, self.outbox.position())?;
                self.sequence = Sequence::Alive(Box::new(Alive::from_last(&self.log, life, &row)?));
                row
            }
        };
        self.index.follow(&prints, n);
        self.outbox.push(row);
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
