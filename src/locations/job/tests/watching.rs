//! Whether the driver is heard of: who is told what, and when.

use super::registered::{ask, close, put, state_to, user, viewer};
use super::registry_faults::Refusing;
use super::*;
use crate::jobs::Heartbeat;
use crate::sessions::Role;

const LIMIT: Millis = MINUTE;

fn watched<L: Log>(log: L) -> Job<L> {
    Job::wake(log, Settings { silent_after: Some(LIMIT), ..settings() }).unwrap()
}

fn beat<L: Log>(job: &mut Job<L>, driver: &str, state: Heartbeat, now: Millis) -> Result<Value, JobRefusal> {
    ask(job, JobRequest::Heartbeat { job: job_id(), driver: user(driver), state, registry_alone: false }, now)
}

fn told<L: Log>(job: &mut Job<L>, role: Role, name: &str, now: Millis) -> Value {
    ask(job, JobRequest::Job { job: job_id(), viewer: viewer(role, name) }, now).unwrap()
}

fn names<L: Log>(job: &mut Job<L>, now: Millis) -> Vec<(String, Value)> {
    drain(job, now).into_iter().map(|(name, _, data)| (name, data)).collect()
}

/// What operators are to hear.
fn reported<L: Log>(job: &mut Job<L>, now: Millis) -> Vec<(String, Option<Millis>)> {
    let mut reported = Vec::new();
    while let Some(report) = job.report(now) {
        reported.push((report.kind.as_str().to_owned(), report.since));
        job.heard(now, 0.5).unwrap();
    }
    reported
}

/// Sets off the alarm whenever it is due until then.
fn alarms<L: Log>(job: &mut Job<L>, mut armed: Option<Millis>, until: Millis) -> Option<Millis> {
    while let Some(at) = armed.filter(|at| *at <= until) {
        job.alarm(at).unwrap();
        drain(job, at);
        armed = job.arm(at);
    }
    armed
}

#[test]
fn silence_is_told_once_and_its_end_once_before_the_fix_that_ends_it() {
    let log = MemoryLog::default();
    let mut job = watched(log.clone());
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    post_as(&mut job, "a", None, &fix_at(NOW), NOW + 1_000);
    assert_eq!(names(&mut job, NOW + 1_000).len(), 3);
    let armed = job.arm(NOW + 1_000);
    // By nothing but the alarm.
    let since = NOW + 1_000;
    let next = alarms(&mut job, armed, since + LIMIT - 1).unwrap();
    assert_eq!((next, reported(&mut job, next)), (since + LIMIT, vec![]));
    job.alarm(next).unwrap();
    let epoch = (NOW / 1_000) as u64;
    let silent =
        json!({"jobId": "job-1", "epoch": epoch, "afterSeq": 1, "version": 1, "since": since, "ts": next});
    assert_eq!(names(&mut job, next), [("driver.silent".to_owned(), silent)]);
    assert_eq!(reported(&mut job, next), [("driver.silent".to_owned(), Some(since))]);
    alarms(&mut job, job_arm(next), next + HOUR);
    for mut job in [job, watched(log)] {
        assert_eq!(names(&mut job, next + HOUR), [], "once");
        assert_eq!(
            (job.watch(next + HOUR), reported(&mut job, next + HOUR)),
            (Ok(()), vec![]),
            "to operators too"
        );
        let state = state_to(&mut job, Role::Customer, "c", next + HOUR).unwrap();
        assert_eq!((&state["silentSince"], &state["lastHeard"]), (&json!(since), &json!(since)));
        assert_eq!(state["now"], next + HOUR);
        assert_eq!(told(&mut job, Role::Driver, "a", next + HOUR)["silentSince"], since);
    }
}

fn job_arm(at: Millis) -> Option<Millis> {
    Some(at + 8_000)
}

