//! What a user's object keeps, as rows of SQL: what waits for Ably, what is still recognised, and what must still be done elsewhere.

use crate::ids::NotificationId;
use crate::locations::log::sql::tasks;
use crate::locations::log::{Content, LogError, Pointers, Ready, Row, Task};
use crate::objects::Millis;
use crate::objects::sql::{Record, Sql, SqlValue, Statement, count};

/// `n` orders all that leaves. Of what Ably has confirmed the body is gone, and `done` says when that was: the rest stays for as long as it
/// is recognised. In the order of `n` all of those come before what waits.
const CREATE: Statement = "CREATE TABLE IF NOT EXISTS notifications (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, \
    print TEXT NOT NULL, ts INTEGER NOT NULL, body TEXT, done INTEGER)";
const TABLE: Statement = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'notifications'";
/// Each of these is one look into the table; of the last confirmed, as many rows as wait.
const ENDS: Statement = "SELECT (SELECT max(n) FROM notifications), (SELECT ts FROM notifications ORDER BY n DESC LIMIT 1), \
    (SELECT n FROM notifications WHERE done IS NOT NULL ORDER BY n DESC LIMIT 1)";
const FIRST_AFTER: Statement = "SELECT min(n) FROM notifications WHERE n > ?";
const OLDEST: Statement = "SELECT done FROM notifications WHERE done IS NOT NULL ORDER BY n LIMIT 1";
const PRINT: Statement = "SELECT print FROM notifications WHERE id = ?";
const APPEND: Statement = "INSERT INTO notifications (n, id, print, ts, body) VALUES (?, ?, ?, ?, ?)";
const AFTER: Statement = "SELECT n, ts, body FROM notifications WHERE n > ? ORDER BY n LIMIT ?";
const CONFIRM: Statement = "UPDATE notifications SET body = NULL, done = ? WHERE n > ? AND n <= ?";
const REMOVE: Statement = "DELETE FROM notifications WHERE n >= ? AND n <= ?";
const SWEEP: Statement = "DELETE FROM notifications WHERE done <= ?";
/// Without the first of them there is nothing, whatever else is left.
const DROP: [Statement; 2] = ["DROP TABLE IF EXISTS notifications", "DROP TABLE IF EXISTS tasks"];

#[derive(Debug)]
pub(super) struct Store<S> {
    sql: S,
    /// Whether the tables are there.
    is_made: bool,
}

/// What a user's object finds when it wakes.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The last `n` there is.
    pub(super) last_n: u64,
    /// When that was accepted, Unix milliseconds.
    pub(super) ts: Option<Millis>,
    /// What is after this waits.
    pub(super) sent: u64,
    /// As [`Store::oldest`].
    pub(super) oldest: Option<Millis>,
    pub(super) tasks: Vec<(u64, Task)>,
}

impl<S: Sql> Store<S> {
    /// Over this storage, which may be empty. Nothing is made.
    pub(super) fn wake(sql: S) -> Result<(Self, Found), LogError> {
        let is_made = !sql.exec(TABLE, vec![])?.is_empty();
        let store = Self { sql, is_made };
        let found = if is_made { store.found()? } else { Found::default() };
        Ok((store, found))
    }

    fn found(&self) -> Result<Found, LogError> {
        let mut ends = self.one(ENDS, vec![])?;
        let last_n = ends.count_or_null("notifications.n")?.unwrap_or_default();
        let ts = ends.integer_or_null("notifications.ts")?;
        let confirmed = ends.count_or_null("notifications.n")?.unwrap_or_default();
        // What is between was refused for good.
        let first = self.one(FIRST_AFTER, vec![count(confirmed)])?.count_or_null("notifications.n")?;
        let sent = first.map_or(last_n, |first| first.saturating_sub(1));
        Ok(Found { last_n, ts, sent, oldest: self.oldest()?, tasks: tasks::all(&self.sql)? })
    }

