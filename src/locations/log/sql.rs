//! The log over SQLite, as a Durable Object has it.
//!
//! Five columns and one row a post, because rows written are what storage costs, in time and in money. The position of
//! the outbox rides on each row; only one that moves later, when no row follows soon, updates the single row of `meta`.

use thiserror::Error;

use super::{Body, Life, Log, LogError, Position, Row, Sought, Waking};
use crate::ids::JobId;

#[cfg(test)]
pub(in crate::locations) mod tests;

/// What `meta.version` says of the tables below.
const VERSION: i64 = 1;

/// A value in SQLite. Workers hands integers over as floats, exactly up to 2^53, so a `Real` with no fraction reads as
/// an integer too.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    /// `NULL`.
    Null,
    /// An integer within ±2^53.
    Integer(i64),
    /// A float.
    Real(f64),
    /// Text.
    Text(String),
}

/// What the storage says when it refuses. For our own log, never for a caller.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SqlError(pub String);

/// A Durable Object's SQL, as much of it as is needed.
pub trait Sql {
    /// Runs one statement to its end, and gives all its rows.
    ///
    /// # Errors
    /// [`SqlError`], with the storage's own words; the statement has then changed nothing.
    fn exec(&self, statement: &'static str, params: Vec<SqlValue>) -> Result<Vec<Vec<SqlValue>>, SqlError>;
}

/// Each statement is a constant, so that an adapter may know it by its address.
mod statement {
    /// SQLite's own table: reading `meta` where there is none is an error.
    pub(super) const HAS_META: &str = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'";
    pub(super) const CREATE_META: &str = "CREATE TABLE IF NOT EXISTS meta (\
        id INTEGER PRIMARY KEY CHECK (id = 0), version INTEGER NOT NULL, job TEXT NOT NULL, \
        epoch INTEGER NOT NULL, sent INTEGER NOT NULL, infl INTEGER)";
    pub(super) const CREATE_LOG: &str = "CREATE TABLE IF NOT EXISTS log (\
        seq INTEGER PRIMARY KEY, cap INTEGER, body TEXT NOT NULL, sent INTEGER NOT NULL, infl INTEGER)";
    pub(super) const BEGIN: &str = "INSERT INTO meta (id, version, job, epoch, sent) VALUES (0, ?, ?, ?, 0) \
        ON CONFLICT (id) DO UPDATE SET version = excluded.version, job = excluded.job, epoch = excluded.epoch, \
        sent = 0, infl = NULL";
    pub(super) const META: &str = "SELECT version, job, epoch, sent, infl FROM meta";
    pub(super) const LAST: &str = "SELECT seq, cap, body, sent, infl FROM log ORDER BY seq DESC LIMIT 1";
    pub(super) const APPEND: &str = "INSERT INTO log (seq, cap, body, sent, infl) VALUES (?, ?, ?, ?, ?)";
    pub(super) const CONFIRM: &str = "UPDATE meta SET sent = ?, infl = ?";
    pub(super) const AFTER: &str = "SELECT seq, cap, body FROM log WHERE seq > ? ORDER BY seq LIMIT ?";
    /// It reads the log once, however many are sought: both lists become temporary indexes. What costs is parsing JSON,
    /// so most fixes are done with after one element; and the driver, who is nearly always the same, is left to the
    /// caller.
    pub(super) const FIND: &str = "SELECT seq, cap, body FROM log \
        WHERE (?1 IS NULL OR cap >= ?1) AND EXISTS (\
            SELECT 1 FROM json_each(body, '$.fixes') AS fix WHERE \
            (?2 <> '[]' AND fix.value ->> 3 IN (SELECT value FROM json_each(?2))) \
            OR (?3 <> '[]' AND fix.value ->> 0 IN (SELECT value ->> 0 FROM json_each(?3)) \
                AND (fix.value ->> 0, fix.value ->> 1, fix.value ->> 2) \
                    IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?3)))) \
        ORDER BY seq";
}

/// The log over a Durable Object's SQL.
#[derive(Debug)]
pub struct SqlLog<S>(S);

impl<S: Sql> SqlLog<S> {
    /// The log in this storage, which may be empty; nothing is read or written yet.
    pub fn new(sql: S) -> Self {
        Self(sql)
    }

