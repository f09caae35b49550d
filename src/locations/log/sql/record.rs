//! Rows of the log as rows of SQL.

use super::{Sql, SqlValue};
use crate::locations::log::{Content, LogError, Pointers, Position, Row};
use crate::locations::print::Print;

/// Each statement is a constant, so that an adapter may know it by its address.
pub(super) type Statement = &'static str;

/// The kind of a row that holds fixes. All others hold what is ready to be sent, if anything.
const FIXES: &str = "fixes";
const MESSAGE: &str = "message";

/// The columns that [`Record::row`] and then [`Record::position`] read.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT n, life, seq, ts, cap, far, live, live_right, live_ahead, kind, body, sent, infl FROM log ",
            $rest
        )
    };
}
pub(super) use select;

const APPEND: Statement = "INSERT INTO log \
    (n, life, seq, kind, ts, cap, far, live, live_right, live_ahead, sent, infl, prints, body) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Adds a row.
pub(super) fn append(
    sql: &impl Sql,
    row: &Row,
    prints: &[Print],
    position: Position,
) -> Result<(), LogError> {
    let (kind, body) = match &row.content {
        Content::Fixes(accepted) => (FIXES, serde_json::to_string(accepted)),
        Content::Message(ready) => (MESSAGE, serde_json::to_string(ready)),
        Content::Unknown | Content::Damaged => return Err(LogError::Damaged("a row to be")),
    };
    let json = |text: serde_json::Result<String>| {
        text.map(SqlValue::Text).map_err(|_| LogError::Damaged("a row to be"))
    };
    let Pointers { cap, far, live, right, ahead } = &row.pointers;
    let some = |there: bool, text: SqlValue| if there { text } else { SqlValue::Null };
    let [sent, infl] = columns(position);
    let values = vec![
        count(row.n),
        count(row.epoch),
        count(row.seq),
        SqlValue::Text(kind.to_owned()),
        SqlValue::Integer(row.ts),
        cap.map_or(SqlValue::Null, SqlValue::Integer),
        far.map_or(SqlValue::Null, SqlValue::Integer),
        live.map_or(SqlValue::Null, count),
        right.map_or(SqlValue::Null, count),
        some(!ahead.is_empty(), json(serde_json::to_string(ahead))?),
        sent,
        infl,
        some(!prints.is_empty(), SqlValue::Text(Print::text(prints, row.n))),
        json(body)?,
    ];
    sql.exec(APPEND, values)?;
    Ok(())
}

pub(super) fn count(value: u64) -> SqlValue {
    // A count or an epoch is far below 2^53, let alone 2^63.
    SqlValue::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

pub(super) fn columns(position: Position) -> [SqlValue; 2] {
    [count(position.sent), position.infl.map_or(SqlValue::Null, count)]
}

/// The columns of one result row, read from left to right.
pub(super) struct Record(std::vec::IntoIter<SqlValue>);

impl Record {
    pub(super) fn new(row: Vec<SqlValue>) -> Self {
        Self(row.into_iter())
    }

    pub(super) fn integer_or_null(&mut self, name: &'static str) -> Result<Option<i64>, LogError> {
        match self.0.next() {
            Some(SqlValue::Null) => Ok(None),
            Some(SqlValue::Integer(value)) => Ok(Some(value)),
            Some(SqlValue::Real(value)) if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 => {
                Ok(Some(value as i64))
            }
            _ => Err(LogError::Damaged(name)),
        }
    }

    pub(super) fn integer(&mut self, name: &'static str) -> Result<i64, LogError> {
        self.integer_or_null(name)?.ok_or(LogError::Damaged(name))
    }

    pub(super) fn count_or_null(&mut self, name: &'static str) -> Result<Option<u64>, LogError> {
        let value = self.integer_or_null(name)?.map(u64::try_from).transpose();
        value.map_err(|_| LogError::Damaged(name))
    }

    pub(super) fn count(&mut self, name: &'static str) -> Result<u64, LogError> {
        self.count_or_null(name)?.ok_or(LogError::Damaged(name))
    }

    pub(super) fn text_or_null(&mut self, name: &'static str) -> Result<Option<String>, LogError> {
        match self.0.next() {
            Some(SqlValue::Null) => Ok(None),
            Some(SqlValue::Text(text)) => Ok(Some(text)),
            _ => Err(LogError::Damaged(name)),
        }
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<String, LogError> {
        self.text_or_null(name)?.ok_or(LogError::Damaged(name))
    }

    /// A row of the log.
    pub(super) fn row(&mut self) -> Result<Row, LogError> {
        let (n, epoch) = (self.count("log.n")?, self.count("log.life")?);
        let (seq, ts) = (self.count("log.seq")?, self.integer("log.ts")?);
        // All columns are read, whatever is in them: what comes after them counts.
        let (cap, far) = (self.integer_or_null("log.cap"), self.integer_or_null("log.far"));
        let (live, right) = (self.count_or_null("log.live"), self.count_or_null("log.live_right"));
        let ahead = self.text_or_null("log.live_ahead");
        let (kind, body) = (self.text("log.kind"), self.text("log.body"));
        let pointers = || {
            let ahead = match ahead? {
                Some(text) => serde_json::from_str(&text).map_err(|_| LogError::Damaged("log.live_ahead"))?,
                None => Vec::new(),
            };
            Ok::<_, LogError>(Pointers { cap: cap?, far: far?, live: live?, right: right?, ahead })
        };
        let (pointers, content) = match (pointers(), kind, body) {
            (Ok(pointers), Ok(kind), Ok(body)) => (pointers, content(&kind, &body)),
            // Nothing is known of any time then, nor of what is live.
            (pointers, ..) => (pointers.unwrap_or_default(), Content::Damaged),
        };
        Ok(sound(Row { n, epoch, seq, ts, pointers, content }))
    }

    /// `sent, infl`.
    pub(super) fn position(&mut self) -> Result<Position, LogError> {
        Ok(Position { sent: self.count("sent")?, infl: self.count_or_null("infl")? })
    }
}

/// A row that contradicts itself is damaged.
pub(super) fn sound(mut row: Row) -> Row {
    let fixes = row.accepted().map(|accepted| accepted.fixes.len() as u64);
    if fixes.is_some_and(|fixes| !(1..=row.n.min(row.seq)).contains(&fixes)) {
        row.content = Content::Damaged;
    }
    // What it says is live cannot be: then nothing is known to be.
    let is_there = |live: &u64| *live <= row.n;
    row.pointers.live = row.pointers.live.filter(is_there);
    row.pointers.right = row.pointers.right.filter(is_there);
    row
}

fn content(kind: &str, body: &str) -> Content {
    match kind {
        FIXES => serde_json::from_str(body).map_or(Content::Damaged, Content::Fixes),
        MESSAGE => serde_json::from_str(body).map_or(Content::Damaged, Content::Message),
        _ => serde_json::from_str(body).map_or(Content::Unknown, Content::Message),
    }
}
