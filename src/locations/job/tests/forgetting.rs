//! What is left of a job after its time, or after the platform has deleted it.

use super::registered::{ask, close, fix, put, standing, state_to, trail_to, user, viewer};
use super::*;
use crate::jobs::CloseReason;
use crate::jobs::revocation::{Outcome, Revocation};
use crate::objects::Failure;
use crate::objects::sql::sqlite::Picky;
use crate::objects::sql::{Sql, SqlValue, Statement};
use crate::sessions::Role;

const RETENTION: Millis = 30 * DAY;

/// What may be in no table of a job that is forgotten: positions, names, ids.
const SECRETS: [&str; 8] = ["48.2082", "16.37", "driver-a", "customer-c", "fix-x", "job-1", "west", "13.7"];

fn secret_fix(now: Millis) -> Value {
    json!({"lat": 48.2082, "lng": 16.3738, "id": "fix-x", "capturedAt": now, "speed": 13.7})
}

fn forget<L: Log>(job: &mut Job<L>, now: Millis) -> Result<Value, JobRefusal> {
    ask(job, JobRequest::Forget { job: job_id() }, now)
}

/// All that is in the tables, as text.
fn kept(sql: &Sqlite) -> String {
    let tables =
        sql.exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'registration'", vec![]);
    let registration: Statement = match tables.unwrap().is_empty() {
        true => "SELECT 1",
        false => "SELECT * FROM registration",
    };
    let all = ["SELECT * FROM meta", "SELECT * FROM lives", "SELECT * FROM log", "SELECT * FROM set_aside"];
    let all = all.into_iter().chain(["SELECT * FROM tasks", registration]);
    all.map(|statement| format!("{:?}\n", sql.exec(statement, vec![]).unwrap())).collect()
}

fn found(sql: &Sqlite) -> Vec<&'static str> {
    let kept = kept(sql);
    SECRETS.into_iter().filter(|secret| kept.contains(secret)).collect()
}

fn assert_tombstone(sql: &Sqlite, state: &str, epoch: i64) {
    assert_eq!(found(sql), [""; 0], "{}", kept(sql));
    let meta = sql.exec("SELECT needs, job, state, sent, infl FROM meta", vec![]).unwrap();
    let text = |text: &str| SqlValue::Text(text.to_owned());
    assert_eq!(meta, [[text("[\"tombstone\"]"), text(""), text(state), SqlValue::Real(0.0), SqlValue::Null]]);
    let lives = sql.exec("SELECT epoch, driver, since, until FROM lives", vec![]).unwrap();
    assert_eq!(lives, [[SqlValue::Real(epoch as f64), SqlValue::Null, SqlValue::Null, SqlValue::Null]]);
    for table in ["SELECT 1 FROM log", "SELECT 1 FROM set_aside", "SELECT 1 FROM tasks"] {
        assert_eq!(sql.exec(table, vec![]).unwrap().len(), 0, "{table}");
    }
}

/// A job with all that a job may keep.
fn full<L: Log>(log: L) -> Job<L> {
    let mut job = wake(log);
    let body = json!({
        "driver": "driver-a", "customers": ["customer-c"], "dispatchId": "west", "place": {"lat": 48.2082, "lng": 16.37},
    });
    let wanted = crate::jobs::Wanted::parse(body.to_string().as_bytes(), NOW).unwrap();
    ask(&mut job, JobRequest::Put { job: job_id(), wanted, only: None }, NOW).unwrap();
    post_as(&mut job, "driver-a", None, &secret_fix(NOW), NOW);
    // Whose clock is ahead is kept beside the row.
    post_as(&mut job, "driver-a", None, &fix_at(NOW + HOUR), NOW);
    job
}

/// What Ably was asked for: the events, by their names, and whose tokens were revoked.
#[derive(Default)]
struct Told {
    events: Vec<String>,
    revoked: Vec<String>,
    ids: Vec<String>,
}

/// Has Ably take all that leaves at that time, and gives the alarm that is set then.
fn turn<L: Log>(job: &mut Job<L>, told: &mut Told, now: Millis) -> Option<Millis> {
    for (name, id, _) in drain(job, now) {
        told.events.push(name);
        told.ids.push(id);
    }
    while let Some(Revocation { users, job: key, .. }) = job.next_revocation(now).unwrap() {
        told.revoked.extend(users.iter().map(ToString::to_string).chain(key.map(|job| format!("job:{job}"))));
        job.revoked(Outcome::Revoked, now, 0.0).unwrap();
    }
    job.next(now).unwrap();
    job.arm(now)
}

