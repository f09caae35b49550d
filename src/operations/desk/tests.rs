use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ids::JobId;
use crate::objects::Class;
use crate::objects::sql::sqlite::{Picky, Sqlite};
use crate::operations::CHANNEL;

const NOW: Millis = 1_700_000_000_000;

fn report(kind: Kind, job: &str, at: Millis) -> Report {
    let cause = Some(Cause { class: Class::Access, code: Some(40101), status: Some(401) });
    let job_id = JobId::parse(job.to_owned()).ok();
    Report { kind, job_id, r#ref: format!("ref-{job}"), at, since: None, cause, times: 1 }
}

fn lines() -> Lines {
    Lines::of("o".to_owned())
}

/// What leaves now: its name, its id and its data.
fn leaves<S: Sql>(desk: &mut Desk<S>, now: Millis) -> (String, String, Value) {
    let Ok(Next::Publish(announcement)) = desk.next(now) else { panic!("nothing leaves") };
    let message: Value = serde_json::from_str(announcement.body.as_str()).unwrap();
    assert_eq!(message["encoding"], "json");
    let text = |name: &str| message[name].as_str().unwrap().to_owned();
    (text("name"), text("id"), serde_json::from_str(&text("data")).unwrap())
}

fn fail<S: Sql>(desk: &mut Desk<S>, class: ErrorClass, now: Millis) -> Option<Line> {
    desk.failed(&PublishError::new(class, Some(401), None, "no"), now, 1.0, &lines()).unwrap()
}

/// Runs every statement there is, for the test that writes down what each gives.
pub(crate) fn every_statement(sql: impl Sql) {
    let mut desk = Desk::wake(sql).unwrap();
    for (kind, job, at) in
        [(Kind::HELD, "a", 1), (Kind::HELD, "a", 2), (Kind::HELD, "b", 3), (Kind::RESUMED, "a", 4)]
    {
        desk.take(&report(kind, job, NOW + at), NOW + at).unwrap();
    }
    desk.take(&report(Kind::HELD, "b", NOW + 3), NOW + 5).unwrap();
    for now in [NOW + 2_001, NOW + 2_004] {
        assert!(matches!(desk.next(now), Ok(Next::Publish(_))), "{now}");
        fail(&mut desk, ErrorClass::BlamesAccess, now);
        assert!(matches!(desk.next(now + 2_000), Ok(Next::Publish(_))), "{now}");
        desk.published(now + 2_000, &lines()).unwrap();
    }
    desk.take(&report(Kind::HELD, "b", NOW + 90_000_000), NOW + 90_000_000).unwrap();
    assert!(matches!(desk.next(NOW + 90_002_000), Ok(Next::Publish(_))));
}

#[test]
fn the_publishing_key_is_told_to_reach_the_channel() {
    assert_eq!(CHANNEL, policy::OPERATIONS_CHANNEL);
}

#[test]
fn what_many_jobs_report_is_one_message() {
    let mut desk = Desk::wake(Sqlite::new()).unwrap();
    assert_eq!(desk.next(NOW), Ok(Next::Nothing));
    for n in 0..1_000 {
        desk.take(&report(Kind::HELD, &format!("j-{n:04}"), NOW + n), NOW + n).unwrap();
    }
    assert_eq!(desk.next(NOW + 999), Ok(Next::Wait(NOW + 2_000)));
    let (name, id, data) = leaves(&mut desk, NOW + 2_000);
    assert_eq!((name.as_str(), id.as_str()), ("outbox.held", "ops:1700000002000:1"));
    assert_eq!((&data["ts"], &data["count"]), (&json!(NOW + 2_000), &json!(1_000)));
    assert_eq!(data["jobs"].as_array().unwrap().len(), 150);
    let first = json!({
        "kind": "outbox.held", "jobId": "j-0000", "ref": "ref-j-0000", "at": NOW,
        "cause": {"class": "access", "code": 40101, "status": 401},
    });
    assert_eq!(data["jobs"][0], first);
    assert_eq!(desk.next(NOW + 2_000), Ok(Next::Wait(NOW + 32_000)), "one message is in flight");
    assert_eq!(desk.published(NOW + 2_100, &lines()), Ok(None));
    assert_eq!(desk.next(NOW + 90_000_000), Ok(Next::Nothing));
}

#[test]
fn the_longest_message_is_below_what_ably_takes() {
    let mut desk = Desk::wake(Sqlite::new()).unwrap();
    let cause = Some(Cause { class: Class::Transient, code: Some(u32::MAX), status: Some(u16::MAX) });
    for n in 0..200 {
        let job_id = JobId::parse(format!("{n:064}")).ok();
        let (r#ref, at) = (format!("{n:064}"), NOW);
        let report = Report { kind: Kind::SET_ASIDE, job_id, r#ref, at, since: Some(NOW), cause, times: 1 };
        desk.take(&report, NOW).unwrap();
        desk.take(&Report { at: NOW + 1, ..report }, NOW + 1).unwrap();
    }
    let Ok(Next::Publish(announcement)) = desk.next(NOW + 2_001) else { panic!("nothing leaves") };
    let message: Value = serde_json::from_str(announcement.body.as_str()).unwrap();
    let data = message["data"].as_str().unwrap();
    assert!((30_000..60 * 1024).contains(&data.len()), "{}", data.len());
}

#[test]
fn a_kind_is_told_once_a_minute_and_what_comes_meanwhile_is_merged() {
    let mut desk = Desk::wake(Sqlite::new()).unwrap();
    desk.take(&report(Kind::HELD, "a", NOW), NOW).unwrap();
    leaves(&mut desk, NOW + 2_000);
    desk.published(NOW + 2_500, &lines()).unwrap();
    for at in [3_000, 4_000, 5_000] {
        desk.take(&report(Kind::HELD, "a", NOW + at), NOW + at).unwrap();
    }
    desk.take(&report(Kind::HELD, "b", NOW + 6_000), NOW + 6_000).unwrap();
    // Another kind does not wait for that.
    desk.take(&report(Kind::RESUMED, "a", NOW + 7_000), NOW + 7_000).unwrap();
    assert_eq!(leaves(&mut desk, NOW + 9_000).0, "outbox.resumed");
    desk.published(NOW + 9_000, &lines()).unwrap();
    assert_eq!(desk.next(NOW + 9_000), Ok(Next::Wait(NOW + 62_500)));
    let (_, _, data) = leaves(&mut desk, NOW + 62_500);
    let told: Vec<_> = data["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| (&job["jobId"], &job["at"], &job["times"]))
        .collect();
    let (a, b) = (json!("a"), json!("b"));
    assert_eq!(told, [(&a, &json!(NOW + 5_000), &json!(3)), (&b, &json!(NOW + 6_000), &Value::Null)]);
}

#[test]
fn a_report_that_was_taken_before_is_told_once() {
    let sqlite = Sqlite::new();
    let mut desk = Desk::wake(sqlite.clone()).unwrap();
    // The job could not reach the desk for two hours.
    let now = NOW + 7_200_000;
    let said = report(Kind::SET_ASIDE, "a", NOW);
    desk.take(&said, now).unwrap();
    desk.take(&said, now + 1).unwrap();
    assert_eq!(leaves(&mut desk, now + 2_000).2["jobs"][0]["times"], Value::Null);
    desk.published(now + 2_000, &lines()).unwrap();
    let mut desk = Desk::wake(sqlite.clone()).unwrap();
    desk.take(&said, now + 120_000).unwrap();
    let Ok(Next::Wait(until)) = desk.next(now + 120_000) else {
        panic!("it is told again, or kept for ever")
    };
    // It is forgotten by the alarm.
    assert_eq!(until, now + 2_000 + 86_400_001);
    assert_eq!(desk.next(until), Ok(Next::Nothing));
    assert_eq!(sqlite.exec("SELECT ref FROM reports", vec![]).unwrap().len(), 0);
}

#[test]
fn what_a_newer_build_reports_is_passed_on() {
    let text = serde_json::to_string(&report(Kind::from("outbox.new".to_owned()), "a", NOW)).unwrap();
    let text = text.replace(r#""access""#, r#""quota""#).replace(r#""at":"#, r#""more":1,"at":"#);
    let mut desk = Desk::wake(Sqlite::new()).unwrap();
    desk.take(&serde_json::from_str(&text).unwrap(), NOW).unwrap();
    assert_eq!(leaves(&mut desk, NOW + 2_000).0, "outbox.new");
}

#[test]
fn a_message_is_the_same_whenever_it_is_sent_again() {
    let sqlite = Sqlite::new();
    let mut desk = Desk::wake(sqlite.clone()).unwrap();
    desk.take(&report(Kind::HELD, "a", NOW), NOW).unwrap();
    let first = leaves(&mut desk, NOW + 2_000);
    let line = fail(&mut desk, ErrorClass::BlamesAccess, NOW + 2_000).unwrap();
    let said: Value = serde_json::from_str(&line.text).unwrap();
    let expected = json!({
        "level": "error", "code": "ops_publish_failed", "ref": "o", "next": "Retry", "retryAt": NOW + 4_000,
        "cause": {"class": "access", "status": 401, "code": null},
    });
    assert_eq!(said, expected);
    desk.take(&report(Kind::HELD, "b", NOW + 3_000), NOW + 3_000).unwrap();
    assert_eq!(desk.next(NOW + 3_000), Ok(Next::Wait(NOW + 4_000)));
    // It has slept.
    let mut desk = Desk::wake(sqlite).unwrap();
    assert_eq!(desk.next(NOW + 3_000), Ok(Next::Wait(NOW + 4_000)), "a sleep shortens no wait");
    assert_eq!(leaves(&mut desk, NOW + 4_000), first);
    assert_eq!(fail(&mut desk, ErrorClass::BlamesAccess, NOW + 4_000), None, "that is no news");
    assert_eq!(desk.next(NOW + 4_000), Ok(Next::Wait(NOW + 8_000)), "less and less often");
    assert_eq!(leaves(&mut desk, NOW + 8_000), first);
    let line = desk.published(NOW + 8_000, &lines()).unwrap().unwrap();
    assert_eq!((line.level, line.code), (Level::Info, "ops_publish_resumed"));
    assert_eq!(desk.next(NOW + 8_000), Ok(Next::Wait(NOW + 68_000)));
    assert_eq!(leaves(&mut desk, NOW + 68_000).2["jobs"][0]["jobId"], "b");
}

#[test]
fn a_message_that_is_refused_is_in_nobodys_way() {
    let mut desk = Desk::wake(Sqlite::new()).unwrap();
    desk.take(&report(Kind::HELD, "a", NOW), NOW).unwrap();
    desk.take(&report(Kind::RESUMED, "a", NOW + 1), NOW + 1).unwrap();
    leaves(&mut desk, NOW + 2_000);
    let line = fail(&mut desk, ErrorClass::BlamesMessage, NOW + 2_000).unwrap();
    assert!(line.text.contains(r#""next":"Drop""#), "{}", line.text);
    let mut now = NOW + 2_001;
    for round in 0..3 {
        assert_eq!(leaves(&mut desk, now).0, "outbox.resumed", "{round}");
        let line = fail(&mut desk, ErrorClass::Unknown, now);
        assert_eq!(line.is_some(), round != 1, "{round}");
        now += 660_000;
    }
    assert!(!matches!(desk.next(now), Ok(Next::Publish(_))));
}

#[test]
fn where_our_clock_has_gone_back_operators_still_hear() {
    let mut desk = Desk::wake(Sqlite::new()).unwrap();
    let ahead = NOW + 86_400_000;
    desk.take(&report(Kind::HELD, "a", ahead), ahead).unwrap();
    leaves(&mut desk, ahead + 2_000);
    desk.published(ahead + 2_000, &lines()).unwrap();
    desk.take(&report(Kind::HELD, "a", NOW), NOW).unwrap();
    leaves(&mut desk, NOW + 2_000);
    fail(&mut desk, ErrorClass::BlamesAccess, ahead + 4_000);
    leaves(&mut desk, NOW + 3_000);
    desk.published(NOW + 3_000, &lines()).unwrap();
    // By a little, as on another machine, it changes nothing.
    desk.take(&report(Kind::HELD, "a", NOW - 2_000), NOW - 2_000).unwrap();
    assert_eq!(desk.next(NOW), Ok(Next::Wait(NOW + 63_000)));
}

#[test]
fn while_the_storage_refuses_a_message_goes_out_now_and_then() {
    for (refused, is_stored) in [("UPDATE messages", true), ("INSERT OR REPLACE INTO halt", false)] {
        let picky = Picky::new();
        let mut desk = Desk::wake(picky.clone()).unwrap();
        desk.take(&report(Kind::HELD, "a", NOW), NOW).unwrap();
        let mut now = NOW + 2_000;
        picky.refuses(refused);
        for _ in 0..3 {
            leaves(&mut desk, now);
            let error = PublishError::new(ErrorClass::BlamesAccess, Some(401), None, "no");
            let noted = match is_stored {
                true => desk.published(now, &lines()),
                false => desk.failed(&error, now, 1.0, &lines()),
            };
            assert!(noted.is_err());
            assert_eq!(desk.next(now), Ok(Next::Wait(now + 30_000)), "{refused}");
            now += 30_000;
        }
        picky.refuses(None);
        leaves(&mut desk, now);
        desk.published(now, &lines()).unwrap();
        assert!(!matches!(desk.next(now + 60_000), Ok(Next::Publish(_))), "it is told once");
    }
}

#[test]
fn what_cannot_be_made_a_message_stays_to_be_told() {
    let picky = Picky::new();
    let mut desk = Desk::wake(picky.clone()).unwrap();
    desk.take(&report(Kind::HELD, "a", NOW), NOW).unwrap();
    picky.refuses("INSERT INTO messages");
    assert!(desk.next(NOW + 2_000).is_err());
    picky.refuses(None);
    leaves(&mut desk, NOW + 2_001);
}

#[test]
fn while_nothing_leaves_what_is_kept_is_bounded() {
    let sqlite = Sqlite::new();
    let mut desk = Desk::wake(sqlite.clone()).unwrap();
    for n in 0..21_000 {
        desk.take(&report(Kind::HELD, &format!("j-{n}"), NOW + n), NOW + n).unwrap();
    }
    let rows = sqlite.exec("SELECT count(*), min(at) FROM reports", vec![]).unwrap();
    let mut record = crate::objects::sql::Record::new(rows.into_iter().next().unwrap());
    assert!(record.count("count").unwrap() <= 20_256);
    assert!(record.integer("at").unwrap() > NOW, "the oldest have gone");
}

#[derive(Debug, Clone)]
enum Act {
    Report {
        kind: usize,
        job: u8,
    },
    /// The last report again.
    Repeat,
    /// What is in flight ends: it was stored or not, and is known to be or not.
    End {
        stored: bool,
        known: bool,
    },
    Wait(Millis),
    Sleep,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..2_usize, 0..4_u8).prop_map(|(kind, job)| Act::Report { kind, job }),
        1 => Just(Act::Repeat),
        4 => any::<(bool, bool)>().prop_map(|(stored, known)| Act::End { stored, known }),
        4 => (1..40_000_i64).prop_map(Act::Wait),
        1 => Just(Act::Sleep),
    ]
}

proptest! {
    #[test]
    fn each_report_is_told_once_and_a_kind_at_most_once_a_minute(acts in prop::collection::vec(act(), 1..80)) {
        let sqlite = Sqlite::new();
        let mut desk = Desk::wake(sqlite.clone()).unwrap();
        let mut now = NOW;
        let mut in_flight: Option<Value> = None;
        let mut last: Option<Report> = None;
        // By id, in the order in which Ably has stored them, and when.
        let mut stored: Vec<(Millis, Value)> = Vec::new();
        let mut bytes: BTreeMap<String, Value> = BTreeMap::new();
        let mut reported: BTreeMap<(String, String), u64> = BTreeMap::new();
        let settle = (0..60).flat_map(|_| [Act::End { stored: true, known: true }, Act::Wait(31_000)]);
        for act in acts.into_iter().chain(settle) {
            now += 1;
            match act {
                Act::Report { kind, job } => {
                    let kind = [Kind::HELD, Kind::SET_ASIDE].into_iter().nth(kind).unwrap();
                    let said = report(kind, &format!("j-{job}"), now);
                    desk.take(&said, now).unwrap();
                    *reported.entry((said.kind.as_str().to_owned(), said.job_id.as_ref().unwrap().to_string())).or_default() += 1;
                    last = Some(said);
                }
                Act::Repeat => last.iter().for_each(|said| desk.take(said, now).unwrap()),
                Act::End { stored: is_stored, known } => {
                    let Some(message) = in_flight.take() else { continue };
                    if is_stored && stored.iter().all(|(_, before)| before["id"] != message["id"]) {
                        stored.push((now, message));
                    }
                    if is_stored && known {
                        desk.published(now, &lines()).unwrap();
                    } else {
                        fail(&mut desk, ErrorClass::Transient { retry_after: None }, now);
                    }
                }
                Act::Wait(ms) => now += ms,
                Act::Sleep => {
                    desk = Desk::wake(sqlite.clone()).unwrap();
                    in_flight = None;
                }
            }
            if let Next::Publish(announcement) = desk.next(now).unwrap() {
                prop_assert!(in_flight.is_none(), "one is in flight at a time");
                let message: Value = serde_json::from_str(announcement.body.as_str()).unwrap();
                let id = message["id"].as_str().unwrap().to_owned();
                let before = bytes.entry(id).or_insert_with(|| message.clone());
                prop_assert_eq!(&*before, &message, "a message is the same whenever it is sent");
                in_flight = Some(message);
            }
        }
        let mut told: BTreeMap<(String, String), u64> = BTreeMap::new();
        let mut made: BTreeMap<String, Millis> = BTreeMap::new();
        for (_, message) in &stored {
            let name = message["name"].as_str().unwrap();
            let data: Value = serde_json::from_str(message["data"].as_str().unwrap()).unwrap();
            let ts = data["ts"].as_i64().unwrap();
            prop_assert!(made.insert(name.to_owned(), ts).is_none_or(|before| ts - before >= 60_000));
            for job in data["jobs"].as_array().unwrap() {
                let key = (name.to_owned(), job["jobId"].as_str().unwrap().to_owned());
                *told.entry(key).or_default() += job["times"].as_u64().unwrap_or(1);
            }
        }
        prop_assert_eq!(told, reported);
    }
}
