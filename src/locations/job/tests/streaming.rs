//! What readers of a stream are told, and when their streams end.

use super::registered::{ask, close, put, viewer};
use super::*;
use crate::jobs::registration::EndReason;
use crate::locations::StreamRequest;
use crate::locations::protocol::Begin;
use crate::sessions::Role;
use crate::streams::{Delivery, Mark};

/// An event as a client reads it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) name: String,
    pub(super) id: Option<String>,
    pub(super) data: Value,
}

/// The events of a text, as a client reads them.
pub(super) fn events(text: &str) -> Vec<Told> {
    let field = |block: &str, name: &str| -> Option<String> {
        let line = block.lines().find(|line| line.starts_with(&format!("{name}: ")))?;
        Some(line.split_once(": ")?.1.to_owned())
    };
    let told = |block: &str| {
        let data = serde_json::from_str(&field(block, "data")?).unwrap();
        Some(Told { name: field(block, "event").unwrap(), id: field(block, "id"), data })
    };
    assert!(text.ends_with("\n\n"), "{text}");
    text.split("\n\n").filter_map(told).collect()
}

pub(super) fn request(viewer: Viewer, until: Millis, begin: Begin) -> StreamRequest {
    let request = StreamRequest { job: job_id(), viewer, until, begin };
    // As it travels.
    serde_json::from_str(&serde_json::to_string(&request).unwrap()).unwrap()
}

fn open<L: Log>(job: &mut Job<L>, role: Role, name: &str, begin: &str) -> u32 {
    let begin = match begin {
        "" => Begin::Now,
        "?" => Begin::Nowhere,
        id => Begin::After(Mark::parse(id).unwrap()),
    };
    job.stream(request(viewer(role, name), NOW + HOUR, begin), NOW).unwrap().unwrap()
}

/// An id without what all epochs of these tests have in common.
fn late(id: &str) -> &str {
    id.strip_prefix("17000000").or(id.strip_prefix("17000002")).unwrap()
}

/// What is told until there is no more, each reader taking all at once: `name id` for each event, and for heartbeats `:`.
pub(super) fn told<L: Log>(job: &mut Job<L>, number: u32, now: Millis) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let (deliveries, failed) = job.deliveries(now);
        failed.unwrap();
        if deliveries.is_empty() && job.readers_due(now).is_none_or(|due| due > now) {
            return all;
        }
        for Delivery { readers, text, ends } in deliveries {
            if readers.contains(&number) {
                let brief = |told: Told| match told.name.as_str() {
                    "end" => format!("end {}", told.data["reason"].as_str().unwrap()),
                    name => format!("{name} {}", told.id.as_deref().map_or("-", late)),
                };
                all.extend(events(&text).into_iter().map(brief));
                all.extend((text == ": \n\n").then(|| ":".to_owned()));
            }
            for reader in readers {
                assert!(!ends || !job.taken(reader, true), "who has ended is told no more");
                job.taken(reader, true);
            }
        }
    }
}

fn fixes(count: usize, at: Millis) -> Value {
    let fix =
        |nth| json!({"lat": nth, "lng": 1, "capturedAt": at - nth as Millis, "id": format!("{at}-{nth}")});
    json!({"locations": (0..count).map(fix).collect::<Vec<_>>()})
}

