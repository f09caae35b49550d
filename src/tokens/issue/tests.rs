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
    let params = TokenParams::parse(Some(query), None)?;
    issue(&key(), Policy::compiled(), session, &params, NOW_MS, || NONCE.to_owned())
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
    let params = TokenParams::default();
    let session = session(Role::Driver, &[], 3600);
    let issued = issue(&key(), Policy::compiled(), &session, &params, NOW_MS, || panic!("a nonce was made"));
    assert!(issued.is_ok());
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

proptest! {
    /// Whatever the client sends, a token is the session's user's, lives no longer than the session and the default, and has a
    /// capability that the policy grants.
    #[test]
    fn whatever_is_asked_the_token_is_the_sessions(
        query in "((jobId|ttl|clientId|format|capability)=(j1|j2|60000|999999|auth0%7Cann|token-request|[ -~]{0,8})&){0,5}",
        lives_for in 0_u64..2000,
        jobs in prop::sample::subsequence(vec!["j1", "j2", "j3"], 0..3),
    ) {
        let session = session(Role::Driver, &jobs, lives_for);
        let full = Policy::compiled().grant(&session, None).unwrap().capability;
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
