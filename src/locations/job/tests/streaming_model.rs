//! Whatever is posted, changed and forgotten, and whenever a reader is cut off: each event that they may see they are told once, in order,
//! and none that they may not.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::registered::{close, put, viewer};
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

#[derive(Debug, Clone)]
enum Op {
    /// So many fixes of the present driver, measured so long ago, in milliseconds.
    Post(usize, Millis),
    Put(Option<&'static str>, Vec<&'static str>),
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
    let reader = || 0..READERS.len();
    let driver = select(vec![Some("d"), Some("d"), Some("e"), None]);
    let customers = proptest::sample::subsequence(vec!["b", "c"], 0..=2);
    prop_oneof![
        8 => (1..4_usize, ago).prop_map(|(count, ago)| Op::Post(count, ago)),
        3 => (driver, customers).prop_map(|(driver, customers)| Op::Put(driver, customers)),
        2 => select(vec![1, 1_000, 2 * MINUTE, 31 * DAY]).prop_map(Op::Wait),
        1 => Just(Op::Sleep),
        1 => any::<Index>().prop_map(Op::Prune),
        1 => prop::bool::weighted(0.3).prop_map(|closes| if closes { Op::Close } else { Op::Sleep }),
        6 => (reader(), prop::option::weighted(0.3, any::<Index>())).prop_map(|(who, id)| Op::Open(who, id)),
        2 => reader().prop_map(Op::Cut),
        2 => reader().prop_map(Op::Hold),
        3 => reader().prop_map(Op::Take),
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
    customers: Option<BTreeMap<&'static str, Option<(usize, Millis)>>>,
    is_closed: bool,
    clients: Vec<Client>,
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
            is_closed: false,
            clients: vec![Client::default(); READERS.len()],
            ids: Vec::new(),
            posted: 0,
        }
    }

    fn run(&mut self, op: Op) {
        if self.job.forgotten.is_some() {
            return;
        }
        match op {
            Op::Post(count, ago) => {
                let driver = if self.customers.is_some() { self.driver.unwrap_or("d") } else { "d" };
                let fixes: Vec<Value> = (0..count)
                    .map(|nth| {
                        self.posted += 1;
                        // Each is in another place.
                        json!({"lat": self.posted as f64 / 1_000.0, "lng": 1, "id": self.posted.to_string(),
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
            Op::Put(driver, customers) => {
                let begins = self.customers.is_none() || driver != self.driver;
                self.job.follow_time(self.now).unwrap();
                self.look();
                let (count, had_fixes) = (self.written.len(), self.had_fixes_now());
                if put(&mut self.job, driver, &customers, self.now).is_ok() {
                    let before = self.customers.take().unwrap_or_default();
                    let join = |name: &&'static str| {
                        let counts = had_fixes || !begins;
                        let joined = counts.then_some((count, self.now));
                        (*name, before.get(name).copied().unwrap_or(joined))
                    };
                    self.customers = Some(customers.iter().map(join).collect());
                    self.driver = driver;
                }
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
                    self.job.taken(number, true);
                    self.clients[who].waits = false;
                }
            }
        }
        self.look();
        if self.job.forgotten.is_none() {
            self.hear();
        }
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
            assert!(!self.job.has_readers(), "it had ended before");
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
                (self.customers, self.driver) = (None, None);
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

    /// Whether somebody takes part, as their stream ends where they do not.
    fn end_of(&self, who: usize) -> Option<&'static str> {
        let (role, name) = READERS[who];
        let customers = self.customers.as_ref()?;
        match role {
            Role::Driver if self.driver != Some(name) => Some("reassigned"),
            Role::Customer if !customers.contains_key(name) => Some("removed"),
            Role::Driver | Role::Customer if self.is_closed => Some("closed"),
            _ => None,
        }
    }

    /// Whether somebody may see a fix, or with none any of a row.
    fn may_see(&self, who: usize, index: usize, measured: Option<Millis>) -> bool {
        let (role, name) = READERS[who];
        let it = &self.written[index];
        let Some(customers) = &self.customers else { return true };
        match role {
            Role::Driver => it.driver == Some(name),
            Role::Customer => {
                let is_present = self.job.sequence.epoch() == Some(it.row.epoch);
                let joined = customers.get(name).copied().flatten();
                is_present
                    && joined
                        .is_none_or(|(count, at)| index >= count && measured.is_none_or(|time| time >= at))
            }
            _ => true,
        }
    }

    /// What somebody is told for a row, if anything.
    fn expected(&self, who: usize, index: usize) -> Option<(String, Vec<f64>)> {
        let it = &self.written[index];
        if !self.may_see(who, index, None) {
            return None;
        }
        match &it.row.content {
            Content::Message(ready) => Some((ready.name.clone(), Vec::new())),
            Content::Fixes(_) => {
                let shown =
                    it.row.fixes().filter(|kept| self.may_see(who, index, Some(kept.measured.effective)));
                let lats = shown.map(|kept| kept.fix.lat()).collect();
                let head =
                    it.row.head().filter(|head| self.may_see(who, index, Some(head.measured.effective)));
                let name = if head.is_some() { "location.updated" } else { "location.backfilled" };
                Some((name.to_owned(), lats))
            }
            _ => None,
        }
    }

    fn open(&mut self, who: usize, id: Option<Index>) {
        if self.clients[who].number.is_some() {
            return;
        }
        let from = match id {
            Some(index) if !self.ids.is_empty() => Some(self.ids[index.index(self.ids.len())].clone()),
            _ => self.clients[who].id.clone(),
        };
        let begin = from.as_deref().map_or(Begin::Now, |id| Begin::After(Mark::parse(id).unwrap()));
        let (role, name) = READERS[who];
        self.job.follow_time(self.now).unwrap();
        self.look();
        let opened =
            self.job.stream(request(viewer(role, name), self.now + 9 * DAY * 365, begin), self.now).unwrap();
        if self.job.forgotten.is_some() {
            assert!(opened.is_err());
            return;
        }
        assert_eq!(opened.is_err(), self.end_of(who).is_some(), "{opened:?}");
        if let Ok(number) = opened {
            let client =
                Client { number: Some(number), asked: Some(from.clone()), id: from, ..Client::default() };
            self.clients[who] = Client { at: self.written.len(), ..client };
        }
    }

    /// Hears what is told until there is no more.
    fn hear(&mut self) {
        for _ in 0..1_000 {
            let (deliveries, failed) = self.job.deliveries(self.now);
            failed.unwrap();
            if deliveries.is_empty() && self.job.readers_due(self.now).is_none_or(|due| due > self.now) {
                self.all_is_told();
                return;
            }
            for Delivery { readers, text, ends } in &deliveries {
                for number in readers {
                    let who = self.clients.iter().position(|client| client.number == Some(*number)).unwrap();
                    assert!(!self.clients[who].waits || *ends, "one at a time");
                    events(text).into_iter().for_each(|told| self.told(who, &told));
                    let client = &mut self.clients[who];
                    if *ends {
                        assert_eq!(client.number, None, "it says why");
                    } else if client.is_held {
                        client.waits = true;
                    } else {
                        self.job.taken(*number, true);
                    }
                }
            }
        }
        panic!("there is no end to it");
    }

    fn all_is_told(&self) {
        for (who, client) in self.clients.iter().enumerate() {
            if client.number.is_some() && !client.waits {
                assert_eq!(self.end_of(who), None, "{who} reads on");
                let missed =
                    (client.at..self.written.len()).find(|index| self.expected(who, *index).is_some());
                assert_eq!(missed, None, "{who} is not told all");
            }
        }
    }

    /// Where in the log somebody may go on after this id.
    fn can_go_on(&self, who: usize, id: &str) -> Option<usize> {
        let at = self.written.iter().position(|it| it.id == id).filter(|at| *at >= self.kept)?;
        let base = self.written[at].base.is_none_or(|base| base >= self.kept);
        let (role, name) = READERS[who];
        let is_theirs = match (&self.customers, role) {
            (None, _) => true,
            (Some(_), Role::Driver) => self.written[at].driver == Some(name),
            (Some(customers), Role::Customer) => {
                let after = customers.get(name).copied().flatten().map_or(0, |(count, _)| count);
                self.job.sequence.epoch() == Some(self.written[at].row.epoch) && at + 1 >= after
            }
            _ => true,
        };
        (base && is_theirs).then_some(at + 1)
    }

    fn told(&mut self, who: usize, told: &Told) {
        let (end, asked) = (self.end_of(who), self.clients[who].asked.clone());
        if told.name == "end" {
            let reason = told.data["reason"].as_str().unwrap();
            if reason == "slow" {
                assert!(self.clients[who].waits && end.is_none());
                self.clients[who].number = None;
                return;
            }
            assert_eq!(reason, end.unwrap_or("closed"));
            assert!(end.is_some() || self.is_closed);
            self.clients[who].number = None;
            return;
        }
        if told.name == "resync" && told.data["reason"] == "slow" {
            return;
        }
        if told.name == "resync" {
            let from = asked.flatten().expect("who has asked for nothing begins anyway");
            assert_eq!(self.can_go_on(who, &from), None, "{from} is kept");
            self.clients[who].asked = Some(None);
            return;
        }
        if told.name == "state" {
            let asked = asked.expect("once");
            self.clients[who].asked = None;
            if let Some(from) = asked {
                let goes_on = self.can_go_on(who, &from).expect("it cannot go on there");
                assert_eq!(told.id.as_ref(), Some(&from));
                self.clients[who].at = goes_on;
            } else {
                let last = self.written.last().filter(|it| it.base.is_none_or(|base| base >= self.kept));
                let last = last.filter(|_| self.job.sequence.epoch().is_some());
                assert_eq!(told.id, last.map(|it| it.id.clone()));
                self.clients[who].at = self.written.len();
                self.clients[who].id = told.id.clone();
            }
            if let Some(lat) = told.data.get("lat").and_then(Value::as_f64) {
                let (index, measured) = self.fix(lat);
                assert!(self.may_see(who, index, Some(measured)), "{who} sees {lat}");
            }
            return;
        }
        let at = self.clients[who].at;
        let is_closing = end == Some("closed");
        let next = if is_closing {
            assert_eq!(told.name, "job.closed", "{who} takes part no more");
            self.written.len() - 1
        } else {
            assert_eq!(end, None);
            (at..self.written.len())
                .find(|index| self.expected(who, *index).is_some())
                .expect("there is more")
        };
        let it = &self.written[next];
        let is_known = it.base.is_none_or(|base| base >= self.kept);
        assert!(told.id.as_ref() == Some(&it.id) || (told.id.is_none() && !is_known), "{told:?} {}", it.id);
        if !is_closing {
            let (name, lats) = self.expected(who, next).unwrap();
            assert_eq!(told.name, name);
            assert_eq!(lats_of(&told.data), lats, "{told:?}");
        }
        if it.row.accepted().is_some() {
            assert_eq!(
                (&told.data["fromSeq"], &told.data["seq"]),
                (&json!(it.row.first_seq()), &json!(it.row.seq))
            );
        }
        self.ids.push(it.id.clone());
        let client = &mut self.clients[who];
        client.at = next + 1;
        client.id = told.id.clone().or(client.id.take());
    }

    fn fix(&self, lat: f64) -> (usize, Millis) {
        let all = self.written.iter().enumerate();
        let mut all = all.flat_map(|(index, it)| it.row.fixes().map(move |kept| (index, kept)));
        let (index, kept) = all.find(|(_, kept)| kept.fix.lat() == lat).unwrap();
        (index, kept.measured.effective)
    }
}

/// The positions of an event, in the order of their seqs.
fn lats_of(data: &Value) -> Vec<f64> {
    let backfill = data.get("backfill").and_then(Value::as_array).into_iter().flatten();
    let mut all: Vec<(u64, f64)> =
        backfill.map(|it| (it[0].as_u64().unwrap(), it[2].as_f64().unwrap())).collect();
    if let Some(lat) = data.get("lat") {
        let seq = data.get("headSeq").unwrap_or(&data["seq"]);
        all.push((seq.as_u64().unwrap(), lat.as_f64().unwrap()));
    }
    all.sort_by_key(|(seq, _)| *seq);
    all.into_iter().map(|(_, lat)| lat).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]
    #[test]
    fn who_is_cut_off_is_told_each_event_once_and_none_that_is_not_theirs(ops in prop::collection::vec(op(), 1..60)) {
        let mut world = World::new();
        ops.into_iter().for_each(|op| world.run(op));
    }
}
