//! What the desk keeps, as rows of SQL. Whatever cannot be read there is as if it had never been written: nothing of it is worth that
//! operators hear nothing any more.

use super::Report;
use crate::objects::sql::{Record, Sql, SqlValue, Statement, StorageError, Unreadable, count};
use crate::objects::{Cause, Millis};
use crate::operations::Kind;

const CREATE: [Statement; 5] = [
    // What was reported last, by kind and object. `waits` is since when it waits for its message: nothing where that is made, at `told`.
    "CREATE TABLE IF NOT EXISTS reports (kind TEXT NOT NULL, ref TEXT NOT NULL, at INTEGER NOT NULL, \
        waits INTEGER, told INTEGER, times INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, ref)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS waiting ON reports (kind, waits) WHERE waits IS NOT NULL",
    // The messages, without a body once Ably has taken them: the last one of a kind says when the next may be made.
    "CREATE TABLE IF NOT EXISTS messages (n INTEGER PRIMARY KEY, kind TEXT NOT NULL, made INTEGER NOT NULL, body TEXT)",
    // With the message: whatever fails, a report is not told twice.
    "CREATE TRIGGER IF NOT EXISTS made AFTER INSERT ON messages BEGIN \
        UPDATE reports SET waits = NULL, told = new.made WHERE kind = new.kind AND waits IS NOT NULL; END",
    "CREATE TABLE IF NOT EXISTS halt (id INTEGER PRIMARY KEY CHECK (id = 0), cause TEXT NOT NULL, \
        failures INTEGER NOT NULL, until INTEGER NOT NULL)",
];

/// A report that was taken before changes nothing; one that waits is merged with the newer one.
const TAKE: Statement = "INSERT INTO reports (kind, ref, at, waits, times, body) VALUES (?, ?, ?, ?, ?, ?) \
    ON CONFLICT (kind, ref) DO UPDATE SET at = excluded.at, waits = ifnull(waits, excluded.waits), \
    times = CASE WHEN waits IS NULL THEN excluded.times ELSE times + excluded.times END, body = excluded.body WHERE at <> excluded.at";
const WAITING: Statement = "SELECT kind, min(waits), \
    (SELECT max(made) FROM messages WHERE messages.kind = reports.kind AND made <= ?) FROM reports WHERE waits IS NOT NULL GROUP BY kind";
const COUNT: Statement = "SELECT count(*) FROM reports WHERE kind = ? AND waits IS NOT NULL";
const NAMED: Statement =
    "SELECT times, body FROM reports WHERE kind = ? AND waits IS NOT NULL ORDER BY waits, ref LIMIT ?";
const MAKE: Statement = "INSERT INTO messages (n, kind, made, body) VALUES (?, ?, ?, ?)";
const LAST: Statement = "SELECT max(n) FROM messages";
const FIRST: Statement = "SELECT n, body FROM messages WHERE body IS NOT NULL ORDER BY n LIMIT 1";
const DONE: Statement = "UPDATE messages SET body = NULL, made = ? WHERE n = ?";
const HALT: Statement = "SELECT cause, failures, until FROM halt";
const PUT_HALT: Statement = "INSERT OR REPLACE INTO halt (id, cause, failures, until) VALUES (0, ?, ?, ?)";
const END_HALT: Statement = "DELETE FROM halt";
/// What is of no more use: an object that reports again does so within minutes.
const FORGET: [Statement; 2] = [
    "DELETE FROM reports WHERE waits IS NULL AND told < ?",
    "DELETE FROM messages WHERE body IS NULL AND made < ? AND n < (SELECT max(n) FROM messages)",
];
const OLDEST: Statement = "SELECT min(told) FROM reports WHERE waits IS NULL";
const CROWD: Statement = "DELETE FROM reports WHERE (kind, ref) IN (SELECT kind, ref FROM reports \
    ORDER BY waits IS NOT NULL, at LIMIT max(0, (SELECT count(*) FROM reports) - CAST(? AS INTEGER)))";

/// So long what was told is kept, to recognise it.
const KEPT: Millis = 86_400_000;

/// The most reports that are kept. Beyond it the oldest go; the log has each of them.
const REPORTS_MAX: u64 = 20_000;

/// How many reports come between two looks at how many are kept.
const LOOK_EVERY: u32 = 256;

/// A message that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) n: u64,
    pub(super) body: String,
}

/// Why the last message has not left: no failures, where nothing is wrong.
#[derive(Debug, Default)]
pub(super) struct Halt {
    pub(super) cause: Option<Cause>,
    pub(super) failures: u32,
    pub(super) until: Millis,
}

#[derive(Debug)]
pub(super) struct Store<S> {
    sql: S,
    taken: u32,
}

impl<S: Sql> Store<S> {
    pub(super) fn open(sql: S) -> Result<Self, StorageError> {
        CREATE.iter().try_for_each(|statement| sql.exec(statement, vec![]).map(drop))?;
        Ok(Self { sql, taken: 0 })
    }

