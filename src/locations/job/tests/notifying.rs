//! What a job tells those who take part in it: whatever fails, sleeps or comes twice, each is told of each change once, and in order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::registered::{ask, close, put, told, user};
use super::registry_faults::Refusing;
use super::*;
use crate::inbox::{Inbox, Taken};
use crate::jobs::news::News;
use crate::locations::log::NOTIFY_TASKS;
use crate::objects::sql::Sql;

const USERS: [&str; 4] = ["a", "b", "c", "d"];

fn notifying_settings() -> Settings {
    Settings { notifies: true, ..settings() }
}

fn wake<L: Log>(log: L) -> Job<L> {
    Job::wake(log, notifying_settings()).unwrap()
}

/// The inboxes of users, and what each has taken, in order.
#[derive(Default)]
struct World {
    inboxes: BTreeMap<String, Inbox<Sqlite>>,
    taken: BTreeMap<String, Vec<String>>,
}

impl World {
    fn take(&mut self, notice: &UserNotice, now: Millis) -> Taken {
        let name = notice.request.user.to_string();
        let inbox = self.inboxes.entry(name.clone()).or_insert_with(|| {
            let settings = crate::inbox::Settings { reference: "ref".to_owned(), spacing: 25 };
            Inbox::wake(Sqlite::new(), settings).unwrap()
        });
        // Through the JSON in which they travel.
        let request = serde_json::from_str(&serde_json::to_string(&notice.request).unwrap()).unwrap();
        let taken = inbox.take(&request, now).unwrap();
        if taken == Taken::Accepted {
            let notification = &notice.request.notification;
            let word = notification.kind.as_str().trim_start_matches("job.");
            self.taken.entry(name).or_default().push(format!("{word} {}", notification.version));
        }
        serde_json::from_str(&serde_json::to_string(&taken).unwrap()).unwrap()
    }

    fn of(&self, name: &str) -> Vec<&str> {
        self.taken.get(name).into_iter().flatten().map(String::as_str).collect()
    }
}

/// Tells all that there is to tell now; how often that was.
fn deliver<L: Log>(job: &mut Job<L>, world: &mut World, now: Millis) -> usize {
    let mut count = 0;
    loop {
        let notices = job.next_notifications(now).unwrap();
        if notices.is_empty() {
            return count;
        }
        for notice in notices {
            let taken = world.take(&notice, now);
            assert!(!job.notified(&notice, Some(taken), now, 0.0).unwrap());
            count += 1;
        }
    }
}

fn revoke<L: Log>(job: &mut Job<L>, now: Millis) {
    while let Some(_revocation) = job.next_revocation(now).unwrap() {
        job.revoked(crate::jobs::revocation::Outcome::Revoked, now, 0.0).unwrap();
    }
}

#[test]
fn whoever_comes_or_goes_is_told_once_and_in_order() {
    let (log, mut world) = (MemoryLog::default(), World::default());
    let mut job = wake(log.clone());
    put(&mut job, Some("a"), &["b", "c"], NOW).unwrap();
    let notices = job.next_notifications(NOW).unwrap();
    assert_eq!(
        serde_json::to_value(&notices[0].request).unwrap(),
        json!({"user": "a", "notification": {
            "id": "towline:job-1.1.assigned", "type": "job.assigned", "entityId": "job-1", "version": 1,
        }})
    );
    // What they say is lost, and the object with it.
    for notice in &notices {
        world.take(notice, NOW);
    }
    let mut job = wake(log.clone());
    assert_eq!(deliver(&mut job, &mut world, NOW), 3);
    put(&mut job, Some("a"), &["b", "c"], NOW).unwrap();
    assert_eq!(deliver(&mut job, &mut world, NOW), 0, "nothing has changed");
    put(&mut job, Some("d"), &["b"], NOW).unwrap();
    put(&mut job, Some("b"), &[], NOW).unwrap();
    put(&mut job, Some("b"), &["d"], NOW).unwrap();
    let mut job = wake(log.clone());
    close(&mut job, NOW + 1_000);
    assert_eq!(deliver(&mut job, &mut world, NOW + 1_000), 9);
    assert_eq!(world.of("a"), ["assigned 1", "unassigned 2"]);
    assert_eq!(world.of("b"), ["assigned 1", "unassigned 3", "assigned 3", "closed 5"]);
    assert_eq!(world.of("c"), ["assigned 1", "unassigned 2"]);
    assert_eq!(world.of("d"), ["assigned 2", "unassigned 3", "assigned 4", "closed 5"]);
    let mut job = wake(log);
    assert_eq!((deliver(&mut job, &mut world, NOW), job.notifying.due()), (0, None));
}

