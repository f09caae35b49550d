//! What a developer is told of each refusal, and that nobody else is told anything.

use super::*;
use crate::http::description::problems;

const PAGE: &str = "http://localhost:3000";

fn with_hints(settings: &[(&str, &str)]) -> Service {
    service(&[settings, &[("DEV_HINTS", "on")]].concat())
}

impl Asked {
    /// The hint where the request has ended by itself, `now` milliseconds after the moment of all requests.
    fn hint_at(&self, service: &Service, now: u64) -> Option<String> {
        let (visit, next) = self.open(service);
        let outcome = match next {
            Ok(Step::Done(answer)) => Ok(answer),
            Err(problem) => Err(problem),
            Ok(_) => panic!("the request went on"),
        };
        self.hint_of(service, &outcome, &visit, now)
    }

    fn hint_of(
        &self,
        service: &Service,
        outcome: &Result<Answer, Problem>,
        visit: &Visit,
        now: u64,
    ) -> Option<String> {
        let get = |name: &str| {
            self.headers.iter().find(|(given, _)| *given == name).map(|(_, value)| value.clone())
        };
        let head = Head { method: self.method, url: &self.url, header: &get };
        service.hint(outcome, &head, visit, NOW * 1000 + now)
    }

    fn hint(&self, settings: &[(&str, &str)]) -> String {
        self.hint_at(&with_hints(settings), 0).unwrap()
    }

    fn page(self, site: &str) -> Self {
        self.header("origin", PAGE).header("sec-fetch-site", site)
    }
}

fn token() -> Asked {
    ask("GET", "/api/ably-token")
}

fn signed(claims: Value, secret: &str) -> Asked {
    let mut all = json!({"sub": "driver-1", "role": "driver", "exp": NOW + 3600});
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let token = Hs256.token(&Header::empty(), &Claims::new(all), &Hs256Key::new(secret)).unwrap();
    self::token().header("authorization", format!("Bearer {token}"))
}

