//! Who takes part in a registered job, and what they see of it.

use super::*;
use crate::jobs::registration::EndReason;
use crate::jobs::revocation::Outcome;
use crate::jobs::{CloseReason, Wanted as Registered};
use crate::locations::protocol::Only;
use crate::objects::Failure;
use crate::objects::sql::Sql;
use crate::sessions::Role;

pub(super) fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub(super) fn viewer(role: Role, name: &str) -> Viewer {
    Viewer { role, user: user(name), registry_alone: false }
}

fn wanted(driver: Option<&str>, customers: &[&str]) -> Registered {
    let body = json!({"driver": driver, "customers": customers}).to_string();
    Registered::parse(body.as_bytes(), NOW).unwrap()
}

pub(super) fn ask<L: Log>(job: &mut Job<L>, request: JobRequest, now: Millis) -> Result<Value, JobRefusal> {
    // Through the JSON in which requests travel.
    let request = serde_json::to_string(&request).unwrap();
    match job.handle(serde_json::from_str(&request).unwrap(), now).unwrap() {
        Reply::Answer(answer) => Ok(serde_json::to_value(answer).unwrap()),
        Reply::Refusal(refusal) => Err(refusal),
    }
}

pub(super) fn put<L: Log>(
    job: &mut Job<L>,
    driver: Option<&str>,
    customers: &[&str],
    now: Millis,
) -> Result<Value, JobRefusal> {
    ask(job, JobRequest::Put { job: job_id(), wanted: wanted(driver, customers), only: None }, now)
}

pub(super) fn close<L: Log>(job: &mut Job<L>, now: Millis) -> Value {
    ask(job, JobRequest::Close { job: job_id(), reason: CloseReason::Done }, now).unwrap()
}

pub(super) fn state_to<L: Log>(
    job: &mut Job<L>,
    role: Role,
    name: &str,
    now: Millis,
) -> Result<Value, JobRefusal> {
    ask(job, JobRequest::State { job: job_id(), viewer: Some(viewer(role, name)) }, now)
}

/// `epoch.seq` of all fixes of the trail that somebody sees, from the first epoch on.
pub(super) fn trail_to<L: Log>(
    job: &mut Job<L>,
    role: Role,
    name: &str,
    now: Millis,
) -> Result<Vec<String>, JobRefusal> {
    let viewer = Some(viewer(role, name));
    let request = JobRequest::Trail { job: job_id(), after: None, limit: 1_000, names: false, viewer };
    let page = ask(job, request, now)?;
    let first = NOW as u64 / 1_000;
    let place = |it: &Value| format!("{}.{}", it["epoch"].as_u64().unwrap() - first, it["seq"]);
    Ok(page["locations"].as_array().unwrap().iter().map(place).collect())
}

pub(super) fn standing<L: Log>(job: &mut Job<L>, role: Role, name: &str, now: Millis) -> String {
    let admission =
        ask(job, JobRequest::Admit { job: job_id(), viewer: viewer(role, name), token_request: false }, now)
            .unwrap();
    admission["standing"].as_str().unwrap().to_owned()
}

pub(super) fn fix() -> Value {
    json!({"lat": 1, "lng": 2})
}

/// What is published of a job, by the names of the events and their epochs since the first; less that what is registered has changed, which
/// is looked at in `updates`.
pub(super) fn told<L: Log>(job: &mut Job<L>, now: Millis) -> Vec<(String, u64)> {
    let first = NOW as u64 / 1_000;
    drain(job, now)
        .into_iter()
        .filter(|(name, ..)| name != "job.updated")
        .map(|(name, _, data)| (name, data["epoch"].as_u64().unwrap() - first))
        .collect()
}

pub(super) fn event(name: &str, epoch: u64) -> (String, u64) {
    (name.to_owned(), epoch)
}

