use ably::rest::{ErrorClass, PublishError};
use serde_json::{Value, json};

use super::*;
use crate::ids::{FixId, UserId};
use crate::locations::Fix;
use crate::locations::limits::PUBLISHES;
use crate::locations::log::memory::MemoryLog;
use crate::locations::log::sql::SqlLog;
use crate::locations::log::{Content, SetAside};
use crate::locations::post::Sender;
use crate::objects::sql::sqlite::Sqlite;
use crate::objects::{Cause, Class};

mod clocks;
mod faults;
mod forgetting;
mod gates;
mod lists;
mod model;
mod notifying;
mod outbox;
mod registered;
mod registry_faults;
mod registry_model;
mod reports;
mod streaming;
mod streaming_gates;
mod streaming_model;
mod updates;
mod watching;

const NOW: Millis = 1_700_000_000_000;
const MINUTE: Millis = 60_000;
const HOUR: Millis = 3_600_000;
const DAY: Millis = 24 * HOUR;

fn job_id() -> JobId {
    JobId::parse("job-1").unwrap()
}

fn wake<L: Log>(log: L) -> Job<L> {
    Job::wake(log, settings()).unwrap()
}

pub(in crate::locations) fn settings() -> Settings {
    let [rate, burst, unsent, trail] = [1_000_000; 4];
    let limits = Limits { rate, burst, unsent, trail, publishes: PUBLISHES };
    Settings {
        reference: "ref-1".to_owned(),
        max_fix_age: DAY,
        limits,
        longest: 72 * HOUR,
        token_requests: false,
        retention: 30 * DAY,
        silent_after: None,
        lists: false,
        notifies: false,
    }
}

fn new_job() -> Job<MemoryLog> {
    wake(MemoryLog::default())
}

/// Posts a body as a driver, through the JSON in which requests travel.
fn post_as<L: Log>(job: &mut Job<L>, driver: &str, key: Option<&str>, body: &Value, now: Millis) -> Value {
    let driver = UserId::parse(driver).unwrap();
    let key = key.map(|key| FixId::parse(key).unwrap());
    let post = Post::parse(body.to_string().as_bytes(), Sender::Driver(&driver), key.as_ref()).unwrap();
    let request =
        serde_json::to_string(&JobRequest::Post { job: job_id(), post, registry_alone: false }).unwrap();
    answer(job.handle(serde_json::from_str(&request).unwrap(), now).unwrap())
}

fn answer(reply: Reply<JobAnswer>) -> Value {
    let Reply::Answer(answer) = reply else { panic!("{reply:?}") };
    serde_json::to_value(answer).unwrap()
}

fn post<L: Log>(job: &mut Job<L>, body: Value, now: Millis) -> Value {
    post_as(job, "d", None, &body, now)
}

/// The results of a batch, as `seq:status` or `status:reason:field:index`.
fn results<L: Log>(job: &mut Job<L>, fixes: Value, now: Millis) -> Vec<String> {
    brief(&post(job, json!({"locations": fixes}), now))
}

fn brief(answer: &Value) -> Vec<String> {
    let text = |value: &Value| value.to_string().replace('"', "");
    let brief = |result: &Value| match result.get("seq") {
        Some(seq) => format!("{seq}:{}", text(&result["status"])),
        None => format!(
            "{}:{}:{}:{}",
            text(&result["status"]),
            text(&result["reason"]),
            text(&result["field"]),
            result["index"]
        ),
    };
    answer["results"].as_array().unwrap().iter().map(brief).collect()
}

/// The first state, less how old it is, which is looked at here, and when the driver was heard of.
fn state<L: Log>(job: &mut Job<L>) -> Value {
    let mut state = answer(job.handle(JobRequest::State { job: job_id(), viewer: None }, NOW).unwrap());
    let told = state.as_object_mut().unwrap();
    assert_eq!(told.remove("now"), Some(NOW.into()));
    let age = told.get("capturedAt").map(|time| (NOW - time.as_i64().unwrap()).max(0).into());
    assert_eq!(told.remove("ageMs"), age);
    // See `watching`.
    for of_the_phone in ["lastHeard", "fixMissingSince"] {
        told.remove(of_the_phone);
    }
    state
}

fn fix_at(captured_at: Millis) -> Value {
    json!({"lat": 1.5, "lng": 2.5, "capturedAt": captured_at})
}

/// What a publication holds.
#[derive(serde::Deserialize)]
struct PublishedMessage {
    id: String,
    name: String,
    data: String,
    encoding: String,
}

