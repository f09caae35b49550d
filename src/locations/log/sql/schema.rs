//! The tables, and the ladder of migrations by which older ones become today's.
//!
//! A later version adds columns that have a default, and kinds of rows, and fields to what is JSON; then the build before it still
//! reads and writes what this one has written. Each row, of whatever kind, carries all pointers on: a build takes them from the last
//! one. What an older build must not touch at all is named in `meta.needs`, a state that it does not know included.

use super::record::append;
use super::v1;
use crate::locations::log::LogError;
use crate::objects::sql::{Record, Sql, SqlValue, Statement, count};

/// What `meta.version` says of the tables below.
pub(super) const VERSION: i64 = 2;

/// What `meta.needs` may name, so that this build may touch the storage: nothing yet.
const KNOWN: [&str; 0] = [];

/// The state of a job that takes fixes. No other is known yet.
const OPEN: &str = "open";

/// The tables. Rows written are what storage costs, in time and in money: so there is no index but the primary keys.
const CREATE: [Statement; 5] = [
    // One row: what a job is as a whole. `state` says so in words, whatever rows there are; `sent` and `infl` are a position that no
    // row of the log has carried away.
    "CREATE TABLE IF NOT EXISTS meta (id INTEGER PRIMARY KEY CHECK (id = 0), version INTEGER NOT NULL, \
        needs TEXT NOT NULL DEFAULT '[]', job TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'open', \
        sent INTEGER NOT NULL DEFAULT 0, infl INTEGER)",
    // The lives of the sequence: where in the log each begins, and to whom it is assigned, since when and until when.
    "CREATE TABLE IF NOT EXISTS lives (epoch INTEGER PRIMARY KEY, first_n INTEGER NOT NULL, \
        driver TEXT, since INTEGER, until INTEGER)",
    // All that leaves. What is short stands before the body, which may go on in pages of its own.
    "CREATE TABLE IF NOT EXISTS log (n INTEGER PRIMARY KEY, life INTEGER NOT NULL, seq INTEGER NOT NULL, \
        kind TEXT NOT NULL, ts INTEGER NOT NULL, cap INTEGER, far INTEGER, live INTEGER, live_right INTEGER, \
        live_ahead TEXT, sent INTEGER NOT NULL, infl INTEGER, prints TEXT, body TEXT NOT NULL)",
    // Messages that Ably refuses for good.
    "CREATE TABLE IF NOT EXISTS set_aside (first_n INTEGER PRIMARY KEY, last_n INTEGER NOT NULL, \
        ts INTEGER NOT NULL, cause TEXT NOT NULL)",
    // What must still be done elsewhere, and when it is tried next.
    "CREATE TABLE IF NOT EXISTS tasks (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, due INTEGER NOT NULL, \
        failures INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL)",
];

/// SQLite's own table: reading `meta` where there is none is an error.
const TABLES: Statement =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('meta', 'meta_1', 'log_1')";
const META_VERSION: Statement = "SELECT version FROM meta";

/// Makes the tables that are not there.
pub(super) fn create(sql: &impl Sql) -> Result<(), LogError> {
    run(sql, &CREATE)
}

/// Brings the tables into today's form. Says whether there are any, with a job in them.
pub(super) fn climb(sql: &impl Sql) -> Result<bool, LogError> {
    let tables: Vec<String> = sql
        .exec(TABLES, vec![])?
        .into_iter()
        .map(|row| Record::new(row).text("a table"))
        .collect::<Result<_, _>>()?;
    let has = |name| tables.iter().any(|table| table == name);
    if has("meta_1") || has("log_1") {
        undo(sql, has("meta_1"), has("log_1"))?;
    } else if !has("meta") {
        return Ok(false);
    }
    let Some(version) = sql.exec(META_VERSION, vec![])?.into_iter().next() else { return Ok(false) };
    match Record::new(version).integer("meta.version")? {
        1 => rebuild_from_1(sql)?,
        // A later version's tables hold all that these do.
        VERSION.. => {}
        _ => return Err(LogError::Damaged("meta.version")),
    }
    Ok(true)
}

