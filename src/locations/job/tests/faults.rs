//! The object under faults: it dies at any moment, Ably refuses, forgets to answer or answers nothing, and nobody asks for the job
//! any more. After every step what subscribers have seen is held to the rules; and in the end time alone brings everything.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::locations::log::SetAside;
use crate::objects::lines::Lines;
use crate::operations::{Desk, Kind, Next, Report};

/// What Ably makes of a publish.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fortune {
    Stored,
    /// It is stored, and nobody hears of it.
    StoredInVain,
    /// It does not arrive, or is refused.
    Fails(ErrorClass),
}

/// What happens to a turn of the object.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Turn {
    Whole,
    /// The object dies before what the turn has written is durable: nothing of it is, and nobody sees what it said.
    Lost,
    /// The object dies as soon as it is durable: nobody sees what it said, and what was to leave may have left.
    Kept {
        left: bool,
    },
}

#[derive(Debug, Clone)]
enum Act {
    /// `late` of them were measured before all others.
    Post { fixes: u8, late: u8, turn: Turn },
    /// The last post again.
    Retry { turn: Turn },
    /// What is in flight ends.
    End { fortune: Fortune, turn: Turn },
    /// Time passes; the alarm and the timer go off.
    Wait { ms: Millis, turn: Turn },
    /// Nobody asks for the object, and it is put to sleep.
    Sleep,
    /// What was set aside first is asked for again.
    Resend,
    /// What is on its way to operators gets there or not, and that is known or not.
    Hear { heard: bool, known: bool, turn: Turn },
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        8 => Just(Turn::Whole),
        1 => Just(Turn::Lost),
        1 => any::<bool>().prop_map(|left| Turn::Kept { left }),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let fortune = prop_oneof![
        8 => Just(Fortune::Stored),
        2 => Just(Fortune::StoredInVain),
        2 => Just(Fortune::Fails(ErrorClass::Transient { retry_after: None })),
        1 => Just(Fortune::Fails(ErrorClass::BlamesAccess)),
        1 => Just(Fortune::Fails(ErrorClass::BlamesMessage)),
        1 => Just(Fortune::Fails(ErrorClass::Unknown)),
    ];
    let ms = prop_oneof![4 => 0..100_i64, 4 => 100..3_000_i64, 2 => 3_000..20_000_i64, 1 => Just(HOUR)];
    prop_oneof![
        8 => (1..5_u8, 0..3_u8, turn()).prop_map(|(fixes, late, turn)| Act::Post { fixes, late, turn }),
        2 => turn().prop_map(|turn| Act::Retry { turn }),
        8 => (fortune, turn()).prop_map(|(fortune, turn)| Act::End { fortune, turn }),
        5 => (ms, turn()).prop_map(|(ms, turn)| Act::Wait { ms, turn }),
        1 => Just(Act::Sleep),
        1 => Just(Act::Resend),
        3 => (any::<(bool, bool)>(), turn()).prop_map(|((heard, known), turn)| Act::Hear { heard, known, turn }),
    ]
}

/// Everything outside the object.
struct World {
    now: Millis,
    disk: MemoryLog,
    /// The alarm, which is on disk too.
    alarm: Option<Millis>,
    timer: Option<Millis>,
    job: Option<Job<MemoryLog>>,
    in_flight: Option<Publication>,
    /// What was in flight when the object died, and until when it may still arrive.
    under_way: Vec<(Millis, Publication)>,
    /// What Ably has refused, as it always will, by id.
    refused: BTreeSet<String>,
    /// What Ably has stored, by id, in order: it knows a double by its id.
    stored: Vec<PublishedMessage>,
    bytes: BTreeMap<String, String>,
    /// When a publish left.
    left: Vec<(Millis, usize)>,
    /// The latitude of each fix that somebody was told of, by its seq. No two are at one place.
    told: BTreeMap<u64, f64>,
    posts: u32,
    last_post: Option<Value>,
    /// What is on its way to operators.
    reporting: Option<Report>,
    /// What merges it, and how often they have heard of each kind.
    desk: Desk<Sqlite>,
    heard: BTreeMap<Kind, u64>,
    /// How often they should.
    to_hear: BTreeMap<Kind, u64>,
}

impl World {
    fn new() -> Self {
        Self {
            now: NOW,
            disk: MemoryLog::default(),
            alarm: None,
            timer: None,
            job: None,
            in_flight: None,
            under_way: Vec::new(),
            refused: BTreeSet::new(),
            stored: Vec::new(),
            bytes: BTreeMap::new(),
            left: Vec::new(),
            told: BTreeMap::new(),
            posts: 0,
            last_post: None,
            reporting: None,
            desk: Desk::wake(Sqlite::new()).unwrap(),
            heard: BTreeMap::new(),
            to_hear: BTreeMap::new(),
        }
    }