#[test]
fn first_the_state_then_each_row_and_a_resume_goes_on_where_one_was() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    let staff = open(&mut job, Role::Dispatcher, "s", "");
    assert_eq!(told(&mut job, staff, NOW), ["state -"], "nothing is there");
    post(&mut job, fixes(2, NOW), NOW);
    post(&mut job, fixes(1, NOW + 1), NOW + 1);
    let both = ["location.updated 00.2", "location.updated 00.3"];
    assert_eq!(told(&mut job, staff, NOW), both);
    let mut job = wake(log);
    for (from, more) in [("1700000000.0", &both[..]), ("1700000000.2", &both[1..]), ("1700000000.3", &[])] {
        let reader = open(&mut job, Role::Dispatcher, "s", from);
        let first = vec![format!("state {}", late(from))];
        assert_eq!(
            told(&mut job, reader, NOW),
            [first, more.iter().map(|&it| it.to_owned()).collect()].concat()
        );
    }
    for from in ["?", "1700000000.4", "1700000000.3.1", "1700000001.0", "1699999999.1", "1700000000.0.1"] {
        let reader = open(&mut job, Role::Admin, "s", from);
        assert_eq!(told(&mut job, reader, NOW), ["resync -", "state 00.3"], "{from}");
    }
    // Who has seen a part of a post gets the others.
    let reader = open(&mut job, Role::Dispatcher, "t", "1700000000.1");
    let (deliveries, _) = job.deliveries(NOW);
    assert!(deliveries.iter().any(|it| it.readers.contains(&reader)));
    job.taken(reader, true);
    let (deliveries, _) = job.deliveries(NOW);
    let rest = events(&deliveries[0].text);
    assert_eq!((rest[0].name.as_str(), &rest[0].data["fromSeq"]), ("location.updated", &json!(2)));
    assert_eq!(rest[0].data.get("backfill"), None);
}

#[test]
fn what_is_no_fix_counts_from_the_last_one() {
    let log = MemoryLog::default();
    let settings = Settings { silent_after: Some(MINUTE), ..settings() };
    let mut job = Job::wake(log.clone(), settings.clone()).unwrap();
    put(&mut job, Some("d"), &["c"], NOW).unwrap();
    let reader = open(&mut job, Role::Customer, "c", "");
    assert_eq!(told(&mut job, reader, NOW), ["state 00.0.2"]);
    job.alarm(NOW + MINUTE).unwrap();
    post_as(&mut job, "d", None, &fixes(3, NOW + MINUTE + 1), NOW + MINUTE + 1);
    job.alarm(NOW + 3 * MINUTE).unwrap();
    put(&mut job, Some("e"), &["c"], NOW + 4 * MINUTE).unwrap();
    let rows = [
        "job.updated 00.0.2",
        "driver.silent 00.0.3",
        "driver.heard 00.0.4",
        "location.updated 00.3",
        "driver.silent 00.3.1",
        "job.reassigned 40.0.1",
        "job.updated 40.0.2",
    ];
    // They were there when these came, and are asked about only now: of the life before nothing is shown any more.
    let customers = told(&mut job, reader, NOW);
    assert_eq!(customers, &rows[5..]);
    let mut job = Job::wake(log, settings).unwrap();
    let ids = [
        "1700000000.0.1",
        "1700000000.0.2",
        "1700000000.0.3",
        "1700000000.0.4",
        "1700000000.3",
        "1700000000.3.1",
        "1700000240.0.1",
        "1700000240.0.2",
    ];
    for (nth, id) in ids.into_iter().enumerate() {
        let reader = open(&mut job, Role::Service, "s", id);
        let expected = [&[format!("state {}", late(id))], &rows.map(str::to_owned)[nth..]].concat();
        assert_eq!(told(&mut job, reader, NOW), expected, "{id}");
    }
    for id in ["1700000000.0.5", "1700000000.3.2", "1700000000.1.1", "1700000240.0.3"] {
        let reader = open(&mut job, Role::Service, "t", id);
        assert_eq!(told(&mut job, reader, NOW), ["resync -", "state 40.0.2"], "{id}");
    }
    // A customer goes on in the present life alone.
    let reader = open(&mut job, Role::Customer, "c", "1700000000.3");
    assert_eq!(told(&mut job, reader, NOW), ["resync -", "state 40.0.2"]);
}

