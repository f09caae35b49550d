//! The object of one list: which jobs are in it, and what is told of each.
//!
//! What it keeps to:
//!
//! - **The latest counts**, in whatever order and however often it is told: by the `rev` of each job.
//! - **What is removed stays so.** A tombstone is kept for so long that nothing older can come any more; then it goes too, and with it the
//!   job's name.
//! - **Nothing is made before the first change**: to read a list that there is not costs nothing.

#[cfg(test)]
pub(crate) mod tests;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::change::{Change, Entry};
use crate::ids::{DispatchId, JobId};
use crate::objects::Millis;
use crate::objects::sql::{Record, Sql, SqlValue, Statement, StorageError, Unreadable, count};

/// So long a tombstone is kept, and a job that should have ended: whoever tells a list of a change gives up and asks anew long before.
const KEPT: Millis = 3_600_000;

/// What has had its time goes so much later, together with all else that has: each time costs a row.
const GATHER: Millis = 600_000;

const TABLE: Statement = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'jobs'";
/// `until` is when a job ends by itself, or, without anything to tell of it, when its tombstone may go. One row a change: the key is the
/// table itself, and there is no other index.
const CREATE: Statement = "CREATE TABLE IF NOT EXISTS jobs (job TEXT PRIMARY KEY, rev INTEGER NOT NULL, \
    until INTEGER NOT NULL, dispatch TEXT, told TEXT) WITHOUT ROWID";
const CHANGE: Statement = "INSERT INTO jobs (job, rev, until, dispatch, told) VALUES (?, ?, ?, ?, ?) \
    ON CONFLICT (job) DO UPDATE SET rev = excluded.rev, until = excluded.until, dispatch = excluded.dispatch, \
    told = excluded.told WHERE excluded.rev > rev";
const PAGE: Statement = "SELECT job, told FROM jobs WHERE job > ? AND told IS NOT NULL AND until > ? \
    AND dispatch IS ifnull(?, dispatch) ORDER BY job LIMIT ?";
const OLDEST: Statement = "SELECT min(until) FROM jobs WHERE told IS NULL";
const SWEEP: Statement = "DELETE FROM jobs WHERE until <= CASE WHEN told IS NULL THEN ? ELSE ? END";

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// The last job of the page before.
    #[serde(default)]
    pub after: Option<JobId>,
    /// The most jobs of a page.
    pub limit: u32,
    /// Only those of this dispatch.
    #[serde(default)]
    pub dispatch_id: Option<DispatchId>,
}

/// A page of a list, by the ids of the jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What is told of each job, as JSON, in the order of the jobs' ids.
    pub jobs: Vec<String>,
    /// The last of them; nothing where no other comes after it.
    pub next: Option<String>,
}

impl Listed {
    /// `{jobs, next}`, as JSON.
    ///
    /// # Errors
    /// Where it cannot be written; with these types that does not happen.
    pub fn into_text(self) -> serde_json::Result<String> {
        Ok(format!(r#"{{"jobs":[{}],"next":{}}}"#, self.jobs.join(","), serde_json::to_string(&self.next)?))
    }
}

/// Why a list cannot be read. For our own log, never for a caller.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ListError {
    /// The storage refused.
    #[error("storage: {0}")]
    Storage(#[from] StorageError),
    /// What was read is not what is ever written.
    #[error("the list is damaged: {0}")]
    Damaged(&'static str),
}

impl From<Unreadable> for ListError {
    fn from(Unreadable(column): Unreadable) -> Self {
        Self::Damaged(column)
    }
}

/// The object of a list.
#[derive(Debug)]
pub struct Lists<S> {
    sql: S,
    /// Whether there is a table.
    is_made: bool,
    /// When the oldest tombstone may go, as far as that was asked: nothing where there is none.
    oldest: Option<Option<Millis>>,
}

impl<S: Sql> Lists<S> {
    /// The list in this storage, which may be empty. Nothing is made.
    ///
    /// # Errors
    /// [`ListError`]
    pub fn wake(sql: S) -> Result<Self, ListError> {
        let is_made = !sql.exec(TABLE, vec![])?.is_empty();
        Ok(Self { sql, is_made, oldest: None })
    }

    /// Takes how a job is, unless it is known already how it was later than that.
    ///
    /// # Errors
    /// [`ListError`]: then it is not taken.
    pub fn change(&mut self, change: &Change, now: Millis) -> Result<(), ListError> {
        if !self.is_made {
            self.sql.exec(CREATE, vec![])?;
            self.is_made = true;
        }
        let (until, dispatch, told) = match &change.entry {
            Some(Entry { ends_at, dispatch_id, told }) => {
                (*ends_at, text(dispatch_id.as_ref().map(DispatchId::as_str)), text(Some(told)))
            }
            None => (now + KEPT, SqlValue::Null, SqlValue::Null),
        };
        let job = text(Some(change.job.as_str()));
        self.sql.exec(CHANGE, vec![job, count(change.rev), SqlValue::Integer(until), dispatch, told])?;
        // Those that were there before it may go before it.
        if change.entry.is_none() && self.oldest == Some(None) {
            self.oldest = Some(Some(until));
        }
        Ok(())
    }

    /// A page of the jobs that go on at `now`.
    ///
    /// # Errors
    /// [`ListError`]
    pub fn page(&self, wanted: &Wanted, now: Millis) -> Result<Listed, ListError> {
        let Wanted { after, limit, dispatch_id } = wanted;
        if !self.is_made {
            return Ok(Listed { jobs: Vec::new(), next: None });
        }
        let values = vec![
            text(Some(after.as_ref().map_or("", JobId::as_str))),
            SqlValue::Integer(now),
            text(dispatch_id.as_ref().map(DispatchId::as_str)),
            // One more: by it we know whether there are others.
            SqlValue::Integer(i64::from(*limit) + 1),
        ];
        let (mut jobs, mut last, mut next) = (Vec::new(), None, None);
        for row in self.sql.exec(PAGE, values)? {
            if jobs.len() >= *limit as usize {
                next = last;
                break;
            }
            let mut record = Record::new(row);
            last = Some(record.text("jobs.job")?);
            jobs.push(record.text("jobs.told")?);
        }
        Ok(Listed { jobs, next })
    }

    /// When there is something to [`sweep`](Self::sweep), if there ever is. It is asked for after each change.
    ///
    /// # Errors
    /// [`ListError`]
    pub fn due(&mut self) -> Result<Option<Millis>, ListError> {
        let oldest = match self.oldest {
            Some(oldest) => oldest,
            None if self.is_made => {
                let row = self.sql.exec(OLDEST, vec![])?.into_iter().next().unwrap_or_default();
                Record::new(row).integer_or_null("jobs.until")?
            }
            None => None,
        };
        self.oldest = Some(oldest);
        Ok(oldest.map(|oldest| oldest + GATHER))
    }

    /// Forgets what has had its time.
    ///
    /// # Errors
    /// [`ListError`]
    pub fn sweep(&mut self, now: Millis) -> Result<(), ListError> {
        if self.is_made {
            self.oldest = None;
            self.sql.exec(SWEEP, vec![SqlValue::Integer(now), SqlValue::Integer(now - KEPT)])?;
        }
        Ok(())
    }
}

fn text(text: Option<&str>) -> SqlValue {
    text.map_or(SqlValue::Null, |text| SqlValue::Text(text.to_owned()))
}