#[test]
fn a_job_is_registered_and_everybody_is_told_what_is_theirs_to_know() {
    let mut job = new_job();
    let mut body = wanted(Some("d"), &["c", "e"]);
    body.place = Some(serde_json::from_value(json!({"lat": 1.0, "lng": 2.0})).unwrap());
    let request = JobRequest::Put { job: job_id(), wanted: body, only: None };
    let created = ask(&mut job, request.clone(), NOW).unwrap();
    let told = json!({
        "jobId": "job-1", "state": "open", "version": 1, "epoch": NOW / 1_000, "driver": "d", "customers": ["c", "e"],
        "place": {"lat": 1.0, "lng": 2.0}, "endsAt": NOW + 72 * HOUR,
    });
    assert_eq!(created, json!({"outcome": "created", "version": 1, "job": told}));
    assert_eq!(ask(&mut job, request, NOW + 5).unwrap()["outcome"], "done", "it is so already");
    let seen = |job: &mut Job<_>, role, name| {
        ask(job, JobRequest::Job { job: job_id(), viewer: viewer(role, name) }, NOW)
    };
    let mut seen_by_dispatch = told;
    seen_by_dispatch["figures"] = json!({});
    assert_eq!(seen(&mut job, Role::Dispatcher, "x"), Ok(seen_by_dispatch));
    let driver = seen(&mut job, Role::Driver, "d").unwrap();
    assert_eq!((&driver["driver"], driver.get("customers")), (&json!("d"), None));
    let customer = seen(&mut job, Role::Customer, "c").unwrap();
    assert_eq!(
        (&customer["customers"], customer.get("driver"), customer.get("place")),
        (&json!(["c"]), None, None)
    );
    for (role, name) in [(Role::Driver, "c"), (Role::Customer, "d"), (Role::Customer, "f")] {
        assert_eq!(seen(&mut job, role, name), Err(JobRefusal::NotAParticipant));
    }
    assert_eq!(
        drain(&mut job, NOW),
        [
            (
                "job.assigned".to_owned(),
                format!("job-1/{}.v1", NOW / 1_000),
                json!({"jobId": "job-1", "epoch": NOW / 1_000, "afterSeq": 0, "version": 1, "ts": NOW}),
            ),
            (
                "job.updated".to_owned(),
                format!("job-1/{}.n2", NOW / 1_000),
                json!({
                    "jobId": "job-1", "epoch": NOW / 1_000, "afterSeq": 0, "id": "v1", "type": "registration",
                    "version": 1, "ts": NOW,
                }),
            ),
        ]
    );
}

#[test]
fn nobody_posts_while_there_is_no_driver() {
    let mut job = new_job();
    put(&mut job, None, &[], NOW).unwrap();
    let posted = |job: &mut Job<_>, driver: &str, now| {
        let driver = user(driver);
        let body = fix().to_string();
        let post = Post::parse(body.as_bytes(), Sender::Driver(&driver), None).unwrap();
        ask(job, JobRequest::Post { job: job_id(), post, registry_alone: false }, now)
    };
    assert_eq!(posted(&mut job, "d", NOW), Err(JobRefusal::NotAParticipant));
    assert_eq!(told(&mut job, NOW), [], "there is nobody to tell");
    put(&mut job, Some("d"), &[], NOW + 1_000).unwrap();
    assert_eq!(posted(&mut job, "e", NOW + 1_000), Err(JobRefusal::NotAParticipant));
    assert_eq!(brief(&posted(&mut job, "d", NOW + 1_000).unwrap()), ["1:accepted"]);
    assert_eq!(told(&mut job, NOW + 1_000), [event("job.assigned", 1), event("location.updated", 1)]);
}

