//! Databases that earlier versions have written wake with all that they hold. `tests/data/storage` has one of each version, and beside
//! it what was posted, answered and published.

use std::cell::Cell;

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::ids::FixId;
use crate::locations::job::tests::settings;
use crate::locations::post::{Entry, Sender};
use crate::locations::{Job, JobRequest, Millis, Need, Post, Reply};

/// What a database was made by.
#[derive(Deserialize)]
struct Story {
    job: JobId,
    posts: Vec<Posted>,
    state: Value,
    /// The last seqs of the messages that Ably has not confirmed.
    waiting: Vec<u64>,
    /// As they were sent to Ably; the last one was refused for now.
    published: Vec<Value>,
}

#[derive(Deserialize)]
struct Posted {
    driver: UserId,
    key: Option<String>,
    body: Value,
    results: Value,
}

/// What a job answers, as JSON.
fn ask<L: Log>(job: &mut Job<L>, request: JobRequest, now: Millis) -> Value {
    match job.handle(request, now).unwrap() {
        Reply::Answer(answer) => serde_json::to_value(answer).unwrap(),
        Reply::Refusal(refusal) => panic!("{refusal:?}"),
    }
}

impl Story {
    /// The first state as it is told at `now`.
    fn first_state(&self, now: Millis) -> Value {
        let mut state = self.state.clone();
        state["now"] = now.into();
        state["lastHeard"] = state["ts"].clone();
        state["ageMs"] = (now - state["capturedAt"].as_i64().unwrap()).into();
        state
    }

    /// Posts everything again that can be recognised.
    fn retry<L: Log>(&self, job: &mut Job<L>, now: Millis) {
        for posted in &self.posts {
            let key = posted.key.clone().map(|key| FixId::parse(key).unwrap());
            let sender = Sender::Driver(&posted.driver);
            let mut post = Post::parse(posted.body.to_string().as_bytes(), sender, key.as_ref()).unwrap();
            let mut results = posted.results.as_array().unwrap().clone();
            let nameless = post.entries.iter().position(|entry| match entry {
                Entry::Fix(fix) => Print::of(&posted.driver, fix).is_none(),
                Entry::Bad(_) => false,
            });
            if let Some(nameless) = nameless {
                post.entries.remove(nameless);
                results.remove(nameless);
            }
            let answer =
                ask(job, JobRequest::Post { job: self.job.clone(), post, registry_alone: false }, now);
            for (again, first) in answer["results"].as_array().unwrap().iter().zip(&results) {
                match first.get("seq") {
                    Some(seq) => assert_eq!(again, &json!({"status": "duplicate", "seq": seq})),
                    None => assert_eq!(again, first),
                }
            }
        }
    }
}

const VERSIONS: [(&[u8], &str); 1] = [(
    include_bytes!("../../../../../tests/data/storage/v1.sqlite"),
    include_str!("../../../../../tests/data/storage/v1.json"),
)];

const DAY: Millis = 86_400_000;

#[test]
fn every_version_wakes_with_every_fix() {
    for (database, story) in VERSIONS {
        let story: Story = serde_json::from_str(story).unwrap();
        let last_seq = story.state["seq"].as_u64().unwrap();
        let now = story.state["ts"].as_i64().unwrap() + 1_000;
        let sqlite = Sqlite::load(database);
        let mut job = Job::wake(SqlLog::new(sqlite.clone()), settings()).unwrap();
        let written = sqlite.rows_written();
        for _ in 0..2 {
            assert_eq!(
                ask(&mut job, JobRequest::State { job: story.job.clone(), viewer: None }, now),
                story.first_state(now)
            );
            story.retry(&mut job, now);
            job = Job::wake(SqlLog::new(sqlite.clone()), settings()).unwrap();
        }
        assert_eq!(sqlite.rows_written(), written, "the ladder is climbed once, and a retry writes nothing");

        // What was not confirmed goes out: that which was in flight, with the same bytes, then what may have
        // left by itself, and then the others as one.
        let in_flight = story.published.last().unwrap();
        let mut ids = Vec::new();
        let mut at = now;
        loop {
            match job.next(at).unwrap() {
                Need::Publish(publication) => {
                    let sent: Value = serde_json::from_str(publication.body.as_str()).unwrap();
                    if ids.is_empty() {
                        assert_eq!(&sent, in_flight);
                    }
                    ids.push(sent["id"].as_str().unwrap().to_owned());
                    job.published(at).unwrap();
                }
                Need::Wait { until } => at = until,
                Need::Nothing => break,
            }
        }
        let epoch = &story.state["epoch"];
        let waiting = &story.waiting;
        let mut expected: Vec<_> =
            [waiting.first(), waiting.get(1), waiting.last()].into_iter().flatten().collect();
        expected.dedup();
        let expected = expected.into_iter().map(|seq| format!("{}/{epoch}.{seq}", story.job));
        assert_eq!(ids, expected.collect::<Vec<_>>());

        // The next fix goes on from there, and one from the year 2034 makes no other be looked for.
        let fix = br#"{"lat":48.24,"lng":16.4}"#;
        let post = Post::parse(fix, Sender::Driver(&story.posts[0].driver), None).unwrap();
        let answer =
            ask(&mut job, JobRequest::Post { job: story.job.clone(), post, registry_alone: false }, now);
        assert_eq!(answer["epoch"], story.state["epoch"]);
        assert_eq!(answer["results"], json!([{"status": "accepted", "seq": last_seq + 1}]));
        let Waking::Begun { last: Some(last), .. } = SqlLog::new(sqlite).wake().unwrap() else {
            panic!("nothing is kept")
        };
        assert_eq!((last.n, last.pointers.live), (last_seq + 1, Some(last_seq + 1)));
        assert!(last.pointers.far.is_some_and(|far| far > now + 7 * 365 * DAY));
        assert!(last.pointers.cap.is_some_and(|cap| cap < now));
    }
}

