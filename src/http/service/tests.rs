//! The steps of a request, without a runtime.

use serde_json::{Value, json};

use super::*;
use crate::http::step::{NoBody, Object, Unreachable};
use crate::ids::{JobId, JobRef};
use crate::locations::post::Entry;
use crate::locations::{JobRefusal, JobRequest, Reply};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt, Claims, Header};

mod admission;
mod fuzz;
mod hints;
mod lists;
mod required;
mod streams;

const NOW: u64 = 1_800_000_000;
const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn service(settings: &[(&str, &str)]) -> Service {
    let base = [
        ("ABLY_API_KEY", "app.key:secret"),
        ("SESSION_SECRET", SECRET),
        ("CORS_ORIGINS", "https://app.example"),
    ];
    let find = |list: &[(&str, &str)], name: &str| {
        list.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    };
    Service::new(Config::load(&|name| find(settings, name).or_else(|| find(&base, name)), &|_| true))
}

fn session_of(role: &str, jobs: &[&str]) -> String {
    let claims =
        Claims::new(json!({"sub": format!("{role}-1"), "role": role, "jobs": jobs, "exp": NOW + 3600}));
    Hs256.token(&Header::empty(), &claims, &Hs256Key::new(SECRET)).unwrap()
}

/// A request that is being put together.
struct Asked {
    method: &'static str,
    url: String,
    headers: Vec<(&'static str, String)>,
}

fn ask(method: &'static str, path: &str) -> Asked {
    Asked { method, url: format!("https://towline.example{path}"), headers: Vec::new() }
}

impl Asked {
    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn as_(self, role: &str, jobs: &[&str]) -> Self {
        let session = session_of(role, jobs);
        self.header("authorization", format!("Bearer {session}"))
    }

    fn open(&self, service: &Service) -> (Visit, Next) {
        let get = |name: &str| {
            self.headers.iter().find(|(given, _)| *given == name).map(|(_, value)| value.clone())
        };
        service.open(&Head { method: self.method, url: &self.url, header: &get }, &moment())
    }

    fn answer(&self, service: &Service) -> Answer {
        let (visit, next) = self.open(service);
        ended(service, &visit, next)
    }

