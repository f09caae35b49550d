//! Who takes part, against the plainest thing that could be meant by it, over both logs, with sleep at any point.

use std::collections::BTreeSet;

use ably::rest::{ErrorClass, PublishError};
use proptest::prelude::*;

use super::registered::{ask, close, put, user, viewer};
use super::*;
use crate::jobs::CloseReason;
use crate::jobs::registration::EndReason;
use crate::jobs::revocation::{Outcome, Revocation};
use crate::sessions::Role;

mod plain;

use self::plain::{Model, Sent};

const DRIVERS: [&str; 3] = ["a", "b", "c"];
/// One of them drives at times.
const CUSTOMERS: [&str; 3] = ["c", "x", "y"];
const VIEWERS: [(Role, &str); 7] = [
    (Role::Driver, "a"),
    (Role::Driver, "b"),
    (Role::Driver, "c"),
    (Role::Customer, "a"),
    (Role::Customer, "c"),
    (Role::Customer, "x"),
    (Role::Customer, "y"),
];

#[derive(Debug, Clone)]
enum Act {
    /// Of the customers there is a bit for each.
    Put {
        driver: Option<usize>,
        customers: u8,
    },
    Customer {
        who: usize,
        takes_part: bool,
    },
    /// For each fix how old it is, where it says so, and whether it has an id.
    Post {
        driver: usize,
        fixes: Vec<(Option<Millis>, bool)>,
    },
    Retry(prop::sample::Index),
    /// An event of the platform's, of so few that much of it is a retry, or another under the same id.
    Announce {
        id: u8,
        kind: u8,
    },
    Close,
    Delete,
    Wait(Millis),
    Sleep,
    /// Something leaves; or what is on its way ends, and how.
    Outbox(Option<ErrorClass>),
    /// The same of a revocation.
    Revoke(Outcome),
    Alarm,
}

fn act() -> impl Strategy<Value = Act> {
    let age =
        prop_oneof![4 => 0..3_000_i64, 2 => 3_000..9_000_i64, 1 => 0..10 * MINUTE, 1 => 23 * HOUR..25 * HOUR];
    let fix = (prop::option::weighted(0.8, age), any::<bool>());
    let failure = prop_oneof![
        8 => Just(None),
        2 => Just(Some(ErrorClass::Transient { retry_after: None })),
        1 => Just(Some(ErrorClass::BlamesAccess)),
        1 => Just(Some(ErrorClass::BlamesMessage)),
        1 => Just(Some(ErrorClass::Unknown)),
    ];
    let outcome = prop_oneof![
        2 => Just(Outcome::Revoked),
        1 => Just(Outcome::NotRevocable),
        2 => Just(Outcome::Failed(Cause::UNANSWERED)),
    ];
    let ms = prop_oneof![12 => 0..3_000_i64, 6 => 0..3 * MINUTE, 1 => Just(HOUR), 1 => Just(72 * HOUR)];
    prop_oneof![
        6 => (prop::option::weighted(0.85, 0..3_usize), 0..8_u8)
            .prop_map(|(driver, customers)| Act::Put { driver, customers }),
        4 => (0..3_usize, any::<bool>()).prop_map(|(who, takes_part)| Act::Customer { who, takes_part }),
        12 => (0..3_usize, prop::collection::vec(fix, 1..4))
            .prop_map(|(driver, fixes)| Act::Post { driver, fixes }),
        4 => any::<prop::sample::Index>().prop_map(Act::Retry),
        6 => (0..12_u8, prop_oneof![6 => Just(0_u8), 1 => Just(1)]).prop_map(|(id, kind)| Act::Announce { id, kind }),
        1 => Just(Act::Close),
        1 => Just(Act::Delete),
        8 => ms.prop_map(Act::Wait),
        3 => Just(Act::Sleep),
        14 => failure.prop_map(Act::Outbox),
        5 => outcome.prop_map(Act::Revoke),
        2 => Just(Act::Alarm),
    ]
}

/// What somebody is shown.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    state: Result<Value, JobRefusal>,
    trail: Result<Value, JobRefusal>,
    job: Result<Value, JobRefusal>,
    admission: Value,
}

