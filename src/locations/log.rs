//! What a job keeps: a log of one row a post, and how far Ably has confirmed it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::clock::{Clock, Measured};
use super::sequence::Ahead;
use super::{Fix, Millis};
use crate::ids::{JobId, UserId};

pub mod sql;

#[cfg(test)]
pub(super) mod memory;

/// Which life of which job's sequence the log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// The job.
    pub job: JobId,
    /// The Unix time in seconds at which this life began, or one more than the epoch before, whichever is later.
    pub epoch: u64,
}

/// The accepted fixes of one post: one row of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The seq of the last of its fixes. The others count down from it.
    pub seq: u64,
    /// The latest `capturedAt`, as sent, in this and all earlier rows. A fix without an `id` that was measured later than
    /// that cannot be a duplicate.
    pub cap: Option<Millis>,
    /// The rest, as JSON.
    pub body: Body,
}

/// What a row keeps as JSON. `fixes` are also read by the log's SQL. Fields are added without a rewrite: one that is not there
/// says what it says by its absence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    /// When the post was accepted. It never decreases from one row to the next.
    pub ts: Millis,
    /// Our clock at the acceptance, where that is not `ts`: it has gone back by more than a little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Millis>,
    /// Our clock less the phone's, where the post said what the phone's was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<Millis>,
    /// Whose fixes these are.
    pub driver: UserId,
    /// The seq of the last live fix up to the end of this row.
    pub live: u64,
    /// The seq of the last live fix whose clock is not ahead, where that is not `live`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<u64>,
    /// The last live fix of each driver whose clock was ahead within the last minute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ahead: Vec<(UserId, Ahead)>,
    /// The fixes in the order of their seqs; never empty.
    pub fixes: Vec<Fix>,
    /// The times of those fixes that were not measured when the phone says, in the order of the fixes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<Time>,
}

/// When a fix was measured, where that is not when the phone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Time {
    /// Which of the row's fixes, from 0.
    pub fix: usize,
    /// What is wrong with the phone's clock.
    pub clock: Clock,
    /// As [`Measured::captured_at`].
    pub captured_at: Millis,
    /// As [`Measured::effective`].
    pub effective: Millis,
}

impl Time {
    /// What is to be kept of the time of the fix at `index`.
    pub fn kept(index: usize, measured: Measured) -> Option<Self> {
        let Measured { effective, captured_at, clock } = measured;
        clock.map(|clock| Self { fix: index, clock, captured_at, effective })
    }
}

impl Body {
    /// Our clock at the acceptance.
    pub fn at(&self) -> Millis {
        self.at.unwrap_or(self.ts)
    }

    /// When the fix at `index` was measured.
    fn measured(&self, index: usize, fix: &Fix) -> Measured {
        let time = self.times.binary_search_by_key(&index, |time| time.fix).ok();
        match time.and_then(|at| self.times.get(at)) {
            Some(&Time { clock, captured_at, effective, .. }) => {
                Measured { effective, captured_at, clock: Some(clock) }
            }
            None => Measured::as_said(fix.captured_at(), self.at()),
        }
    }
}

impl Row {
    /// The seq of the first of its fixes.
    pub fn first_seq(&self) -> u64 {
        (self.seq + 1).saturating_sub(self.body.fixes.len() as u64)
    }

    /// Its fixes with their seqs and times, in order.
    pub fn fixes(&self) -> impl Iterator<Item = (u64, &Fix, Measured)> {
        let fixes = self.body.fixes.iter().enumerate();
        (self.first_seq()..).zip(fixes).map(|(seq, (index, fix))| (seq, fix, self.body.measured(index, fix)))
    }

    /// The fix that has this seq, and when it was measured, if it is in this row.
    pub fn fix(&self, seq: u64) -> Option<(&Fix, Measured)> {
        let index = usize::try_from(seq.checked_sub(self.first_seq())?).ok()?;
        let fix = self.body.fixes.get(index)?;
        Some((fix, self.body.measured(index, fix)))
    }