/// Publishes all that waits, successfully: name, id and data of each message.
fn drain<L: Log>(job: &mut Job<L>, mut now: Millis) -> Vec<(String, String, Value)> {
    let mut published = Vec::new();
    loop {
        match job.next(now).unwrap() {
            Need::Publish(Publication { channel, body, .. }) => {
                let message: PublishedMessage = serde_json::from_str(body.as_str()).unwrap();
                assert_eq!((channel.as_str(), message.encoding.as_str()), ("dispatch:job:job-1", "json"));
                let data = serde_json::from_str(&message.data).unwrap();
                published.push((message.name, message.id, data));
                job.published(now).unwrap();
            }
            Need::Wait { until } => now = until,
            Need::Nothing => match job.outbox.due() {
                Some(due) if job.outbox.waiting() > 0 => now = due,
                _ => return published,
            },
        }
    }
}

#[test]
fn the_answer_to_a_post_has_the_interfaces_shape() {
    let answer = post(&mut new_job(), json!({"lat": 1, "lng": 2}), NOW);
    let expected = json!({
        "ok": true, "jobId": "job-1", "epoch": 1_700_000_000, "results": [{"seq": 1, "status": "accepted"}]
    });
    assert_eq!(answer, expected);
}

#[test]
fn seqs_count_on_through_posts_and_sleep() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    assert_eq!(
        results(&mut job, json!([fix_at(NOW - 2), fix_at(NOW - 1)]), NOW),
        ["1:accepted", "2:accepted"]
    );
    assert_eq!(results(&mut job, json!([fix_at(NOW)]), NOW), ["3:accepted"]);
    let mut job = wake(log);
    assert_eq!(results(&mut job, json!([fix_at(NOW + 1)]), NOW + 1), ["4:accepted"]);
}

#[test]
fn fixes_of_a_post_are_ordered_by_time_and_answered_by_place() {
    let log = MemoryLog::default();
    let fixes =
        json!([fix_at(NOW - 10), fix_at(NOW - 30), {"lat": 1, "lng": 1}, fix_at(NOW + 5), fix_at(NOW - 20)]);
    assert_eq!(
        results(&mut wake(log.clone()), fixes, NOW),
        ["3:accepted", "1:accepted", "4:accepted", "5:accepted", "2:accepted"]
    );
    let times: Vec<_> = log.all()[0].accepted().unwrap().fixes.iter().map(Fix::captured_at).collect();
    assert_eq!(times, [Some(NOW - 30), Some(NOW - 20), Some(NOW - 10), None, Some(NOW + 5)]);
}

#[test]
fn fixes_of_one_time_keep_the_order_in_which_they_were_sent() {
    let place = |lat: i32| json!({"lat": lat, "lng": 0, "capturedAt": NOW});
    assert_eq!(
        results(&mut new_job(), json!([place(3), place(1), place(2)]), NOW),
        ["1:accepted", "2:accepted", "3:accepted"]
    );
}

#[test]
fn a_late_fix_is_kept_and_moves_no_marker() {
    let mut job = new_job();
    post(&mut job, json!({"lat": 5, "lng": 5, "capturedAt": NOW}), NOW);
    let before = state(&mut job);
    assert_eq!(results(&mut job, json!([fix_at(NOW - 1)]), NOW + 10), ["2:late"]);
    assert_eq!(state(&mut job), before);
    assert_eq!(
        results(&mut job, json!([fix_at(NOW - 5), fix_at(NOW + 1)]), NOW + 10),
        ["3:late", "4:accepted"]
    );
    assert_eq!(state(&mut job)["seq"], 4);
}

#[test]
fn which_fixes_were_late_is_kept_where_the_pointers_do_not_say_it() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    let ahead = |lead: Millis| fix_at(NOW + 10 * MINUTE + lead);
    post(&mut job, json!({"lat": 5, "lng": 5, "capturedAt": NOW}), NOW);
    assert_eq!(results(&mut job, json!([fix_at(NOW - 1)]), NOW), ["2:late"]);
    assert_eq!(
        results(&mut job, json!([fix_at(NOW - 9), fix_at(NOW + 1), fix_at(NOW - 8)]), NOW),
        ["3:late", "5:accepted", "4:late"]
    );
    assert_eq!(results(&mut job, json!([ahead(0)]), NOW), ["6:accepted"]);
    assert_eq!(
        results(&mut job, json!([fix_at(NOW + 2), ahead(-5), ahead(1_000)]), NOW + 2_000),
        ["7:accepted", "8:late", "9:accepted"]
    );
    let late = |row: &Row| row.accepted().unwrap().late.clone();
    let kept: Vec<_> = log.all().iter().map(late).collect();
    assert_eq!(kept, [vec![], vec![], vec![0, 1], vec![], vec![1]]);
    let lates = |row: &Row| row.fixes().map(|kept| kept.late).collect::<Vec<_>>();
    let told: Vec<_> = log.all().iter().flat_map(lates).collect();
    assert_eq!(told, [false, true, true, true, false, false, false, true, false]);
}

