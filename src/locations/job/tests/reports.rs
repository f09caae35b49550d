//! What operators hear of a job: the job's reports, and the desk that merges them, whatever fails on the way.

use super::outbox::{no_access, publish, refused};
use super::*;
use crate::objects::lines::Lines;
use crate::objects::sql::sqlite::Picky;
use crate::objects::sql::{Sql, SqlValue};
use crate::operations::{Desk, Kind, Next, Report};

/// A job and the desk.
struct World {
    sqlite: Picky,
    job: Job<SqlLog<Picky>>,
    desk: Desk<Sqlite>,
    /// What operators have heard: when, the kind, and when it had happened.
    told: Vec<(Millis, String, Millis)>,
}

impl World {
    fn new() -> Self {
        let sqlite = Picky::new();
        let job = wake(SqlLog::new(sqlite.clone()));
        Self { sqlite, job, desk: Desk::wake(Sqlite::new()).unwrap(), told: Vec::new() }
    }

    fn sleep(&mut self) {
        self.job = wake(SqlLog::new(self.sqlite.clone()));
    }

    /// A fix is accepted, and this comes of its message.
    fn post(&mut self, result: Result<(), PublishError>, now: Millis) {
        results(&mut self.job, json!([fix_at(now)]), now);
        assert!(publish(&mut self.job, result, now).is_some());
    }

    /// The job's report, handed over: the desk has it, and the job knows that or not.
    fn hand_over(&mut self, is_known: bool, now: Millis) -> Report {
        let report = self.job.report(now).unwrap();
        self.desk.take(&report, now).unwrap();
        if is_known {
            self.job.heard(now, 1.0).unwrap();
        } else {
            self.job.unheard(now, 1.0);
        }
        report
    }

    /// Time passes, in which all goes well.
    fn wait(&mut self, from: Millis, to: Millis) {
        for now in (from..to).step_by(500) {
            if let Some(report) = self.job.report(now) {
                self.desk.take(&report, now).unwrap();
                self.job.heard(now, 1.0).unwrap();
            }
            while let Ok(Next::Publish(announcement)) = self.desk.next(now) {
                let message: PublishedMessage = serde_json::from_str(announcement.body.as_str()).unwrap();
                let data: Value = serde_json::from_str(&message.data).unwrap();
                for job in data["jobs"].as_array().unwrap() {
                    self.told.push((now - NOW, message.name.clone(), job["at"].as_i64().unwrap() - NOW));
                }
                self.desk.published(now, &Lines::of(String::new())).unwrap();
            }
        }
    }

    fn ats(&self) -> Vec<Millis> {
        self.told.iter().map(|(.., at)| *at).collect()
    }
}

fn kinds(job: &mut Job<SqlLog<Picky>>) -> Vec<Kind> {
    job.notices().into_iter().filter_map(Notice::reported).map(|(kind, ..)| kind).collect()
}

