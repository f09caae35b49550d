//! Whatever is posted, changed and forgotten, and whenever a reader is cut off: each event that they may see they are told once, in order,
//! and none that they may not.

mod heard;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::registered::{ask, close, viewer};
use super::streaming::{Told, events, request};
use super::*;
use crate::locations::protocol::Begin;
use crate::sessions::Role;
use crate::streams::{Delivery, Mark};

const READERS: [(Role, &str); 6] = [
    (Role::Admin, "a"),
    (Role::Driver, "d"),
    (Role::Driver, "e"),
    (Role::Customer, "c"),
    (Role::Customer, "b"),
    (Role::Customer, "c"),
];

/// What holds customers back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Until {
    /// A time, Unix milliseconds, or so long from now.
    Time(Millis),
    /// The vehicle is near the place.
    Near,
}

#[derive(Debug, Clone)]
enum Op {
    /// So many fixes of the present driver, measured so long ago, in milliseconds; whether at the place.
    Post(usize, Millis, bool),
    Put(Option<&'static str>, Vec<&'static str>),
    /// Customers see nothing until then.
    Gate(Option<Until>),
    /// So long nothing happens, in milliseconds.
    Wait(Millis),
    Sleep,
    /// So many rows go from the front.
    Prune(Index),
    Close,
    /// A reader begins, or goes on where they are, or after something that anybody was told.
    Open(usize, Option<Index>),
    Cut(usize),
    /// What is on its way to a reader stays there for a while.
    Hold(usize),
    Take(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let ago = prop_oneof![3 => Just(0), 1 => Just(MINUTE), 1 => Just(HOUR)];
    let time = select(vec![-1, 1_000, 2 * MINUTE]).prop_map(Until::Time);
    let until = prop_oneof![1 => time, 1 => Just(Until::Near)];
    let reader = || 0..READERS.len();
    let driver = select(vec![Some("d"), Some("d"), Some("e"), None]);
    let customers = proptest::sample::subsequence(vec!["b", "c"], 0..=2);
    prop_oneof![
        8 => (1..4_usize, ago, prop::bool::weighted(0.3)).prop_map(|(count, ago, near)| Op::Post(count, ago, near)),
        3 => (driver, customers).prop_map(|(driver, customers)| Op::Put(driver, customers)),
        2 => prop::option::of(until).prop_map(Op::Gate),
        3 => select(vec![1, 1_000, 2 * MINUTE, 31 * DAY]).prop_map(Op::Wait),
        1 => Just(Op::Sleep),
        1 => any::<Index>().prop_map(Op::Prune),
        1 => prop::bool::weighted(0.3).prop_map(|closes| if closes { Op::Close } else { Op::Sleep }),
        6 => (reader(), prop::option::weighted(0.3, any::<Index>())).prop_map(|(who, id)| Op::Open(who, id)),
        2 => reader().prop_map(Op::Cut),
        2 => reader().prop_map(Op::Hold),
        3 => reader().prop_map(Op::Take),
    ]
}

/// What matters to a gate that moves while texts are on their way to two customers, 3 and 4.
fn op_at_a_gate() -> impl Strategy<Value = Op> {
    let time = select(vec![-1, 1_000, 11_000]).prop_map(Until::Time);
    let until = prop_oneof![1 => time, 1 => Just(Until::Near)];
    prop_oneof![
        4 => (1..3_usize, select(vec![0, 5_000]), any::<bool>())
            .prop_map(|(count, ago, is_near)| Op::Post(count, ago, is_near)),
        1 => select(vec![Some("d"), Some("e")]).prop_map(|driver| Op::Put(driver, vec!["b", "c"])),
        3 => prop::option::weighted(0.8, until).prop_map(Op::Gate),
        3 => select(vec![1_000, 10_000]).prop_map(Op::Wait),
        1 => (3..5_usize).prop_map(Op::Cut),
        3 => (3..5_usize).prop_map(Op::Hold),
        3 => (3..5_usize).prop_map(Op::Take),
        2 => (3..5_usize, prop::option::weighted(0.3, any::<Index>())).prop_map(|(who, id)| Op::Open(who, id)),
        1 => Just(Op::Close),
    ]
}

/// A row as it was written, and what it is called.
#[derive(Debug, Clone)]
struct Written {
    row: Row,
    id: String,
    driver: Option<&'static str>,
    /// Whether the row is there by which its `k` counts.
    base: Option<usize>,
}

/// What a client knows: up to which row it has been told.
#[derive(Debug, Default, Clone)]
struct Client {
    number: Option<u32>,
    at: usize,
    /// What it has asked for, until its first event has come.
    asked: Option<Option<String>>,
    id: Option<String>,
    is_held: bool,
    waits: bool,
    /// Whether they were told that a gate holds them back, and whether that it does no more.
    is_withheld: bool,
    is_let_in: bool,
}

struct World {
    log: MemoryLog,
    job: Job<MemoryLog>,
    now: Millis,
    /// What was ever written; what comes before `forgotten` is not kept any more, and rows before `kept` are deleted.
    written: Vec<Written>,
    kept: usize,
    driver: Option<&'static str>,
    /// Of whoever takes part in the registered job as a customer: how many rows there were, and when, where that counts.
    customers: Option<BTreeMap<&'static str, Option<(u64, Millis)>>>,
    gate: Option<Until>,
    is_closed: bool,
    clients: Vec<Client>,
    /// The reader of whom it was just said that there is no more for them.
    has_no_more: Option<u32>,
    ids: Vec<String>,
    posted: usize,
}

fn settings_of_the_model() -> Settings {
    Settings { silent_after: Some(MINUTE), ..settings() }
}

impl World {
    fn new() -> Self {
        let log = MemoryLog::default();
        Self {
            job: Job::wake(log.clone(), settings_of_the_model()).unwrap(),
            log,
            now: NOW,
            written: Vec::new(),
            kept: 0,
            driver: None,
            customers: None,
            gate: None,
            is_closed: false,
            clients: vec![Client::default(); READERS.len()],
            has_no_more: None,
            ids: Vec::new(),
            posted: 0,
        }
    }