#[test]
fn a_clock_ahead_is_marked_and_does_not_freeze_the_marker() {
    let mut job = new_job();
    let answer = post(&mut job, fix_at(NOW + 365 * DAY), NOW);
    assert_eq!(answer["results"], json!([{"seq": 1, "status": "accepted", "clock": "ahead"}]));
    let answer = post(&mut job, fix_at(NOW + 30_000), NOW);
    assert_eq!(answer["results"], json!([{"seq": 2, "status": "accepted"}]), "30 s are no news");
    assert_eq!(results(&mut job, json!([fix_at(NOW + 1_000)]), NOW + 1_000), ["3:accepted"]);
    let answer = post(&mut job, fix_at(NOW + 99_999), NOW + 2_000);
    assert_eq!(answer["results"], json!([{"seq": 4, "status": "accepted", "clock": "ahead"}]));
}

#[test]
fn a_retry_gets_the_same_seqs_and_writes_nothing() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    let body = json!({"locations": [
        fix_at(NOW - 5), {"lat": 1, "lng": 2, "id": "a"}, fix_at(NOW), {"lat": 1, "lng": 2, "id": "b", "capturedAt": NOW},
        {"lat": 99, "lng": 2}
    ]});
    let first = post(&mut job, body.clone(), NOW);
    assert_eq!(
        brief(&first),
        ["1:accepted", "2:accepted", "3:accepted", "4:accepted", "rejected:out_of_range:lat:4"]
    );
    drain(&mut job, NOW);
    job.alarm(NOW + 60_000).unwrap();
    let writes = log.writes();
    let again = ["1:duplicate", "2:duplicate", "3:duplicate", "4:duplicate", "rejected:out_of_range:lat:4"];
    for now in [NOW, NOW + 29 * DAY] {
        assert_eq!(brief(&post(&mut job, body.clone(), now)), again);
        job = wake(log.clone());
        assert_eq!(brief(&post(&mut job, body.clone(), now)), again, "after sleep");
    }
    assert_eq!(log.writes(), writes);
    assert_eq!(drain(&mut job, NOW), []);
}

#[test]
fn a_fix_with_neither_id_nor_time_is_never_a_duplicate() {
    let mut job = new_job();
    let plain = json!({"lat": 1, "lng": 2});
    assert_eq!(results(&mut job, json!([plain, plain]), NOW), ["1:accepted", "2:accepted"]);
    assert_eq!(results(&mut job, json!([plain]), NOW), ["3:accepted"]);
}

#[test]
fn a_fix_twice_in_a_post_is_one() {
    let mut job = new_job();
    let with_id = json!({"lat": 1, "lng": 2, "id": "a"});
    assert_eq!(
        results(&mut job, json!([fix_at(NOW), with_id, fix_at(NOW - 1), with_id, fix_at(NOW)]), NOW),
        ["2:accepted", "3:accepted", "1:accepted", "3:duplicate", "2:duplicate"]
    );
}

#[test]
fn one_instant_in_two_spellings_is_one_fix() {
    let mut job = new_job();
    let spelt = |at: Value| json!([{"lat": 1.0, "lng": 2, "capturedAt": at}]);
    assert_eq!(results(&mut job, spelt(json!("2023-11-14T22:13:20Z")), NOW), ["1:accepted"]);
    assert_eq!(results(&mut job, spelt(json!("2023-11-15T00:13:20.000+0200")), NOW), ["1:duplicate"]);
    assert_eq!(results(&mut job, spelt(json!(1.7e12)), NOW), ["1:duplicate"]);
}

