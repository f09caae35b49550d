use std::collections::BTreeMap;

use ably::rest::{ErrorClass, PublishError};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::objects::lines::Lines;
use crate::objects::sql::SqlValue;
use crate::objects::sql::sqlite::{Picky, Sqlite};
use crate::operations::Kind;

const NOW: Millis = 1_700_000_000_000;
const HOUR: Millis = 3_600_000;

fn settings() -> Settings {
    Settings { reference: "ref-1".to_owned(), spacing: 25 }
}

fn wake<S: Sql + Clone>(sql: &S) -> Inbox<S> {
    Inbox::wake(sql.clone(), settings()).unwrap()
}

fn request(id: &str, version: u64) -> Request {
    let body = format!(r#"{{"id": "{id}", "type": "t", "entityId": "e", "version": {version}}}"#);
    let notification = Notification::parse(body.as_bytes()).unwrap();
    // Through the JSON in which it travels.
    let request = Request { user: UserId::parse("ann").unwrap(), notification };
    serde_json::from_str(&serde_json::to_string(&request).unwrap()).unwrap()
}

fn error(class: ErrorClass, status: u16) -> PublishError {
    PublishError::new(class, Some(status), None, "why")
}

fn refused() -> PublishError {
    error(ErrorClass::BlamesMessage, 400)
}

fn no_access() -> PublishError {
    error(ErrorClass::BlamesAccess, 401)
}

/// What is published now.
fn leaving<S: Sql>(inbox: &mut Inbox<S>, now: Millis) -> Option<Publication> {
    match inbox.next(now).unwrap() {
        Need::Publish(publication) => Some(publication),
        Need::Wait { .. } | Need::Nothing => None,
    }
}

/// Ably's id and the notification's.
fn told(publication: &Publication) -> (String, String) {
    let message: Value = serde_json::from_str(publication.body.as_str()).unwrap();
    let data: Value = serde_json::from_str(message["data"].as_str().unwrap()).unwrap();
    (message["id"].as_str().unwrap().to_owned(), data["id"].as_str().unwrap().to_owned())
}

/// Publishes all that waits, and gives the ids.
fn drain<S: Sql>(inbox: &mut Inbox<S>, mut now: Millis) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        now += 25;
        match inbox.next(now).unwrap() {
            Need::Publish(publication) => {
                ids.push(told(&publication).1);
                inbox.published(now).unwrap();
            }
            Need::Wait { .. } => {}
            Need::Nothing => return ids,
        }
    }
}

/// What each statement gives is written down by a test of the log.
pub(crate) fn every_statement(sql: impl Sql + Clone) {
    let mut inbox = wake(&sql);
    inbox.take(&request("a", 1), NOW).unwrap();
    inbox.take(&request("a", 1), NOW).unwrap();
    inbox.take(&request("b", 1), NOW).unwrap();
    inbox.take(&request("c", 1), NOW).unwrap();
    leaving(&mut inbox, NOW).unwrap();
    inbox.published(NOW).unwrap();
    let mut inbox = wake(&sql);
    let publication = leaving(&mut inbox, NOW + 100).unwrap();
    inbox.failed(publication.ticket, (&refused()).into(), NOW + 100, 0.0).unwrap();
    wake(&sql);
    drain(&mut inbox, NOW + 200);
    wake(&sql);
    assert!(inbox.report(NOW + 500).is_some());
    inbox.heard(NOW + 500, 0.0).unwrap();
    inbox.alarm(NOW + 25 * HOUR + 10_000).unwrap();
    wake(&sql);
}