#[test]
fn another_driver_begins_an_epoch_and_nothing_of_the_old_one_leaves_any_more() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    assert_eq!(told(&mut job, NOW), [event("job.assigned", 0)]);
    post_as(&mut job, "a", None, &fix(), NOW + 1_000);
    assert_eq!(told(&mut job, NOW + 1_000), [event("location.updated", 0)]);
    // One is on its way, and one waits.
    post_as(&mut job, "a", None, &fix(), NOW + 2_000);
    let Need::Publish(Publication { ticket, .. }) = job.next(NOW + 2_000).unwrap() else { panic!() };
    post_as(&mut job, "a", None, &fix(), NOW + 2_500);

    let answer = put(&mut job, Some("b"), &["c"], NOW + 3_000).unwrap();
    assert_eq!(answer["job"]["epoch"], NOW / 1_000 + 3);
    let late =
        post_as(&mut job, "a", None, &json!({"locations": [fix(), {"lat": 91, "lng": 0}]}), NOW + 3_100);
    assert_eq!(brief(&late), ["rejected:reassigned:null:0", "rejected:out_of_range:lat:1"]);
    let empty = json!({"jobId": "job-1", "epoch": NOW / 1_000 + 3, "seq": 0, "now": NOW + 3_100});
    for (role, name) in [(Role::Customer, "c"), (Role::Driver, "b"), (Role::Admin, "x")] {
        assert_eq!(state_to(&mut job, role, name, NOW + 3_100), Ok(empty.clone()), "{name}");
    }
    assert_eq!(state_to(&mut job, Role::Driver, "a", NOW + 3_100), Err(JobRefusal::NotAParticipant));
    // It failed, and does not go out again.
    job.failed(ticket, Failure::of(Cause::UNANSWERED), NOW + 3_200, 0.0).unwrap();
    let mut job = if NOW % 2 == 0 { wake(log) } else { job };
    assert_eq!(brief(&post_as(&mut job, "b", None, &fix(), NOW + 4_000)), ["1:accepted"]);
    assert_eq!(told(&mut job, NOW + 4_000), [event("job.reassigned", 3), event("location.updated", 3)]);
    assert_eq!(trail_to(&mut job, Role::Driver, "b", NOW + 5_000).unwrap(), ["3.1"]);
    assert_eq!(trail_to(&mut job, Role::Customer, "c", NOW + 5_000).unwrap(), ["3.1"]);
    assert_eq!(trail_to(&mut job, Role::Service, "x", NOW + 5_000).unwrap(), ["0.1", "0.2", "0.3", "3.1"]);
    // What was withdrawn is not what Ably has refused.
    let outbox = ask(&mut job, JobRequest::Outbox { job: job_id() }, NOW + 5_000).unwrap();
    assert_eq!((&outbox["state"], &outbox["setAside"]), (&json!("idle"), &json!([])));
    // What a set-aside range of before would show is nobody's any more.
    let range = crate::locations::protocol::Range { epoch: NOW as u64 / 1_000, from_seq: 2, seq: 3 };
    let again = ask(&mut job, JobRequest::Resend { job: job_id(), range }, NOW + 5_000);
    assert_eq!(again, Err(JobRefusal::NotSetAside));
}

#[test]
fn a_driver_who_comes_back_sees_their_own_lives_and_repeats_nothing_of_before() {
    let mut job = new_job();
    put(&mut job, Some("a"), &[], NOW).unwrap();
    let known = json!({"lat": 1, "lng": 2, "id": "x", "capturedAt": NOW});
    post_as(&mut job, "a", None, &known, NOW);
    put(&mut job, Some("b"), &[], NOW + 1_000).unwrap();
    post_as(&mut job, "b", None, &fix(), NOW + 1_500);
    put(&mut job, Some("a"), &[], NOW + 2_000).unwrap();
    assert_eq!(brief(&post_as(&mut job, "a", None, &known, NOW + 3_000)), ["rejected:reassigned:null:0"]);
    post_as(&mut job, "a", None, &fix(), NOW + 4_000);
    assert_eq!(trail_to(&mut job, Role::Driver, "a", NOW + 5_000).unwrap(), ["0.1", "2.1"]);
}

#[test]
fn what_was_measured_before_the_assignment_is_not_taken() {
    let mut job = new_job();
    put(&mut job, Some("a"), &[], NOW).unwrap();
    let before = |by: Millis| json!({"lat": 1, "lng": 2, "capturedAt": NOW - by});
    let batch = json!({"locations": [before(5_000), before(5_001), before(5_001), before(DAY + 1)]});
    let results = brief(&post_as(&mut job, "a", None, &batch, NOW + 1));
    let outside = |index| format!("rejected:outside_assignment:capturedAt:{index}");
    assert_eq!(
        results,
        ["1:accepted".to_owned(), outside(1), outside(2), "rejected:too_old:capturedAt:3".to_owned()]
    );
    assert_eq!(trail_to(&mut job, Role::Admin, "x", NOW + 2).unwrap(), ["0.1"]);
}

