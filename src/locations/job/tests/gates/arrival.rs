//! When the vehicle is told to have arrived, and how long.

use super::*;
use crate::locations::job::tests::registry_faults::{Kept, whatever_is_refused};
use crate::locations::protocol::Only;

/// How often it was written down that the vehicle has arrived.
fn arrivals(log: &MemoryLog) -> usize {
    let is_arrival =
        |row: &Row| matches!(&row.content, Content::Message(ready) if ready.name == "driver.arrived");
    log.all().iter().filter(|row| is_arrival(row)).count()
}

fn elsewhere() -> Value {
    json!({"lat": 10, "lng": 10})
}

/// When it has arrived, as the first state and the job say alike.
fn arrived_at<L: Log>(job: &mut Job<L>, now: Millis) -> Option<Millis> {
    let state = state_to(job, Role::Admin, "x", now).unwrap();
    let read = [state, told(job, Role::Admin, "x", now)];
    let [state, job] = read.map(|read| read.get("arrivedAt").and_then(Value::as_i64));
    assert_eq!(state, job);
    state
}

#[test]
fn an_arrival_is_told_once_a_life() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    put(&mut job, &Value::Null, &json!({"place": {"lat": 10, "lng": 10}}), NOW);
    fixed(&mut job, at_metres(5.0), NOW + 1_000);
    put(&mut job, &Value::Null, &json!({}), NOW + 2_000);
    fixed(&mut job, at_metres(101.0), NOW + 3_000);
    fixed(&mut job, json!({"lat": 48, "lng": 16, "accuracy": 101}), NOW + 4_000);
    fixed(&mut job, json!({"lat": 48, "lng": 16, "capturedAt": NOW + 500}), NOW + 4_000);
    drain(&mut job, NOW + 4_000);
    assert_eq!(arrivals(&log), 0);
    fixed(&mut job, at_metres(99.0), NOW + 5_000);
    let told = drain(&mut job, NOW + 5_000);
    let arrived =
        json!({"jobId": "job-1", "epoch": NOW / 1_000, "afterSeq": 5, "version": 2, "ts": NOW + 5_000});
    let epoch = NOW / 1_000;
    // After the assignment, two changes, four fixes and the fix by which it has.
    let event = ("driver.arrived".to_owned(), format!("job-1/{epoch}.n9"), arrived);
    assert_eq!((told.len(), told.last()), (2, Some(&event)));
    put(&mut job, &Value::Null, &json!({"customers": ["c", "late"]}), NOW + 5_500);
    let mut job = wake(log.clone());
    for (role, name, at) in [
        (Role::Dispatcher, "x", Some(NOW + 5_000)),
        (Role::Driver, "d", Some(NOW + 5_000)),
        (Role::Customer, "c", Some(NOW + 5_000)),
        (Role::Customer, "late", None),
    ] {
        let state = state_to(&mut job, role, name, NOW + 5_500).unwrap();
        for read in [state, self::told(&mut job, role, name, NOW + 5_500)] {
            assert_eq!(read.get("arrivedAt").and_then(Value::as_i64), at, "to {name}");
        }
    }
    put(&mut job, &Value::Null, &json!({"place": elsewhere()}), NOW + 6_000);
    let writes = log.writes();
    fixed(&mut job, json!({"lat": 10, "lng": 10}), NOW + 7_000);
    assert_eq!(log.writes(), writes + 1, "its row alone");
    assert_eq!(arrivals(&log), 1);
    assert_eq!(arrived_at(&mut job, NOW + 7_000), None, "where it had arrived is not the place");
    put(&mut job, &Value::Null, &json!({"driver": "e"}), NOW + 8_000);
    post_as(&mut job, "e", None, &at_metres(1.0), NOW + 9_000);
    assert_eq!(arrivals(&log), 2);
    assert_eq!(arrived_at(&mut job, NOW + 9_000), Some(NOW + 9_000));
}

#[test]
fn it_has_arrived_as_long_as_its_place_is_the_same() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    put(&mut job, &Value::Null, &json!({}), NOW);
    fixed(&mut job, at_metres(5.0), NOW + 1_000);
    let arrived = Some(NOW + 1_000);
    // Whatever else is another, and a place that is written otherwise.
    for (gate, more) in [
        (Value::Null, json!({})),
        (Value::Null, json!({"place": {"lat": 48.0, "lng": 1.6e1}})),
        (Value::Null, json!({"endsAt": NOW + HOUR})),
        (Value::Null, json!({"customers": ["c", "e"]})),
        (json!({"customer": {"from": NOW + HOUR}}), json!({})),
        (within(500), json!({})),
        (Value::Null, json!({})),
    ] {
        put(&mut job, &gate, &more, NOW + 2_000);
        for job in [&mut wake(log.clone()), &mut job] {
            assert_eq!(arrived_at(job, NOW + 2_000), arrived, "{gate} {more}");
        }
    }
    let moved = registered(&Value::Null, &json!({"place": elsewhere()}), NOW + 3_000);
    let JobRequest::Put { job: id, wanted, .. } = moved else { panic!("{moved:?}") };
    let moved = JobRequest::Put { job: id, wanted, only: Some(Only::Versions(vec![1])) };
    ask(&mut job, moved, NOW + 3_000).unwrap();
    assert_eq!(arrived_at(&mut job, NOW + 3_000), arrived, "of a version that it is not any more");
    put(&mut job, &Value::Null, &json!({"place": null}), NOW + 3_000);
    assert_eq!(arrived_at(&mut job, NOW + 3_000), None, "no place");
    put(&mut job, &Value::Null, &json!({}), NOW + 4_000);
    fixed(&mut job, at_metres(4.0), NOW + 5_000);
    for job in [&mut wake(log.clone()), &mut job] {
        assert_eq!(arrived_at(job, NOW + 5_000), None, "it went on before it was the place again");
    }
    assert_eq!(arrivals(&log), 1);
}