struct Rig<L> {
    job: Job<L>,
    open: Box<dyn Fn() -> L>,
    in_flight: Option<Ticket>,
}

impl<L: Log> Rig<L> {
    fn new(open: impl Fn() -> L + 'static) -> Self {
        Self { job: wake(open()), open: Box::new(open), in_flight: None }
    }

    fn sleep(&mut self) {
        (self.job, self.in_flight) = (wake((self.open)()), None);
    }

    /// What each of everybody is shown as a driver, and as a customer, by a claim. Where there is none the registry says the same; and where
    /// nothing is registered, nothing.
    fn seen(&mut self, now: Millis) -> Vec<(Role, &'static str, Seen)> {
        let (by_claim, mut by_registry) = (self.seen_by(false, now), self.seen_by(true, now));
        if self.job.forgotten.is_some() {
            // When it was forgotten: a token for other jobs too may have to wait for that.
            let admissions = by_registry.iter_mut().filter_map(|(.., seen)| seen.admission.as_object_mut());
            admissions.for_each(|admission| drop(admission.remove("notBefore")));
        }
        if self.job.registration.is_some() {
            assert_eq!(by_claim, by_registry, "a claim changes nothing");
        } else {
            let nothing = Err(JobRefusal::NotAParticipant);
            let [state, trail, job] = [nothing.clone(), nothing.clone(), nothing];
            let nothing = Seen { state, trail, job, admission: json!({"standing": "foreign"}) };
            assert!(by_registry.iter().all(|(.., seen)| *seen == nothing), "{by_registry:?}");
        }
        by_claim
    }

    fn seen_by(&mut self, registry_alone: bool, now: Millis) -> Vec<(Role, &'static str, Seen)> {
        let mut seen = |role, who| {
            let id = job_id();
            let viewer = Viewer { registry_alone, ..viewer(role, who) };
            let by = Some(viewer.clone());
            let mut ask = |request| ask(&mut self.job, request, now);
            let state = ask(JobRequest::State { job: id.clone(), viewer: by.clone() });
            let trail =
                JobRequest::Trail { job: id.clone(), after: None, limit: 1_000, names: false, viewer: by };
            let trail = ask(trail);
            let job = ask(JobRequest::Job { job: id.clone(), viewer: viewer.clone() });
            let admission = ask(JobRequest::Admit { job: id, viewer, token_request: false }).unwrap();
            (role, who, Seen { state, trail, job, admission })
        };
        VIEWERS.map(|(role, who)| seen(role, who)).into()
    }

    fn post(&mut self, driver: &str, fixes: &[Sent], now: Millis) -> Result<Value, JobRefusal> {
        let fix = |sent: &Sent| {
            let id = sent.has_id.then(|| format!("id-{}", sent.place));
            json!({"lat": f64::from(sent.place) / 1_024.0, "lng": 1, "capturedAt": sent.captured_at, "id": id})
        };
        let body = json!({"locations": fixes.iter().map(fix).collect::<Vec<_>>()}).to_string();
        let post = Post::parse(body.as_bytes(), Sender::Driver(&user(driver)), None).unwrap();
        let is_registered = self.job.registration.is_some();
        let request = |registry_alone| JobRequest::Post { job: job_id(), post: post.clone(), registry_alone };
        if !is_registered {
            assert_eq!(ask(&mut self.job, request(true), now), Err(JobRefusal::NotAParticipant));
        }
        // Where something is registered it is taken without a claim as with one.
        ask(&mut self.job, request(is_registered && fixes.len().is_multiple_of(2)), now)
    }

    /// Something leaves; or what is on its way ends.
    fn outbox(&mut self, failure: Option<ErrorClass>, now: Millis) -> Option<Publication> {
        if let Some(ticket) = self.in_flight.take() {
            match failure.map(|class| PublishError::new(class, None, None, "")) {
                None => self.job.published(now).unwrap(),
                Some(error) => self.job.failed(ticket, (&error).into(), now, 0.5).unwrap(),
            }
            return None;
        }
        let Need::Publish(publication) = self.job.next(now).unwrap() else { return None };
        self.in_flight = Some(publication.ticket);
        Some(publication)
    }

