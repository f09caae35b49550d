//! Lists of jobs: whatever fails, sleeps, comes late or twice, in the end they say what the jobs themselves say.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;

use super::registered::{ask, close, fix, put, told, user, viewer};
use super::registry_faults::Refusing;
use super::*;
use crate::index::lists::Lists;
use crate::index::{Change, List, Wanted as Page};
use crate::locations::log::LIST_TASK;
use crate::objects::sql::Sql;
use crate::sessions::Role;

const USERS: [&str; 4] = ["a", "b", "c", "d"];

fn listing_settings() -> Settings {
    Settings { lists: true, ..settings() }
}

fn wake<L: Log>(log: L) -> Job<L> {
    Job::wake(log, listing_settings()).unwrap()
}

/// The objects of the lists, each made when it is told something.
#[derive(Default)]
struct World(BTreeMap<List, Lists<Sqlite>>);

impl World {
    fn take(&mut self, list: &List, change: &Change, now: Millis) {
        let lists = self.0.entry(list.clone()).or_insert_with(|| Lists::wake(Sqlite::new()).unwrap());
        // Through the JSON in which changes travel.
        let change = serde_json::from_str(&serde_json::to_string(change).unwrap()).unwrap();
        lists.change(&change, now).unwrap();
    }

    /// What a list tells.
    fn told(&self, list: &List, now: Millis) -> Vec<Value> {
        let page = Page { after: None, limit: 100, dispatch_id: None };
        let listed = self.0.get(list).map(|lists| lists.page(&page, now).unwrap().jobs).unwrap_or_default();
        listed.iter().map(|told| serde_json::from_str(told).unwrap()).collect()
    }

    fn of(&self, name: &str, now: Millis) -> Vec<Value> {
        self.told(&List::Of(user(name)), now)
    }

    fn open(&self, now: Millis) -> Vec<Value> {
        self.told(&List::Open, now)
    }

    /// Every list says what the jobs say.
    fn assert_is_what<L: Log>(&self, jobs: &mut [(JobId, Job<L>)], now: Millis) {
        let mut open = Vec::new();
        let mut mine: BTreeMap<&str, Vec<Value>> = USERS.map(|name| (name, Vec::new())).into();
        for (id, job) in jobs.iter_mut() {
            let mut seen = |role, name| {
                let request = JobRequest::Job { job: id.clone(), viewer: viewer(role, name) };
                ask(job, request, now).ok().filter(|told| told["state"] == "open")
            };
            if let Some(mut told) = seen(Role::Dispatcher, "x") {
                let fields = told.as_object_mut().unwrap();
                fields.remove("customers").unwrap();
                fields.remove("place");
                for of_the_driver in ["figures", "lastHeard", "lastFixAt", "fixMissingSince"] {
                    fields.remove(of_the_driver);
                }
                open.push(told);
            }
            for (name, mine) in &mut mine {
                if [Role::Driver, Role::Customer].into_iter().any(|role| seen(role, name).is_some()) {
                    mine.push(json!(id));
                }
            }
        }
        let mut listed = self.open(now);
        for (listed, told) in listed.iter_mut().zip(&open) {
            // A life that came to nothing has ended: the next one, when it begins, is listed.
            if told["epoch"].is_null() {
                listed["epoch"] = Value::Null;
            }
        }
        assert_eq!(listed, open);
        for (name, mine) in mine {
            assert_eq!(self.of(name, now), mine, "{name}");
        }
    }
}

/// Tells lists all that they have to be told now; how often that was.
fn deliver<L: Log>(job: &mut Job<L>, world: &mut World, now: Millis) -> usize {
    let mut count = 0;
    loop {
        let tellings = job.next_tellings(now).unwrap();
        if tellings.is_empty() {
            return count;
        }
        for Telling { list, change } in tellings {
            world.take(&list, &change, now);
            job.listed(&list, change.rev, now).unwrap();
            count += 1;
        }
    }
}

