//! What customers see through a gate, against the plainest thing that could be meant by it: whatever is put, posted, reassigned, refused by
//! the storage or forgotten by sleep, in whatever order, and whatever our clock does.
//!
//! What was accepted, in which order and whether late, is taken from what staff see; what a gate makes of that is told here once more.

use std::cell::Cell;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::jobs::registration::EndReason;
use crate::locations::job::tests::registry_faults::Refusing;
use crate::locations::place::Place;
use crate::locations::trail::format::Format;

mod plain;

use self::plain::{Kept, Model, Start};

/// Two places, so far apart that no radius here holds both.
const PLACES: [(f64, f64); 2] = [(48.0, 16.0), (48.5, 16.0)];
const CUSTOMERS: [&str; 2] = ["c", "e"];
const DRIVERS: [&str; 2] = ["d", "f"];

#[derive(Debug, Clone)]
enum Act {
    Put(Wanted),
    /// For each fix which place it is near, how many metres it is from there, how uncertain, and how long ago it was measured.
    Post(Vec<Sent>),
    Beat,
    Wait(Millis),
    ClockBack(Millis),
    Sleep,
    Alarm,
    Publish,
    Close,
    /// The storage refuses the statement after so many; and the object sleeps at once where that has made the next act fail.
    Refuse(u32, bool),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Wanted {
    driver: Option<usize>,
    /// A bit for each.
    customers: u8,
    place: usize,
    within: Option<u32>,
    /// How long from the first time of all, in milliseconds.
    from: Option<Millis>,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    place: usize,
    metres: u32,
    accuracy: Option<u32>,
    /// Less than nothing where its clock is ahead; nothing where it does not say.
    age: Option<Millis>,
}

fn act() -> impl Strategy<Value = Act> {
    let within = prop::option::weighted(0.6, prop::sample::select(vec![100_u32, 500, 5_000]));
    let from = prop::option::weighted(0.4, prop::sample::select(vec![-MINUTE, 5_000, MINUTE, 5 * MINUTE]));
    let wanted = (prop::option::weighted(0.9, 0..2_usize), 0..4_u8, 0..2_usize, within, from);
    let wanted = wanted.prop_map(|(driver, customers, place, within, from)| Wanted {
        driver,
        customers: customers | u8::from(customers == 0),
        place,
        within,
        from,
    });
    let metres = prop::sample::select(vec![0, 40, 60, 90, 110, 300, 430, 470, 600, 4_000, 6_000]);
    let accuracy = prop::sample::select(vec![None, Some(0), Some(45), Some(150)]);
    let age = prop_oneof![
        5 => Just(None), 5 => (0..3_000_i64).prop_map(Some), 3 => (0..3 * MINUTE).prop_map(Some),
        1 => (-10 * MINUTE..0).prop_map(Some),
    ];
    let sent = (0..2_usize, metres, accuracy, age);
    let sent = sent.prop_map(|(place, metres, accuracy, age)| Sent { place, metres, accuracy, age });
    prop_oneof![
        7 => wanted.prop_map(Act::Put),
        20 => prop::collection::vec(sent, 1..5).prop_map(Act::Post),
        1 => Just(Act::Beat),
        8 => prop_oneof![0..3_000_i64, 0..2 * MINUTE].prop_map(Act::Wait),
        1 => prop_oneof![0..20_000_i64, 0..5 * MINUTE].prop_map(Act::ClockBack),
        3 => Just(Act::Sleep),
        2 => Just(Act::Alarm),
        3 => Just(Act::Publish),
        1 => prop::bool::weighted(0.1).prop_map(|is_over| if is_over { Act::Close } else { Act::Alarm }),
        4 => (0..8_u32, any::<bool>()).prop_map(|(after, sleeps)| Act::Refuse(after, sleeps)),
    ]
}

type Kind = Job<SqlLog<Refusing>>;

struct Game {
    sql: Refusing,
    job: Kind,
    model: Model,
    now: Millis,
    /// How many fixes were sent: by it each has a place of its own.
    sent: u32,
    refuse: Option<(u32, bool)>,
    limit: u32,
    checks: usize,
}

impl Game {
    fn new(limit: u32) -> Self {
        let sql = Refusing::new();
        let job = Self::woken(&sql);
        Self { sql, job, model: Model::default(), now: NOW, sent: 0, refuse: None, limit, checks: 0 }
    }

