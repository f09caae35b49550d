//! What the objects of a session's jobs have to say before there is a token, and who is not asked at all.

use super::*;

const NOW_MS: u64 = NOW * 1000;
const BOTH: &[&str] = &["a", "b"];

/// What became of a request for a token, and on which way.
struct Way {
    /// The jobs whose objects were asked, each time.
    asked: Vec<String>,
    /// Until when was waited.
    waits: Vec<u64>,
    answer: Answer,
}

/// Goes the whole way: in each round, `say` says what a job's object replies. Each wait takes a little longer than it has to.
fn go(
    service: &Service,
    wanted: &Asked,
    mut say: impl FnMut(usize, &str) -> Result<Reply, Unreachable>,
) -> Way {
    let (visit, mut next) = wanted.open(service);
    let (mut asked, mut waits) = (Vec::new(), Vec::new());
    let outcome = loop {
        next = match next {
            Ok(Step::Done(answer)) => break Ok(answer),
            Err(problem) => break Err(problem),
            Ok(Step::ReadBody(then)) => then(Ok(b"")),
            Ok(Step::CallAll { calls, then }) => {
                let round = asked.len();
                asked.push(calls.iter().map(|(job, _)| job.as_str()).collect::<Vec<_>>().join(" "));
                then(calls.iter().map(|(job, _)| say(round, job.as_str())).collect())
            }
            Ok(Step::Wait { until_ms, then }) => {
                waits.push(until_ms);
                then(until_ms + 3)
            }
            Ok(Step::Limit { .. }) => panic!("a claim speaks for everybody"),
            Ok(Step::Call { .. } | Step::Stream { .. }) => panic!("the object of one job"),
        };
    };
    Way { asked, waits, answer: service.finish(outcome, &visit) }
}

fn says(said: Value) -> Result<Reply, Unreachable> {
    Ok(Reply::Answer(said.to_string()))
}

fn admits() -> Result<Reply, Unreachable> {
    says(json!({"standing": "admitted"}))
}

fn token(query: &str, role: &str, jobs: &[&str]) -> Asked {
    ask("GET", &format!("/api/ably-token{query}")).as_(role, jobs)
}

