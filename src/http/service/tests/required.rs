//! Where the registry alone decides: what is asked, what is counted, and what is told of jobs that are none of the asker's.

use super::*;

/// A service without claims, and one with.
fn services() -> [Service; 2] {
    [service(&[("JOB_REGISTRY", "required")]), service(&[])]
}

/// What became of a request, and on which way.
struct Way {
    /// What the objects were asked.
    asked: Vec<Value>,
    /// Whose limit lost how many places.
    limited: Vec<(String, usize)>,
    answer: Answer,
}

/// Goes the whole way: each job's object replies what `say` says, and the limit what `left` is.
fn go(
    service: &Service,
    wanted: &Asked,
    say: &dyn Fn(&str) -> Reply,
    left: fn() -> Result<bool, Unreachable>,
) -> Way {
    let (visit, mut next) = wanted.open(service);
    let (mut asked, mut limited) = (Vec::new(), Vec::new());
    let read = |request: &str| serde_json::from_str::<Value>(request).unwrap();
    let outcome = loop {
        next = match next {
            Ok(Step::Done(answer)) => break Ok(answer),
            Err(problem) => break Err(problem),
            Ok(Step::ReadBody(then)) => then(Ok(br#"{"lat":1,"lng":2,"driver":"driver-9"}"#)),
            Ok(Step::Call { object: Object::Job(job), request, then }) => {
                asked.push(read(&request));
                then(Ok(say(job.as_str())))
            }
            Ok(Step::CallAll { calls, then }) => {
                asked.extend(calls.iter().map(|(_, request)| read(request)));
                then(Ok(calls.iter().map(|(job, _)| say(job.as_str())).collect()))
            }
            Ok(Step::Limit { user, places, then }) => {
                limited.push((user.to_string(), places));
                then(left())
            }
            Ok(Step::Stream { job, request, then, .. }) => {
                asked.push(read(&request));
                then(Ok(say(job.as_str())))
            }
            Ok(Step::Call { .. } | Step::Wait { .. }) => panic!("another step"),
        };
    };
    Way { asked, limited, answer: service.finish(outcome, &visit) }
}

fn refuses(_: &str) -> Reply {
    Reply::Refusal(JobRefusal::NotAParticipant)
}

/// Jobs whose ids say how they are to the user.
fn stands(job: &str) -> Reply {
    Reply::Answer(json!({"standing": job.split('-').next()}).to_string())
}

const WITHIN: fn() -> Result<bool, Unreachable> = || Ok(true);
const OVER: fn() -> Result<bool, Unreachable> = || Ok(false);
const UNKNOWN: fn() -> Result<bool, Unreachable> = || Err(Unreachable("inner detail".to_owned()));

const READS: [(&str, &str); 4] = [
    ("GET", "/api/jobs/a/location"),
    ("GET", "/api/jobs/a/locations"),
    ("GET", "/api/jobs/a/stream"),
    ("GET", "/api/jobs/a"),
];
const POST: (&str, &str) = ("POST", "/api/jobs/a/location");

#[test]
fn the_object_is_asked_whatever_the_claim_says_and_told_that_none_counts() {
    let [required, on] = services();
    for (method, path) in READS.into_iter().chain([POST]) {
        for role in ["driver", "customer"] {
            if (method, role) == ("POST", "customer") {
                let way = go(&required, &ask(method, path).as_(role, &["a"]), &refuses, WITHIN);
                assert_eq!((way.answer.code, way.asked.len()), (Some("not_a_driver"), 0));
                continue;
            }
            let asked = |jobs: &[&str], service| {
                go(service, &ask(method, path).as_(role, jobs), &refuses, WITHIN).asked
            };
            let [request] = asked(&[], &required).try_into().unwrap();
            assert_eq!(asked(&["a"], &required), std::slice::from_ref(&request), "{method} {path}");
            assert_eq!(asked(&["b"], &required), std::slice::from_ref(&request), "{method} {path}");
            // All else is the same as by claim.
            let text = request.to_string();
            assert_eq!(text.matches(r#""registry_alone":true"#).count(), 1, "{text}");
            let by_claim = asked(&["a"], &on).remove(0).to_string();
            let without =
                text.replace(r#","registry_alone":true"#, "").replace(r#""registry_alone":true,"#, "");
            assert_eq!(without, by_claim);
        }
    }
    for role in ["dispatcher", "admin", "service"] {
        for (method, path) in READS {
            let asked = |service| go(service, &ask(method, path).as_(role, &[]), &refuses, WITHIN).asked;
            assert_eq!(asked(&required), asked(&on), "{role} {path}");
        }
    }
    let way = go(&required, &ask(POST.0, POST.1).as_("service", &[]), &refuses, WITHIN);
    assert_eq!(way.asked[0]["post"]["registry_alone"], true);
    assert_eq!(
        (way.answer.code, way.limited),
        (Some("not_a_participant"), vec![]),
        "the back end guesses nothing"
    );
}

#[test]
fn a_client_cannot_say_that_a_claim_counts() {
    let [required, _] = services();
    let plain = go(&required, &ask("GET", "/api/jobs/a/location").as_("driver", &["a"]), &refuses, WITHIN);
    let tried = ask("GET", "/api/jobs/a/location?registry_alone=false&jobs=a")
        .as_("driver", &["a"])
        .header("registry_alone", "false")
        .header("job-registry", "on");
    assert_eq!(go(&required, &tried, &refuses, WITHIN).asked, plain.asked);
}

#[test]
fn each_answer_that_a_job_is_none_of_theirs_takes_a_place_and_nothing_else_does() {
    let [required, on] = services();
    for (method, path) in READS.into_iter().chain([POST]) {
        let wanted = ask(method, path).as_("driver", &["a"]);
        let way = go(&required, &wanted, &refuses, WITHIN);
        assert_eq!((way.answer.status, way.answer.code), (403, Some("not_a_participant")), "{path}");
        assert_eq!(way.limited, [("driver-1".to_owned(), 1)], "{path}");
        let foreign = ask(method, path).as_("driver", &["b"]).answer(&on);
        assert_eq!(format!("{:?}", way.answer), format!("{foreign:?}"), "the same as where claims count");

        let over = go(&required, &wanted, &refuses, OVER).answer;
        assert_eq!((over.status, over.code), (429, Some("too_many_unknown_jobs")), "{path}");
        assert_eq!(over.header("retry-after"), Some("60"));
        let unknown = go(&required, &wanted, &refuses, UNKNOWN).answer;
        assert_eq!((unknown.status, unknown.code), (503, Some("unavailable")), "{path}");
        assert!(!unknown.body.contains("inner detail"));

        for reply in [
            Reply::Answer(r#"{"version":1,"locations":[],"next":null}"#.to_owned()),
            Reply::Refusal(JobRefusal::Closed),
            Reply::Refusal(JobRefusal::Backlog),
        ] {
            let way = go(&required, &wanted, &move |_| reply.clone(), OVER);
            assert_eq!(way.limited, [], "{path}");
            assert_ne!(way.answer.status, 429);
        }
        assert_eq!(go(&on, &wanted, &refuses, OVER).limited, [], "a claim is no guess");
    }
}

fn token(query: &str, jobs: &[&str]) -> Asked {
    ask("GET", &format!("/api/ably-token{query}")).as_("customer", jobs)
}

#[test]
fn a_token_takes_a_place_for_each_name_that_is_none_of_theirs() {
    let [required, _] = services();
    let limited = |query: &str, jobs: &[&str]| {
        let way = go(&required, &token(query, jobs), &stands, WITHIN);
        (
            way.answer.status,
            way.asked.len(),
            way.limited
                .iter()
                .map(|(user, places)| {
                    assert_eq!(user, "customer-1");
                    *places
                })
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(limited("?jobId=admitted-1", &[]), (200, 1, vec![]));
    assert_eq!(limited("?jobId=foreign-1", &[]), (403, 1, vec![1]));
    assert_eq!(limited("?jobId=foreign-1,admitted-1,foreign-2", &[]), (200, 3, vec![2]));
    assert_eq!(limited("?jobId=foreign-1,foreign-2", &["foreign-1"]), (403, 2, vec![2]));
    assert_eq!(limited("?jobId=refused-1,admitted-1", &[]), (200, 2, vec![]), "it was theirs");
    assert_eq!(limited("?jobId=refused-1", &[]), (403, 1, vec![]));
    assert_eq!(limited("?jobId=waiting-1", &[]), (200, 1, vec![]));
    // What the platform has put into a session nobody has guessed.
    assert_eq!(limited("", &["foreign-1", "admitted-1"]), (200, 2, vec![]));
    assert_eq!(limited("", &[]), (200, 0, vec![]));
    let over = go(&required, &token("?jobId=foreign-1,admitted-1", &[]), &stands, OVER).answer;
    assert_eq!(
        (over.status, over.header("x-ably-errorcode"), over.header("retry-after")),
        (429, Some("42910"), Some("60"))
    );
    assert_eq!(body(&over)["error"]["code"], 42910);
    let unknown = go(&required, &token("?jobId=foreign-1", &[]), &stands, UNKNOWN).answer;
    assert_eq!((unknown.status, unknown.header("x-ably-errorcode")), (503, Some("50000")));
}

#[test]
fn a_token_of_one_who_has_no_jobs_has_what_the_registry_says() {
    let [required, _] = services();
    let names = |count: usize| (0..count).map(|n| format!("admitted-{n}")).collect::<Vec<_>>().join(",");
    let way = go(&required, &token(&format!("?jobId={}", names(20)), &[]), &stands, OVER);
    assert_eq!((way.answer.status, way.asked.len(), way.limited), (200, 20, vec![]));
    let way = go(&required, &token(&format!("?jobId={}", names(21)), &[]), &stands, OVER);
    assert_eq!(
        (way.answer.status, way.answer.header("x-ably-errorcode"), way.asked.len()),
        (400, Some("40003"), 0)
    );
    for jobs in [&[][..], &["foreign-1"], &["admitted-0"]] {
        let one = go(&required, &token("?jobId=admitted-0,foreign-1", jobs), &stands, WITHIN);
        let other = go(&required, &token("?jobId=admitted-0,foreign-2", &[]), &stands, WITHIN);
        assert_eq!(format!("{:?}", one.answer), format!("{:?}", other.answer), "{jobs:?}");
    }
}