/// A database that refuses its statement of this number, from 1.
struct Refusing {
    sqlite: Sqlite,
    left: Cell<usize>,
}

impl Sql for Refusing {
    fn exec(
        &self,
        statement: &'static str,
        params: Vec<SqlValue>,
    ) -> Result<Vec<Vec<SqlValue>>, StorageError> {
        self.left.set(self.left.get().wrapping_sub(1));
        match self.left.get() {
            0 => Err(StorageError("full".to_owned())),
            _ => self.sqlite.exec(statement, params),
        }
    }
}

#[test]
fn a_ladder_that_breaks_is_climbed_again_whichever_rung_it_was() {
    for (database, story) in VERSIONS {
        let story: Story = serde_json::from_str(story).unwrap();
        let now = story.state["ts"].as_i64().unwrap() + 1_000;
        for rung in 1.. {
            let sqlite = Sqlite::load(database);
            let refusing = Refusing { sqlite: sqlite.clone(), left: Cell::new(rung) };
            let broke = SqlLog::new(refusing).wake();
            let mut job = Job::wake(SqlLog::new(sqlite.clone()), settings()).unwrap();
            assert_eq!(
                ask(&mut job, JobRequest::State { job: story.job.clone(), viewer: None }, now),
                story.first_state(now)
            );
            story.retry(&mut job, now);
            assert!(matches!(job.next(now), Ok(Need::Publish(_))), "{rung}");
            let tables = "SELECT name FROM sqlite_master WHERE name LIKE '%\\_1' ESCAPE '\\'";
            assert_eq!(sqlite.exec(tables, vec![]).unwrap(), [] as [Vec<SqlValue>; 0]);
            if broke.is_ok() {
                assert!(rung > 20, "{rung}");
                break;
            }
        }
    }
}

#[test]
fn a_life_that_the_storage_refuses_can_begin_again() {
    for statement in 1..=8 {
        let sqlite = Sqlite::new();
        let refusing = Refusing { sqlite: sqlite.clone(), left: Cell::new(statement) };
        let mut log = SqlLog::new(refusing);
        let begun = log.begin(&life(), 1, None).and_then(|()| log.append(&row(1, &[PLAIN]), &[], at(0)));
        assert_eq!(begun.is_err(), statement <= 8, "{statement}");
        let mut log = SqlLog::new(sqlite);
        let woken = log.wake().unwrap();
        assert!(matches!(woken, Waking::Untouched | Waking::Begun { last: None, .. }), "{woken:?}");
        log.begin(&life(), 1, None).unwrap();
        append(&mut log, &row(1, &[PLAIN]), at(0));
        let last = Some(Box::new(row(1, &[PLAIN])));
        assert_eq!(
            log.wake(),
            Ok(Waking::Begun {
                life: life(),
                driver: None,
                last,
                position: at(0),
                tasks: vec![],
                registration: None,
                vitals: None
            })
        );
    }
}

#[test]
fn a_log_that_cannot_be_read_is_not_changed() {
    for (database, _) in VERSIONS {
        let sqlite = Sqlite::load(database);
        sqlite.run("UPDATE log SET body = '{}' WHERE rowid = 5");
        let written = sqlite.rows_written();
        assert_eq!(SqlLog::new(sqlite.clone()).wake(), Err(LogError::Damaged("log.body")));
        assert_eq!(sqlite.rows_written(), written);
    }
}