#[test]
fn whoever_is_heard_again_is_said_to_be_before_their_fix() {
    for by_heartbeat in [false, true] {
        let log = MemoryLog::default();
        let mut job = watched(log.clone());
        put(&mut job, Some("a"), &["c"], NOW).unwrap();
        drain(&mut job, NOW);
        // The alarm is late: whoever asks finds it out as well.
        let at = NOW + 5 * MINUTE;
        state_to(&mut job, Role::Customer, "c", at).unwrap();
        let mut job = watched(log.clone());
        if by_heartbeat {
            assert_eq!(beat(&mut job, "a", Heartbeat::Parked, at + 1).unwrap()["status"], "heard");
        } else {
            post_as(&mut job, "a", None, &fix_at(at), at + 1);
        }
        let events: Vec<_> =
            names(&mut job, at + 1).into_iter().map(|(name, data)| (name, data["seq"].clone())).collect();
        let mut expected =
            vec![("driver.silent".to_owned(), Value::Null), ("driver.heard".to_owned(), Value::Null)];
        expected.extend((!by_heartbeat).then(|| ("location.updated".to_owned(), json!(1))));
        assert_eq!(events, expected);
        let kinds: Vec<_> = reported(&mut job, at + 1).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["driver.silent", "driver.heard"]);
        for mut job in [job, watched(log.clone())] {
            let state = state_to(&mut job, Role::Customer, "c", at + 2).unwrap();
            assert_eq!((state.get("silentSince"), &state["lastHeard"]), (None, &json!(at + 1)));
            assert_eq!(state.get("heartbeat"), by_heartbeat.then_some(&json!("parked")));
        }
    }
}

#[test]
fn nobody_is_silent_who_does_not_have_an_open_job_that_has_begun() {
    let later = NOW + HOUR;
    let events = |job: &mut Job<MemoryLog>, at| {
        let _ = ask(job, JobRequest::Outbox { job: job_id() }, at);
        let names: Vec<_> = names(job, at).into_iter().map(|(name, _)| name).collect();
        names.into_iter().filter(|name| name.starts_with("driver.")).collect::<Vec<_>>()
    };
    // Without a driver, not registered, closed.
    let mut job = watched(MemoryLog::default());
    put(&mut job, None, &["c"], NOW).unwrap();
    assert_eq!(events(&mut job, later), [""; 0]);
    let mut job = watched(MemoryLog::default());
    post_as(&mut job, "a", None, &fix_at(NOW), NOW);
    assert_eq!(events(&mut job, later), [""; 0]);
    let mut job = watched(MemoryLog::default());
    put(&mut job, Some("a"), &[], NOW).unwrap();
    close(&mut job, NOW + 1);
    assert_eq!(events(&mut job, later), [""; 0]);
    assert_eq!(told(&mut job, Role::Service, "s", later).get("silentSince"), None);
    // Where it is turned off.
    let mut job = wake(MemoryLog::default());
    put(&mut job, Some("a"), &[], NOW).unwrap();
    assert_eq!(events(&mut job, later), [""; 0]);
    // Before it is planned to begin.
    let body = json!({"driver": "a", "customers": [], "startsAt": later, "endsAt": later + HOUR}).to_string();
    let wanted = crate::jobs::Wanted::parse(body.as_bytes(), NOW).unwrap();
    let mut job = watched(MemoryLog::default());
    ask(&mut job, JobRequest::Put { job: job_id(), wanted, only: None }, NOW).unwrap();
    assert_eq!(events(&mut job, later + LIMIT - 1), [""; 0]);
    assert_eq!(events(&mut job, later + LIMIT), ["driver.silent"]);
}

#[test]
fn whoever_takes_over_is_not_said_to_have_been_silent() {
    let log = MemoryLog::default();
    let mut job = watched(log.clone());
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    beat(&mut job, "a", Heartbeat::OffDuty, NOW + 1).unwrap();
    let at = NOW + 10 * MINUTE;
    state_to(&mut job, Role::Customer, "c", at).unwrap();
    put(&mut job, Some("b"), &["c"], at).unwrap();
    for mut job in [job, watched(log)] {
        let state = state_to(&mut job, Role::Customer, "c", at + 1).unwrap();
        for of_the_old in ["lastHeard", "silentSince", "heartbeat", "fixMissingSince"] {
            assert_eq!(state.get(of_the_old), None);
        }
        assert_eq!(beat(&mut job, "a", Heartbeat::Parked, at + 2).unwrap()["status"], "reassigned");
        assert_eq!(state_to(&mut job, Role::Customer, "c", at + 2).unwrap().get("lastHeard"), None);
        assert_eq!(beat(&mut job, "b", Heartbeat::NoFix, at + 3).unwrap()["status"], "heard");
        assert_eq!(beat(&mut job, "x", Heartbeat::NoFix, at + 3), Err(JobRefusal::NotAParticipant));
        let events: Vec<_> = names(&mut job, at + 3).into_iter().map(|(name, _)| name).collect();
        assert!(
            events.iter().all(|name| !name.starts_with("driver.")),
            "what waits of the old life does not leave: {events:?}"
        );
    }
}