#[test]
fn closed_is_closed_for_ever_and_only_that_is_told() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    let first = json!({"lat": 1, "lng": 2, "id": "x"});
    post_as(&mut job, "a", None, &first, NOW);
    let closed = close(&mut job, NOW + 500);
    assert_eq!(closed["job"]["state"], "closed");
    assert_eq!((&closed["job"]["reason"], &closed["job"]["closedAt"]), (&json!("done"), &json!(NOW + 500)));
    for mut job in [job, wake(log)] {
        assert_eq!(close(&mut job, NOW + 900), closed, "again the same");
        assert_eq!(put(&mut job, Some("b"), &[], NOW + 900), Err(JobRefusal::Closed));
        let batch = json!({"locations": [fix(), first]});
        let results = brief(&post_as(&mut job, "a", None, &batch, NOW + 900));
        assert_eq!(results, ["rejected:job_closed:null:0", "1:duplicate"], "what was accepted stays so");
        let ended = JobRefusal::Ended { reason: EndReason::Done };
        for (role, name, refusal) in [
            (Role::Driver, "a", ended),
            (Role::Customer, "c", ended),
            (Role::Customer, "d", JobRefusal::NotAParticipant),
        ] {
            assert_eq!(state_to(&mut job, role, name, NOW + 900), Err(refusal));
            assert_eq!(trail_to(&mut job, role, name, NOW + 900), Err(refusal));
            let is_foreign = refusal == JobRefusal::NotAParticipant;
            let expected = if is_foreign { "foreign" } else { "refused" };
            assert_eq!(standing(&mut job, role, name, NOW + 900), expected);
        }
        assert_eq!(trail_to(&mut job, Role::Dispatcher, "x", NOW + 900).unwrap(), ["0.1"]);
        assert_eq!(
            standing(&mut job, Role::Dispatcher, "x", NOW + 900),
            "refused",
            "nobody gets a token for it"
        );
        assert_eq!(told(&mut job, NOW + 900), [event("job.closed", 0)]);
        job.log = MemoryLog::default();
    }
}

#[test]
fn however_much_waits_a_close_is_told_next() {
    let sqlite = Sqlite::new();
    let mut job = wake(SqlLog::new(sqlite.clone()));
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    for post in 0..100 {
        let fix = |nth| json!({"lat": 1, "lng": 2, "id": format!("{post}-{nth}")});
        post_as(&mut job, "a", None, &json!({"locations": (0..100).map(fix).collect::<Vec<_>>()}), NOW);
    }
    let before = sqlite.rows_written();
    close(&mut job, NOW + 1_000);
    assert_eq!(told(&mut job, NOW + 1_000), [event("job.closed", 0)]);
    assert!(sqlite.rows_written() - before < 10, "at a few rows");
}

#[test]
fn a_job_that_everybody_has_forgotten_ends_by_itself() {
    let mut job = new_job();
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    let end = NOW + 72 * HOUR;
    assert_eq!(job.arm(NOW), Some(NOW + 8_000));
    assert_eq!(told(&mut job, NOW), [event("job.assigned", 0)]);
    job.alarm(NOW + 8_000).unwrap();
    assert_eq!(job.arm(NOW + 8_000), Some(end), "nothing waits but its end");
    job.alarm(end).unwrap();
    assert_eq!(told(&mut job, end), [event("job.closed", 0)]);
    assert_eq!(close(&mut job, end + 5)["job"]["reason"], "expired");
    // Whoever asks before the alarm has gone off sees no more than afterwards.
    let mut job = new_job();
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    assert_eq!(standing(&mut job, Role::Customer, "c", end - 1), "admitted");
    assert_eq!(standing(&mut job, Role::Customer, "c", end), "refused");
    let ended = JobRefusal::Ended { reason: EndReason::Expired };
    assert_eq!(state_to(&mut job, Role::Customer, "c", end), Err(ended));
}

