//! Rows of the log as rows of SQL.

use crate::locations::log::{Content, LogError, Pointers, Position, Row};
use crate::locations::print::Print;
use crate::objects::sql::{Record, Sql, SqlValue, Statement, count};

/// The kind of a row that holds fixes. All others hold what is ready to be sent, if anything.
const FIXES: &str = "fixes";
const MESSAGE: &str = "message";
const LIFE: &str = "life";

/// The columns that [`row`] and then [`position`] read.
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
        Content::Life => (LIFE, Ok("{}".to_owned())),
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

pub(super) fn columns(position: Position) -> [SqlValue; 2] {
    [count(position.sent), position.infl.map_or(SqlValue::Null, count)]
}

/// A row of the log.
pub(super) fn row(record: &mut Record) -> Result<Row, LogError> {
    let (n, epoch) = (record.count("log.n")?, record.count("log.life")?);
    let (seq, ts) = (record.count("log.seq")?, record.integer("log.ts")?);
    // All columns are read, whatever is in them: what comes after them counts.
    let (cap, far) = (record.integer_or_null("log.cap"), record.integer_or_null("log.far"));
    let (live, right) = (record.count_or_null("log.live"), record.count_or_null("log.live_right"));
    let ahead = record.text_or_null("log.live_ahead");
    let (kind, body) = (record.text("log.kind"), record.text("log.body"));
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
pub(super) fn position(record: &mut Record) -> Result<Position, LogError> {
    Ok(Position { sent: record.count("sent")?, infl: record.count_or_null("infl")? })
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
        LIFE => Content::Life,
        _ => serde_json::from_str(body).map_or(Content::Unknown, Content::Message),
    }
}