/// What everybody is told of a job that is forgotten.
fn assert_forgotten<L: Log>(job: &mut Job<L>, now: Millis) {
    let batch = json!({"locations": [fix(), secret_fix(NOW), {"lat": 91, "lng": 0}]});
    for driver in ["driver-a", "driver-b"] {
        let answer = post_as(job, driver, None, &batch, now);
        assert_eq!(
            brief(&answer),
            ["rejected:job_closed:null:0", "rejected:job_closed:null:1", "rejected:out_of_range:lat:2"]
        );
        assert_eq!(answer["epoch"], NOW / 1_000);
    }
    for (role, name, refusal) in [
        (Role::Driver, "driver-a", JobRefusal::Closed),
        (Role::Customer, "customer-c", JobRefusal::Closed),
        (Role::Customer, "another", JobRefusal::Closed),
        (Role::Dispatcher, "x", JobRefusal::Forgotten),
        (Role::Admin, "x", JobRefusal::Forgotten),
        (Role::Service, "x", JobRefusal::Forgotten),
    ] {
        assert_eq!(state_to(job, role, name, now), Err(refusal), "{name}");
        assert_eq!(trail_to(job, role, name, now), Err(refusal), "{name}");
        let seen = JobRequest::Job { job: job_id(), viewer: viewer(role, name) };
        assert_eq!(ask(job, seen, now), Err(refusal), "{name}");
        if refusal == JobRefusal::Closed {
            assert_eq!(standing(job, role, name, now), "refused", "{name}");
        }
    }
    assert_eq!(put(job, Some("driver-b"), &[], now), Err(JobRefusal::Closed));
    let customer = JobRequest::Customer { job: job_id(), user: user("c"), takes_part: true, only: None };
    assert_eq!(ask(job, customer, now), Err(JobRefusal::Closed));
    let again = JobRequest::Close { job: job_id(), reason: CloseReason::Done };
    assert_eq!(ask(job, again, now), Err(JobRefusal::Forgotten));
    assert_eq!(forget(job, now), Ok(json!({"ok": true})));
    assert_eq!(ask(job, JobRequest::Identify, now), Err(JobRefusal::Unknown));
    let outbox = ask(job, JobRequest::Outbox { job: job_id() }, now).unwrap();
    assert_eq!(outbox["setAside"], json!([]));
}

#[test]
fn a_job_that_is_deleted_says_so_first_and_keeps_its_state_and_its_epoch() {
    let sqlite = Sqlite::new();
    let mut job = full(SqlLog::new(sqlite.clone()));
    assert!(SECRETS.iter().all(|secret| kept(&sqlite).contains(secret)), "{}", kept(&sqlite));
    let mut told = Told::default();
    turn(&mut job, &mut told, NOW);
    assert_eq!(forget(&mut job, NOW + 1_000), Ok(json!({"ok": true})));
    // At once all goes but what has to leave, and what that takes.
    assert_eq!(found(&sqlite), ["driver-a", "customer-c", "job-1"]);
    assert_eq!(sqlite.exec("SELECT 1 FROM log", vec![]).unwrap().len(), 1);
    let tasks = sqlite.exec("SELECT kind FROM tasks ORDER BY id", vec![]).unwrap();
    assert_eq!(tasks, ["revoke", "forget"].map(|kind| [SqlValue::Text(kind.to_owned())]));
    assert_forgotten(&mut job, NOW + 1_000);
    assert_eq!(told.revoked, [""; 0]);

    let mut job = wake(SqlLog::new(sqlite.clone()));
    assert_forgotten(&mut job, NOW + 1_100);
    // Who is cut off has heard why.
    assert_eq!(turn(&mut job, &mut told, NOW + 1_200), None, "there is nothing to come back for");
    assert_eq!(told.events, ["job.assigned", "job.updated", "location.updated", "job.closed"]);
    assert_eq!(told.ids.last(), Some(&format!("job-1/{}.v2", NOW / 1_000)));
    assert_eq!(told.revoked, ["driver-a", "customer-c", "job:job-1"]);
    assert_tombstone(&sqlite, "forgotten", NOW / 1_000);
    for mut job in [job, wake(SqlLog::new(sqlite.clone()))] {
        assert_forgotten(&mut job, NOW + 2_000);
        assert_eq!(turn(&mut job, &mut told, NOW + 2_000), None);
    }
    assert_eq!(told.events.len(), 4, "and nothing after that");
    assert_tombstone(&sqlite, "forgotten", NOW / 1_000);
}