#[test]
fn each_way_to_be_refused_is_told_with_its_cause_and_its_cure() {
    let cookie: &[(&str, &str)] = &[("SESSION_COOKIE", "session")];
    let preflight = || ask("OPTIONS", "/api/jobs").header("access-control-request-method", "GET");
    let by_cookie = |method| {
        let session = session_of("driver", &["a"]);
        ask(method, "/api/jobs/a/location").header("cookie", format!("session={session}"))
    };
    for (asked, settings, parts) in [
        (
            token(),
            &[][..],
            ["401 session_missing at GET /api/ably-token", "SESSION_COOKIE is not set", "Bearer"],
        ),
        (
            token().header("authorization", "Bearer undefined"),
            &[],
            ["session_missing", "undefined", "getSession"],
        ),
        (
            token().header("authorization", session_of("admin", &[])),
            &[],
            ["session_missing", "not the scheme", "Bearer"],
        ),
        (
            token().header("authorization", "Basic dTpw"),
            cookie,
            ["session_missing", "another scheme", "cookie"],
        ),
        (
            token().header("cookie", "session=a"),
            &[],
            ["session_missing", "SESSION_COOKIE is not set", "set SESSION_COOKIE"],
        ),
        (
            token().header("cookie", "theme=dark"),
            cookie,
            ["session_missing", "not the one", "developer tools"],
        ),
        (token().header("cookie", "session="), cookie, ["session_missing", "nothing in it", "sign in"]),
        (token(), cookie, ["session_missing", "no page that asked", "server's own fetch"]),
        (
            token().header("sec-fetch-site", "same-origin"),
            cookie,
            ["session_missing", "own origin", "proxy between drops it"],
        ),
        (
            token().header("sec-fetch-site", "same-site"),
            cookie,
            ["session_missing", "another origin asked", "credentials"],
        ),
        (
            signed(json!({}), "another-secret-0123456789abcdef01"),
            &[],
            [
                "403 session_signature",
                "in `Authorization`: the session is signed with another secret",
                "sessionSecret",
            ],
        ),
        (
            token().header("cookie", "session=abc"),
            cookie,
            ["session_malformed", "in the session's cookie: ", "a JWT that your back end signs"],
        ),
        (
            token().header("authorization", "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2ln"),
            &[],
            ["session_algorithm", "HS256", "identity provider"],
        ),
        (
            signed(json!({"exp": NOW - 10}), SECRET),
            &[],
            ["401 session_expired", "has expired", "renewSession"],
        ),
        (
            signed(json!({"exp": NOW - 9999}), SECRET),
            &[],
            ["403 session_ended", "has ended", "SESSION_RENEWAL_SECONDS"],
        ),
        (
            signed(json!({"exp": NOW * 1000}), SECRET),
            &[],
            ["session_exp_milliseconds", "in seconds", "divide by 1000"],
        ),
        (
            signed(json!({"exp": NOW + 999_999}), SECRET),
            &[],
            ["session_exp_too_far", "24 hours", "SESSION_MAX_HOURS"],
        ),
        (
            signed(json!({"role": "boss"}), SECRET),
            &[],
            ["session_role", "driver, dispatcher", "users cannot edit"],
        ),
        (signed(json!({"sub": 7}), SECRET), &[], ["session_subject", "`sub`", "as a string"]),
        (signed(json!({"jobs": ["a b"]}), SECRET), &[], ["session_jobs", "job ids", "toJobId"]),
        (
            signed(json!({}), SECRET),
            &[("SESSION_ISSUER", "me")],
            ["session_issuer", "`iss`", "SESSION_ISSUER"],
        ),
        (
            signed(json!({}), SECRET).header("towline-user", "eve"),
            &[],
            ["session_of_another_user", "Towline-User", "`sub`"],
        ),
        (
            ask("GET", "/api/jobs/a/location").as_("customer", &["b"]),
            &[],
            [
                "403 not_a_participant at GET /api/jobs/{jobId}/location",
                "does not list",
                "JOB_REGISTRY=required",
            ],
        ),
        (token().as_("service", &[]), &[], ["token_refused", "`service`", "policy/explain"]),
        (
            ask("GET", "/api/ably-token?clientId=eve").as_("driver", &[]),
            &[],
            ["token_refused", "`clientId`", "leave `clientId` out"],
        ),
        (
            ask("GET", "/api/ably-token?jobId=b").as_("driver", &["a"]),
            &[],
            ["token_refused", "`jobId`", "registered with this user"],
        ),
        (
            ask("GET", "/api/jobs?mine").as_("driver", &[]),
            &[("JOB_REGISTRY", "off")],
            ["404 not_found at GET /api/jobs", "JOB_REGISTRY is `off`", "leave JOB_REGISTRY out"],
        ),
        (
            ask("GET", "/ably-token").as_("driver", &[]),
            &[],
            ["404 not_found at GET an unknown path", "no such route", "rewrite"],
        ),
        (
            token(),
            &[("SESSION_SECRET", "short"), ("ABLY_API_KEY", "")],
            ["503 misconfigured", "ABLY_API_KEY (is not set); SESSION_SECRET (", ".dev.vars"],
        ),
        (
            by_cookie("POST").header("origin", PAGE),
            cookie,
            ["403 origin_not_allowed at POST", PAGE, "CORS_ORIGINS=http://localhost:3000 ("],
        ),
        (by_cookie("POST"), cookie, ["origin_not_allowed", "without `Origin`", "pass `Origin` on"]),
        (
            preflight().header("origin", PAGE),
            &[],
            ["Hint, OPTIONS /api/jobs: ", PAGE, "CORS_ORIGINS=http://localhost:3000 ("],
        ),
        (preflight().header("origin", "null"), &[], ["Hint, OPTIONS", "origin `null`", "not as a file"]),
        (
            token().page("same-site"),
            &[],
            ["session_missing", "keeps the answer from the page", "CORS_ORIGINS=http://localhost:3000 ("],
        ),
        (
            preflight()
                .header("origin", "https://app.example")
                .header("access-control-request-headers", "authorization,x-tenant"),
            &[],
            ["Hint, OPTIONS", "header `x-tenant`", "CORS_HEADERS"],
        ),
    ] {
        let hint = asked.hint(settings);
        for part in parts {
            assert!(hint.contains(part), "{part}: {hint}");
        }
        assert!(hint.starts_with("Hint, ") && hint.ends_with('.') && hint.lines().count() == 1, "{hint}");
        assert_eq!(hint.matches(". What to do: ").count(), 1, "{hint}");
    }
}

#[test]
fn where_nothing_is_amiss_nothing_is_told() {
    let service = with_hints(&[("SESSION_COOKIE", "session")]);
    let preflight = |origin: &str| {
        let preflight = ask("OPTIONS", "/api/jobs").header("access-control-request-method", "GET");
        preflight
            .header("origin", origin)
            .header("access-control-request-headers", "towline-user, content-type")
    };
    for asked in [
        token().as_("dispatcher", &[]),
        // By way of its own origin's proxy, and from a server that passes the header on.
        token().as_("dispatcher", &[]).page("same-origin"),
        token().as_("dispatcher", &[]).header("origin", PAGE),
        token()
            .as_("dispatcher", &[])
            .header("origin", "https://app.example")
            .header("sec-fetch-site", "cross-site"),
        preflight("https://app.example"),
        preflight("https://towline.example"),
        ask("GET", "/healthz").page("cross-site"),
        ask("DELETE", "/healthz"),
    ] {
        assert_eq!(asked.hint_at(&service, 0), None, "{} {}", asked.method, asked.url);
    }
}