    /// The object loses all that is not on disk. What is in flight goes on.
    fn die(&mut self) {
        let until = self.now + 15_000;
        self.under_way.extend(self.in_flight.take().map(|publication| (until, publication)));
        self.job = None;
        self.timer = None;
        self.reporting = None;
    }

    /// One turn of the object, which wakes for it: what it does, and then what every turn ends with. Nobody sees what it says where it
    /// dies.
    fn turn<T>(&mut self, turn: Turn, act: impl FnOnce(&mut Job<MemoryLog>, Millis) -> T) -> Option<T> {
        let (disk, alarm) = (self.disk.copy(), self.alarm);
        let now = self.now;
        let kept = self.disk.clone();
        let job = self.job.get_or_insert_with(|| wake(kept));
        let said = act(job, now);
        let need = job.next(now).unwrap();
        if let Some(at) = job.arm(now) {
            self.alarm = Some(at);
        }
        let notices = job.notices();
        let report = job.report(now);
        if turn == Turn::Lost {
            (self.disk, self.alarm) = (disk, alarm);
            self.die();
            return None;
        }
        for (kind, ..) in notices.into_iter().filter_map(Notice::reported) {
            *self.to_hear.entry(kind).or_default() += 1;
        }
        if report.is_some() {
            assert!(self.reporting.is_none(), "one report is on its way at a time");
            self.reporting = report;
        }
        let is_whole = turn == Turn::Whole;
        match need {
            Need::Publish(publication) if is_whole || turn == (Turn::Kept { left: true }) => {
                self.leaves(&publication);
                if is_whole {
                    self.in_flight = Some(publication);
                } else {
                    self.store(&publication);
                }
            }
            Need::Wait { until } if is_whole => self.timer = Some(until),
            _ => {}
        }
        if !is_whole {
            self.die();
        }
        is_whole.then_some(said)
    }

    fn leaves(&mut self, publication: &Publication) {
        assert!(self.in_flight.is_none(), "one publish is in flight at a time");
        let message: PublishedMessage = serde_json::from_str(publication.body.as_str()).unwrap();
        let resent = message.name == "location.backfilled" && self.bytes.contains_key(&message.id);
        let before = self.bytes.insert(message.id.clone(), publication.body.as_str().to_owned());
        if let Some(before) = before.filter(|_| !resent) {
            assert_eq!(before, publication.body.as_str(), "a message is the same at every retry");
        }
        assert!(message.data.len() <= 60 * 1024);
        self.left.push((self.now, publication.body.as_str().len()));
    }

    fn store(&mut self, publication: &Publication) {
        let message: PublishedMessage = serde_json::from_str(publication.body.as_str()).unwrap();
        if self.stored.iter().all(|stored| stored.id != message.id) && !self.refused.contains(&message.id) {
            self.stored.push(message);
        }
    }

    fn post(&mut self, body: &Value, turn: Turn) {
        let Some(results) = self.turn(turn, |job, now| post(job, body.clone(), now)) else { return };
        for (index, result) in results["results"].as_array().unwrap().iter().enumerate() {
            let seq = result["seq"].as_u64().unwrap();
            let lat = body["locations"][index]["lat"].as_f64().unwrap();
            let before = self.told.insert(seq, lat);
            assert!(before.is_none_or(|before| before == lat), "seq {seq} is told for two fixes");
            let same = self.told.iter().filter(|(_, told)| **told == lat).count();
            assert_eq!(same, 1, "a fix has one seq");
        }
        self.last_post = Some(body.clone());
    }

    fn act(&mut self, act: Act) {
        // Nothing takes no time at all: and two changes of a kind are told apart by when they were.
        self.now += 1;
        match act {
            Act::Post { fixes, late, turn } => {
                self.posts += 1;
                let fix = |index: u8| {
                    let age = if index < late { HOUR + i64::from(index) } else { i64::from(index) };
                    let lat = f64::from(8 * self.posts + u32::from(index)) / 64.0;
                    json!({"lat": lat, "lng": 1, "capturedAt": self.now - age})
                };
                let body = json!({"locations": (0..fixes).map(fix).collect::<Vec<_>>()});
                self.post(&body, turn);
            }
            Act::Retry { turn } => {
                if let Some(body) = self.last_post.clone() {
                    self.post(&body, turn);
                }
            }
            Act::End { fortune, turn } => self.end(fortune, turn),
            Act::Wait { ms, turn } => self.wait(ms, turn),
            Act::Sleep => self.die(),
            Act::Hear { heard, known, turn } => self.hear(heard, known, turn),
            Act::Resend => {
                let Some(SetAside { first_n, last_n, .. }) = self.disk.given_up().first().cloned() else {
                    return;
                };
                // Whoever asks has mended what was wrong with it, for what leaves from now on.
                let refused = std::mem::take(&mut self.refused);
                self.under_way.retain(|(_, publication)| !refused.contains(&id_of(publication)));
                let epoch = self.disk.all().first().map_or(0, |row| row.epoch);
                self.turn(Turn::Whole, |job, now| {
                    let range = crate::locations::protocol::Range { epoch, from_seq: first_n, seq: last_n };
                    let reply = job.handle(JobRequest::Resend { job: job_id(), range }, now);
                    assert!(matches!(reply, Ok(Reply::Answer(_))), "{reply:?}");
                });
            }
        }
    }

