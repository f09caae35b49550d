//! What readers behind a gate are told as it opens and closes, and what those are told whose log cannot be read.

use super::gates::registered;
use super::registered::{ask, close, viewer};
use super::registry_faults::Refusing;
use super::streaming::{events, request, told};
use super::*;
use crate::locations::protocol::Begin;
use crate::sessions::Role;
use crate::streams::Mark;

const FROM: Millis = NOW + 10 * MINUTE;

fn put<L: Log>(job: &mut Job<L>, gate: Value, now: Millis) {
    ask(job, registered(&gate, &json!({}), now), now).unwrap();
}

fn from(from: Millis) -> Value {
    json!({"customer": {"from": from}})
}

fn there() -> Value {
    json!({"lat": 48, "lng": 16, "accuracy": 3})
}

fn open<L: Log>(job: &mut Job<L>, role: Role, name: &str, after: &str, now: Millis) -> u32 {
    let begin = Mark::parse(after).map_or(Begin::Now, Begin::After);
    job.stream(request(viewer(role, name), now + HOUR, begin), now).unwrap().unwrap()
}

/// Two readers who have their first events: a customer and somebody of the platform's.
fn both<L: Log>(job: &mut Job<L>, now: Millis) -> [u32; 2] {
    [(Role::Customer, "c"), (Role::Admin, "a")].map(|(role, name)| {
        let number = open(job, role, name, "", now);
        assert!(told(job, number, now).len() <= 1);
        number
    })
}

/// What all of them are told now, each by itself. What is on its way to the one stays there.
fn told_to<L: Log>(job: &mut Job<L>, [one, other]: [u32; 2], now: Millis) -> [Vec<String>; 2] {
    let (deliveries, failed) = job.deliveries(now);
    failed.unwrap();
    job.taken(other, true);
    [one, other].map(|number| {
        let theirs = deliveries.iter().filter(|it| it.readers.contains(&number) && it.text != ": \n\n");
        theirs.flat_map(|it| events(&it.text)).map(|it| it.name).collect()
    })
}

#[test]
fn a_silence_from_before_the_opening_is_for_staff_alone() {
    let settings = Settings { silent_after: Some(MINUTE), ..settings() };
    let mut job = Job::wake(MemoryLog::default(), settings).unwrap();
    put(&mut job, from(FROM), NOW);
    post_as(&mut job, "d", None, &json!({"lat": 1, "lng": 1}), FROM - 40_000);
    let readers = both(&mut job, FROM - 30_000);
    job.alarm(FROM).unwrap();
    assert_eq!(
        told_to(&mut job, readers, FROM),
        [vec!["gate.opened".to_owned(), "state".to_owned()], vec![]]
    );
    job.taken(readers[0], true);
    job.alarm(FROM + 20_000).unwrap();
    assert_eq!(told_to(&mut job, readers, FROM + 20_000), [vec![], vec!["driver.silent".to_owned()]]);
    job.taken(readers[0], true);
    post_as(&mut job, "d", None, &json!({"lat": 1, "lng": 1}), FROM + 30_000);
    let names = ["location.updated".to_owned()];
    let staff = ["driver.heard".to_owned(), names[0].clone()];
    assert_eq!(told_to(&mut job, readers, FROM + 30_000), [names.to_vec(), staff.to_vec()]);
    job.taken(readers[0], true);
    // The next one is theirs too, and by its id they go on.
    job.alarm(FROM + 90_000).unwrap();
    let again = open(&mut job, Role::Customer, "c", "1700000000.2", FROM + 90_000);
    job.deliveries(FROM + 90_000).1.unwrap();
    job.taken(again, true);
    assert_eq!(told(&mut job, again, FROM + 90_000), ["driver.silent 00.2.1"]);
}

