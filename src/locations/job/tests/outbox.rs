//! What a job does with its outbox: what leaves, what that costs, and what operators see of it.

use super::*;
use crate::locations::protocol::Range;
use crate::objects::sql::{Sql, SqlValue, StorageError};

/// One publish, that is what `next` asks for and what came of it. Says whether there was one.
pub(super) fn publish<L: Log>(
    job: &mut Job<L>,
    result: Result<(), PublishError>,
    now: Millis,
) -> Option<Value> {
    let Ok(Need::Publish(Publication { ticket, body, .. })) = job.next(now) else { return None };
    match result {
        Ok(()) => job.published(now).unwrap(),
        Err(error) => job.failed(ticket, (&error).into(), now, 1.0).unwrap(),
    }
    let message: PublishedMessage = serde_json::from_str(body.as_str()).unwrap();
    Some(serde_json::from_str(&message.data).unwrap())
}

pub(super) fn refused() -> PublishError {
    PublishError::new(ErrorClass::BlamesMessage, Some(400), Some(40009), "too long")
}

fn unreachable() -> PublishError {
    PublishError::new(ErrorClass::Transient { retry_after: None }, None, None, "unreachable")
}

pub(super) fn no_access() -> PublishError {
    PublishError::new(ErrorClass::BlamesAccess, Some(401), Some(40101), "who?")
}

fn seen<L: Log>(job: &mut Job<L>, now: Millis) -> Value {
    answer(job.handle(JobRequest::Outbox { job: job_id() }, now).unwrap())
}

fn resend<L: Log>(job: &mut Job<L>, epoch: u64, from_seq: u64, seq: u64) -> Reply<JobAnswer> {
    let range = Range { epoch, from_seq, seq };
    job.handle(JobRequest::Resend { job: job_id(), range }, NOW).unwrap()
}

/// An object with its alarm, as the runtime drives it.
struct Object {
    job: Job<SqlLog<Sqlite>>,
    sqlite: Sqlite,
    alarm: Option<Millis>,
    armed: u64,
}

impl Object {
    fn new() -> Self {
        let sqlite = Sqlite::new();
        Self { job: wake(SqlLog::new(sqlite.clone())), sqlite, alarm: None, armed: 0 }
    }

    /// Ends a turn: Ably takes at once what leaves.
    fn turn(&mut self, now: Millis) {
        while publish(&mut self.job, Ok(()), now).is_some() {}
        if let Some(at) = self.job.arm(now) {
            self.alarm = Some(at);
            self.armed += 1;
        }
    }

    /// Lets the alarm go off whenever it is due until then.
    fn until(&mut self, now: Millis) {
        while let Some(at) = self.alarm.filter(|at| *at <= now) {
            self.alarm = None;
            self.job.alarm(at).unwrap();
            self.turn(at);
        }
    }

    fn post(&mut self, fixes: i64, now: Millis) {
        self.until(now);
        let fixes: Vec<Value> = (0..fixes).map(|n| fix_at(now - n)).collect();
        results(&mut self.job, json!(fixes), now);
        self.turn(now);
    }

    fn costs(&self) -> u64 {
        self.sqlite.rows_written() + self.armed
    }
}

#[test]
fn a_post_costs_a_row_of_any_size_and_a_share_of_an_alarm() {
    let mut object = Object::new();
    object.post(1, NOW);
    let before = object.costs();
    for n in 1..=1_000 {
        object.post(1 + n % 7, NOW + n * 1_000);
    }
    let costs = (object.costs() - before) as f64 / 1_000.0;
    assert!(costs <= 1.2, "{costs}");

    object.until(NOW + 2_000_000);
    let retained = |last: Millis| Some(last + 30 * DAY);
    assert_eq!(
        object.alarm,
        retained(NOW + 1_000_000),
        "a job that nobody posts to costs nothing until its trail goes"
    );
    let before = object.costs();
    object.post(1, NOW + 3_000_000);
    object.until(NOW + 4_000_000);
    // Its row, the alarm, that it has arrived, and the alarm for the end of its trail's time.
    assert_eq!((object.costs() - before, object.alarm), (4, retained(NOW + 3_000_000)), "a fix by itself");
    assert_eq!(wake(SqlLog::new(object.sqlite)).next(NOW), Ok(Need::Nothing));
}