#[test]
fn a_closed_job_hears_of_nobody() {
    let mut job = watched(MemoryLog::default());
    put(&mut job, Some("a"), &[], NOW).unwrap();
    post_as(&mut job, "a", None, &fix_at(NOW), NOW);
    close(&mut job, NOW + 1);
    assert_eq!(beat(&mut job, "a", Heartbeat::Parked, NOW + 2).unwrap()["status"], "job_closed");
    post_as(&mut job, "a", None, &fix_at(NOW + 2), NOW + 2);
    let job_told = told(&mut job, Role::Service, "s", NOW + 3);
    assert_eq!((&job_told["lastHeard"], &job_told["lastFixAt"]), (&json!(NOW), &json!(NOW)));
    assert_eq!(job_told["figures"]["a"]["rejected"], json!({"job_closed": 1}));
    ask(&mut job, JobRequest::Forget { job: job_id() }, NOW + 4).unwrap();
    assert_eq!(beat(&mut job, "x", Heartbeat::Parked, NOW + 5).unwrap()["status"], "job_closed");
}

#[test]
fn a_fix_is_missing_where_the_phone_is_heard_of_and_does_not_say_that_it_stands() {
    for (state, missing) in [
        (Heartbeat::Parked, false),
        (Heartbeat::NoFix, true),
        (Heartbeat::NoPermission, true),
        (Heartbeat::OffDuty, true),
    ] {
        let log = MemoryLog::default();
        let mut job = watched(log.clone());
        put(&mut job, Some("a"), &["c"], NOW).unwrap();
        post_as(&mut job, "a", None, &fix_at(NOW), NOW);
        for minute in 0..10 {
            beat(&mut job, "a", state, NOW + minute * 30_000).unwrap();
        }
        let at = NOW + 5 * MINUTE;
        for mut job in [job, watched(log)] {
            let seen = state_to(&mut job, Role::Customer, "c", at).unwrap();
            assert_eq!(seen.get("fixMissingSince"), missing.then_some(&json!(NOW)), "{state:?}");
            assert_eq!(
                (seen.get("silentSince"), &seen["heartbeat"]),
                (None, &serde_json::to_value(state).unwrap())
            );
            post_as(&mut job, "a", None, &fix_at(at), at);
            let seen = state_to(&mut job, Role::Customer, "c", at + 1).unwrap();
            assert_eq!((seen.get("fixMissingSince"), seen.get("heartbeat")), (None, None));
        }
    }
    // Also where there never was one.
    let mut job = watched(MemoryLog::default());
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    beat(&mut job, "a", Heartbeat::NoFix, NOW + LIMIT).unwrap();
    beat(&mut job, "a", Heartbeat::NoFix, NOW + LIMIT + 1).unwrap();
    let seen = state_to(&mut job, Role::Customer, "c", NOW + LIMIT + 2).unwrap();
    assert_eq!((&seen["seq"], &seen["fixMissingSince"]), (&json!(0), &json!(NOW)));
}

