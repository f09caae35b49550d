//! Sessions that are accepted, and a table of those that are not.

use jwt_compact::alg::{Hs384, Hs384Key, Hs512, Hs512Key};
use jwt_compact::{Algorithm, AlgorithmSignature};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const PREVIOUS: &str = "fedcba9876543210fedcba9876543210";
/// Unix seconds.
const NOW: u64 = 1_700_000_000;
const HOUR: u64 = 3600;
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn rules() -> SessionRules {
    SessionRules {
        secret: Secret::new(SECRET),
        previous_secret: Some(Secret::new(PREVIOUS)),
        issuer: None,
        audience: None,
        max_hours: 24,
        renewal_seconds: 300,
    }
}

fn verifier() -> Verifier {
    Verifier::new(rules()).unwrap()
}

fn verify(token: &str) -> Result<Rc<Session>, SessionError> {
    verifier().verify(token, NOW * 1000)
}

fn base64(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn hmac(secret: &str, signed: &str) -> String {
    let signature = Hs256.sign(&Hs256Key::new(secret.as_bytes()), signed.as_bytes());
    base64(signature.as_bytes())
}

/// A token of exactly these bytes, correctly signed with HS256 whatever its header says.
fn raw_with(secret: &str, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let signed = format!("{}.{}", base64(header), base64(payload));
    let signature = hmac(secret, &signed);
    format!("{signed}.{signature}")
}

fn raw(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    raw_with(SECRET, header, payload)
}

/// The claims of a good session, with some replaced; `null` takes one away.
fn claims(changes: Value) -> Value {
    let mut claims = json!({"sub": "auth0|ann", "role": "driver", "exp": NOW + HOUR, "jobs": ["j1", "j2"]});
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn with(changes: Value) -> String {
    raw(HEADER, claims(changes).to_string())
}

fn with_header(header: &str) -> String {
    raw(header, claims(json!({})).to_string())
}

/// A payload in which one claim is written as given.
fn spelled(exp: &str) -> String {
    raw(HEADER, format!(r#"{{"sub":"u","role":"driver",{exp}}}"#))
}

fn good() -> String {
    with(json!({}))
}

#[test]
fn a_good_session_is_what_its_claims_say() {
    let session = verify(&good()).unwrap();
    assert_eq!(
        *session,
        Session {
            user: UserId::parse("auth0|ann").unwrap(),
            role: Role::Driver,
            jobs: vec![JobId::parse("j1").unwrap(), JobId::parse("j2").unwrap()],
            expires_at: NOW + HOUR,
            beside: Beside::default(),
        }
    );
}

#[test]
fn what_issuers_really_send_is_accepted() {
    for (name, token) in [
        ("no typ", with_header(r#"{"alg":"HS256"}"#)),
        ("another typ", with_header(r#"{"alg":"HS256","typ":"at+jwt"}"#)),
        ("a kid, which is not followed", with_header(r#"{"alg":"HS256","kid":"../../etc/passwd"}"#)),
        ("a jku, which is not followed", with_header(r#"{"alg":"HS256","jku":"https://example.com/k"}"#)),
        ("an x5u, which is not followed", with_header(r#"{"alg":"HS256","x5u":"https://example.com/k"}"#)),
        ("white space in the header", with_header("{ \"alg\" : \"HS256\" }\n")),
        ("no jobs", with(json!({"jobs": null}))),
        ("null for no jobs, as Go writes it", spelled(&format!(r#""exp":{},"jobs":null"#, NOW + 1))),
        ("empty jobs", with(json!({"jobs": []}))),
        ("50 jobs", with(json!({"jobs": (0..50).map(|i| format!("j{i}")).collect::<Vec<_>>()}))),
        ("nbf now", with(json!({"nbf": NOW}))),
        ("nbf within the leeway", with(json!({"nbf": NOW + 5}))),
        ("iat within the leeway", with(json!({"iat": NOW + 5}))),
        ("iat with a fraction, as Python writes it", with(json!({"iat": NOW as f64 - 0.25}))),
        ("the last second", with(json!({"exp": NOW + 1}))),
        ("the longest", with(json!({"exp": NOW + 24 * HOUR}))),
        (
            "claims of others",
            with(json!({"iss": "x", "aud": ["y"], "jti": "z", "email": "a@b.c", "deep": {"a": [1]}})),
        ),
        ("the previous secret", raw_with(PREVIOUS, HEADER, claims(json!({})).to_string())),
        ("the service", with(json!({"role": "service"}))),
    ] {
        assert!(verify(&token).is_ok(), "{name}: {:?}", verify(&token));
    }
}

#[test]
fn jobs_that_are_listed_twice_count_once() {
    let session = verify(&with(json!({"jobs": ["a", "b", "a"]}))).unwrap();
    assert_eq!(session.jobs.len(), 2);
}

/// Each hostile session with the status that it must get.
#[test]
#[allow(clippy::too_many_lines)]
fn hostile_sessions_are_refused() {
    let parts: Vec<String> = good().split('.').map(str::to_owned).collect();
    let (header, payload, signature) = (parts[0].as_str(), parts[1].as_str(), parts[2].as_str());
    let signed_by_512 = {
        let signed = format!("{}.{payload}", base64(r#"{"alg":"HS512"}"#));
        let signature = Hs512.sign(&Hs512Key::new(SECRET.as_bytes()), signed.as_bytes());
        format!("{signed}.{}", base64(signature.as_bytes()))
    };
    let signed_by_384 = {
        let signed = format!("{}.{payload}", base64(r#"{"alg":"HS384"}"#));
        let signature = Hs384.sign(&Hs384Key::new(SECRET.as_bytes()), signed.as_bytes());
        format!("{signed}.{}", base64(signature.as_bytes()))
    };
    let mut flipped = URL_SAFE_NO_PAD.decode(signature).unwrap();
    flipped[0] ^= 1;
    let ms = NOW * 1000;
    let table = [
        // Form.
        ("nothing", String::new(), 403),
        ("a word", "token".into(), 403),
        ("undefined", "undefined".into(), 403),
        ("dots", "..".into(), 403),
        ("two parts", format!("{header}.{payload}"), 403),
        ("four parts", format!("{}.x", good()), 403),
        ("a trailing dot", format!("{}.", good()), 403),
        ("a leading blank", format!(" {}", good()), 403),
        ("a trailing line feed", format!("{}\n", good()), 403),
        ("padding", format!("{header}.{payload}.{signature}="), 403),
        ("standard base64", format!("{header}.{}.{signature}", "+/+/"), 403),
        ("another script", "ключ.ключ.ключ".into(), 403),
        ("a header that is no JSON", raw("HS256", claims(json!({})).to_string()), 403),
        ("a header that is a list", with_header(r#"["HS256"]"#), 403),
        ("a header that is null", with_header("null"), 403),
        ("a header that is not UTF-8", raw([0xff, 0xfe], claims(json!({})).to_string()), 403),
        ("a JWE", format!("{header}.{payload}.{payload}.{payload}.{signature}"), 403),
        ("over 8 KB", with(json!({"jti": "x".repeat(8 * 1024)})), 403),
        (
            "a header over 8 KB",
            with_header(&format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "x".repeat(9000))),
            403,
        ),
        // Header.
        ("no alg", with_header(r#"{"typ":"JWT"}"#), 403),
        ("alg none, unsigned", format!("{}.{payload}.", base64(r#"{"alg":"none"}"#)), 403),
        ("alg None, signed", with_header(r#"{"alg":"None"}"#), 403),
        ("alg hs256", with_header(r#"{"alg":"hs256"}"#), 403),
        ("alg with a blank", with_header(r#"{"alg":"HS256 "}"#), 403),
        ("alg RS256", with_header(r#"{"alg":"RS256"}"#), 403),
        ("alg HS384", signed_by_384, 403),
        ("alg HS512", signed_by_512, 403),
        ("alg null", with_header(r#"{"alg":null}"#), 403),
        ("alg a list", with_header(r#"{"alg":["HS256"]}"#), 403),
        ("two algs", with_header(r#"{"alg":"none","alg":"HS256"}"#), 403),
        ("crit", with_header(r#"{"alg":"HS256","crit":["exp"],"exp":1}"#), 403),
        ("empty crit", with_header(r#"{"alg":"HS256","crit":[]}"#), 403),
        ("null crit", with_header(r#"{"alg":"HS256","crit":null}"#), 403),
        ("b64 false", with_header(r#"{"alg":"HS256","b64":false}"#), 403),
        ("b64 true", with_header(r#"{"alg":"HS256","b64":true}"#), 403),
        ("cty JWT", with_header(r#"{"alg":"HS256","cty":"JWT"}"#), 403),
        (
            "a key of its own",
            format!(
                "{}.{payload}.{}",
                base64(r#"{"alg":"HS256","jwk":{"kty":"oct","k":"eA"}}"#),
                hmac(
                    "x",
                    &format!("{}.{payload}", base64(r#"{"alg":"HS256","jwk":{"kty":"oct","k":"eA"}}"#))
                )
            ),
            403,
        ),
        // Signature.
        ("no signature", format!("{header}.{payload}."), 403),
        ("half a signature", format!("{header}.{payload}.{}", signature.split_at(20).0), 403),
        ("a flipped bit", format!("{header}.{payload}.{}", base64(flipped)), 403),
        (
            "another secret",
            raw_with("another-secret-of-32-bytes-another", HEADER, claims(json!({})).to_string()),
            403,
        ),
        ("an empty secret", raw_with("", HEADER, claims(json!({})).to_string()), 403),
        ("a longer secret", raw_with(&format!("{SECRET}x"), HEADER, claims(json!({})).to_string()), 403),
        (
            "another payload",
            format!("{header}.{}.{signature}", base64(claims(json!({"role": "admin"})).to_string())),
            403,
        ),
        ("another header", format!("{}.{payload}.{signature}", base64(r#"{"alg":"HS256"}"#)), 403),
        (
            "a bad signature, expired a second ago",
            raw_with("x", HEADER, claims(json!({"exp": NOW - 1})).to_string()),
            403,
        ),
        // Claims.
        ("a payload that is no JSON", raw(HEADER, "claims"), 403),
        ("a payload that is a list", raw(HEADER, "[]"), 403),
        (
            "a payload that is a list of claims",
            raw(HEADER, format!(r#"[null,null,"u","admin",null,{}]"#, NOW + 1)),
            403,
        ),
        ("a payload that is null", raw(HEADER, "null"), 403),
        ("an empty payload", raw(HEADER, "{}"), 403),
        ("a payload that is cut off", raw(HEADER, r#"{"sub":"u","#), 403),
        ("something behind the payload", raw(HEADER, format!("{}{{}}", claims(json!({})))), 403),
        ("a payload that is not UTF-8", raw(HEADER, [0x7b, 0xff, 0x7d]), 403),
        (
            "very deep claims",
            raw(HEADER, format!(r#"{{"a":{}1{}}}"#, "[".repeat(2000), "]".repeat(2000))),
            403,
        ),
        ("role named twice", spelled(&format!(r#""role":"admin","exp":{}"#, NOW + 1)), 403),
        ("exp named twice", spelled(&format!(r#""exp":{},"exp":{}"#, NOW - 9999, NOW + 1)), 403),
        ("sub named twice, once escaped", spelled(&format!(r#""s\u0075b":"v","exp":{}"#, NOW + 1)), 403),
        // Who.
        ("no sub", with(json!({"sub": null})), 403),
        ("empty sub", with(json!({"sub": ""})), 403),
        ("sub a number", with(json!({"sub": 7})), 403),
        ("sub a list", with(json!({"sub": ["u"]})), 403),
        ("sub a wildcard", with(json!({"sub": "*"})), 403),
        ("sub with a separator", with(json!({"sub": "a:b"})), 403),
        ("sub with a blank", with(json!({"sub": "a b"})), 403),
        ("sub with a NUL", with(json!({"sub": "a\0"})), 403),
        ("sub with brackets", with(json!({"sub": "[meta]log"})), 403),
        ("sub not ASCII", with(json!({"sub": "anñ"})), 403),
        ("sub over 128", with(json!({"sub": "x".repeat(129)})), 403),
        ("no role", with(json!({"role": null})), 403),
        ("unknown role", with(json!({"role": "root"})), 403),
        ("role in capitals", with(json!({"role": "Admin"})), 403),
        ("role with a blank", with(json!({"role": "admin "})), 403),
        ("role a list", with(json!({"role": ["driver", "admin"]})), 403),
        ("role an object", with(json!({"role": {"admin": null}})), 403),
        ("role a number", with(json!({"role": 4})), 403),
        ("an unknown role, expired a second ago", with(json!({"role": "root", "exp": NOW - 1})), 403),
        // Jobs.
        ("jobs a text", with(json!({"jobs": "j1"})), 403),
        ("jobs an object", with(json!({"jobs": {"0": "j1"}})), 403),
        ("51 jobs", with(json!({"jobs": (0..51).map(|i| format!("j{i}")).collect::<Vec<_>>()})), 403),
        ("51 times one job", with(json!({"jobs": vec!["j"; 51]})), 403),
        ("one bad job", with(json!({"jobs": ["j1", "a:b"]})), 403),
        ("a wildcard job", with(json!({"jobs": ["*"]})), 403),
        ("an empty job", with(json!({"jobs": [""]})), 403),
        ("a dot job", with(json!({"jobs": [".."]})), 403),
        ("a null job", with(json!({"jobs": [null]})), 403),
        ("a number job", with(json!({"jobs": [42]})), 403),
        ("a nested job", with(json!({"jobs": [["j1"]]})), 403),
        ("a job over 64", with(json!({"jobs": ["x".repeat(65)]})), 403),
        // Times.
        ("no exp", with(json!({"exp": null})), 403),
        ("exp null", spelled(r#""exp":null"#), 403),
        ("nbf null", spelled(&format!(r#""exp":{},"nbf":null"#, NOW + 1)), 403),
        ("iat null", spelled(&format!(r#""exp":{},"iat":null"#, NOW + 1)), 403),
        ("exp a text", with(json!({"exp": (NOW + HOUR).to_string()})), 403),
        ("exp a date", with(json!({"exp": "2099-01-01T00:00:00Z"})), 403),
        ("exp true", with(json!({"exp": true})), 403),
        ("exp with a fraction", spelled(&format!(r#""exp":{}.5"#, NOW + HOUR)), 403),
        ("exp with a fraction of nothing", spelled(&format!(r#""exp":{}.0"#, NOW + HOUR)), 403),
        ("exp in scientific notation", spelled(r#""exp":17e8"#), 403),
        ("exp negative", with(json!({"exp": -1})), 403),
        ("exp zero", with(json!({"exp": 0})), 403),
        ("exp in milliseconds", with(json!({"exp": ms + HOUR * 1000})), 403),
        ("exp in microseconds", with(json!({"exp": (ms + HOUR * 1000) * 1000})), 403),
        ("exp at the end of u64", with(json!({"exp": u64::MAX})), 403),
        ("exp beyond u64", spelled(r#""exp":99999999999999999999999"#), 403),
        ("exp beyond f64", spelled(r#""exp":1e999"#), 403),
        ("exp too far", with(json!({"exp": NOW + 24 * HOUR + 6})), 403),
        ("exp a year ahead", with(json!({"exp": NOW + 365 * 24 * HOUR})), 403),
        ("expired now", with(json!({"exp": NOW})), 401),
        ("expired a second ago", with(json!({"exp": NOW - 1})), 401),
        ("the last second of renewal", with(json!({"exp": NOW - 299})), 401),
        ("the end of renewal", with(json!({"exp": NOW - 300})), 403),
        ("ended long ago", with(json!({"exp": NOW - 365 * 24 * HOUR})), 403),
        ("nbf beyond the leeway", with(json!({"nbf": NOW + 6})), 401),
        ("nbf at exp", with(json!({"nbf": NOW + HOUR})), 403),
        ("nbf in milliseconds", with(json!({"nbf": ms})), 403),
        ("nbf a text", with(json!({"nbf": "now"})), 403),
        (
            "nbf at the end of the calendar",
            with(json!({"nbf": -8_334_601_228_800_i64, "exp": NOW - 900})),
            403,
        ),
        ("nbf at the end of i64", with(json!({"nbf": i64::MIN})), 403),
        ("iat beyond the leeway", with(json!({"iat": NOW + 6})), 401),
        ("iat in milliseconds", with(json!({"iat": ms})), 403),
        ("iat an object", with(json!({"iat": {}})), 403),
    ];
    assert!(table.len() >= 60);
    for (name, token, status) in table {
        let error = verify(&token).expect_err(name);
        assert_eq!(error.status(), status, "{name}: {error:?}");
    }
}

#[test]
fn an_error_names_its_rule_and_quotes_nobody() {
    for (token, name, part) in [
        (with(json!({"exp": NOW * 1000})), "session_exp_milliseconds", "seconds"),
        (with(json!({"exp": NOW + 90_000})), "session_exp_too_far", "24 hours"),
        (with(json!({"sub": "<scr ipt>"})), "session_subject", "a user id is 1 to 128"),
        (with(json!({"role": "<scr ipt>"})), "session_role", "driver, dispatcher"),
        (with(json!({"jobs": ["<scr ipt>"]})), "session_jobs", "a job id is 1 to 64"),
        (with_header(r#"{"alg":"<scr ipt>"}"#), "session_algorithm", "HS256"),
        (with_header(r#"{"alg":"HS256","cty":"<scr ipt>"}"#), "session_malformed", "JWT"),
        (with(json!({"exp": NOW - 1})), "session_expired", "renew"),
        (with(json!({"exp": NOW - 301})), "session_ended", "sign in"),
    ] {
        let error = verify(&token).expect_err(name);
        assert_eq!(error.name(), name);
        assert!(error.to_string().contains(part), "{error}");
        assert!(!error.to_string().contains("scr"), "{error}");
    }
}

#[test]
fn renewal_may_be_switched_off() {
    let verifier = Verifier::new(SessionRules { renewal_seconds: 0, ..rules() }).unwrap();
    let expired = with(json!({"exp": NOW}));
    assert_eq!(verifier.verify(&expired, NOW * 1000), Err(SessionError::Ended));
    assert!(verifier.verify(&expired, NOW * 1000 - 1).is_ok());
}

#[test]
fn issuer_and_audience_count_where_they_are_configured() {
    let verifier = Verifier::new(SessionRules {
        issuer: Some("https://id.example".into()),
        audience: Some("towline".into()),
        ..rules()
    })
    .unwrap();
    let ask = |changes: Value| verifier.verify(&with(changes), NOW * 1000).map(|_| ());
    let iss = "https://id.example";
    for aud in [json!("towline"), json!(["other", "towline"])] {
        assert_eq!(ask(json!({"iss": iss, "aud": aud})), Ok(()));
    }
    for aud in [
        json!(null),
        json!("other"),
        json!([]),
        json!(["towline", 7]),
        json!({"towline": 1}),
        json!("towline "),
    ] {
        assert_eq!(ask(json!({"iss": iss, "aud": aud})), Err(SessionError::Audience), "{aud}");
    }
    for iss in [json!(null), json!("https://id.example/"), json!(["https://id.example"]), json!(7)] {
        assert_eq!(ask(json!({"iss": iss, "aud": "towline"})), Err(SessionError::Issuer), "{iss}");
    }
}

#[test]
fn short_secrets_are_a_configuration_error_and_are_never_shown() {
    let short = Secret::new("hushhush");
    assert_eq!(
        Verifier::new(SessionRules { secret: short.clone(), ..rules() }).unwrap_err(),
        RulesError::ShortSecret
    );
    assert_eq!(
        Verifier::new(SessionRules { previous_secret: Some(short), ..rules() }).unwrap_err(),
        RulesError::ShortPreviousSecret
    );
    let shown = format!("{:?}", verifier());
    assert!(!shown.contains(SECRET) && !shown.contains(PREVIOUS), "{shown}");
    // A list of bytes would show it as well.
    assert!(!shown.contains("48, 49, 50, 51"), "{shown}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_or_pass(token in ".*", now in any::<u64>()) {
        prop_assert!(verifier().verify(&token, now).is_err());
    }

    #[test]
    fn no_signed_claims_make_it_panic(exp in any::<i64>(), nbf in any::<i64>(), iat in any::<f64>(), now in any::<u64>()) {
        let token = with(json!({"exp": exp, "nbf": nbf, "iat": iat}));
        let _ = verifier().verify(&token, now);
    }

    /// Whatever one changes in a good token, it is refused, unless what it says stays the same.
    #[test]
    fn no_changed_character_passes(at in 0_usize..400, with in "[A-Za-z0-9_.=-]") {
        let mut token = good();
        let at = at % token.len();
        token.replace_range(at..=at, &with);
        prop_assert!(token == good() || verify(&token).is_err());
    }
}

#[test]
fn a_session_that_is_known_is_asked_each_time_whether_it_is_its_time() {
    let verifier = verifier();
    let token = with(json!({"exp": NOW + 100, "nbf": NOW - 3}));
    let first = verifier.verify(&token, NOW * 1000).unwrap();
    assert!(Rc::ptr_eq(&first, &verifier.verify(&token, NOW * 1000).unwrap()), "it is known");
    for (at, expected) in [
        (NOW - 8, Ok(())),
        (NOW + 99, Ok(())),
        (NOW + 100, Err(SessionError::Expired)),
        (NOW + 400, Err(SessionError::Ended)),
        (NOW - 9, Err(SessionError::NotYetValid)),
        (NOW - 25 * HOUR, Err(SessionError::ExpiryTooFar { max_hours: 24 })),
        (NOW, Ok(())),
    ] {
        assert_eq!(verifier.verify(&token, at * 1000).map(|_| ()), expected, "{at}");
    }
}

#[test]
fn a_session_that_is_known_lets_no_other_in() {
    let verifier = verifier();
    let token = good();
    verifier.verify(&token, NOW * 1000).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    for other in
        [signed.to_owned(), format!("{signed}."), format!("{signed}.{signature}A"), format!("{token} ")]
    {
        assert!(verifier.verify(&other, NOW * 1000).is_err(), "{other}");
    }
    // One that was refused is not known.
    let early = with(json!({"nbf": NOW + 60}));
    assert_eq!(verifier.verify(&early, NOW * 1000).map(|_| ()), Err(SessionError::NotYetValid));
    assert!(verifier.cache.get(&early).is_none());
    assert!(!format!("{verifier:?}").contains(signature), "tokens are secrets");
}

#[test]
fn what_is_known_is_bounded_and_what_is_used_stays() {
    let verifier = verifier();
    let used = good();
    let mut tokens = Vec::new();
    for n in 0..5_000 {
        let token = with(json!({"sub": format!("user-{n}")}));
        verifier.verify(&token, NOW * 1000).unwrap();
        verifier.verify(&used, NOW * 1000).unwrap();
        tokens.push(token);
    }
    let known = tokens.iter().filter(|token| verifier.cache.get(token).is_some());
    let bytes: usize = known.map(String::len).sum();
    assert!((100_000..=1_100_000).contains(&bytes), "{bytes}");
    assert!(verifier.cache.get(&used).is_some());
}
