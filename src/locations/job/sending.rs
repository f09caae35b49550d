//! How what a job has accepted leaves it.

use ably::rest::PublishBody;

use super::{Job, Millis, Notice};
use crate::ids::JobId;
use crate::jobs::Registration;
use crate::locations::alarm::{Alarm, TIMER_MAX};
use crate::locations::event::{self, Sending};
use crate::locations::log::{
    Content, Log, LogError, PUBLISH_TASK, RESEND_TASKS, Row, SetAside, Task, Trouble,
};
use crate::locations::outbox::{News, Next, ROWS_MAX, Resend, State, Verdict};
use crate::locations::protocol::{GivenUp, JobRefusal, OutboxSeen, Range, Resending};
use crate::objects::{Cause, Class, Failure};
use crate::operations::Report;

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
    /// Ask again after the next accepted post, when the publish in flight has ended, or when the alarm goes off.
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
    /// The first `n` that it stands for.
    first_n: u64,
    /// The last.
    last_n: u64,
}

/// The most messages that were given up that one answer tells of.
const GIVEN_UP_MAX: u32 = 100;

impl<L: Log> Job<L> {
    /// What the outbox needs at `now`.
    ///
    /// # Errors
    /// [`LogError`], where waiting rows cannot be read or the position not be written.
    pub fn next(&mut self, now: Millis) -> Result<Need, LogError> {
        loop {
            let withdrawn = match (&self.registration, &self.forgotten) {
                (Some(registration), _) => registration.withdrawn,
                (None, Some(forgotten)) => forgotten.withdrawn(),
                (None, None) => 0,
            };
            let not_for_all = self.not_for_all();
            let first_n = self.outbox.position().sent + 1;
            // What is on its way is awaited, and not sent again.
            if first_n <= withdrawn && !self.outbox.is_in_flight() {
                let places = first_n..=withdrawn;
                let message = SetAside { first_n, last_n: withdrawn, ts: now, cause: Cause::WITHDRAWN };
                self.log.set_aside(&message, self.outbox.position_past(&places))?;
                self.outbox.passed_over(&places);
            }
            self.follow_outbox(now)?;
            self.go_on_forgetting(now)?;
            let Some(job) = self.sequence.job() else { return Ok(Need::Nothing) };
            let (ticket, message) = match self.outbox.next(now) {
                Next::Publish(rows) => message(job, rows, Sending::InTurn),
                Next::Resend(resend) => {
                    match within(&self.log, resend)?.filter(|_| resend.first_n > not_for_all) {
                        Some(rows) => message(job, &rows, Sending::Again),
                        None => {
                            self.log.end_task(resend.task)?;
                            self.outbox.drop_resend();
                            continue;
                        }
                    }
                }
                Next::PassOver(places) => {
                    let (first_n, last_n) = (*places.start(), *places.end());
                    let message = SetAside { first_n, last_n, ts: now, cause: Cause::DAMAGED };
                    self.log.set_aside(&message, self.outbox.position_past(&places))?;
                    self.outbox.passed_over(&places);
                    self.tell(Notice::GivenUp { n: last_n, cause: Cause::DAMAGED }, now)?;
                    continue;
                }
                Next::Read { after } => {
                    let rows = self.log.rows_after(after, ROWS_MAX)?;
                    self.outbox.refill(rows);
                    continue;
                }
                Next::Save(position) => {
                    self.log.confirm(position)?;
                    self.outbox.saved();
                    continue;
                }
                // What takes longer is the alarm's.
                Next::Wait { until } if until <= now + TIMER_MAX => return Ok(Need::Wait { until }),
                Next::Wait { .. } | Next::Idle => return Ok(Need::Nothing),
            };
            match message {
                Ok(Some((channel, body))) => {
                    self.outbox.leaves(body.as_str().len(), self.settings.limits.spacing(), now);
                    return Ok(Need::Publish(Publication { ticket, channel, body }));
                }
                Ok(None) => {
                    let places = ticket.first_n..=ticket.last_n;
                    self.log.confirm(self.outbox.position_past(&places))?;
                    self.outbox.passed_over(&places);
                }
                // With these types it cannot be; were it so, the message would never go, and those behind it must.
                Err(_) => {
                    self.outbox.leaves(0, self.settings.limits.spacing(), now);
                    let cause = Cause { class: Class::Message, ..Cause::UNANSWERED };
                    self.failed(ticket, Failure::of(cause), now, 0.0)?;
                }
            }
        }
    }

