use std::rc::Rc;

use super::*;
use crate::ids::UserId;
use crate::inbox::object::tests as inbox;
use crate::index::lists::tests as lists;
use crate::locations::clock::Ahead;
use crate::locations::clock::Clock;
use crate::locations::log::{Accepted, Content, PUBLISH_TASK, Pointers, Time, Trouble};
use crate::objects::Class;
use crate::objects::sql::StorageError;
use crate::objects::sql::sqlite::Sqlite;
use crate::operations::desk::tests as desk;
use crate::operations::queue::Queued;
use crate::operations::{Kind, Report};

mod migration;
mod newer;
mod statements;

fn report() -> Queued {
    let report = Report {
        kind: Kind::SET_ASIDE,
        job_id: Some(life().job),
        r#ref: "r".to_owned(),
        at: 7,
        since: None,
        cause: Some(Cause::DAMAGED),
        times: 1,
    };
    Queued { id: 1, report, due: 9 }
}

fn driver() -> UserId {
    UserId::parse("d").unwrap()
}

fn accepted(fixes: &[&str]) -> Accepted {
    let fixes = fixes.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    Accepted { at: None, offset: None, driver: driver(), fixes, times: vec![], late: vec![] }
}

/// A row whose `n` is its seq, all of it live.
fn row(n: u64, fixes: &[&str]) -> Row {
    let pointers = Pointers { live: Some(n), ..Pointers::default() };
    Row { n, epoch: life().epoch, seq: n, ts: 1_000, pointers, content: Content::Fixes(accepted(fixes)) }
}

fn life() -> Life {
    Life { job: JobId::parse("job-1").unwrap(), epoch: 1_700_000_000 }
}

/// A log that has begun, in a database that is given too.
fn begun() -> (SqlLog<Sqlite>, Sqlite) {
    let sqlite = Sqlite::new();
    let mut log = SqlLog::new(sqlite.clone());
    log.begin(&life(), 1, None).unwrap();
    (log, sqlite)
}

fn append(log: &mut impl Log, row: &Row, position: Position) {
    log.append(row, &row.accepted().map_or(vec![], Accepted::prints), position).unwrap();
}

fn at(sent: u64) -> Position {
    Position { sent, infl: None }
}

const PLAIN: &str = "[null,1.0,1.0,null,null,null,null,null]";
const NAMED: &str = r#"[null,1.0,1.0,"a name",null,null,null,null]"#;
const TIMED: &str = "[1749116638916,1.0,1.0,null,null,null,null,null]";

#[test]
fn looking_at_an_untouched_object_creates_nothing() {
    let sqlite = Sqlite::new();
    assert_eq!(SqlLog::new(sqlite.clone()).wake(), Ok(Waking::Untouched));
    assert_eq!((sqlite.tables(), sqlite.rows_written()), (0, 0));
}

#[test]
fn a_life_that_got_no_row_is_told_all_the_same() {
    let (mut log, sqlite) = begun();
    assert_eq!(
        log.wake(),
        Ok(Waking::Begun {
            life: life(),
            driver: None,
            last: None,
            position: Position::default(),
            tasks: vec![],
            registration: None,
            vitals: None
        })
    );
    sqlite.run("DELETE FROM meta");
    assert_eq!(log.wake(), Ok(Waking::Untouched));
}