fn claims(answer: &Answer) -> Value {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/jwt")), "{answer:?}");
    let claims = URL_SAFE_NO_PAD.decode(answer.body.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

/// The jobs whose channels a token has.
fn jobs_in(answer: &Answer) -> String {
    let claims = claims(answer);
    let capability: Value = serde_json::from_str(claims["x-ably-capability"].as_str().unwrap()).unwrap();
    let channels = capability.as_object().unwrap().keys();
    channels.filter_map(|name| name.strip_prefix("dispatch:job:")).collect::<Vec<_>>().join(" ")
}

fn bytes(answer: &Answer) -> String {
    format!("{answer:?}")
}

#[test]
fn each_job_is_asked_once_and_all_at_once_with_the_sessions_identity() {
    let service = service(&[]);
    for (wanted, role, jobs) in [
        (token("", "driver", BOTH), "driver", "a b"),
        (token("", "customer", BOTH), "customer", "a b"),
        (token("?jobId=b", "driver", BOTH), "driver", "b"),
        (token("?format=token-request", "customer", &["a"]), "customer", "a"),
        (ask("POST", "/api/ably-token").as_("driver", BOTH), "driver", "a b"),
        (token("", "driver", BOTH).header("x-user-id", "x"), "driver", "a b"),
    ] {
        let (_, mut next) = wanted.open(&service);
        if let Ok(Step::ReadBody(then)) = next {
            next = then(Ok(b"user=x&role=admin"));
        }
        let Ok(Step::CallAll { calls, .. }) = next else { panic!("all are asked") };
        assert_eq!(calls.iter().map(|(job, _)| job.as_str()).collect::<Vec<_>>().join(" "), jobs);
        for (job, request) in calls {
            let viewer = json!({"role": role, "user": format!("{role}-1")});
            let token_request = wanted.url.contains("token-request");
            let admit = json!({"job": job.as_str(), "viewer": viewer, "token_request": token_request});
            let expected = json!({"admit": admit});
            assert_eq!(serde_json::from_str::<Value>(&request).unwrap(), expected);
            assert!(!request.contains('\0'));
        }
        let way = go(&service, &wanted, |_, _| admits());
        assert_eq!((way.answer.status, way.asked, way.waits), (200, vec![jobs.to_owned()], vec![]));
    }
}

#[test]
fn nobody_is_asked_for_a_role_of_all_jobs_nor_for_a_session_of_none_nor_where_there_is_no_registry() {
    let (on, off) = (service(&[]), service(&[("JOB_REGISTRY", "off")]));
    for (role, jobs) in [("dispatcher", BOTH), ("admin", BOTH), ("driver", &[]), ("customer", &[])] {
        for query in ["", "?format=token-request"] {
            assert_eq!(token(query, role, jobs).answer(&on).status, 200, "{role}");
        }
    }
    assert_eq!(token("?jobId=a", "dispatcher", BOTH).answer(&on).status, 200);
    for role in ["driver", "customer"] {
        for query in ["", "?jobId=a", "?format=token-request"] {
            let wanted = token(query, role, BOTH);
            let alone = wanted.answer(&off);
            assert_eq!(alone.status, 200, "{role} {query}");
            assert_eq!(
                bytes(&go(&on, &wanted, |_, _| admits()).answer),
                bytes(&alone),
                "the token is the same"
            );
        }
    }
}

#[test]
fn who_is_refused_anyway_touches_no_object_and_is_told_as_much_as_without_a_registry() {
    let (on, off) = (service(&[]), service(&[("JOB_REGISTRY", "off")]));
    let until = |exp: u64| {
        let claims = Claims::new(json!({"sub": "driver-1", "role": "driver", "jobs": BOTH, "exp": exp}));
        let jwt = Hs256.token(&Header::empty(), &claims, &Hs256Key::new(SECRET)).unwrap();
        move |query: &str| {
            ask("GET", &format!("/api/ably-token{query}")).header("authorization", format!("Bearer {jwt}"))
        }
    };
    for (wanted, status, code) in [
        (ask("GET", "/api/ably-token"), 401, "40100"),
        (token("?jobId=c", "driver", BOTH), 403, "40160"),
        (token("?jobId=c", "customer", BOTH), 403, "40160"),
        (token("?jobId=a%3Ab", "driver", BOTH), 400, "40003"),
        (token("?ttl=1", "driver", BOTH), 400, "40003"),
        (token("?clientId=eve", "driver", BOTH), 403, "40102"),
        (token("?clientId=eve&jobId=c", "driver", BOTH), 403, "40102"),
        (token("", "service", BOTH), 403, "40160"),
        (token("?jobId=a", "service", BOTH), 403, "40160"),
        (until(NOW)(""), 401, "40100"),
        (until(NOW - 3600)(""), 403, "40300"),
        (until(NOW + 150)("?format=token-request"), 401, "40100"),
        (until(NOW + 150)("?format=token-request&jobId=c"), 403, "40160"),
        (ask("POST", "/api/ably-token").header("content-encoding", "gzip").as_("driver", BOTH), 415, "40000"),
        (ask("POST", "/api/ably-token").header("content-type", "text/x").as_("driver", BOTH), 415, "40000"),
    ] {
        let way = go(&on, &wanted, |_, _| panic!("an object is touched"));
        let answer = way.answer;
        assert_eq!(
            (answer.status, answer.header("x-ably-errorcode")),
            (status, Some(code)),
            "{}",
            wanted.url
        );
        assert_eq!(bytes(&answer), bytes(&wanted.answer(&off)));
    }
}

#[test]
fn a_job_that_refuses_is_told_apart_from_no_foreign_one() {
    let service = service(&[]);
    for role in ["driver", "customer"] {
        for format in ["", "&format=token-request"] {
            let refused = token(&format!("?jobId=a{format}"), role, BOTH);
            let way = go(&service, &refused, |_, _| says(json!({"standing": "refused", "until": 1})));
            let foreign = token(&format!("?jobId=c{format}"), role, BOTH).answer(&service);
            assert_eq!(bytes(&way.answer), bytes(&foreign));
            assert_eq!(way.answer.header("x-ably-errorcode"), Some("40160"));
        }
    }
}

#[test]
fn the_one_job_that_was_asked_for_refuses_at_once() {
    let service = service(&[]);
    let later = || says(json!({"standing": "refused", "notBefore": NOW_MS + 900}));
    let way = go(&service, &token("?jobId=a", "customer", BOTH), |_, _| later());
    assert_eq!((way.answer.status, way.waits), (403, vec![]), "as a foreign one does");
    // Of several the others are still granted, by a token that must not be revoked with those of before.
    let way = go(&service, &token("", "customer", BOTH), |round, job| match (round, job) {
        (0, "a") => later(),
        (_, "a") => says(json!({"standing": "refused"})),
        _ => admits(),
    });
    assert_eq!((jobs_in(&way.answer).as_str(), way.waits), ("b", vec![NOW_MS + 900]));
}

#[test]
fn where_there_are_no_token_requests_nobody_gets_one() {
    let service = service(&[("TOKEN_REQUESTS", "off")]);
    for role in ["customer", "dispatcher"] {
        let answer = token("?format=token-request", role, BOTH).answer(&service);
        assert_eq!((answer.status, answer.header("x-ably-errorcode")), (400, Some("40003")));
    }
    assert_eq!(go(&service, &token("", "customer", BOTH), |_, _| admits()).answer.status, 200);
}

#[test]
fn a_token_has_the_channels_of_those_jobs_that_admit_and_outlives_none_of_them() {
    let service = service(&[]);
    let [admitted, waiting, refused] =
        ["admitted", "waiting", "refused"].map(|standing| json!({"standing": standing}));
    let soon = json!({"standing": "admitted", "until": NOW_MS + 100_000});
    let ended = json!({"standing": "admitted", "until": NOW_MS});
    for (query, a, b, jobs, key, life) in [
        ("", &admitted, &admitted, "a b", Value::Null, 900),
        ("", &admitted, &refused, "a", json!("job:a"), 900),
        ("", &waiting, &admitted, "b", json!("job:b"), 900),
        ("", &waiting, &refused, "", Value::Null, 900),
        ("", &refused, &refused, "", Value::Null, 900),
        ("", &soon, &admitted, "a b", Value::Null, 100),
        ("", &ended, &admitted, "b", json!("job:b"), 900),
        ("?jobId=b", &refused, &admitted, "b", json!("job:b"), 900),
        ("?jobId=b", &refused, &waiting, "", Value::Null, 900),
        ("?jobId=b", &refused, &ended, "", Value::Null, 900),
    ] {
        let said = |_, job: &str| says(if job == "a" { a.clone() } else { b.clone() });
        let way = go(&service, &token(query, "driver", BOTH), said);
        let claims = claims(&way.answer);
        assert_eq!(jobs_in(&way.answer), jobs, "{query} {a} {b}");
        assert_eq!(claims["x-ably-revocation-key"], key, "{query} {a} {b}");
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(NOW), &json!(NOW + life)), "{query} {a} {b}");
        assert_eq!((way.asked.len(), way.waits.len()), (1, 0));
    }
}