#[test]
fn what_is_taken_leaves_in_order_and_is_recognised() {
    let sqlite = Sqlite::new();
    let mut inbox = wake(&sqlite);
    assert_eq!((inbox.next(NOW), inbox.arm(NOW), sqlite.tables()), (Ok(Need::Nothing), None, 0));
    assert_eq!(inbox.take(&request("a", 1), NOW), Ok(Taken::Accepted));
    let Publication { channel, body, .. } = leaving(&mut inbox, NOW).unwrap();
    assert_eq!(channel, "notifications:user:ann");
    let message: Value = serde_json::from_str(body.as_str()).unwrap();
    assert_eq!((&message["name"], &message["encoding"]), (&"notification".into(), &"json".into()));
    assert_eq!(message["data"], r#"{"id":"a","type":"t","entityId":"e","version":1,"ts":1700000000000}"#);
    for (id, version, taken) in [
        ("a", 1, Taken::Duplicate),
        ("a", 2, Taken::IdReused),
        ("b", 1, Taken::Accepted),
        ("A", 1, Taken::Accepted),
        ("b", 1, Taken::Duplicate),
    ] {
        assert_eq!(inbox.take(&request(id, version), NOW + 1), Ok(taken), "{id}");
    }
    assert_eq!(leaving(&mut inbox, NOW + 1_000), None, "one at a time");
    inbox.published(NOW + 1_000).unwrap();
    assert_eq!(drain(&mut inbox, NOW + 1_000), ["b", "A"]);
    assert_eq!(inbox.take(&request("a", 1), NOW + 2_000), Ok(Taken::Duplicate));
    assert_eq!(inbox.take(&request("a", 2), NOW + 2_000), Ok(Taken::IdReused));
    let bodies = sqlite.exec("SELECT count(body) FROM notifications", vec![]).unwrap();
    assert_eq!(bodies, [[SqlValue::Real(0.0)]], "what is confirmed is deleted");
}

#[test]
fn a_day_after_its_confirmation_nothing_is_kept_of_it_and_no_table() {
    let sqlite = Sqlite::new();
    let mut inbox = wake(&sqlite);
    inbox.take(&request("a", 1), NOW).unwrap();
    let first = leaving(&mut inbox, NOW).unwrap();
    assert_eq!(inbox.arm(NOW), Some(NOW + 8_000));
    inbox.published(NOW + 100).unwrap();
    assert_eq!(inbox.arm(NOW + 100), None, "it is left to go off");
    inbox.alarm(NOW + 8_000).unwrap();
    let end = NOW + 100 + 25 * HOUR;
    assert_eq!(inbox.arm(NOW + 8_000), Some(end));
    // Asleep and awake again it is set still, and goes on counting.
    let mut inbox = wake(&sqlite);
    assert_eq!(inbox.take(&request("a", 1), NOW + 24 * HOUR), Ok(Taken::Duplicate));
    assert_eq!(inbox.arm(NOW + 24 * HOUR), None);
    inbox.take(&request("b", 1), NOW + 24 * HOUR).unwrap();
    drain(&mut inbox, NOW + 24 * HOUR);
    inbox.alarm(end - 1).unwrap();
    assert_eq!(inbox.take(&request("a", 1), end - 1), Ok(Taken::Duplicate), "it goes with others");
    inbox.alarm(end).unwrap();
    assert_eq!(inbox.take(&request("b", 1), end), Ok(Taken::Duplicate), "of another hour");
    assert_eq!(inbox.take(&request("a", 2), end), Ok(Taken::Accepted), "with whatever content");
    let second = leaving(&mut inbox, end).unwrap();
    assert_ne!(told(&first).0, told(&second).0);
    inbox.published(end).unwrap();
    assert!(sqlite.tables() > 0);
    inbox.alarm(end + 26 * HOUR).unwrap();
    assert_eq!((sqlite.tables(), inbox.arm(end + 26 * HOUR)), (0, None));
    // And it begins again, awake or not.
    for id in ["a", "b"] {
        assert_eq!(inbox.take(&request(id, 1), end + 26 * HOUR), Ok(Taken::Accepted));
        inbox = wake(&sqlite);
    }
    assert_eq!(drain(&mut inbox, end + 26 * HOUR), ["a", "b"]);
}

#[test]
fn what_goes_with_others_goes_no_sooner_than_its_day_is_over() {
    let mut inbox = wake(&Sqlite::new());
    for (id, at) in [("a", NOW), ("b", NOW + 90 * 60_000)] {
        inbox.take(&request(id, 1), at).unwrap();
        drain(&mut inbox, at);
    }
    let at = NOW + 25 * HOUR + 100;
    inbox.alarm(at).unwrap();
    assert_eq!(inbox.take(&request("b", 1), at), Ok(Taken::Duplicate));
    assert_eq!(inbox.take(&request("a", 1), at), Ok(Taken::Accepted));
}

#[test]
fn what_was_confirmed_is_noted_though_the_storage_has_refused_that_and_the_next_is_dropped() {
    let sql = Picky::new();
    let mut inbox = wake(&sql);
    for id in ["a", "b", "c"] {
        inbox.take(&request(id, 1), NOW).unwrap();
    }
    leaving(&mut inbox, NOW).unwrap();
    sql.refuses("UPDATE");
    inbox.published(NOW).unwrap_err();
    let second = leaving(&mut inbox, NOW + 100).unwrap();
    assert_eq!(told(&second).1, "b");
    inbox.failed(second.ticket, (&refused()).into(), NOW + 100, 0.0).unwrap_err();
    sql.refuses(None);
    let again = leaving(&mut inbox, NOW + 10_000).unwrap();
    inbox.failed(again.ticket, (&refused()).into(), NOW + 10_000, 0.0).unwrap();
    // Whoever wakes goes on behind the gap, and tells nobody of it.
    let mut inbox = wake(&sql);
    assert_eq!(drain(&mut inbox, NOW + 10_000), ["c"]);
    assert_eq!(inbox.notices(), []);
    let waits = sql.exec("SELECT 1 FROM notifications WHERE done IS NULL", vec![]).unwrap();
    assert_eq!(waits.len(), 0);
}

#[test]
fn what_leaves_again_has_the_same_bytes_also_after_a_sleep() {
    let sqlite = Sqlite::new();
    let mut inbox = wake(&sqlite);
    for id in ["a", "b"] {
        inbox.take(&request(id, 1), NOW).unwrap();
    }
    let first = leaving(&mut inbox, NOW).unwrap();
    inbox.failed(first.ticket, Failure::of(Cause::UNANSWERED), NOW, 0.0).unwrap();
    assert_eq!(inbox.next(NOW), Ok(Need::Wait { until: NOW + 250 }));
    assert_eq!(leaving(&mut inbox, NOW + 250), Some(first.clone()));
    let mut inbox = wake(&sqlite);
    assert_eq!(leaving(&mut inbox, NOW + HOUR), Some(first));
    inbox.published(NOW + HOUR).unwrap();
    assert_eq!(drain(&mut wake(&sqlite), NOW + HOUR), ["b"]);
}

#[test]
fn what_blames_the_message_drops_it_and_its_id_may_come_again() {
    let mut inbox = wake(&Sqlite::new());
    for id in ["a", "b"] {
        inbox.take(&request(id, 1), NOW).unwrap();
    }
    let publication = leaving(&mut inbox, NOW).unwrap();
    inbox.failed(publication.ticket, (&refused()).into(), NOW, 0.0).unwrap();
    assert_eq!(drain(&mut inbox, NOW), ["b"]);
    let report = inbox.report(NOW).unwrap();
    assert_eq!((report.kind, report.job_id, report.r#ref.as_str()), (Kind::SET_ASIDE, None, "ref-1"));
    assert_eq!(inbox.take(&request("a", 2), NOW + 100), Ok(Taken::Accepted));
    assert_eq!(drain(&mut inbox, NOW + 100), ["a"]);
}

#[test]
fn without_access_all_of_it_is_held_and_goes_on_by_itself_though_the_object_sleeps() {
    let sqlite = Sqlite::new();
    let mut inbox = wake(&sqlite);
    for id in ["a", "b"] {
        inbox.take(&request(id, 1), NOW).unwrap();
    }
    let publication = leaving(&mut inbox, NOW).unwrap();
    inbox.failed(publication.ticket, (&no_access()).into(), NOW, 1.0).unwrap();
    let lines: Vec<_> =
        inbox.notices().into_iter().map(|notice| notice.line(&Lines::of("ref-1".to_owned()))).collect();
    assert_eq!((lines.len(), lines[0].code), (1, "publish_failed"));
    assert!(!lines[0].text.contains("ann"), "{}", lines[0].text);
    assert_eq!(inbox.report(NOW).unwrap().kind, Kind::HELD);
    let mut inbox = wake(&sqlite);
    assert_eq!(inbox.arm(NOW), Some(NOW + 8_000), "the report has not been heard");
    assert_eq!(leaving(&mut inbox, NOW + 1_999), None);
    inbox.alarm(NOW + 8_000).unwrap();
    assert_eq!(leaving(&mut inbox, NOW + 8_000), Some(publication));
    inbox.published(NOW + 8_000).unwrap();
    assert_eq!(drain(&mut inbox, NOW + 8_000), ["b"]);
    assert_eq!(inbox.notices().len(), 1, "it has resumed");
    let tasks = sqlite.exec("SELECT kind FROM tasks", vec![]).unwrap();
    assert_eq!(tasks.len(), 2, "what is to be reported alone");
}

#[test]
fn no_more_than_so_many_wait() {
    let sqlite = Sqlite::new();
    let mut inbox = wake(&sqlite);
    for n in 0..WAITING_MAX {
        assert_eq!(inbox.take(&request(&n.to_string(), 1), NOW), Ok(Taken::Accepted));
    }
    for inbox in [&mut inbox, &mut wake(&sqlite)] {
        assert_eq!(inbox.take(&request("more", 1), NOW), Ok(Taken::Backlog));
        assert_eq!(inbox.take(&request("7", 1), NOW), Ok(Taken::Duplicate), "a retry is no more");
    }
    leaving(&mut inbox, NOW).unwrap();
    inbox.published(NOW).unwrap();
    assert_eq!(inbox.take(&request("more", 1), NOW), Ok(Taken::Accepted));
    let ids = drain(&mut wake(&sqlite), NOW);
    let expected: Vec<_> = (1..WAITING_MAX).map(|n| n.to_string()).chain(["more".to_owned()]).collect();
    assert_eq!(ids, expected);
}

#[test]
fn what_cannot_be_read_stands_in_nobodys_way() {
    let sqlite = Sqlite::new();
    let mut inbox = wake(&sqlite);
    for id in ["a", "b", "c", "d"] {
        inbox.take(&request(id, 1), NOW).unwrap();
    }
    sqlite.run("UPDATE notifications SET body = '{' WHERE id = 'a'; UPDATE notifications SET body = NULL WHERE id = 'c'");
    let mut inbox = wake(&sqlite);
    assert_eq!(drain(&mut inbox, NOW), ["b", "d"]);
    assert_eq!(inbox.report(NOW + 100).unwrap().times, 2);
    assert_eq!(inbox.take(&request("a", 1), NOW), Ok(Taken::Accepted));
}

#[test]
fn what_one_notification_costs() {
    let sqlite = Sqlite::new();
    let mut inbox = wake(&sqlite);
    inbox.take(&request("a", 1), NOW).unwrap();
    leaving(&mut inbox, NOW).unwrap();
    inbox.published(NOW).unwrap();
    inbox.alarm(NOW + 8_000).unwrap();
    assert_eq!(sqlite.rows_written(), 2, "its row, and that it has arrived; its index is no row to SQLite");
}

/// Something that happens to an inbox.
#[derive(Debug, Clone)]
enum Act {
    Take {
        id: usize,
        version: u64,
    },
    /// A message leaves, and this becomes of it: whether Ably has it, and what we hear.
    Publish {
        stored: bool,
        heard: Heard,
    },
    Alarm,
    Sleep,
    Refuse(Option<&'static str>),
    Clock(Millis),
}

#[derive(Debug, Clone, Copy)]
enum Heard {
    Confirmed,
    Lost,
    Refused,
    NoAccess,
    Nothing,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let heard = prop_oneof![
        4 => Just(Heard::Confirmed),
        2 => Just(Heard::Lost),
        1 => Just(Heard::Refused),
        1 => Just(Heard::NoAccess),
        1 => Just(Heard::Nothing),
    ];
    let refused = prop_oneof![
        Just(None),
        Just(Some("INSERT INTO notifications")),
        Just(Some("UPDATE notifications")),
        Just(Some("DELETE FROM notifications")),
        Just(Some("SELECT n, ts, body")),
        Just(Some("CREATE")),
        Just(Some("DROP")),
        Just(Some("INSERT OR REPLACE INTO tasks")),
    ];
    let act = prop_oneof![
        6 => (0..8_usize, 1..3_u64).prop_map(|(id, version)| Act::Take { id, version }),
        8 => (any::<bool>(), heard).prop_map(|(stored, heard)| Act::Publish { stored, heard }),
        2 => Just(Act::Alarm),
        2 => Just(Act::Sleep),
        2 => refused.prop_map(Act::Refuse),
        2 => prop_oneof![Just(25), Just(1_000), Just(HOUR), Just(26 * HOUR), Just(-10_000)].prop_map(Act::Clock),
    ];
    proptest::collection::vec(act, 1..120)
}

/// What was taken of one id, and what has become of it.
#[derive(Debug, Clone)]
struct Life {
    n: usize,
    version: u64,
    /// Since when Ably has confirmed it, as far as the inbox was told and could note.
    confirmed: Option<Millis>,
    is_dropped: bool,
}

proptest! {
    #[test]
    fn whatever_fails_each_is_told_once_and_in_order(acts in acts(), sleeps in any::<bool>()) {
        let sql = Picky::new();
        let (mut inbox, mut now) = (wake(&sql), NOW);
        let mut lives: BTreeMap<String, Life> = BTreeMap::new();
        let mut taken = 0;
        // What Ably has stored: by its id once, with the place among all that was taken. What was dropped has no id there.
        let mut stored: Vec<(String, usize)> = Vec::new();
        let mut bytes: BTreeMap<String, String> = BTreeMap::new();
        // For when the runtime's alarm is set.
        let mut set: Option<Millis> = None;
        let end = if sleeps { Act::Sleep } else { Act::Alarm };
        for act in acts.into_iter().chain([Act::Refuse(None), end, Act::Clock(HOUR)]) {
            match act {
                Act::Take { id, version } => {
                    let id = id.to_string();
                    let known = lives.get(&id).filter(|life| !life.is_dropped).cloned();
                    match inbox.take(&request(&id, version), now) {
                        Ok(Taken::Accepted) => {
                            if let Some(life) = &known {
                                let confirmed = life.confirmed.expect("it waits, and was taken again");
                                prop_assert!(now - confirmed >= KEPT, "{id} was forgotten too early");
                            }
                            lives.insert(id, Life { n: taken, version, confirmed: None, is_dropped: false });
                            taken += 1;
                        }
                        Ok(Taken::Duplicate) => prop_assert_eq!(known.map(|life| life.version), Some(version)),
                        Ok(Taken::IdReused) => prop_assert_ne!(known.map_or(version, |life| life.version), version),
                        Ok(Taken::Backlog) => prop_assert!(false),
                        Err(_) => {}
                    }
                }
                Act::Publish { stored: is_stored, heard } => {
                    let Ok(Need::Publish(publication)) = inbox.next(now) else { continue };
                    let (message, id) = told(&publication);
                    let body = publication.body.as_str().to_owned();
                    prop_assert_eq!(bytes.entry(message.clone()).or_insert_with(|| body.clone()), &body);
                    let n = lives[&id].n;
                    let is_stored = match heard {
                        Heard::Confirmed => true,
                        Heard::Refused | Heard::NoAccess => false,
                        Heard::Lost | Heard::Nothing => is_stored,
                    };
                    if is_stored && !stored.iter().any(|(other, _)| *other == message) {
                        stored.push((message.clone(), n));
                    }
                    let ticket = publication.ticket;
                    match heard {
                        Heard::Confirmed => {
                            let _ = inbox.published(now);
                            lives.get_mut(&id).unwrap().confirmed = Some(now);
                        }
                        Heard::Lost => drop(inbox.failed(ticket, Failure::of(Cause::UNANSWERED), now, 0.5)),
                        Heard::NoAccess => drop(inbox.failed(ticket, (&no_access()).into(), now, 0.5)),
                        Heard::Refused => {
                            let before = inbox.outbox.position().sent;
                            let _ = inbox.failed(ticket, (&refused()).into(), now, 0.5);
                            if inbox.outbox.position().sent > before {
                                lives.get_mut(&id).unwrap().is_dropped = true;
                                // In its place nothing comes, unless Ably had it before.
                                if !stored.iter().any(|(other, _)| *other == message) {
                                    stored.push((String::new(), n));
                                }
                            }
                        }
                        Heard::Nothing => {
                            inbox = wake(&sql);
                        }
                    }
                }
                Act::Alarm => {
                    set = None;
                    let _ = inbox.alarm(now);
                }
                Act::Sleep => {
                    if let Ok(awake) = Inbox::wake(sql.clone(), settings()) {
                        inbox = awake;
                    }
                }
                Act::Refuse(beginning) => sql.refuses(beginning),
                Act::Clock(by) => now += by,
            }
            // Whatever happens, something comes back as long as anything waits.
            set = inbox.arm(now).or(set);
            prop_assert!(inbox.outbox.waiting() == 0 || set.is_some());
        }
        let mut end = now;
        loop {
            end += 1_000;
            match inbox.next(end).unwrap() {
                Need::Publish(publication) => {
                    let (message, id) = told(&publication);
                    if !stored.iter().any(|(other, _)| *other == message) {
                        stored.push((message, lives[&id].n));
                    }
                    inbox.published(end).unwrap();
                }
                Need::Wait { .. } => {}
                Need::Nothing => break,
            }
        }
        let order: Vec<usize> = stored.iter().map(|(_, n)| *n).collect();
        prop_assert_eq!(order, (0..taken).collect::<Vec<_>>());
        while let Some(_report) = inbox.report(end) {
            inbox.heard(end, 0.0).unwrap();
            end += 60_000;
        }
        // It comes back as often as there is something to do, and then no more: a day later nothing is left, and nothing is set.
        let mut rings = 0;
        set = inbox.arm(end).or(set);
        while let Some(at) = set.take() {
            end = end.max(at);
            inbox.alarm(end).unwrap();
            prop_assert_eq!(inbox.next(end).unwrap(), Need::Nothing);
            set = inbox.arm(end);
            rings += 1;
            prop_assert!(rings < 10, "it rings for nothing");
        }
        // A first one that is refused may leave the tables that were made for it, and nothing in them.
        if sql.sqlite.tables() > 0 {
            prop_assert!(sql.exec("SELECT 1 FROM notifications", vec![]).unwrap().is_empty());
        }
    }
}
