//! The log over SQLite, as a Durable Object has it.
//!
//! One row a post, because rows written are what storage costs, in time and in money. The position of the outbox rides on each
//! row; only one that moves later, when no row follows soon, updates the single row of `meta`.

mod past;
mod record;
mod schema;
mod tasks;
mod v1;

use self::record::{append, columns, select};
use super::{Accepted, Life, Log, LogError, Position, Row, SetAside, Task, Waking};
use crate::ids::JobId;
use crate::locations::print::Print;
use crate::objects::Cause;
use crate::objects::sql::{Record, Sql, SqlValue, Statement, count};

#[cfg(test)]
pub(in crate::locations) mod tests;

const META: Statement = "SELECT needs, state, job, sent, infl, (SELECT max(epoch) FROM lives) FROM meta";
const LAST: Statement = select!("ORDER BY n DESC LIMIT 1");
const AFTER: Statement = select!("WHERE n > ? ORDER BY n LIMIT ?");
const ENDING_AT: Statement = select!("WHERE n IN (SELECT value FROM json_each(?)) ORDER BY n");
const CONFIRM: Statement = "UPDATE meta SET sent = ?, infl = ?";
const SET_ASIDE: Statement =
    "INSERT OR REPLACE INTO set_aside (first_n, last_n, ts, cause) VALUES (?, ?, ?, ?)";
const REACHED: Statement = "DELETE FROM set_aside WHERE first_n = ?";
const GIVEN_UP: Statement =
    "SELECT first_n, last_n, ts, cause FROM set_aside WHERE first_n > ? ORDER BY first_n LIMIT ?";
/// Each by itself is one look into the table; both of one SELECT would be a scan.
const ENDS: Statement = "SELECT (SELECT min(n) FROM log), (SELECT max(n) FROM log)";
/// One text for many rows, since each value that crosses from the runtime costs more than to write it there, and as bytes; in whatever
/// order.
const PRINTS: Statement = "SELECT CAST(group_concat(prints, '') AS BLOB) FROM log WHERE n BETWEEN ? AND ?";

/// How many fixes' prints are read at once: at 12 bytes each that is well below the 2 MB that a value may have.
const PRINTS_AT_ONCE: u64 = 100_000;

/// How many rows are read at once where all of them have to be.
const ROWS_AT_ONCE: u32 = 500;

/// The log over a Durable Object's SQL.
#[derive(Debug)]
pub struct SqlLog<S>(S);

impl<S: Sql> SqlLog<S> {
    /// The log in this storage, which may be empty; nothing is read or written yet.
    pub fn new(sql: S) -> Self {
        Self(sql)
    }

    /// The prints of the rows from one `n` to another as their fixes have them, where what is kept of them is damaged. A fix that cannot
    /// be read either is not recognised any more.
    fn prints_of_fixes(&self, from: u64, to: u64, each: &mut dyn FnMut(Print, u64)) -> Result<(), LogError> {
        let mut after = from.saturating_sub(1);
        while after < to {
            let page = self.rows_after(after, ROWS_AT_ONCE)?;
            let Some(last) = page.last() else { break };
            after = last.n;
            for row in page.iter().filter(|row| row.n <= to) {
                let prints = row.accepted().into_iter().flat_map(Accepted::prints);
                prints.for_each(|print| each(print, row.n));
            }
        }
        Ok(())
    }

    fn select(&self, statement: Statement, params: Vec<SqlValue>) -> Result<Vec<Row>, LogError> {
        self.0.exec(statement, params)?.into_iter().map(|row| record::row(&mut Record::new(row))).collect()
    }
}

impl<S: Sql> Log for SqlLog<S> {
    fn wake(&mut self) -> Result<Waking, LogError> {
        if !schema::climb(&self.0)? {
            return Ok(Waking::Untouched);
        }
        let first = |statement| Ok::<_, LogError>(self.0.exec(statement, vec![])?.into_iter().next());
        let Some(meta) = first(META)? else { return Ok(Waking::Untouched) };
        let mut meta = Record::new(meta);
        schema::admit(&meta.text("meta.needs")?, &meta.text("meta.state")?)?;
        let job = JobId::parse(meta.text("meta.job")?).map_err(|_| LogError::Damaged("meta.job"))?;
        let confirmed = record::position(&mut meta)?;
        let life = Life { job, epoch: meta.count("lives.epoch")? };
        let tasks = tasks::all(&self.0)?;
        let Some(last) = first(LAST)? else {
            return Ok(Waking::Begun { life, last: None, position: confirmed, tasks });
        };
        let mut record = Record::new(last);
        let last = record::row(&mut record)?;
        let ridden = record::position(&mut record)?;
        Ok(Waking::Begun { life, last: Some(Box::new(last)), position: confirmed.max(ridden), tasks })
    }