#[test]
fn a_cause_is_told_once_in_a_while_whatever_route_it_is_met_on() {
    let service = with_hints(&[]);
    assert!(token().hint_at(&service, 0).is_some());
    assert_eq!(token().hint_at(&service, 10), None);
    assert_eq!(ask("GET", "/api/jobs").hint_at(&service, 20), None);
    assert!(ask("GET", "/nowhere").as_("admin", &[]).hint_at(&service, 20).is_some());
    let again = ask("GET", "/api/jobs").hint_at(&service, 30_000).unwrap();
    assert!(again.contains("at GET /api/jobs:") && again.ends_with("(2 times more since)"), "{again}");
}

#[test]
fn without_the_setting_nothing_is_told_and_nothing_is_answered_otherwise() {
    for settings in [&[][..], &[("DEV_HINTS", "off")], &[("DEV_HINTS", "")], &[("SESSION_SECRET", "short")]] {
        let (off, on) = (service(settings), with_hints(settings));
        for asked in [token(), ask("GET", "/api/jobs/a/location").as_("driver", &[]), ask("GET", "/nowhere")]
        {
            assert!(!off.has_hints());
            assert_eq!(asked.hint_at(&off, 0), None);
            assert_eq!(asked.answer(&off), asked.answer(&on));
        }
    }
    let wrong = service(&[("DEV_HINTS", "true")]);
    let named = wrong.misconfigured().unwrap().settings.iter().map(|bad| bad.variable);
    assert_eq!(named.collect::<Vec<_>>(), ["DEV_HINTS"]);
}

#[test]
fn every_problem_has_a_cure_but_the_one_of_which_the_job_tells() {
    let service = service(&[]);
    for problem in problems() {
        let (visit, _) = token().open(&service);
        let told = token().hint_of(&with_hints(&[]), &Err(problem.clone()), &visit, 0);
        match problem {
            Problem::NotAParticipant => assert_eq!(told, None),
            _ => {
                let told = told.unwrap();
                let (cause, cure) = told.split_once(". What to do: ").unwrap();
                assert!(cause.len() > 40 && cure.len() > 20, "{told}");
            }
        }
    }
}

#[test]
fn nothing_of_the_callers_is_told_but_an_origin_and_a_headers_name() {
    const ODD: &str = "zq7Xodd";
    let long = format!("https://{}.example", "a".repeat(300));
    for origin in
        [format!("https://{ODD}/48.2,16.4"), format!("https://a.example?{ODD}"), format!("{ODD}\n"), long]
    {
        let asked = ask("POST", &format!("/api/jobs/{ODD}/location?{ODD}=1"));
        let session = session_of("driver", &[ODD]);
        let asked =
            asked.header("cookie", format!("session={session}; {ODD}={ODD}")).header("origin", origin);
        let hint = asked.hint(&[("SESSION_COOKIE", "session")]);
        assert!(!hint.contains(ODD) && !hint.contains(&"a".repeat(101)), "{hint}");
        assert!(hint.contains("origin_not_allowed"), "{hint}");
    }
    for asked in [
        token().header("authorization", format!("Bearer {ODD}")),
        token().header("authorization", format!("{ODD} {ODD}")),
        token().header("cookie", format!("{ODD}={ODD}")),
        signed(json!({"role": ODD, "sub": ODD}), SECRET),
        signed(json!({"sub": ODD}), SECRET).header("towline-user", format!("{ODD}2")),
        ask("GET", &format!("/api/ably-token?clientId={ODD}&jobId={ODD}")).as_("driver", &[]),
        ask("GET", &format!("/{ODD}")).as_("driver", &[]),
        ask("GET", &format!("/api/jobs/{ODD}/location")).as_("driver", &[]),
        ask("GET", &format!("/api/jobs?state={ODD}")).as_("admin", &[]),
    ] {
        let hint = asked.hint(&[]);
        assert!(!hint.contains(ODD) && !hint.contains("eyJ") && !hint.contains("driver-1"), "{hint}");
    }
}

#[test]
fn the_line_in_the_documentation_is_what_is_said() {
    let session = session_of("driver", &["a"]);
    let asked = ask("POST", "/api/jobs/a/location").header("cookie", format!("session={session}"));
    let hint = asked.header("origin", PAGE).hint(&[("SESSION_COOKIE", "session")]);
    assert!(include_str!("../../../../docs/first-hour.md").contains(&hint), "{hint}");
}
