//! The tables, and the ladder of migrations by which older ones become today's.
//!
//! A later version adds columns that have a default, and kinds of rows, and fields to what is JSON; then the build before it still
//! reads and writes what this one has written. Each row, of whatever kind, carries all pointers on: a build takes them from the last
//! one. What an older build must not touch at all is named in `meta.needs`, a state that it does not know included.

use super::record::append;
use super::{tasks, v1};
use crate::ids::UserId;
use crate::locations::log::{Life, LogError};
use crate::objects::sql::{Record, Sql, SqlValue, Statement, count};

/// What `meta.version` says of the tables below.
pub(super) const VERSION: i64 = 2;

/// What `meta.needs` may name, so that this build may touch the storage: that whoever takes part is registered; that a gate keeps some of
/// them from seeing; that a job without a name is one of which nothing is kept.
const KNOWN: [&str; 3] = ["registry", "gates", "tombstone"];
const NEEDS_REGISTRY: &str = r#"["registry"]"#;
const NEEDS_GATES: &str = r#"["registry","gates"]"#;
const NEEDS_TOMBSTONE: &str = r#"["tombstone"]"#;

/// The state of a job that goes on.
const OPEN: &str = "open";
/// That of one that has ended for ever.
const CLOSED: &str = "closed";
/// That of one of which nothing is kept any more, or soon.
const FORGOTTEN: &str = "forgotten";

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
    tasks::CREATE,
];

/// SQLite's own table: reading `meta` where there is none is an error.
const TABLES: Statement = "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('meta', 'meta_1', 'log_1', 'registration', 'vitals')";
const META_VERSION: Statement = "SELECT version FROM meta";

/// Makes the tables that are not there.
pub(super) fn create(sql: &impl Sql) -> Result<(), LogError> {
    run(sql, &CREATE)
}

/// What tables there are, in which there is a job.
pub(super) struct Tables {
    /// Whether the one of registered jobs is among them, which is made when it is needed first.
    pub(super) are_registered: bool,
    /// And the one of what is known of the driver, likewise.
    pub(super) has_vitals: bool,
}

/// Brings the tables into today's form. Nothing where there are none with a job in them.
pub(super) fn climb(sql: &impl Sql) -> Result<Option<Tables>, LogError> {
    let tables: Vec<String> = sql
        .exec(TABLES, vec![])?
        .into_iter()
        .map(|row| Record::new(row).text("a table"))
        .collect::<Result<_, _>>()?;
    let has = |name| tables.iter().any(|table| table == name);
    if has("meta_1") || has("log_1") {
        undo(sql, has("meta_1"), has("log_1"))?;
    } else if !has("meta") {
        return Ok(None);
    }
    let Some(version) = sql.exec(META_VERSION, vec![])?.into_iter().next() else { return Ok(None) };
    match Record::new(version).integer("meta.version")? {
        1 => rebuild_from_1(sql)?,
        // A later version's tables hold all that these do.
        VERSION.. => {}
        _ => return Err(LogError::Damaged("meta.version")),
    }
    Ok(Some(Tables { are_registered: has("registration"), has_vitals: has("vitals") }))
}