#[test]
fn what_is_needed_for_a_revocation_stays_until_ably_has_done_it_or_an_hour() {
    for is_done in [false, true] {
        let sqlite = Sqlite::new();
        let mut job = full(SqlLog::new(sqlite.clone()));
        turn(&mut job, &mut Told::default(), NOW);
        forget(&mut job, NOW + 1_000).unwrap();
        let mut now = NOW + 2_000;
        let fails = |job: &mut Job<_>, now| {
            if let Need::Publish(Publication { ticket, .. }) = job.next(now).unwrap() {
                let error = PublishError::new(ErrorClass::BlamesAccess, Some(401), Some(40101), "no");
                job.failed(ticket, Failure::from(&error), now, 0.0).unwrap();
            }
            if job.next_revocation(now).unwrap().is_some() {
                job.revoked(Outcome::Failed(Cause::UNANSWERED), now, 0.0).unwrap();
            }
            assert!(!matches!(job.next(now), Ok(Need::Publish(_))));
        };
        while now < NOW + 1_000 + HOUR {
            fails(&mut job, now);
            assert_eq!(found(&sqlite), ["driver-a", "customer-c", "job-1"]);
            // Whoever wakes knows as much, and the alarm is set for it.
            let by = job.arm(now).unwrap_or(NOW + 8_000);
            assert!(by <= NOW + 9_000 + HOUR, "{by}");
            job = wake(SqlLog::new(sqlite.clone()));
            now = by;
            job.alarm(now).unwrap();
            if is_done {
                let mut told = Told::default();
                job.log.end_task(crate::locations::log::PUBLISH_TASK).unwrap();
                let mut job = wake(SqlLog::new(sqlite.clone()));
                turn(&mut job, &mut told, now);
                assert_eq!(told.events, ["job.closed"]);
                break;
            }
        }
        assert_tombstone(&sqlite, "forgotten", NOW / 1_000);
        if !is_done {
            assert_forgotten(&mut job, now);
            assert_eq!(turn(&mut job, &mut Told::default(), now), None);
        }
    }
}

#[test]
fn what_is_on_its_way_is_awaited_and_not_sent_again_and_what_waits_never_leaves() {
    for is_published in [false, true] {
        let sqlite = Sqlite::new();
        let mut job = full(SqlLog::new(sqlite.clone()));
        let Need::Publish(Publication { ticket, .. }) = job.next(NOW).unwrap() else { panic!() };
        forget(&mut job, NOW + 1_000).unwrap();
        assert_eq!(job.next(NOW + 1_000), Ok(Need::Nothing));
        assert_eq!(found(&sqlite), ["driver-a", "customer-c", "job-1"]);
        match is_published {
            true => job.published(NOW + 1_100).unwrap(),
            false => job.failed(ticket, Failure::of(Cause::UNANSWERED), NOW + 1_100, 0.0).unwrap(),
        }
        let mut told = Told::default();
        turn(&mut job, &mut told, NOW + 2_000);
        assert_eq!((told.events, told.revoked.len()), (vec!["job.closed".to_owned()], 3));
        assert_tombstone(&sqlite, "forgotten", NOW / 1_000);
    }
    // The object dies instead.
    let sqlite = Sqlite::new();
    let mut job = full(SqlLog::new(sqlite.clone()));
    job.next(NOW).unwrap();
    forget(&mut job, NOW + 1_000).unwrap();
    let mut told = Told::default();
    turn(&mut wake(SqlLog::new(sqlite.clone())), &mut told, NOW + 2_000);
    assert_eq!((told.events, told.revoked.len()), (vec!["job.closed".to_owned()], 3));
    assert_tombstone(&sqlite, "forgotten", NOW / 1_000);
}

#[test]
fn an_hour_does_not_pass_over_what_is_on_its_way() {
    let log = MemoryLog::default();
    let mut job = full(log.clone());
    turn(&mut job, &mut Told::default(), NOW);
    forget(&mut job, NOW + 1_000).unwrap();
    let late = NOW + 1_000 + HOUR;
    let Need::Publish(_) = job.next(late - 1).unwrap() else { panic!() };
    job.alarm(late).unwrap();
    assert_eq!(log.all().len(), 1, "it names the job");
    assert_eq!(job.arm(late), Some(late + 8_000));
    job.published(late + 10).unwrap();
    job.next(late + 10).unwrap();
    assert_eq!((log.all().len(), job.sequence.job()), (0, None));
}