fn wanted(body: &Value) -> crate::jobs::Wanted {
    crate::jobs::Wanted::parse(body.to_string().as_bytes(), NOW).unwrap()
}

#[test]
fn whoever_comes_or_goes_has_it_in_their_list_or_not_any_more() {
    let (log, mut world) = (MemoryLog::default(), World::default());
    let mut job = wake(log.clone());
    let body = json!({
        "driver": "a", "customers": ["b", "c"], "place": {"lat": 48.2, "lng": 16.3}, "dispatchId": "west", "startsAt": NOW + 1,
    });
    ask(&mut job, JobRequest::Put { job: job_id(), wanted: wanted(&body), only: None }, NOW).unwrap();
    assert_eq!(deliver(&mut job, &mut world, NOW), 4);
    let entry = json!({
        "jobId": "job-1", "state": "open", "version": 1, "epoch": NOW / 1_000, "driver": "a", "startsAt": NOW + 1,
        "endsAt": NOW + 72 * HOUR, "dispatchId": "west",
    });
    assert_eq!(world.open(NOW), [entry], "no customer, and no place");
    assert_eq!(world.of("c", NOW), ["job-1"]);
    assert_eq!(deliver(&mut job, &mut world, NOW), 0);

    put(&mut job, Some("a"), &["c", "d"], NOW + 1_000).unwrap();
    assert_eq!(
        deliver(&mut job, &mut world, NOW + 1_000),
        3,
        "that of everybody, of one who goes and one who comes"
    );
    let lists = |world: &World| USERS.map(|name| world.of(name, NOW + 1_000).len());
    assert_eq!((lists(&world), world.open(NOW + 1_000)[0]["version"].as_u64()), ([1, 0, 1, 1], Some(2)));
    // A life of the object later `rev` counts on, also where our clock has gone back.
    let mut job = wake(log.clone());
    put(&mut job, Some("b"), &["c", "d"], NOW - 5_000).unwrap();
    assert_eq!(deliver(&mut job, &mut world, NOW - 5_000), 3);
    assert_eq!((lists(&world), &world.open(NOW)[0]["driver"]), ([0, 1, 1, 1], &json!("b")));
    close(&mut job, NOW + 2_000);
    assert_eq!(deliver(&mut job, &mut world, NOW + 2_000), 4);
    assert_eq!((lists(&world), world.open(NOW).len()), ([0; 4], 0));
    assert_eq!(wake(log).listing.rev, 0, "nothing is kept of it any more");
}

#[test]
fn the_end_of_a_job_moves_in_all_lists_and_one_that_is_over_is_in_none() {
    let (mut job, mut world) = (wake(MemoryLog::default()), World::default());
    put(&mut job, Some("a"), &["b"], NOW).unwrap();
    deliver(&mut job, &mut world, NOW);
    let end = NOW + HOUR;
    let body = json!({"driver": "a", "customers": ["b"], "endsAt": end});
    ask(&mut job, JobRequest::Put { job: job_id(), wanted: wanted(&body), only: None }, NOW).unwrap();
    assert_eq!(deliver(&mut job, &mut world, NOW), 3);
    assert_eq!((world.open(end - 1).len(), world.of("b", end - 1).len()), (1, 1));
    assert_eq!((world.open(end).len(), world.of("b", end).len()), (0, 0), "before anybody has said so");
    job.alarm(end).unwrap();
    assert_eq!(deliver(&mut job, &mut world, end), 3);
    assert_eq!(job.listing.due(), None);
}