    /// Notes that Ably has confirmed a publication.
    ///
    /// # Errors
    /// [`LogError`], where that cannot be written down: then it may go out again, and Ably recognises it.
    pub fn published(&mut self, now: Millis) -> Result<(), LogError> {
        let resent = self.outbox.resending();
        // All of it is tried, whatever the storage says to the first.
        let told = self.outbox.published(now).map_or(Ok(()), |trouble| self.tell(resumed(&trouble), now));
        let reached = resent.map_or(Ok(()), |Resend { task, first_n, .. }| {
            self.log.reached(first_n).and(self.log.end_task(task))
        });
        // Those who are cut off have heard why.
        let is_over =
            self.forgotten.is_some() || self.registration.as_ref().is_some_and(|it| it.ended.is_some());
        let over = if is_over && self.outbox.waiting() == 0 {
            self.revocations.hasten(now);
            // No row follows by which this would be known, and who wakes before the alarm would tell the end again.
            self.log.confirm(self.outbox.position()).map(|()| self.outbox.saved())
        } else {
            Ok(())
        };
        told.and(reached).and(over).and(self.forget_trouble())
    }

    /// Notes that a publication has failed; `jitter` is random, from 0 to 1.
    ///
    /// # Errors
    /// [`LogError`], where what follows cannot be written down: then it goes out again.
    pub fn failed(
        &mut self,
        ticket: Ticket,
        failure: Failure,
        now: Millis,
        jitter: f64,
    ) -> Result<(), LogError> {
        let Ticket { first_n, last_n } = ticket;
        let (cause, resent) = (failure.cause, self.outbox.resending());
        match self.outbox.failed(failure, now, jitter) {
            Verdict::SetAside => {
                let message = SetAside { first_n, last_n, ts: now, cause };
                if let Err(error) = self.log.set_aside(&message, self.outbox.position_given_up()) {
                    self.outbox.not_given_up(now);
                    return Err(error);
                }
                let over = self.outbox.given_up();
                let told = self.tell(Notice::GivenUp { n: last_n, cause }, now);
                let over = over.map_or(Ok(()), |trouble| self.tell(resumed(&trouble), now));
                let ended = resent.map_or(Ok(()), |resend| self.log.end_task(resend.task));
                told.and(over).and(ended).and(self.forget_trouble())
            }
            Verdict::Retry { at, news } => {
                let told = match news {
                    Some(News::Begins) => self.tell(Notice::Waits { n: last_n, cause, retry_at: at }, now),
                    Some(News::Lasts { since }) => self.tell(Notice::Lasts { cause, since }, now),
                    None => Ok(()),
                };
                // A wait that outlasts this life of the object has to be known to the next.
                if let Some(trouble) = self.outbox.trouble().filter(|_| at > now + TIMER_MAX) {
                    self.log.put_task(PUBLISH_TASK, &Task::Publish(trouble.clone()))?;
                    self.is_trouble_kept = true;
                }
                told
            }
        }
    }

    /// Does what is left for when the alarm goes off. [`next`](Self::next) comes after it, and then [`arm`](Self::arm).
    ///
    /// # Errors
    /// [`LogError`], where the position cannot be written.
    pub fn alarm(&mut self, now: Millis) -> Result<(), LogError> {
        // First: whatever fails here, it is armed again.
        let is_quiet = self.alarm.went_off(now);
        self.expire(now)?;
        self.watch(now)?;
        self.go_on_forgetting(now)?;
        self.keep_if_due(is_quiet, now)?;
        // As long as posts come, the next row takes the position along.
        if is_quiet && let Some(position) = self.outbox.unsaved() {
            self.log.confirm(position)?;
            self.outbox.saved();
        }
        Ok(())
    }

    /// To be called at the end of each turn: for when the alarm is to be set, where it is to be set now.
    pub fn arm(&mut self, now: Millis) -> Option<Millis> {
        let due = self.outbox.due().into_iter().chain(self.reports.due(now)).chain(self.revocations.due());
        let due = due.chain(self.vitals.keep_due());
        let due = due.chain(self.listing.due().filter(|_| self.settings.lists));
        let stands = self.open().map(|open| open.ends_at());
        let stands = stands
            .into_iter()
            .chain(self.watch_due())
            .chain(self.gate_due())
            .min()
            .or_else(|| self.retained_until());
        self.alarm.arm(due.chain(self.holds_until()).min(), stands, now)
    }