#[test]
fn access_that_ends_ends_the_stream_and_nothing_more_is_told() {
    let mut job = new_job();
    put(&mut job, Some("d"), &["c"], NOW).unwrap();
    let [staff, driver, customer] = [(Role::Admin, "a"), (Role::Driver, "d"), (Role::Customer, "c")]
        .map(|(role, name)| open(&mut job, role, name, ""));
    for reader in [staff, driver, customer] {
        let (deliveries, _) = job.deliveries(NOW);
        assert!(deliveries.iter().all(|delivery| !delivery.ends));
        job.taken(reader, true);
    }
    post_as(&mut job, "d", None, &fixes(1, NOW), NOW);
    put(&mut job, Some("e"), &[], NOW + 1).unwrap();
    let (deliveries, _) = job.deliveries(NOW + 1);
    let told_to = |number: u32| {
        let theirs = deliveries.iter().filter(|delivery| delivery.readers.contains(&number));
        theirs
            .map(|it| (events(&it.text).into_iter().map(|it| it.name).collect::<Vec<_>>(), it.ends))
            .collect::<Vec<_>>()
    };
    assert_eq!(told_to(customer), [(vec!["end".to_owned()], true)]);
    assert_eq!(told_to(driver), [(vec!["end".to_owned()], true)]);
    assert_eq!(
        told_to(staff),
        [(["location.updated", "job.reassigned", "job.updated"].map(str::to_owned).into(), false)]
    );
    let reasons: Vec<_> =
        deliveries.iter().filter(|it| it.ends).map(|it| events(&it.text)[0].data["reason"].clone()).collect();
    assert_eq!(reasons, [json!("reassigned"), json!("removed")]);
    assert_eq!(job.readers.iter().count(), 1);
}

#[test]
fn a_job_that_ends_is_told_and_then_the_stream_ends() {
    for forget in [false, true] {
        let mut job = new_job();
        put(&mut job, Some("d"), &["c"], NOW).unwrap();
        post_as(&mut job, "d", None, &fixes(1, NOW), NOW);
        let [staff, customer] =
            [(Role::Admin, "a"), (Role::Customer, "c")].map(|(role, name)| open(&mut job, role, name, ""));
        for reader in [staff, customer] {
            assert!(told(&mut job, reader, NOW).len() <= 1);
        }
        if forget {
            ask(&mut job, JobRequest::Forget { job: job_id() }, NOW).unwrap();
        } else {
            close(&mut job, NOW);
        }
        let (deliveries, _) = job.deliveries(NOW);
        for reader in [staff, customer] {
            let its = deliveries.iter().find(|it| it.readers.contains(&reader)).unwrap();
            let names: Vec<_> = events(&its.text).into_iter().map(|it| (it.name, it.id)).collect();
            let id = Some("1700000000.1.1".to_owned());
            assert_eq!(names, [("job.closed".to_owned(), id), ("end".to_owned(), None)], "{forget}");
            assert!(its.ends);
        }
        assert!(!job.has_readers());
        let again = job.stream(request(viewer(Role::Customer, "c"), NOW + HOUR, Begin::Now), NOW).unwrap();
        let ended = JobRefusal::Ended { reason: EndReason::Done };
        assert_eq!(again, Err(if forget { JobRefusal::Closed } else { ended }));
        let again = job.stream(request(viewer(Role::Admin, "a"), NOW + HOUR, Begin::Now), NOW).unwrap();
        if forget {
            assert_eq!(again, Err(JobRefusal::Forgotten));
        } else {
            assert_eq!(told(&mut job, again.unwrap(), NOW), ["state 00.1.1", "end closed"]);
        }
    }
}