#[test]
fn a_job_that_is_not_registered_hears_too_and_writes_nothing_before_its_first_fix() {
    let (log, sqlite) = (MemoryLog::default(), Sqlite::new());
    let mut job = watched(log.clone());
    let mut over_sql = watched(SqlLog::new(sqlite.clone()));
    assert_eq!(
        beat(&mut job, "a", Heartbeat::Parked, NOW).unwrap(),
        json!({"ok": true, "jobId": "job-1", "status": "heard"})
    );
    beat(&mut over_sql, "a", Heartbeat::Parked, NOW).unwrap();
    assert_eq!((log.writes(), sqlite.rows_written()), (0, 0));
    let seen = state_to(&mut job, Role::Customer, "c", NOW + 1).unwrap();
    assert_eq!((&seen["lastHeard"], &seen["heartbeat"]), (&json!(NOW), &json!("parked")));
    post_as(&mut job, "a", None, &fix_at(NOW), NOW + 2);
    beat(&mut job, "a", Heartbeat::NoFix, NOW + 3).unwrap();
    let seen = state_to(&mut watched(log), Role::Customer, "c", NOW + 4).unwrap();
    assert_eq!(
        (&seen["lastHeard"], &seen["heartbeat"], &seen["seq"]),
        (&json!(NOW + 3), &json!("no_fix"), &json!(1))
    );
}

#[test]
fn figures_are_exact_for_what_is_kept_whatever_wakes() {
    let log = MemoryLog::default();
    let mut job = watched(log.clone());
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    let batch = json!({"locations": [
        {"lat": 1, "lng": 1, "capturedAt": NOW - 1_000, "id": "x"}, {"lat": 95, "lng": 1}, fix_at(NOW - 25 * HOUR), fix_at(NOW + HOUR), fix_at(NOW),
    ]});
    post_as(&mut job, "a", None, &batch, NOW + 1_000);
    post_as(&mut job, "a", None, &batch, NOW + 2_000);
    post_as(&mut job, "a", None, &fix_at(NOW - 2_000), NOW + 3_000);
    let figures = told(&mut job, Role::Dispatcher, "s", NOW + 4_000)["figures"].clone();
    let kept = |figures: &Value| {
        ["accepted", "late", "repaired", "ahead"].map(|what| figures["a"][what].as_u64().unwrap())
    };
    let rows = log.all();
    let lates = rows.iter().flat_map(|row| row.fixes().map(|kept| kept.late).collect::<Vec<_>>());
    let (late, live): (Vec<_>, Vec<_>) = lates.partition(|late| *late);
    assert_eq!(kept(&figures)[..2], [live.len() as u64, late.len() as u64]);
    assert_eq!(kept(&figures)[3], 1);
    assert!(figures["a"]["duplicate"].as_u64() >= Some(2));
    assert_eq!(figures["a"]["rejected"]["out_of_range"], 2);
    // Killed at once: what rows say is counted again.
    let again = told(&mut watched(log.clone()), Role::Admin, "s", NOW + 5_000)["figures"].clone();
    assert_eq!(kept(&again), kept(&figures));
    // The alarm writes the rest down.
    let armed = job.arm(NOW + 4_000);
    alarms(&mut job, armed, NOW + 40_000);
    let mut woken = watched(log);
    assert_eq!(told(&mut woken, Role::Admin, "s", NOW + 41_000)["figures"], figures);
    for (role, who) in [(Role::Driver, "a"), (Role::Customer, "c")] {
        let told = told(&mut woken, role, who, NOW + 41_000);
        assert_eq!((told.get("figures"), told.get("refusedSince")), (None, None));
        assert_eq!(told["lastFixAt"], NOW + 3_000);
    }
    put(&mut woken, Some("b"), &["c"], NOW + 42_000).unwrap();
    post_as(&mut woken, "a", None, &fix_at(NOW + 42_000), NOW + 42_000);
    let told = told(&mut woken, Role::Admin, "s", NOW + 43_000);
    assert_eq!(told["figures"]["a"]["rejected"]["reassigned"], 1);
}