    /// Notes that the alarm could not be set.
    pub fn not_armed(&mut self) {
        self.alarm = Alarm::default();
        self.alarm.stands_anew();
    }

    /// What there is to tell since it was last asked.
    pub fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// What is to be reported to operators now. Whoever hands it over says by [`heard`](Self::heard) or
    /// [`unheard`](Self::unheard) how that went.
    pub fn report(&mut self, now: Millis) -> Option<Report> {
        self.reports.next(now)
    }

    /// Notes that a report was heard; `jitter` is random, from 0 to 1.
    ///
    /// # Errors
    /// [`LogError`], where that cannot be written down: then it is handed over again, and recognised.
    pub fn heard(&mut self, now: Millis, jitter: f64) -> Result<(), LogError> {
        let ended = self.reports.in_flight().map_or(Ok(()), |id| self.log.end_task(id));
        match &ended {
            Ok(()) => self.reports.heard(now),
            Err(_) => drop(self.reports.failed(now, jitter)),
        }
        ended
    }

    /// Notes that nobody may have heard a report: it is handed over again. Says whether that is worth a line, since it went well before.
    pub fn unheard(&mut self, now: Millis, jitter: f64) -> bool {
        self.reports.failed(now, jitter)
    }

    /// Notes what there is to tell: in the log, and to operators where they should know.
    pub(super) fn tell(&mut self, notice: Notice, now: Millis) -> Result<(), LogError> {
        self.notices.push(notice);
        let Some((kind, since, cause)) = notice.reported() else { return Ok(()) };
        let Some(job_id) = self.sequence.job().cloned() else { return Ok(()) };
        let r#ref = self.settings.reference.clone();
        let queued = self.reports.push(Report { kind, job_id, r#ref, at: now, since, cause, times: 1 }, now);
        self.log.put_task(queued.id, &Task::Report(queued))
    }

    /// How the outbox is doing.
    pub(super) fn outbox_seen(&self, job: JobId, now: Millis) -> Result<OutboxSeen, LogError> {
        self.sequence.of_job(&job)?;
        let state = self.outbox.state();
        let trouble = self.outbox.trouble().filter(|_| state != State::Idle);
        let (waiting, in_flight) = (self.outbox.waiting(), self.outbox.in_flight());
        let oldest = match self.outbox.oldest() {
            None if waiting > 0 => {
                self.log.rows_after(self.outbox.position().sent, 1)?.first().map(|row| row.ts)
            }
            oldest => oldest.map(|row| row.ts),
        };
        Ok(OutboxSeen {
            job_id: job,
            reference: self.settings.reference.clone(),
            epoch: self.sequence.epoch(),
            state,
            cause: trouble.map(|trouble| trouble.cause),
            retry_at: trouble.map(|_| self.outbox.not_before()),
            waiting: waiting - in_flight,
            oldest_ms: oldest.map(|ts| (now - ts).max(0)),
            in_flight,
            set_aside: self
                .as_known(self.given_up_after(0)?)?
                .into_iter()
                .map(|(_, given_up)| given_up)
                .collect(),
        })
    }

    /// Sends once more what was set aside, when its turn comes.
    pub(super) fn resend(
        &mut self,
        job: &JobId,
        range: Range,
    ) -> Result<Result<Resending, JobRefusal>, LogError> {
        self.sequence.of_job(job)?;
        // What is another life's, or a closed job's, is nobody's to see any more.
        let is_over = |it: &Registration| it.ended.is_some() || self.sequence.epoch() != Some(range.epoch);
        if self.registration.as_deref().is_some_and(is_over) {
            return Ok(Err(JobRefusal::NotSetAside));
        }
        let mut after = 0;
        loop {
            let page = self.given_up_after(after)?;
            let Some(last) = page.last() else { return Ok(Err(JobRefusal::NotSetAside)) };
            after = last.first_n;
            // Fixes count up side by side in both.
            let of_length = |message: &SetAside| {
                range.seq.checked_sub(range.from_seq) == Some(message.last_n - message.first_n)
            };
            let page = self.as_known(page.into_iter().filter(of_length).collect())?;
            let found = page.iter().find(|(_, given_up)| given_up.range == range);
            let Some((SetAside { first_n, last_n, .. }, _)) = found else { continue };
            let (first_n, last_n) = (*first_n, *last_n);
            // Whoever has come since would get it too.
            if first_n <= self.not_for_all() {
                return Ok(Err(JobRefusal::NotSetAside));
            }
            let resend = Resend { task: RESEND_TASKS + first_n, first_n, last_n };
            // What cannot be read cannot be sent either.
            if within(&self.log, resend)?.is_none() {
                return Ok(Err(JobRefusal::NotSetAside));
            }
            if !self.outbox.resends(resend.first_n) {
                let task = Task::Resend { first_n: resend.first_n, last_n: resend.last_n };
                self.log.put_task(resend.task, &task)?;
                self.outbox.resend(resend);
            }
            return Ok(Ok(Resending { ok: true, range }));
        }
    }

    /// The last `n` that is not for everybody who takes part.
    fn not_for_all(&self) -> u64 {
        self.registration.as_ref().map_or(0, |registration| registration.not_for_all())
    }

    /// A page of what was given up and begins after this `n`.
    fn given_up_after(&self, n: u64) -> Result<Vec<SetAside>, LogError> {
        match self.sequence.job() {
            Some(_) => self.log.given_up_after(n, GIVEN_UP_MAX),
            None => Ok(Vec::new()),
        }
    }

    /// What was given up, as others know it, less what no row is kept of. What was withdrawn is none of it: Ably has not refused it, and
    /// it may be of several lives.
    fn as_known(&self, mut given_up: Vec<SetAside>) -> Result<Vec<(SetAside, GivenUp)>, LogError> {
        given_up.retain(|message| message.cause.class != Class::Withdrawn);
        if given_up.is_empty() {
            return Ok(Vec::new());
        }
        let ends: Vec<u64> = given_up.iter().map(|message| message.last_n).collect();
        let rows = self.log.rows(&ends)?;
        let known = given_up.into_iter().filter_map(|message| {
            let row = rows.iter().find(|row| row.n == message.last_n)?;
            // Nothing but fixes goes together.
            let from_seq = row.seq.saturating_sub(message.last_n - message.first_n);
            let range = Range { epoch: row.epoch, from_seq, seq: row.seq };
            let seen = GivenUp { range, ts: message.ts, cause: message.cause };
            Some((message, seen))
        });
        Ok(known.collect())
    }

    fn forget_trouble(&mut self) -> Result<(), LogError> {
        if self.is_trouble_kept && self.outbox.trouble().is_none() {
            self.log.end_task(PUBLISH_TASK)?;
            self.is_trouble_kept = false;
        }
        Ok(())
    }
}

/// That what had kept anything from leaving is over.
fn resumed(trouble: &Trouble) -> Notice {
    Notice::Resumed { since: trouble.since, is_told: trouble.is_told }
}

/// The message that rows stand for, ready to be sent, and what it is known by.
fn message(
    job: &JobId,
    rows: &[Row],
    sending: Sending,
) -> (Ticket, Result<Option<(String, PublishBody)>, serde_json::Error>) {
    let first_n = rows.first().map_or(0, Row::first_n);
    let ticket = Ticket { first_n, last_n: rows.last().map_or(first_n, |row| row.n) };
    let message = event::message(job, rows, sending).and_then(|message| {
        message.map(|(channel, message)| Ok((channel, PublishBody::one(&message)?))).transpose()
    });
    (ticket, message)
}

/// The rows of what was set aside; nothing where they cannot all be read any more.
fn within(log: &impl Log, Resend { first_n, last_n, .. }: Resend) -> Result<Option<Vec<Row>>, LogError> {
    let mut rows: Vec<Row> = Vec::new();
    let mut after = first_n.saturating_sub(1);
    while after < last_n {
        let page = log.rows_after(after, ROWS_MAX)?;
        let Some(last) = page.last() else { break };
        after = last.n;
        rows.extend(page.into_iter().filter(|row| row.n <= last_n));
    }
    // What this build does not know it cannot send: were it passed over here, the outbox would go back to it.
    let can_be_sent = |row: &Row| row.is_readable() && row.content != Content::Unknown;
    let is_whole = rows.first().is_some_and(|row| row.begins_at(first_n) && can_be_sent(row))
        && rows.last().is_some_and(|row| row.n == last_n)
        && rows.iter().zip(rows.iter().skip(1)).all(|(before, row)| row.goes_with(before));
    Ok(Some(rows).filter(|_| is_whole))
}