    fn begin(&mut self, life: &Life, first_n: u64) -> Result<(), LogError> {
        schema::create(&self.0)?;
        schema::begin(&self.0, life.job.as_str(), life.epoch, first_n)
    }

    fn append(&mut self, row: &Row, prints: &[Print], position: Position) -> Result<(), LogError> {
        append(&self.0, row, prints, position)
    }

    fn confirm(&mut self, position: Position) -> Result<(), LogError> {
        self.0.exec(CONFIRM, columns(position).into())?;
        Ok(())
    }

    fn set_aside(&mut self, message: &SetAside, position: Position) -> Result<(), LogError> {
        let SetAside { first_n, last_n, ts, cause } = message;
        let cause = serde_json::to_string(cause).map_err(|_| LogError::Damaged("a cause"))?;
        let values = vec![count(*first_n), count(*last_n), SqlValue::Integer(*ts), SqlValue::Text(cause)];
        self.0.exec(SET_ASIDE, values)?;
        self.confirm(position)
    }

    fn reached(&mut self, first_n: u64) -> Result<(), LogError> {
        self.0.exec(REACHED, vec![count(first_n)])?;
        Ok(())
    }

    fn given_up_after(&self, n: u64, limit: u32) -> Result<Vec<SetAside>, LogError> {
        let rows = self.0.exec(GIVEN_UP, vec![count(n), SqlValue::Integer(limit.into())])?;
        let given_up = rows.into_iter().map(|row| {
            let mut record = Record::new(row);
            let (first_n, last_n) = (record.count("set_aside.first_n")?, record.count("set_aside.last_n")?);
            let ts = record.integer("set_aside.ts")?;
            let cause = serde_json::from_str(&record.text("set_aside.cause")?);
            Ok(SetAside { first_n, last_n, ts, cause: cause.unwrap_or(Cause::DAMAGED) })
        });
        given_up.collect()
    }

    fn put_task(&mut self, id: u64, task: &Task) -> Result<(), LogError> {
        tasks::put(&self.0, id, task)
    }

    fn end_task(&mut self, id: u64) -> Result<(), LogError> {
        tasks::end(&self.0, id)
    }

    fn prints(&self, each: &mut dyn FnMut(Print, u64)) -> Result<(), LogError> {
        let only = |rows: Vec<_>| Record::new(rows.into_iter().next().unwrap_or_default());
        let mut ends = only(self.0.exec(ENDS, vec![])?);
        let (Some(first), Some(last)) = (ends.count_or_null("log.n")?, ends.count_or_null("log.n")?) else {
            return Ok(());
        };
        let mut from = first;
        while from <= last {
            let to = from.saturating_add(PRINTS_AT_ONCE - 1);
            let mut page = only(self.0.exec(PRINTS, vec![count(from), count(to)])?);
            let text = page.bytes_or_null("log.prints");
            if !text.is_ok_and(|text| Print::read(&text.unwrap_or_default(), each)) {
                self.prints_of_fixes(from, to, each)?;
            }
            from = to + 1;
        }
        Ok(())
    }

    fn rows(&self, ns: &[u64]) -> Result<Vec<Row>, LogError> {
        // Text, not parameters: as many as there are make one statement.
        let ns = serde_json::to_string(ns).map_err(|_| LogError::Damaged("what is sought"))?;
        self.select(ENDING_AT, vec![SqlValue::Text(ns)])
    }

    fn rows_after(&self, n: u64, limit: u32) -> Result<Vec<Row>, LogError> {
        self.select(AFTER, vec![count(n), SqlValue::Integer(limit.into())])
    }
}