    /// What every turn of the object does: nothing, as long as something is on its way.
    fn turn(&mut self, now: Millis) {
        if self.in_flight.is_some() {
            assert!(!matches!(self.job.next(now), Ok(Need::Publish(_))), "one is on its way at a time");
        }
    }

    fn revoke(&mut self, outcome: Outcome, now: Millis) -> Option<Revocation> {
        let revocation = self.job.next_revocation(now).unwrap();
        if revocation.is_some() {
            self.job.revoked(outcome, now, 0.5).unwrap();
        }
        revocation
    }
}

/// The same over both logs.
struct Both {
    memory: Rig<MemoryLog>,
    sql: Rig<SqlLog<Sqlite>>,
    written: (MemoryLog, Sqlite),
    model: Model,
    posts: Vec<(&'static str, Vec<Sent>)>,
}

/// Both rigs do it, and nothing tells them apart.
macro_rules! both {
    ($both:ident, $rig:ident => $act:expr) => {{
        let [$rig] = [&mut $both.memory];
        let said = $act;
        let [$rig] = [&mut $both.sql];
        assert_eq!($act, said, "the logs are the same");
        said
    }};
}

impl Both {
    fn new() -> Self {
        let (log, sqlite) = (MemoryLog::default(), Sqlite::new());
        let (kept, written) = (log.clone(), sqlite.clone());
        Self {
            memory: Rig::new(move || log.clone()),
            sql: Rig::new(move || SqlLog::new(sqlite.clone())),
            written: (kept, written),
            model: Model::new(),
            posts: Vec::new(),
        }
    }

    /// How much was ever written.
    fn writes(&self) -> (usize, u64) {
        (self.written.0.writes(), self.written.1.rows_written())
    }

