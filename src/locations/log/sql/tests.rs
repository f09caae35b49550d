use std::rc::Rc;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ToSql};

use super::*;
use crate::ids::UserId;
use crate::locations::Fix;
use crate::locations::clock::Clock;
use crate::locations::log::Time;
use crate::locations::sequence::Ahead;

/// A real SQLite in memory. Clones share it, so that a log can be opened again.
#[derive(Debug, Clone)]
pub(in crate::locations) struct Sqlite(Rc<Connection>);

impl Sqlite {
    pub(in crate::locations) fn new() -> Self {
        Self(Rc::new(Connection::open_in_memory().unwrap()))
    }

    /// How many rows were ever inserted, changed or deleted: what storage is billed by.
    pub(in crate::locations) fn rows_written(&self) -> u64 {
        self.0.total_changes()
    }

    fn tables(&self) -> i64 {
        self.0.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).unwrap()
    }

    fn run(&self, sql: &str) {
        self.0.execute_batch(sql).unwrap();
    }
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Integer(value) => ToSqlOutput::Owned(Value::Integer(*value)),
            Self::Real(value) => ToSqlOutput::Owned(Value::Real(*value)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

impl Sql for Sqlite {
    fn exec(&self, statement: &'static str, params: Vec<SqlValue>) -> Result<Vec<Vec<SqlValue>>, SqlError> {
        let fault = |error: rusqlite::Error| SqlError(error.to_string());
        let mut statement = self.0.prepare_cached(statement).map_err(fault)?;
        let columns = statement.column_count();
        let mut found = statement.query(rusqlite::params_from_iter(params)).map_err(fault)?;
        let mut rows = Vec::new();
        while let Some(row) = found.next().map_err(fault)? {
            let value = |column| match row.get_ref(column).unwrap() {
                ValueRef::Null => SqlValue::Null,
                // As Workers does: every number is a float.
                ValueRef::Integer(value) => SqlValue::Real(value as f64),
                ValueRef::Real(value) => SqlValue::Real(value),
                ValueRef::Text(text) => SqlValue::Text(String::from_utf8(text.to_vec()).unwrap()),
                ValueRef::Blob(_) => panic!("no blobs are kept"),
            };
            rows.push((0..columns).map(value).collect());
        }
        Ok(rows)
    }
}

fn fix(text: &str) -> Fix {
    serde_json::from_str(text).unwrap()
}

fn driver() -> UserId {
    UserId::parse("d").unwrap()
}

fn row(seq: u64, cap: Option<i64>, fixes: &[&str]) -> Row {
    let fixes = fixes.iter().map(|text| fix(text)).collect();
    let (at, offset, right, ahead, times) = Default::default();
    let body = Body { ts: 1_000, at, offset, driver: driver(), live: seq, right, ahead, fixes, times };
    Row { seq, cap, body }
}

fn life() -> Life {
    Life { job: JobId::parse("job-1").unwrap(), epoch: 1_700_000_000 }
}

const PLAIN: &str = "[null,1.0,1.0,null,null,null,null,null]";

#[test]
fn looking_at_an_untouched_object_creates_nothing() {
    let sqlite = Sqlite::new();
    assert_eq!(SqlLog::new(sqlite.clone()).wake(), Ok(Waking::Untouched));
    assert_eq!((sqlite.tables(), sqlite.rows_written()), (0, 0));
}

#[test]
fn a_life_that_got_no_row_is_none() {
    let sqlite = Sqlite::new();
    SqlLog::new(sqlite.clone()).begin(&life()).unwrap();
    assert_eq!(SqlLog::new(sqlite.clone()).wake(), Ok(Waking::Ended { epoch: 1_700_000_000 }));
    sqlite.run("DELETE FROM meta");
    assert_eq!(SqlLog::new(sqlite).wake(), Ok(Waking::Untouched));
}

#[test]
fn what_was_appended_is_found_again() {
    let sqlite = Sqlite::new();
    let mut log = SqlLog::new(sqlite.clone());
    log.begin(&life()).unwrap();
    let first = row(1, None, &[PLAIN]);
    let full = r#"[1749116638916,-33.7714165,150.7719527,"a\"b~",0.1,0.2,0.30000000000000004,1e-7]"#;
    let second = row(3, Some(1_749_116_638_916), &[PLAIN, full]);
    log.append(&first, Position::default()).unwrap();
    log.append(&second, Position { sent: 0, infl: Some(1) }).unwrap();
    drop(log);

    let log = SqlLog::new(sqlite);
    let position = Position { sent: 0, infl: Some(1) };
    assert_eq!(log.wake(), Ok(Waking::Alive { life: life(), last: Box::new(second.clone()), position }));
    assert_eq!(log.rows_after(0, 10), Ok(vec![first.clone(), second.clone()]));
    assert_eq!(log.rows_after(0, 1), Ok(vec![first]));
    assert_eq!(log.rows_after(2, 1), Ok(vec![second]));
    assert_eq!(log.rows_after(3, 1), Ok(vec![]));
}

#[test]
fn a_row_says_only_what_is_to_be_said() {
    let mut row = row(3, None, &[PLAIN, PLAIN]);
    let plain = format!(r#"{{"ts":1000,"driver":"d","live":3,"fixes":[{PLAIN},{PLAIN}]}}"#);
    assert_eq!(serde_json::to_string(&row.body).unwrap(), plain);
    assert_eq!(serde_json::from_str::<Body>(&plain).unwrap(), row.body);
    let more = plain.replace("}", r#","what a later build adds":[]}"#);
    assert_eq!(serde_json::from_str::<Body>(&more).unwrap(), row.body, "it is passed over");

    row.body.at = Some(900);
    row.body.offset = Some(-7);
    row.body.right = Some(2);
    row.body.ahead = vec![(driver(), Ahead { captured_at: 90_000, at: 900 })];
    row.body.times = vec![Time { fix: 1, clock: Clock::Ahead, captured_at: 90_000, effective: 900 }];
    let full = format!(
        r#"{{"ts":1000,"at":900,"offset":-7,"driver":"d","live":3,"right":2,"ahead":[["d",{{"capturedAt":90000,"at":900}}]],"fixes":[{PLAIN},{PLAIN}],"times":[{{"fix":1,"clock":"ahead","capturedAt":90000,"effective":900}}]}}"#
    );
    assert_eq!(serde_json::to_string(&row.body).unwrap(), full);
    assert_eq!(serde_json::from_str::<Body>(&full).unwrap(), row.body);
}

#[test]
fn the_position_is_the_one_that_has_come_further() {
    let sqlite = Sqlite::new();
    let mut log = SqlLog::new(sqlite.clone());
    log.begin(&life()).unwrap();
    let position = |log: &SqlLog<Sqlite>| match log.wake().unwrap() {
        Waking::Alive { position, .. } => position,
        other => panic!("{other:?}"),
    };
    let at = |sent| Position { sent, infl: None };
    log.append(&row(1, None, &[PLAIN]), at(0)).unwrap();
    log.confirm(at(1)).unwrap();
    assert_eq!(position(&log), at(1));
    log.append(&row(2, None, &[PLAIN]), at(1)).unwrap();
    log.append(&row(3, None, &[PLAIN]), Position { sent: 2, infl: Some(3) }).unwrap();
    assert_eq!(position(&log), Position { sent: 2, infl: Some(3) });
    log.confirm(at(3)).unwrap();
    assert_eq!(position(&log), at(3));
    sqlite.run("DELETE FROM log");
    log.begin(&Life { epoch: 1_700_000_001, ..life() }).unwrap();
    log.append(&row(1, None, &[PLAIN]), at(0)).unwrap();
    assert_eq!(position(&log), at(0), "a new life starts afresh");
}

#[test]
fn a_look_up_finds_ids_and_places() {
    let mut log = SqlLog::new(Sqlite::new());
    log.begin(&life()).unwrap();
    let rows = [
        row(2, Some(50), &[r#"[50,1.5,2.5,"a",null,null,null,null]"#, PLAIN]),
        row(3, Some(50), &[r#"[40,1.5,2.5,null,null,null,null,null]"#]),
        row(4, Some(90), &[r#"[90,-0.1,1e-7,null,null,null,null,null]"#]),
        row(5, Some(90), &[r#"[null,1.5,2.5,"it's 5\" \\ [x]",null,null,null,null]"#]),
    ];
    for row in &rows {
        log.append(row, Position::default()).unwrap();
    }
    let find = |ids: &[&'static str], places: &[(i64, f64, f64)]| {
        let sought = Sought { ids: ids.to_vec(), places: places.to_vec() };
        log.find(&sought).unwrap().iter().map(|row| row.seq).collect::<Vec<_>>()
    };
    assert_eq!(find(&["a"], &[]), [2]);
    assert_eq!(find(&["b", "it's 5\" \\ [x]"], &[]), [5]);
    assert_eq!(find(&["A", "b", ""], &[]), [] as [u64; 0]);
    assert_eq!(find(&[], &[(40, 1.5, 2.5)]), [3]);
    assert_eq!(find(&[], &[(90, -0.1, 1e-7)]), [4]);
    assert_eq!(find(&[], &[(90, -0.1, 1.1e-7), (41, 1.5, 2.5), (40, 2.5, 1.5)]), [] as [u64; 0]);
    assert_eq!(find(&["a"], &[(40, 1.5, 2.5), (90, -0.1, 1e-7)]), [2, 3, 4]);
    assert_eq!(find(&["a"], &[(90, -0.1, 1e-7)]), [2, 4], "an id may be in a row of any time");
}

#[test]
fn a_log_of_another_version_is_left_alone() {
    let sqlite = Sqlite::new();
    let mut log = SqlLog::new(sqlite.clone());
    log.begin(&life()).unwrap();
    sqlite.run("UPDATE meta SET version = 2");
    assert_eq!(log.wake(), Err(LogError::Version(2)));
}

#[test]
fn a_damaged_log_is_an_error() {
    for damage in [
        "UPDATE log SET body = '{'",
        "UPDATE log SET body = '{}'",
        r#"UPDATE log SET body = '{"ts":1,"driver":"d","live":1,"fixes":[]}'"#,
        r#"UPDATE log SET body = '{"ts":1,"driver":"d","live":9,"fixes":[[null,1,1,null,null,null,null,null]]}'"#,
        "UPDATE log SET cap = 'x'",
        "UPDATE log SET sent = -1",
        "UPDATE log SET sent = 0.5",
        "UPDATE meta SET job = '..'",
        "UPDATE meta SET epoch = -1",
    ] {
        let sqlite = Sqlite::new();
        let mut log = SqlLog::new(sqlite.clone());
        log.begin(&life()).unwrap();
        log.append(&row(1, None, &[PLAIN]), Position::default()).unwrap();
        sqlite.run(damage);
        assert!(matches!(log.wake(), Err(LogError::Damaged(_))), "{damage}: {:?}", log.wake());
    }
}

#[test]
fn a_refusal_of_the_storage_is_an_error() {
    let sqlite = Sqlite::new();
    let mut log = SqlLog::new(sqlite.clone());
    log.begin(&life()).unwrap();
    log.append(&row(1, None, &[PLAIN]), Position::default()).unwrap();
    assert!(matches!(log.append(&row(1, None, &[PLAIN]), Position::default()), Err(LogError::Storage(_))));
    sqlite.run("DROP TABLE log");
    assert!(matches!(log.wake(), Err(LogError::Storage(_))));
}