#[test]
fn a_job_that_has_ended_goes_at_once() {
    let sqlite = Sqlite::new();
    let mut job = full(SqlLog::new(sqlite.clone()));
    close(&mut job, NOW + 1_000);
    turn(&mut job, &mut Told::default(), NOW + 2_000);
    job.alarm(NOW + 10_000).unwrap();
    assert_eq!(trail_to(&mut job, Role::Dispatcher, "x", NOW + DAY).unwrap(), ["0.1", "0.2"]);
    let mut job = wake(SqlLog::new(sqlite.clone()));
    forget(&mut job, NOW + DAY).unwrap();
    assert_tombstone(&sqlite, "forgotten", NOW / 1_000);
    assert_forgotten(&mut job, NOW + DAY);
    assert_eq!(turn(&mut job, &mut Told::default(), NOW + DAY), None);
}

#[test]
fn a_job_that_claims_have_is_closed_for_ever_too() {
    let sqlite = Sqlite::new();
    let mut job = wake(SqlLog::new(sqlite.clone()));
    post_as(&mut job, "driver-a", None, &secret_fix(NOW), NOW);
    post_as(&mut job, "driver-a", None, &fix_at(NOW + HOUR), NOW);
    forget(&mut job, NOW + 1_000).unwrap();
    assert_eq!(found(&sqlite), ["job-1"]);
    assert_forgotten(&mut job, NOW + 1_000);
    for mut job in [job, wake(SqlLog::new(sqlite.clone()))] {
        let mut told = Told::default();
        turn(&mut job, &mut told, NOW + 2_000);
        if told.events.is_empty() {
            assert_forgotten(&mut job, NOW + 2_000);
            continue;
        }
        assert_eq!(told.events, ["job.closed"], "what waited does not leave");
        assert_eq!(told.ids, [format!("job-1/{}.v1", NOW / 1_000)]);
        assert_eq!(told.revoked, ["job:job-1"]);
    }
    assert_tombstone(&sqlite, "forgotten", NOW / 1_000);
}

#[test]
fn of_what_there_is_nothing_of_nothing_is_forgotten() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    assert_eq!(forget(&mut job, NOW), Err(JobRefusal::NotRegistered));
    assert_eq!((log.writes(), job.arm(NOW)), (0, None));
}

#[test]
fn nobodys_new_token_is_revoked_with_the_old_ones() {
    let mut job = full(MemoryLog::default());
    forget(&mut job, NOW + 1_300).unwrap();
    let viewer = viewer(Role::Customer, "customer-c");
    let admit = JobRequest::Admit { job: job_id(), viewer, token_request: false };
    let told = ask(&mut job, admit.clone(), NOW + 1_400).unwrap();
    assert_eq!(told, json!({"standing": "refused", "notBefore": NOW + 2_000}));
    assert_eq!(ask(&mut job, admit, NOW + 12_000).unwrap(), json!({"standing": "refused"}));
}

#[test]
fn a_closed_job_is_forgotten_by_time() {
    let sqlite = Sqlite::new();
    let mut job = full(SqlLog::new(sqlite.clone()));
    close(&mut job, NOW + 1_000);
    let end = NOW + 1_000 + RETENTION;
    turn(&mut job, &mut Told::default(), NOW + 2_000);
    job.alarm(NOW + 10_000).unwrap();
    assert_eq!(job.arm(NOW + 10_000), Some(end));
    let mut job = wake(SqlLog::new(sqlite.clone()));
    assert_eq!(trail_to(&mut job, Role::Service, "x", end - 1).unwrap(), ["0.1", "0.2"]);
    assert_eq!(job.arm(end - 1), None, "whoever slept left it armed");
    job.alarm(end).unwrap();
    assert_tombstone(&sqlite, "forgotten", NOW / 1_000);
    assert_forgotten(&mut job, end);
    assert_eq!(turn(&mut job, &mut Told::default(), end), None);
    assert_forgotten(&mut wake(SqlLog::new(sqlite)), end);
    // Whoever asks before the alarm has gone off sees no more than afterwards.
    let mut job = full(MemoryLog::default());
    close(&mut job, NOW + 1_000);
    assert_eq!(trail_to(&mut job, Role::Service, "x", end), Err(JobRefusal::Forgotten));
    // Nor does one that is open end by this.
    let mut job = full(MemoryLog::default());
    job.settings.longest = RETENTION * 2;
    assert!(trail_to(&mut job, Role::Service, "x", NOW + 71 * HOUR).is_ok());
}