#[test]
fn an_arrival_by_a_fix_from_before_the_opening_is_for_staff_alone() {
    for (captured_at, is_told) in [(FROM - 1, false), (FROM, true)] {
        let log = MemoryLog::default();
        let mut job = wake(log.clone());
        put(&mut job, from(FROM), NOW);
        post_as(&mut job, "d", None, &json!({"lat": 1, "lng": 1}), NOW);
        job.alarm(FROM).unwrap();
        let readers = both(&mut job, FROM);
        let fix = json!({"locations": [{"lat": 48, "lng": 16, "capturedAt": captured_at}]});
        post_as(&mut job, "d", None, &fix, FROM + 5_000);
        let [customer, staff] = told_to(&mut job, readers, FROM + 5_000);
        assert_eq!(staff, ["location.updated", "driver.arrived"]);
        assert_eq!(customer.contains(&"driver.arrived".to_owned()), is_told, "{customer:?}");
        // Whoever has slept knows it still.
        let mut job = wake(log);
        let again = open(&mut job, Role::Customer, "c", "1700000000.1", FROM + 5_000);
        let told = told(&mut job, again, FROM + 5_000);
        assert_eq!(told.iter().any(|it| it.starts_with("driver.arrived")), is_told, "{told:?}");
    }
}

#[test]
fn an_end_is_not_told_to_whom_a_gate_has_closed_while_a_text_was_on_its_way() {
    for forget in [false, true] {
        let mut job = new_job();
        let gate = || json!({"customer": {"within": 5_000}});
        put(&mut job, gate(), NOW);
        post_as(&mut job, "d", None, &there(), NOW + 1_000);
        let readers = both(&mut job, NOW + 1_000);
        post_as(&mut job, "d", None, &there(), NOW + 2_000);
        assert_eq!(told_to(&mut job, readers, NOW + 2_000)[0], ["location.updated"]);
        // Another driver is another life, to which it is closed.
        ask(&mut job, registered(&gate(), &json!({"driver": "e"}), NOW), NOW + 3_000).unwrap();
        assert_eq!(told_to(&mut job, readers, NOW + 3_000)[0], [""; 0]);
        if forget {
            ask(&mut job, JobRequest::Forget { job: job_id() }, NOW + 4_000).unwrap();
        } else {
            close(&mut job, NOW + 4_000);
        }
        let [customer, staff] = told_to(&mut job, readers, NOW + 4_000);
        assert_eq!(customer, ["end"], "{forget}");
        assert_eq!(staff, ["job.closed", "end"], "{forget}");
    }
}

#[test]
fn a_gate_that_moves_while_a_text_is_on_its_way_is_told_right_after_it() {
    let mut job = new_job();
    let from_then = NOW + 10_500;
    put(&mut job, from(from_then), NOW);
    let readers = both(&mut job, NOW);
    let beaten = job.deliveries(NOW + 10_000).0;
    assert!(beaten.iter().any(|it| it.text == ": \n\n" && it.readers.contains(&readers[0])));
    job.alarm(from_then).unwrap();
    assert_eq!(told_to(&mut job, readers, from_then)[0], [""; 0]);
    assert!(job.taken(readers[0], true));
    assert_eq!(told_to(&mut job, readers, from_then)[0], ["gate.opened", "state"]);
    assert!(!job.taken(readers[0], true));
    // And one that closes.
    job.deliveries(from_then + 10_000).1.unwrap();
    put(&mut job, from(FROM), from_then + 11_000);
    assert_eq!(told_to(&mut job, readers, from_then + 11_000)[0], [""; 0]);
    assert!(job.taken(readers[0], true));
    assert_eq!(told_to(&mut job, readers, from_then + 11_000)[0], ["state"]);
}

#[test]
fn a_first_state_is_not_lost_where_the_log_cannot_be_read() {
    let sql = Refusing::new();
    let mut job = wake(SqlLog::new(sql.clone()));
    put(&mut job, Value::Null, NOW);
    post_as(&mut job, "d", None, &there(), NOW);
    let driver = open(&mut job, Role::Driver, "d", "", NOW);
    assert_eq!(told(&mut job, driver, NOW).len(), 1);
    post_as(&mut job, "d", None, &there(), NOW + 10_000);
    let late = open(&mut job, Role::Admin, "a", "", NOW + 10_000);
    // The driver's part of the log is read first.
    sql.after.set(Some(0));
    let (deliveries, failed) = job.deliveries(NOW + 10_000);
    assert!(failed.is_err());
    let theirs: Vec<_> = deliveries.iter().filter(|it| it.readers.contains(&late)).collect();
    assert_eq!(
        theirs.iter().flat_map(|it| events(&it.text)).map(|it| it.name).collect::<Vec<_>>(),
        ["state"]
    );
    job.taken(driver, true);
    assert_eq!(told(&mut job, driver, NOW + 10_000), ["location.updated 00.2"]);
}