    fn run(&mut self, op: Op) {
        if self.job.forgotten.is_some() {
            return;
        }
        match op {
            Op::Post(count, ago, is_near) => {
                let driver = if self.customers.is_some() { self.driver.unwrap_or("d") } else { "d" };
                let fixes: Vec<Value> = (0..count)
                    .map(|nth| {
                        self.posted += 1;
                        // Each is in another place.
                        let lat = self.posted as f64 / 1_000_000.0;
                        json!({"lat": if is_near { lat } else { 50.0 + lat }, "lng": 1, "id": self.posted.to_string(),
                            "capturedAt": self.now - ago + nth as Millis - 3})
                    })
                    .collect();
                let post = Post::parse(
                    json!({"locations": fixes}).to_string().as_bytes(),
                    Sender::Driver(&UserId::parse(driver).unwrap()),
                    None,
                );
                let request = JobRequest::Post { job: job_id(), post: post.unwrap(), registry_alone: false };
                drop(self.job.handle(request, self.now).unwrap());
            }
            Op::Put(driver, customers) => self.put(driver, &customers, self.gate),
            Op::Gate(until) => {
                let customers: Vec<_> = self.customers.iter().flat_map(|all| all.keys().copied()).collect();
                let until = until.map(|until| match until {
                    Until::Time(after) => Until::Time(self.now + after),
                    Until::Near => Until::Near,
                });
                self.put(self.driver, &customers, until);
            }
            Op::Wait(by) => {
                self.now += by;
                self.job.alarm(self.now).unwrap();
            }
            Op::Sleep => {
                self.job = Job::wake(self.log.clone(), settings_of_the_model()).unwrap();
                self.clients.iter_mut().for_each(|client| client.number = None);
            }
            Op::Prune(index) => {
                let rows = self.log.all().len();
                if rows > 1 {
                    let count = index.index(rows);
                    // Those who are behind would be told what is not there.
                    if self
                        .clients
                        .iter()
                        .all(|client| client.number.is_none() || client.at >= self.kept + count)
                    {
                        self.log.prune(count);
                        self.kept += count;
                    }
                }
            }
            Op::Close => {
                if self.customers.is_some() {
                    close(&mut self.job, self.now);
                }
            }
            Op::Open(who, id) => self.open(who, id),
            Op::Cut(who) => {
                if let Some(number) = self.clients[who].number.take() {
                    self.job.taken(number, false);
                }
            }
            Op::Hold(who) => self.clients[who].is_held = true,
            Op::Take(who) => {
                self.clients[who].is_held = false;
                if let Some(number) = self.clients[who].number.filter(|_| self.clients[who].waits) {
                    self.has_no_more = (!self.job.taken(number, true)).then_some(number);
                    self.clients[who].waits = false;
                }
            }
        }
        self.look();
        if self.job.forgotten.is_none() {
            self.hear();
            return;
        }
        // Whoever was not told before that it has ended is told that alone.
        let (deliveries, failed) = self.job.deliveries(self.now);
        failed.unwrap();
        for Delivery { text, ends, .. } in deliveries {
            let told = events(&text);
            assert!(
                ends && told.iter().all(|it| it.name == "end" && it.data["reason"] == "closed"),
                "{told:?}"
            );
        }
        assert!(!self.job.has_readers());
    }