    fn act(&mut self, act: Act) {
        let (now, version, writes) = (self.model.now, self.model.version, self.writes());
        let owed = self.model.owed.len();
        match act {
            Act::Put { driver, customers } => {
                let driver = driver.map(|driver| DRIVERS[driver]);
                let customers: BTreeSet<_> =
                    (0..3).filter(|who| customers & 1 << who != 0).map(|who| CUSTOMERS[who]).collect();
                let names: Vec<_> = customers.iter().copied().collect();
                self.model.put(driver, customers);
                let answer = both!(self, rig => put(&mut rig.job, driver, &names, now));
                self.check_change(answer, version, writes);
            }
            Act::Customer { who, takes_part } => {
                let who = CUSTOMERS[who];
                if version > 0 {
                    let mut customers = self.model.customers.clone();
                    let _ = if takes_part { customers.insert(who) } else { customers.remove(who) };
                    self.model.put(self.model.driver, customers);
                }
                let request =
                    || JobRequest::Customer { job: job_id(), user: user(who), takes_part, only: None };
                let answer = both!(self, rig => ask(&mut rig.job, request(), now));
                match version {
                    0 if !self.model.is_forgotten => assert_eq!(answer, Err(JobRefusal::NotRegistered)),
                    _ => self.check_change(answer, version, writes),
                }
            }
            Act::Post { driver, fixes } => {
                let sent = |(captured_at, has_id): (Option<Millis>, bool)| Sent {
                    place: 0,
                    captured_at: captured_at.map(|age| now - age),
                    has_id,
                };
                let before: usize = self.posts.iter().map(|(_, fixes)| fixes.len()).sum();
                let fixes =
                    (before as u32..).zip(fixes).map(|(place, fix)| Sent { place, ..sent(fix) }).collect();
                self.post(DRIVERS[driver], fixes);
            }
            Act::Retry(post) if !self.posts.is_empty() => {
                let (driver, fixes) = post.get(&self.posts).clone();
                self.post(driver, fixes);
            }
            Act::Retry(_) => {}
            Act::Announce { id, kind } => self.announce(id, kind),
            Act::Close if self.model.is_forgotten => {
                let request = || JobRequest::Close { job: job_id(), reason: CloseReason::Done };
                assert_eq!(both!(self, rig => ask(&mut rig.job, request(), now)), Err(JobRefusal::Forgotten));
            }
            Act::Close if version > 0 => {
                self.model.close(EndReason::Done);
                let answer = both!(self, rig => close(&mut rig.job, now));
                assert_eq!(
                    (&answer["job"]["state"], &answer["version"]),
                    (&json!("closed"), &json!(self.model.version))
                );
            }
            Act::Close => {}
            Act::Delete => {
                let answer = both!(self, rig => ask(&mut rig.job, JobRequest::Forget { job: job_id() }, now))
                    .map(drop);
                assert_eq!(answer, if self.model.delete() { Ok(()) } else { Err(JobRefusal::NotRegistered) });
            }
            Act::Wait(ms) => self.model.wait(ms),
            Act::Sleep => {
                let mut before = both!(self, rig => rig.seen(now));
                both!(self, rig => rig.sleep());
                let mut after = both!(self, rig => rig.seen(now));
                // What Ably has confirmed may be written down later.
                for (.., seen) in before.iter_mut().chain(&mut after) {
                    seen.trail.iter_mut().for_each(|page| page["published"] = Value::Null);
                    // And so is when the driver was heard of last.
                    for told in [&mut seen.state, &mut seen.job] {
                        let told = told.as_mut().ok().and_then(Value::as_object_mut);
                        told.map(|told| ["lastHeard", "fixMissingSince"].map(|what| told.remove(what)));
                    }
                    // And when a job was forgotten is known as long as anything of it is kept.
                    let admission = seen.admission.as_object_mut().filter(|_| self.model.is_forgotten);
                    admission.map(|admission| admission.remove("notBefore"));
                }
                assert_eq!(before, after, "waking changes nothing");
            }
            Act::Outbox(failure) => self.outbox(failure),
            Act::Revoke(outcome) => {
                let asked = both!(self, rig => rig.revoke(outcome, now));
                asked.inspect(|revocation| self.model.revoked(revocation, outcome));
            }
            Act::Alarm => both!(self, rig => rig.job.alarm(now).unwrap()),
        }
        both!(self, rig => rig.turn(self.model.now));
        self.check();
        if self.model.owed.len() > owed {
            let due = both!(self, rig => rig.job.revocation_due());
            assert!(due.is_some_and(|due| due <= self.model.now + 300), "who has left is revoked at once");
        }
    }

    fn check_change(&self, answer: Result<Value, JobRefusal>, version: u64, writes: (usize, u64)) {
        let model = &self.model;
        if model.is_closed() {
            return assert_eq!(answer, Err(JobRefusal::Closed));
        }
        let answer = answer.unwrap();
        let outcome = if version == 0 { "created" } else { "done" };
        assert_eq!((&answer["outcome"], &answer["version"]), (&json!(outcome), &json!(model.version)));
        assert_eq!(
            (&answer["job"]["driver"], &answer["job"]["customers"]),
            (&json!(model.driver), &json!(model.customers))
        );
        assert_eq!(answer["job"]["epoch"], json!(model.epoch()));
        assert!(model.version != version || self.writes() == writes, "what is so already is not written");
    }

    fn post(&mut self, driver: &'static str, fixes: Vec<Sent>) {
        let (now, kept, rows) = (self.model.now, self.model.kept.len(), self.written.0.all());
        let expected = self.model.post(driver, &fixes);
        let answer = both!(self, rig => rig.post(driver, &fixes, now));
        assert_eq!(answer.as_ref().map(brief), expected.ok_or(&JobRefusal::NotAParticipant));
        if let Ok(answer) = answer {
            assert_eq!(answer["epoch"], json!(self.model.epoch()));
        }
        let is_written = self.model.kept.len() > kept || self.model.is_forgotten;
        assert!(is_written || self.written.0.all() == rows, "what is not taken is not written");
        self.posts.push((driver, fixes));
    }

