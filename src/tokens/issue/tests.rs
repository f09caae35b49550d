//! What is in a token, and that nothing a client says gets into it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt, Empty, UntrustedToken};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ids::{JobId, UserId};
use crate::sessions::{Beside, Role};

/// Unix seconds; requests are made half a second later.
const NOW: u64 = 1_700_000_000;
const NOW_MS: u64 = NOW * 1000 + 500;
const NONCE: &str = "0123456789abcdef";

fn key() -> Key {
    Key::parse("AbCdEf.GhIjKl:mySecretKey0123456789").unwrap()
}

fn session(role: Role, jobs: &[&str], lives_for: u64) -> Session {
    Session {
        user: UserId::parse("auth0|ann").unwrap(),
        role,
        jobs: jobs.iter().map(|id| JobId::parse(*id).unwrap()).collect(),
        expires_at: NOW + lives_for,
        beside: Beside::default(),
    }
}

fn ask(session: &Session, query: &str) -> Result<Issued, ErrorInfo> {
    draft(session, query)?.issue(&key(), NOW_MS, || NONCE.to_owned())
}

fn draft(session: &Session, query: &str) -> Result<Draft, ErrorInfo> {
    draft_by(JobRegistry::On, session, query)
}

fn draft_by(registry: JobRegistry, session: &Session, query: &str) -> Result<Draft, ErrorInfo> {
    let params = TokenParams::parse(Some(query), None)?;
    Draft::new(&key(), Policy::compiled(), Rc::new(session.clone()), params, registry, NOW_MS)
}

/// What is issued where the jobs of the draft say so.
fn admitted(session: &Session, query: &str, said: &[Admission]) -> Result<Issued, ErrorInfo> {
    draft(session, query)?.issue_admitted(&key(), said, NOW_MS, || NONCE.to_owned())
}

fn says(standing: Standing) -> Admission {
    Admission { standing, until: None, not_before: None }
}

/// Admitted until so many milliseconds from now.
fn until(ms: i64) -> Admission {
    Admission { until: Some(i64::try_from(NOW_MS).unwrap() + ms), ..says(Standing::Admitted) }
}

/// The jobs whose channels a token has, its revocation key, and how long it lives, in seconds or milliseconds.
fn seen(issued: &Issued) -> (Vec<String>, Option<String>, u64) {
    let (capability, key, life) = match issued {
        Issued::Jwt(token) => {
            let claims = claims(token);
            let key = claims["x-ably-revocation-key"].as_str().map(str::to_owned);
            let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
            (claims["x-ably-capability"].as_str().unwrap().to_owned(), key, life)
        }
        Issued::TokenRequest(request) => {
            (request.capability.clone().unwrap(), None, request.ttl.unwrap().try_into().unwrap())
        }
    };
    let channels: serde_json::Map<_, _> = serde_json::from_str(&capability).unwrap();
    assert!(channels.contains_key("notifications:user:auth0|ann"), "{capability}");
    let jobs = channels.keys().filter_map(|channel| channel.strip_prefix("dispatch:job:"));
    (jobs.map(str::to_owned).collect(), key, life)
}

fn token(session: &Session, query: &str) -> String {
    match ask(session, query).unwrap() {
        Issued::Jwt(token) => token,
        other => panic!("{other:?}"),
    }
}