#[test]
fn a_token_is_issued_after_the_time_that_a_job_names_and_all_are_asked_again() {
    let service = service(&[]);
    let later = |standing: &str| says(json!({"standing": standing, "notBefore": NOW_MS + 800}));
    let wanted = token("", "driver", BOTH);
    // Whether that job admits or not: it was its closing that revokes what has the user's name.
    for standing in ["admitted", "waiting", "refused"] {
        let way = go(&service, &wanted, |round, job| match (round, job) {
            (0, "b") => later(standing),
            _ => admits(),
        });
        assert_eq!((way.asked, way.waits), (vec!["a b".to_owned(); 2], vec![NOW_MS + 800]));
        assert_eq!(
            (claims(&way.answer)["iat"].clone(), jobs_in(&way.answer)),
            (json!(NOW), "a b".to_owned())
        );
    }
    // The time counts once it has come, and what was said before does not.
    let way = go(&service, &wanted, |round, job| match (round, job) {
        (0, "a") => says(json!({"standing": "admitted", "notBefore": NOW_MS + 999})),
        (0, "b") => later("admitted"),
        (_, "b") => later("refused"),
        _ => says(json!({"standing": "admitted", "notBefore": NOW_MS + 999})),
    });
    assert_eq!((way.waits, jobs_in(&way.answer)), (vec![NOW_MS + 999], "a".to_owned()));
    assert_eq!(claims(&way.answer)["iat"], NOW + 1);
    let way = go(&service, &wanted, |_, _| says(json!({"standing": "admitted", "notBefore": NOW_MS})));
    assert_eq!((way.answer.status, way.waits), (200, vec![]), "it has come");
    let request = token("?format=token-request", "driver", BOTH);
    let way = go(&service, &request, |round, _| if round == 0 { later("admitted") } else { admits() });
    assert_eq!(body(&way.answer)["timestamp"], NOW_MS + 803);
}

