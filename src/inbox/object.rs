//! The object of one user: it takes notifications, and publishes them.
//!
//! What it keeps to:
//!
//! - **Once.** An id that was taken is recognised for as long as it waits, and for a day after Ably has confirmed it. What is answered is on
//!   disk, and what leaves again has the same bytes and the same id, by which Ably recognises it.
//! - **In order**, one message at a time, by the outbox that jobs have, and by its rules: what blames the message alone is dropped, so that
//!   its id may come again; whatever else is wrong holds all of them, and they go on by themselves.
//! - **Deleted once it is confirmed.** What stays is by what it is recognised, and after a day, within an hour, nothing: neither a table nor a
//!   counter. So `n` may begin again at 1, and no message's id is made of it alone.

use ably::rest::PublishBody;
use serde::{Deserialize, Serialize};

use super::notification::Notification;
use super::store::{Found, Store, row_of};
use crate::ids::UserId;
use crate::locations::alarm::{Alarm, TIMER_MAX};
use crate::locations::event;
use crate::locations::job::Notice;
use crate::locations::log::{Content, LogError, PUBLISH_TASK, Position, Row, Task};
use crate::locations::outbox::{News, Next, Outbox, ROWS_MAX, Verdict};
use crate::locations::{Need, Publication, Ticket};
use crate::objects::sql::Sql;
use crate::objects::{Cause, Class, Failure, Millis};
use crate::operations::{Queue, Report};

#[cfg(test)]
pub(crate) mod tests;

/// The most notifications that wait for Ably.
const WAITING_MAX: u64 = 10_000;

/// So long one is recognised after Ably has confirmed it.
const KEPT: Millis = 86_400_000;

/// What has had its time goes so much later, together with all else that has: each time costs rows.
const GATHER: Millis = 3_600_000;

/// What is asked of a user's object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Whose object this is.
    pub user: UserId,
    /// What they are told.
    pub notification: Notification,
}

/// What has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Taken {
    /// It is taken, and leaves by itself.
    Accepted,
    /// It was taken before.
    Duplicate,
    /// One with this id was, and says something else.
    IdReused,
    /// Too many wait for Ably.
    Backlog,
}

/// What an object is to know of itself.
#[derive(Debug, Clone)]
pub struct Settings {
    /// By it operators know the object: its id.
    pub reference: String,
    /// The least time between two publishes.
    pub spacing: Millis,
}

/// The notifications of one user.
#[derive(Debug)]
pub struct Inbox<S> {
    store: Store<S>,
    settings: Settings,
    last_n: u64,
    /// When the last one was accepted. It never goes back, whatever our clock does.
    ts: Option<Millis>,
    /// Up to here nothing is left to be noted of what Ably has confirmed.
    noted: u64,
    /// When the oldest of what is still recognised was confirmed.
    oldest: Option<Millis>,
    outbox: Outbox,
    alarm: Alarm,
    /// Whether it is written down why the outbox waits.
    is_trouble_kept: bool,
    notices: Vec<Notice>,
    reports: Queue,
}