/// Whether this build may touch a storage, by what that says of itself.
pub(super) fn admit(needs: &str, state: &str) -> Result<(), LogError> {
    let needs: Vec<String> = serde_json::from_str(needs).map_err(|_| LogError::Damaged("meta.needs"))?;
    if let Some(unknown) = needs.into_iter().find(|need| !KNOWN.contains(&need.as_str())) {
        return Err(LogError::Newer(unknown));
    }
    match state {
        OPEN => Ok(()),
        _ => Err(LogError::Newer("the job's state".to_owned())),
    }
}

/// Makes today's tables of the first version's, which held one life, a log that is keyed by `seq`, and the pointers in its bodies. What
/// is damaged shows before anything is changed; and where the storage refuses something on the way, [`undo`] finds how far it was. From
/// the second version on, a step adds to the tables in place.
fn rebuild_from_1(sql: &impl Sql) -> Result<(), LogError> {
    const ADOPT_META: Statement = "INSERT INTO meta (id, version, job, sent, infl) \
        SELECT 0, ?, job, sent, infl FROM meta_1";
    const ADOPT_LIFE: Statement = "INSERT INTO lives (epoch, first_n) SELECT epoch, 1 FROM meta_1";

    // A message was one row; the first that waits may have reached Ably, so it has to end where it did.
    const FIRST_MESSAGE: [Statement; 2] = [
        "UPDATE meta SET sent = max(sent, ifnull((SELECT sent FROM log ORDER BY n DESC LIMIT 1), 0))",
        "UPDATE meta SET infl = (SELECT min(n) FROM log WHERE n > meta.sent)",
    ];

    let rows = v1::rows(sql)?;
    run(sql, &["ALTER TABLE meta RENAME TO meta_1", "ALTER TABLE log RENAME TO log_1"])?;
    create(sql)?;
    for (row, prints, position) in &rows {
        append(sql, row, prints, *position)?;
    }
    run(sql, &[ADOPT_LIFE])?;
    sql.exec(ADOPT_META, vec![SqlValue::Integer(VERSION)])?;
    run(sql, &FIRST_MESSAGE)?;
    // As long as the old `meta` is there, so is all of the old log.
    run(sql, &["DROP TABLE meta_1", "DROP TABLE log_1"])
}

/// Goes back to before a [`rebuild_from_1`] that has not come to its end, or goes on to its end where all is done but that.
fn undo(sql: &impl Sql, has_meta: bool, has_log: bool) -> Result<(), LogError> {
    if !has_meta {
        return run(sql, &["DROP TABLE log_1"]);
    }
    if has_log {
        run(sql, &["DROP TABLE IF EXISTS log", "ALTER TABLE log_1 RENAME TO log"])?;
    }
    run(
        sql,
        &["DROP TABLE IF EXISTS lives", "DROP TABLE IF EXISTS set_aside", "DROP TABLE IF EXISTS tasks"],
    )?;
    run(sql, &["DROP TABLE IF EXISTS meta", "ALTER TABLE meta_1 RENAME TO meta"])
}

fn run(sql: &impl Sql, statements: &[Statement]) -> Result<(), LogError> {
    statements.iter().try_for_each(|statement| sql.exec(statement, vec![]).map(drop).map_err(LogError::from))
}

/// Begins a life in tables that are there. Without a row in `meta` nothing else counts, so that comes last.
pub(super) fn begin(sql: &impl Sql, job: &str, epoch: u64, first_n: u64) -> Result<(), LogError> {
    const LIFE: Statement = "INSERT INTO lives (epoch, first_n) VALUES (?, ?) \
        ON CONFLICT (epoch) DO UPDATE SET first_n = excluded.first_n";
    const META: Statement =
        "INSERT INTO meta (id, version, job) VALUES (0, ?, ?) ON CONFLICT (id) DO NOTHING";
    sql.exec(LIFE, vec![count(epoch), count(first_n)])?;
    sql.exec(META, vec![SqlValue::Integer(VERSION), SqlValue::Text(job.to_owned())])?;
    Ok(())
}
