//! A storage that refuses something while a job is registered, assigned anew or closed: whatever was answered or shown until then
//! stays true, and whoever asks again comes to the right end.

use std::cell::Cell;
use std::rc::Rc;

use super::registered::{ask, close, event, fix, put, told, trail_to};
use super::*;
use crate::objects::sql::{Sql, SqlValue, Statement, StorageError};
use crate::sessions::Role;

/// A database that refuses one statement, so many from now.
#[derive(Debug, Clone)]
pub(super) struct Refusing {
    pub(super) sqlite: Sqlite,
    pub(super) after: Rc<Cell<Option<u32>>>,
}

impl Refusing {
    pub(super) fn new() -> Self {
        Self { sqlite: Sqlite::new(), after: Rc::default() }
    }
}

impl Sql for Refusing {
    fn exec(&self, statement: Statement, params: Vec<SqlValue>) -> Result<Vec<Vec<SqlValue>>, StorageError> {
        match self.after.get() {
            Some(0) => {
                self.after.set(None);
                Err(StorageError("full".to_owned()))
            }
            after => {
                self.after.set(after.map(|after| after - 1));
                self.sqlite.exec(statement, params)
            }
        }
    }
}

pub(super) type Kept = Job<SqlLog<Refusing>>;

/// Does something whose every statement is refused once, and what is to be seen then, by an object that has stayed awake and by one
/// that wakes.
pub(super) fn whatever_is_refused(
    before: impl Fn(&mut Kept),
    request: impl Fn() -> JobRequest,
    at: Millis,
    then: impl Fn(&mut Kept),
) {
    for sleeps in [false, true] {
        for after in 0.. {
            assert!(after < 50, "it never comes to an end");
            let sql = Refusing::new();
            let mut job = wake(SqlLog::new(sql.clone()));
            before(&mut job);
            sql.after.set(Some(after));
            let answer = job.handle(request(), at);
            if sql.after.take().is_some() {
                // No statement was left to be refused.
                assert!(answer.is_ok());
                break;
            }
            assert!(answer.is_err(), "{after}: {answer:?}");
            if sleeps {
                job = wake(SqlLog::new(sql.clone()));
            }
            then(&mut job);
        }
    }
}

pub(super) fn put_as(driver: &str) -> JobRequest {
    let body = json!({"driver": driver, "customers": ["c"]}).to_string();
    let wanted = crate::jobs::Wanted::parse(body.as_bytes(), NOW).unwrap();
    JobRequest::Put { job: job_id(), wanted, only: None }
}

/// Who is to be revoked still, each once.
fn to_revoke(job: &mut Kept, now: Millis) -> Vec<String> {
    let mut users = Vec::new();
    while let Some(revocation) = job.next_revocation(now).unwrap() {
        users.extend(revocation.users.iter().map(ToString::to_string));
        job.revoked(crate::jobs::revocation::Outcome::Revoked, now, 0.0).unwrap();
    }
    users.sort();
    users.dedup();
    users
}

#[test]
fn another_driver_gets_the_job_in_the_end_and_no_fix_of_the_one_before() {
    let before = |job: &mut Kept| {
        put(job, Some("a"), &["c"], NOW).unwrap();
        post_as(job, "a", None, &fix(), NOW + 1_000);
        told(job, NOW + 1_000);
        post_as(job, "a", None, &fix(), NOW + 2_000);
    };
    whatever_is_refused(
        before,
        || put_as("b"),
        NOW + 3_000,
        |job| {
            // It is the first one's still, where more was refused than that anybody is told.
            let result = brief(&post_as(job, "a", None, &fix(), NOW + 4_000));
            let is_done = job.registration.as_ref().unwrap().version == 2;
            let expected = if is_done { "rejected:reassigned:null:0" } else { "accepted" };
            assert!(result[0].ends_with(expected), "{result:?}");
            assert_eq!(put(job, Some("b"), &["c"], NOW + 5_000).unwrap()["version"], 2);
            assert_eq!(to_revoke(job, NOW + 5_000), ["a"]);
            assert_eq!(trail_to(job, Role::Driver, "b", NOW + 5_000), Ok(vec![]));
            assert_eq!(trail_to(job, Role::Customer, "c", NOW + 5_000), Ok(vec![]));
            assert_eq!(brief(&post_as(job, "a", None, &fix(), NOW + 5_500)), ["rejected:reassigned:null:0"]);
            assert_eq!(brief(&post_as(job, "b", None, &fix(), NOW + 6_000)), ["1:accepted"]);
            let only = told(job, NOW + 6_000);
            let epoch = only.last().unwrap().1;
            assert_eq!(only, [event("job.reassigned", epoch), event("location.updated", epoch)]);
            for (role, name) in [(Role::Driver, "b"), (Role::Customer, "c")] {
                assert_eq!(trail_to(job, role, name, NOW + 6_000).unwrap(), [format!("{epoch}.1")]);
            }
        },
    );
}