#[test]
fn the_trail_of_a_job_that_claims_have_goes_by_time_and_the_job_goes_on() {
    let sqlite = Sqlite::new();
    let mut job = wake(SqlLog::new(sqlite.clone()));
    post_as(&mut job, "driver-a", None, &secret_fix(NOW), NOW);
    post_as(&mut job, "driver-a", None, &fix_at(NOW + HOUR), NOW + 1_000);
    let end = NOW + 1_000 + RETENTION;
    turn(&mut job, &mut Told::default(), NOW + 2_000);
    job.alarm(NOW + 10_000).unwrap();
    turn(&mut job, &mut Told::default(), NOW + 10_000);
    let mut job = wake(SqlLog::new(sqlite.clone()));
    job.alarm(end - 1).unwrap();
    assert_eq!(job.arm(end - 1), Some(end), "it goes off a little early");
    assert_eq!(state(&mut job)["seq"], 2);
    job.alarm(end).unwrap();
    assert_tombstone(&sqlite, "open", NOW / 1_000);
    for job in [&mut job, &mut wake(SqlLog::new(sqlite.clone()))] {
        assert_eq!(turn(job, &mut Told::default(), end), None, "a job that is over costs nothing");
        assert_eq!(state(job), json!({"jobId": "job-1", "epoch": null, "seq": 0}));
        assert_eq!(ask(job, JobRequest::Identify, end), Err(JobRefusal::Unknown));
        assert_eq!(trail_to(job, Role::Service, "x", end).unwrap(), [""; 0]);
        assert_eq!(standing(job, Role::Driver, "driver-a", end), "admitted");
        assert_eq!(forget(job, end), Err(JobRefusal::NotRegistered));
    }
    assert_tombstone(&sqlite, "open", NOW / 1_000);

    // What comes then begins anew, whatever our clock does, and nothing of before is recognised.
    let epoch = NOW / 1_000 + 1;
    let answer = post_as(&mut job, "driver-a", None, &json!({"locations": [secret_fix(NOW), fix()]}), NOW);
    assert_eq!(brief(&answer), ["1:accepted", "2:accepted"]);
    assert_eq!(answer["epoch"], epoch);
    let meta = sqlite.exec("SELECT needs, job, state FROM meta", vec![]).unwrap();
    assert_eq!(meta, [["[]", "job-1", "open"].map(|text| SqlValue::Text(text.to_owned()))]);
    for mut job in [job, wake(SqlLog::new(sqlite))] {
        assert_eq!(trail_to(&mut job, Role::Service, "x", NOW).unwrap(), ["1.1", "1.2"]);
        let after = |epoch: i64, seq: u64| {
            let after = Some(crate::locations::place::Place { epoch: epoch as u64, seq });
            let viewer = Some(viewer(Role::Service, "x"));
            let request = JobRequest::Trail { job: job_id(), after, limit: 10, names: false, viewer };
            move |job: &mut Job<SqlLog<Sqlite>>| {
                let page = ask(job, request.clone(), NOW).unwrap();
                page["locations"].as_array().unwrap().len()
            }
        };
        // Whoever has read the old one gets all of the new.
        assert_eq!((after(epoch - 1, 2)(&mut job), after(epoch, 1)(&mut job)), (2, 1));
        let results = brief(&post_as(&mut job, "driver-a", None, &secret_fix(NOW), NOW));
        assert_eq!(results, ["1:duplicate"]);
        let told = drain(&mut job, NOW + 5_000);
        assert!(told.iter().all(|(.., data)| data["epoch"] == epoch), "{told:?}");
    }
}

#[test]
fn a_job_whose_trail_has_gone_is_registered_like_a_new_one() {
    let mut job = wake(MemoryLog::default());
    post_as(&mut job, "driver-a", None, &fix(), NOW);
    drain(&mut job, NOW);
    job.alarm(NOW + RETENTION).unwrap();
    let told = put(&mut job, Some("driver-b"), &["c"], NOW + RETENTION).unwrap();
    assert_eq!(
        (&told["outcome"], &told["job"]["epoch"]),
        (&json!("created"), &json!((NOW + RETENTION) / 1_000))
    );
    assert_eq!(job.next_revocation(NOW + RETENTION), Ok(None), "of before nothing lives any more");
    assert_eq!(standing(&mut job, Role::Customer, "c", NOW + RETENTION), "admitted");
}