fn request(session: &Session, query: &str) -> TokenRequest {
    match ask(session, &format!("format=token-request&{query}")).unwrap() {
        Issued::TokenRequest(request) => request,
        other => panic!("{other:?}"),
    }
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn refused(session: &Session, query: &str) -> (u16, u32) {
    let error = ask(session, query).expect_err(query);
    (error.status_code, error.code)
}

#[test]
fn a_jwt_has_the_sessions_identity_and_the_policys_capability() {
    let token = token(&session(Role::Driver, &["j1"], 3600), "");
    let untrusted = UntrustedToken::new(&token).unwrap();
    let verifying = Hs256Key::new(b"mySecretKey0123456789");
    assert!(Hs256.validator::<Empty>(&verifying).validate(&untrusted).is_ok());
    assert_eq!(untrusted.header().key_id.as_deref(), Some("AbCdEf.GhIjKl"));
    assert_eq!(
        claims(&token),
        json!({
            "iat": NOW,
            "exp": NOW + 900,
            "x-ably-clientId": "auth0|ann",
            "x-ably-revocation-key": "job:j1",
            "x-ably-capability": r#"{"dispatch:job:j1":["subscribe"],"notifications:user:auth0|ann":["subscribe"],"presence:dispatch":["presence"]}"#,
        })
    );
}

#[test]
fn a_token_request_is_signed_and_has_a_capability() {
    let request = request(&session(Role::Customer, &["j1"], 3600), "");
    assert!(request.is_signed_by(&key()));
    assert_eq!(request.timestamp, i64::try_from(NOW_MS).unwrap());
    assert_eq!(request.ttl, Some(900_000));
    assert_eq!(request.client_id.as_deref(), Some("auth0|ann"));
    assert_eq!(request.nonce, NONCE);
    assert_eq!(
        request.capability.as_deref(),
        Some(r#"{"dispatch:job:j1":["subscribe"],"notifications:user:auth0|ann":["subscribe"]}"#)
    );
}

#[test]
fn only_its_own_parameter_asks_for_a_token_request() {
    let session = session(Role::Driver, &[], 3600);
    for query in ["", "format=json", "format=TOKEN-REQUEST", "token-request", "accept=application/json"] {
        assert!(matches!(ask(&session, query), Ok(Issued::Jwt(_))), "{query}");
    }
}

#[test]
fn no_nonce_is_made_for_a_jwt() {
    let draft = draft(&session(Role::Driver, &[], 3600), "").unwrap();
    assert!(draft.issue(&key(), NOW_MS, || panic!("a nonce was made")).is_ok());
}

#[test]
fn the_life_of_a_jwt_is_bounded_by_wish_default_and_session() {
    for (lives_for, query, expected) in [
        (3600, "", 900),
        (3600, "ttl=60000", 60),
        (3600, "ttl=60999", 60),
        (3600, "ttl=900000", 900),
        (3600, "ttl=3600000", 900),
        (3600, "ttl=18446744073709551615", 900),
        (600, "", 600),
        (30, "", 30),
        (30, "ttl=60000", 30),
        (1, "", 1),
    ] {
        let claims = claims(&token(&session(Role::Driver, &[], lives_for), query));
        assert_eq!(claims["exp"], NOW + expected, "{lives_for} {query}");
        assert_eq!(claims["iat"], NOW);
    }
    assert_eq!(refused(&session(Role::Driver, &[], 0), ""), (401, 40100));
}

#[test]
fn the_life_of_a_token_request_ends_two_minutes_before_the_session() {
    // Half a second of the session is gone.
    for (lives_for, query, expected) in [
        (3600, "", 900_000),
        (3600, "ttl=60000", 60_000),
        (3600, "ttl=60999", 60_999),
        (3600, "ttl=3600000", 900_000),
        (1020, "", 899_500),
        (181, "", 60_500),
    ] {
        let request = request(&session(Role::Driver, &[], lives_for), query);
        assert_eq!(request.ttl, Some(expected), "{lives_for} {query}");
    }
    for lives_for in [180, 120, 5, 0] {
        let session = session(Role::Driver, &[], lives_for);
        assert_eq!(refused(&session, "format=token-request"), (401, 40100), "{lives_for}");
    }
}

#[test]
fn the_client_decides_nothing() {
    let session = session(Role::Customer, &["j1"], 3600);
    let plain = token(&session, "");
    let hostile = "capability=%7B%22*%22%3A%5B%22*%22%5D%7D&timestamp=1&nonce=x&keyName=a.b&rnd=1&role=admin&sub=x&exp=9999999999&jobs=j2";
    assert_eq!(token(&session, hostile), plain);
    assert_eq!(request(&session, hostile), request(&session, ""));
    assert_eq!(token(&session, "clientId=auth0%7Cann"), plain);
    for other in ["*", "bob", "Auth0%7Cann", "auth0%7Cann%20", "%00"] {
        assert_eq!(refused(&session, &format!("clientId={other}")), (403, 40102), "{other}");
    }
}

#[test]
fn a_job_narrows_and_a_foreign_one_is_refused() {
    let driver = session(Role::Driver, &["j1", "j2"], 3600);
    let claims_of = |session: &Session, query: &str| claims(&token(session, query));
    assert_eq!(claims_of(&driver, "").get("x-ably-revocation-key"), None);
    let narrowed = claims_of(&driver, "jobId=j2");
    assert_eq!(narrowed["x-ably-revocation-key"], "job:j2");
    assert!(!narrowed["x-ably-capability"].as_str().unwrap().contains("j1"));
    let dispatcher = session(Role::Dispatcher, &[], 3600);
    assert_eq!(claims_of(&dispatcher, "").get("x-ably-revocation-key"), None);
    assert_eq!(claims_of(&dispatcher, "jobId=j9")["x-ably-revocation-key"], "job:j9");
    assert_eq!(claims_of(&session(Role::Driver, &[], 3600), "").get("x-ably-revocation-key"), None);

    assert_eq!(refused(&driver, "jobId=j3"), (403, 40160));
    assert_eq!(refused(&session(Role::Customer, &[], 3600), "jobId=j1"), (403, 40160));
    assert_eq!(refused(&session(Role::Service, &["j1"], 3600), ""), (403, 40160));
    assert_eq!(refused(&driver, "jobId=j1%3Ax"), (400, 40003));
}

#[test]
fn a_token_that_would_be_too_long_is_refused_with_advice() {
    // As many jobs as a session may list, as long as they may be.
    let jobs: Vec<_> = (0..50).map(|i| format!("{i:0>64}")).collect();
    let jobs: Vec<_> = jobs.iter().map(String::as_str).collect();
    let full = session(Role::Driver, &jobs, 3600);
    assert!(token(&full, "").len() <= TOKEN_MAX, "the default policy has room for every session");

    // More than that stand for a policy with more channels to a job.
    let more: Vec<_> = (0..80).map(|i| format!("{i:0>64}")).collect();
    let more: Vec<_> = more.iter().map(String::as_str).collect();
    let over = session(Role::Driver, &more, 3600);
    let error = ask(&over, "").unwrap_err();
    assert_eq!((error.status_code, error.code), (403, 40300));
    assert!(error.message.contains("`jobId`"), "{}", error.message);
    assert!(ask(&over, &format!("jobId={}", more[7])).is_ok());
    // A TokenRequest travels in a body.
    assert!(ask(&over, "format=token-request").is_ok());
}

#[test]
fn the_jobs_of_a_draft_are_those_whose_channels_the_session_gives_it() {
    for (role, jobs, query, expected) in [
        (Role::Driver, &["j1", "j2"][..], "", &["j1", "j2"][..]),
        (Role::Customer, &["j1", "j2"], "jobId=j2", &["j2"]),
        (Role::Driver, &[], "", &[]),
        (Role::Dispatcher, &["j1"], "", &[]),
        (Role::Admin, &["j1"], "jobId=j1", &[]),
    ] {
        let draft = draft(&session(role, jobs, 3600), query).unwrap();
        assert!(draft.jobs().iter().map(JobId::as_str).eq(expected.iter().copied()), "{role:?} {query}");
    }
}

#[test]
fn where_all_jobs_admit_the_token_is_the_one_that_the_session_gets_anyway() {
    let session = session(Role::Driver, &["j1", "j2"], 3600);
    for query in ["", "format=token-request", "jobId=j2", "ttl=60000"] {
        let said = vec![says(Standing::Admitted); draft(&session, query).unwrap().jobs().len()];
        assert_eq!(admitted(&session, query, &said), ask(&session, query), "{query}");
    }
}

#[test]
fn what_is_prepared_beside_a_session_serves_until_a_job_is_left_out() {
    let session = Rc::new(session(Role::Driver, &["j1", "j2"], 3600));
    let draft = || {
        let (policy, params) = (Policy::compiled(), TokenParams::default());
        Draft::new(&key(), policy, Rc::clone(&session), params, JobRegistry::On, NOW_MS)
    };
    let (one, other) = (draft().unwrap(), draft().unwrap());
    assert!(Rc::ptr_eq(&one.ready, &other.ready));
    let said = [says(Standing::Refused), says(Standing::Admitted)];
    let left = one.issue_admitted(&key(), &said, NOW_MS, String::new).unwrap();
    assert_eq!(seen(&left).0, ["j2"]);
    let all = other.issue_admitted(&key(), &[says(Standing::Admitted); 2], NOW_MS, String::new).unwrap();
    assert_eq!(seen(&all).0, ["j1", "j2"], "what was left out once is nowhere kept");
}

#[test]
fn the_channels_of_jobs_that_do_not_admit_are_left_out() {
    use Standing::{Admitted, Gated, Refused, Waiting};
    let session = session(Role::Customer, &["j1", "j2", "j3"], 3600);
    for (said, jobs, revocation_key) in [
        ([Admitted, Admitted, Refused], &["j1", "j2"][..], None),
        ([Waiting, Admitted, Admitted], &["j2", "j3"], None),
        ([Waiting, Admitted, Refused], &["j2"], Some("job:j2")),
        ([Refused, Refused, Refused], &[], None),
        ([Waiting, Waiting, Waiting], &[], None),
        ([Gated, Admitted, Waiting], &["j2"], Some("job:j2")),
        ([Gated, Gated, Refused], &[], None),
    ] {
        for format in ["", "format=token-request"] {
            let (left, key, life) = seen(&admitted(&session, format, &said.map(says)).unwrap());
            assert_eq!(left, jobs, "{said:?}");
            assert_eq!(key.as_deref(), revocation_key.filter(|_| format.is_empty()), "{said:?}");
            assert!([900, 900_000].contains(&life));
        }
    }
    let some = admitted(&session, "", &[says(Admitted); 2]).unwrap();
    assert_eq!(seen(&some).0, ["j1", "j2"], "of whom nothing is said has no channel");
}

#[test]
fn the_job_that_was_asked_for_refuses_as_a_foreign_one_does() {
    let session = session(Role::Driver, &["j1", "j2"], 3600);
    for format in ["", "&format=token-request"] {
        let foreign = ask(&session, &format!("jobId=j3{format}")).unwrap_err();
        let query = format!("jobId=j2{format}");
        for standing in [Standing::Refused, Standing::Foreign] {
            assert_eq!(admitted(&session, &query, &[says(standing)]), Err(foreign.clone()));
        }
        // It is theirs, and will be given later, or is about to end.
        for said in [says(Standing::Waiting), says(Standing::Gated), until(0)] {
            let (jobs, key, _) = seen(&admitted(&session, &query, &[said]).unwrap());
            assert_eq!((jobs, key), (vec![], None));
        }
    }
}

#[test]
fn of_several_jobs_that_were_asked_for_those_that_are_left_are_in_it() {
    use Standing::{Admitted, Foreign, Refused, Waiting};
    let session = session(Role::Customer, &["j1", "j2", "j3"], 3600);
    assert_eq!(draft(&session, "jobId=j3,j9,j1").unwrap().jobs().len(), 2, "a foreign one is not asked");
    for (said, jobs, revocation_key) in [
        ([Admitted, Admitted], &["j1", "j3"][..], None),
        ([Admitted, Refused], &["j3"], Some("job:j3")),
        ([Foreign, Admitted], &["j1"], Some("job:j1")),
        ([Foreign, Waiting], &[], None),
    ] {
        let (left, key, _) = seen(&admitted(&session, "jobId=j3,j9,j1", &said.map(says)).unwrap());
        assert_eq!(left, jobs, "{said:?}");
        assert_eq!(key.as_deref(), revocation_key, "{said:?}");
    }
    let foreign = ask(&session, "jobId=j8,j9").unwrap_err();
    for said in [[Refused, Refused], [Foreign, Refused], [Foreign, Foreign]] {
        assert_eq!(admitted(&session, "jobId=j3,j9,j1", &said.map(says)), Err(foreign.clone()), "{said:?}");
    }
}

#[test]
fn where_the_registry_alone_decides_a_claim_changes_nothing() {
    for role in [Role::Driver, Role::Customer] {
        let all = [says(Standing::Admitted), says(Standing::Foreign), says(Standing::Admitted)];
        let issued = |jobs: &[&str], query: &str| {
            let draft = draft_by(JobRegistry::Required, &session(role, jobs, 3600), query)?;
            let said: Vec<_> = all.iter().copied().take(draft.jobs().len()).collect();
            draft.issue_admitted(&key(), &said, NOW_MS, || NONCE.to_owned())
        };
        for query in ["jobId=j1", "jobId=j1,j2", "jobId=j1,j2,j3&format=token-request"] {
            for jobs in [&["j1"][..], &["j2"], &["j1", "j2", "j3"], &["j9"]] {
                assert_eq!(issued(jobs, query), issued(&[], query), "{query} {jobs:?}");
            }
        }
        assert_eq!(seen(&issued(&[], "jobId=j1,j2,j3").unwrap()).0, ["j1", "j3"]);
        // Without a name those of the claim are asked, and no more than asked.
        assert_eq!(seen(&issued(&["j1", "j2"], "").unwrap()).0, ["j1"]);
        assert!(draft_by(JobRegistry::Required, &session(role, &[], 3600), "").unwrap().jobs().is_empty());
    }
    // Nor is there anything to it for whoever has all jobs, or none.
    let dispatcher = session(Role::Dispatcher, &[], 3600);
    for query in ["", "jobId=j1,j2"] {
        assert!(draft_by(JobRegistry::Required, &dispatcher, query).unwrap().jobs().is_empty());
    }
    let service = draft_by(JobRegistry::Required, &session(Role::Service, &["j1"], 3600), "jobId=j1");
    assert_eq!(service.err().map(|error| error.code), Some(40160));
}

#[test]
fn a_token_outlives_none_of_its_jobs() {
    let one =
        |query: &str, said| seen(&admitted(&session(Role::Driver, &["j1"], 3600), query, &[said]).unwrap());
    // Half a second is gone: the token ends with the whole second before.
    for (left_ms, life) in
        [(3_600_000, 900), (900_000, 900), (899_999, 900), (899_499, 899), (60_000, 60), (500, 1)]
    {
        assert_eq!(
            (one("", until(left_ms)).0, one("", until(left_ms)).2),
            (vec!["j1".to_owned()], life),
            "{left_ms}"
        );
    }
    for left_ms in [499, 0, -1, -3_600_000, i64::MIN / 2] {
        assert_eq!(one("", until(left_ms)), (vec![], None, 900), "{left_ms}");
    }
    assert_eq!(one("ttl=60000", until(100_000)).2, 60);
    let request = |left_ms| one("format=token-request", until(left_ms));
    for (left_ms, life) in
        [(3_600_000, 900_000), (1_020_000, 900_000), (1_019_999, 899_999), (180_000, 60_000)]
    {
        assert_eq!(request(left_ms), (vec!["j1".to_owned()], None, life), "{left_ms}");
    }
    for left_ms in [179_999, 120_000, 0, -1] {
        assert_eq!(request(left_ms), (vec![], None, 900_000), "{left_ms}");
    }
}

#[test]
fn the_first_of_its_jobs_to_end_ends_a_token_and_one_that_is_not_in_it_does_not() {
    let session = session(Role::Driver, &["j1", "j2", "j3"], 600);
    let waiting = Admission { standing: Standing::Waiting, ..until(5_000) };
    let refused = Admission { standing: Standing::Refused, ..until(5_000) };
    let life = |said: [Admission; 3]| {
        let (jobs, _, life) = seen(&admitted(&session, "", &said).unwrap());
        (jobs.join(" "), life)
    };
    assert_eq!(life([until(400_500), until(300_500), until(999_500)]), ("j1 j2 j3".to_owned(), 301));
    assert_eq!(life([until(400_500), waiting, refused]), ("j1".to_owned(), 401));
    assert_eq!(life([until(999_500), until(-1), waiting]), ("j1".to_owned(), 600), "the session ends before");
}

proptest! {
    /// Whatever jobs say: a token has the channels of those that admit and no other's, and ends before each of them does.
    #[test]
    fn whatever_jobs_say_the_token_keeps_to_it(
        said in prop::collection::vec(
            (
                prop::sample::select(vec![Standing::Admitted, Standing::Admitted, Standing::Waiting, Standing::Gated, Standing::Refused, Standing::Foreign]),
                prop::option::of(-2_000_i64..1_200_000),
            ),
            3,
        ),
        lives_for in 1_u64..2000,
        query in prop::sample::select(vec!["", "ttl=60000", "format=token-request", "format=token-request&ttl=90000"]),
    ) {
        let session = session(Role::Driver, &["j1", "j2", "j3"], lives_for);
        let said: Vec<_> = said
            .into_iter()
            .map(|(standing, left)| Admission { standing, ..left.map_or(says(standing), until) })
            .collect();
        let Ok(issued) = admitted(&session, query, &said) else {
            prop_assert!(ask(&session, query).is_err());
            return Ok(());
        };
        let (jobs, _, life) = seen(&issued);
        let ends = match issued {
            Issued::Jwt(_) => (NOW + life) * 1000,
            Issued::TokenRequest(_) => NOW_MS + 120_000 + life,
        };
        prop_assert!(ends <= session.expires_at * 1000);
        for (job, said) in ["j1", "j2", "j3"].iter().zip(&said) {
            let until = said.until.unwrap_or(i64::MAX);
            if jobs.iter().any(|has| has == job) {
                prop_assert!(said.standing == Standing::Admitted && i64::try_from(ends).unwrap() <= until);
            } else {
                prop_assert!(said.standing != Standing::Admitted || until < i64::try_from(NOW_MS).unwrap() + 180_000);
            }
        }
    }

    /// Whatever the client sends, a token is the session's user's, lives no longer than the session and the default, and has a
    /// capability that the policy grants.
    #[test]
    fn whatever_is_asked_the_token_is_the_sessions(
        query in "((jobId|ttl|clientId|format|capability)=(j1|j2|j1,j3|60000|999999|auth0%7Cann|token-request|[ -~]{0,8})&){0,5}",
        lives_for in 0_u64..2000,
        jobs in prop::sample::subsequence(vec!["j1", "j2", "j3"], 0..3),
    ) {
        let session = session(Role::Driver, &jobs, lives_for);
        let full = Policy::compiled().grant(&session, &session.jobs, None).unwrap().capability;
        match ask(&session, &query) {
            Ok(Issued::Jwt(token)) => {
                let claims = claims(&token);
                let exp = claims["exp"].as_u64().unwrap();
                prop_assert!(exp > NOW && exp <= session.expires_at && exp <= NOW + 900);
                prop_assert_eq!(claims["iat"].as_u64(), Some(NOW));
                prop_assert_eq!(claims["x-ably-clientId"].as_str(), Some("auth0|ann"));
                let text = claims["x-ably-capability"].as_str().unwrap();
                let capability = ably::Capability::parse(text).unwrap();
                prop_assert_eq!(capability.intersect(&full), Some(capability));
            }
            Ok(Issued::TokenRequest(request)) => {
                let ttl = u64::try_from(request.ttl.unwrap()).unwrap();
                prop_assert!((60_000..=900_000).contains(&ttl));
                prop_assert!(NOW_MS + 120_000 + ttl <= session.expires_at * 1000);
                prop_assert_eq!(request.client_id.as_deref(), Some("auth0|ann"));
                let capability = ably::Capability::parse(&request.capability.unwrap()).unwrap();
                prop_assert_eq!(capability.intersect(&full), Some(capability));
            }
            Err(error) => prop_assert!([400, 401, 403].contains(&error.status_code)),
        }
    }
}