#[test]
fn a_job_that_claims_had_shows_its_driver_nothing_of_before() {
    whatever_is_refused(
        |job| drop(post_as(job, "d", None, &fix(), NOW)),
        || put_as("a"),
        NOW + 3_000,
        |job| {
            // Claims decide still, where more was refused than that anybody is told.
            if job.registration.is_none() {
                let result = brief(&post_as(job, "d", None, &fix(), NOW + 4_000));
                assert!(result[0].ends_with("accepted"), "{result:?}");
            }
            assert_eq!(put(job, Some("a"), &["c"], NOW + 5_000).unwrap()["version"], 1);
            assert_eq!(trail_to(job, Role::Driver, "a", NOW + 5_000), Ok(vec![]));
            assert_eq!(brief(&post_as(job, "a", None, &fix(), NOW + 6_000)), ["1:accepted"]);
            assert_eq!(trail_to(job, Role::Driver, "a", NOW + 6_000).unwrap().len(), 1);
            assert_eq!(trail_to(job, Role::Customer, "c", NOW + 6_000).unwrap().len(), 1);
        },
    );
}

#[test]
fn that_a_job_is_closed_is_told_in_the_end_and_once() {
    let before = |job: &mut Kept| {
        put(job, Some("a"), &["c"], NOW).unwrap();
        told(job, NOW);
        post_as(job, "a", None, &fix(), NOW + 2_000);
    };
    let request = || JobRequest::Close { job: job_id(), reason: crate::jobs::CloseReason::Done };
    whatever_is_refused(before, request, NOW + 3_000, |job| {
        let closed = close(job, NOW + 4_000);
        assert_eq!((&closed["job"]["state"], &closed["version"]), (&json!("closed"), &json!(2)));
        assert_eq!(told(job, NOW + 4_000), [event("job.closed", 0)]);
        assert_eq!(to_revoke(job, NOW + 5_000), ["a", "c"]);
        assert_eq!(close(job, NOW + 5_000), closed);
        assert_eq!(brief(&post_as(job, "a", None, &fix(), NOW + 5_000)), ["rejected:job_closed:null:0"]);
        assert_eq!(told(job, NOW + 5_000), []);
    });
    // By itself as well: the alarm comes back to it.
    let end = NOW + 72 * HOUR;
    let request = || JobRequest::Identify;
    whatever_is_refused(before, request, end, |job| {
        assert!(job.arm(end).is_some());
        job.alarm(end + 8_000).unwrap();
        assert_eq!(told(job, end + 8_000), [event("job.closed", 0)]);
        assert_eq!(to_revoke(job, end + 9_000), ["a", "c"]);
    });
}

#[test]
fn a_job_whose_next_life_came_to_nothing_is_closed_like_any_other() {
    let sql = Refusing::new();
    let mut job = wake(SqlLog::new(sql.clone()));
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    told(&mut job, NOW);
    sql.sqlite.run("INSERT INTO lives (epoch, first_n, driver) VALUES (1700000009, 2, 'b')");
    let mut job = wake(SqlLog::new(sql.clone()));
    let closed = close(&mut job, NOW + 1_000);
    assert_eq!(told(&mut job, NOW + 1_000), [event("job.closed", 10)]);
    job.alarm(NOW + 60_000).unwrap();
    let mut job = wake(SqlLog::new(sql));
    assert_eq!(close(&mut job, NOW + 2_000), closed);
    assert_eq!(told(&mut job, NOW + 2_000), []);
    assert_eq!(ask(&mut job, put_as("b"), NOW + 2_000), Err(JobRefusal::Closed));
}

#[test]
fn an_alarm_in_which_the_storage_refuses_something_is_set_again_however_little_else_there_is_to_do() {
    let end = NOW + 72 * HOUR;
    for sleeps in [false, true] {
        for after in 0.. {
            let sql = Refusing::new();
            let mut job = wake(SqlLog::new(sql.clone()));
            put(&mut job, Some("a"), &["c"], NOW).unwrap();
            told(&mut job, NOW);
            job.alarm(NOW + 8_000).unwrap();
            assert_eq!(job.arm(NOW + 8_000), Some(end));
            if sleeps {
                job = wake(SqlLog::new(sql.clone()));
            }
            sql.after.set(Some(after));
            let rung = job.alarm(end);
            if sql.after.take().is_some() {
                assert!(rung.is_ok() && after > 0);
                break;
            }
            assert!(rung.is_err());
            let again = job.arm(end).unwrap();
            assert!(again <= end + 8_000, "{after}: {again}");
            job.alarm(again).unwrap();
            assert_eq!(told(&mut job, again), [event("job.closed", 0)]);
            assert_eq!(to_revoke(&mut job, again + 1_000), ["a", "c"]);
        }
    }
}