#[test]
fn a_few_lists_are_told_at_a_time_and_what_is_known_is_one_row() {
    let sqlite = Sqlite::new();
    let (mut job, mut world) = (wake(SqlLog::new(sqlite.clone())), World::default());
    let customers: Vec<String> = (0..50).map(|n| format!("c{n:02}")).collect();
    let customers: Vec<&str> = customers.iter().map(String::as_str).collect();
    put(&mut job, Some("a"), &customers, NOW).unwrap();
    let before = sqlite.rows_written();
    let first = job.next_tellings(NOW).unwrap();
    assert_eq!((first.len(), &first[0].list), (6, &List::Open));
    assert_eq!(job.next_tellings(NOW).unwrap(), []);
    assert_eq!(job.telling_due(NOW), None, "nobody is to look again before one has landed");
    job.listed(&first[3].list, first[3].change.rev, NOW).unwrap();
    let next = job.next_tellings(NOW).unwrap();
    assert_eq!(next.len(), 1);
    for Telling { list, change } in first.iter().chain(&next).filter(|it| it.list != first[3].list) {
        world.take(list, change, NOW);
        job.listed(list, change.rev, NOW).unwrap();
        job.listed(list, change.rev, NOW).unwrap();
    }
    deliver(&mut job, &mut world, NOW);
    assert_eq!(world.of("c49", NOW), ["job-1"]);
    assert_eq!(sqlite.rows_written() - before, 1);
}

#[test]
fn a_list_that_does_not_answer_is_told_later_and_the_alarm_sees_to_it() {
    let (log, mut world) = (MemoryLog::default(), World::default());
    let mut job = wake(log.clone());
    put(&mut job, Some("a"), &[], NOW).unwrap();
    told(&mut job, NOW);
    let fail = |job: &mut Job<MemoryLog>, now| {
        let tellings = job.next_tellings(now).unwrap();
        let failed = |it: Telling| job.not_listed(&it.list, it.change.rev, now, 1.0).unwrap();
        tellings.into_iter().map(failed).collect::<Vec<_>>()
    };
    assert_eq!(fail(&mut job, NOW), [true, true], "news");
    assert_eq!(job.telling_due(NOW), Some(NOW + 500));
    assert_eq!(job.next_tellings(NOW + 499).unwrap(), []);
    assert_eq!(fail(&mut job, NOW + 500), [false, false], "and no more");
    // Asleep and awake again it knows how often that was.
    let mut job = wake(log.clone());
    told(&mut job, NOW + 500);
    assert_eq!(job.telling_due(NOW + 500), Some(NOW + 1_500));
    let mut now = NOW + 500;
    for _ in 0..30 {
        now = job.listing.due().unwrap();
        fail(&mut job, now);
    }
    assert_eq!(job.listing.due(), Some(now + 300_000));
    job.alarm(now).unwrap();
    assert_eq!(job.arm(now), Some(now + 300_000));
    // What changes is told at once.
    put(&mut job, Some("a"), &["b"], now + 5).unwrap();
    let first: Vec<List> = job.next_tellings(now + 5).unwrap().into_iter().map(|it| it.list).collect();
    assert_eq!(first, [List::Open, List::Of(user("b"))]);
    // Its answers are lost with the object's life; and by a clock that has gone back nothing waits longer.
    let mut job = wake(log);
    assert_eq!(deliver(&mut job, &mut world, NOW - HOUR), 3);
    assert_eq!((world.of("a", NOW).len(), world.of("b", NOW).len()), (1, 1));
}

#[test]
fn what_changes_while_a_list_is_told_is_told_after_it() {
    let (mut job, mut world) = (wake(MemoryLog::default()), World::default());
    put(&mut job, Some("a"), &["b"], NOW).unwrap();
    let late = job.next_tellings(NOW).unwrap();
    close(&mut job, NOW);
    assert_eq!(job.next_tellings(NOW).unwrap(), [], "one at a time for a list");
    for Telling { list, change } in &late {
        world.take(list, change, NOW);
        job.listed(list, change.rev, NOW).unwrap();
    }
    assert_eq!(world.open(NOW).len(), 1);
    assert_eq!(deliver(&mut job, &mut world, NOW), 3);
    // It may also come at last.
    late.iter().for_each(|Telling { list, change }| world.take(list, change, NOW));
    assert_eq!((world.open(NOW).len(), world.of("a", NOW).len(), world.of("b", NOW).len()), (0, 0, 0));
}