#[test]
fn a_job_that_ends_by_itself_or_is_deleted_tells_all() {
    for is_deleted in [false, true] {
        let (sqlite, mut world) = (Sqlite::new(), World::default());
        let mut job = wake(SqlLog::new(sqlite.clone()));
        put(&mut job, Some("a"), &["b"], NOW).unwrap();
        deliver(&mut job, &mut world, NOW);
        let end = if is_deleted { NOW + 5 } else { NOW + 72 * HOUR };
        match is_deleted {
            true => drop(ask(&mut job, JobRequest::Forget { job: job_id() }, end).unwrap()),
            false => job.alarm(end).unwrap(),
        }
        told(&mut job, end);
        revoke(&mut job, end + 1_000);
        // Asleep and awake again, whatever else is gone.
        let mut job = wake(SqlLog::new(sqlite.clone()));
        told(&mut job, end + 1_000);
        assert_eq!(job.arm(end + 1_000), Some(end + 9_000));
        let tasks = || sqlite.exec("SELECT 1 FROM tasks WHERE kind = 'notify'", vec![]).unwrap().len();
        assert_eq!(tasks(), 1);
        assert_eq!(deliver(&mut job, &mut world, end + 1_000), 2);
        assert_eq!((world.of("a"), tasks()), (vec!["assigned 1", "closed 2"], 0));
        job.alarm(end + 9_000).unwrap();
        let users = sqlite.exec("SELECT job FROM meta WHERE job <> ''", vec![]).unwrap().len();
        assert_eq!(users, usize::from(!is_deleted), "of a deleted one nothing is kept once all know");
    }
}

#[test]
fn of_a_job_that_is_forgotten_who_cannot_be_told_is_kept_for_an_hour() {
    let sqlite = Sqlite::new();
    let mut job = wake(SqlLog::new(sqlite.clone()));
    put(&mut job, Some("a"), &[], NOW).unwrap();
    ask(&mut job, JobRequest::Forget { job: job_id() }, NOW).unwrap();
    for notice in job.next_notifications(NOW).unwrap() {
        job.notified(&notice, None, NOW, 0.0).unwrap();
    }
    told(&mut job, NOW);
    let tasks = || sqlite.exec("SELECT 1 FROM tasks WHERE kind = 'notify'", vec![]).unwrap().len();
    job.alarm(NOW + HOUR - 1).unwrap();
    assert_eq!(tasks(), 2);
    job.alarm(NOW + HOUR).unwrap();
    assert_eq!((tasks(), job.next_notifications(NOW + HOUR).unwrap()), (0, vec![]));
}