#[test]
fn an_outage_is_waited_out_by_the_alarm_and_nothing_else() {
    let mut object = Object::new();
    results(&mut object.job, json!([fix_at(NOW)]), NOW);
    let mut now = NOW;
    for failures in 0..30 {
        assert!(publish(&mut object.job, Err(no_access()), now).is_some(), "{failures}");
        let need = object.job.next(now).unwrap();
        if object.job.report(now).is_some() {
            object.job.heard(now, 1.0).unwrap();
        }
        object.alarm = object.job.arm(now).or(object.alarm);
        match need {
            Need::Wait { until } => now = until,
            Need::Nothing => {
                now = object.alarm.take().unwrap();
                // The object has slept meanwhile.
                object.job = wake(SqlLog::new(object.sqlite.clone()));
                object.job.alarm(now).unwrap();
            }
            Need::Publish(_) => panic!("at once"),
        }
    }
    let spent = now - NOW;
    assert!((5_000_000..9_000_000).contains(&spent), "every five minutes in the end: {spent}");
    let seen = seen(&mut object.job, now);
    assert_eq!(
        (&seen["state"], &seen["cause"]["class"], &seen["waiting"]),
        (&json!("held"), &json!("access"), &json!(1))
    );
    assert!(publish(&mut object.job, Ok(()), now).is_some());
    assert_eq!(object.job.notices().last(), Some(&Notice::Resumed { since: NOW, is_told: true }));
    let mut woken = wake(SqlLog::new(object.sqlite));
    assert!(publish(&mut woken, Ok(()), now).is_some(), "nothing is held any more");
}

#[test]
fn operators_see_how_it_is_doing() {
    let mut job = new_job();
    let idle = json!({
        "jobId": "job-1", "ref": "ref-1", "epoch": null, "state": "idle", "waiting": 0, "inFlight": 0, "setAside": [],
    });
    assert_eq!(seen(&mut job, NOW), idle);
    results(&mut job, json!([fix_at(NOW), fix_at(NOW + 1)]), NOW);
    let Ok(Need::Publish(Publication { ticket, .. })) = job.next(NOW) else { panic!("nothing leaves") };
    results(&mut job, json!([fix_at(NOW + 2)]), NOW + 2);
    let sending = json!({
        "jobId": "job-1", "ref": "ref-1", "epoch": 1_700_000_000, "state": "sending", "waiting": 1, "inFlight": 2,
        "oldestMs": 40, "setAside": [],
    });
    assert_eq!(seen(&mut job, NOW + 40), sending);
    job.failed(ticket, (&unreachable()).into(), NOW + 50, 1.0).unwrap();
    let backoff = json!({
        "jobId": "job-1", "ref": "ref-1", "epoch": 1_700_000_000, "state": "backoff", "waiting": 3, "inFlight": 0,
        "oldestMs": 60, "setAside": [], "retryAt": NOW + 550,
        "cause": {"class": "transient", "status": null, "code": null},
    });
    assert_eq!(seen(&mut job, NOW + 60), backoff);
    publish(&mut job, Err(refused()), NOW + 550);
    publish(&mut job, Ok(()), NOW + 600);
    let set_aside = json!({
        "jobId": "job-1", "ref": "ref-1", "epoch": 1_700_000_000, "state": "idle", "waiting": 0, "inFlight": 0,
        "setAside": [{
            "epoch": 1_700_000_000, "fromSeq": 1, "seq": 2, "ts": NOW + 550,
            "cause": {"class": "message", "status": 400, "code": 40009},
        }],
    });
    assert_eq!(seen(&mut job, NOW + 600), set_aside);
}