    /// What becomes of the request, whose body is wanted, with that body.
    fn with_body(&self, service: &Service, body: Result<&[u8], NoBody>) -> (Visit, Next) {
        let (visit, next) = self.open(service);
        let Ok(Step::ReadBody(then)) = next else { panic!("the body is wanted") };
        (visit, then(body))
    }
}

/// The answer of a request that goes no further.
fn ended(service: &Service, visit: &Visit, next: Next) -> Answer {
    let outcome = match next {
        Ok(Step::Done(answer)) => Ok(answer),
        Err(problem) => Err(problem),
        Ok(_) => panic!("the request went on"),
    };
    service.finish(outcome, visit)
}

fn is_wanted(next: &Next) -> bool {
    matches!(next, Ok(Step::ReadBody(_)))
}

fn moment() -> Moment {
    Moment { now_ms: NOW * 1000, request_id: "0123456789abcdef0123456789abcdef".to_owned() }
}

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn a_url_is_taken_apart_without_decoding() {
    for (url, origin, path, query) in [
        ("https://a.example/b/c?d=e?f#g", "https://a.example", "/b/c", Some("d=e?f")),
        ("http://127.0.0.1:8787/", "http://127.0.0.1:8787", "/", None),
        ("http://[::1]:8787/%41?", "http://[::1]:8787", "/%41", Some("")),
        ("https://a.example", "https://a.example", "", None),
        ("", "", "", None),
        ("/b", "", "/b", None),
    ] {
        let target = Target::of(url);
        assert_eq!((target.origin, target.path, target.query), (origin, path, query), "{url}");
    }
}

#[test]
fn every_answer_carries_what_every_answer_carries() {
    let service = service(&[]);
    for asked in [
        ask("GET", "/api/ably-token"),
        ask("GET", "/api/nothing"),
        ask("PUT", "/api/ably-token"),
        ask("GET", "/api/jobs/%61/location"),
        ask("POST", "/api/jobs/a/location").as_("customer", &["a"]),
        ask("GET", "/api/ably-token").as_("driver", &[]),
    ] {
        let answer = asked.header("origin", "https://app.example").answer(&service);
        assert_eq!(answer.header("x-request-id"), Some("0123456789abcdef0123456789abcdef"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("private, no-store"));
        assert_eq!(answer.header("vary"), Some("Origin"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    }
}

#[test]
fn the_path_comes_before_the_session_and_the_session_before_the_body() {
    let service = service(&[]);
    assert_eq!(ask("POST", "/api/jobs/a:b/location").answer(&service).status, 400);
    let nobody = ask("POST", "/api/jobs/a/location").header("content-encoding", "gzip").answer(&service);
    assert_eq!(nobody.status, 401);
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
    let driver = ask("POST", "/api/jobs/a/location").header("content-encoding", "gzip").as_("driver", &["a"]);
    assert_eq!(driver.answer(&service).status, 415);
    let driver = ask("POST", "/api/jobs/a/location").as_("driver", &["a"]);
    let Ok(Step::Call { request, .. }) = driver.with_body(&service, Ok(br#"{"lat":1,"lng":2}"#)).1 else {
        panic!("a call")
    };
    let request: JobRequest = serde_json::from_str(&request).unwrap();
    let JobRequest::Post { post, .. } = request else { panic!("a post") };
    let [Entry::Fix(fix)] = &post.entries[..] else { panic!("a fix") };
    assert_eq!((post.driver.as_str(), fix.id()), ("driver-1", None));
}

#[test]
fn no_object_is_touched_for_one_who_has_no_business_with_the_job() {
    let service = service(&[]);
    for (method, role, jobs, name) in [
        ("GET", "driver", &["b"][..], "not_a_participant"),
        ("GET", "customer", &[], "not_a_participant"),
        ("POST", "driver", &["b"], "not_a_participant"),
        ("POST", "customer", &["a"], "not_a_driver"),
        ("POST", "dispatcher", &["a"], "not_a_driver"),
        ("POST", "admin", &["a"], "not_a_driver"),
    ] {
        let answer = ask(method, "/api/jobs/a/location").as_(role, jobs).answer(&service);
        assert_eq!((answer.status, answer.code), (403, Some(name)), "{method} {role}");
        assert_eq!(body(&answer)["type"], format!("urn:towline:problem:{name}"));
    }
    for (role, jobs) in
        [("driver", &["a"][..]), ("customer", &["a"]), ("dispatcher", &[]), ("admin", &[]), ("service", &[])]
    {
        let (_, next) = ask("GET", "/api/jobs/a/location").as_(role, jobs).open(&service);
        let Ok(Step::Call { object, request, .. }) = next else { panic!("{role} is a participant") };
        assert_eq!(object, Object::Job(JobId::parse("a").unwrap()));
        let viewer = format!(r#"{{"role":"{role}","user":"{role}-1"}}"#);
        assert_eq!(request, format!(r#"{{"state":{{"job":"a","viewer":{viewer}}}}}"#));
    }
}

#[test]
fn a_request_that_names_another_user_than_its_session_goes_no_further_on_any_route() {
    let service = service(&[("SESSION_COOKIE", "session")]);
    let reference = format!("/api/refs/{}", "0a".repeat(32));
    for (method, path, role) in [
        ("GET", "/api/ably-token", "customer"),
        ("POST", "/api/ably-token", "customer"),
        ("GET", "/api/jobs/a/location", "driver"),
        ("HEAD", "/api/jobs/a/location", "driver"),
        ("POST", "/api/jobs/a/location", "driver"),
        ("GET", "/api/jobs/a/locations", "customer"),
        ("GET", "/api/jobs/a/outbox", "admin"),
        ("POST", "/api/jobs/a/outbox/retry", "admin"),
        ("GET", &reference, "service"),
    ] {
        let user = format!("{role}-1");
        let upper = user.to_uppercase();
        let (blank, encoded, twice) =
            (format!("{user} "), user.replace('-', "%2D"), format!("{user}, {user}"));
        for by_cookie in [false, true] {
            let asked = || match by_cookie {
                false => ask(method, path).as_(role, &["a"]),
                true => ask(method, path)
                    .header("cookie", format!("session={}", session_of(role, &["a"])))
                    .header("origin", "https://app.example"),
            };
            for other in ["", "eve", &upper, &blank, &encoded, &twice] {
                // It would panic where a body or an object is wanted.
                let answer = asked().header("towline-user", other).answer(&service);
                assert_eq!((answer.status, answer.code), (403, Some("session_of_another_user")), "{path}");
                assert!(!answer.body.contains(&user) && !answer.body.contains("eve"), "{}", answer.body);
                if path == "/api/ably-token" {
                    assert_eq!(answer.header("x-ably-errorcode"), Some("40300"));
                    assert_eq!(body(&answer)["error"]["statusCode"], 403);
                }
            }
            assert!(asked().header("towline-user", &user).open(&service).1.is_ok(), "{method} {path}");
            assert!(asked().open(&service).1.is_ok(), "{method} {path}");
        }
    }
}

#[test]
fn whose_session_it_is_comes_after_the_session_and_before_all_else() {
    let service = service(&[]);
    let other = |method, path| ask(method, path).header("towline-user", "eve");
    for (asked, status, name) in [
        (other("GET", "/api/jobs/a:b/location"), 400, "invalid_id"),
        (other("PUT", "/api/jobs/a/location"), 405, "method_not_allowed"),
        (other("GET", "/api/jobs/a/location"), 401, "session_missing"),
        (other("GET", "/api/jobs/a/location").header("authorization", "Bearer x"), 403, "session_malformed"),
        (other("GET", "/api/jobs/a/location").as_("driver", &["b"]), 403, "session_of_another_user"),
        (other("POST", "/api/jobs/a/location").as_("customer", &["a"]), 403, "session_of_another_user"),
        (
            other("POST", "/api/jobs/a/location").header("content-encoding", "gzip").as_("driver", &["a"]),
            403,
            "session_of_another_user",
        ),
        (other("GET", "/api/jobs/a/locations?limit=x").as_("driver", &["a"]), 403, "session_of_another_user"),
    ] {
        let answer = asked.answer(&service);
        assert_eq!((answer.status, answer.code), (status, Some(name)));
    }
    // `/healthz` knows no users.
    assert_eq!(other("GET", "/healthz").answer(&service).status, 200);
}

#[test]
fn a_post_reaches_the_object_with_the_sessions_identity() {
    let service = service(&[]);
    let fixes = br#"{"lat":1,"lng":2,"driver":"somebody-else","jobId":"b"}"#;
    let asked = ask("POST", "/api/jobs/a/location").as_("driver", &["a"]).header("x-user-id", "x");
    let Ok(Step::Call { object, request, .. }) = asked.with_body(&service, Ok(fixes)).1 else {
        panic!("a call")
    };
    let request: Value = serde_json::from_str(&request).unwrap();
    assert_eq!(object, Object::Job(JobId::parse("a").unwrap()));
    assert_eq!(
        (&request["post"]["job"], &request["post"]["post"]["driver"]),
        (&json!("a"), &json!("driver-1"))
    );
}

#[test]
fn a_body_that_is_no_post_is_explained() {
    let service = service(&[]);
    let batch =
        |n: usize| json!({"locations": vec![json!({"lat": 1, "lng": 1}); n]}).to_string().into_bytes();
    for (sent, status, name, reason, field) in [
        (Err(NoBody::TooLong), 413, "too_large", json!("too_large"), json!(null)),
        (Ok(batch(101)), 413, "too_large", json!("too_many"), json!("locations")),
        (Err(NoBody::BrokeOff), 408, "incomplete_body", json!(null), json!(null)),
        (Ok(batch(0)), 400, "invalid_post", json!("empty"), json!("locations")),
        (Ok(b"{".to_vec()), 400, "invalid_post", json!("not_json"), json!(null)),
        (Ok(b"\xff".to_vec()), 400, "invalid_post", json!("not_utf8"), json!(null)),
        (Ok(b"\xef\xbb\xbf{}".to_vec()), 400, "invalid_post", json!("byte_order_mark"), json!(null)),
        (Ok(br#"{"lat":1,"lng":0,"sentAt":1}"#.to_vec()), 200, "", json!(null), json!(null)),
        (
            Ok(br#"{"lat":1,"lng":0,"sentAt":"1"}"#.to_vec()),
            400,
            "invalid_post",
            json!("not_a_time"),
            json!("sentAt"),
        ),
        (Ok(br#"{"lat":91,"lng":0}"#.to_vec()), 400, "invalid_fix", json!("out_of_range"), json!("lat")),
        (Ok(b"7".to_vec()), 400, "invalid_fix", json!("not_an_object"), json!(null)),
    ] {
        let asked = ask("POST", "/api/jobs/a/location").as_("driver", &["a"]);
        match asked.with_body(&service, sent.as_deref().map_err(|why| *why)) {
            (visit, Err(problem)) => {
                let answer = service.finish(Err(problem), &visit);
                assert_eq!((answer.status, answer.code), (status, Some(name)), "{sent:?}");
                let problem = body(&answer);
                assert_eq!((&problem["reason"], &problem["field"]), (&reason, &field), "{sent:?}");
            }
            (_, next) => {
                assert_eq!((status, matches!(next, Ok(Step::Call { .. }))), (200, true), "{sent:?}")
            }
        }
    }
}

#[test]
fn every_400_says_what_is_to_be_mended() {
    let service = service(&[]);
    let jwt = session_of("driver", &["a"]);
    for (asked, name, reason) in [
        (ask("GET", "/api/jobs/%61/location"), "invalid_id", "percent_encoded"),
        (ask("GET", "/api/jobs/a:b/location"), "invalid_id", "invalid_id"),
        (ask("GET", "/api/refs/a"), "invalid_id", "invalid_id"),
        (ask("GET", &format!("/api/jobs/a/location?t={jwt}")), "session_in_query", "session_in_query"),
        (
            ask("POST", "/api/jobs/a/location").header("idempotency-key", "é").as_("driver", &["a"]),
            "invalid_idempotency_key",
            "invalid_id",
        ),
    ] {
        let answer = asked.answer(&service);
        assert_eq!((answer.status, answer.code), (400, Some(name)));
        assert_eq!(body(&answer)["reason"], reason);
    }
}

#[test]
fn identity_is_no_encoding() {
    let service = service(&[]);
    for path in ["/api/jobs/a/location", "/api/ably-token"] {
        for (coding, encoded) in [
            ("identity", false),
            ("Identity", false),
            ("", false),
            (" identity , identity", false),
            ("gzip", true),
            ("identity, br", true),
            ("x", true),
        ] {
            let asked = ask("POST", path).header("content-encoding", coding).as_("driver", &["a"]);
            let (visit, next) = asked.open(&service);
            match next {
                Err(problem) => {
                    let answer = service.finish(Err(problem), &visit);
                    assert_eq!((answer.status, encoded), (415, true), "{coding}");
                }
                next => assert!(is_wanted(&next) && !encoded, "{coding}"),
            }
        }
    }
}

#[test]
fn a_preflight_is_answered_before_all_that_may_be_wrong() {
    let right = service(&[("CORS_HEADERS", "x-b3-traceid")]);
    let wrong = service(&[("SESSION_SECRET", "short")]);
    let headers_wrong = service(&[("CORS_HEADERS", "*")]);
    let locations = "GET, HEAD, POST, OPTIONS";
    let any = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
    for (path, methods) in [
        ("/api/ably-token", locations),
        ("/api/jobs/a/location", locations),
        ("/api/jobs/%61/location", any),
        ("/api/jobs/a:b/location", any),
        ("/api/nowhere", any),
    ] {
        for service in [&right, &wrong, &headers_wrong] {
            let preflight = ask("OPTIONS", path).header("access-control-request-method", "POST");
            let answer = preflight.header("origin", "https://app.example").answer(service);
            assert_eq!((answer.status, answer.code), (204, None), "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
            assert_eq!(answer.header("access-control-allow-methods"), Some(methods));
            let headers: Vec<&str> =
                answer.header("access-control-allow-headers").unwrap().split(", ").collect();
            for name in
                ["authorization", "towline-user", "baggage", "sentry-trace", "traceparent", "tracestate"]
            {
                assert!(headers.contains(&name), "{name}");
            }
            assert_eq!(headers.contains(&"x-b3-traceid"), std::ptr::eq(service, &right));

            let preflight = ask("OPTIONS", path).header("access-control-request-method", "DELETE");
            let answer = preflight.header("origin", "https://app.example").answer(service);
            assert_eq!(answer.header("access-control-allow-methods"), Some(any), "405 is to be read, too");

            let preflight = ask("OPTIONS", path).header("access-control-request-method", "POST");
            let answer = preflight.header("origin", "https://evil.example").answer(service);
            assert_eq!((answer.status, answer.header("access-control-allow-methods")), (204, None));
        }
        assert_ne!(ask("OPTIONS", path).answer(&wrong).status, 204, "no preflight");
    }
}

#[test]
fn operators_learn_which_job_a_reference_is() {
    let service = service(&[]);
    let path = format!("/api/refs/{}", "0a".repeat(32));
    for role in ["admin", "service"] {
        let identified = |reply: Result<Reply, Unreachable>| {
            let (visit, next) = ask("GET", &path).as_(role, &[]).open(&service);
            let Ok(Step::Call { object, request, then }) = next else { panic!("the object is asked") };
            assert_eq!(object, Object::Ref(JobRef::parse("0a".repeat(32)).unwrap()));
            assert_eq!(serde_json::from_str::<JobRequest>(&request).unwrap(), JobRequest::Identify);
            ended(&service, &visit, then(reply))
        };
        let answer = identified(Ok(Reply::Answer(r#"{"jobId":"a"}"#.to_owned())));
        assert_eq!((answer.status, body(&answer)), (200, json!({"ref": "0a".repeat(32), "jobId": "a"})));
        let answer = identified(Ok(Reply::Refusal(JobRefusal::Unknown)));
        assert_eq!((answer.status, answer.code), (404, Some("unknown_ref")));
        let answer = identified(Ok(Reply::Answer("{}".to_owned())));
        assert_eq!((answer.status, answer.code), (500, Some("internal")));
        assert_eq!(identified(Err(Unreachable("why".to_owned()))).status, 503);
    }
    for role in ["driver", "customer", "dispatcher"] {
        let answer = ask("GET", &path).as_(role, &["a"]).answer(&service);
        assert_eq!((answer.status, answer.code), (403, Some("not_an_operator")));
    }
    for method in ["POST", "PUT"] {
        let answer = ask(method, &path).as_("admin", &[]).answer(&service);
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
    }
}

#[test]
fn a_form_that_did_not_arrive_is_refused_in_ablys_shape() {
    let service = service(&[]);
    for (why, status, code) in [(NoBody::TooLong, 413, "40009"), (NoBody::BrokeOff, 408, "40000")] {
        let asked = ask("POST", "/api/ably-token").as_("driver", &["a"]);
        let (visit, next) = asked.with_body(&service, Err(why));
        let answer = ended(&service, &visit, next);
        assert_eq!((answer.status, answer.header("x-ably-errorcode")), (status, Some(code)), "{why:?}");
    }
}

#[test]
fn a_token_is_a_jwt_unless_a_token_request_is_asked_for_by_name() {
    let service = service(&[("JOB_REGISTRY", "off")]);
    let accept = "application/json, text/plain";
    let jwt =
        ask("GET", "/api/ably-token?rnd=1").header("accept", accept).as_("driver", &["a"]).answer(&service);
    assert_eq!((jwt.status, jwt.header("content-type")), (200, Some("application/jwt")));
    let claims = URL_SAFE_NO_PAD.decode(jwt.body.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(
        (&claims["x-ably-clientId"], &claims["x-ably-revocation-key"]),
        (&json!("driver-1"), &json!("job:a"))
    );

    let request = ask("GET", "/api/ably-token?format=token-request").as_("driver", &["a"]).answer(&service);
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(body(&request)["keyName"], "app.key");

    let asked = ask("POST", "/api/ably-token").as_("driver", &["a", "b"]);
    let (visit, next) = asked.with_body(&service, Ok(b"format=token-request&jobId=b"));
    let posted = ended(&service, &visit, next);
    let capability: Value = serde_json::from_str(body(&posted)["capability"].as_str().unwrap()).unwrap();
    assert_eq!(capability["dispatch:job:b"], json!(["subscribe"]));
    assert_eq!(capability["dispatch:job:a"], Value::Null);
}

#[test]
fn parameters_in_another_shape_than_a_form_are_refused_rather_than_overlooked() {
    let service = service(&[]);
    let asked = ask("POST", "/api/ably-token").as_("driver", &["a"]);
    assert_eq!(asked.header("content-type", "application/json").answer(&service).status, 415);
    let asked = ask("POST", "/api/ably-token").as_("driver", &["a"]);
    let form = asked.header("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    assert!(is_wanted(&form.open(&service).1));
}

#[test]
fn an_error_of_the_token_route_is_one_that_ably_js_reads() {
    let answer = ask("GET", "/api/ably-token").answer(&service(&[]));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-ably-errorcode"), Some("40100"));
    let error = &body(&answer)["error"];
    assert_eq!((&error["code"], &error["statusCode"]), (&json!(40100), &json!(401)));
    assert!(error["message"].is_string() && error["href"].is_string());
}

#[test]
fn misconfigured_says_nothing_and_lets_a_page_read_it() {
    let service = service(&[("SESSION_SECRET", "short")]);
    for path in ["/api/ably-token", "/api/jobs/a/location", "/nothing", "/api/jobs/%/location"] {
        let answer = ask("GET", path).header("origin", "https://app.example").answer(&service);
        assert_eq!((answer.status, answer.code), (503, Some("misconfigured")), "{path}");
        assert!(!answer.body.contains("SESSION_SECRET"), "{}", answer.body);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    }
    assert_eq!(ask("GET", "/healthz").answer(&service).status, 200);
    assert_eq!(service.misconfigured().unwrap().settings.len(), 1);
}

#[test]
fn a_method_that_a_route_does_not_have_is_told_which_it_has() {
    let service = service(&[]);
    for (method, path) in
        [("PUT", "/api/ably-token"), ("DELETE", "/api/jobs/a/location"), ("POST", "/healthz")]
    {
        let answer = ask(method, path).answer(&service);
        assert_eq!(answer.status, 405);
        assert!(answer.header("allow").is_some_and(|allow| allow.contains("GET")));
    }
    let head = ask("HEAD", "/healthz").answer(&service);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn the_answer_of_an_object_is_passed_on_as_it_is_and_its_refusal_is_no_success() {
    let service = service(&[]);
    let replied = |reply: Reply| {
        let (visit, next) = ask("GET", "/api/jobs/a/location").as_("admin", &[]).open(&service);
        let Ok(Step::Call { then, .. }) = next else { panic!("a call") };
        ended(&service, &visit, then(Ok(reply)))
    };
    let answer = replied(Reply::Answer("{ \"seq\":1}".to_owned()));
    assert_eq!((answer.status, answer.body.as_str()), (200, "{ \"seq\":1}"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(replied(Reply::Refusal(JobRefusal::Unknown)).status, 500);
}

#[test]
fn an_object_that_does_not_answer_is_a_503_that_tells_nothing() {
    let service = service(&[]);
    let (visit, next) = ask("GET", "/api/jobs/a/location").as_("admin", &[]).open(&service);
    let Ok(Step::Call { then, .. }) = next else { panic!("a call") };
    let answer = ended(&service, &visit, then(Err(Unreachable("inner detail".to_owned()))));
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("2")));
    assert!(!answer.body.contains("inner detail"));
}

#[test]
fn a_log_line_names_no_one_and_nowhere() {
    let service = service(&[]);
    let asked = ask("GET", "/api/jobs/job-7/location?lat=48.2").as_("driver", &["other"]);
    let (visit, next) = asked.open(&service);
    let answer = ended(&service, &visit, next);
    let line = service.log_line(&answer, &visit, 3);
    assert_eq!(
        serde_json::from_str::<Value>(&line).unwrap(),
        json!({
            "level": "info", "requestId": "0123456789abcdef0123456789abcdef", "method": "GET",
            "route": "/api/jobs/{jobId}/location", "status": 403, "code": "not_a_participant", "ms": 3,
        })
    );
}