    pub(super) fn take(&mut self, report: &Report, now: Millis) -> Result<(), StorageError> {
        let body = serde_json::to_string(report).map_err(|error| StorageError(error.to_string()))?;
        let values = vec![
            text(report.kind.as_str()),
            text(&report.r#ref),
            SqlValue::Integer(report.at),
            SqlValue::Integer(now),
            count(report.times),
            SqlValue::Text(body),
        ];
        self.sql.exec(TAKE, values)?;
        self.taken = self.taken.wrapping_add(1);
        if self.taken % LOOK_EVERY == 1 {
            self.sql.exec(CROWD, vec![count(REPORTS_MAX)])?;
        }
        Ok(())
    }

    /// The kind whose message may be made first, and when: past times are now.
    pub(super) fn soonest(&self, now: Millis) -> Result<Option<(Kind, Millis)>, StorageError> {
        // One that our clock is far from, since it has gone back, holds up nothing.
        let rows = self.sql.exec(WAITING, vec![SqlValue::Integer(now + super::APART)])?;
        let read = |row| {
            let mut record = Record::new(row);
            let kind = Kind::from(record.text("reports.kind")?);
            let waits = record.integer("reports.waits")?;
            let made = record.integer_or_null("messages.made")?;
            Ok::<_, Unreadable>((kind, due(waits, made, now)))
        };
        Ok(rows.into_iter().filter_map(|row| read(row).ok()).min_by_key(|(_, due)| *due))
    }

    /// How many objects wait with a kind, and the first of them.
    pub(super) fn of(&self, kind: &Kind, limit: u32) -> Result<(u64, Vec<Report>), StorageError> {
        let mut waiting = self.one(COUNT, vec![text(kind.as_str())])?;
        let rows = self.sql.exec(NAMED, vec![text(kind.as_str()), SqlValue::Integer(limit.into())])?;
        let read = |row| {
            let mut record = Record::new(row);
            let times = record.count("reports.times").ok()?;
            let report: Report = serde_json::from_str(&record.text("reports.body").ok()?).ok()?;
            Some(Report { times, ..report })
        };
        let named = rows.into_iter().filter_map(read).collect();
        Ok((waiting.count("count").unwrap_or_default(), named))
    }

    /// The number of the last message, 0 where there was none.
    pub(super) fn last_n(&self) -> Result<u64, StorageError> {
        Ok(self.one(LAST, vec![])?.count("messages.n").unwrap_or_default())
    }

    /// Writes down the message of all that waits of a kind.
    pub(super) fn made(&self, message: &Message, kind: &Kind, now: Millis) -> Result<(), StorageError> {
        let kind = kind.as_str();
        let body = SqlValue::Text(message.body.clone());
        self.sql.exec(MAKE, vec![count(message.n), text(kind), SqlValue::Integer(now), body])?;
        Ok(())
    }

    /// Forgets what was told long ago, and says when there is more to forget.
    pub(super) fn forget(&self, now: Millis) -> Result<Option<Millis>, StorageError> {
        for statement in FORGET {
            self.sql.exec(statement, vec![SqlValue::Integer(now - KEPT)])?;
        }
        let oldest = self.one(OLDEST, vec![])?.integer("reports.told").ok();
        // No later than that, also where our clock has gone back.
        Ok(oldest.map(|told| (told + KEPT).min(now + KEPT) + 1))
    }

    /// The message that leaves next.
    pub(super) fn message(&self) -> Result<Option<Message>, StorageError> {
        let mut record = self.one(FIRST, vec![])?;
        let (n, body) = (record.count("messages.n"), record.text("messages.body"));
        Ok(n.ok().zip(body.ok()).map(|(n, body)| Message { n, body }))
    }

    /// Notes that a message does not go out again: until now it was none that operators had.
    pub(super) fn done(&self, n: u64, now: Millis) -> Result<(), StorageError> {
        self.sql.exec(DONE, vec![SqlValue::Integer(now), count(n)])?;
        self.sql.exec(END_HALT, vec![])?;
        Ok(())
    }

    pub(super) fn halt(&self) -> Result<Halt, StorageError> {
        let mut record = self.one(HALT, vec![])?;
        let cause = record.text("halt.cause").ok().and_then(|cause| serde_json::from_str(&cause).ok());
        let failures = record.count("halt.failures").unwrap_or_default();
        Ok(Halt {
            cause,
            failures: u32::try_from(failures).unwrap_or(u32::MAX),
            until: record.integer("halt.until").unwrap_or_default(),
        })
    }

    pub(super) fn put_halt(&self, halt: &Halt) -> Result<(), StorageError> {
        let cause = serde_json::to_string(&halt.cause).map_err(|error| StorageError(error.to_string()))?;
        let values = vec![
            SqlValue::Text(cause),
            SqlValue::Integer(halt.failures.into()),
            SqlValue::Integer(halt.until),
        ];
        self.sql.exec(PUT_HALT, values)?;
        Ok(())
    }

    /// The first row, or an empty one.
    fn one(&self, statement: Statement, values: Vec<SqlValue>) -> Result<Record, StorageError> {
        Ok(Record::new(self.sql.exec(statement, values)?.into_iter().next().unwrap_or_default()))
    }
}

/// When a message may be made, of what waits since `waits` and was last told at `made`.
fn due(waits: Millis, made: Option<Millis>, now: Millis) -> Millis {
    let gathered = Some(waits).filter(|waits| *waits <= now).map_or(now, |waits| waits + super::GATHER);
    made.map_or(gathered, |made| gathered.max(made + super::APART))
}

fn text(text: &str) -> SqlValue {
    SqlValue::Text(text.to_owned())
}