    fn end(&mut self, fortune: Fortune, turn: Turn) {
        let arrives = !matches!(fortune, Fortune::Fails(_));
        let Some(publication) = self.in_flight.take() else {
            // The object has died since, and hears nothing of it.
            let under_way = self.under_way.pop().filter(|(until, _)| arrives && self.now <= *until);
            if let Some((_, publication)) = under_way {
                self.store(&publication);
            }
            return;
        };
        let id = id_of(&publication);
        // It decides once on each message.
        let fortune = match fortune {
            Fortune::Fails(ErrorClass::BlamesMessage) if self.stored.iter().any(|stored| stored.id == id) => {
                Fortune::Stored
            }
            _ if self.refused.contains(&id) => Fortune::Fails(ErrorClass::BlamesMessage),
            fortune => fortune,
        };
        match fortune {
            Fortune::Stored | Fortune::StoredInVain => self.store(&publication),
            Fortune::Fails(ErrorClass::BlamesMessage) => drop(self.refused.insert(id)),
            Fortune::Fails(_) => {}
        }
        let transient = ErrorClass::Transient { retry_after: None };
        self.turn(turn, |job, now| match fortune {
            Fortune::Stored => job.published(now).unwrap(),
            Fortune::StoredInVain => {
                let error = PublishError::new(transient, None, None, "");
                job.failed(publication.ticket, (&error).into(), now, 0.5).unwrap();
            }
            Fortune::Fails(class) => {
                let error = PublishError::new(class, Some(400), None, "");
                job.failed(publication.ticket, (&error).into(), now, 0.5).unwrap();
            }
        });
    }

    fn hear(&mut self, heard: bool, known: bool, turn: Turn) {
        let Some(report) = self.reporting.take() else { return };
        if heard {
            self.desk.take(&report, self.now).unwrap();
        }
        self.turn(turn, |job, now| match heard && known {
            true => job.heard(now, 0.5).unwrap(),
            false => drop(job.unheard(now, 0.5)),
        });
        self.tell();
    }

    /// Operators hear what the desk has for them.
    fn tell(&mut self) {
        while let Next::Publish(announcement) = self.desk.next(self.now).unwrap() {
            let message: PublishedMessage = serde_json::from_str(announcement.body.as_str()).unwrap();
            let data: Value = serde_json::from_str(&message.data).unwrap();
            let times: u64 =
                data["jobs"].as_array().unwrap().iter().map(|job| job["times"].as_u64().unwrap_or(1)).sum();
            *self.heard.entry(Kind::from(message.name)).or_default() += times;
            self.desk.published(self.now, &Lines::of(String::new())).unwrap();
        }
    }

    /// Lets time pass, and what is due in it happen, in order. What is in flight does not end by itself.
    fn wait(&mut self, ms: Millis, turn: Turn) {
        let until = self.now + ms;
        loop {
            let timer = self.timer.filter(|_| self.job.is_some());
            let Some(at) = [timer, self.alarm].into_iter().flatten().min().filter(|at| *at <= until) else {
                break;
            };
            self.now = self.now.max(at);
            if timer == Some(at) {
                self.timer = None;
                self.turn(turn, |_, _| ());
            } else {
                self.alarm = None;
                let rung = self.turn(turn, |job, now| job.alarm(now).unwrap());
                // One that has not ended is tried again: the runtime sees to that.
                if rung.is_none() && self.alarm.is_none() {
                    self.alarm = Some(self.now + 2_000);
                }
            }
            if turn != Turn::Whole {
                break;
            }
        }
        self.now = self.now.max(until);
    }