#[test]
fn a_driver_whose_every_fix_is_refused_is_told_of_once() {
    let log = MemoryLog::default();
    let mut job = watched(log.clone());
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    drain(&mut job, NOW);
    let old = |now: Millis| fix_at(now - 30 * HOUR);
    post_as(&mut job, "a", None, &old(NOW), NOW + 1);
    assert_eq!(told(&mut job, Role::Admin, "s", NOW + 2)["refusedSince"], NOW + 1);
    let mut armed = job.arm(NOW + 2);
    for second in 1..=90 {
        let at = NOW + second * 1_000;
        armed = alarms(&mut job, armed, at);
        post_as(&mut job, "a", None, &old(at), at);
        armed = job.arm(at).or(armed);
    }
    assert_eq!(reported(&mut job, NOW + 2 * MINUTE), [("driver.refused".to_owned(), Some(NOW + 1))]);
    let mut job = watched(log);
    let at = NOW + 2 * MINUTE;
    assert_eq!(told(&mut job, Role::Admin, "s", at)["refusedSince"], NOW + 1);
    post_as(&mut job, "a", None, &old(at), at);
    assert_eq!(reported(&mut job, at), [], "once");
    post_as(&mut job, "a", None, &fix_at(at), at);
    assert_eq!(told(&mut job, Role::Admin, "s", at).get("refusedSince"), None);
}

#[test]
fn of_a_job_that_is_not_registered_no_refusal_is_told_or_written() {
    let sqlite = Sqlite::new();
    let mut job = watched(SqlLog::new(sqlite.clone()));
    post_as(&mut job, "a", None, &fix_at(NOW), NOW);
    let written = sqlite.rows_written();
    for minute in 1..5 {
        let at = NOW + minute * MINUTE;
        post_as(&mut job, "a", None, &fix_at(at - 30 * HOUR), at);
        assert_eq!(reported(&mut job, at), []);
    }
    assert_eq!(sqlite.rows_written(), written);
}

#[test]
fn a_post_of_new_fixes_writes_one_row_whether_or_not_the_job_is_watched() {
    let rows = |is_registered| {
        let sqlite = Sqlite::new();
        let mut job = watched(SqlLog::new(sqlite.clone()));
        if is_registered {
            put(&mut job, Some("a"), &[], NOW).unwrap();
        }
        post_as(&mut job, "a", None, &fix_at(NOW), NOW);
        drain(&mut job, NOW);
        let before = sqlite.rows_written();
        let mut armed = job.arm(NOW);
        for second in 1..=100 {
            let at = NOW + second * 1_000;
            armed = alarms(&mut job, armed, at);
            post_as(&mut job, "a", None, &fix_at(at), at);
            drain(&mut job, at);
            armed = job.arm(at).or(armed);
        }
        sqlite.rows_written() - before
    };
    assert_eq!((rows(false), rows(true)), (100, 100));
}

#[test]
fn whatever_the_storage_refuses_once_silence_and_its_end_are_each_told_once() {
    for (sleeps, in_alarm) in [(false, false), (true, false), (false, true), (true, true)] {
        for after in 0.. {
            assert!(after < 50, "it never comes to an end");
            let sql = Refusing::new();
            let mut job = watched(SqlLog::new(sql.clone()));
            put(&mut job, Some("a"), &[], NOW).unwrap();
            // Ably recognises what comes again by its id.
            let mut events: Vec<(String, String)> = Vec::new();
            let mut drained = |job: &mut Job<_>, at| {
                for (name, id, _) in drain(job, at) {
                    events.extend(events.iter().all(|(_, known)| *known != id).then_some((name, id)));
                }
            };
            drained(&mut job, NOW);
            let (silent, heard) = (NOW + 2 * MINUTE, NOW + 3 * MINUTE);
            sql.after.set(in_alarm.then_some(after));
            let mut refused = false;
            for at in [silent, silent + 8_000] {
                if job.alarm(at).is_err() {
                    refused = true;
                    if sleeps {
                        job = watched(SqlLog::new(sql.clone()));
                    }
                }
            }
            drained(&mut job, silent + 8_000);
            sql.after.set((!in_alarm).then_some(after));
            for at in [heard, heard + 1] {
                let request = JobRequest::Heartbeat {
                    job: job_id(),
                    driver: user("a"),
                    state: Heartbeat::NoFix,
                    registry_alone: false,
                };
                if job.handle(request, at).is_err() {
                    refused = true;
                    if sleeps {
                        job = watched(SqlLog::new(sql.clone()));
                    }
                }
            }
            sql.after.set(None);
            drained(&mut job, heard + 1);
            let names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["job.assigned", "job.updated", "driver.silent", "driver.heard"], "{after}");
            if !refused {
                assert!(after > 2, "something was refused");
                break;
            }
        }
    }
}