    fn rows(&self, statement: &'static str, params: Vec<SqlValue>) -> Result<Vec<Row>, LogError> {
        self.0.exec(statement, params)?.into_iter().map(|row| Record::new(row).row()).collect()
    }
}

impl<S: Sql> Log for SqlLog<S> {
    fn wake(&self) -> Result<Waking, LogError> {
        if self.0.exec(statement::HAS_META, vec![])?.is_empty() {
            return Ok(Waking::Untouched);
        }
        let Some(meta) = self.0.exec(statement::META, vec![])?.into_iter().next() else {
            return Ok(Waking::Untouched);
        };
        let mut meta = Record::new(meta);
        let version = meta.integer("meta.version")?;
        if version != VERSION {
            return Err(LogError::Version(version));
        }
        let job = JobId::parse(meta.text("meta.job")?).map_err(|_| LogError::Damaged("meta.job"))?;
        let epoch = meta.count("meta.epoch")?;
        let confirmed = meta.position()?;
        let Some(last) = self.0.exec(statement::LAST, vec![])?.into_iter().next() else {
            return Ok(Waking::Ended { epoch });
        };
        let mut record = Record::new(last);
        let last = record.row()?;
        let ridden = record.position()?;
        let position = if confirmed.sent > ridden.sent { confirmed } else { ridden };
        Ok(Waking::Alive { life: Life { job, epoch }, last: Box::new(last), position })
    }

    fn begin(&mut self, life: &Life) -> Result<(), LogError> {
        self.0.exec(statement::CREATE_META, vec![])?;
        self.0.exec(statement::CREATE_LOG, vec![])?;
        let job = SqlValue::Text(life.job.as_str().to_owned());
        self.0.exec(statement::BEGIN, vec![SqlValue::Integer(VERSION), job, count(life.epoch)])?;
        Ok(())
    }

    fn append(&mut self, row: &Row, position: Position) -> Result<(), LogError> {
        let body = serde_json::to_string(&row.body).map_err(|_| LogError::Damaged("a row to be"))?;
        let cap = row.cap.map_or(SqlValue::Null, SqlValue::Integer);
        let [sent, infl] = columns(position);
        self.0.exec(statement::APPEND, vec![count(row.seq), cap, SqlValue::Text(body), sent, infl])?;
        Ok(())
    }

    fn confirm(&mut self, position: Position) -> Result<(), LogError> {
        self.0.exec(statement::CONFIRM, columns(position).into())?;
        Ok(())
    }

    fn find(&self, sought: &Sought<'_>) -> Result<Vec<Row>, LogError> {
        let json = |list: serde_json::Result<String>| {
            list.map(SqlValue::Text).map_err(|_| LogError::Damaged("what is sought"))
        };
        let params = vec![
            sought.since().map_or(SqlValue::Null, SqlValue::Integer),
            json(serde_json::to_string(&sought.ids))?,
            json(serde_json::to_string(&sought.places))?,
        ];
        self.rows(statement::FIND, params)
    }

    fn rows_after(&self, seq: u64, limit: u32) -> Result<Vec<Row>, LogError> {
        self.rows(statement::AFTER, vec![count(seq), SqlValue::Integer(limit.into())])
    }
}

fn count(value: u64) -> SqlValue {
    // A seq or an epoch is far below 2^53, let alone 2^63.
    SqlValue::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn columns(position: Position) -> [SqlValue; 2] {
    [count(position.sent), position.infl.map_or(SqlValue::Null, count)]
}

/// The columns of one result row, read from left to right.
struct Record(std::vec::IntoIter<SqlValue>);

impl Record {
    fn new(row: Vec<SqlValue>) -> Self {
        Self(row.into_iter())
    }

    fn integer_or_null(&mut self, name: &'static str) -> Result<Option<i64>, LogError> {
        match self.0.next() {
            Some(SqlValue::Null) => Ok(None),
            Some(SqlValue::Integer(value)) => Ok(Some(value)),
            Some(SqlValue::Real(value)) if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 => {
                Ok(Some(value as i64))
            }
            _ => Err(LogError::Damaged(name)),
        }
    }

    fn integer(&mut self, name: &'static str) -> Result<i64, LogError> {
        self.integer_or_null(name)?.ok_or(LogError::Damaged(name))
    }

    fn count(&mut self, name: &'static str) -> Result<u64, LogError> {
        u64::try_from(self.integer(name)?).map_err(|_| LogError::Damaged(name))
    }

    fn text(&mut self, name: &'static str) -> Result<String, LogError> {
        match self.0.next() {
            Some(SqlValue::Text(text)) => Ok(text),
            _ => Err(LogError::Damaged(name)),
        }
    }

    /// `seq, cap, body`.
    fn row(&mut self) -> Result<Row, LogError> {
        let seq = self.count("log.seq")?;
        let cap = self.integer_or_null("log.cap")?;
        let body: Body =
            serde_json::from_str(&self.text("log.body")?).map_err(|_| LogError::Damaged("log.body"))?;
        let fixes = body.fixes.len() as u64;
        if fixes == 0 || fixes > seq || body.live > seq {
            return Err(LogError::Damaged("log.body"));
        }
        Ok(Row { seq, cap, body })
    }

    /// `sent, infl`.
    fn position(&mut self) -> Result<Position, LogError> {
        let sent = self.count("sent")?;
        let infl = self.integer_or_null("infl")?.map(u64::try_from).transpose();
        Ok(Position { sent, infl: infl.map_err(|_| LogError::Damaged("infl"))? })
    }
}
