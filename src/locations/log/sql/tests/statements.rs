//! What each statement gives on a real SQLite, written down, so that the runtime's own is held to the same: it binds numbers in
//! another way. `tests/integration/statements.test.ts` does that.

use std::cell::RefCell;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::jobs::revocation::{Revocation, TokenRequests};
use crate::locations::log::REVOKE_TASKS;
use crate::locations::log::past::Past;

/// A database that notes what it is asked, and what it answers.
#[derive(Clone)]
struct Noting {
    sqlite: Sqlite,
    notes: Rc<RefCell<Vec<Value>>>,
}

impl Sql for Noting {
    fn exec(
        &self,
        statement: &'static str,
        params: Vec<SqlValue>,
    ) -> Result<Vec<Vec<SqlValue>>, StorageError> {
        let plain = |values: &[SqlValue]| values.iter().map(plain).collect::<Vec<_>>();
        let given = plain(&params);
        let rows = self.sqlite.exec(statement, params)?;
        let told: Vec<_> = rows.iter().map(|row| plain(row)).collect();
        self.notes.borrow_mut().push(json!({"statement": statement, "params": given, "rows": told}));
        Ok(rows)
    }
}

fn plain(value: &SqlValue) -> Value {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(number) => json!(number),
        SqlValue::Real(number) if number.fract() == 0.0 => json!(*number as i64),
        SqlValue::Real(number) => json!(number),
        SqlValue::Text(text) => json!(text),
        SqlValue::Blob(bytes) => json!({"bytes": str::from_utf8(bytes).unwrap()}),
    }
}

#[test]
fn what_each_statement_gives_is_written_down() {
    let noting = Noting { sqlite: Sqlite::new(), notes: Rc::default() };
    let mut log = SqlLog::new(noting.clone());
    log.wake().unwrap();
    log.begin(&life(), 1, None).unwrap();
    log.wake().unwrap();
    let full = row(2, &[NAMED, TIMED]);
    let pointers = Pointers {
        cap: Some(1_749_116_638_916),
        far: Some(2_000_000_000_000),
        right: Some(1),
        ahead: vec![(driver(), Ahead { captured_at: 90_000, at: 900 })],
        ..full.pointers
    };
    append(&mut log, &Row { pointers, ..full }, at(0));
    append(&mut log, &row(3, &[PLAIN]), Position { sent: 2, infl: Some(3) });
    log.wake().unwrap();
    log.confirm(at(3)).unwrap();
    log.confirm(Position { sent: 3, infl: Some(4) }).unwrap();
    let cause = Cause { class: Class::Message, code: None, status: Some(413) };
    log.set_aside(&SetAside { first_n: 1, last_n: 2, ts: 7, cause }, at(3)).unwrap();
    log.given_up_after(0, 10).unwrap();
    log.reached(1).unwrap();
    log.given_up_after(0, 10).unwrap();
    let trouble = Trouble {
        cause,
        until: 1_749_116_638_916,
        failures: 3,
        held: 1,
        since: 1_749_116_638_000,
        is_told: true,
    };
    log.put_task(PUBLISH_TASK, &Task::Publish(trouble)).unwrap();
    log.put_task(1, &Task::Report(report())).unwrap();
    log.put_task(7, &Task::Resend { first_n: 7, last_n: 9 }).unwrap();
    log.wake().unwrap();
    log.end_task(PUBLISH_TASK).unwrap();
    log.prints(&mut |_, _| {}).unwrap();
    log.rows(&[2, 3, 9]).unwrap();
    log.rows_after(0, 1).unwrap();
    log.rows_after(2, 10).unwrap();
    for (n, count) in [(0, 1), (0, 3), (2, 10), (3, 1)] {
        log.fixes_after(n, count).unwrap();
    }
    for n in [0, 2, 9] {
        log.place_at(n).unwrap();
        log.last_fix(n).unwrap();
    }
    log.given_up_within(2..=5).unwrap();
    log.given_up_within(3..=5).unwrap();
    log.lives_from(1).unwrap();
    log.begin(&Life { epoch: 1_700_000_009, ..life() }, 4, None).unwrap();
    log.wake().unwrap();
    log.lives_from(1_700_000_000).unwrap();
    log.lives_from(1_700_000_001).unwrap();

    let body = r#"{"driver": "d", "customers": []}"#;
    let wanted = crate::jobs::Wanted::parse(body.as_bytes(), 0).unwrap();
    let past = crate::jobs::registration::Past { last_n: 3, has_fixes: true, epoch: None };
    let (registration, change) = crate::jobs::Registration::new(wanted, past, 1_749_116_638_916, 3_600_000);
    let next = Life { epoch: 1_700_000_010, ..life() };
    log.begin(&next, 4, Some(&driver())).unwrap();
    let born = Row { n: 4, epoch: next.epoch, seq: 0, content: Content::Life, ..row(3, &[PLAIN]) };
    append(&mut log, &born, at(3));
    let revocation =
        Revocation::of(&change, &life().job, 1_749_116_638_916, &TokenRequests::new(false)).remove(0);
    log.put_task(REVOKE_TASKS + 1, &Task::Revoke(revocation)).unwrap();
    log.register(&registration).unwrap();
    let mut gated = registration.clone();
    gated.wanted.gate = serde_json::from_str(r#"{"customer": {"from": 1749116638916}}"#).unwrap();
    log.register(&gated).unwrap();
    log.register(&registration).unwrap();
    log.keep_vitals(&crate::jobs::vitals::Vitals::default()).unwrap();
    log.wake().unwrap();
    log.end_task(REVOKE_TASKS + 1).unwrap();
    log.lives_of(&driver()).unwrap();

    log.clear().unwrap();
    log.wake().unwrap();
    log.begin(&Life { epoch: 1_700_000_011, ..life() }, 1, Some(&driver())).unwrap();
    append(&mut log, &row(1, &[NAMED]), at(0));
    log.forget(&Forgetting { by: 1_749_120_238_916, sent: 3, last: Some(born) }).unwrap();
    log.wake().unwrap();
    log.clear().unwrap();
    log.wake().unwrap();

    desk::every_statement(noting.clone());
    lists::every_statement(noting.clone());
    inbox::every_statement(noting.clone());

    let notes = serde_json::to_string_pretty(&*noting.notes.borrow()).unwrap() + "\n";
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kept = root.join("tests/data/storage/statements.json");
    if std::fs::read_to_string(&kept).is_ok_and(|kept| kept == notes) {
        return;
    }
    let new = root.join("target/statements.json");
    std::fs::write(&new, notes).unwrap();
    panic!("the statements have changed: if that is meant, copy {} over {}", new.display(), kept.display());
}
