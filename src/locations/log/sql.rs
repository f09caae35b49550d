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
use super::{
    Accepted, FORGET_TASK, Forgetting, Held, Life, Log, LogError, Position, Row, SetAside, Task, Waking,
};
use crate::ids::{JobId, UserId};
use crate::jobs::Registration;
use crate::jobs::vitals::Vitals;
use crate::locations::print::Print;
use crate::objects::Cause;
use crate::objects::sql::{Record, Sql, SqlValue, Statement, count};

#[cfg(test)]
pub(in crate::locations) mod tests;

const META: Statement = "SELECT needs, state, job, sent, infl, (SELECT max(epoch) FROM lives), \
    (SELECT driver FROM lives ORDER BY epoch DESC LIMIT 1) FROM meta";
const REGISTERED: Statement = "SELECT body FROM registration";
const VITALS: Statement = "SELECT body FROM vitals";
const LIVES_OF: Statement = "SELECT epoch FROM lives WHERE driver = ? ORDER BY epoch";
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
        let Some(tables) = schema::climb(&self.0)? else { return Ok(Waking::Untouched) };
        let first = |statement| Ok::<_, LogError>(self.0.exec(statement, vec![])?.into_iter().next());
        let Some(meta) = first(META)? else { return Ok(Waking::Untouched) };
        let mut meta = Record::new(meta);
        let is_forgotten = schema::admit(&meta.text("meta.needs")?, &meta.text("meta.state")?)?;
        let job = meta.text("meta.job")?;
        let confirmed = record::position(&mut meta)?;
        let epoch = meta.count("lives.epoch")?;
        let driver = meta.text_or_null("lives.driver")?.map(UserId::parse).transpose();
        let driver = driver.map_err(|_| LogError::Damaged("lives.driver"))?;
        // A tombstone names nobody, and no job.
        if job.is_empty() {
            return Ok(match is_forgotten {
                true => Waking::Forgotten { epoch, held: None },
                false => Waking::Emptied { epoch },
            });
        }
        let job = JobId::parse(job).map_err(|_| LogError::Damaged("meta.job"))?;
        let tasks = tasks::all(&self.0)?;
        if is_forgotten {
            let last = first(LAST)?.map(|row| record::row(&mut Record::new(row))).transpose()?;
            let held = Held { job, last: last.map(Box::new), position: confirmed, tasks };
            return Ok(Waking::Forgotten { epoch, held: Some(Box::new(held)) });
        }
        let life = Life { job, epoch };
        let registration = match tables.are_registered {
            true => registered(first(REGISTERED)?)?,
            false => None,
        };
        // What cannot be read any more is as nothing: the driver is heard of again.
        let vitals = match tables.has_vitals {
            true => first(VITALS)?.map(|row| Record::new(row).text("vitals.body")).transpose()?,
            false => None,
        };
        let vitals = vitals.and_then(|body| serde_json::from_str(&body).ok());
        let Some(last) = first(LAST)? else {
            let (last, position) = (None, confirmed);
            return Ok(Waking::Begun { life, driver, last, position, tasks, registration, vitals });
        };
        let mut record = Record::new(last);
        let last = record::row(&mut record)?;
        let ridden = record::position(&mut record)?;
        let (last, position) = (Some(Box::new(last)), confirmed.max(ridden));
        Ok(Waking::Begun { life, driver, last, position, tasks, registration, vitals })
    }

    fn begin(&mut self, life: &Life, first_n: u64, driver: Option<&UserId>) -> Result<(), LogError> {
        schema::create(&self.0)?;
        schema::begin(&self.0, life, first_n, driver)
    }

    fn register(&mut self, registration: &Registration) -> Result<(), LogError> {
        let body = serde_json::to_string(registration).map_err(|_| LogError::Damaged("a registration"))?;
        let is_gated = registration.wanted.gate.is_some();
        schema::register(&self.0, body, registration.ended.is_some(), is_gated)
    }

    fn keep_vitals(&mut self, vitals: &Vitals) -> Result<(), LogError> {
        let body = serde_json::to_string(vitals).map_err(|_| LogError::Damaged("vitals"))?;
        schema::keep_vitals(&self.0, body)
    }

    fn lives_of(&self, driver: &UserId) -> Result<Vec<u64>, LogError> {
        let rows = self.0.exec(LIVES_OF, vec![SqlValue::Text(driver.to_string())])?;
        rows.into_iter().map(|row| Ok(Record::new(row).count("lives.epoch")?)).collect()
    }

    fn forget(&mut self, Forgetting { by, sent, last }: &Forgetting) -> Result<(), LogError> {
        tasks::put(&self.0, FORGET_TASK, &Task::Forget { by: *by })?;
        schema::forget(&self.0, *sent)?;
        schema::strip(&self.0)?;
        if let Some(last) = last {
            append(&self.0, last, &[], Position { sent: *sent, infl: None })?;
        }
        tasks::forget(&self.0)
    }

    fn clear(&mut self) -> Result<(), LogError> {
        schema::bury(&self.0)
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

/// What is registered, by the one row of its table.
fn registered(row: Option<Vec<SqlValue>>) -> Result<Option<Box<Registration>>, LogError> {
    let Some(row) = row else { return Ok(None) };
    let body = Record::new(row).text("registration.body")?;
    // As one that nobody can read it must not count as none: then claims would decide.
    serde_json::from_str(&body).map(Some).map_err(|_| LogError::Damaged("registration.body"))
}
