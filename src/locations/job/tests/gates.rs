//! What a customer sees of a job with a gate.

use super::registered::{ask, close, state_to, user, viewer};
use super::*;
use crate::jobs::Wanted as Registered;
use crate::jobs::revocation::Outcome;
use crate::objects::sql::{Sql, SqlValue};
use crate::sessions::Role;

mod arrival;
mod model;

/// Metres north of the place, in degrees.
const METRE: f64 = 1.0 / 111_195.08;

pub(super) fn registered(gate: &Value, more: &Value, now: Millis) -> JobRequest {
    let mut body = json!({"driver": "d", "customers": ["c"], "place": {"lat": 48, "lng": 16}, "gate": gate});
    let more = more.as_object().into_iter().flatten();
    more.for_each(|(name, value)| body[name] = value.clone());
    let wanted = Registered::parse(body.to_string().as_bytes(), now).unwrap();
    JobRequest::Put { job: job_id(), wanted, only: None }
}

fn put<L: Log>(job: &mut Job<L>, gate: &Value, more: &Value, now: Millis) -> Value {
    ask(job, registered(gate, more, now), now).unwrap()
}

fn within(metres: u32) -> Value {
    json!({"customer": {"within": metres}})
}

/// A fix so many metres from the place.
fn at_metres(metres: f64) -> Value {
    json!({"lat": 48.0 + metres * METRE, "lng": 16, "accuracy": 0})
}

fn fixed<L: Log>(job: &mut Job<L>, fix: Value, now: Millis) -> String {
    brief(&post_as(job, "d", None, &fix, now)).join(" ")
}

fn trail<L: Log>(job: &mut Job<L>, role: Role, name: &str, now: Millis) -> Value {
    let by = Some(viewer(role, name));
    ask(job, JobRequest::Trail { job: job_id(), after: None, limit: 1_000, names: false, viewer: by }, now)
        .unwrap()
}

fn told<L: Log>(job: &mut Job<L>, role: Role, name: &str, now: Millis) -> Value {
    ask(job, JobRequest::Job { job: job_id(), viewer: viewer(role, name) }, now).unwrap()
}

/// The seqs that a customer sees in the trail; nothing while a gate is closed.
fn seen<L: Log>(job: &mut Job<L>, now: Millis) -> Option<Vec<u64>> {
    let page = trail(job, Role::Customer, "c", now);
    let locations = page["locations"].as_array()?;
    Some(locations.iter().map(|it| it["seq"].as_u64().unwrap()).collect())
}