#[test]
fn a_change_is_told_once() {
    let mut job = new_job();
    results(&mut job, json!([fix_at(NOW)]), NOW);
    let mut now = NOW;
    for error in [unreachable(), unreachable(), unreachable(), no_access(), no_access()] {
        publish(&mut job, Err(error), now);
        now += 60_000;
    }
    publish(&mut job, Ok(()), now);
    let told = job.notices().into_iter().map(|notice| match notice {
        Notice::Waits { cause, .. } => format!("{:?}", cause.class),
        Notice::Lasts { since, .. } => format!("since {}", since - NOW),
        Notice::Resumed { .. } => "resumed".to_owned(),
        other => panic!("{other:?}"),
    });
    assert_eq!(told.collect::<Vec<_>>(), ["Transient", "since 0", "Access", "resumed"]);
    assert_eq!(job.notices(), []);
}

#[test]
fn what_was_set_aside_is_sent_again_when_asked_for_and_moves_no_marker() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    results(&mut job, json!([fix_at(NOW), fix_at(NOW + 1)]), NOW);
    publish(&mut job, Err(refused()), NOW);
    results(&mut job, json!([fix_at(NOW + 100)]), NOW + 100);
    publish(&mut job, Ok(()), NOW + 100);
    job.alarm(NOW + 60_000).unwrap();
    let epoch = 1_700_000_000;
    for (epoch, from_seq, seq) in [(epoch, 1, 1), (epoch, 1, 3), (epoch + 1, 1, 2), (epoch, 3, 3)] {
        assert_eq!(resend(&mut job, epoch, from_seq, seq), Reply::Refusal(JobRefusal::NotSetAside));
    }
    let expected = json!({"ok": true, "epoch": epoch, "fromSeq": 1, "seq": 2});
    assert_eq!(answer(resend(&mut job, epoch, 1, 2)), expected);
    assert_eq!(answer(resend(&mut job, epoch, 1, 2)), expected, "it is on its way");
    // Also after a sleep, and once.
    let mut job = wake(log.clone());
    let Ok(Need::Publish(Publication { body, .. })) = job.next(NOW + 200) else { panic!("nothing leaves") };
    let message: PublishedMessage = serde_json::from_str(body.as_str()).unwrap();
    assert_eq!((message.name.as_str(), message.id.as_str()), ("location.backfilled", "job-1/1700000000.2"));
    let data = json!({
        "jobId": "job-1", "epoch": epoch, "fromSeq": 1, "seq": 2, "ts": NOW,
        "backfill": [[1, NOW, 1.5, 2.5], [2, NOW, 1.5, 2.5]],
    });
    assert_eq!(serde_json::from_str::<Value>(&message.data).unwrap(), data);
    job.published(NOW + 200).unwrap();
    assert_eq!(publish(&mut job, Ok(()), NOW + 300), None);
    assert_eq!(seen(&mut job, NOW)["setAside"], json!([]));
    assert_eq!(resend(&mut job, epoch, 1, 2), Reply::Refusal(JobRefusal::NotSetAside));
    assert_eq!(publish(&mut wake(log), Ok(()), NOW + 400), None);
}

#[test]
fn what_is_refused_again_stays_set_aside() {
    let mut job = new_job();
    results(&mut job, json!([fix_at(NOW)]), NOW);
    publish(&mut job, Err(refused()), NOW);
    resend(&mut job, 1_700_000_000, 1, 1);
    publish(&mut job, Err(refused()), NOW + 100);
    assert_eq!(publish(&mut job, Ok(()), NOW + 200), None);
    assert_eq!(seen(&mut job, NOW + 200)["setAside"][0]["ts"], NOW + 100);
    assert_eq!(seen(&mut job, NOW + 200)["state"], "idle");
}

