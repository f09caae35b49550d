//! The object that merges reports and publishes them: at most one message a minute and kind, whatever happens to how many jobs.
//!
//! - A report that was taken is on disk, and is told once: a report of the same object, kind and time is the same one.
//! - A message's name, data and id are written down as they are made, so that it is the same whenever it is sent again, and Ably
//!   recognises it.
//! - One message is in flight at a time. While none can leave, what comes is merged by object and kind, so what is kept stays bounded.

mod store;

#[cfg(test)]
pub(crate) mod tests;

use ably::rest::{ErrorClass, PublishBody, PublishError, PublishMessage};
use serde::Serialize;

use self::store::{Halt, Message, Store};
use super::{Kind, Report};
use crate::objects::backoff::{goes_on, wait};
use crate::objects::lines::{Level, Line, Lines};
use crate::objects::sql::{Sql, StorageError};
use crate::objects::{Cause, Millis};

/// So long after the first report of a kind its message is made: what breaks many jobs breaks them within moments.
const GATHER: Millis = 2_000;

/// Two messages of a kind are so far apart.
const APART: Millis = 60_000;

/// While a message is in flight, and after a storage that refuses, it looks again so much later: whatever becomes of the object.
const LATER: Millis = 30_000;

/// The most jobs that one message names: 60 KiB of them, of Ably's 64.
const NAMED_MAX: u32 = 150;

/// How often a message that is refused for a reason that nobody knows is sent, before it is the message that is to blame.
const UNKNOWN_MAX: u32 = 3;

/// What the desk needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Publish this on [`CHANNEL`](super::CHANNEL), then say how it went by [`Desk::published`] or [`Desk::failed`].
    Publish(Announcement),
    /// Ask again then, Unix milliseconds, or after the next report, or when what is in flight has ended.
    Wait(Millis),
    /// Ask again after the next report.
    Nothing,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// What is sent.
    pub body: PublishBody,
}

/// The data of a message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    /// When it was made, Unix milliseconds.
    ts: Millis,
    /// How many jobs it is about. The first of them are named.
    count: u64,
    jobs: Vec<Report>,
}

/// The desk.
#[derive(Debug)]
pub struct Desk<S> {
    store: Store<S>,
    in_flight: Option<u64>,
    /// Nothing leaves before this, since the storage has refused to note what became of the last one.
    not_before: Millis,
}

impl<S: Sql> Desk<S> {
    /// A desk over this storage, which may be empty.
    ///
    /// # Errors
    /// [`StorageError`], where the tables cannot be made.
    pub fn wake(sql: S) -> Result<Self, StorageError> {
        Ok(Self { store: Store::open(sql)?, in_flight: None, not_before: 0 })
    }

    /// Takes a report.
    ///
    /// # Errors
    /// [`StorageError`]: then it is not taken.
    pub fn take(&mut self, report: &Report, now: Millis) -> Result<(), StorageError> {
        self.store.take(report, now)
    }

    /// What is to be done now.
    ///
    /// # Errors
    /// [`StorageError`]
    pub fn next(&mut self, now: Millis) -> Result<Next, StorageError> {
        let until = self.not_before.min(now + LATER);
        if self.in_flight.is_some() {
            return Ok(Next::Wait(now + LATER));
        }
        if now < until {
            return Ok(Next::Wait(until));
        }
        let message = match self.store.message()? {
            Some(message) => message,
            None => match self.store.soonest(now)? {
                Some((kind, due)) if due <= now => self.make(&kind, now)?,
                soonest => {
                    let due = soonest.map(|(_, due)| due).into_iter().chain(self.store.forget(now)?).min();
                    return Ok(due.map_or(Next::Nothing, Next::Wait));
                }
            },
        };
        let until = self.store.halt()?.until;
        if goes_on(until, now) {
            return Ok(Next::Wait(until));
        }
        self.in_flight = Some(message.n);
        Ok(Next::Publish(Announcement { body: PublishBody::from_stored(message.body) }))
    }

    /// Makes the message of all that waits of a kind.
    fn make(&mut self, kind: &Kind, now: Millis) -> Result<Message, StorageError> {
        let (count, named) = self.store.of(kind, NAMED_MAX)?;
        let data = Data { ts: now, count, jobs: named };
        let n = self.store.last_n()? + 1;
        let body = serde_json::to_string(&data).and_then(|data| {
            PublishBody::one(&PublishMessage {
                id: format!("ops:{now}:{n}"),
                name: kind.as_str().to_owned(),
                data,
                encoding: Some("json".to_owned()),
            })
        });
        // With these types it is always writable; were it not, it must not stand in the way for ever.
        let body = body.map_or_else(|_| String::new(), |body| body.as_str().to_owned());
        let message = Message { n, body };
        self.store.made(&message, kind, now)?;
        Ok(message)
    }

    /// Notes that Ably has confirmed what is in flight. Gives the line of the log that this is worth.
    ///
    /// # Errors
    /// [`StorageError`]: then it may go out again, and Ably recognises it.
    pub fn published(&mut self, now: Millis, lines: &Lines) -> Result<Option<Line>, StorageError> {
        let Some(n) = self.in_flight.take() else { return Ok(None) };
        self.not_before = now + LATER;
        let halt = self.store.halt()?;
        self.store.done(n, now)?;
        self.not_before = 0;
        Ok((halt.failures > 0).then(|| lines.line(Level::Info, "ops_publish_resumed", Said::default())))
    }

    /// Notes that what is in flight has failed; `jitter` is random, from 0 to 1. Gives the line of the log that this is worth.
    ///
    /// # Errors
    /// [`StorageError`]: then it goes out again.
    pub fn failed(
        &mut self,
        error: &PublishError,
        now: Millis,
        jitter: f64,
        lines: &Lines,
    ) -> Result<Option<Line>, StorageError> {
        let Some(n) = self.in_flight.take() else { return Ok(None) };
        self.not_before = now + LATER;
        let cause = Cause::of(error);
        let before = self.store.halt()?;
        let is_new = before.cause.is_none_or(|before| before.class != cause.class);
        let failures = if is_new { 0 } else { before.failures };
        let is_refused = match error.class {
            ErrorClass::BlamesMessage => true,
            ErrorClass::Unknown => failures + 1 >= UNKNOWN_MAX,
            _ => false,
        };
        let said = |next, retry_at| Said { cause: Some(cause), next: Some(next), retry_at };
        if is_refused {
            self.store.done(n, now)?;
            self.not_before = 0;
            return Ok(Some(lines.line(Level::Error, "ops_publish_failed", said("Drop", None))));
        }
        let until = now + wait(error.class, failures, jitter);
        self.store.put_halt(&Halt { cause: Some(cause), failures: failures + 1, until })?;
        self.not_before = 0;
        let line = || lines.line(Level::Error, "ops_publish_failed", said("Retry", Some(until)));
        Ok(is_new.then(line))
    }
}

/// What a line says beside its code.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<Millis>,
}