#[test]
fn a_place_that_moves_takes_the_arrival_with_it_whatever_is_refused() {
    let place = |job: &mut Kept| put(job, &Value::Null, &json!({}), NOW);
    let moved = || registered(&Value::Null, &json!({"place": elsewhere()}), NOW);
    let arrives = |job: &mut Kept| {
        place(job);
        fixed(job, at_metres(5.0), NOW + 1_000);
    };
    whatever_is_refused(arrives, moved, NOW + 2_000, |job| {
        let is_moved = told(job, Role::Admin, "x", NOW + 3_000)["place"] != json!({"lat": 48.0, "lng": 16.0});
        assert_eq!(arrived_at(job, NOW + 3_000), Some(NOW + 1_000).filter(|_| !is_moved));
        ask(job, moved(), NOW + 4_000).unwrap();
        assert_eq!(arrived_at(job, NOW + 4_000), None);
    });
    // And where its event has not left yet.
    let there = || {
        let body = at_metres(5.0).to_string();
        let post = Post::parse(body.as_bytes(), Sender::Driver(&user("d")), None).unwrap();
        JobRequest::Post { job: job_id(), post, registry_alone: false }
    };
    let placed = |job: &mut Kept| drop(place(job));
    whatever_is_refused(placed, there, NOW + 1_000, |job| {
        ask(job, moved(), NOW + 2_000).unwrap();
        assert_eq!(arrived_at(job, NOW + 2_000), None);
    });
}

#[test]
fn a_build_that_did_not_know_of_it_may_have_moved_the_place() {
    let sqlite = Sqlite::new();
    let mut job = wake(SqlLog::new(sqlite.clone()));
    // It keeps what it knows, whatever it writes.
    let by_another_build = |job: Job<SqlLog<Sqlite>>| {
        drop(job);
        let (body, _) = on_disk(&sqlite);
        let mut body: Value = serde_json::from_str(&body).unwrap();
        body.as_object_mut().unwrap().remove("placedAfter").unwrap();
        sqlite.exec("UPDATE registration SET body = ?", vec![SqlValue::Text(body.to_string())]).unwrap();
        wake(SqlLog::new(sqlite.clone()))
    };
    put(&mut job, &Value::Null, &json!({}), NOW);
    fixed(&mut job, at_metres(5.0), NOW + 1_000);
    let mut job = by_another_build(job);
    assert_eq!(arrived_at(&mut job, NOW + 2_000), Some(NOW + 1_000), "since the place was put");
    put(&mut job, &within(500), &json!({}), NOW + 2_000);
    assert_eq!(arrived_at(&mut job, NOW + 2_000), Some(NOW + 1_000), "a gate is another");
    put(&mut job, &within(500), &json!({"place": elsewhere()}), NOW + 3_000);
    let mut job = by_another_build(job);
    assert_eq!(arrived_at(&mut job, NOW + 3_000), None);
    put(&mut job, &Value::Null, &json!({"place": elsewhere()}), NOW + 4_000);
    assert_eq!(arrived_at(&mut job, NOW + 4_000), None, "nor by what is put after that");
}

#[test]
fn who_comes_between_an_arrival_and_its_event_knows_it_from_then_on() {
    let mut job = new_job();
    put(&mut job, &Value::Null, &json!({}), NOW);
    fixed(&mut job, at_metres(900.0), NOW + 500);
    put(&mut job, &Value::Null, &json!({"customers": ["c", "late"]}), NOW + 2_000);
    let there = json!({"lat": 48, "lng": 16, "accuracy": 0, "capturedAt": NOW + 1_000});
    fixed(&mut job, there, NOW + 3_000);
    for (name, at) in [("c", NOW + 1_000), ("late", NOW + 2_000)] {
        let state = state_to(&mut job, Role::Customer, name, NOW + 3_000).unwrap();
        assert_eq!(state["arrivedAt"], json!(at), "to {name}");
    }
}