#[test]
fn a_row_that_is_damaged_is_set_aside_and_the_others_leave() {
    let sqlite = Sqlite::new();
    let mut job = wake(SqlLog::new(sqlite.clone()));
    for n in 0..4 {
        results(&mut job, json!([fix_at(NOW + n)]), NOW + n);
    }
    sqlite.run("UPDATE log SET body = 'x' WHERE n IN (2, 4)");
    let mut job = wake(SqlLog::new(sqlite));
    let left: Vec<_> = drain(&mut job, NOW + 10).into_iter().map(|(_, id, _)| id).collect();
    assert_eq!(left, ["job-1/1700000000.1", "job-1/1700000000.3"]);
    let given_up = |n| Notice::GivenUp { n, cause: Cause::DAMAGED };
    assert_eq!(job.notices(), [given_up(2), given_up(4)]);
    let ranges: Vec<_> = [2, 4].map(|seq| json!({"epoch": 1_700_000_000, "fromSeq": seq, "seq": seq})).into();
    let seen = seen(&mut job, NOW);
    let told = seen["setAside"]
        .as_array()
        .unwrap()
        .iter()
        .map(|range| json!({"epoch": range["epoch"], "fromSeq": range["fromSeq"], "seq": range["seq"]}));
    assert_eq!(told.collect::<Vec<_>>(), ranges);
    assert_eq!(
        resend(&mut job, 1_700_000_000, 2, 2),
        Reply::Refusal(JobRefusal::NotSetAside),
        "it cannot be read"
    );
    assert_eq!(
        results(&mut job, json!([fix_at(NOW + 3)]), NOW + 5),
        ["5:accepted"],
        "a retry brings it again"
    );
}

#[test]
fn more_than_a_job_takes_is_refused_as_a_whole() {
    let limits = Limits { rate: 1, burst: 10, unsent: 12, trail: 20, publishes: PUBLISHES };
    let log = MemoryLog::default();
    let mut job = Job::wake(log.clone(), Settings { limits, ..settings() }).unwrap();
    let fixes = |from: i64, count: i64| -> Value { (from..from + count).map(|n| fix_at(NOW + n)).collect() };
    let try_post = |job: &mut Job<MemoryLog>, fixes: &Value, now| {
        let body = json!({"locations": fixes}).to_string();
        let driver = UserId::parse("d").unwrap();
        let post = Post::parse(body.as_bytes(), Sender::Driver(&driver), None).unwrap();
        job.handle(JobRequest::Post { job: job_id(), post, registry_alone: false }, now).unwrap()
    };
    assert_eq!(results(&mut job, fixes(0, 8), NOW).len(), 8);
    let writes = log.writes();
    assert_eq!(try_post(&mut job, &fixes(8, 4), NOW), Reply::Refusal(JobRefusal::TooFast { retry_after: 2 }));
    assert_eq!(log.writes(), writes, "nothing is half-written");
    assert_eq!(results(&mut job, fixes(8, 4), NOW + 2_000).len(), 4);
    assert_eq!(try_post(&mut job, &fixes(12, 1), NOW + 60_000), Reply::Refusal(JobRefusal::Backlog));
    let again = results(&mut job, fixes(0, 8), NOW + 60_000);
    assert!(again.iter().all(|result| result.contains("duplicate")), "a retry is answered: {again:?}");

    drain(&mut job, NOW + 60_000);
    let last = results(&mut job, fixes(12, 9), NOW + 60_000);
    assert_eq!(last.iter().filter(|result| result.contains("accepted")).count(), 8);
    assert_eq!(last[8], "rejected:trail_full:null:8");
    assert_eq!(results(&mut job, fixes(30, 2), NOW + 60_000).len(), 2, "no refusal, since no retry helps");
}

/// A log that refuses to be written to for as long as it is told to.
#[derive(Clone)]
struct Broken(Sqlite, std::rc::Rc<std::cell::Cell<bool>>);

