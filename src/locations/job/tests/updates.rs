//! What is said of a job beside its fixes: the platform's events, and that what is registered has changed.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::registered::{ask, close, fix, put};
use super::registry_faults::{Kept, Refusing, put_as, whatever_is_refused};
use super::*;
use crate::jobs::Update;

fn update(id: &str, kind: &str, version: u64) -> Update {
    let body = json!({"id": id, "type": kind, "version": version}).to_string();
    Update::parse(body.as_bytes()).unwrap()
}

fn request(id: &str) -> JobRequest {
    JobRequest::Update { job: job_id(), update: update(id, "photo.added", 7) }
}

fn announce<L: Log>(job: &mut Job<L>, id: &str, now: Millis) -> Result<Value, JobRefusal> {
    ask(job, request(id), now)
}

/// Name, Ably's id less what all have, and what an event says has changed or the seqs that a message stands for.
fn leaves<L: Log>(job: &mut Job<L>, now: Millis) -> Vec<(String, String, String)> {
    let brief = |(name, id, data): (String, String, Value)| {
        let said = match name.starts_with("job.") {
            true => format!("{}@{}", data["id"].as_str().unwrap_or_default(), data["afterSeq"]),
            false => format!("{}-{}", data["fromSeq"], data["seq"]),
        };
        (name, id.replace("job-1/", ""), said)
    };
    drain(job, now).into_iter().map(brief).collect()
}

fn leaving(name: &str, id: &str, said: &str) -> (String, String, String) {
    (name.to_owned(), id.to_owned(), said.to_owned())
}

#[test]
fn an_event_leaves_between_the_fixes_once() {
    let sqlite = Sqlite::new();
    let mut job = wake(SqlLog::new(sqlite.clone()));
    post(&mut job, fix(), NOW);
    let Need::Publish(Publication { ticket: _, .. }) = job.next(NOW).unwrap() else {
        panic!("nothing leaves")
    };
    post(&mut job, fix(), NOW + 1);
    let accepted = json!({
        "ok": true, "jobId": "job-1", "id": "e 1", "status": "accepted", "epoch": NOW / 1_000, "afterSeq": 2,
    });
    assert_eq!(announce(&mut job, "e 1", NOW + 2), Ok(accepted.clone()));
    post(&mut job, fix(), NOW + 3);
    post(&mut job, fix(), NOW + 4);
    let mut duplicate = accepted;
    duplicate["status"] = json!("duplicate");
    let rows = sqlite.rows_written();
    assert_eq!(announce(&mut job, "e 1", NOW + 5), Ok(duplicate.clone()));
    for other in [update("e 1", "photo.added", 8), update("e 1", "photo.removed", 7)] {
        let request = JobRequest::Update { job: job_id(), update: other };
        assert_eq!(ask(&mut job, request, NOW + 5), Err(JobRefusal::IdReused));
    }
    assert_eq!(sqlite.rows_written(), rows, "what is told is not written again");
    job.published(NOW + 10).unwrap();
    let epoch = NOW / 1_000;
    assert_eq!(
        leaves(&mut job, NOW + 100),
        [
            leaving("location.updated", &format!("{epoch}.2"), "2-2"),
            leaving("job.updated", &format!("{epoch}.n3"), "e 1@2"),
            leaving("location.updated", &format!("{epoch}.4"), "3-4"),
        ]
    );
    for damage in ["UPDATE log SET n = n", "UPDATE log SET prints = 'damaged'"] {
        sqlite.run(damage);
        let mut job = wake(SqlLog::new(sqlite.clone()));
        assert_eq!(announce(&mut job, "e 1", NOW + 29 * DAY), Ok(duplicate.clone()), "{damage}");
    }
}

#[test]
fn an_event_is_as_the_platform_says_it_and_names_nobody() {
    let mut job = new_job();
    announce(&mut job, "a", NOW).unwrap();
    let (name, _, data) = drain(&mut job, NOW).remove(0);
    let expected = json!({
        "jobId": "job-1", "epoch": NOW / 1_000, "afterSeq": 0, "id": "a", "type": "photo.added", "version": 7, "ts": NOW,
    });
    assert_eq!((name.as_str(), data), ("job.updated", expected));
}