#[test]
fn without_lists_nobody_is_told_and_nothing_is_written() {
    let log = MemoryLog::default();
    let mut job = Job::wake(log.clone(), settings()).unwrap();
    put(&mut job, Some("a"), &["b"], NOW).unwrap();
    close(&mut job, NOW);
    assert_eq!((job.next_tellings(NOW).unwrap().len(), job.listing.rev), (0, 0));
    assert_eq!(wake(log).listing.due(), None);
}

#[test]
fn a_life_that_has_to_begin_anew_is_listed() {
    let (sqlite, mut world) = (Sqlite::new(), World::default());
    let mut job = wake(SqlLog::new(sqlite.clone()));
    put(&mut job, Some("a"), &[], NOW).unwrap();
    deliver(&mut job, &mut world, NOW);
    // As it is left where another driver did not get the job.
    sqlite.run("INSERT INTO lives (epoch, first_n, driver) VALUES (1700000009, 2, 'b')");
    let mut job = wake(SqlLog::new(sqlite));
    post_as(&mut job, "a", None, &fix(), NOW + 1_000);
    assert_eq!(deliver(&mut job, &mut world, NOW + 1_000), 1);
    assert_eq!(world.open(NOW + 1_000)[0]["epoch"], NOW / 1_000 + 10);
    // A post in a life that there is tells nobody.
    post_as(&mut job, "a", None, &fix(), NOW + 2_000);
    assert_eq!(deliver(&mut job, &mut world, NOW + 2_000), 0);
    job.list_anew(NOW + 3_000).unwrap();
    assert_eq!(deliver(&mut job, &mut world, NOW + 3_000), 1, "that of everybody");
}

#[test]
fn of_a_job_that_is_forgotten_names_stay_until_lists_know_or_an_hour() {
    for hears in [true, false] {
        let (sqlite, mut world) = (Sqlite::new(), World::default());
        let mut job = wake(SqlLog::new(sqlite.clone()));
        put(&mut job, Some("a"), &["b"], NOW).unwrap();
        deliver(&mut job, &mut world, NOW);
        let forget = JobRequest::Forget { job: job_id() };
        ask(&mut job, forget, NOW + 1_000).unwrap();
        told(&mut job, NOW + 1_000);
        while let Some(_revocation) = job.next_revocation(NOW + 2_000).unwrap() {
            job.revoked(crate::jobs::revocation::Outcome::Revoked, NOW + 2_000, 0.0).unwrap();
        }
        let mut job = wake(SqlLog::new(sqlite.clone()));
        told(&mut job, NOW + 2_000);
        let tasks = || sqlite.exec("SELECT kind FROM tasks ORDER BY id", vec![]).unwrap().len();
        assert_eq!(tasks(), 2, "that of forgetting, and that of the lists");
        let mut now = NOW + 2_000;
        if hears {
            assert_eq!(deliver(&mut job, &mut world, now), 3);
        } else {
            for Telling { list, change } in job.next_tellings(now).unwrap() {
                job.not_listed(&list, change.rev, now, 0.0).unwrap();
            }
            job.alarm(now + 5_000).unwrap();
            assert_eq!(tasks(), 2);
            now = NOW + 1_000 + HOUR;
        }
        job.alarm(now).unwrap();
        assert_eq!(tasks(), 0);
        assert_eq!((job.next_tellings(now).unwrap(), job.listing.due()), (vec![], None));
        assert_eq!(world.open(now).len(), usize::from(!hears));
    }
}