    fn put(&mut self, driver: Option<&'static str>, customers: &[&'static str], gate: Option<Until>) {
        let begins = self.customers.is_none() || driver != self.driver;
        self.job.follow_time(self.now).unwrap();
        self.look();
        let (last_n, had_fixes) = (self.job.sequence.last_n(), self.had_fixes_now());
        let registration = self.job.registration.as_ref();
        let opening = registration.and_then(|it| it.gate(self.job.sequence.epoch())?.1);
        let opening = opening.map(|opening| (opening.n, opening.at));
        let gates = gate.map(|until| match until {
            Until::Time(from) => json!({"customer": {"from": from}}),
            Until::Near => json!({"customer": {"within": 500}}),
        });
        let place = json!({"lat": 0, "lng": 1});
        let body = json!({"driver": driver, "customers": customers, "gate": gates, "place": place});
        let body = body.to_string();
        let wanted = crate::jobs::Wanted::parse(body.as_bytes(), self.now).unwrap();
        if ask(&mut self.job, JobRequest::Put { job: job_id(), wanted, only: None }, self.now).is_err() {
            return;
        }
        let mut before = self.customers.take().unwrap_or_default();
        if self.gate.is_some() && gate.is_none() {
            // What was kept from them stays so, and what was shown.
            before.retain(|_, _| opening.is_some() && !begins);
            before.values_mut().for_each(|start| *start = (*start).max(opening));
        }
        let joined = (had_fixes || !begins).then_some((last_n, self.now));
        let join = |name: &&'static str| (*name, before.get(name).copied().unwrap_or(joined));
        self.customers = Some(customers.iter().map(join).collect());
        (self.driver, self.gate) = (driver, gate);
    }

    /// Whether a gate holds somebody back, and since which `n` and when it does not: where it has opened is another model's to say.
    fn gate_of(&self, who: usize) -> Option<Option<(u64, Millis)>> {
        self.gate.filter(|_| READERS[who].0 == Role::Customer)?;
        let (_, opening) = self.job.registration.as_ref()?.gate(self.job.sequence.epoch())?;
        Some(opening.map(|opening| (opening.n, opening.at)))
    }

    /// From when on somebody has seen the job through a gate that was taken away since.
    fn was_gated_until(&self, who: usize) -> Option<Millis> {
        let (role, name) = READERS[who];
        let registration = self.job.registration.as_ref().filter(|_| role == Role::Customer)?;
        Some(registration.joined(&UserId::parse(name).unwrap())?.shown?.since)
    }

    /// Whether the job had any fix, as the registry counts: of what is forgotten it knows nothing.
    fn had_fixes_now(&self) -> bool {
        self.job.past().has_fixes
    }

    /// Notes what was written.
    fn look(&mut self) {
        let rows = self.log.all();
        self.is_closed = self.job.registration.as_ref().is_some_and(|it| it.ended.is_some());
        if self.job.forgotten.is_some() {
            return;
        }
        if self.log.all().is_empty() && !self.written.is_empty() {
            // All of it has had its time.
            self.written.clear();
            (self.kept, self.ids) = (0, Vec::new());
            self.clients.iter_mut().for_each(|client| {
                (client.at, client.id) = (0, None);
            });
            if self.job.registration.is_none() {
                (self.customers, self.driver, self.gate) = (None, None, None);
            }
        }
        if rows.first().is_some_and(|row| row.n == row.size() as u64)
            && self.written.first().is_some_and(|it| it.row != rows[0])
            && self.kept == 0
        {
            self.written.clear();
            self.ids.clear();
            self.clients.iter_mut().for_each(|client| (client.at, client.id) = (0, None));
        }
        for row in rows.into_iter().skip(self.written.len() - self.kept) {
            let place = format!("{}.{}", row.epoch, row.seq);
            let of_life = |it: &&Written| it.row.epoch == row.epoch;
            let since = self
                .written
                .iter()
                .rev()
                .take_while(|it| it.row.epoch == row.epoch && it.row.accepted().is_none())
                .count();
            let id = if row.accepted().is_some() { place } else { format!("{place}.{}", since + 1) };
            let is_after_fix = self.written.iter().any(|it| of_life(&it) && it.row.accepted().is_some());
            let base = (row.accepted().is_none() && is_after_fix).then(|| self.written.len() - since - 1);
            let driver = match &self.customers {
                Some(_) => self.job.registration.as_ref().and_then(|it| it.wanted.driver.as_ref()),
                None => None,
            };
            let driver = driver.map(|driver| if driver.as_str() == "d" { "d" } else { "e" });
            self.written.push(Written { row, id, driver, base });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]
    #[test]
    fn who_is_cut_off_is_told_each_event_once_and_none_that_is_not_theirs(ops in prop::collection::vec(op(), 1..60)) {
        let mut world = World::new();
        ops.into_iter().for_each(|op| world.run(op));
    }

    #[test]
    fn a_gate_that_moves_shows_nothing_and_loses_nothing(ops in prop::collection::vec(op_at_a_gate(), 1..40)) {
        let mut world = World::new();
        let first = [Op::Put(Some("d"), vec!["b", "c"]), Op::Open(3, None), Op::Open(4, None)];
        first.into_iter().chain(ops).for_each(|op| world.run(op));
    }
}