#[test]
fn whoever_joins_later_sees_nothing_earlier() {
    let mut job = new_job();
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    post_as(&mut job, "a", None, &fix(), NOW + 1_000);
    put(&mut job, Some("a"), &["c", "late"], NOW + 2_000).unwrap();
    let late = |job: &mut Job<_>, now| {
        let state = state_to(job, Role::Customer, "late", now).unwrap();
        (state["seq"].as_u64().unwrap(), trail_to(job, Role::Customer, "late", now).unwrap())
    };
    assert_eq!(late(&mut job, NOW + 2_000), (0, vec![]));
    assert_eq!(trail_to(&mut job, Role::Customer, "c", NOW + 2_000).unwrap(), ["0.1"]);
    // A backlog from before they came is not for them either, whatever its seq is.
    post_as(&mut job, "a", None, &json!({"lat": 1, "lng": 2, "capturedAt": NOW + 1_900}), NOW + 3_000);
    assert_eq!(late(&mut job, NOW + 3_000), (0, vec![]));
    post_as(&mut job, "a", None, &fix(), NOW + 4_000);
    assert_eq!(late(&mut job, NOW + 4_000), (3, vec!["0.3".to_owned()]));
    // Ably replays two minutes of the channel: they wait until all of before has left for so long.
    assert_eq!(standing(&mut job, Role::Customer, "late", NOW + 200_000), "waiting");
    drain(&mut job, NOW + 200_000);
    job.next(NOW + 200_000).unwrap();
    assert_eq!(standing(&mut job, Role::Customer, "late", NOW + 324_000), "waiting");
    assert_eq!(standing(&mut job, Role::Customer, "late", NOW + 326_000), "admitted");
    assert_eq!(standing(&mut job, Role::Customer, "c", NOW + 2_000), "admitted");
    // Gone and back again is as late as now.
    put(&mut job, Some("a"), &["c"], NOW + 330_000).unwrap();
    put(&mut job, Some("a"), &["c", "late"], NOW + 331_000).unwrap();
    assert_eq!(late(&mut job, NOW + 331_000), (0, vec![]));
}

#[test]
fn whoever_joins_sees_no_backlog_of_before_either_where_it_is_the_first_that_comes() {
    let mut job = new_job();
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    put(&mut job, Some("a"), &["c", "late"], NOW + 60_000).unwrap();
    assert_eq!(standing(&mut job, Role::Customer, "late", NOW + 60_000), "admitted", "nothing is replayed");
    let measured = |at: Millis| json!({"lat": 1, "lng": 2, "capturedAt": at});
    let backlog = json!({"locations": [measured(NOW + 30_000), measured(NOW + 59_999)]});
    post_as(&mut job, "a", None, &backlog, NOW + 61_000);
    let late = |job: &mut Job<_>, now| {
        (
            state_to(job, Role::Customer, "late", now).unwrap()["seq"].clone(),
            trail_to(job, Role::Customer, "late", now),
        )
    };
    assert_eq!(late(&mut job, NOW + 61_000), (json!(0), Ok(vec![])));
    assert_eq!(trail_to(&mut job, Role::Customer, "c", NOW + 61_000).unwrap(), ["0.1", "0.2"]);
    post_as(&mut job, "a", None, &measured(NOW + 60_000), NOW + 62_000);
    assert_eq!(late(&mut job, NOW + 62_000), (json!(3), Ok(vec!["0.3".to_owned()])));
}

#[test]
fn whoever_joins_waits_for_what_is_on_its_way_just_then() {
    let mut job = new_job();
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    told(&mut job, NOW);
    post_as(&mut job, "a", None, &fix(), NOW + 1_000);
    assert!(matches!(job.next(NOW + 1_000), Ok(Need::Publish(_))));
    put(&mut job, Some("b"), &["c"], NOW + 2_000).unwrap();
    assert_eq!(job.next(NOW + 2_000), Ok(Need::Nothing));
    job.published(NOW + 12_000).unwrap();
    assert_eq!(told(&mut job, NOW + 12_000), [event("job.reassigned", 2)]);
    assert_eq!(standing(&mut job, Role::Driver, "b", NOW + 136_000), "waiting");
    assert_eq!(standing(&mut job, Role::Driver, "b", NOW + 138_000), "admitted");
}

#[test]
fn what_was_set_aside_is_not_sent_again_once_somebody_has_come_who_is_not_to_see_it() {
    let range = |seq| crate::locations::protocol::Range { epoch: NOW as u64 / 1_000, from_seq: seq, seq };
    let again = |job: &mut Job<_>, seq| {
        ask(job, JobRequest::Resend { job: job_id(), range: range(seq) }, NOW + 5_000)
            .map(|it| it["ok"].clone())
    };
    let mut job = new_job();
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    told(&mut job, NOW);
    for now in [NOW + 1_000, NOW + 2_000] {
        post_as(&mut job, "a", None, &fix(), now);
        let Need::Publish(Publication { ticket, .. }) = job.next(now).unwrap() else { panic!() };
        let refused = Cause { class: Class::Message, ..Cause::UNANSWERED };
        job.failed(ticket, Failure::of(refused), now, 0.0).unwrap();
    }
    assert_eq!(again(&mut job, 1), Ok(json!(true)));
    put(&mut job, Some("a"), &["c", "late"], NOW + 3_000).unwrap();
    assert_eq!(again(&mut job, 2), Err(JobRefusal::NotSetAside));
    assert_eq!(told(&mut job, NOW + 5_000), [], "nor what was asked for before");
    put(&mut job, Some("a"), &["c"], NOW + 6_000).unwrap();
    assert_eq!(again(&mut job, 2), Ok(json!(true)));
    assert_eq!(told(&mut job, NOW + 7_000), [event("location.backfilled", 0)]);
}