#[test]
fn a_change_is_reported_once_and_again_until_somebody_takes_it() {
    let mut world = World::new();
    world.post(Err(no_access()), NOW);
    let held = world.job.report(NOW).unwrap();
    let (kind, job_id, cause) = (Kind::HELD, Some(job_id()), Some(Cause::of(&no_access())));
    let expected = Report { kind, job_id, r#ref: "ref-1".to_owned(), at: NOW, since: None, cause, times: 1 };
    assert_eq!(held, expected);
    assert_eq!(world.job.report(NOW), None, "one is on its way");
    assert!(world.job.unheard(NOW, 1.0), "that is worth a line");
    assert_eq!(world.job.report(NOW + 1_999), None);
    assert_eq!(world.job.arm(NOW), Some(NOW + 2_000), "the alarm sees to it");
    assert_eq!(world.job.report(NOW + 2_000), Some(held.clone()));
    assert!(!world.job.unheard(NOW + 2_000, 1.0), "and that is none");
    // It has slept, and is as it was.
    world.sleep();
    assert_eq!(world.job.report(NOW + 2_000), Some(held));
    world.job.heard(NOW + 2_000, 1.0).unwrap();
    let tasks = world.sqlite.exec("SELECT kind FROM tasks", vec![]).unwrap();
    assert_eq!(tasks, [[SqlValue::Text("publish".to_owned())]], "nothing is kept of it");
    publish(&mut world.job, Ok(()), NOW + 9_000);
    let resumed = world.job.report(NOW + 9_000).unwrap();
    assert_eq!((resumed.kind, resumed.since, resumed.at), (Kind::RESUMED, Some(NOW), NOW + 9_000));
}

#[test]
fn an_answer_that_is_lost_swallows_no_report() {
    let mut world = World::new();
    world.post(Err(refused()), NOW);
    world.hand_over(false, NOW);
    world.wait(NOW + 500, NOW + 1_000);
    world.post(Err(refused()), NOW + 1_000);
    world.wait(NOW + 1_000, NOW + 300_000);
    assert_eq!(world.ats(), [0, 1_000]);
}

#[test]
fn no_report_overtakes_another() {
    let mut world = World::new();
    world.post(Err(refused()), NOW);
    let first = world.job.report(NOW).unwrap();
    world.desk.take(&first, NOW).unwrap();
    world.post(Err(refused()), NOW + 1_000);
    // The desk has it, and the answer is lost after a long time.
    world.job.unheard(NOW + 70_000, 1.0);
    world.wait(NOW + 71_000, NOW + 300_000);
    assert_eq!(world.ats(), [0, 1_000], "{:?}", world.told);
}

#[test]
fn of_what_happens_again_and_again_operators_hear_the_last_time() {
    let mut world = World::new();
    for (n, result) in [false, true, false, true, false].into_iter().enumerate() {
        let now = NOW + 5_000 * n as Millis;
        if result {
            assert!(publish(&mut world.job, Ok(()), now).is_some());
        } else {
            world.post(Err(no_access()), now);
        }
        world.wait(now, now + 5_000);
    }
    world.wait(NOW + 25_000, NOW + 300_000);
    let newest = world.told.iter().max_by_key(|(.., at)| *at).unwrap();
    assert_eq!((newest.1.as_str(), newest.2), ("outbox.held", 20_000), "{:?}", world.told);
}

#[test]
fn what_was_held_and_then_set_aside_is_held_no_more() {
    let mut world = World::new();
    results(&mut world.job, json!([fix_at(NOW)]), NOW);
    world.post(Err(no_access()), NOW);
    publish(&mut world.job, Err(refused()), NOW + 10_000);
    assert_eq!(kinds(&mut world.job), [Kind::HELD, Kind::SET_ASIDE, Kind::RESUMED]);
}

#[test]
fn a_storage_that_refuses_swallows_no_change() {
    let mut world = World::new();
    results(&mut world.job, json!([fix_at(NOW)]), NOW);
    let Ok(Need::Publish(Publication { ticket, .. })) = world.job.next(NOW) else { panic!("nothing leaves") };
    world.sqlite.refuses("INSERT OR REPLACE INTO tasks");
    assert!(world.job.failed(ticket, (&no_access()).into(), NOW, 1.0).is_err());
    assert_eq!(kinds(&mut world.job), [Kind::HELD]);
    world.sqlite.refuses(None);
    publish(&mut world.job, Err(no_access()), NOW + 10_000);

    let Ok(Need::Publish(Publication { ticket, .. })) = world.job.next(NOW + 60_000) else {
        panic!("nothing leaves")
    };
    world.sqlite.refuses("DELETE FROM tasks");
    assert!(world.job.failed(ticket, (&refused()).into(), NOW + 60_000, 1.0).is_err());
    assert_eq!(kinds(&mut world.job), [Kind::SET_ASIDE, Kind::RESUMED]);
    world.sqlite.refuses(None);
    world.post(Err(no_access()), NOW + 70_000);
    assert_eq!(kinds(&mut world.job), [Kind::HELD]);
    let Ok(Need::Publish(_)) = world.job.next(NOW + 90_000) else { panic!("nothing leaves") };
    world.sqlite.refuses("DELETE FROM tasks");
    assert!(world.job.published(NOW + 90_000).is_err());
    assert_eq!(kinds(&mut world.job), [Kind::RESUMED]);
}

#[test]
fn a_report_whose_end_cannot_be_written_down_is_told_once() {
    let mut world = World::new();
    world.post(Err(refused()), NOW);
    let report = world.job.report(NOW).unwrap();
    world.desk.take(&report, NOW).unwrap();
    world.sqlite.refuses("DELETE FROM tasks");
    assert!(world.job.heard(NOW, 1.0).is_err());
    world.sqlite.refuses(None);
    world.wait(NOW + 500, NOW + 300_000);
    world.post(Err(refused()), NOW + 300_000);
    world.wait(NOW + 300_000, NOW + 600_000);
    world.sleep();
    world.wait(NOW + 600_000, NOW + 900_000);
    assert_eq!(world.ats(), [0, 300_000], "{:?}", world.told);
}

#[test]
fn a_trouble_that_an_older_build_has_written_down_is_told_before_its_end_is() {
    let mut world = World::new();
    world.post(Err(no_access()), NOW);
    let older = "DELETE FROM tasks WHERE kind = 'report'; UPDATE tasks SET body = json_remove(body, '$.since', '$.isTold')";
    world.sqlite.sqlite.run(older);
    world.sleep();
    for n in 1..5 {
        publish(&mut world.job, Err(no_access()), NOW + 600_000 * n);
    }
    publish(&mut world.job, Ok(()), NOW + 3_000_000);
    assert_eq!(kinds(&mut world.job), [Kind::HELD, Kind::RESUMED]);
}