#[test]
fn another_place_is_another_fix() {
    let mut job = new_job();
    let place = |lat: f64| json!([{"lat": lat, "lng": 2, "capturedAt": NOW}]);
    assert_eq!(results(&mut job, place(0.1), NOW), ["1:accepted"]);
    assert_eq!(results(&mut job, place(0.1 + f64::EPSILON), NOW), ["2:accepted"]);
    assert_eq!(results(&mut job, place(-0.0), NOW), ["3:accepted"]);
    assert_eq!(results(&mut job, place(0.0), NOW), ["3:duplicate"]);
}

#[test]
fn an_id_names_one_measurement() {
    let mut job = new_job();
    let named =
        |id: &str, lat: i32, at: Value| json!({"lat": lat, "lng": 0, "id": id, "capturedAt": at, "speed": 7});
    let reused = "rejected:id_reused:id:0";
    assert_eq!(results(&mut job, json!([named("a", 1, json!(NOW))]), NOW), ["1:accepted"]);
    let mut other_speed = named("a", 1, json!(NOW));
    other_speed["speed"] = json!(8);
    assert_eq!(results(&mut job, json!([other_speed]), NOW), ["1:duplicate"]);
    for changed in [named("a", 2, json!(NOW)), named("a", 1, json!(NOW + 1)), named("a", 1, Value::Null)] {
        assert_eq!(results(&mut job, json!([changed]), NOW + 1), [reused]);
    }
    assert_eq!(
        results(
            &mut job,
            json!([named("b", 1, json!(NOW)), named("b", 2, json!(NOW)), named("b", 1, json!(NOW))]),
            NOW
        ),
        ["2:accepted", "rejected:id_reused:id:1", "2:duplicate"]
    );
    assert_eq!(results(&mut job, json!([fix_at(NOW)]), NOW), ["3:accepted"], "its key is another one");
}

#[test]
fn ids_and_times_are_a_drivers_own() {
    let mut job = new_job();
    let body = json!({"locations": [fix_at(NOW), {"lat": 1, "lng": 2, "id": "a"}]});
    assert_eq!(brief(&post_as(&mut job, "d", None, &body, NOW)), ["1:accepted", "2:accepted"]);
    assert_eq!(brief(&post_as(&mut job, "e", None, &body, NOW)), ["3:accepted", "4:accepted"]);
    assert_eq!(brief(&post_as(&mut job, "e", None, &body, NOW)), ["3:duplicate", "4:duplicate"]);
    assert_eq!(brief(&post_as(&mut job, "d", None, &body, NOW)), ["1:duplicate", "2:duplicate"]);
}

#[test]
fn an_idempotency_key_makes_a_post_without_times_repeatable() {
    let mut job = new_job();
    let body = json!({"locations": [{"lat": 1, "lng": 2}, {"lat": 1, "lng": 2}]});
    assert_eq!(brief(&post_as(&mut job, "d", Some("k"), &body, NOW)), ["1:accepted", "2:accepted"]);
    assert_eq!(brief(&post_as(&mut job, "d", Some("k"), &body, NOW)), ["1:duplicate", "2:duplicate"]);
    assert_eq!(brief(&post_as(&mut job, "d", Some("l"), &body, NOW)), ["3:accepted", "4:accepted"]);
    let other = json!({"lat": 3, "lng": 2});
    assert_eq!(brief(&post_as(&mut job, "d", Some("k"), &other, NOW)), ["rejected:id_reused:id:0"]);
    let ids = json!({"locations": [{"lat": 3, "lng": 2, "id": "k#0"}, {"lat": 3, "lng": 2, "id": "l#0"}, {"lat": 3, "lng": 2, "id": "k"}]});
    assert_eq!(
        brief(&post(&mut job, ids, NOW)),
        ["5:accepted", "6:accepted", "7:accepted"],
        "ids are other names"
    );
}

#[test]
fn a_fix_of_yesterday_is_too_old() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    let too_old = "rejected:too_old:capturedAt:0";
    assert_eq!(results(&mut job, json!([fix_at(NOW - DAY - 1)]), NOW), [too_old]);
    assert_eq!(results(&mut job, json!([fix_at(0)]), NOW), [too_old]);
    assert_eq!(log.writes(), 0);
    assert_eq!(results(&mut job, json!([fix_at(NOW - DAY)]), NOW), ["1:accepted"]);
}