#[test]
fn what_was_appended_is_found_again() {
    let (mut log, _) = begun();
    let first = row(1, &[PLAIN]);
    let full = r#"[1749116638916,-33.7714165,150.7719527,"a\"b~",0.1,0.2,0.30000000000000004,1e-7]"#;
    let pointers = Pointers {
        cap: Some(1_749_116_638_916),
        far: Some(2_000_000_000_000),
        live: Some(3),
        right: Some(1),
        ahead: vec![(driver(), Ahead { captured_at: 90_000, at: 900 })],
    };
    let mut second = Row { n: 5, pointers, ..row(3, &[PLAIN, full]) };
    let Content::Fixes(fixes) = &mut second.content else { panic!("no fixes") };
    fixes.offset = Some(-7);
    fixes.times = vec![Time { fix: 1, clock: Clock::Ahead, captured_at: 90_000, effective: 900 }];
    append(&mut log, &first, at(0));
    append(&mut log, &second, Position { sent: 0, infl: Some(1) });

    let position = Position { sent: 0, infl: Some(1) };
    let last = Some(Box::new(second.clone()));
    assert_eq!(
        log.wake(),
        Ok(Waking::Begun {
            life: life(),
            driver: None,
            last,
            position,
            tasks: vec![],
            registration: None,
            vitals: None
        })
    );
    assert_eq!(log.rows_after(0, 10), Ok(vec![first.clone(), second.clone()]));
    assert_eq!(log.rows_after(0, 1), Ok(vec![first.clone()]));
    assert_eq!(log.rows_after(4, 1), Ok(vec![second.clone()]));
    assert_eq!(log.rows_after(5, 1), Ok(vec![]));
    assert_eq!(log.rows(&[1, 4, 5]), Ok(vec![first, second]));
    assert_eq!(log.rows(&[2, 3]), Ok(vec![]));
    assert_eq!(log.rows(&[]), Ok(vec![]));
}