#[test]
fn an_event_begins_a_life_as_a_first_fix_does() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    assert_eq!(announce(&mut job, "a", NOW).unwrap()["epoch"], NOW / 1_000);
    for mut job in [job, wake(log)] {
        assert_eq!(state(&mut job), json!({"jobId": "job-1", "epoch": NOW / 1_000, "seq": 0}));
        let answer = post(&mut job, fix(), NOW + 5_000);
        assert_eq!((&answer["epoch"], brief(&answer)), (&json!(NOW / 1_000), vec!["1:accepted".to_owned()]));
        job.log = MemoryLog::default();
    }
}

#[test]
fn nothing_is_told_of_a_job_that_is_over() {
    let mut job = new_job();
    put(&mut job, Some("a"), &[], NOW).unwrap();
    announce(&mut job, "known", NOW).unwrap();
    close(&mut job, NOW + 1);
    assert_eq!(announce(&mut job, "new", NOW + 2), Err(JobRefusal::Closed));
    assert_eq!(announce(&mut job, "known", NOW + 2).unwrap()["status"], "duplicate");
    ask(&mut job, JobRequest::Forget { job: job_id() }, NOW + 3).unwrap();
    for id in ["known", "new"] {
        assert_eq!(
            announce(&mut job, id, NOW + 4),
            Err(JobRefusal::Closed),
            "of a forgotten job no id is kept"
        );
    }
}

#[test]
fn events_are_bounded_as_fixes_are() {
    let limited = |unsent, rate, trail| {
        let limits = Limits { unsent, rate, burst: 3, trail, ..settings().limits };
        let mut job = Job::wake(MemoryLog::default(), Settings { limits, ..settings() }).unwrap();
        for id in ["1", "2"] {
            announce(&mut job, id, NOW).unwrap();
        }
        job
    };
    let mut full = limited(2, 1, 9);
    assert_eq!(announce(&mut full, "3", NOW), Err(JobRefusal::Backlog));
    assert_eq!(announce(&mut full, "2", NOW).unwrap()["status"], "duplicate");
    drain(&mut full, NOW);
    assert_eq!(announce(&mut full, "3", NOW).unwrap()["status"], "accepted");
    let mut fast = limited(9, 1, 9);
    announce(&mut fast, "3", NOW).unwrap();
    assert_eq!(announce(&mut fast, "4", NOW), Err(JobRefusal::TooFast { retry_after: 1 }));
    assert_eq!(announce(&mut limited(9, 1, 2), "3", NOW), Err(JobRefusal::TrailFull));
}

#[test]
fn each_change_of_what_is_registered_is_told_and_nothing_else_is() {
    let mut job = new_job();
    let customer = |who: &str, takes_part| JobRequest::Customer {
        job: job_id(),
        user: UserId::parse(who).unwrap(),
        takes_part,
        only: None,
    };
    put(&mut job, None, &["c"], NOW).unwrap();
    put(&mut job, None, &["c"], NOW).unwrap();
    ask(&mut job, customer("d", true), NOW).unwrap();
    ask(&mut job, customer("d", true), NOW).unwrap();
    ask(&mut job, customer("e", false), NOW).unwrap();
    assert_eq!(
        drain(&mut job, NOW).iter().map(|(.., data)| data["id"].clone()).collect::<Vec<_>>(),
        ["v1", "v2"]
    );
    put(&mut job, Some("a"), &["c", "d"], NOW + 1_000).unwrap();
    post_as(&mut job, "a", None, &fix(), NOW + 2_000);
    ask(&mut job, customer("c", false), NOW + 3_000).unwrap();
    put(&mut job, Some("b"), &["d"], NOW + 4_000).unwrap();
    let epoch = NOW / 1_000;
    assert_eq!(
        leaves(&mut job, NOW + 4_000),
        [
            leaving("job.reassigned", &format!("{}.v5", epoch + 4), "@0"),
            leaving("job.updated", &format!("{}.n9", epoch + 4), "v5@0"),
        ],
        "what waited is of a life that is over"
    );
    close(&mut job, NOW + 5_000);
    assert_eq!(leaves(&mut job, NOW + 5_000), [leaving("job.closed", &format!("{}.v6", epoch + 4), "@0")]);
}

