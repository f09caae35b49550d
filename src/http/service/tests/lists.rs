//! Lists of jobs: who is told which, and what their jobs' own objects have to say first.

use super::*;
use crate::index::{List, Wanted};
use crate::jobs::Viewer;
use crate::sessions::Role;

fn jobs(query: &str, role: &str, jobs: &[&str]) -> Asked {
    ask("GET", &format!("/api/jobs{query}")).as_(role, jobs)
}

/// Goes the whole way: a list replies with `page`, and each job's object as `say` says. Which list was asked, for what, and which jobs.
fn go(
    wanted: &Asked,
    page: &str,
    say: impl Fn(&str) -> Reply,
) -> (Answer, Option<(List, Wanted)>, Vec<String>) {
    let service = service(&[]);
    let (visit, mut next) = wanted.open(&service);
    let (mut list, mut asked) = (None, Vec::new());
    let outcome = loop {
        next = match next {
            Ok(Step::Done(answer)) => break Ok(answer),
            Err(problem) => break Err(problem),
            Ok(Step::Call { object: Object::List(of), request, then }) => {
                list = Some((of, serde_json::from_str(&request).unwrap()));
                then(Ok(Reply::Answer(page.to_owned())))
            }
            Ok(Step::CallAll { calls, then }) => {
                for (job, request) in &calls {
                    let JobRequest::Job { job: of, viewer: Viewer { role, user, .. } } =
                        serde_json::from_str(request).unwrap()
                    else {
                        panic!("{request}")
                    };
                    assert!(of == *job && role == Role::Driver && user.as_str() == "driver-1", "{request}");
                }
                asked.extend(calls.iter().map(|(job, _)| job.to_string()));
                then(Ok(calls.iter().map(|(job, _)| say(job.as_str())).collect()))
            }
            Ok(_) => panic!("nothing else is needed"),
        };
    };
    (service.finish(outcome, &visit), list, asked)
}

fn nobody(job: &str) -> Reply {
    panic!("{job} is asked")
}

const PAGE: &str = r#"{"jobs":[{"jobId":"a","state":"open"}],"next":"a"}"#;

#[test]
fn who_hands_jobs_out_is_told_the_list_as_it_is() {
    for role in ["dispatcher", "admin", "service"] {
        let (answer, list, _) =
            go(&jobs("?state=open&dispatchId=west&after=b&limit=7", role, &[]), PAGE, nobody);
        assert_eq!((answer.status, answer.body.as_str()), (200, PAGE), "{role}");
        let (list, wanted) = list.unwrap();
        let brief =
            (wanted.after.unwrap().to_string(), wanted.limit, wanted.dispatch_id.unwrap().to_string());
        assert_eq!((list, brief), (List::Open, ("b".to_owned(), 7, "west".to_owned())));
        for query in ["?mine", "?mine=true&limit=1"] {
            let (answer, list, _) = go(&jobs(query, role, &[]), PAGE, nobody);
            assert_eq!((answer.status, answer.code, list), (403, Some("no_own_jobs"), None), "{role}");
        }
    }
    for role in ["driver", "customer"] {
        for query in ["", "?state=open"] {
            let (answer, list, _) = go(&jobs(query, role, &["a"]), PAGE, nobody);
            assert_eq!((answer.status, answer.code, list), (403, Some("own_jobs_only"), None), "{role}");
        }
    }
}

#[test]
fn what_somebody_has_already_is_304_with_all_that_every_answer_carries() {
    let wanted = || jobs("", "dispatcher", &[]).header("origin", "https://app.example");
    let etag = go(&wanted(), PAGE, nobody).0.header("etag").unwrap().to_owned();
    let again = || wanted().header("if-none-match", format!("\"x\", W/{etag}"));
    let (same, ..) = go(&again(), PAGE, nobody);
    assert_eq!((same.status, same.body.as_str(), same.header("etag")), (304, "", Some(etag.as_str())));
    for (name, value) in [
        ("cache-control", "private, no-store"),
        ("x-content-type-options", "nosniff"),
        ("access-control-allow-origin", "https://app.example"),
        ("vary", "Origin"),
    ] {
        assert_eq!(same.header(name), Some(value));
    }
    assert!(same.header("x-request-id").is_some());
    let (changed, ..) = go(&again(), r#"{"jobs":[],"next":null}"#, nobody);
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), Some(etag.as_str()));
    let head = Asked { method: "HEAD", ..wanted() };
    let (head, ..) = go(&head, PAGE, nobody);
    assert_eq!((head.status, head.body.as_str(), head.header("etag")), (200, "", Some(etag.as_str())));
}

#[test]
fn ones_own_jobs_are_those_that_claim_list_and_object_agree_on() {
    let page = r#"{"jobs":["a","b","c","d","e"],"next":"e"}"#;
    let say = |job: &str| match job {
        "a" | "c" => Reply::Answer(json!({"jobId": job}).to_string()),
        "b" => Reply::Refusal(JobRefusal::NotAParticipant),
        _ => Reply::Refusal(JobRefusal::Closed),
    };
    let (answer, list, asked) = go(&jobs("?mine", "driver", &["a", "b", "c", "e", "z"]), page, say);
    assert_eq!(asked, ["a", "b", "c", "e"], "what the session does not list is not asked");
    assert_eq!(body(&answer), json!({"jobs": [{"jobId": "a"}, {"jobId": "c"}], "next": "e"}));
    let (list, wanted) = list.unwrap();
    assert_eq!((list.name().as_str(), wanted.limit, wanted.after), ("user:driver-1", 20, None));
    assert!(answer.header("etag").is_some());
    let (answer, _, asked) = go(&jobs("?mine", "driver", &["z"]), page, nobody);
    assert_eq!((asked.len(), body(&answer)), (0, json!({"jobs": [], "next": "e"})));
}

#[test]
fn without_a_registry_there_are_no_lists() {
    let service = service(&[("JOB_REGISTRY", "off")]);
    for (query, role) in [("", "dispatcher"), ("?limit=0", "admin"), ("?mine", "driver")] {
        let answer = jobs(query, role, &[]).answer(&service);
        assert_eq!((answer.status, answer.code), (404, Some("not_found")));
    }
}

#[test]
fn a_parameter_that_is_wrong_is_named() {
    for (query, field) in
        [("?state=closed", "state"), ("?limit=0", "limit"), ("?after=", "after"), ("?mine=1", "mine")]
    {
        let (answer, ..) = go(&jobs(query, "dispatcher", &[]), PAGE, nobody);
        assert_eq!((answer.status, body(&answer)["field"].as_str()), (400, Some(field)));
    }
    assert_eq!(ask("POST", "/api/jobs").as_("dispatcher", &[]).answer(&service(&[])).status, 405);
}