/// Has a job do something whose every statement is refused once, and whatever becomes of it: in the end lists say what the job does.
fn whatever_is_refused(before: impl Fn(&mut Job<SqlLog<Refusing>>), request: impl Fn() -> JobRequest) {
    for sleeps in [false, true] {
        for after in 0.. {
            assert!(after < 60, "it never comes to an end");
            let sql = Refusing { sqlite: Sqlite::new(), after: Rc::new(Cell::new(None)) };
            let (mut world, mut job) = (World::default(), wake(SqlLog::new(sql.clone())));
            before(&mut job);
            deliver(&mut job, &mut world, NOW);
            sql.after.set(Some(after));
            let answered = job.handle(request(), NOW + 1_000).is_ok();
            // What is told is written down too, or not.
            for Telling { list, change } in job.next_tellings(NOW + 1_000).unwrap() {
                world.take(&list, &change, NOW);
                let _ = job.listed(&list, change.rev, NOW);
            }
            let is_over = sql.after.take().is_some();
            assert!(answered || !is_over);
            if sleeps {
                job = wake(SqlLog::new(sql.clone()));
            }
            // The alarm comes back to all of it.
            let now = NOW + 10_000;
            job.alarm(now).unwrap();
            deliver(&mut job, &mut world, now);
            let mut jobs = [(job_id(), job)];
            world.assert_is_what(&mut jobs, now);
            let [(_, job)] = &mut jobs;
            let _ = job.handle(request(), now).unwrap();
            deliver(job, &mut world, now);
            world.assert_is_what(&mut jobs, now);
            if is_over {
                break;
            }
        }
    }
}

#[test]
fn a_list_hears_of_every_change_whatever_the_storage_refuses() {
    let put_as = |driver: &str, customers: &[&str]| {
        let body = json!({"driver": driver, "customers": customers});
        JobRequest::Put { job: job_id(), wanted: wanted(&body), only: None }
    };
    let registered = |job: &mut Job<SqlLog<Refusing>>| {
        put(job, Some("a"), &["b", "c"], NOW).unwrap();
        post_as(job, "a", None, &fix(), NOW);
    };
    whatever_is_refused(|_| {}, || put_as("a", &["b"]));
    whatever_is_refused(|job| drop(post_as(job, "a", None, &fix(), NOW)), || put_as("a", &["b"]));
    whatever_is_refused(registered, || put_as("d", &["b"]));
    whatever_is_refused(registered, || put_as("a", &["d"]));
    let leaves = |takes_part, name: &'static str| {
        move || JobRequest::Customer { job: job_id(), user: user(name), takes_part, only: None }
    };
    whatever_is_refused(registered, leaves(false, "b"));
    whatever_is_refused(registered, leaves(true, "d"));
    whatever_is_refused(registered, || JobRequest::Close {
        job: job_id(),
        reason: crate::jobs::CloseReason::Done,
    });
    whatever_is_refused(registered, || JobRequest::Forget { job: job_id() });
    let closed = |job: &mut Job<SqlLog<Refusing>>| {
        registered(job);
        close(job, NOW);
    };
    whatever_is_refused(closed, || JobRequest::Forget { job: job_id() });
}

/// Something that happens to one of three jobs, or to what it has told.
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
    Post {
        user: usize,
    },
    Changes,
    Sleep,
    /// Lists are told: which of the tellings arrive, whose answers arrive, and which arrive once more much later.
    Tell {
        arrive: u8,
        answer: u8,
        again: u8,
    },
    /// What has been on its way arrives, the last first.
    Arrive,
    Alarm,
}