#[test]
fn what_comes_after_a_fix_hides_nothing_of_it() {
    let log = MemoryLog::default();
    let watched = || {
        let settings = Settings { silent_after: Some(MINUTE), ..settings() };
        Job::wake(log.clone(), settings).unwrap()
    };
    let mut job = watched();
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    for (id, at) in [("1", NOW + 30_000), ("2", NOW + 60_000)] {
        post_as(&mut job, "a", None, &fix(), at);
        announce(&mut job, id, at + 1_000).unwrap();
        announce(&mut job, &format!("{id}a"), at + 1_001).unwrap();
        job = watched();
        let told = ask(
            &mut job,
            JobRequest::Job {
                job: job_id(),
                viewer: super::registered::viewer(crate::sessions::Role::Admin, "x"),
            },
            at + 2_000,
        );
        let told = told.unwrap();
        assert_eq!((&told["lastHeard"], &told["lastFixAt"]), (&json!(at), &json!(at)));
    }
    job.alarm(NOW + 100_000).unwrap();
    assert!(drain(&mut job, NOW + 100_000).iter().all(|(name, ..)| name != "driver.silent"));
}

#[test]
fn whatever_is_refused_an_event_is_told_once() {
    for is_registered in [false, true] {
        let before = |job: &mut Kept| {
            if is_registered {
                put(job, Some("a"), &[], NOW).unwrap();
                post_as(job, "a", None, &fix(), NOW);
            }
            drain(job, NOW);
        };
        whatever_is_refused(
            before,
            || request("e"),
            NOW + 1_000,
            |job| {
                let answers = [announce(job, "e", NOW + 2_000), announce(job, "e", NOW + 2_001)];
                let status = |answer: &Result<Value, _>| answer.as_ref().unwrap()["status"].clone();
                assert_eq!(answers.each_ref().map(status), ["accepted", "duplicate"]);
                let told = drain(job, NOW + 3_000).into_iter().filter(|(.., data)| data["id"] == "e").count();
                assert_eq!(told, 1);
            },
        );
    }
}

