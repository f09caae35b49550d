//! What a job's object is asked for whoever wants to read its events as they come.

use super::*;

const PATH: &str = "/api/jobs/a/stream";

/// What the object is asked, as JSON, and how it goes on where it says this.
fn go(wanted: &Asked, says: JobRefusal) -> (Value, Answer, Answer) {
    let service = service(&[]);
    let (visit, next) = wanted.open(&service);
    let Ok(Step::Stream { job, request, answer, then }) = next else { panic!("a stream is asked for") };
    assert_eq!(job.as_str(), "a");
    let refused = ended(&service, &visit, then(Ok(Reply::Refusal(says))));
    (serde_json::from_str(&request).unwrap(), service.finish(Ok(answer), &visit), refused)
}

#[test]
fn the_object_is_told_who_reads_until_when_and_from_where_and_nothing_else() {
    let from = |path: &str, header: Option<&str>| {
        let asked = ask("GET", path).as_("customer", &["a"]).header("x-user", "eve");
        let asked = match header {
            Some(id) => asked.header("last-event-id", id),
            None => asked,
        };
        go(&asked, JobRefusal::Unknown).0
    };
    let viewer = json!({"role": "customer", "user": "customer-1"});
    let asked = from(PATH, None);
    assert_eq!(asked, json!({"job": "a", "viewer": viewer, "until": (NOW + 3600) * 1000, "begin": "now"}));
    for (query, header, begin) in [
        ("?after=9.1", None, json!({"after": "9.1"})),
        ("?after=9.0.2&x=y", Some(""), json!({"after": "9.0.2"})),
        ("?after=9.1", Some("9.4.1"), json!({"after": "9.4.1"})),
        ("", Some("9"), json!("nowhere")),
        ("?after=9.1", Some("9.1.0"), json!("nowhere")),
    ] {
        assert_eq!(from(&format!("{PATH}{query}"), header)["begin"], begin, "{query} {header:?}");
    }
}

#[test]
fn what_carries_a_stream_is_told_to_leave_it_as_it_is() {
    let asked = ask("GET", PATH).as_("driver", &["a"]).header("origin", "https://app.example");
    let (_, answer, refused) = go(&asked, JobRefusal::TooManyStreams);
    assert!(answer.is_stream);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(answer.header("cache-control"), Some("private, no-store, no-transform"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("30")));
    assert_eq!(refused.header("cache-control"), Some("private, no-store"));
    for (refusal, status) in [
        (JobRefusal::NotAParticipant, 403),
        (JobRefusal::Closed, 403),
        (JobRefusal::Forgotten, 404),
        (JobRefusal::Unknown, 500),
    ] {
        assert_eq!(go(&asked, refusal).2.status, status, "{refusal:?}");
    }
    let service = service(&[]);
    let (_, next) = ask("HEAD", PATH).as_("driver", &["a"]).open(&service);
    assert!(matches!(next, Ok(Step::Call { .. })), "nobody reads it");
    for foreign in [ask("GET", PATH).as_("driver", &["b"]), ask("GET", PATH).as_("customer", &[])] {
        assert_eq!(foreign.answer(&service).status, 403);
    }
    assert_eq!(ask("GET", "/api/jobs/a/stream?after=1").as_("admin", &[]).answer(&service).status, 400);
}