impl<S: Sql> Inbox<S> {
    /// Wakes it from its storage, which may be empty. Nothing is made.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn wake(sql: S, settings: Settings) -> Result<Self, LogError> {
        let (store, Found { last_n, ts, sent, oldest, tasks }) = Store::wake(sql)?;
        let outbox = Outbox::resume(Position { sent, infl: None }, last_n, &tasks);
        let is_trouble_kept = outbox.trouble().is_some();
        let reports = Queue::resume(tasks.into_iter().filter_map(|(_, task)| task.report()).collect());
        let (alarm, notices) = (Alarm::default(), Vec::new());
        Ok(Self {
            store,
            settings,
            last_n,
            ts,
            noted: sent,
            oldest,
            outbox,
            alarm,
            is_trouble_kept,
            notices,
            reports,
        })
    }

    /// Takes a notification at `now`, Unix milliseconds.
    ///
    /// # Errors
    /// [`LogError`]: then it is not taken.
    pub fn take(&mut self, request: &Request, now: Millis) -> Result<Taken, LogError> {
        let Request { user, notification } = request;
        let print = notification.print();
        // Before all else: whoever repeats what was taken is told so, however much waits.
        if let Some(known) = self.store.print_of(&notification.id)? {
            return Ok(if known == print { Taken::Duplicate } else { Taken::IdReused });
        }
        if self.outbox.waiting() >= WAITING_MAX {
            return Ok(Taken::Backlog);
        }
        let (n, ts) = (self.last_n + 1, self.ts.map_or(now, |ts| ts.max(now)));
        let ready = notification.ready(user, n, ts).map_err(|_| LogError::Damaged("a message to be"))?;
        self.store.append((n, ts), &notification.id, print, &ready)?;
        (self.last_n, self.ts) = (n, Some(ts));
        let position = self.outbox.position_with(n, now);
        self.outbox.push(row_of(n, ts, Content::Message(ready)), position);
        self.alarm.posted(now);
        Ok(Taken::Accepted)
    }

    /// What the outbox needs at `now`.
    ///
    /// # Errors
    /// [`LogError`], where what waits cannot be read, or what was confirmed not be noted.
    pub fn next(&mut self, now: Millis) -> Result<Need, LogError> {
        loop {
            let (n, message) = match self.outbox.next(now) {
                Next::Publish([row]) => (row.n, message(row)),
                Next::PassOver(places) => {
                    let (first_n, last_n) = (*places.start(), *places.end());
                    self.drop_message(first_n, last_n, now)?;
                    self.outbox.passed_over(&places);
                    self.tell(Notice::GivenUp { n: last_n, cause: Cause::DAMAGED }, now)?;
                    continue;
                }
                Next::Read { after } => {
                    let rows = self.store.rows_after(after, ROWS_MAX)?;
                    self.outbox.refill(rows);
                    continue;
                }
                Next::Save(_) => {
                    self.note_confirmed(now)?;
                    continue;
                }
                // What takes longer is the alarm's.
                Next::Wait { until } if until <= now + TIMER_MAX => return Ok(Need::Wait { until }),
                // Nothing goes together here, and nothing is sent once more that was given up.
                Next::Wait { .. } | Next::Idle | Next::Publish(_) | Next::Resend(_) => {
                    return Ok(Need::Nothing);
                }
            };
            let ticket = Ticket::of_row(n);
            if let Some((channel, body)) = message {
                self.outbox.leaves(body.as_str().len(), self.settings.spacing, now);
                return Ok(Need::Publish(Publication { ticket, channel, body }));
            }
            // It would never go, and those behind it must.
            self.outbox.leaves(0, self.settings.spacing, now);
            let cause = Cause { class: Class::Message, ..Cause::UNANSWERED };
            self.failed(ticket, Failure::of(cause), now, 0.0)?;
        }
    }

    /// Notes that Ably has confirmed what was published.
    ///
    /// # Errors
    /// [`LogError`], where that cannot be written down: then it may go out again, and Ably recognises it.
    pub fn published(&mut self, now: Millis) -> Result<(), LogError> {
        // All of it is tried, whatever the storage says to the first.
        let over = self.outbox.published(now);
        let told = over.map_or(Ok(()), |trouble| self.tell(Notice::resumed(&trouble), now));
        let noted = self.note_confirmed(now);
        told.and(noted).and(self.forget_trouble())
    }

    /// Notes that what was published has failed; `jitter` is random, from 0 to 1.
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
        let (n, cause) = (ticket.last_n(), failure.cause);
        match self.outbox.failed(failure, now, jitter) {
            Verdict::SetAside => {
                if let Err(error) = self.drop_message(n, n, now) {
                    self.outbox.not_given_up(now);
                    return Err(error);
                }
                let over = self.outbox.given_up();
                let told = self.tell(Notice::GivenUp { n, cause }, now);
                let over = over.map_or(Ok(()), |trouble| self.tell(Notice::resumed(&trouble), now));
                told.and(over).and(self.forget_trouble())
            }
            Verdict::Retry { at, news } => {
                let told = match news {
                    Some(News::Begins) => self.tell(Notice::Waits { n, cause, retry_at: at }, now),
                    Some(News::Lasts { since }) => self.tell(Notice::Lasts { cause, since }, now),
                    None => Ok(()),
                };
                // A wait that outlasts this life of the object has to be known to the next.
                if let Some(trouble) = self.outbox.trouble().filter(|_| at > now + TIMER_MAX) {
                    self.store.put_task(PUBLISH_TASK, &Task::Publish(trouble.clone()))?;
                    self.is_trouble_kept = true;
                }
                told
            }
        }
    }

    /// Does what is left for when the alarm goes off. [`next`](Self::next) comes after it, and then [`arm`](Self::arm).
    ///
    /// # Errors
    /// [`LogError`]
    pub fn alarm(&mut self, now: Millis) -> Result<(), LogError> {
        // First: whatever fails here, it is armed again.
        self.alarm.went_off(now);
        self.note_confirmed(now)?;
        if self.sweep_due().is_some_and(|due| due <= now) {
            self.store.sweep(now - KEPT)?;
            self.oldest = self.store.oldest()?;
        }
        let is_idle = self.outbox.due().is_none() && self.reports.is_empty() && !self.is_trouble_kept;
        if is_idle && self.oldest.is_none() { self.store.clear() } else { Ok(()) }
    }

    /// To be called at the end of each turn: for when the alarm is to be set, where it is to be set now.
    pub fn arm(&mut self, now: Millis) -> Option<Millis> {
        let due = self.outbox.due().into_iter().chain(self.reports.due(now)).min();
        self.alarm.arm(due, self.sweep_due(), now)
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
        let ended = self.reports.in_flight().map_or(Ok(()), |id| self.store.end_task(id));
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

    /// When there is something that is not recognised any more.
    fn sweep_due(&self) -> Option<Millis> {
        self.oldest.map(|oldest| oldest + KEPT + GATHER)
    }

    /// Writes down what Ably has confirmed. There is nothing else of the outbox's position to be kept here.
    fn note_confirmed(&mut self, now: Millis) -> Result<(), LogError> {
        let sent = self.outbox.position().sent;
        if self.noted < sent {
            self.store.confirm(self.noted, sent, now)?;
            self.noted = sent;
            self.oldest.get_or_insert(now);
        }
        self.outbox.saved();
        Ok(())
    }

    /// Forgets what cannot leave, which is the next: whoever sends it again may mend it.
    fn drop_message(&mut self, first_n: u64, last_n: u64, now: Millis) -> Result<(), LogError> {
        self.note_confirmed(now)?;
        self.store.remove(first_n, last_n)?;
        self.noted = last_n;
        Ok(())
    }

    /// Notes what there is to tell: in the log, and to operators where they should know. It names nobody.
    fn tell(&mut self, notice: Notice, now: Millis) -> Result<(), LogError> {
        self.notices.push(notice);
        let Some((kind, since, cause)) = notice.reported() else { return Ok(()) };
        let r#ref = self.settings.reference.clone();
        let report = Report { kind, job_id: None, r#ref, at: now, since, cause, times: 1 };
        let queued = self.reports.push(report, now);
        self.store.put_task(queued.id, &Task::Report(queued))
    }

    fn forget_trouble(&mut self) -> Result<(), LogError> {
        if self.is_trouble_kept && self.outbox.trouble().is_none() {
            self.store.end_task(PUBLISH_TASK)?;
            self.is_trouble_kept = false;
        }
        Ok(())
    }
}

/// What a row says, ready to be sent: the channel and the body.
fn message(row: &Row) -> Option<(String, PublishBody)> {
    let Content::Message(ready) = &row.content else { return None };
    let (channel, message) = event::as_it_is(ready);
    Some((channel, PublishBody::one(&message).ok()?))
}