#[test]
fn whatever_is_refused_a_change_is_told_once_also_where_nobody_asks_again() {
    let changed = |job: &mut Kept, now| {
        let told = drain(job, now).into_iter().filter(|(name, ..)| name == "job.updated");
        told.map(|(.., data)| data["version"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let before = |job: &mut Kept| {
        put(job, Some("a"), &[], NOW).unwrap();
        post_as(job, "a", None, &fix(), NOW + 1);
        drain(job, NOW + 2);
        // Nothing is due any more but the end of the job.
        job.alarm(NOW + 9_000).unwrap();
        assert_eq!(job.arm(NOW + 9_000), Some(NOW + 72 * HOUR));
    };
    for driver in ["a", "b"] {
        whatever_is_refused(
            before,
            || put_as(driver),
            NOW + 10_000,
            |job| {
                let is_done = job.registration.as_ref().unwrap().version == 2;
                let armed = job.arm(NOW + 10_000);
                if is_done {
                    assert_eq!(armed, Some(NOW + 18_000), "the alarm sees to it");
                    job.alarm(NOW + 18_000).unwrap();
                    assert_eq!(changed(job, NOW + 18_000), [2]);
                }
                ask(job, put_as(driver), NOW + 20_000).unwrap();
                assert_eq!(changed(job, NOW + 20_000), if is_done { vec![] } else { vec![2] });
            },
        );
    }
}

#[derive(Debug, Clone)]
enum Act {
    Post,
    Announce(u8),
    /// Who drives then.
    Put(bool),
    /// Something leaves, and what becomes of it: it is stored or not, and that is known or not.
    Leave {
        stored: bool,
        known: bool,
    },
    Alarm,
    Sleep,
    /// So many statements from now one is refused.
    Refuse(u32),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Post),
        6 => (0..20_u8).prop_map(Act::Announce),
        1 => any::<bool>().prop_map(Act::Put),
        6 => any::<(bool, bool)>().prop_map(|(stored, known)| Act::Leave { stored, known }),
        1 => Just(Act::Alarm),
        2 => Just(Act::Sleep),
        3 => (0..8_u32).prop_map(Act::Refuse),
    ]
}

/// A job whose storage refuses things, and what Ably has of it.
struct World {
    sql: Refusing,
    job: Kept,
    now: Millis,
    /// What is stored, by Ably's id, in order.
    stored: Vec<(String, Value)>,
    bytes: BTreeMap<String, String>,
    /// What was answered of each event: where it came.
    told: BTreeMap<u8, (Value, Value)>,
}

impl World {
    fn new() -> Self {
        let sql = Refusing::new();
        let job = wake(SqlLog::new(sql.clone()));
        Self { sql, job, now: NOW, stored: Vec::new(), bytes: BTreeMap::new(), told: BTreeMap::new() }
    }

    fn act(&mut self, act: &Act) {
        self.now += 1_000;
        let now = self.now;
        match act {
            Act::Refuse(after) => self.sql.after.set(Some(*after)),
            Act::Sleep => {
                self.sql.after.set(None);
                self.job = wake(SqlLog::new(self.sql.clone()));
            }
            Act::Post => {
                let driver = self.job.registration.as_ref().map(|it| it.wanted.driver.clone());
                let driver = driver.flatten().unwrap_or_else(|| UserId::parse("d").unwrap());
                let post = Post::parse(fix().to_string().as_bytes(), Sender::Driver(&driver), None).unwrap();
                let _ = self.job.handle(JobRequest::Post { job: job_id(), post, registry_alone: false }, now);
            }
            Act::Announce(id) => self.announce(*id),
            Act::Put(first) => {
                let _ = self.job.handle(put_as(if *first { "a" } else { "b" }), now);
            }
            Act::Leave { stored, known } => self.leave(*stored, *known),
            Act::Alarm => {
                let _ = self.job.alarm(now);
            }
        }
    }

    fn announce(&mut self, id: u8) {
        let Ok(reply) = self.job.handle(request(&format!("e{id}")), self.now) else { return };
        let told = answer(reply);
        let place = (told["epoch"].clone(), told["afterSeq"].clone());
        let expected = if self.told.contains_key(&id) { "duplicate" } else { "accepted" };
        assert_eq!(told["status"], expected, "what was refused was not told, and what was told stays so");
        assert_eq!(*self.told.entry(id).or_insert_with(|| place.clone()), place);
    }

    fn leave(&mut self, stored: bool, known: bool) {
        let Ok(Need::Publish(publication)) = self.job.next(self.now) else { return };
        let message: PublishedMessage = serde_json::from_str(publication.body.as_str()).unwrap();
        let before = self.bytes.insert(message.id.clone(), message.data.clone());
        assert!(before.is_none_or(|before| before == message.data), "the same bytes under the same id");
        let data: Value = serde_json::from_str(&message.data).unwrap();
        if stored && self.stored.iter().all(|(id, _)| *id != message.id) {
            self.stored.push((message.id, data));
        }
        let _ = match stored && known {
            true => self.job.published(self.now),
            false => {
                let error = PublishError::new(ErrorClass::Transient { retry_after: None }, None, None, "");
                self.job.failed(publication.ticket, (&error).into(), self.now, 0.5)
            }
        };
    }

    /// Of the last life each event has come once, in order with the fixes; of all lives none more than that.
    fn check(&self) {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let (mut epoch, mut seq) = (0, 0);
        for (_, data) in &self.stored {
            let this = data["epoch"].as_u64().unwrap();
            assert!(this >= epoch, "lives come in order");
            (epoch, seq) = if this > epoch { (this, 0) } else { (epoch, seq) };
            match data.get("afterSeq") {
                Some(after) => {
                    assert_eq!(*after, json!(seq), "in order with the fixes");
                    if let Some(id) = data["id"].as_str() {
                        *seen.entry(id.to_owned()).or_default() += 1;
                    }
                }
                None => {
                    assert_eq!(data["fromSeq"], json!(seq + 1));
                    seq = data["seq"].as_u64().unwrap();
                }
            }
        }
        if let Some(version) = self.job.registration.as_ref().map(|registration| registration.version) {
            assert_eq!(seen.get(&format!("v{version}")), Some(&1), "the last change is told");
        }
        assert!(seen.values().all(|times| *times == 1), "{seen:?}");
        let last = self.job.sequence.epoch();
        for (id, (epoch, _)) in &self.told {
            let count = seen.get(&format!("e{id}")).copied().unwrap_or_default();
            assert!(count <= 1, "e{id} is told {count} times");
            assert!(count == 1 || epoch.as_u64() != last, "e{id} is lost");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn events_come_once_and_in_order_whatever_fails(acts in prop::collection::vec(act(), 1..60)) {
        let mut world = World::new();
        for act in &acts {
            world.act(act);
        }
        world.sql.after.set(None);
        for _ in 0..300 {
            world.act(&Act::Leave { stored: true, known: true });
        }
        prop_assert_eq!(world.job.outbox.waiting(), 0);
        world.check();
    }
}