#[test]
fn being_quiet_costs_one_alarm_and_posting_none() {
    let mut job = new_job();
    let (mut alarms, mut due, mut now) = (0, None::<Millis>, NOW);
    for _ in 0..100 {
        now += 1_000;
        post_as(&mut job, "d", None, &fix(), now);
        drain(&mut job, now);
        if due.is_some_and(|due| due <= now) {
            job.alarm(now).unwrap();
        }
        if let Some(at) = job.arm(now) {
            (alarms, due) = (alarms + 1, Some(at));
        }
    }
    assert!(alarms <= 100 / 8 + 1, "{alarms}");
    let last = now;
    for _ in 0..5 {
        now = due.unwrap();
        job.alarm(now).unwrap();
        job.next(now).unwrap();
        due = job.arm(now);
        if due == Some(last + RETENTION) {
            return;
        }
    }
    panic!("it is never quiet: {due:?}");
}

#[test]
fn whatever_the_storage_refuses_on_the_way_time_alone_finishes_it() {
    for refused in [
        "INSERT OR REPLACE INTO tasks",
        "UPDATE meta SET needs = ?, state",
        "DELETE FROM log",
        "DELETE FROM set_aside",
        "DROP TABLE IF EXISTS registration",
        "DELETE FROM lives",
        "UPDATE lives",
        "INSERT INTO log",
        "DELETE FROM tasks WHERE kind",
        "DELETE FROM tasks",
        "UPDATE meta SET needs = ?, job",
    ] {
        for dies in [false, true] {
            for is_closed in [false, true] {
                let picky = Picky::new();
                let mut job = full(SqlLog::new(picky.clone()));
                let mut told = Told::default();
                let first = turn(&mut job, &mut told, NOW);
                if is_closed {
                    close(&mut job, NOW + 500);
                }
                picky.refuses(refused);
                let is_told = job.handle(JobRequest::Forget { job: job_id() }, NOW + 1_000).is_ok();
                let what = format!("{refused}, dies: {dies}, closed: {is_closed}, told: {is_told}");
                let has_begun = job.forgotten.is_some();
                assert!(has_begun || !is_told, "{what}");
                if let Ok(Need::Publish(_)) = job.next(NOW + 1_000) {
                    job.published(NOW + 1_000).unwrap();
                }
                let by = job.arm(NOW + 1_000).or(first);
                assert!(!has_begun || by.is_some_and(|by| by <= NOW + 1_000 + HOUR), "{what}: {by:?}");
                if dies {
                    job = wake(SqlLog::new(picky.clone()));
                }
                picky.refuses(None);
                let mut now = NOW + 2_000;
                // Nothing is written down of it: whoever was told of the failure asks again.
                if job.forgotten.is_none() {
                    assert!(!is_told, "{what}");
                    forget(&mut job, now).unwrap();
                }
                for _ in 0..5 {
                    job.alarm(now).unwrap();
                    let Some(at) = turn(&mut job, &mut told, now) else { break };
                    now = at;
                }
                assert_tombstone(&picky.sqlite, "forgotten", NOW / 1_000);
                assert!(told.revoked.contains(&"job:job-1".to_owned()), "{what}");
                assert_forgotten(&mut job, now);
            }
        }
    }
}

#[test]
fn whatever_the_storage_refuses_a_trail_that_has_had_its_time_goes() {
    for refused in
        ["DELETE FROM log", "DELETE FROM set_aside", "DELETE FROM tasks", "UPDATE lives", "UPDATE meta"]
    {
        for dies in [false, true] {
            let picky = Picky::new();
            let mut job = wake(SqlLog::new(picky.clone()));
            post_as(&mut job, "driver-a", None, &secret_fix(NOW), NOW);
            turn(&mut job, &mut Told::default(), NOW);
            picky.refuses(refused);
            let end = NOW + RETENTION;
            assert!(job.alarm(end).is_err(), "{refused}");
            assert_eq!(job.arm(end), Some(end + 8_000));
            if dies {
                job = wake(SqlLog::new(picky.clone()));
            }
            picky.refuses(None);
            job.alarm(end + 8_000).unwrap();
            assert_tombstone(&picky.sqlite, "open", NOW / 1_000);
            assert_eq!(drain(&mut job, end + 8_000), []);
        }
    }
}