#[test]
fn who_is_behind_when_a_job_ends_is_told_that_and_no_fix() {
    let mut job = new_job();
    put(&mut job, Some("d"), &["c"], NOW).unwrap();
    let [staff, customer] =
        [(Role::Admin, "a"), (Role::Customer, "c")].map(|(role, name)| open(&mut job, role, name, ""));
    job.deliveries(NOW).1.unwrap();
    post_as(&mut job, "d", None, &fixes(1, NOW), NOW);
    close(&mut job, NOW);
    let (deliveries, _) = job.deliveries(NOW);
    let [Delivery { readers, text, ends: true }] = &deliveries[..] else { panic!("{deliveries:?}") };
    assert_eq!(*readers, [customer]);
    assert_eq!(events(text).iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["job.closed", "end"]);
    assert!(job.taken(staff, true));
    let all = ["location.updated 00.1", "job.closed 00.1.1", "end closed"];
    assert_eq!(told(&mut job, staff, NOW), all, "staff may read on");
}

#[test]
fn what_is_deleted_leaves_a_gap_that_is_told() {
    let log = MemoryLog::default();
    let mut job = wake(log.clone());
    (0..4).for_each(|nth| drop(post(&mut job, fixes(1, NOW + nth), NOW + nth)));
    log.prune(2);
    for (from, goes_on) in [("1700000000.0", false), ("1700000000.1", false), ("1700000000.3", true)] {
        let reader = open(&mut job, Role::Admin, "a", from);
        let expected = if goes_on {
            vec!["state 00.3", "location.updated 00.4"]
        } else {
            vec!["resync -", "state 00.4"]
        };
        assert_eq!(told(&mut job, reader, NOW), expected, "{from}");
    }
}

#[test]
fn a_session_ends_a_stream_on_the_second_and_a_sixth_stream_the_first() {
    let mut job = new_job();
    post(&mut job, fixes(1, NOW), NOW);
    let first = open(&mut job, Role::Driver, "d", "");
    assert_eq!(told(&mut job, first, NOW), ["state 00.1"]);
    let until = NOW + 5_000;
    let short = job.stream(request(viewer(Role::Driver, "e"), until, Begin::Now), NOW).unwrap().unwrap();
    assert_eq!(told(&mut job, short, NOW), ["state 00.1"]);
    assert_eq!(job.readers_due(NOW), Some(until));
    assert_eq!(told(&mut job, short, until - 1), [""; 0]);
    assert_eq!(told(&mut job, short, until), ["end expired"]);
    assert_eq!(job.readers_due(NOW), Some(NOW + 10_000));
    let others: Vec<u32> = (0..4).map(|_| open(&mut job, Role::Driver, "d", "")).collect();
    assert_eq!(told(&mut job, first, NOW), [""; 0], "as many as one may have");
    open(&mut job, Role::Customer, "d", "");
    assert_eq!(told(&mut job, first, NOW), ["end replaced"]);
    assert!(others.iter().all(|number| job.readers.iter().any(|reader| reader.number == *number)));
    assert_eq!(told(&mut job, others[0], NOW + 10_000), [":"]);
}

#[test]
fn a_job_has_two_hundred_streams() {
    let mut job = new_job();
    let mut opened =
        |name: &str| job.stream(request(viewer(Role::Driver, name), NOW + HOUR, Begin::Now), NOW).unwrap();
    for nth in 0..40 {
        for _ in 0..5 {
            opened(&format!("u{nth}")).unwrap();
        }
    }
    assert_eq!(opened("v"), Err(JobRefusal::TooManyStreams));
    opened("u7").unwrap();
    let (deliveries, _) = job.deliveries(NOW);
    let told: usize = deliveries.iter().map(|delivery| delivery.readers.len()).sum();
    assert_eq!(told, 201);
    assert_eq!(job.readers.iter().count(), 200);
}