#[test]
fn our_own_clock_days_ahead_for_once_makes_no_fix_too_old_or_late() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    assert_eq!(results(&mut job, json!([fix_at(NOW)]), NOW), ["1:accepted"]);
    assert_eq!(results(&mut job, json!([{"lat": 1, "lng": 2}]), NOW + 3 * DAY), ["2:accepted"]);
    for mut job in [job, wake(log)] {
        let seq = state(&mut job)["seq"].as_u64().unwrap();
        let expected = [format!("{}:accepted", seq + 1)];
        assert_eq!(results(&mut job, json!([fix_at(NOW + seq as Millis)]), NOW + 10), expected);
        let shown = state(&mut job);
        let times = ["ts", "capturedAt"].map(|name| shown[name].as_i64().unwrap());
        assert_eq!(times, [NOW + 3 * DAY, NOW + seq as Millis]);
    }
}

#[test]
fn a_fix_of_2034_holds_nothing_back() {
    let mut job = new_job();
    let wrong = json!({"lat": 1, "lng": 1, "capturedAt": NOW + 8 * 365 * DAY});
    assert_eq!(results(&mut job, json!([wrong]), NOW), ["1:accepted"]);
    let right = json!({"lat": 48, "lng": 16, "capturedAt": NOW + 100});
    assert_eq!(results(&mut job, json!([right]), NOW + 1_000), ["2:accepted"]);
    assert_eq!(state(&mut job)["lat"], 48.0);
}