#[test]
fn nobody_waits_for_ever() {
    let service = service(&[]);
    let wanted = token("", "driver", BOTH);
    let each = |step: u64| {
        move |round: usize, _: &str| {
            says(json!({"standing": "admitted", "notBefore": NOW_MS + step * (round as u64 + 1)}))
        }
    };
    for (step, asked, waits) in
        [(500, 3, 2), (1_000, 3, 2), (2_000, 3, 2), (2_001, 1, 0), (u64::from(u32::MAX), 1, 0)]
    {
        let way = go(&service, &wanted, each(step));
        assert_eq!((way.asked.len(), way.waits.len()), (asked, waits), "{step}");
        assert_unavailable(&way.answer);
    }
    let way = go(&service, &wanted, |round, job| each(1_000)(round * 3, job));
    assert_eq!((way.asked.len(), way.waits), (2, vec![NOW_MS + 1_000]), "the second is too far");
    assert_unavailable(&way.answer);
    // A session that has ended meanwhile is one that has ended.
    let claims = Claims::new(json!({"sub": "driver-1", "role": "driver", "jobs": BOTH, "exp": NOW + 1}));
    let jwt = Hs256.token(&Header::empty(), &claims, &Hs256Key::new(SECRET)).unwrap();
    let ending = ask("GET", "/api/ably-token").header("authorization", format!("Bearer {jwt}"));
    let way = go(&service, &ending, |round, _| if round == 0 { each(1_000)(0, "") } else { admits() });
    assert_eq!((way.answer.status, way.answer.header("x-ably-errorcode")), (401, Some("40100")));
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.code, answer.header("retry-after")),
        (503, Some("unavailable"), Some("2"))
    );
    assert_eq!(answer.header("x-ably-errorcode"), Some("50000"));
    assert_eq!(body(answer)["error"]["code"], 50000);
}

#[test]
fn where_one_job_says_nothing_that_can_be_read_there_is_no_token() {
    let service = service(&[]);
    for query in ["", "?jobId=b", "?format=token-request"] {
        let wanted = token(query, "customer", BOTH);
        let with = |b: fn() -> Result<Reply, Unreachable>| {
            let way = go(&service, &wanted, |_, job| if job == "b" { b() } else { admits() });
            assert_eq!(way.asked.len(), 1);
            assert_unavailable(&way.answer);
            assert!(!way.answer.body.contains("inner detail"));
        };
        with(|| Err(Unreachable("inner detail".to_owned())));
        with(|| Ok(Reply::Refusal(JobRefusal::Unknown)));
        with(|| says(json!({})));
        with(|| says(json!({"standing": "open"})));
        with(|| says(json!({"standing": null})));
        with(|| says(json!({"standing": "admitted", "until": "soon"})));
        with(|| says(json!({"jobId": "b"})));
        with(|| Ok(Reply::Answer("{".to_owned())));
    }
}