#[test]
fn a_job_that_claims_had_begins_anew_when_it_is_registered() {
    let mut job = new_job();
    post_as(&mut job, "d", None, &fix(), NOW);
    put(&mut job, Some("d"), &["c"], NOW + 5_000).unwrap();
    assert_eq!(state_to(&mut job, Role::Customer, "c", NOW + 5_000).unwrap()["seq"], 0);
    assert_eq!(trail_to(&mut job, Role::Customer, "c", NOW + 5_000).unwrap(), [""; 0]);
    assert_eq!(standing(&mut job, Role::Driver, "d", NOW + 5_000), "waiting");
    let revocation = job.next_revocation(NOW + 5_000).unwrap().unwrap();
    assert_eq!((revocation.users.len(), revocation.job), (0, Some(job_id())));
    assert_eq!(told(&mut job, NOW + 5_000), [event("job.assigned", 5)], "what waited does not leave");
}

#[test]
fn a_change_may_ask_for_the_version_that_it_changes() {
    let mut job = new_job();
    let put = |job: &mut Job<_>, driver, only| {
        ask(job, JobRequest::Put { job: job_id(), wanted: wanted(driver, &[]), only }, NOW)
    };
    let version = |version| Some(Only::Versions(vec![version]));
    assert_eq!(put(&mut job, Some("a"), Some(Only::Registered)), Err(JobRefusal::NotRegistered));
    assert_eq!(put(&mut job, Some("a"), Some(Only::Absent)).unwrap()["outcome"], "created");
    assert_eq!(put(&mut job, Some("a"), Some(Only::Absent)).unwrap()["outcome"], "done", "said twice");
    for only in [version(2), Some(Only::Absent)] {
        let other = put(&mut job, Some("b"), only).unwrap();
        assert_eq!((&other["outcome"], &other["job"]["driver"]), (&json!("other_version"), &json!("a")));
    }
    assert_eq!(put(&mut job, Some("a"), version(2)).unwrap()["outcome"], "done", "it is so already");
    assert_eq!(put(&mut job, Some("b"), version(1)).unwrap()["version"], 2);
    assert_eq!(put(&mut job, Some("c"), Some(Only::Registered)).unwrap()["version"], 3);
}

#[test]
fn customers_come_and_go_one_by_one() {
    let mut job = new_job();
    let customer = |job: &mut Job<_>, name: &str, takes_part| {
        let request = JobRequest::Customer { job: job_id(), user: user(name), takes_part, only: None };
        ask(job, request, NOW).map(|answer| answer["job"]["customers"].clone())
    };
    assert_eq!(customer(&mut job, "c", true), Err(JobRefusal::NotRegistered));
    put(&mut job, Some("a"), &[], NOW).unwrap();
    assert_eq!(customer(&mut job, "d", true), Ok(json!(["d"])));
    assert_eq!(customer(&mut job, "c", true), Ok(json!(["c", "d"])));
    assert_eq!(customer(&mut job, "d", false), Ok(json!(["c"])));
    assert_eq!(customer(&mut job, "d", false), Ok(json!(["c"])), "again");
    for n in 0..49 {
        customer(&mut job, &format!("n{n}"), true).unwrap();
    }
    assert_eq!(customer(&mut job, "more", true), Err(JobRefusal::TooManyCustomers));
    close(&mut job, NOW);
    assert_eq!(customer(&mut job, "c", false), Err(JobRefusal::Closed));
}