/// What is registered, and what a build has to know to touch it.
fn on_disk(sqlite: &Sqlite) -> (String, String) {
    let texts = sqlite.exec("SELECT body, needs FROM registration, meta", vec![]).unwrap().concat();
    match <[SqlValue; 2]>::try_from(texts) {
        Ok([SqlValue::Text(body), SqlValue::Text(needs)]) => (body, needs),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_closed_gate_tells_nothing_but_itself() {
    let mut job = new_job();
    put(&mut job, &within(500), &json!({}), NOW);
    fixed(&mut job, at_metres(501.0), NOW + 1_000);
    let now = NOW + 2_000;
    let withheld = json!({"jobId": "job-1", "withheld": true, "gate": "within", "now": now});
    assert_eq!(state_to(&mut job, Role::Customer, "c", now), Ok(withheld.clone()));
    assert_eq!(trail(&mut job, Role::Customer, "c", now), withheld);
    assert_eq!(
        told(&mut job, Role::Customer, "c", now),
        json!({
            "jobId": "job-1", "state": "open", "version": 1, "customers": ["c"], "endsAt": NOW + 72 * HOUR,
            "withheld": true, "gate": "within",
        })
    );
    let staff = told(&mut job, Role::Dispatcher, "x", now);
    assert_eq!(staff["gate"], json!({"customer": {"within": 500.0}}));
    assert_eq!(told(&mut job, Role::Driver, "d", now).get("gate"), None);
    for (role, name) in [(Role::Driver, "d"), (Role::Dispatcher, "x")] {
        assert_eq!(state_to(&mut job, role, name, now).unwrap()["seq"], 1);
        assert_eq!(trail(&mut job, role, name, now)["locations"].as_array().unwrap().len(), 1);
    }
    assert_eq!(
        state_to(&mut job, Role::Customer, "e", now),
        Err(JobRefusal::NotAParticipant),
        "to others as to anybody"
    );
}

#[test]
fn a_radius_opens_to_what_comes_after_it() {
    let mut job = new_job();
    put(&mut job, &within(500), &json!({}), NOW);
    fixed(&mut job, at_metres(600.0), NOW + 1_000);
    fixed(&mut job, at_metres(499.0), NOW + 2_000);
    assert_eq!(seen(&mut job, NOW + 2_000), Some(vec![]), "not the one that has opened it");
    let state = state_to(&mut job, Role::Customer, "c", NOW + 2_000).unwrap();
    assert_eq!(
        (&state["seq"], &state["epoch"], &state["lastHeard"]),
        (&json!(0), &json!(NOW / 1_000), &json!(NOW + 2_000))
    );
    assert_eq!(
        told(&mut job, Role::Service, "s", NOW)["gate"]["customer"],
        json!({"within": 500.0, "openedAt": NOW + 2_000})
    );
    // It stays open, wherever the vehicle goes.
    fixed(&mut job, at_metres(90_000.0), NOW + 3_000);
    assert_eq!(seen(&mut job, NOW + 3_000), Some(vec![3]));
    // What was measured before is for staff alone.
    let backlog = json!([
        {"lat": 1, "lng": 1, "capturedAt": NOW + 1_500}, {"lat": 1, "lng": 1, "capturedAt": NOW + 2_500},
    ]);
    fixed(&mut job, json!({"locations": backlog}), NOW + 4_000);
    assert_eq!(seen(&mut job, NOW + 4_000), Some(vec![3, 5]));
    assert_eq!(trail(&mut job, Role::Admin, "x", NOW)["locations"].as_array().unwrap().len(), 5);
    assert_eq!(trail(&mut job, Role::Driver, "d", NOW)["locations"].as_array().unwrap().len(), 5);
}

#[test]
fn what_is_late_or_uncertain_opens_nothing() {
    let mut job = new_job();
    put(&mut job, &within(500), &json!({}), NOW);
    fixed(&mut job, at_metres(600.0), NOW + 10_000);
    let late = json!({"lat": 48, "lng": 16, "accuracy": 0, "capturedAt": NOW + 5_000});
    assert_eq!(fixed(&mut job, late, NOW + 11_000), "2:late");
    fixed(&mut job, json!({"lat": 48.0 + 400.0 * METRE, "lng": 16, "accuracy": 101}), NOW + 12_000);
    fixed(&mut job, json!({"lat": 48.0 + 451.0 * METRE, "lng": 16}), NOW + 13_000);
    assert_eq!(seen(&mut job, NOW + 13_000), None);
    fixed(&mut job, json!({"lat": 48.0 + 449.0 * METRE, "lng": 16}), NOW + 14_000);
    assert_eq!(seen(&mut job, NOW + 14_000), Some(vec![]));
}

#[test]
fn moving_the_place_asks_nothing_of_where_the_vehicle_was() {
    let mut job = new_job();
    put(&mut job, &within(500), &json!({"place": {"lat": 10, "lng": 10}}), NOW);
    fixed(&mut job, at_metres(10.0), NOW + 1_000);
    put(&mut job, &within(500), &json!({}), NOW + 2_000);
    assert_eq!(seen(&mut job, NOW + 3_000), None);
    // And the next one counts for the new place alone.
    fixed(&mut job, json!({"lat": 10, "lng": 10, "accuracy": 0}), NOW + 4_000);
    assert_eq!(seen(&mut job, NOW + 4_000), None);
    fixed(&mut job, at_metres(10.0), NOW + 5_000);
    assert_eq!(seen(&mut job, NOW + 5_000), Some(vec![]));
    // Once it is open a place that moves closes nothing, and a gate that is another one is closed.
    put(&mut job, &within(500), &json!({"place": {"lat": -10, "lng": 10}}), NOW + 6_000);
    fixed(&mut job, at_metres(10.0), NOW + 7_000);
    assert_eq!(seen(&mut job, NOW + 7_000), Some(vec![4]));
    put(&mut job, &within(501), &json!({}), NOW + 8_000);
    assert_eq!(seen(&mut job, NOW + 8_000), None);
    fixed(&mut job, at_metres(10.0), NOW + 9_000);
    fixed(&mut job, at_metres(10.0), NOW + 10_000);
    assert_eq!(seen(&mut job, NOW + 10_000), Some(vec![6]), "nothing of before");
}

#[test]
fn a_time_opens_by_the_alarm_or_for_whoever_asks() {
    let from = NOW + HOUR;
    let gate = json!({"customer": {"from": from}});
    let put_and_drive = || {
        let mut job = new_job();
        put(&mut job, &gate, &json!({}), NOW);
        fixed(&mut job, at_metres(600.0), NOW + 1_000);
        drain(&mut job, NOW + 1_000);
        assert!(job.next_revocation(NOW + 1_000).unwrap().is_some());
        job.revoked(Outcome::Revoked, NOW + 1_000, 0.0).unwrap();
        job.alarm(NOW + 10_000).unwrap();
        let state = state_to(&mut job, Role::Customer, "c", from - 1).unwrap();
        let withheld = json!({
            "jobId": "job-1", "withheld": true, "gate": "from", "opensAt": from, "now": from - 1
        });
        assert_eq!(state, withheld);
        job
    };
    let mut job = put_and_drive();
    assert_eq!(job.arm(NOW + 10_001), Some(from), "it sleeps until then");
    job.alarm(from).unwrap();
    let at = told(&mut job, Role::Admin, "x", from)["gate"]["customer"]["openedAt"].clone();
    assert_eq!(at, from);
    assert_eq!(seen(&mut job, from), Some(vec![]));
    // A fix that was measured before then comes later; our clock has gone back as well.
    fixed(&mut job, json!({"lat": 1, "lng": 1, "capturedAt": from - 1}), from + 1_000);
    fixed(&mut job, json!({"lat": 1, "lng": 1, "capturedAt": from}), from + 1_000);
    fixed(&mut job, at_metres(1.0), from - 5_000);
    fixed(&mut job, at_metres(2.0), from - HOUR / 2);
    assert_eq!(seen(&mut job, from - 5_000), Some(vec![3, 4]), "as it was accepted");

    let mut job = put_and_drive();
    assert_eq!(fixed(&mut job, at_metres(3.0), from + 20_000), "2:accepted");
    assert_eq!(seen(&mut job, from + 20_000), Some(vec![2]), "also where the alarm is late");

    let mut job = new_job();
    put(&mut job, &gate, &json!({}), from);
    assert_eq!(seen(&mut job, from), Some(vec![]), "at once where it is past");
}

#[test]
fn of_a_time_and_a_radius_both_hold() {
    let mut job = new_job();
    let from = NOW + HOUR;
    put(&mut job, &json!({"customer": {"from": from, "within": 500}}), &json!({}), NOW);
    fixed(&mut job, at_metres(5.0), from - 1);
    job.alarm(from - 1).unwrap();
    let held = |job: &mut Job<_>, now| {
        let state = state_to(job, Role::Customer, "c", now).unwrap();
        (state["gate"].clone(), state["opensAt"].clone())
    };
    assert_eq!(held(&mut job, from - 1), (json!("from"), json!(from)));
    assert_eq!(held(&mut job, from), (json!("within"), Value::Null));
    let mut job = wake(job.log);
    assert_eq!(held(&mut job, from), (json!("within"), Value::Null), "which was there before does not count");
    fixed(&mut job, at_metres(5.0), from);
    fixed(&mut job, at_metres(5.0), from + 1);
    assert_eq!(seen(&mut job, from + 1), Some(vec![3]));
}

#[test]
fn an_opening_is_its_lifes() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    put(&mut job, &within(500), &json!({}), NOW);
    fixed(&mut job, at_metres(5.0), NOW + 1_000);
    assert_eq!(seen(&mut wake(log.clone()), NOW + 1_000), Some(vec![]), "sleep closes nothing");
    put(&mut job, &within(500), &json!({"driver": "e"}), NOW + 2_000);
    for mut job in [job, wake(log.clone())] {
        assert_eq!(seen(&mut job, NOW + 2_000), None);
        assert_eq!(told(&mut job, Role::Admin, "x", NOW)["gate"]["customer"].get("openedAt"), None);
    }
    let mut job = wake(log);
    put(&mut job, &json!({"customer": {"from": NOW + 3_000}}), &json!({"driver": "e"}), NOW + 3_000);
    put(&mut job, &json!({"customer": {"from": NOW + 3_000}}), &json!({}), NOW + 4_000);
    assert_eq!(seen(&mut job, NOW + 4_000), Some(vec![]), "a time has passed for whoever drives");
}

#[test]
fn what_was_heard_before_the_opening_is_not_told_after_it() {
    let sql = MemoryLog::default();
    let mut job = Job::wake(sql, Settings { silent_after: Some(MINUTE), ..settings() }).unwrap();
    let from = NOW + HOUR;
    put(&mut job, &json!({"customer": {"from": from}}), &json!({}), NOW);
    fixed(&mut job, at_metres(5.0), from - 1_000);
    let beat = JobRequest::Heartbeat {
        job: job_id(),
        driver: user("d"),
        state: crate::jobs::Heartbeat::NoFix,
        registry_alone: false,
    };
    ask(&mut job, beat, from - 500).unwrap();
    let of_the_phone = |value: &Value| {
        let names = ["lastHeard", "lastFixAt", "heartbeat", "silentSince", "fixMissingSince"];
        names.into_iter().filter(|name| value.get(name).is_some()).collect::<Vec<_>>()
    };
    for now in [from - 1, from + 1, from + 2 * MINUTE] {
        for told in
            [state_to(&mut job, Role::Customer, "c", now).unwrap(), told(&mut job, Role::Customer, "c", now)]
        {
            assert_eq!(of_the_phone(&told), [""; 0], "{told}");
        }
        assert!(!of_the_phone(&told(&mut job, Role::Driver, "d", now)).is_empty());
    }
    let page = trail(&mut job, Role::Customer, "c", from + 2 * MINUTE);
    assert_eq!(page["published"], Value::Null);
    fixed(&mut job, at_metres(5.0), from + 3 * MINUTE);
    let told = told(&mut job, Role::Customer, "c", from + 3 * MINUTE);
    assert_eq!(of_the_phone(&told), ["lastHeard", "lastFixAt"]);
}

#[test]
fn who_has_the_channel_loses_it_to_a_gate_and_gets_it_back_late() {
    let mut job = new_job();
    let standing = |job: &mut Job<_>, now| registered::standing(job, Role::Customer, "c", now);
    let revoked = |job: &mut Job<_>, now| {
        let mut users = Vec::new();
        while let Some(revocation) = job.next_revocation(now).unwrap() {
            users.extend(revocation.users.iter().map(ToString::to_string));
            job.revoked(Outcome::Revoked, now, 0.0).unwrap();
        }
        users
    };
    put(&mut job, &Value::Null, &json!({}), NOW);
    fixed(&mut job, at_metres(5.0), NOW + 1_000);
    assert_eq!(standing(&mut job, NOW + 1_000), "admitted");
    assert_eq!(revoked(&mut job, NOW + 1_000), [""; 0]);
    put(&mut job, &within(500), &json!({"customers": ["c", "e"]}), NOW + 2_000);
    assert_eq!(revoked(&mut job, NOW + 2_000), ["c", "e"]);
    let admission = ask(
        &mut job,
        JobRequest::Admit { job: job_id(), viewer: viewer(Role::Customer, "c"), token_request: false },
        NOW + 2_001,
    );
    assert_eq!(
        admission,
        Ok(json!({"standing": "gated", "until": NOW + 72 * HOUR, "notBefore": NOW + 2_000}))
    );
    assert_eq!(registered::standing(&mut job, Role::Driver, "d", NOW + 2_001), "admitted");
    fixed(&mut job, at_metres(5.0), NOW + 3_000);
    assert_eq!(standing(&mut job, NOW + 3_000), "gated", "open or not");
    put(&mut job, &within(501), &json!({"customers": ["c", "e"]}), NOW + 3_500);
    assert_eq!(revoked(&mut job, NOW + 3_500), [""; 0]);
    drain(&mut job, NOW + 3_500);
    put(&mut job, &Value::Null, &json!({"customers": ["c", "e"]}), NOW + 4_000);
    assert_eq!(standing(&mut job, NOW + 4_000), "waiting");
    assert_eq!(seen(&mut job, NOW + 4_000), Some(vec![]), "as whoever comes late: it was closed again");
    fixed(&mut job, at_metres(5.0), NOW + 5_000);
    assert_eq!(seen(&mut job, NOW + 5_000), Some(vec![3]));
    drain(&mut job, NOW + 5_000);
    assert_eq!(standing(&mut job, NOW + 5_000 + 125_000), "admitted");
    close(&mut job, NOW + 6_000 + 125_000);
    assert_eq!(standing(&mut job, NOW + 7_000 + 125_000), "refused");
}

#[test]
fn what_an_open_gate_has_shown_is_shown_without_it() {
    let mut job = new_job();
    put(&mut job, &within(500), &json!({}), NOW);
    fixed(&mut job, at_metres(5.0), NOW + 1_000);
    fixed(&mut job, at_metres(5.0), NOW + 2_000);
    let late = json!({"lat": 1, "lng": 1, "capturedAt": NOW + 500});
    put(&mut job, &Value::Null, &json!({"customers": ["c", "e"]}), NOW + 3_000);
    fixed(&mut job, late, NOW + 4_000);
    for job in [&mut wake(job.log.clone()), &mut job] {
        assert_eq!(seen(job, NOW + 4_000), Some(vec![2]), "nothing of before the opening, whenever it comes");
        let page = trail(job, Role::Customer, "e", NOW + 4_000);
        assert_eq!(page["locations"], json!([]), "who comes with it");
        assert_eq!(registered::standing(job, Role::Customer, "c", NOW + 4_000), "waiting");
    }
    drain(&mut job, NOW + 5_000);
    assert_eq!(registered::standing(&mut job, Role::Customer, "c", NOW + 129_999), "waiting");
    assert_eq!(registered::standing(&mut job, Role::Customer, "c", NOW + 10 * MINUTE), "admitted");
    // It has opened in the life of another driver: nothing of this one's was shown.
    put(&mut job, &within(500), &json!({}), NOW + 601_000);
    fixed(&mut job, at_metres(5.0), NOW + 602_000);
    put(&mut job, &within(500), &json!({"driver": "f"}), NOW + 603_000);
    post_as(&mut job, "f", None, &at_metres(900.0), NOW + 604_000);
    put(&mut job, &Value::Null, &json!({"driver": "f"}), NOW + 605_000);
    assert_eq!(seen(&mut job, NOW + 605_000), Some(vec![]));
}

#[test]
fn no_time_opens_to_what_was_before_its_gate_or_its_driver() {
    let past = json!({"customer": {"from": NOW + 1_000}});
    let measured = |at| json!({"lat": 2, "lng": 2, "capturedAt": at});
    let mut job = new_job();
    put(&mut job, &within(500), &json!({}), NOW);
    fixed(&mut job, measured(NOW), NOW);
    let now = NOW + HOUR;
    put(&mut job, &past, &json!({}), now);
    let late = json!({"locations": [measured(NOW + 2_000), measured(now - 1), measured(now)]});
    fixed(&mut job, late, now + 1_000);
    assert_eq!(seen(&mut job, now + 1_000), Some(vec![4]));
    put(&mut job, &past, &json!({"driver": "e"}), now + 10_000);
    let late = json!({"locations": [measured(now + 9_999), measured(now + 10_000)]});
    post_as(&mut job, "e", None, &late, now + 11_000);
    assert_eq!(seen(&mut job, now + 11_000), Some(vec![2]));
    assert_eq!(told(&mut job, Role::Admin, "x", now)["gate"]["customer"]["openedAt"], now + 10_000);
}

#[test]
fn a_gate_opens_before_its_job_ends() {
    let end = NOW + 72 * HOUR;
    let from = |at| json!({"customer": {"from": at}});
    let mut job = new_job();
    let refused = Err(JobRefusal::GateTooLate);
    assert_eq!(ask(&mut job, registered(&from(end), &json!({}), NOW), NOW), refused);
    put(&mut job, &from(end - 1), &json!({}), NOW);
    assert_eq!(ask(&mut job, registered(&from(end), &json!({}), NOW), NOW + HOUR), refused);
    let longer = json!({"endsAt": end + HOUR});
    put(&mut job, &from(end), &longer, NOW + HOUR);
    assert_eq!(ask(&mut job, registered(&from(end), &json!({}), NOW), NOW + HOUR), refused);
    // A build before this one has let it be.
    let registration = job.registration.as_mut().unwrap();
    registration.wanted.ends_at = None;
    let leaves = JobRequest::Customer { job: job_id(), user: user("c"), takes_part: false, only: None };
    assert!(ask(&mut job, leaves, NOW + HOUR).is_ok());
}

#[test]
fn a_claim_may_have_got_the_channel_of_a_gated_job() {
    let mut job = wake(SqlLog::new(Sqlite::new()));
    put(&mut job, &within(500), &json!({"customers": []}), NOW);
    let comes = |name| JobRequest::Customer { job: job_id(), user: user(name), takes_part: true, only: None };
    ask(&mut job, comes("ann"), NOW + 1_000).unwrap();
    assert_eq!(job.next_revocation(NOW + 1_000).unwrap().unwrap().users, [user("ann")]);
    job.revoked(Outcome::Revoked, NOW + 1_000, 0.0).unwrap();
    put(&mut job, &within(500), &json!({"customers": ["ann", "bob"]}), NOW + 2_000);
    assert_eq!(job.next_revocation(NOW + 2_000).unwrap().unwrap().users, [user("bob")]);
    let admit =
        JobRequest::Admit { job: job_id(), viewer: viewer(Role::Customer, "bob"), token_request: false };
    assert_eq!(ask(&mut job, admit, NOW + 2_001).unwrap()["notBefore"], NOW + 2_000);
}

#[test]
fn a_claim_may_have_got_the_channel_before_the_job_was_registered() {
    // There is no table yet to write that down in.
    let new_job = || wake(SqlLog::new(Sqlite::new()));
    let mut job = new_job();
    put(&mut job, &within(500), &json!({}), NOW);
    let revocation = job.next_revocation(NOW).unwrap().unwrap();
    assert_eq!(revocation.users, [user("c")]);
    let mut job = new_job();
    put(&mut job, &Value::Null, &json!({}), NOW);
    assert_eq!(job.next_revocation(NOW), Ok(None));
}

#[test]
fn a_build_that_knows_of_no_gates_does_not_touch_a_job_that_has_one() {
    let sqlite = Sqlite::new();
    let mut job = wake(SqlLog::new(sqlite.clone()));
    for (gate, needs) in [
        (within(500), r#"["registry","gates"]"#),
        (Value::Null, r#"["registry"]"#),
        (within(100), r#"["registry","gates"]"#),
    ] {
        put(&mut job, &gate, &json!({}), NOW);
        let kept = sqlite.exec("SELECT needs FROM meta", vec![]).unwrap();
        assert_eq!(kept, [[SqlValue::Text(needs.to_owned())]]);
        job = wake(SqlLog::new(sqlite.clone()));
    }
}

#[test]
fn no_gate_is_on_disk_that_is_not_named() {
    for (before, after) in [(within(500), Value::Null), (Value::Null, within(500))] {
        for refused in 0.. {
            let sql = registry_faults::Refusing::new();
            let mut job = wake(SqlLog::new(sql.clone()));
            put(&mut job, &before, &json!({}), NOW);
            sql.after.set(Some(refused));
            let answer = job.handle(registered(&after, &json!({}), NOW), NOW + 1_000);
            let is_over = sql.after.take().is_some();
            let (body, needs) = on_disk(&sql.sqlite);
            assert!(!body.contains(r#""gate":"#) || needs.contains("gates"), "{refused}: {body} {needs}");
            if is_over {
                assert!(answer.is_ok());
                assert_eq!(needs.contains("gates"), after != Value::Null);
                break;
            }
        }
    }
}

#[test]
fn a_post_that_changes_nothing_costs_its_row_alone() {
    let sqlite = Sqlite::new();
    let mut job = wake(SqlLog::new(sqlite.clone()));
    put(&mut job, &within(500), &json!({}), NOW);
    let costs = |job: &mut Job<_>, metres, now| {
        let before = sqlite.rows_written();
        fixed(job, at_metres(metres), now);
        sqlite.rows_written() - before
    };
    assert_eq!(costs(&mut job, 600.0, NOW + 1_000), 1);
    assert_eq!(costs(&mut job, 400.0, NOW + 2_000), 1 + 2, "the opening");
    assert_eq!(costs(&mut job, 400.0, NOW + 3_000), 1);
    assert_eq!(costs(&mut job, 50.0, NOW + 4_000), 1 + 2, "that it has arrived, and the event");
    assert_eq!(costs(&mut job, 50.0, NOW + 5_000), 1);
    assert!(job.awaited(NOW + 5_000).is_none(), "and no distance is told any more");
}