    /// When the oldest of what is still recognised was confirmed, Unix milliseconds; nothing where there is none.
    pub(super) fn oldest(&self) -> Result<Option<Millis>, LogError> {
        if !self.is_made {
            return Ok(None);
        }
        let row = self.sql.exec(OLDEST, vec![])?.into_iter().next();
        Ok(row.map(|row| Record::new(row).integer("notifications.done")).transpose()?)
    }

    /// By which the content of one that was accepted is recognised, where there is one with this id.
    pub(super) fn print_of(&self, id: &NotificationId) -> Result<Option<String>, LogError> {
        if !self.is_made {
            return Ok(None);
        }
        let row = self.sql.exec(PRINT, vec![SqlValue::Text(id.to_string())])?.into_iter().next();
        Ok(row.map(|row| Record::new(row).text("notifications.print")).transpose()?)
    }

    /// Adds what is to leave.
    pub(super) fn append(
        &mut self,
        (n, ts): (u64, Millis),
        id: &NotificationId,
        print: String,
        ready: &Ready,
    ) -> Result<(), LogError> {
        if !self.is_made {
            self.sql.exec(tasks::CREATE, vec![])?;
            self.sql.exec(CREATE, vec![])?;
            self.is_made = true;
        }
        let body = serde_json::to_string(ready).map_err(|_| LogError::Damaged("a message to be"))?;
        let [id, print, body] = [id.to_string(), print, body].map(SqlValue::Text);
        self.sql.exec(APPEND, vec![count(n), id, print, SqlValue::Integer(ts), body])?;
        Ok(())
    }

    /// At most `limit` rows after this `n`, in order.
    pub(super) fn rows_after(&self, n: u64, limit: u32) -> Result<Vec<Row>, LogError> {
        let rows = self.sql.exec(AFTER, vec![count(n), SqlValue::Integer(limit.into())])?;
        let row = |row| {
            let mut record = Record::new(row);
            let (n, ts) = (record.count("notifications.n")?, record.integer("notifications.ts")?);
            let body = record.text("notifications.body").ok();
            let ready = body.and_then(|body| serde_json::from_str(&body).ok());
            Ok(row_of(n, ts, ready.map_or(Content::Damaged, Content::Message)))
        };
        rows.into_iter().map(row).collect()
    }

    /// Writes down that Ably has confirmed what is after one `n` and up to another: nothing is kept of it but by what it is recognised.
    pub(super) fn confirm(&mut self, after: u64, to: u64, now: Millis) -> Result<(), LogError> {
        self.sql.exec(CONFIRM, vec![SqlValue::Integer(now), count(after), count(to)])?;
        Ok(())
    }

    /// Forgets what is at these places, as if it had never been accepted.
    pub(super) fn remove(&mut self, first_n: u64, last_n: u64) -> Result<(), LogError> {
        self.sql.exec(REMOVE, vec![count(first_n), count(last_n)])?;
        Ok(())
    }

    /// Forgets what was confirmed by then.
    pub(super) fn sweep(&mut self, by: Millis) -> Result<(), LogError> {
        if self.is_made {
            self.sql.exec(SWEEP, vec![SqlValue::Integer(by)])?;
        }
        Ok(())
    }

    /// Keeps nothing any more.
    pub(super) fn clear(&mut self) -> Result<(), LogError> {
        if self.is_made {
            self.is_made = false;
            DROP.iter().try_for_each(|statement| self.sql.exec(statement, vec![]).map(drop))?;
        }
        Ok(())
    }

    pub(super) fn put_task(&mut self, id: u64, task: &Task) -> Result<(), LogError> {
        tasks::put(&self.sql, id, task)
    }

    pub(super) fn end_task(&mut self, id: u64) -> Result<(), LogError> {
        tasks::end(&self.sql, id)
    }

    /// The first row, or an empty one.
    fn one(&self, statement: Statement, values: Vec<SqlValue>) -> Result<Record, LogError> {
        Ok(Record::new(self.sql.exec(statement, values)?.into_iter().next().unwrap_or_default()))
    }
}

/// A row as the outbox has it: there is no sequence of fixes here.
pub(super) fn row_of(n: u64, ts: Millis, content: Content) -> Row {
    Row { n, epoch: 0, seq: 0, ts, pointers: Pointers::default(), content }
}