#[test]
fn a_row_says_only_what_is_to_be_said() {
    let mut body = accepted(&[PLAIN, PLAIN]);
    let plain = format!(r#"{{"driver":"d","fixes":[{PLAIN},{PLAIN}]}}"#);
    assert_eq!(serde_json::to_string(&body).unwrap(), plain);
    assert_eq!(serde_json::from_str::<Accepted>(&plain).unwrap(), body);

    body.at = Some(900);
    body.offset = Some(-7);
    body.times = vec![Time { fix: 1, clock: Clock::Ahead, captured_at: 90_000, effective: 900 }];
    body.late = vec![0];
    let full = format!(
        r#"{{"at":900,"offset":-7,"driver":"d","fixes":[{PLAIN},{PLAIN}],"times":[{{"fix":1,"clock":"ahead","capturedAt":90000,"effective":900}}],"late":[0]}}"#
    );
    assert_eq!(serde_json::to_string(&body).unwrap(), full);
    assert_eq!(serde_json::from_str::<Accepted>(&full).unwrap(), body);
}

#[test]
fn the_position_is_the_one_that_has_come_further() {
    let (mut log, _) = begun();
    let position = |log: &mut SqlLog<Sqlite>| match log.wake().unwrap() {
        Waking::Begun { position, .. } => position,
        other => panic!("{other:?}"),
    };
    append(&mut log, &row(1, &[PLAIN]), at(0));
    log.confirm(at(1)).unwrap();
    assert_eq!(position(&mut log), at(1));
    append(&mut log, &row(2, &[PLAIN]), at(1));
    append(&mut log, &row(3, &[PLAIN]), Position { sent: 2, infl: Some(3) });
    assert_eq!(position(&mut log), Position { sent: 2, infl: Some(3) });
    log.confirm(at(3)).unwrap();
    assert_eq!(position(&mut log), at(3));
}

#[test]
fn a_new_life_goes_on_in_the_same_log() {
    let (mut log, sqlite) = begun();
    append(&mut log, &row(1, &[PLAIN]), at(0));
    let next = Life { epoch: 1_700_000_009, ..life() };
    log.begin(&next, 2, None).unwrap();
    let old = Some(Box::new(row(1, &[PLAIN])));
    assert_eq!(
        log.wake(),
        Ok(Waking::Begun {
            life: next.clone(),
            driver: None,
            last: old,
            position: at(0),
            tasks: vec![],
            registration: None,
            vitals: None
        })
    );
    let first = Row { n: 2, epoch: next.epoch, ..row(1, &[PLAIN]) };
    append(&mut log, &first, at(1));
    assert_eq!(
        log.wake(),
        Ok(Waking::Begun {
            life: next,
            driver: None,
            last: Some(Box::new(first)),
            position: at(1),
            tasks: vec![],
            registration: None,
            vitals: None
        })
    );
    let lives = sqlite.exec("SELECT epoch, first_n FROM lives ORDER BY epoch", vec![]).unwrap();
    let numbers = |a, b| vec![SqlValue::Real(a), SqlValue::Real(b)];
    assert_eq!(lives, [numbers(1_700_000_000.0, 1.0), numbers(1_700_000_009.0, 2.0)]);
}

#[test]
fn what_is_given_up_is_written_down_with_the_position_after_it() {
    let (mut log, sqlite) = begun();
    append(&mut log, &row(2, &[PLAIN, PLAIN]), at(0));
    let cause = Cause { class: Class::Message, code: Some(40009), status: None };
    let message = SetAside { first_n: 1, last_n: 2, ts: 7, cause };
    for _ in 0..2 {
        log.set_aside(&message, at(2)).unwrap();
    }
    let Ok(Waking::Begun { position, .. }) = log.wake() else { panic!("nothing is kept") };
    assert_eq!(position, at(2));
    let kept = sqlite.exec("SELECT first_n, last_n, ts, cause FROM set_aside", vec![]).unwrap();
    let [one, two, seven] = [1.0, 2.0, 7.0].map(SqlValue::Real);
    let cause = r#"{"class":"message","code":40009,"status":null}"#.to_owned();
    assert_eq!(kept, [[one, two, seven, SqlValue::Text(cause)]]);
}

#[test]
fn prints_are_told_with_their_rows_however_many_there_are() {
    let (mut log, _) = begun();
    let mut expected = Vec::new();
    let ends = [PRINTS_AT_ONCE, 2 * PRINTS_AT_ONCE, 3 * PRINTS_AT_ONCE];
    let ends = ends.into_iter().flat_map(|end| [end - 1, end, end + 1, end + 2]);
    for n in [2, 4].into_iter().chain(ends) {
        let name = format!(r#"[null,1.0,1.0,"{n}",null,null,null,null]"#);
        let row = row(n, &[if n % 3 == 0 { PLAIN } else { &name }, if n % 2 == 0 { TIMED } else { PLAIN }]);
        append(&mut log, &row, at(0));
        expected.extend(row.accepted().unwrap().prints().into_iter().map(|print| (print, row.n)));
    }
    let mut told = Vec::new();
    log.prints(&mut |print, n| told.push((print, n))).unwrap();
    assert_eq!(told, expected);
}

#[test]
fn a_damaged_log_is_an_error() {
    for damage in [
        "UPDATE log SET sent = -1",
        "UPDATE log SET sent = 0.5",
        "UPDATE meta SET job = '..'",
        "UPDATE meta SET version = 0",
        "UPDATE meta SET needs = 'x'",
        "UPDATE lives SET epoch = -1",
    ] {
        let (mut log, sqlite) = begun();
        append(&mut log, &row(1, &[PLAIN]), at(0));
        sqlite.run(damage);
        assert!(matches!(log.wake(), Err(LogError::Damaged(_))), "{damage}: {:?}", log.wake());
    }
}

#[test]
fn prints_that_are_damaged_are_those_of_the_fixes() {
    for damage in ["'é'", "'AAAAAAAAAAA'", "'AAAA'", "prints || 'A'"] {
        let (mut log, sqlite) = begun();
        let rows = [row(2, &[NAMED, TIMED]), row(3, &[PLAIN]), row(4, &[NAMED]), row(5, &[NAMED])];
        rows.iter().for_each(|row| append(&mut log, row, at(0)));
        sqlite.run(&format!("UPDATE log SET prints = {damage} WHERE n = 2"));
        sqlite.run("UPDATE log SET body = 'x' WHERE n = 5");
        let mut told = Vec::new();
        log.prints(&mut |print, n| told.push((print, n))).unwrap();
        let readable = rows.iter().filter(|row| row.n < 5);
        let prints =
            readable.flat_map(|row| row.accepted().unwrap().prints().into_iter().map(|print| (print, row.n)));
        assert_eq!(told, prints.collect::<Vec<_>>(), "{damage}");
    }
}

#[test]
fn a_damaged_row_says_so_and_no_more_than_can_be() {
    for damage in [
        "UPDATE log SET body = '{'",
        "UPDATE log SET body = '{}'",
        r#"UPDATE log SET body = '{"driver":"d","fixes":[]}'"#,
        r#"UPDATE log SET body = '{"driver":"d","fixes":[[null,1,1],[null,1,1]]}'"#,
        "UPDATE log SET live_ahead = 'x'",
        "UPDATE log SET cap = 'x'",
        "UPDATE log SET live = 0.5",
    ] {
        let (mut log, sqlite) = begun();
        append(&mut log, &row(1, &[PLAIN]), at(0));
        sqlite.run(damage);
        let Ok(Waking::Begun { last: Some(last), .. }) = log.wake() else { panic!("{damage}") };
        assert_eq!((last.content, last.n), (Content::Damaged, 1), "{damage}");
    }
    let (mut log, sqlite) = begun();
    append(&mut log, &row(1, &[PLAIN]), at(0));
    sqlite.run("UPDATE log SET live = 9, live_right = 9");
    let Ok(Waking::Begun { last: Some(last), .. }) = log.wake() else { panic!("nothing is kept") };
    assert_eq!((last.pointers.live, last.pointers.right), (None, None));
}

#[test]
fn tasks_are_found_again_and_another_builds_are_left_alone() {
    let (mut log, sqlite) = begun();
    let cause = Cause { class: Class::Access, code: Some(40101), status: Some(401) };
    let until = 1_700_000_000_000;
    let publish = |failures| {
        Task::Publish(Trouble { cause, until, failures, held: 1, since: until - 9, is_told: true })
    };
    let resend = Task::Resend { first_n: 7, last_n: 9 };
    log.put_task(PUBLISH_TASK, &publish(1)).unwrap();
    log.put_task(7, &resend).unwrap();
    log.put_task(PUBLISH_TASK, &publish(2)).unwrap();
    log.put_task(1, &Task::Report(report())).unwrap();
    sqlite.run("INSERT INTO tasks (id, kind, due, body) VALUES (8, 'a thing', 0, '[]')");
    let tasks = |log: &mut SqlLog<_>| match log.wake() {
        Ok(Waking::Begun { tasks, .. }) => tasks,
        other => panic!("{other:?}"),
    };
    let reported = (1, Task::Report(report()));
    assert_eq!(tasks(&mut log), [(PUBLISH_TASK, publish(2)), reported, (7, resend.clone())]);
    log.end_task(PUBLISH_TASK).unwrap();
    log.end_task(1).unwrap();
    log.end_task(8).unwrap();
    assert_eq!(tasks(&mut log), [(7, resend)]);
    assert_eq!(log.0.exec("SELECT 1 FROM tasks WHERE id = 8", vec![]).unwrap().len(), 1);
}

#[test]
fn what_was_given_up_is_told_in_order_until_it_has_arrived() {
    let (mut log, _) = begun();
    let message = |first_n| SetAside { first_n, last_n: first_n + 1, ts: 7, cause: Cause::DAMAGED };
    for first_n in [5, 1, 3] {
        log.set_aside(&message(first_n), at(first_n + 1)).unwrap();
    }
    assert_eq!(log.given_up_after(0, 2).unwrap(), [message(1), message(3)]);
    assert_eq!(log.given_up_after(3, 2).unwrap(), [message(5)]);
    log.reached(3).unwrap();
    assert_eq!(log.given_up_after(0, 9).unwrap(), [message(1), message(5)]);
}

#[test]
fn a_refusal_of_the_storage_is_an_error() {
    let (mut log, sqlite) = begun();
    append(&mut log, &row(1, &[PLAIN]), at(0));
    assert!(matches!(log.append(&row(1, &[PLAIN]), &[], at(0)), Err(LogError::Storage(_))));
    sqlite.run("DROP TABLE log");
    assert!(matches!(log.wake(), Err(LogError::Storage(_))));
}