#[test]
fn whoever_leaves_is_revoked_until_ably_has_done_it() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    assert_eq!(job.next_revocation(NOW), Ok(None));
    put(&mut job, Some("b"), &[], NOW + 1_000).unwrap();
    let asked = |job: &mut Job<_>, now| {
        let revocation = job.next_revocation(now).unwrap()?;
        let mut users: Vec<_> = revocation.users.iter().map(|user| user.to_string()).collect();
        users.sort();
        Some((users.join(","), revocation.job.is_some(), revocation.issued_before))
    };
    assert_eq!(asked(&mut job, NOW + 1_000), Some(("a,c".to_owned(), false, NOW + 1_000)));
    assert_eq!(asked(&mut job, NOW + 1_000), None, "one at a time");
    job.revoked(Outcome::Failed(Cause::UNANSWERED), NOW + 1_100, 0.0).unwrap();
    assert_eq!(job.revocation_due(), Some(NOW + 2_100));
    // The next life of the object knows of it.
    let mut job = wake(log);
    assert_eq!(asked(&mut job, NOW + 2_099), None);
    assert_eq!(asked(&mut job, NOW + 2_100).unwrap().0, "a,c");
    job.revoked(Outcome::Revoked, NOW + 2_200, 0.0).unwrap();
    assert_eq!((asked(&mut job, NOW + HOUR), job.revocation_due()), (None, None));
    // Who is cut off by a close should have heard why, which takes 300 ms at most.
    close(&mut job, NOW + 10_000);
    assert_eq!(asked(&mut job, NOW + 10_299), None);
    assert_eq!(told(&mut job, NOW + 10_299).last(), Some(&event("job.closed", 1)));
    assert_eq!(asked(&mut job, NOW + 10_299), Some(("b".to_owned(), true, NOW + 10_000)));
    job.revoked(Outcome::Failed(Cause::UNANSWERED), NOW + 10_300, 0.0).unwrap();
    assert_eq!(asked(&mut job, NOW + 10_000 + HOUR), None, "nothing that old lives any more");
    assert_eq!(job.revocation_due(), None);
}

#[test]
fn a_token_of_the_second_in_which_somebody_left_would_be_revoked_with_theirs() {
    let mut job = new_job();
    put(&mut job, Some("a"), &["c", "d"], NOW).unwrap();
    put(&mut job, Some("a"), &["c"], NOW + 1_300).unwrap();
    let not_before = |job: &mut Job<_>, now| {
        let admit =
            JobRequest::Admit { job: job_id(), viewer: viewer(Role::Customer, "c"), token_request: false };
        ask(job, admit, now).unwrap().get("notBefore").cloned()
    };
    assert_eq!(not_before(&mut job, NOW + 1_300), Some(json!(NOW + 2_000)));
    // Who has asked just before that is told as well: the token's `iat` is from before.
    assert_eq!(not_before(&mut job, NOW + 11_999), Some(json!(NOW + 2_000)));
    assert_eq!(not_before(&mut job, NOW + 12_000), None);
}

#[test]
fn a_build_that_says_not_who_asks_is_told_nothing_of_a_registered_job() {
    let mut job = new_job();
    put(&mut job, Some("a"), &[], NOW).unwrap();
    let old = JobRequest::State { job: job_id(), viewer: None };
    assert_eq!(ask(&mut job, old, NOW), Err(JobRefusal::NotAParticipant));
}

#[test]
fn a_registered_job_is_the_same_after_a_sleep_and_no_older_build_touches_it() {
    let sqlite = Sqlite::new();
    let mut job = wake(SqlLog::new(sqlite.clone()));
    put(&mut job, Some("a"), &["c"], NOW).unwrap();
    post_as(&mut job, "a", None, &fix(), NOW + 1_000);
    put(&mut job, Some("b"), &["c", "e"], NOW + 2_000).unwrap();
    let mut again = wake(SqlLog::new(sqlite.clone()));
    assert_eq!((&again.registration, again.sequence.epoch()), (&job.registration, job.sequence.epoch()));
    assert_eq!(brief(&post_as(&mut again, "a", None, &fix(), NOW + 3_000)), ["rejected:reassigned:null:0"]);
    assert_eq!(brief(&post_as(&mut again, "b", None, &fix(), NOW + 3_000)), ["1:accepted"]);
    let needs = sqlite.exec("SELECT needs, state FROM meta", vec![]).unwrap();
    let text = |text: &str| crate::objects::sql::SqlValue::Text(text.to_owned());
    assert_eq!(needs, [[text("[\"registry\"]"), text("open")]]);
    close(&mut again, NOW + 4_000);
    let needs = sqlite.exec("SELECT needs, state FROM meta", vec![]).unwrap();
    assert_eq!(needs, [[text("[\"registry\"]"), text("closed")]]);
    // One that cannot be read is not one that is not there.
    sqlite.run("UPDATE registration SET body = '{'");
    let woken = Job::wake(SqlLog::new(sqlite), settings());
    assert!(matches!(woken, Err(LogError::Damaged("registration.body"))));
}