    fn woken(sql: &Refusing) -> Kind {
        let settings = Settings { silent_after: Some(MINUTE), ..settings() };
        Job::wake(SqlLog::new(sql.clone()), settings).unwrap()
    }

    fn epoch(&self) -> Option<u64> {
        self.job.sequence.epoch()
    }

    /// What a request comes to; nothing where the storage has refused something.
    fn try_to(&mut self, request: JobRequest) -> Option<Reply<JobAnswer>> {
        let request = serde_json::from_str(&serde_json::to_string(&request).unwrap()).unwrap();
        self.job.handle(request, self.now).ok()
    }

    fn ask(&mut self, request: JobRequest) -> Result<Value, JobRefusal> {
        super::ask(&mut self.job, request, self.now)
    }

    fn trail(
        &mut self,
        role: Role,
        who: &str,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Value, JobRefusal> {
        let by = Some(viewer(role, who));
        self.ask(JobRequest::Trail { job: job_id(), after, limit, names: false, viewer: by })
    }

    fn act(&mut self, act: Act) {
        let armed: Rc<Cell<Option<u32>>> = Rc::clone(&self.sql.after);
        let refuse = self.refuse.take();
        let ts = self.job.sequence.ts().map_or(self.now, |ts| ts.max(self.now));
        let at = if ts - self.now <= 30_000 { ts } else { self.now };
        let before = self.epoch();
        armed.set(refuse.map(|(after, _)| after));
        let (mut has_failed, mut put) = (false, None);
        match act {
            Act::Put(wanted) => {
                has_failed = self.put(wanted);
                put = Some(wanted);
            }
            Act::Post(fixes) => has_failed = self.post(&fixes),
            Act::Beat => {
                let driver = self.driver();
                let state = crate::jobs::Heartbeat::Parked;
                let beat = JobRequest::Heartbeat { job: job_id(), driver, state, registry_alone: false };
                has_failed = self.try_to(beat).is_none();
            }
            Act::Wait(ms) => self.now += ms,
            Act::ClockBack(ms) => self.now -= ms,
            Act::Sleep => {
                armed.set(None);
                self.job = Self::woken(&self.sql);
            }
            Act::Alarm => has_failed = self.job.alarm(self.now).is_err(),
            Act::Publish => {
                if let Ok(Need::Publish(_)) = self.job.next(self.now) {
                    let _ = self.job.published(self.now);
                }
            }
            Act::Close => {
                let reason = crate::jobs::CloseReason::Done;
                has_failed = self.try_to(JobRequest::Close { job: job_id(), reason }).is_none();
            }
            Act::Refuse(after, sleeps) => self.refuse = Some((after, sleeps)),
        }
        let was_refused = refuse.is_some() && armed.take().is_none();
        assert!(was_refused || !has_failed, "nothing but the storage refuses");
        let forgets = has_failed && refuse.is_some_and(|(_, sleeps)| sleeps);
        if forgets {
            self.job = Self::woken(&self.sql);
        }
        self.follow(before, put, at, forgets);
        self.check();
    }

    fn put(&mut self, wanted: Wanted) -> bool {
        let (lat, lng) = PLACES[wanted.place];
        let gate = json!({"within": wanted.within, "from": wanted.from.map(|from| NOW + from)});
        let is_gated = wanted.within.is_some() || wanted.from.is_some();
        let body = json!({
            "driver": wanted.driver.map(|driver| DRIVERS[driver]),
            "customers": (0..2).filter(|who| wanted.customers >> who & 1 == 1).map(|who| CUSTOMERS[who]).collect::<Vec<_>>(),
            "place": {"lat": lat, "lng": lng},
            "gate": if is_gated { json!({"customer": gate}) } else { Value::Null },
        });
        let wanted = Registered::parse(body.to_string().as_bytes(), self.now).unwrap();
        self.try_to(JobRequest::Put { job: job_id(), wanted, only: None }).is_none()
    }

    fn driver(&self) -> UserId {
        let driver = self.model.wanted.and_then(|wanted| wanted.driver);
        user(driver.map_or("nobody", |driver| DRIVERS[driver]))
    }

    fn post(&mut self, fixes: &[Sent]) -> bool {
        let fix = |sent: &Sent| {
            self.sent += 1;
            let (lat, lng) = PLACES[sent.place];
            // Each has a place of its own, a metre away at most, whose text is no part of another's.
            let lng = lng + f64::from(100_001 + 10 * self.sent) / 1e10;
            let captured_at = sent.age.map(|age| self.now - age);
            let lat = lat + f64::from(sent.metres) * METRE;
            json!({"lat": lat, "lng": lng, "accuracy": sent.accuracy, "capturedAt": captured_at})
        };
        let body = json!({"locations": fixes.iter().map(fix).collect::<Vec<_>>()}).to_string();
        let post = Post::parse(body.as_bytes(), Sender::Driver(&self.driver()), None).unwrap();
        self.try_to(JobRequest::Post { job: job_id(), post, registry_alone: false }).is_none()
    }

    /// Has the model go on to what has become of an act.
    fn follow(&mut self, before: Option<u64>, put: Option<Wanted>, at: Millis, forgets: bool) {
        // What is put takes effect before what is seen next.
        self.model.pass(before, self.now);
        let staff = self.ask(JobRequest::Job { job: job_id(), viewer: viewer(Role::Admin, "x") });
        let is_put = |put: &Wanted| {
            let registered = self.job.registration.as_ref().map(|it| &it.wanted);
            let driver = put.driver.map(|driver| DRIVERS[driver]);
            registered.is_some_and(|it| {
                let gate = it.gate.map(|gates| (gates.customer.within, gates.customer.from));
                let wanted = (put.within.map(f64::from), put.from.map(|from| NOW + from));
                it.driver.as_ref().map(UserId::as_str) == driver
                    && it.place.map(|place| place.lat) == Some(PLACES[put.place].0)
                    && gate.unwrap_or_default() == wanted
                    && it
                        .customers
                        .iter()
                        .map(UserId::as_str)
                        .eq((0..2).filter(|who| put.customers >> who & 1 == 1).map(|who| CUSTOMERS[who]))
            })
        };
        if let Some(wanted) = put.filter(is_put).filter(|put| self.model.wanted != Some(*put)) {
            self.model.put(wanted, before, self.now);
        }
        self.model.ended =
            staff.as_ref().ok().and_then(|job| serde_json::from_value(job["reason"].clone()).ok());
        let Ok(page) = self.trail(Role::Admin, "x", None, 1_000) else { return };
        let kept = page["locations"].as_array().unwrap().iter().map(Kept::of).collect();
        self.model.follow(kept, at);
        let epoch = self.epoch();
        self.model.pass(epoch, self.now);
        if forgets && self.model.is_open_in(epoch) {
            // The storage has refused to write it down, and which fix that was is forgotten: the last live one opens it, or the next.
            let opening = self.job.registration.as_ref().and_then(|it| it.gate(epoch)?.1);
            let rows = self.job.log.rows_after(0, 10_000).unwrap();
            let up_to = |n| rows.iter().flat_map(Row::fixes).filter(|kept| kept.n <= n).count();
            let after = opening.map(|opening| up_to(opening.n));
            assert!(after.is_none_or(|after| self.model.opened.unwrap().after <= after));
            self.model.opened = self.model.opened.zip(after).map(|(opened, after)| Start { after, ..opened });
        }
        if forgets {
            let told = self.arrivals();
            self.model.arrived.retain(|epoch| told.contains(epoch));
            self.model.is_at = self.model.is_at.filter(|epoch| told.contains(epoch));
        }
    }

    /// The lives in which it was written down that the vehicle has arrived.
    fn arrivals(&self) -> Vec<u64> {
        // Before the first life there is no table.
        let rows = self.job.sequence.job().map(|_| self.job.log.rows_after(0, 10_000).unwrap());
        let rows = rows.unwrap_or_default();
        let is_arrival =
            |row: &&Row| matches!(&row.content, Content::Message(ready) if ready.name == "driver.arrived");
        rows.iter().filter(is_arrival).map(|row| row.epoch).collect()
    }

    fn check(&mut self) {
        if self.job.sequence.job().is_none() {
            return;
        }
        let told = self.arrivals();
        let once = (1..told.len()).all(|at| !told[..at].contains(&told[at]));
        assert!(once, "an arrival is told once a life: {told:?}");
        if self.model.ended.is_none() {
            assert_eq!(told, self.model.arrived, "and wherever the vehicle has arrived");
        }
        let Some(wanted) = self.model.wanted else { return };
        self.check_needs();
        let staff = [
            state_to(&mut self.job, Role::Admin, "x", self.now).unwrap(),
            self.ask(JobRequest::Job { job: job_id(), viewer: viewer(Role::Admin, "x") }).unwrap(),
        ];
        let is_at = self.is_at();
        assert!(
            staff.iter().all(|told| told.get("arrivedAt").is_some() == is_at),
            "it is at the place: {is_at}"
        );
        for (who, name) in CUSTOMERS.iter().enumerate() {
            let is_in = wanted.customers >> who & 1 == 1;
            let state = state_to(&mut self.job, Role::Customer, name, self.now);
            match (is_in, self.model.ended) {
                (false, _) => assert_eq!(state, Err(JobRefusal::NotAParticipant)),
                (true, Some(reason)) => assert_eq!(state, Err(JobRefusal::Ended { reason })),
                (true, None) => self.check_customer(who, name, &state.unwrap()),
            }
        }
    }

    /// Whether the vehicle has arrived, at the place that the job has now.
    fn is_at(&self) -> bool {
        self.model.is_at.is_some() && self.model.is_at == self.epoch()
    }

    /// No gate is written down that another build might not know.
    fn check_needs(&self) {
        let (body, needs) = on_disk(&self.sql.sqlite);
        assert!(!body.contains(r#""gate":"#) || needs.contains("gates"), "{body} {needs}");
    }

    fn check_customer(&mut self, who: usize, name: &str, state: &Value) {
        let epoch = self.epoch();
        let visible: Option<Vec<Kept>> =
            self.model.visible(who, epoch).map(|fixes| fixes.into_iter().cloned().collect());
        let job = self.ask(JobRequest::Job { job: job_id(), viewer: viewer(Role::Customer, name) }).unwrap();
        let page = self.trail(Role::Customer, name, None, 1_000).unwrap();
        let standing = registered::standing(&mut self.job, Role::Customer, name, self.now);
        assert_eq!(standing == "gated", self.model.gate().is_some());
        let Some(visible) = visible else { return self.check_closed(name, state, &page, &job) };

        let shown: Vec<Kept> = page["locations"].as_array().unwrap().iter().map(Kept::of).collect();
        assert_eq!(shown, visible, "the trail to {name}");
        let live = self.model.kept.iter().rfind(|fix| fix.is_live && Some(fix.epoch) == epoch);
        let live = live.filter(|live| visible.contains(live));
        assert_eq!(state["seq"], json!(live.map_or(0, |live| live.seq)), "the state to {name}");
        assert_eq!(state.get("lat").and_then(Value::as_f64), live.map(|live| live.lat));
        self.check_pages(name, &visible);
        if let Some(published) = page["published"].as_object() {
            assert_eq!(published["epoch"], json!(epoch));
            let first = self.model.kept.iter().position(|fix| visible.first() == Some(fix));
            let seq = first.map_or(u64::MAX, |first| self.model.kept[first].seq);
            let is_theirs = self.model.gate().is_none() || published["seq"].as_u64() >= Some(seq);
            // What was measured before the opening and came after it may be the last that has left.
            let opened = self.model.opened.map_or(0, |opened| opened.after);
            let is_after = self.model.kept.iter().skip(opened).any(|fix| json!(fix.seq) == published["seq"]);
            assert!(is_theirs || is_after, "how far all has left to {name}");
        }
        for told in [state, &job] {
            let at = told.get("arrivedAt").and_then(Value::as_i64);
            assert!(
                at.is_none_or(|at| self.is_at() && at >= self.model.since(who)),
                "when it has arrived to {name}"
            );
        }
        if let Some(opened) = self.model.opened.filter(|_| self.model.gate().is_some()) {
            for told in [state, &job] {
                for of_the_driver in ["lastHeard", "lastFixAt", "silentSince", "fixMissingSince", "arrivedAt"]
                {
                    let at = told.get(of_the_driver).and_then(Value::as_i64);
                    assert!(at.is_none_or(|at| at >= opened.since), "{of_the_driver} to {name}");
                }
            }
        }
    }

    /// Nothing of which it could be told where the driver is, since when, or how often they have been heard of.
    fn check_closed(&self, name: &str, state: &Value, page: &Value, job: &Value) {
        let now = self.now;
        let (within, from) = self.model.gate().unwrap();
        let withheld = match from {
            Some(from) if now < from || within.is_none() => {
                json!({"jobId": "job-1", "withheld": true, "gate": "from", "opensAt": from, "now": now})
            }
            _ => json!({"jobId": "job-1", "withheld": true, "gate": "within", "now": now}),
        };
        assert_eq!((state, page), (&withheld, &withheld), "to {name}");
        let names: Vec<&str> = job.as_object().unwrap().keys().map(String::as_str).collect();
        let may_be = ["customers", "endsAt", "gate", "jobId", "opensAt", "state", "version", "withheld"];
        assert!(names.iter().all(|name| may_be.contains(name)), "to {name}: {job}");
        assert_eq!((&job["gate"], job.get("opensAt")), (&withheld["gate"], withheld.get("opensAt")));
    }

    /// However it is read, it is the same, and no text has the coordinates of another fix.
    fn check_pages(&mut self, name: &str, visible: &[Kept]) {
        let last = self.model.kept.last().map_or(0, |fix| fix.epoch);
        let place = |fix: &Kept| Place { epoch: fix.epoch, seq: fix.seq };
        let fixes = &self.model.kept;
        let ends = [fixes.get(fixes.len() / 2), fixes.iter().rfind(|fix| !visible.contains(fix))];
        let mut afters = vec![None, Some(Place { epoch: last, seq: 0 })];
        afters.extend(ends.into_iter().flatten().map(|fix| Some(place(fix))));
        afters.push(Some(Place { epoch: last.saturating_sub(1), seq: 7 }));
        let hidden: Vec<String> = self
            .model
            .kept
            .iter()
            .filter(|fix| !visible.contains(fix))
            .map(|fix| fix.lng.to_string())
            .collect();
        // One of them at each step.
        self.checks += 1;
        if let Some(start) = afters.get(self.checks % afters.len()).copied() {
            let (mut after, mut read) = (start, Vec::new());
            loop {
                let page = self.trail(Role::Customer, name, after, self.limit).unwrap();
                for format in [Format::Json, Format::GeoJson, Format::GeoJsonLine, Format::Gpx] {
                    let (text, _) = format.tell(&job_id(), page.to_string()).unwrap();
                    assert!(
                        !hidden.iter().any(|lng| text.contains(lng)),
                        "{text} has what is not for {name}"
                    );
                }
                read.extend(page["locations"].as_array().unwrap().iter().map(Kept::of));
                after = page["next"].as_str().and_then(Place::parse);
                if after.is_none() {
                    break;
                }
            }
            let start = start.unwrap_or_default();
            let rest = visible.iter().filter(|fix| place(fix) > start);
            assert!(read.iter().eq(rest), "after {start} to {name}");
        }
    }
}

/// How many games are played; more by `GATE_GAMES`.
fn games() -> u32 {
    std::env::var("GATE_GAMES").ok().and_then(|games| games.parse().ok()).unwrap_or(100)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(games()) })]

    #[test]
    fn a_gate_shows_nothing_of_before_it_has_opened(acts in prop::collection::vec(act(), 1..50), limit in 1..4_u32) {
        let mut game = Game::new(limit);
        for act in acts {
            game.act(act);
        }
    }
}