#[test]
fn what_several_see_alike_is_one_text_and_nobody_gets_a_second_before_the_first() {
    let mut job = new_job();
    put(&mut job, Some("d"), &["c"], NOW).unwrap();
    post_as(&mut job, "d", None, &fixes(1, NOW), NOW);
    // Each has joined at another time, and so has another scope.
    for nth in 0..4_i64 {
        let customers: Vec<String> = (0..=nth).map(|nth| format!("c{nth}")).collect();
        let customers: Vec<&str> = customers.iter().map(String::as_str).collect();
        put(&mut job, Some("d"), &customers, NOW + nth).unwrap();
    }
    let readers: Vec<u32> =
        (0..4).map(|nth| open(&mut job, Role::Customer, &format!("c{nth}"), "")).collect();
    let slow = open(&mut job, Role::Admin, "a", "");
    job.deliveries(NOW).1.unwrap();
    for reader in &readers {
        job.taken(*reader, true);
    }
    post_as(&mut job, "d", None, &fixes(1, NOW + 5), NOW + 5);
    let (deliveries, _) = job.deliveries(NOW + 5);
    let [Delivery { readers: told_to, .. }] = &deliveries[..] else { panic!("{deliveries:?}") };
    assert_eq!(*told_to, readers);
    assert!(job.taken(slow, true), "there is more for them by now");
    assert!(!job.taken(readers[0], true));
    assert_eq!(told(&mut job, slow, NOW + 5), ["location.updated 00.2"]);
    post_as(&mut job, "d", None, &fixes(1, NOW + 6), NOW + 6);
    assert_eq!(told(&mut job, slow, NOW + 6).len(), 1);
    // One whose text is never taken.
    let (deliveries, _) = job.deliveries(NOW + 6 + 30_000);
    let ended: Vec<_> = deliveries.iter().filter(|it| it.ends).collect();
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].readers, readers[1..]);
    let names: Vec<_> =
        events(&ended[0].text).into_iter().map(|it| (it.name, it.data["reason"].clone())).collect();
    assert_eq!(names, [("resync".to_owned(), json!("slow")), ("end".to_owned(), json!("slow"))]);
    assert!(!job.taken(readers[1], true));
}

#[test]
fn a_long_log_is_read_a_page_at_a_time() {
    let mut job = new_job();
    for nth in 0..300 {
        post(&mut job, fixes(2, NOW + nth * 10), NOW + nth * 10);
    }
    let reader = open(&mut job, Role::Admin, "a", "1700000000.0");
    job.deliveries(NOW).1.unwrap();
    let mut seqs = Vec::new();
    while job.taken(reader, true) {
        let (deliveries, _) = job.deliveries(NOW);
        let [Delivery { text, .. }] = &deliveries[..] else { panic!("one text at a time") };
        assert!(text.len() < 64 * 1024);
        seqs.extend(events(text).iter().map(|it| it.data["seq"].as_u64().unwrap()));
    }
    assert_eq!(seqs, (1..=300).map(|nth| nth * 2).collect::<Vec<_>>());
}

#[test]
fn no_more_is_read_of_a_long_log_than_is_told() {
    let mut job = new_job();
    for nth in 0..30 {
        post(&mut job, fixes(100, NOW + nth * 1_000), NOW + nth * 1_000);
    }
    let reader = open(&mut job, Role::Admin, "a", "1700000000.0");
    job.deliveries(NOW).1.unwrap();
    let rows = |job: &Job<MemoryLog>| job.readers.iter().next().unwrap().rows;
    assert_eq!(rows(&job), 64);
    let mut pages = Vec::new();
    while job.taken(reader, true) {
        let asked = rows(&job);
        let (deliveries, _) = job.deliveries(NOW);
        let told = u32::try_from(events(&deliveries[0].text).len()).unwrap();
        pages.push((asked, told));
    }
    pages.pop();
    assert!(pages.len() > 1 && pages[1..].iter().all(|(asked, told)| asked <= &(told * 2)), "{pages:?}");
    // What is short is read in greater pages again.
    for nth in 0..200 {
        post(&mut job, fixes(1, NOW + HOUR + nth), NOW + HOUR + nth);
    }
    told(&mut job, reader, NOW);
    assert_eq!(rows(&job), 64);
}