    /// What must hold at any time.
    fn check(&self) {
        let rows = self.disk.all();
        let kept: BTreeMap<u64, f64> =
            rows.iter().flat_map(Row::fixes).map(|kept| (kept.seq, kept.fix.lat())).collect();
        assert!(kept.keys().copied().eq(1..=kept.len() as u64), "seqs have no gap");
        for (seq, lat) in &self.told {
            assert_eq!(kept.get(seq), Some(lat), "what was told is on disk");
        }
        let is_live: BTreeSet<u64> = rows.iter().filter_map(Row::head).map(|head| head.seq).collect();
        let aside: BTreeSet<u64> =
            self.disk.given_up().iter().flat_map(|message| message.first_n..=message.last_n).collect();
        let mut seen: BTreeSet<u64> = BTreeSet::new();
        let mut last = 0;
        for message in &self.stored {
            let data: Value = serde_json::from_str(&message.data).unwrap();
            let (from, seq) = (data["fromSeq"].as_u64().unwrap(), data["seq"].as_u64().unwrap());
            let backfill = data["backfill"].as_array().into_iter().flatten();
            let mut fixes: BTreeMap<u64, f64> =
                backfill.map(|tuple| (tuple[0].as_u64().unwrap(), tuple[2].as_f64().unwrap())).collect();
            if message.name == "location.updated" {
                let head = data["headSeq"].as_u64().unwrap_or(seq);
                fixes.insert(head, data["lat"].as_f64().unwrap());
                assert!(is_live.contains(&head), "the head of a message is live");
                assert_eq!(is_live.range(from..=seq).next_back(), Some(&head), "and the newest that is");
                assert!(head > last, "a marker never goes back");
            }
            assert!(fixes.keys().copied().eq(from..=seq), "a message holds all that it stands for");
            for (seq, lat) in fixes {
                assert_eq!(kept.get(&seq), Some(&lat), "what is seen is on disk");
                assert!(seen.insert(seq), "seq {seq} is seen twice");
            }
            // What was set aside and is sent again comes when it comes.
            if from > last {
                let skipped = (last + 1..from).all(|seq| aside.contains(&seq) || self.was_aside(seq));
                assert!(skipped, "in order, and nothing is passed over but what was set aside");
                last = seq;
            } else {
                assert_eq!(message.name, "location.backfilled", "what comes out of order moves no marker");
                assert!((from..=seq).all(|seq| self.was_aside(seq)));
            }
        }
        for (index, (at, _)) in self.left.iter().enumerate() {
            let second = self.left.iter().skip(index).take_while(|(later, _)| later - at < 1_000);
            let (count, bytes) = second.fold((0, 0), |(count, bytes), (_, more)| (count + 1, bytes + more));
            assert!(count <= 50 && bytes <= 1024 * 1024, "{count} messages and {bytes} bytes in a second");
        }
    }

    fn was_aside(&self, seq: u64) -> bool {
        self.disk.ever_given_up(seq)
    }

    /// What must hold in the end, when Ably takes everything and nobody asks for the job: time alone brings it.
    fn settle(&mut self) {
        for _ in 0..2_000 {
            self.end(Fortune::Stored, Turn::Whole);
            self.hear(true, true, Turn::Whole);
            let Some(at) = self.timer.filter(|_| self.job.is_some()).into_iter().chain(self.alarm).min()
            else {
                break;
            };
            // Nothing waits but the end of the trail's time.
            if at - self.now > DAY {
                break;
            }
            // An object that waits for longer is put to sleep.
            if at - self.now > 10_000 {
                self.die();
            }
            self.wait((at - self.now).max(0), Turn::Whole);
            self.check();
        }
        let is_at_rest = self.alarm.is_none_or(|at| at - self.now > DAY) && self.in_flight.is_none();
        assert!(is_at_rest, "{:?}", self.alarm);
        for _ in 0..10 {
            self.now += 60_000;
            self.tell();
        }
        assert_eq!(self.heard, self.to_hear, "operators hear of each change once");
        let rows = self.disk.all();
        let last = rows.last().map_or(0, |row| row.seq);
        let seen: BTreeSet<u64> = self
            .stored
            .iter()
            .flat_map(|message| {
                let data: Value = serde_json::from_str(&message.data).unwrap();
                data["fromSeq"].as_u64().unwrap()..=data["seq"].as_u64().unwrap()
            })
            .collect();
        let aside: BTreeSet<u64> =
            self.disk.given_up().iter().flat_map(|message| message.first_n..=message.last_n).collect();
        for seq in 1..=last {
            assert!(seen.contains(&seq) || aside.contains(&seq), "seq {seq} is lost");
        }
        assert_eq!(
            wake(self.disk.clone()).next(self.now),
            Ok(Need::Nothing),
            "it is written down that all has arrived"
        );
    }
}

fn id_of(publication: &Publication) -> String {
    serde_json::from_str::<PublishedMessage>(publication.body.as_str()).unwrap().id
}

/// How many games are played; more by `FAULT_GAMES`.
fn games() -> u32 {
    std::env::var("FAULT_GAMES").ok().and_then(|games| games.parse().ok()).unwrap_or(400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(games()))]

    #[test]
    fn nothing_is_lost_whatever_fails(acts in prop::collection::vec(act(), 1..60)) {
        let mut world = World::new();
        for act in acts {
            world.act(act);
            world.check();
        }
        world.settle();
    }
}