#[test]
fn one_wrong_fix_every_40_s_makes_no_right_one_late() {
    for ahead in [90_000, 8 * 365 * DAY] {
        for right in ["d", "e"] {
            let mut job = new_job();
            for second in 0..360 {
                let now = NOW + second * 1_000;
                if second % 40 == 0 {
                    post(&mut job, fix_at(now + ahead), now);
                } else if second % 10 == 0 {
                    // One phone as fast as may be, and one whose posts take a while.
                    for captured_at in [now + 10_000, now + 10_001] {
                        let answer = post_as(&mut job, right, None, &fix_at(captured_at), now);
                        assert_eq!(answer["results"][0]["status"], "accepted", "{second}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_phone_an_hour_slow_that_says_so_is_shown_as_it_drives() {
    let mut job = new_job();
    post_as(&mut job, "other", None, &fix_at(NOW - 2_000), NOW - 1_000);
    for n in 0..10 {
        let now = NOW + n * 10_000;
        let phone = now - HOUR;
        let fixes = json!([fix_at(phone - 5_000), fix_at(phone - 500)]);
        let answer = post(&mut job, json!({"locations": fixes, "sentAt": phone}), now);
        let seq = 2 * n + 2;
        let repaired = |seq| json!({"status": "accepted", "seq": seq, "clock": "repaired"});
        let expected = if n == 0 {
            json!([{"status": "late", "seq": 2, "clock": "repaired"}, repaired(3)])
        } else {
            json!([repaired(seq), repaired(seq + 1)])
        };
        assert_eq!(answer["results"], expected);
        let shown = state(&mut job);
        assert_eq!((&shown["capturedAt"], &shown["clock"]), (&json!(now - 500), &json!("repaired")));
    }
}

#[test]
fn the_backlog_of_a_fast_phone_that_says_so_is_painted_as_old_as_it_is() {
    let mut job = new_job();
    let phone = NOW + 2 * HOUR;
    post(&mut job, json!({"locations": [fix_at(phone)], "sentAt": phone}), NOW);
    let backlog: Vec<_> = (1..=4).map(|n| fix_at(phone - n * HOUR / 2)).collect();
    let answer = post(&mut job, json!({"locations": backlog, "sentAt": phone + 1_000}), NOW + 1_000);
    assert_eq!(brief(&answer), ["5:late", "4:late", "3:late", "2:late"]);
    let (_, _, event) = drain(&mut job, NOW + 1_000).remove(1);
    let times: Vec<_> = event["backfill"].as_array().unwrap().iter().map(|tuple| tuple[1].clone()).collect();
    assert_eq!(times, [4, 3, 2, 1].map(|n| json!(NOW - n * HOUR / 2)));
}

#[test]
fn what_a_fast_phone_sends_again_with_something_older_moves_nothing_back() {
    for ahead in [HOUR, 3 * DAY, 8 * 365 * DAY] {
        let mut job = new_job();
        let newest = json!({"lat": 1, "lng": 1, "capturedAt": NOW + ahead});
        post(&mut job, newest.clone(), NOW);
        let older = json!({"lat": 5, "lng": 5, "capturedAt": NOW + ahead - 2 * HOUR / 3});
        assert_eq!(results(&mut job, json!([newest, older]), NOW + 1_000), ["1:duplicate", "2:late"]);
        assert_eq!(state(&mut job)["lat"], 1.0);
    }
}

#[test]
fn a_time_in_the_year_2569_is_published_as_it_can_be_known() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    let thai = NOW + 543 * 365 * DAY;
    post(&mut job, fix_at(thai), NOW);
    let expected = json!({
        "jobId": "job-1", "epoch": 1_700_000_000, "seq": 1, "fromSeq": 1, "lat": 1.5, "lng": 2.5, "ts": NOW,
        "capturedAt": NOW, "clock": "ahead"
    });
    assert_eq!(drain(&mut job, NOW)[0].2, expected);
    assert_eq!(state(&mut job), expected);
    assert_eq!(state(&mut wake(log.clone())), expected);
    assert_eq!(results(&mut job, json!([fix_at(thai)]), NOW + DAY), ["1:duplicate"], "by what was sent");
    assert_eq!(
        log.all()[0].accepted().unwrap().fixes[0].captured_at(),
        Some(thai),
        "what the phone said is kept"
    );
}

#[test]
fn nothing_is_created_by_what_is_not_accepted() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    let answer = post(&mut job, json!({"locations": [7, fix_at(NOW - 2 * DAY)]}), NOW);
    assert_eq!(
        answer,
        json!({"ok": true, "jobId": "job-1", "epoch": null, "results": [
            {"status": "rejected", "index": 0, "reason": "not_an_object", "detail": "a fix is a JSON object"},
            {"status": "rejected", "index": 1, "field": "capturedAt", "reason": "too_old",
             "detail": "`capturedAt` is longer ago than this service keeps"},
        ]})
    );
    assert_eq!(state(&mut job), json!({"jobId": "job-1", "epoch": null, "seq": 0}));
    assert_eq!(job.next(NOW), Ok(Need::Nothing));
    assert_eq!(log.writes(), 0);
}

#[test]
fn the_first_state_is_the_last_live_fix_in_the_events_fields() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    let full = json!({
        "lat": 1.5, "lng": -2.5, "speed": 3, "heading": 360, "accuracy": 4.5, "altitude": -5, "capturedAt": NOW - 7, "id": "a"
    });
    post(&mut job, full, NOW);
    results(&mut job, json!([fix_at(NOW - 8)]), NOW + 1);
    let expected = json!({
        "jobId": "job-1", "epoch": 1_700_000_000, "seq": 1, "fromSeq": 1, "lat": 1.5, "lng": -2.5, "speed": 3.0,
        "heading": 0.0, "accuracy": 4.5, "altitude": -5.0, "ts": NOW, "capturedAt": NOW - 7
    });
    assert_eq!(state(&mut job), expected);
    assert_eq!(state(&mut wake(log)), expected, "after sleep, when the last row is all late");
}

#[test]
fn a_single_fix_makes_an_event() {
    let mut job = new_job();
    post(&mut job, json!({"lat": 1.5, "lng": 2.5, "speed": -1, "heading": null, "id": "secret"}), NOW);
    let data = json!({
        "jobId": "job-1", "epoch": 1_700_000_000, "seq": 1, "fromSeq": 1, "lat": 1.5, "lng": 2.5, "ts": NOW,
        "capturedAt": NOW
    });
    let event = ("location.updated".to_owned(), "job-1/1700000000.1".to_owned(), data.clone());
    assert_eq!(drain(&mut job, NOW), [event]);
    assert_eq!(state(&mut job), data);
}

#[test]
fn a_post_makes_one_event_with_its_newest_live_fix_at_the_head() {
    let mut job = new_job();
    post(&mut job, fix_at(NOW), NOW);
    results(&mut job, json!([fix_at(NOW + 60_000), fix_at(NOW - 1), fix_at(NOW + 1)]), NOW + 2);
    let events = drain(&mut job, NOW + 2);
    assert_eq!(events.len(), 2);
    assert_eq!(
        events[1],
        (
            "location.updated".to_owned(),
            "job-1/1700000000.4".to_owned(),
            json!({
                "jobId": "job-1", "epoch": 1_700_000_000, "seq": 4, "fromSeq": 2, "lat": 1.5, "lng": 2.5, "ts": NOW + 2,
                "capturedAt": NOW + 2, "clock": "ahead", "backfill": [[2, NOW - 1, 1.5, 2.5], [3, NOW + 1, 1.5, 2.5]]
            })
        )
    );
}

#[test]
fn a_post_of_late_fixes_makes_an_event_that_moves_no_marker() {
    let mut job = new_job();
    post(&mut job, fix_at(NOW), NOW);
    results(&mut job, json!([fix_at(NOW - 1), fix_at(NOW - 2)]), NOW + 5);
    assert_eq!(
        drain(&mut job, NOW + 5)[1],
        (
            "location.backfilled".to_owned(),
            "job-1/1700000000.3".to_owned(),
            json!({
                "jobId": "job-1", "epoch": 1_700_000_000, "fromSeq": 2, "seq": 3, "ts": NOW + 5,
                "backfill": [[2, NOW - 2, 1.5, 2.5], [3, NOW - 1, 1.5, 2.5]]
            })
        )
    );
}

#[test]
fn the_longest_message_keeps_far_from_ablys_limit() {
    let mut job = new_job();
    let long = -12.345_678_901_234_567 * 1e-7;
    let fixes = vec![json!({"lat": long, "lng": long, "speed": -long, "altitude": long}); 100];
    results(&mut job, json!(fixes), NOW);
    let Ok(Need::Publish(publication)) = job.next(NOW) else { panic!("nothing to publish") };
    let length = publication.body.as_str().len();
    // Ably's limit for a whole message is 64 KiB.
    assert!(length < 60 * 1024 / 4, "{length}");
}

#[test]
fn what_was_not_confirmed_goes_out_again_with_the_same_bytes() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    let mut before = Vec::new();
    for n in 0..3 {
        post(
            &mut job,
            json!({"lat": 0.1 + f64::from(n), "lng": 1.0 / 3.0, "capturedAt": NOW + i64::from(n)}),
            NOW + 5,
        );
        let Ok(Need::Publish(publication)) = job.next(NOW + 25 * i64::from(n)) else { panic!("{n}") };
        if n < 2 {
            job.published(NOW).unwrap();
        }
        before.push(publication);
    }
    // The third row has carried away that two were confirmed, less the one confirmed after the second was written.
    let mut job = wake(log);
    let mut after = Vec::new();
    while let Ok(Need::Publish(publication)) = job.next(NOW + 1_000 * after.len() as i64) {
        job.published(NOW).unwrap();
        after.push(publication);
    }
    assert_eq!(after, before[2..]);
}

#[test]
fn a_message_that_is_given_up_is_written_down_with_its_reason() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    results(&mut job, json!([fix_at(NOW), fix_at(NOW + 1)]), NOW + 2);
    results(&mut job, json!([fix_at(NOW + 2)]), NOW + 3);
    let Ok(Need::Publish(publication)) = job.next(NOW + 4) else { panic!("nothing to publish") };
    let error = PublishError::new(ErrorClass::BlamesMessage, Some(400), Some(40009), "too long");
    job.failed(publication.ticket, (&error).into(), NOW + 5, 0.5).unwrap();
    let cause = Cause { class: Class::Message, code: Some(40009), status: Some(400) };
    assert_eq!(job.notices(), [Notice::GivenUp { n: 2, cause }]);
    assert_eq!(log.given_up(), [SetAside { first_n: 1, last_n: 2, ts: NOW + 5, cause }]);
    let ids = |job: &mut Job<_>| drain(job, NOW + 50).into_iter().map(|(_, id, _)| id).collect::<Vec<_>>();
    assert_eq!(ids(&mut wake(log)), ["job-1/1700000000.3"], "after a sleep it is not tried again");
    assert_eq!(ids(&mut job), ["job-1/1700000000.3"]);
}

#[test]
fn rows_that_are_deleted_hold_nothing_up() {
    let sqlite = Sqlite::new();
    let open = || wake(SqlLog::new(sqlite.clone()));
    let mut job = open();
    for n in 0..3 {
        results(&mut job, json!([fix_at(NOW + n)]), NOW + n);
    }
    results(&mut job, json!([fix_at(NOW - 1)]), NOW + 3);
    drain(&mut job, NOW + 5);

    sqlite.run("DELETE FROM log WHERE n < 4");
    let mut job = open();
    assert_eq!(state(&mut job), json!({"jobId": "job-1", "epoch": 1_700_000_000, "seq": 0}));
    assert_eq!(results(&mut job, json!([fix_at(NOW - 1)]), NOW + 6), ["4:duplicate"], "it is still there");
    assert_eq!(results(&mut job, json!([fix_at(NOW - 2)]), NOW + 6), ["5:accepted"]);

    sqlite.run("DELETE FROM log");
    let mut job = open();
    let answer = post(&mut job, fix_at(NOW + 7), NOW + 7);
    assert_eq!((&answer["epoch"], brief(&answer)), (&json!(1_700_000_001), vec!["1:accepted".to_owned()]));
    let ids: Vec<_> = drain(&mut job, NOW + 50).into_iter().map(|(_, id, _)| id).collect();
    assert_eq!(ids, ["job-1/1700000001.1"]);
}

#[test]
fn a_row_that_is_no_fix_leaves_in_its_turn_and_one_that_nobody_knows_is_passed() {
    let sqlite = Sqlite::new();
    let mut job = wake(SqlLog::new(sqlite.clone()));
    results(&mut job, json!([fix_at(NOW)]), NOW);
    sqlite.run(
        r#"INSERT INTO log (n, life, seq, kind, ts, cap, live, sent, body) VALUES
            (2, 1700000000, 1, 'job.closed', 1700000000001, 1700000000000, 1, 0,
             '{"channel":"dispatch:job:job-1","name":"job.closed","id":"job-1/closed","data":"{}"}'),
            (3, 1700000000, 1, 'a mark', 1700000000002, 1700000000000, 1, 0, '{"whatever":[1]}')"#,
    );
    let mut job = wake(SqlLog::new(sqlite.clone()));
    assert_eq!(
        results(&mut job, json!([fix_at(NOW + 3), fix_at(NOW)]), NOW + 3),
        ["2:accepted", "1:duplicate"]
    );
    let ids: Vec<_> = drain(&mut job, NOW + 5).into_iter().map(|(_, id, _)| id).collect();
    assert_eq!(ids, ["job-1/1700000000.1", "job-1/closed", "job-1/1700000000.2"]);
    job.alarm(NOW + 60_000).unwrap();
    let left = wake(SqlLog::new(sqlite)).next(NOW + 60_000);
    assert_eq!(left, Ok(Need::Nothing));
}

#[test]
fn an_epoch_exceeds_the_one_before() {
    for (stored, now, epoch) in
        [(None, NOW, 1_700_000_000), (Some(1_700_000_000), NOW, 1_700_000_001), (Some(9), NOW, 1_700_000_000)]
    {
        let mut log = MemoryLog::default();
        if let Some(epoch) = stored {
            log.begin(&Life { job: job_id(), epoch }, 1, None).unwrap();
        }
        assert_eq!(post(&mut wake(log), fix_at(now), now)["epoch"], epoch);
    }
}

#[test]
fn the_time_of_acceptance_never_goes_back() {
    let mut job = new_job();
    post(&mut job, fix_at(NOW), NOW);
    assert_eq!(results(&mut job, json!([{"lat": 1, "lng": 1}]), NOW - 50), ["2:accepted"]);
    assert_eq!((&state(&mut job)["seq"], &state(&mut job)["ts"]), (&json!(2), &json!(NOW)));
}

#[test]
fn the_object_of_one_job_answers_for_no_other() {
    let mut job = new_job();
    post(&mut job, fix_at(NOW), NOW);
    let other = JobId::parse("job-2").unwrap();
    let post =
        Post::parse(br#"{"lat":1,"lng":1}"#, Sender::Driver(&UserId::parse("d").unwrap()), None).unwrap();
    assert_eq!(
        job.handle(JobRequest::State { job: other.clone(), viewer: None }, NOW),
        Err(LogError::OtherJob)
    );
    assert_eq!(
        job.handle(JobRequest::Post { job: other, post, registry_alone: false }, NOW),
        Err(LogError::OtherJob)
    );
}

#[test]
fn an_object_knows_whose_it_is_once_it_has_kept_something() {
    let mut job = new_job();
    assert_eq!(job.handle(JobRequest::Identify, NOW), Ok(Reply::Refusal(JobRefusal::Unknown)));
    post(&mut job, fix_at(NOW), NOW);
    assert_eq!(answer(job.handle(JobRequest::Identify, NOW).unwrap()), json!({"jobId": "job-1"}));
}

#[test]
fn a_request_that_is_none_is_an_error() {
    for text in [
        "",
        "{}",
        r#"{"state":{"job":"a:b"}}"#,
        r#"{"post":{"job":"a","post":{"driver":"d","entries":[{"fix":[null,91,0,null,null,null,null,null]}]}}}"#,
    ] {
        assert!(serde_json::from_str::<JobRequest>(text).is_err(), "{text}");
    }
}