#[test]
fn one_that_does_not_answer_or_is_full_keeps_nobody_else_waiting() {
    let (log, mut world) = (MemoryLog::default(), World::default());
    let mut job = wake(log.clone());
    put(&mut job, Some("a"), &["b"], NOW).unwrap();
    put(&mut job, Some("b"), &["a"], NOW).unwrap();
    let notices = job.next_notifications(NOW).unwrap();
    assert_eq!(notices.len(), 2, "one at a time for each");
    assert!(job.notified(&notices[0], Some(Taken::Backlog), NOW, 1.0).unwrap(), "news");
    assert!(!job.notified(&notices[0], None, NOW, 1.0).unwrap(), "it is not under way any more");
    job.notified(&notices[1], Some(world.take(&notices[1], NOW)), NOW, 1.0).unwrap();
    assert_eq!(deliver(&mut job, &mut world, NOW), 2);
    assert_eq!(world.of("b"), ["assigned 1", "unassigned 2", "assigned 2"]);
    assert_eq!((job.notifying_due(NOW), job.next_notifications(NOW + 499)), (Some(NOW + 500), Ok(vec![])));
    let [notice] = &job.next_notifications(NOW + 500).unwrap()[..] else { panic!("the one that was full") };
    assert!(!job.notified(notice, None, NOW + 500, 1.0).unwrap(), "and no more");
    // Asleep and awake again it knows how often that was; what is behind it waits.
    let mut job = wake(log.clone());
    told(&mut job, NOW + 500);
    assert_eq!(job.notifying_due(NOW + 500), Some(NOW + 1_500));
    let mut now = NOW + 500;
    for _ in 0..30 {
        now = job.notifying.due().unwrap();
        for notice in job.next_notifications(now).unwrap() {
            job.notified(&notice, None, now, 1.0).unwrap();
        }
    }
    assert_eq!(job.notifying.due(), Some(now + 300_000));
    revoke(&mut job, now);
    job.alarm(now).unwrap();
    assert_eq!(job.arm(now), Some(now + 300_000));
    // By a clock that has gone back nothing waits longer.
    let mut job = wake(log);
    deliver(&mut job, &mut world, NOW - HOUR);
    assert_eq!(world.of("a"), ["assigned 1", "unassigned 2", "assigned 2"]);
}

#[test]
fn who_knows_is_told_again_where_that_could_not_be_written_down() {
    let (sql, mut world) = (Refusing::new(), World::default());
    let mut job = wake(SqlLog::new(sql.clone()));
    put(&mut job, Some("a"), &[], NOW).unwrap();
    let notices = job.next_notifications(NOW).unwrap();
    let taken = world.take(&notices[0], NOW);
    sql.after.set(Some(0));
    job.notified(&notices[0], Some(taken), NOW, 0.0).unwrap_err();
    assert_eq!((job.next_notifications(NOW), job.notifying_due(NOW)), (Ok(vec![]), Some(NOW + 250)));
    assert_eq!(deliver(&mut job, &mut world, NOW + 250), 1);
    let tasks = sql.sqlite.exec("SELECT 1 FROM tasks WHERE kind = 'notify'", vec![]).unwrap();
    assert_eq!((tasks.len(), world.of("a")), (0, vec!["assigned 1"]));
}

#[test]
fn a_few_are_told_at_a_time_and_what_is_known_is_one_row() {
    let sqlite = Sqlite::new();
    let (mut job, mut world) = (wake(SqlLog::new(sqlite.clone())), World::default());
    let customers: Vec<String> = (0..50).map(|n| format!("c{n:02}")).collect();
    let customers: Vec<&str> = customers.iter().map(String::as_str).collect();
    put(&mut job, Some("a"), &customers, NOW).unwrap();
    let before = sqlite.rows_written();
    let first = job.next_notifications(NOW).unwrap();
    assert_eq!((first.len(), job.next_notifications(NOW)), (6, Ok(vec![])));
    assert_eq!(job.notifying_due(NOW), None, "nobody is to look again before one has landed");
    for notice in first {
        job.notified(&notice, Some(world.take(&notice, NOW)), NOW, 0.0).unwrap();
    }
    assert_eq!(deliver(&mut job, &mut world, NOW), 45);
    assert_eq!(sqlite.rows_written() - before, 1);
}

#[test]
fn where_nobody_is_told_nothing_is_written() {
    let log = MemoryLog::default();
    let mut job = Job::wake(log.clone(), settings()).unwrap();
    put(&mut job, Some("a"), &["b"], NOW).unwrap();
    close(&mut job, NOW);
    assert_eq!(job.next_notifications(NOW), Ok(vec![]));
    assert_eq!(wake(log).next_notifications(NOW), Ok(vec![]));
}