impl Sql for Broken {
    fn exec(
        &self,
        statement: &'static str,
        params: Vec<SqlValue>,
    ) -> Result<Vec<Vec<SqlValue>>, StorageError> {
        if self.1.get() && !statement.starts_with("SELECT") {
            return Err(StorageError("disk full".to_owned()));
        }
        self.0.exec(statement, params)
    }
}

#[test]
fn what_cannot_be_noted_as_given_up_is_not_passed_over() {
    let broken = Broken(Sqlite::new(), std::rc::Rc::default());
    let mut job = wake(SqlLog::new(broken.clone()));
    results(&mut job, json!([fix_at(NOW)]), NOW);
    let Ok(Need::Publish(Publication { ticket, .. })) = job.next(NOW) else { panic!("nothing leaves") };
    broken.1.set(true);
    assert!(job.failed(ticket, (&refused()).into(), NOW, 1.0).is_err());
    broken.1.set(false);
    results(&mut job, json!([fix_at(NOW + 1)]), NOW + 1);
    assert_eq!(publish(&mut job, Err(refused()), NOW + 10_000).unwrap()["seq"], 1, "it goes out again");
    assert_eq!(seen(&mut job, NOW + 10_000)["setAside"][0]["seq"], 1);
    assert_eq!(publish(&mut job, Ok(()), NOW + 20_000).unwrap()["seq"], 2);
}

#[test]
fn what_can_no_longer_be_read_when_it_is_sent_again_stays_set_aside() {
    let sqlite = Sqlite::new();
    let mut job = wake(SqlLog::new(sqlite.clone()));
    results(&mut job, json!([fix_at(NOW)]), NOW);
    publish(&mut job, Err(refused()), NOW);
    resend(&mut job, 1_700_000_000, 1, 1);
    sqlite.run("UPDATE log SET body = 'x'");
    assert_eq!(publish(&mut job, Ok(()), NOW + 100), None);
    assert_eq!(seen(&mut job, NOW)["setAside"][0]["seq"], 1);
    let mut woken = wake(SqlLog::new(sqlite));
    assert_eq!(publish(&mut woken, Ok(()), NOW + 200), None);
}

#[test]
fn what_a_newer_build_has_set_aside_is_not_sent_again_by_one_that_does_not_know_it() {
    let sqlite = Sqlite::new();
    let mut job = wake(SqlLog::new(sqlite.clone()));
    results(&mut job, json!([fix_at(NOW)]), NOW);
    publish(&mut job, Err(refused()), NOW);
    results(&mut job, json!([fix_at(NOW + 1)]), NOW + 1);
    publish(&mut job, Ok(()), NOW + 100);
    sqlite.run("UPDATE log SET kind = 'a thing', body = '[]' WHERE n = 1");
    assert_eq!(resend(&mut job, 1_700_000_000, 1, 1), Reply::Refusal(JobRefusal::NotSetAside));
    assert_eq!(publish(&mut job, Ok(()), NOW + 200), None, "and nothing goes back");
}

#[test]
fn a_storage_that_refuses_leaves_an_alarm_that_comes_back() {
    let broken = Broken(Sqlite::new(), std::rc::Rc::default());
    let mut job = wake(SqlLog::new(broken.clone()));
    results(&mut job, json!([fix_at(NOW)]), NOW);
    publish(&mut job, Ok(()), NOW);
    assert_eq!(job.arm(NOW), Some(NOW + 8_000));
    broken.1.set(true);
    assert!(job.alarm(NOW + 8_000).is_err());
    assert_eq!(job.arm(NOW + 8_000), Some(NOW + 16_000));
    broken.1.set(false);
    job.alarm(NOW + 16_000).unwrap();
    assert_eq!(job.arm(NOW + 16_000), Some(NOW + 30 * DAY), "nothing waits but the end of the trail's time");
}