#[test]
fn a_gate_that_is_closed_lets_nothing_through_and_then_what_comes_after() {
    let mut job = new_job();
    let body = json!({"driver": "d", "customers": ["c"], "place": {"lat": 0, "lng": 0}, "gate": {"customer": {"within": 1_000}}});
    let wanted = crate::jobs::Wanted::parse(body.to_string().as_bytes(), NOW).unwrap();
    ask(&mut job, JobRequest::Put { job: job_id(), wanted, only: None }, NOW).unwrap();
    let far = |id: &str, at: Millis| json!({"lat": 1, "lng": 0, "accuracy": 5, "capturedAt": at, "id": id});
    post_as(&mut job, "d", None, &far("a", NOW), NOW);
    let reader = open(&mut job, Role::Customer, "c", "1700000000.1");
    let (deliveries, _) = job.deliveries(NOW);
    let first = &events(&deliveries[0].text)[0];
    let hash = "2e7d2c03a9507ae265ecf5b5356885a53393a2029d241394997265a1a25aefc6";
    assert_eq!(
        first.data,
        json!({"jobId": "job-1", "withheld": true, "gate": "within", "now": NOW, "subHash": hash})
    );
    assert_eq!(first.id, None);
    assert!(!deliveries[0].text.contains("1700000000."));
    job.taken(reader, true);
    post_as(&mut job, "d", None, &far("b", NOW + 1), NOW + 1);
    assert_eq!(told(&mut job, reader, NOW + 1), [""; 0]);
    assert_eq!(job.readers_due(NOW + 1), Some(NOW + 10_000), "and nobody looks again at once");
    let near = |id: &str, lat: f64, at: Millis| json!({"lat": lat, "lng": 0, "accuracy": 5, "capturedAt": at, "id": id});
    let both = json!({"locations": [near("c", 0.005, NOW + 2), near("d", 0.006, NOW + 3)]});
    post_as(&mut job, "d", None, &both, NOW + 3);
    post_as(&mut job, "d", None, &far("late", NOW + 1), NOW + 4);
    let (deliveries, _) = job.deliveries(NOW + 4);
    let told_now = events(&deliveries[0].text);
    let names: Vec<_> = told_now.iter().map(|it| (it.name.as_str(), it.id.as_deref())).collect();
    assert_eq!(names, [("gate.opened", None), ("state", Some("1700000000.3"))]);
    assert_eq!(told_now[1].data["seq"], 4);
    job.taken(reader, true);
    let (deliveries, _) = job.deliveries(NOW + 4);
    let told_now = events(&deliveries[0].text);
    assert_eq!((told_now[0].id.as_deref(), &told_now[0].data["fromSeq"]), (Some("1700000000.4"), &json!(4)));
    assert_eq!(told_now[0].data.get("backfill"), None);
    let late = &told_now[1];
    assert_eq!((late.name.as_str(), late.id.as_deref()), ("location.backfilled", Some("1700000000.5")));
    assert_eq!(late.data["backfill"], json!([]), "it is counted, and not shown");
    job.taken(reader, true);
    // Another gate closes anew.
    let body = json!({"driver": "d", "customers": ["c"], "gate": {"customer": {"from": NOW + HOUR}}});
    let wanted = crate::jobs::Wanted::parse(body.to_string().as_bytes(), NOW).unwrap();
    ask(&mut job, JobRequest::Put { job: job_id(), wanted, only: None }, NOW + 5).unwrap();
    let (deliveries, _) = job.deliveries(NOW + 5);
    let told_now = events(&deliveries[0].text);
    assert_eq!((told_now[0].id.as_deref(), &told_now[0].data["opensAt"]), (None, &json!(NOW + HOUR)));
    job.taken(reader, true);
    close(&mut job, NOW + 6);
    assert_eq!(told(&mut job, reader, NOW + 6), ["end closed"], "nor how far it had come");
}