#[test]
fn a_change_that_would_end_the_job_at_once_has_to_say_when_it_ends() {
    let mut job = new_job();
    let soon = format!(r#"{{"driver": "a", "customers": [], "endsAt": {}}}"#, NOW + 100 * HOUR);
    let wanted = Registered::parse(soon.as_bytes(), NOW).unwrap();
    ask(&mut job, JobRequest::Put { job: job_id(), wanted, only: None }, NOW).unwrap();
    let later = NOW + 80 * HOUR;
    assert_eq!(put(&mut job, Some("b"), &[], later), Err(JobRefusal::EndNeeded), "72 hours are over");
    assert_eq!(state_to(&mut job, Role::Driver, "a", later).unwrap()["seq"], 0, "nothing has changed");
}

#[test]
fn whoever_joins_late_costs_no_look_at_all_that_was_before() {
    let mut job = new_job();
    put(&mut job, Some("a"), &[], NOW).unwrap();
    let many = vec![fix(); 50];
    for _ in 0..40 {
        post_as(&mut job, "a", None, &json!({"locations": many}), NOW);
    }
    put(&mut job, Some("a"), &["late"], NOW + 1_000).unwrap();
    post_as(&mut job, "a", None, &fix(), NOW + 2_000);
    assert_eq!(trail_to(&mut job, Role::Customer, "late", NOW + 3_000).unwrap(), ["0.2001"]);
}

#[test]
fn where_the_registry_alone_decides_a_job_that_is_not_registered_is_nobodys() {
    let sqlite = Sqlite::new();
    let mut job = wake(SqlLog::new(sqlite.clone()));
    let alone = |role| Viewer { registry_alone: true, ..viewer(role, "a") };
    let admit = |role, token_request| JobRequest::Admit { job: job_id(), viewer: alone(role), token_request };
    let post = |registry_alone| {
        let post = Post::parse(br#"{"lat":1,"lng":2}"#, Sender::Driver(&user("a")), None).unwrap();
        JobRequest::Post { job: job_id(), post, registry_alone }
    };
    let refused = |job: &mut Job<_>| {
        for role in [Role::Driver, Role::Customer] {
            let trail = JobRequest::Trail {
                job: job_id(),
                after: None,
                limit: 9,
                names: true,
                viewer: Some(alone(role)),
            };
            for request in [
                JobRequest::State { job: job_id(), viewer: Some(alone(role)) },
                trail,
                JobRequest::Job { job: job_id(), viewer: alone(role) },
                post(true),
            ] {
                assert_eq!(ask(job, request.clone(), NOW), Err(JobRefusal::NotAParticipant), "{request:?}");
            }
            for token_request in [false, true] {
                assert_eq!(ask(job, admit(role, token_request), NOW), Ok(json!({"standing": "foreign"})));
            }
        }
    };
    refused(&mut job);
    let tables = sqlite.exec("SELECT name FROM sqlite_master", vec![]).unwrap();
    assert_eq!((tables.len(), sqlite.rows_written()), (0, 0), "nothing is kept of what was asked");
    // Nor is one whose fixes came by claim.
    ask(&mut job, post(false), NOW).unwrap();
    refused(&mut job);
    put(&mut job, Some("a"), &[], NOW).unwrap();
    assert_eq!(brief(&ask(&mut job, post(true), NOW).unwrap()), ["1:accepted"]);
    assert_eq!(ask(&mut job, admit(Role::Customer, false), NOW).unwrap()["standing"], "foreign");
    // Of one that is forgotten nobody knows who took part: it is like any other then.
    ask(&mut job, JobRequest::Forget { job: job_id() }, NOW).unwrap();
    let told = ask(&mut job, admit(Role::Driver, false), NOW + 60_000).unwrap();
    assert_eq!(told, json!({"standing": "foreign"}));
    assert_eq!(ask(&mut job, post(true), NOW), Err(JobRefusal::NotAParticipant));
    let seen = JobRequest::State { job: job_id(), viewer: Some(alone(Role::Driver)) };
    assert_eq!(ask(&mut job, seen, NOW), Err(JobRefusal::NotAParticipant));
}