fn act() -> impl Strategy<Value = Act> {
    let users = proptest::collection::vec(0..USERS.len(), 0..4);
    prop_oneof![
        4 => (proptest::option::of(0..USERS.len()), users).prop_map(|(driver, customers)| Act::Put { driver, customers }),
        3 => (0..USERS.len(), any::<bool>()).prop_map(|(user, takes_part)| Act::Customer { user, takes_part }),
        1 => Just(Act::Close),
        1 => Just(Act::Forget),
        1 => (0..USERS.len()).prop_map(|user| Act::Post { user }),
        1 => Just(Act::Changes),
        3 => Just(Act::Sleep),
        6 => (any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(arrive, answer, again)| Act::Tell { arrive, answer, again }),
        3 => Just(Act::Arrive),
        2 => Just(Act::Alarm),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn in_the_end_lists_say_what_the_jobs_say(
        acts in proptest::collection::vec((0..3_usize, act(), 0..3_000_i64), 1..60),
    ) {
        let ids: Vec<JobId> = (0..3).map(|n| JobId::parse(format!("job-{n}")).unwrap()).collect();
        let logs: Vec<Sqlite> = ids.iter().map(|_| Sqlite::new()).collect();
        let mut jobs: Vec<_> =
            ids.iter().zip(&logs).map(|(id, log)| (id.clone(), wake(SqlLog::new(log.clone())))).collect();
        let (mut world, mut now) = (World::default(), NOW);
        let mut under_way: Vec<Telling> = Vec::new();
        for (n, act, passes) in acts {
            now += passes;
            let (id, job) = &mut jobs[n];
            let id = id.clone();
            match act {
                Act::Put { driver, customers } => {
                    let mut customers: Vec<&str> = customers.into_iter().map(|n| USERS[n]).collect();
                    customers.sort_unstable();
                    customers.dedup();
                    let body = json!({"driver": driver.map(|n| USERS[n]), "customers": customers});
                    let _ = ask(job, JobRequest::Put { job: id, wanted: wanted(&body), only: None }, now);
                }
                Act::Customer { user: n, takes_part } => {
                    let user = user(USERS[n]);
                    let _ = ask(job, JobRequest::Customer { job: id, user, takes_part, only: None }, now);
                }
                Act::Close => {
                    let reason = crate::jobs::CloseReason::Done;
                    let _ = ask(job, JobRequest::Close { job: id, reason }, now);
                }
                Act::Forget => drop(ask(job, JobRequest::Forget { job: id }, now)),
                Act::Post { user: n } => {
                    let post = Post::parse(fix().to_string().as_bytes(), Sender::Driver(&user(USERS[n])), None);
                    let _ = ask(job, JobRequest::Post { job: id, post: post.unwrap(), registry_alone: false }, now);
                }
                Act::Changes => job.list_anew(now).unwrap(),
                Act::Sleep => *job = wake(SqlLog::new(logs[n].clone())),
                Act::Tell { arrive, answer, again } => {
                    for (at, telling) in job.next_tellings(now).unwrap().into_iter().enumerate() {
                        let is = |bits: u8| bits >> at & 1 == 1;
                        let Telling { list, change } = &telling;
                        if is(arrive) {
                            world.take(list, change, now);
                        }
                        match is(arrive) && is(answer) {
                            true => job.listed(list, change.rev, now).unwrap(),
                            false => drop(job.not_listed(list, change.rev, now, 0.5).unwrap()),
                        }
                        if is(again) {
                            under_way.push(telling);
                        }
                    }
                }
                Act::Arrive => {
                    while let Some(Telling { list, change }) = under_way.pop() {
                        world.take(&list, &change, now);
                    }
                }
                Act::Alarm => job.alarm(now).unwrap(),
            }
        }
        // All that waits is told, and what has been on its way arrives at last.
        now += 600_000;
        for (_, job) in &mut jobs {
            deliver(job, &mut world, now);
        }
        for Telling { list, change } in under_way {
            world.take(&list, &change, now);
        }
        world.assert_is_what(&mut jobs, now);
        for (_, job) in &mut jobs {
            prop_assert!(job.listing.is_empty());
        }
    }
}

#[test]
fn the_task_is_read_as_it_was_written() {
    let mut log = SqlLog::new(Sqlite::new());
    log.begin(&Life { job: job_id(), epoch: 1 }, 1, None).unwrap();
    let untold = crate::locations::log::Untold {
        rev: NOW as u64,
        lists: vec![List::Open, List::Of(user("auth0|x"))],
        due: NOW + 5,
        failures: 2,
    };
    let task = crate::locations::log::Task::List(untold);
    log.put_task(LIST_TASK, &task).unwrap();
    let Waking::Begun { tasks, .. } = log.wake().unwrap() else { panic!("it has begun") };
    assert_eq!(tasks, [(LIST_TASK, task)]);
    log.end_task(LIST_TASK).unwrap();
    let Waking::Begun { tasks, .. } = log.wake().unwrap() else { panic!("it has begun") };
    assert_eq!(tasks, []);
}