    /// The seq of the newest live fix of this row, if any of it is live.
    pub fn head(&self) -> Option<u64> {
        Some(self.body.live).filter(|live| *live >= self.first_seq())
    }
}

/// How far the outbox has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Every seq up to this one has been confirmed by Ably, or set aside.
    pub sent: u64,
    /// The last seq of the message that was in flight, if one was. Whatever is published next ends at the same seq, so
    /// that it is the same message.
    pub infl: Option<u64>,
}

/// What a job's object finds when it wakes.
#[derive(Debug, Clone, PartialEq)]
pub enum Waking {
    /// Nothing was ever accepted.
    Untouched,
    /// There was a life, and its rows are gone.
    Ended {
        /// The epoch that the next one must exceed.
        epoch: u64,
    },
    /// A life with at least one row.
    Alive {
        /// Which.
        life: Life,
        /// Its last row.
        last: Box<Row>,
        /// How far Ably has confirmed it, as far as that was written down.
        position: Position,
    },
}

/// Fixes that may have been accepted before. All are looked up together, since each look-up may read the whole log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sought<'a> {
    /// Fixes by their ids.
    pub ids: Vec<&'a str>,
    /// Fixes by `capturedAt`, `lat` and `lng`.
    pub places: Vec<(Millis, f64, f64)>,
}

impl Sought<'_> {
    /// Whether there is nothing to look up.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.places.is_empty()
    }

    /// Rows whose [`cap`](Row::cap) is earlier hold none of them; none where every row might.
    pub fn since(&self) -> Option<Millis> {
        if self.ids.is_empty() {
            self.places.iter().map(|(captured_at, ..)| *captured_at).min()
        } else {
            None
        }
    }
}

/// Why the log cannot be read or written. For our own log, never for a caller.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LogError {
    /// The storage refused.
    #[error("storage: {0}")]
    Storage(#[from] sql::SqlError),
    /// A newer version of this service has written it.
    #[error("the log has schema version {0}, which this build does not know")]
    Version(i64),
    /// What was read is not what is ever written.
    #[error("the log is damaged: {0}")]
    Damaged(&'static str),
    /// The object of one job was asked about another.
    #[error("this object is another job's")]
    OtherJob,
}

impl LogError {
    /// The stable code under which it is logged.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Storage(_) => "storage_failed",
            Self::Version(_) => "storage_newer",
            Self::Damaged(_) => "storage_damaged",
            Self::OtherJob => "storage_foreign",
        }
    }
}

/// What a job is kept in. All of it is synchronous: writes with nothing awaited between them become durable together.
pub trait Log {
    /// Reads what is needed to go on. Creates nothing.
    ///
    /// # Errors
    /// [`LogError`]
    fn wake(&self) -> Result<Waking, LogError>;

    /// Begins a life: makes the tables where there are none. [`append`](Log::append) follows at once.
    ///
    /// # Errors
    /// [`LogError`]; what was written until then does not count as a life.
    fn begin(&mut self, life: &Life) -> Result<(), LogError>;

    /// Adds a row and, with it, how far the outbox has come.
    ///
    /// # Errors
    /// [`LogError`]; the row is not there then.
    fn append(&mut self, row: &Row, position: Position) -> Result<(), LogError>;

    /// Writes down how far the outbox has come, without a row.
    ///
    /// # Errors
    /// [`LogError`]
    fn confirm(&mut self, position: Position) -> Result<(), LogError>;

    /// The rows that hold any of the fixes sought, whoever posted them, in order.
    ///
    /// # Errors
    /// [`LogError`]
    fn find(&self, sought: &Sought<'_>) -> Result<Vec<Row>, LogError>;

    /// At most `limit` rows with fixes after this seq, in order.
    ///
    /// # Errors
    /// [`LogError`]
    fn rows_after(&self, seq: u64, limit: u32) -> Result<Vec<Row>, LogError>;
}