#[test]
fn a_change_that_never_was_is_told_to_nobody_also_if_the_next_concerns_nobody() {
    for sleeps in [false, true] {
        let (sql, mut world) = (Refusing::new(), World::default());
        let mut job = wake(SqlLog::new(sql.clone()));
        put(&mut job, Some("a"), &[], NOW).unwrap();
        deliver(&mut job, &mut world, NOW);
        let request = |customers: &str| {
            let body = format!(r#"{{"driver": "a", "customers": [{customers}], "dispatchId": "west"}}"#);
            let wanted = crate::jobs::Wanted::parse(body.as_bytes(), NOW).unwrap();
            JobRequest::Put { job: job_id(), wanted, only: None }
        };
        let tasks = || sql.sqlite.exec("SELECT 1 FROM tasks WHERE kind = 'notify'", vec![]).unwrap().len();
        // After the revocations there are none of: the task, and then what is registered.
        sql.after.set(Some(1));
        job.handle(request("\"b\""), NOW).unwrap_err();
        assert_eq!(tasks(), 1, "it was written down, and what it is of was not");
        if sleeps {
            job = wake(SqlLog::new(sql.clone()));
        }
        assert_eq!(deliver(&mut job, &mut world, NOW), 0);
        ask(&mut job, request(""), NOW).unwrap();
        assert_eq!(tasks(), 0);
        let mut job = wake(SqlLog::new(sql.clone()));
        assert_eq!((deliver(&mut job, &mut world, NOW), world.of("b")), (0, vec![]));
    }
}

#[test]
fn the_task_is_read_as_it_was_written() {
    let mut log = SqlLog::new(Sqlite::new());
    log.begin(&Life { job: job_id(), epoch: 1 }, 1, None).unwrap();
    let news = vec![(user("auth0|x"), News::Unassigned), (user("auth0|x"), News::Assigned)];
    let unnotified = crate::locations::log::Unnotified { version: 7, news, due: NOW + 5, failures: 2 };
    let task = crate::locations::log::Task::Notify(unnotified);
    log.put_task(NOTIFY_TASKS + 7, &task).unwrap();
    let Waking::Begun { tasks, .. } = log.wake().unwrap() else { panic!("it has begun") };
    assert_eq!(tasks, [(NOTIFY_TASKS + 7, task)]);
    log.end_task(NOTIFY_TASKS + 7).unwrap();
    let Waking::Begun { tasks, .. } = log.wake().unwrap() else { panic!("it has begun") };
    assert_eq!(tasks, []);
}

/// Who takes part, each with the roles that they have, and in which version; nothing where the job is over.
type Seen = (u64, BTreeMap<String, String>);

fn seen<L: Log>(job: &Job<L>) -> Option<Seen> {
    let registration = job.registration.as_ref()?;
    let mut users: BTreeMap<String, String> = BTreeMap::new();
    if registration.ended.is_none() {
        for (role, user) in registration
            .wanted
            .driver
            .iter()
            .map(|user| ("d", user))
            .chain(registration.wanted.customers.iter().map(|user| ("c", user)))
        {
            users.entry(user.to_string()).or_default().push_str(role);
        }
    }
    Some((registration.version, users))
}

/// What each is to be told of what has happened between two looks.
fn expect(
    expected: &mut BTreeMap<String, Vec<String>>,
    before: Option<&Seen>,
    after: Option<&Seen>,
    is_over: bool,
) {
    let nobody = (0, BTreeMap::new());
    let (before, after) = (before.unwrap_or(&nobody), after.unwrap_or(&nobody));
    let version = if after.0 == 0 { before.0 + 1 } else { after.0 };
    for name in USERS {
        let words: &[&str] = match (before.1.get(name), after.1.get(name)) {
            (was, is) if was == is => &[],
            (None, _) => &["assigned"],
            (Some(_), None) if is_over => &["closed"],
            (Some(_), None) => &["unassigned"],
            (Some(_), Some(_)) => &["unassigned", "assigned"],
        };
        let told = expected.entry(name.to_owned()).or_default();
        told.extend(words.iter().map(|word| format!("{word} {version}")));
    }
}

/// Something that happens to a job, or to what it has to tell.
#[derive(Debug, Clone)]
enum Act {
    Put {
        driver: Option<usize>,
        customers: Vec<usize>,
    },
    Customer {
        user: usize,
        takes_part: bool,
    },
    Close,
    Forget,
    Sleep,
    Refuse(u32),
    /// Inboxes are told: which of the notices arrive, and whose answers.
    Tell {
        arrive: u8,
        answer: u8,
    },
    Alarm,
}

fn act() -> impl Strategy<Value = Act> {
    let users = proptest::collection::vec(0..USERS.len(), 0..4);
    prop_oneof![
        6 => (proptest::option::of(0..USERS.len()), users).prop_map(|(driver, customers)| Act::Put { driver, customers }),
        4 => (0..USERS.len(), any::<bool>()).prop_map(|(user, takes_part)| Act::Customer { user, takes_part }),
        1 => Just(Act::Close),
        1 => Just(Act::Forget),
        3 => Just(Act::Sleep),
        3 => (0..12_u32).prop_map(Act::Refuse),
        6 => (any::<u8>(), any::<u8>()).prop_map(|(arrive, answer)| Act::Tell { arrive, answer }),
        2 => Just(Act::Alarm),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn each_is_told_of_each_change_once_whatever_fails(acts in proptest::collection::vec((act(), 0..3_000_i64), 1..60)) {
        let (sql, mut world, mut now) = (Refusing::new(), World::default(), NOW);
        let mut job = wake(SqlLog::new(sql.clone()));
        let mut expected = BTreeMap::new();
        for (act, passes) in acts {
            now += passes;
            let before = seen(&job);
            let mut handle = |request| drop(job.handle(request, now));
            match act {
                Act::Put { driver, customers } => {
                    let mut customers: Vec<&str> = customers.into_iter().map(|n| USERS[n]).collect();
                    customers.sort_unstable();
                    customers.dedup();
                    let body = json!({"driver": driver.map(|n| USERS[n]), "customers": customers}).to_string();
                    let wanted = crate::jobs::Wanted::parse(body.as_bytes(), NOW).unwrap();
                    handle(JobRequest::Put { job: job_id(), wanted, only: None });
                }
                Act::Customer { user: n, takes_part } => {
                    handle(JobRequest::Customer { job: job_id(), user: user(USERS[n]), takes_part, only: None });
                }
                Act::Close => handle(JobRequest::Close { job: job_id(), reason: crate::jobs::CloseReason::Done }),
                Act::Forget => handle(JobRequest::Forget { job: job_id() }),
                Act::Sleep => {
                    if let Ok(awake) = Job::wake(SqlLog::new(sql.clone()), notifying_settings()) {
                        job = awake;
                    }
                }
                Act::Refuse(after) => sql.after.set(Some(after)),
                Act::Tell { arrive, answer } => {
                    for (at, notice) in job.next_notifications(now).unwrap().into_iter().enumerate() {
                        let is = |bits: u8| bits >> at & 1 == 1;
                        let taken = is(arrive).then(|| world.take(&notice, now)).filter(|_| is(answer));
                        let _ = job.notified(&notice, taken, now, 0.5);
                    }
                }
                Act::Alarm => drop(job.alarm(now)),
            }
            let after = seen(&job);
            let is_over = job.forgotten.is_some()
                || job.registration.as_ref().is_some_and(|registration| registration.ended.is_some());
            expect(&mut expected, before.as_ref(), after.as_ref(), is_over);
        }
        sql.after.set(None);
        // All that waits is told in the end, asleep in between or not.
        for _ in 0..2 {
            now += 400_000;
            job.alarm(now).unwrap();
            deliver(&mut job, &mut world, now);
            prop_assert!(job.notifying.is_empty());
            job = wake(SqlLog::new(sql.clone()));
        }
        for name in USERS {
            prop_assert_eq!(world.of(name), expected[name].iter().map(String::as_str).collect::<Vec<_>>(), "{}", name);
        }
        let is_made = !sql.sqlite.exec("SELECT 1 FROM sqlite_master WHERE name = 'tasks'", vec![]).unwrap().is_empty();
        if is_made && job.notifying.untrue.is_none() {
            let tasks = sql.sqlite.exec("SELECT 1 FROM tasks WHERE kind = 'notify'", vec![]).unwrap();
            prop_assert_eq!(tasks.len(), 0);
        }
    }
}