    fn announce(&mut self, id: u8, kind: u8) {
        let (now, rows) = (self.model.now, self.written.0.all());
        let said = (format!("type-{kind}"), format!("id-{id}"), u64::from(id));
        let expected = self.model.announce(&said);
        let (kind, id, version) = said;
        let body = json!({"id": id, "type": kind, "version": version}).to_string();
        let update = crate::jobs::Update::parse(body.as_bytes()).unwrap();
        let request = || JobRequest::Update { job: job_id(), update: update.clone() };
        let answer = both!(self, rig => ask(&mut rig.job, request(), now));
        let is_new = expected.is_ok_and(|(is_new, ..)| is_new);
        let told = |(is_new, epoch, after_seq)| {
            let status = if is_new { "accepted" } else { "duplicate" };
            json!({"ok": true, "jobId": "job-1", "id": id, "status": status, "epoch": epoch, "afterSeq": after_seq})
        };
        assert_eq!(answer, expected.map(told));
        assert!(
            is_new || self.model.is_forgotten || self.written.0.all() == rows,
            "what is told is not written again"
        );
    }

    fn outbox(&mut self, failure: Option<ErrorClass>) {
        let now = self.model.now;
        if self.memory.in_flight.is_some() {
            self.model.landed();
        }
        let Some(publication) = both!(self, rig => rig.outbox(failure, now)) else { return };
        let standing =
            |(_, who, seen): (Role, _, Seen)| (who, seen.admission["standing"].as_str().unwrap().to_owned());
        let standings: Vec<_> = self.memory.seen(now).into_iter().map(standing).collect();
        self.model.leaves(&serde_json::from_str(publication.body.as_str()).unwrap(), &standings);
    }

    fn check(&mut self) {
        let now = self.model.now;
        // Nothing that was issued an hour ago lives any more.
        self.model.owed.retain(|(.., issued_before)| now < issued_before + HOUR);
        for (role, who, seen) in both!(self, rig => rig.seen(now)) {
            self.model.check(role, who, &seen);
        }
    }

    /// Time alone brings what is left.
    fn settle(&mut self) {
        for _ in 0..200 {
            self.outbox(None);
            self.act(Act::Revoke(Outcome::Revoked));
            let is_done = self.memory.in_flight.is_none() && self.memory.job.outbox.waiting() == 0;
            if is_done && self.memory.job.revocation_due().is_none() {
                break;
            }
            self.act(Act::Wait(20_000));
        }
        assert_eq!(self.model.owed, [], "all who have left are revoked");
        self.act(Act::Alarm);
        self.outbox(None);
        self.act(Act::Wait(126_000));
        if self.model.is_forgotten {
            // What operators are to hear nobody takes from it here.
            self.act(Act::Wait(HOUR));
            self.act(Act::Alarm);
            let is_named = both!(self, rig => rig.job.sequence.job().is_some());
            both!(self, rig => rig.sleep());
            let is_named = is_named || both!(self, rig => rig.job.sequence.job().is_some());
            assert!(!is_named, "of a job that is forgotten nothing is kept in the end");
        }
        for (role, who, seen) in self.memory.seen(self.model.now) {
            let standing = match self.model.visible(role, who) {
                Ok(_) => "admitted",
                Err(JobRefusal::Closed | JobRefusal::Ended { .. }) => "refused",
                Err(_) => "foreign",
            };
            assert_eq!(seen.admission["standing"], standing, "{who}");
        }
        let has_left = |kept: &plain::Kept| kept.left.is_some() || Some(kept.epoch) != self.model.epoch();
        assert!(self.model.is_closed() || self.model.kept.iter().all(has_left), "what was accepted leaves");
        assert!(self.model.is_told(), "and so does what has changed");
        assert!(self.memory.job.outbox.waiting() == 0 && self.sql.job.outbox.waiting() == 0);
    }
}

/// How many games are played; more by `REGISTRY_GAMES`.
fn games() -> u32 {
    std::env::var("REGISTRY_GAMES").ok().and_then(|games| games.parse().ok()).unwrap_or(120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(games()))]

    #[test]
    fn nobody_sees_posts_or_keeps_what_is_not_theirs(acts in prop::collection::vec(act(), 1..45)) {
        let mut both = Both::new();
        for act in acts {
            both.act(act);
        }
        both.settle();
    }
}
