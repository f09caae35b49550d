//! What a newer build has written, as far as this one may touch it.

use super::*;

/// What a later version does to the tables and their rows: columns more, and a kind of row, and fields.
const LATER: &str = r#"
    ALTER TABLE meta ADD COLUMN due INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE log ADD COLUMN signature TEXT;
    ALTER TABLE lives ADD COLUMN vehicle TEXT;
    CREATE TABLE zones (id INTEGER PRIMARY KEY);
    UPDATE meta SET version = 7;
    UPDATE log SET body = json_insert(body, '$.weather', json('{"rain":true}'), '$.fixes[0][8]', 'a ninth element');
    INSERT INTO log (n, life, seq, kind, ts, cap, live, sent, body)
        VALUES (2, 1700000000, 1, 'job.closed', 1001, 900, 1, 0, '{"channel":"c","name":"e","id":"i","data":"d","more":1}');
    INSERT INTO log (n, life, seq, kind, ts, cap, live, sent, body)
        VALUES (3, 1700000000, 1, 'a mark of its own', 1002, 900, 1, 0, '{"whatever":[1]}');
"#;

#[test]
fn what_a_newer_build_has_added_is_passed_over_and_left_alone() {
    let (mut log, sqlite) = begun();
    let first = row(1, &[NAMED]);
    append(&mut log, &first, at(0));
    sqlite.run(LATER);

    let Ok(Waking::Begun { last: Some(last), .. }) = log.wake() else { panic!("{:?}", log.wake()) };
    assert_eq!((last.n, last.seq, last.pointers.live, last.content), (3, 1, Some(1), Content::Unknown));
    let rows = log.rows_after(0, 10).unwrap();
    assert_eq!(rows[0], first);
    let Content::Message(ready) = &rows[1].content else { panic!("{:?}", rows[1]) };
    assert_eq!([&ready.channel, &ready.name, &ready.id, &ready.data], ["c", "e", "i", "d"]);
    assert!(rows.iter().all(|row| row.first_n() == row.n));

    append(&mut log, &row(4, &[PLAIN]), at(3));
    log.confirm(at(4)).unwrap();
    let version = sqlite.exec("SELECT version, due FROM meta", vec![]).unwrap();
    assert_eq!(version, [[SqlValue::Real(7.0), SqlValue::Real(0.0)]]);
    let weather = sqlite.exec("SELECT body ->> '$.weather.rain' FROM log WHERE n = 1", vec![]).unwrap();
    assert_eq!(weather, [[SqlValue::Real(1.0)]]);
}

#[test]
fn what_takes_more_than_this_build_knows_is_left_alone_altogether() {
    for (later, unknown) in [
        (r#"UPDATE meta SET needs = '["registry","zones"]'"#, "zones"),
        ("UPDATE meta SET state = 'paused'", "the job's state"),
    ] {
        let (mut log, sqlite) = begun();
        append(&mut log, &row(1, &[PLAIN]), at(0));
        sqlite.run(later);
        let written = sqlite.rows_written();
        assert_eq!(log.wake(), Err(LogError::Newer(unknown.to_owned())));
        assert_eq!(LogError::Newer(unknown.to_owned()).code(), "storage_newer");
        assert_eq!(sqlite.rows_written(), written);
    }
}