/// Whether this build may touch a storage, by what that says of itself; and whether the job is forgotten.
pub(super) fn admit(needs: &str, state: &str) -> Result<bool, LogError> {
    let needs: Vec<String> = serde_json::from_str(needs).map_err(|_| LogError::Damaged("meta.needs"))?;
    if let Some(unknown) = needs.into_iter().find(|need| !KNOWN.contains(&need.as_str())) {
        return Err(LogError::Newer(unknown));
    }
    match state {
        OPEN | CLOSED => Ok(false),
        FORGOTTEN => Ok(true),
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
pub(super) fn begin(
    sql: &impl Sql,
    life: &Life,
    first_n: u64,
    driver: Option<&UserId>,
) -> Result<(), LogError> {
    const LIFE: Statement = "INSERT INTO lives (epoch, first_n, driver) VALUES (?, ?, ?) \
        ON CONFLICT (epoch) DO UPDATE SET first_n = excluded.first_n, driver = excluded.driver";
    // What is there stays, but for a tombstone, which this ends.
    const META: Statement = "INSERT INTO meta (id, version, job) VALUES (0, ?, ?) \
        ON CONFLICT (id) DO UPDATE SET job = excluded.job, needs = '[]' WHERE job = ''";
    let driver = driver.map_or(SqlValue::Null, |driver| SqlValue::Text(driver.to_string()));
    sql.exec(LIFE, vec![count(life.epoch), count(first_n), driver])?;
    sql.exec(META, vec![SqlValue::Integer(VERSION), SqlValue::Text(life.job.to_string())])?;
    Ok(())
}

/// Writes down what is registered, and that no build may touch it that does not know what that means: before what it is said of is there,
/// and until it is not any more.
pub(super) fn register(
    sql: &impl Sql,
    body: String,
    has_ended: bool,
    is_gated: bool,
) -> Result<(), LogError> {
    const TABLE: Statement = "CREATE TABLE IF NOT EXISTS registration \
        (id INTEGER PRIMARY KEY CHECK (id = 0), body TEXT NOT NULL)";
    const BODY: Statement = "INSERT OR REPLACE INTO registration (id, body) VALUES (0, ?)";
    const NAMED: Statement = "SELECT needs FROM meta";
    const META: Statement = "UPDATE meta SET needs = ?, state = ?";
    const FEWER: Statement = "UPDATE meta SET needs = ?";
    let state = if has_ended { CLOSED } else { OPEN };
    let text = |text: &str| SqlValue::Text(text.to_owned());
    let had_gate = !is_gated && sql.exec(NAMED, vec![])?.concat() == [text(NEEDS_GATES)];
    let needs = if is_gated || had_gate { NEEDS_GATES } else { NEEDS_REGISTRY };
    // First of all: whatever fails after it, no other build touches what is half done.
    sql.exec(META, vec![text(needs), text(state)])?;
    sql.exec(TABLE, vec![])?;
    sql.exec(BODY, vec![SqlValue::Text(body)])?;
    if had_gate {
        // All is written down by now, so nothing of it fails any more: what is named too much keeps out a build that could do without, and
        // goes with the next change.
        let _ = sql.exec(FEWER, vec![text(NEEDS_REGISTRY)]);
    }
    Ok(())
}

/// Writes down what is known of the driver.
pub(super) fn keep_vitals(sql: &impl Sql, body: String) -> Result<(), LogError> {
    const TABLE: Statement =
        "CREATE TABLE IF NOT EXISTS vitals (id INTEGER PRIMARY KEY CHECK (id = 0), body TEXT NOT NULL)";
    const BODY: Statement = "INSERT OR REPLACE INTO vitals (id, body) VALUES (0, ?)";
    sql.exec(TABLE, vec![])?;
    sql.exec(BODY, vec![SqlValue::Text(body)])?;
    Ok(())
}

/// Writes down that the job is closed for ever and forgotten, and that nothing up to this `n` leaves any more. No build touches it that does
/// not know what that means.
pub(super) fn forget(sql: &impl Sql, sent: u64) -> Result<(), LogError> {
    const META: Statement = "UPDATE meta SET needs = ?, state = ?, sent = ?, infl = NULL";
    let [needs, state] = [NEEDS_TOMBSTONE, FORGOTTEN].map(|text| SqlValue::Text(text.to_owned()));
    sql.exec(META, vec![needs, state, count(sent)])?;
    Ok(())
}

/// Deletes what is kept of a job beside its tasks: all but the epoch of its last life. A statement that deletes all rows takes a third of
/// the time of one that leaves a row, at a million of them.
pub(super) fn strip(sql: &impl Sql) -> Result<(), LogError> {
    const STRIP: [Statement; 6] = [
        "DELETE FROM log",
        "DELETE FROM set_aside",
        "DROP TABLE IF EXISTS registration",
        "DROP TABLE IF EXISTS vitals",
        "DELETE FROM lives WHERE epoch < (SELECT max(epoch) FROM lives)",
        "UPDATE lives SET first_n = 1, driver = NULL, since = NULL, until = NULL",
    ];
    run(sql, &STRIP)
}

/// Makes a tombstone of what is left of a job: its state and its epoch. Its name goes last, so that whoever wakes before that goes on with
/// what was begun.
pub(super) fn bury(sql: &impl Sql) -> Result<(), LogError> {
    const META: Statement = "UPDATE meta SET needs = ?, job = '', sent = 0, infl = NULL";
    strip(sql)?;
    run(sql, &["DELETE FROM tasks"])?;
    sql.exec(META, vec![SqlValue::Text(NEEDS_TOMBSTONE.to_owned())])?;
    Ok(())
}
