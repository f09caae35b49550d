//! Bodies, session tokens and URLs that are nearly right, from the request to its answer, with the job's own state machine in the
//! place of its object. Whatever they are: nothing panics, what gets past a parser keeps its rules, and the fault is the caller's.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use jwt_compact::{Algorithm, AlgorithmSignature};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{TestError, TestRunner};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::*;
use crate::http::step::REQUEST_BODY_MAX;
use crate::ids::{FixId, UserId};
use crate::index::List;
use crate::locations::limits::Limits;
use crate::locations::log::memory::MemoryLog;
use crate::locations::post::{FIXES_MAX, Post};
use crate::locations::{Fix, Job, Settings, StreamRequest};
use crate::objects::Millis;
use crate::sessions::Role;

const PREVIOUS: &str = "fedcba9876543210fedcba9876543210";
const FOREIGN: &str = "somebody-elses-secret-somebody-e";
const REF: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

const POSTS: &[&str] = &[
    r#"{"lat":48.2082,"lng":16.3738,"speed":12.5,"heading":90,"accuracy":-1,"altitude":170.25,"capturedAt":1799999999000,"id":"a-1","sentAt":1800000000000,"wifi":{"a":[1,{"b":null}]}}"#,
    r#"{"locations":[{"lat":48.2,"lng":16.3,"capturedAt":"2027-01-15T08:59:59.5+01:00"},{"lat":-0.0,"lng":-180,"heading":360,"id":"b"},{"lat":91,"lng":"x"},{"lat":1e1,"lng":null},7],"sentAt":"2027-01-15T08:00:00Z","driver":"driver-1"}"#,
    r#"{ "driver": "auth0|ann", "lat": 4.82082E+1, "lng": 1e-7, "id": "\u00411", "capturedAt": "2027-01-15T07:59Z" }"#,
];
const EVENTS: &[&str] = &[
    r#"{"id":"photo-7 v2","type":"photo.added","version":9007199254740991}"#,
    r#"{ "version": 0, "\u0069d": "~", "type": "a_b-c.9" }"#,
];
const QUESTIONS: &[&str] = &[
    r#"{"userId":"auth0|ann","role":"customer","jobs":["a","b"],"channel":"dispatch:job:a","operation":"subscribe"}"#,
    r#"{"operation":"presence","channel":"[?rewind=1]presence:dispatch:west","jobs":[],"role":"admin","userId":"a"}"#,
];
const RANGES: &[&str] = &[r#"{"epoch":1800000000,"fromSeq":1,"seq":2}"#];
const FORMS: &[&str] =
    &["jobId=a&format=token-request&ttl=60000&clientId=driver-1&capability=%7B%22*%22%3A%5B%22*%22%5D%7D"];
const ADMISSIONS: &[&str] = &[
    r#"{"standing":"admitted"}"#,
    r#"{"standing":"admitted","until":1800000300000,"notBefore":1799999999000}"#,
    r#"{"standing":"waiting","until":1800000001000,"notBefore":1800000001000}"#,
    r#"{"standing":"refused","notBefore":1800000000001}"#,
];
const HEADERS: &[&str] = &[
    r#"{"alg":"HS256","typ":"JWT"}"#,
    r#"{"alg":"HS256","kid":"../../etc/passwd","jku":"https://a.example/k","cty":"JWT"}"#,
];
const CLAIMS: &[&str] = &[
    r#"{"sub":"driver-1","role":"driver","jobs":["a","b"],"exp":1800003600,"nbf":1799999999.5,"iat":1799999999}"#,
    r#"{"sub":"auth0|ann","role":"customer","jobs":["a"],"exp":1800000001,"iss":"https://id.example","aud":["x","towline"]}"#,
    r#"{"exp":1799999900,"role":"admin","sub":"admin-1","aud":"towline","jobs":null,"extra":{"a":[{}]}}"#,
];
const PATHS: &[&str] = &[
    "/healthz",
    "/api/ably-token?jobId=a&format=token-request&ttl=60000&clientId=driver-1&rnd=0.5",
    "/api/jobs?state=open&dispatchId=west&after=a&limit=10",
    "/api/jobs?mine&limit=20",
    "/api/jobs/a/location",
    "/api/jobs/job-7.B_c/location?rnd=0.5#top",
    "/api/jobs/a/locations?after=1800000000.1&limit=10&format=geojson",
    "/api/jobs/a/events",
    "/api/jobs/a/stream?after=1800000000.1.2",
    "/api/jobs/a/outbox",
    "/api/jobs/a/outbox/retry",
    "/api/refs/0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a",
];

/// JSON that stands in the place of other JSON: the borders of what is taken, and what is read in more than one way.
#[rustfmt::skip]
const VALUES: &[&[u8]] = &[
    b"null", b"true", b"{}", b"[]", b"\"\"", b"[[{\"a\":[]}]]", b"{\"lat\":1,\"lng\":2}", b"[{\"lat\":1,\"lng\":2},{\"lat\":1,\"lng\":2}]",
    b"\"lat\"", b"\"\\u006cat\"", b"\"locations\"", b"\"driver\"", b"\"id\"", b"\"sentAt\"", b"\"\\u0000\"", b"\"\\ud800\"", b"\"\\ud83d\\ude00\"", b"\"a\\nb\"",
    b"-0", b"0.0", b"1e1", b"1e400", b"-1e400", b"1e-400", b"5e-324", b"1e99999999999999999999", b"1.7976931348623157e308", b"90",
    b"90.00000000000001", b"-180", b"-180.00000000000003", b"360", b"360.00000000000006", b"-1", b"9223372036854775807",
    b"-9223372036854775808", b"18446744073709551615", b"18446744073709551616", b"1799999999", b"1800000000", b"1800000001",
    b"1800000005", b"1800000006", b"1800086405", b"1800086406", b"1800003600.0", b"999999999", b"99999999999", b"100000000000", b"253402300799999",
    b"253402300799999.9", b"253402300800000", b"-62167219200000", b"-62167219200001", b"8210266876799999", b"-8334601228800001",
    b"\"9999-12-31T23:59:59.999-00:01\"", b"\"0000-01-01T00:00:00+23:59\"", b"\"2016-12-31T23:59:60Z\"", b"\"2027-01-15t08:00Z\"",
    b"\"2027-02-30T24:00:00.999999999999+99:99\"", b"\"+12027-01-15T08:00:00Z\"", b"[\"a\",\"..\"]", b"[\"a\",\"a\",\"b\"]", b"\"a:b\"", b"\"%61\"",
    b"\"crit\"", b"\"b64\"", b"\"none\"", b"\"HS384\"", b"\"RS256\"", b"\"service\"", b"\"aud\"", b"\"jobs\"", b"\"exp\"", b"\"nbf\"",
];

/// What a parser of JSON, of tokens, of URLs or of UTF-8 may trip over.
#[rustfmt::skip]
const PIECES: &[&[u8]] = &[
    b"{", b"}", b"[", b"]", b",", b":", b"\"", b"\\", b"{\"a\":", b"\"locations\":[", b"\\udc00", b"\\\"", b"\\x", b"/**/", b"\"a\",",
    b"-", b"01", b"+1", b".5", b"1.", b"1e", b"0x10", b"NaN", b"Infinity", b"T", b"Z", b"\"crit\":[\"b64\"],", b"\"alg\":\"none\",",
    b"Bearer ", b"bearer\t", b"undefined", b"session=", b"; ", b"=", b".", b"_", b"eyJhbGciOiJub25lIn0.", b"eyJhbGciOiJIUzI1NiJ9.e30.x",
    b"/", b"//", b"/./", b"/../", b"..", b"%2e%2e", b"%2F", b"%", b"%4", b"%zz", b"%00", b"%25", b"%C3%A9", b"%ff", b"%61", b"?", b"#", b"&", b";",
    b"@", b"://", b"https://", b"[::1]", b"/location", b"/outbox", b"/api/jobs/", b"/api/refs/", b"{jobId}", b"jobId=", b"ttl=",
    b"a", b" ", b"\t", b"\r\n", b"\0", b"\x7f", b"\xc3\xa9", b"e\xcc\x81", b"\xf0\x9f\x98\x80", b"\xe2\x80\xae", b"\xef\xbb\xbf", b"\xe2\x80\xa8",
    b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
];

/// Bytes that can be read where a test fails.
#[derive(Clone)]
struct Bytes(Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl Bytes {
    /// As the text of a URL or of a header.
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

/// A change to a text: so many words of it are replaced by something, as often as `times` says.
#[derive(Debug, Clone)]
struct Change {
    cut: Cut,
    at: Index,
    over: usize,
    what: What,
    times: usize,
}

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cut {
    Byte,
    /// Letters and digits, or a mark.
    Word,
    /// A whole string or number of JSON, a segment or a value of a URL, or a mark.
    Value,
}

#[derive(Debug, Clone)]
enum What {
    Bytes(Vec<u8>),
    /// The first byte of what is replaced, with these bits turned over.
    Flipped(u8),
    /// Words of the text itself.
    Own(Index, usize),
    /// Words of another.
    Others(&'static str, Index, usize),
}

impl Cut {
    fn words(self, text: &[u8]) -> Vec<&[u8]> {
        let mut quoted = false;
        let same = |a: &u8, b: &u8| match self {
            Self::Byte => false,
            Self::Word => a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric(),
            Self::Value => {
                quoted ^= *a == b'"';
                let plain = |byte: &u8| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | b'_' | b'|')
                };
                quoted || plain(a) && plain(b)
            }
        };
        text.chunk_by(same).collect()
    }

    fn some(self, text: &[u8], from: Index, count: usize) -> Vec<u8> {
        let words = self.words(text);
        words.iter().skip(from.index(words.len() + 1)).take(count).copied().flatten().copied().collect()
    }
}

/// Up to so many changes. Half of the time whole values are exchanged, and most of what comes of it can be read.
fn changes(most: usize) -> impl Strategy<Value = Vec<Change>> {
    let number =
        prop_oneof![any::<f64>().prop_map(|n| format!("{n:e}")), any::<i64>().prop_map(|n| n.to_string())];
    let number = number.prop_map(|number| What::Bytes(number.into_bytes()));
    let listed = |list: &'static [&'static [u8]]| select(list).prop_map(|piece| What::Bytes(piece.to_vec()));
    let own = |most: usize| (any::<Index>(), 1..=most).prop_map(|(from, words)| What::Own(from, words));
    let others = (select([POSTS, CLAIMS, PATHS].concat()), any::<Index>(), 1..12_usize);
    let others = others.prop_map(|(text, from, words)| What::Others(text, from, words));
    let value = prop_oneof![16 => listed(VALUES), 4 => number, 2 => own(1), 1 => listed(PIECES)];
    let value = (Just(Cut::Value), any::<Index>(), Just(1), value, Just(1)).boxed();

    let what =
        prop_oneof![4 => listed(PIECES), 1 => Just(What::Bytes(Vec::new())), 3 => own(40), 2 => others];
    let cut = select(vec![Cut::Word, Cut::Word, Cut::Value]);
    let over = prop_oneof![2 => Just(0), 2 => Just(1), 1 => 2..12_usize];
    let times = prop_oneof![900 => Just(1), 80 => 2..9_usize, 20 => 9..200_usize, 1 => 200..20_000_usize];
    let words = (cut, any::<Index>(), over, what, times);
    let byte = prop_oneof![
        any::<u8>().prop_map(What::Flipped),
        prop::collection::vec(any::<u8>(), 0..6).prop_map(What::Bytes),
    ];
    let bytes = (Just(Cut::Byte), any::<Index>(), 0..3_usize, byte, Just(1));

    let change = |(cut, at, over, what, times)| Change { cut, at, over, what, times };
    let any_change = prop_oneof![4 => value.clone(), 4 => words, 1 => bytes].prop_map(change);
    prop_oneof![
        prop::collection::vec(value.prop_map(change), 0..=most),
        prop::collection::vec(any_change, 0..=most),
    ]
}

impl Change {
    fn make(&self, text: &mut Vec<u8>) {
        let words = self.cut.words(text);
        // A value takes the place of a value: a mark that is replaced ends most texts at once.
        let is_value = |word: &[u8]| word.len() > 1 || word[0].is_ascii_alphanumeric();
        let values = || (0..words.len()).filter(|at| is_value(words[*at])).collect::<Vec<_>>();
        let places = if self.cut == Cut::Value { values() } else { (0..=words.len()).collect() };
        let Some(at) = (!places.is_empty()).then(|| *self.at.get(&places)) else { return };
        let end = words.len().min(at + self.over);
        let new = match &self.what {
            What::Bytes(bytes) => bytes.clone(),
            What::Flipped(bits) => words[at..end].iter().take(1).map(|word| word[0] ^ bits).collect(),
            What::Own(from, count) => self.cut.some(text, *from, *count),
            What::Others(other, from, count) => self.cut.some(other.as_bytes(), *from, *count),
        };
        // A little more than is read.
        let times = self.times.min(REQUEST_BODY_MAX / new.len().max(1) + 1);
        *text = [words[..at].concat(), new.repeat(times), words[end..].concat()].concat();
    }
}

/// One of some texts, or nothing like them, with up to so many changes.
fn changed(texts: &'static [&'static str], most: usize) -> impl Strategy<Value = Bytes> {
    let text = prop_oneof![
        99 => select(texts).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ];
    (text, changes(most)).prop_map(|(mut text, changes)| {
        changes.iter().for_each(|change| change.make(&mut text));
        Bytes(text)
    })
}

/// Tries so many inputs; more by `FUZZ_INPUTS`.
fn fuzz<S: Strategy>(strategy: S, check: impl Fn(S::Value)) {
    let inputs = std::env::var("FUZZ_INPUTS").ok().and_then(|inputs| inputs.parse().ok()).unwrap_or(1_000);
    let config = ProptestConfig { cases: inputs, failure_persistence: None, ..ProptestConfig::default() };
    let failed = TestRunner::new(config).run(&strategy, |input| {
        check(input);
        Ok(())
    });
    match failed {
        Ok(()) => {}
        Err(TestError::Fail(reason, input)) => panic!("{reason}: {input:?}"),
        Err(error) => panic!("{error}"),
    }
}

/// The services that a request meets: with the fewest settings, and with those that a session is held to besides.
fn services() -> [Service; 2] {
    let held = [
        ("SESSION_COOKIE", "session"),
        ("SESSION_SECRET_PREVIOUS", PREVIOUS),
        ("SESSION_ISSUER", "https://id.example"),
        ("SESSION_AUDIENCE", "towline"),
    ];
    [service(&[("SESSION_SECRET_PREVIOUS", PREVIOUS)]), service(&held)]
}

/// Goes the whole way, as the runtime does: the answer, and what the object was asked.
fn follow(
    service: &Service,
    job: &mut Job<MemoryLog>,
    asked: &Asked,
    sent: &[u8],
) -> (Answer, Option<(Object, JobRequest)>) {
    let (visit, mut next) = asked.open(service);
    let mut heard = None;
    let outcome = loop {
        next = match next {
            Ok(Step::Done(answer)) => break Ok(answer),
            Err(problem) => break Err(problem),
            Ok(Step::ReadBody(then)) if sent.len() > REQUEST_BODY_MAX => then(Err(NoBody::TooLong)),
            Ok(Step::ReadBody(then)) => then(Ok(sent)),
            Ok(Step::Call { object: Object::List(list), request, then }) => {
                let wanted: crate::index::Wanted = serde_json::from_str(&request).unwrap();
                assert!((1..=100).contains(&wanted.limit), "{request}");
                let jobs = if list == List::Open { vec!["{}"] } else { vec!["\"a\"", "\"z\""] };
                let jobs = jobs.into_iter().map(str::to_owned).collect();
                let page = crate::index::Listed { jobs, next: Some("z".to_owned()) };
                then(Ok(Reply::Answer(page.into_text().unwrap())))
            }
            Ok(Step::Call { object, request, then }) => {
                let reply = reply(job, &request);
                heard = Some((object, serde_json::from_str(&request).unwrap()));
                then(Ok(reply))
            }
            Ok(Step::CallAll { calls, then }) => {
                let jobs: BTreeSet<_> = calls.iter().map(|(job, _)| job.as_str()).collect();
                assert!(!jobs.is_empty() && jobs.len() == calls.len() && calls.len() <= 50, "{jobs:?}");
                then(Ok(calls.iter().map(|(job, request)| admit(job, request)).collect()))
            }
            Ok(Step::Stream { job: of, request, answer, .. }) => {
                let request: StreamRequest = serde_json::from_str(&request).unwrap();
                assert_eq!(request.job, of);
                assert!(job.stream(request, NOW as Millis).unwrap().is_ok());
                break Ok(answer);
            }
            Ok(Step::Limit { .. }) => panic!("a claim speaks for everybody"),
            Ok(Step::Wait { .. }) => panic!("a job that nobody has closed lets nobody wait"),
        };
    };
    let answer = service.finish(outcome, &visit);
    assert!(answer.status < 500, "{answer:?}");
    assert!(answer.headers.iter().all(|(_, value)| value.bytes().all(|byte| matches!(byte, b' '..=b'~'))));
    if answer.header("content-type").is_some_and(|kind| kind.ends_with("json")) && asked.method != "HEAD" {
        // A number is not looked at: serde_json finds the largest that it writes out of range.
        assert!(serde_json::from_str::<IgnoredAny>(&answer.body).is_ok(), "{answer:?}");
    }
    let line = service.log_line(&answer, &visit, 0);
    assert!(line.len() < 250, "{line}");
    (answer, heard)
}

/// A job that nobody has written to.
fn new_job() -> Job<MemoryLog> {
    let limits = Limits { rate: 100, burst: 30_000, unsent: 100_000, trail: 1_000_000, publishes: 40 };
    let settings = Settings {
        reference: REF.to_owned(),
        max_fix_age: 86_400_000,
        limits,
        longest: 259_200_000,
        token_requests: true,
        retention: 30 * 86_400_000,
        silent_after: None,
        lists: true,
        notifies: true,
    };
    Job::wake(MemoryLog::default(), settings).unwrap()
}

/// What a job's object replies, at the end of whose turn a message may leave.
fn reply(job: &mut Job<MemoryLog>, request: &str) -> Reply {
    let now = moment().now_ms as Millis;
    let reply = job.handle(serde_json::from_str(request).unwrap(), now).unwrap();
    job.next(now).unwrap();
    Reply::from_text(reply.into_text().unwrap()).unwrap()
}

/// What the object of a job that nobody has written to says of whoever wants a token, or their own jobs.
fn admit(job: &JobId, request: &str) -> Reply {
    let (JobRequest::Admit { job: of, viewer, .. } | JobRequest::Job { job: of, viewer }) =
        serde_json::from_str(request).unwrap()
    else {
        panic!("{request}")
    };
    assert!(of == *job && matches!(viewer.role, Role::Driver | Role::Customer), "{request}");
    reply(&mut new_job(), request)
}

/// It survives the way to the object, and keeps its rules.
fn check_post(post: &Post) {
    assert!((1..=FIXES_MAX).contains(&post.entries.len()));
    post.fixes().for_each(check_fix);
    let text = serde_json::to_string(post).unwrap();
    assert_eq!(&serde_json::from_str::<Post>(&text).unwrap(), post);
}

fn check_fix(fix: &Fix) {
    assert!((-90.0..=90.0).contains(&fix.lat()) && (-180.0..=180.0).contains(&fix.lng()), "{fix:?}");
    assert!(fix.heading().is_none_or(|heading| (0.0..360.0).contains(&heading)), "{fix:?}");
    assert!(
        [fix.speed(), fix.accuracy()].into_iter().flatten().all(|x| x.is_finite() && x >= 0.0),
        "{fix:?}"
    );
    assert!(fix.altitude().is_none_or(f64::is_finite), "{fix:?}");
    let years = -62_167_219_200_000..=253_402_300_799_999;
    assert!(fix.captured_at().is_none_or(|at| years.contains(&at)), "{fix:?}");
    let name = fix.id().map(|id| id.as_str().split('\n').next().unwrap());
    assert!(name.is_none_or(|name| FixId::parse(name).is_ok()), "{fix:?}");
}

#[test]
fn no_body_does_harm() {
    let [service, _] = services();
    let (driver, backend) = (session_of("driver", &["a"]), session_of("service", &[]));
    let asks = [
        (&driver, "/api/jobs/a/location"),
        (&backend, "/api/jobs/a/location"),
        (&backend, "/api/jobs/a/outbox/retry"),
        (&driver, "/api/ably-token"),
        (&backend, "/api/jobs/a/events"),
        (&backend, "/api/policy/explain"),
    ];
    let key = prop::option::weighted(0.3, changed(&["key-1"], 1));
    let sent = prop_oneof![
        6 => (changed(POSTS, 4), 0..2_usize),
        1 => (changed(RANGES, 2), Just(2)),
        1 => (changed(FORMS, 3), Just(3)),
        2 => (changed(EVENTS, 2), Just(4)),
        2 => (changed(QUESTIONS, 2), Just(5)),
    ];
    fuzz((sent, key), |((sent, which), key)| {
        let (jwt, path) = asks[which];
        let mut job = new_job();
        let bearer = format!("Bearer {jwt}");
        let mut asked = ask("POST", path).header("authorization", &bearer);
        if let Some(key) = &key {
            asked = asked.header("idempotency-key", key.text());
        }
        let (answer, heard) = follow(&service, &mut job, &asked, &sent.0);
        if let Some((_, JobRequest::Update { update, .. })) = &heard {
            let said: HashMap<String, Value> = serde_json::from_slice(&sent.0).unwrap();
            assert_eq!(serde_json::to_value(update).unwrap(), json!(said), "nothing more, and nothing else");
            assert_eq!(answer.status, 202);
        }
        if let Some((_, JobRequest::Post { post, .. })) = heard {
            check_post(&post);
            assert!(*jwt == backend || post.driver.as_str() == "driver-1", "nobody posts as somebody else");
            let results = body(&answer)["results"].as_array().map(Vec::len);
            assert_eq!(results, Some(post.entries.len()), "every entry is answered");
            // What was taken can be told in every way.
            for path in ["", "s", "s?format=geojson", "s?format=geojson-line", "s?format=gpx"] {
                let asked =
                    ask("GET", &format!("/api/jobs/a/location{path}")).header("authorization", &bearer);
                assert_eq!(follow(&service, &mut job, &asked, b"").0.status, 200);
            }
        }
    });
}

/// A token of these bytes, signed as they are.
fn signed(header: &[u8], claims: &[u8], secret: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = Hs256.sign(&Hs256Key::new(secret), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_bytes()))
}

/// A session says what its claims say, as anybody reads them, and no more.
fn check_session(session: &Session, claims: &[u8]) {
    let claims: Value = serde_json::from_slice(claims).unwrap();
    assert_eq!(
        (claims["sub"].as_str(), claims["role"].as_str()),
        (Some(session.user.as_str()), Some(session.role.as_str()))
    );
    assert!(UserId::parse(session.user.as_str()).is_ok());
    let listed = claims["jobs"].as_array().into_iter().flatten().map(|job| job.as_str().unwrap());
    let listed: BTreeSet<&str> = listed.collect();
    assert_eq!(session.jobs.iter().map(JobId::as_str).collect::<BTreeSet<_>>(), listed);
    assert!(session.jobs.len() == listed.len() && listed.len() <= 50);
    assert!(listed.iter().all(|job| JobId::parse(*job).is_ok()));
    assert_eq!(claims["exp"], session.expires_at);
    assert!((NOW + 1..=NOW + 24 * 3600 + 5).contains(&session.expires_at));
}

#[test]
fn no_session_token_does_harm() {
    let services = services();
    let secret = select(&[SECRET, SECRET, PREVIOUS, FOREIGN][..]);
    // Mostly one of the parts is changed, so that what is changed is what is looked at.
    let parts = prop_oneof![
        8 => (changed(HEADERS, 0), changed(CLAIMS, 3), Just(Vec::new())),
        2 => (changed(HEADERS, 2), changed(CLAIMS, 0), Just(Vec::new())),
        2 => (changed(HEADERS, 0), changed(CLAIMS, 1), changes(2)),
    ];
    let asks = [
        ("GET", "/api/ably-token"),
        ("POST", "/api/ably-token"),
        ("GET", "/api/ably-token?format=token-request"),
        ("GET", "/api/jobs/a/location"),
        ("POST", "/api/jobs/a/location"),
        ("GET", "/api/jobs/a/outbox"),
    ];
    fuzz(
        (parts, secret, select(asks.to_vec()), 0..2_usize, 0..8_u8),
        |(parts, secret, (method, path), which, place)| {
            let (header, claims, changes) = parts;
            let (service, before) = (&services[which], signed(&header.0, &claims.0, secret));
            let mut token = before.clone().into_bytes();
            changes.iter().for_each(|change| change.make(&mut token));
            let token = Bytes(token).text();
            let config = service.config.as_ref().unwrap();
            if let Ok(session) = config.verifier.verify(&token, NOW * 1000) {
                assert!(token == before && secret != FOREIGN && token.len() <= 8 * 1024, "{token}");
                check_session(&session, &claims.0);
            }
            let asked = match place {
                0 => ask(method, path)
                    .header("cookie", format!("a=b; session={token}"))
                    .header("origin", "https://app.example"),
                1 => ask(method, &format!("{path}?token={token}")),
                _ => ask(method, path).header("authorization", format!("Bearer {token}")),
            };
            follow(service, &mut new_job(), &asked, POSTS[0].as_bytes());
        },
    );
}

#[test]
fn nothing_that_a_job_says_does_harm() {
    let [service, _] = services();
    let jobs = ["a", "b", "c"];
    let said = (changed(ADMISSIONS, 2), prop::bool::weighted(0.05));
    let rounds = prop::collection::vec(prop::collection::vec(said, 3), 3);
    let queries = ["", "?jobId=b", "?format=token-request", "?ttl=60000"];
    fuzz((rounds, select(queries.to_vec())), |(rounds, query)| {
        let asked = ask("GET", &format!("/api/ably-token{query}")).as_("driver", &jobs);
        let (visit, mut next) = asked.open(&service);
        let (mut rounds, mut now_ms, mut last) = (rounds.iter(), moment().now_ms, Vec::new());
        let outcome = loop {
            next = match next {
                Ok(Step::Done(answer)) => break Ok(answer),
                Err(problem) => break Err(problem),
                Ok(Step::CallAll { calls, then }) => {
                    let round = rounds.next().expect("no object is asked for ever");
                    last = calls.iter().map(|(job, _)| job.clone()).zip(round).collect();
                    then(
                        last.iter()
                            .map(|(_, (text, is_refusal))| match is_refusal {
                                true => Err(Unreachable("why".to_owned())),
                                false => Ok(Reply::Answer(text.text())),
                            })
                            .collect(),
                    )
                }
                Ok(Step::Wait { until_ms, then }) => {
                    assert!(now_ms < until_ms && until_ms <= now_ms + 2_000, "{until_ms}");
                    now_ms = until_ms;
                    then(now_ms)
                }
                Ok(_) => panic!("another step"),
            };
        };
        let answer = service.finish(outcome, &visit);
        assert!([200, 403, 503].contains(&answer.status), "{answer:?}");
        if answer.status != 200 {
            return;
        }
        let claims = answer.body.split('.').nth(1).and_then(|claims| URL_SAFE_NO_PAD.decode(claims).ok());
        let token = String::from_utf8(claims.unwrap_or(answer.body.into_bytes())).unwrap();
        for (job, (text, _)) in last {
            // Read by other eyes.
            serde_json::from_slice::<IgnoredAny>(&text.0).expect("what is no JSON is no token");
            // What nobody knows may hold what is no Unicode.
            let Ok(said) = serde_json::from_slice::<HashMap<String, &RawValue>>(&text.0) else { continue };
            let value =
                |name: &str| said.get(name).and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
            let until = value("until").and_then(|until| until.as_i64());
            let is_admitted = value("standing").is_some_and(|standing| standing == "admitted")
                && until.is_none_or(|at| at > NOW as i64 * 1000);
            assert!(is_admitted || !token.contains(&format!("dispatch:job:{job}")), "{token}");
        }
    });
}

#[test]
fn no_url_does_harm() {
    let [service, _] = services();
    let bearer = |role: &str| format!("Bearer {}", session_of(role, &["a", "job-7.B_c"]));
    let sessions = Role::ALL.iter().map(|role| bearer(role.as_str())).collect::<Vec<_>>();
    let methods = ["GET", "GET", "POST", "POST", "HEAD", "OPTIONS", "PUT"];
    // The runtime makes every URL whole; ours are mostly so.
    let url = (prop::bool::weighted(0.8), changed(PATHS, 3), changes(1));
    let headers = (changed(&["https://app.example"], 1), changed(&["identity"], 1), changed(&["POST"], 1));
    let asks = (
        url,
        select(methods.to_vec()),
        prop::option::weighted(0.9, select(sessions)),
        prop::option::weighted(0.3, headers),
    );
    fuzz(
        (asks, select([POSTS, EVENTS, RANGES, FORMS].concat())),
        |((url, method, session, headers), sent)| {
            let (is_whole, path, changes) = url;
            let mut url = [b"https://towline.example", &path.0[..]].concat();
            if !is_whole {
                changes.iter().for_each(|change| change.make(&mut url));
            }
            let mut asked = Asked { method, url: Bytes(url).text(), headers: Vec::new() };
            if let Some(session) = session {
                asked = asked.header("authorization", session);
            }
            if let Some((origin, coding, wanted)) = headers {
                asked = asked.header("origin", origin.text()).header("content-encoding", coding.text());
                asked = asked.header("access-control-request-method", wanted.text());
            }
            let (_, heard) = follow(&service, &mut new_job(), &asked, sent.as_bytes());
            let Some((object, request)) = heard else { return };
            let (parent, id) = match (&object, &request) {
                (Object::Ref(reference), JobRequest::Identify) => ("refs", reference.as_str()),
                (
                    Object::Job(of),
                    JobRequest::Post { job, .. }
                    | JobRequest::State { job, .. }
                    | JobRequest::Put { job, .. }
                    | JobRequest::Customer { job, .. }
                    | JobRequest::Job { job, .. }
                    | JobRequest::Close { job, .. }
                    | JobRequest::Trail { job, .. }
                    | JobRequest::Outbox { job }
                    | JobRequest::Resend { job, .. }
                    | JobRequest::Update { job, .. }
                    | JobRequest::Admit { job, .. },
                ) if of == job => ("jobs", job.as_str()),
                _ => panic!("{object:?} is asked {request:?}"),
            };
            assert!(
                asked.url.contains(&format!("/api/{parent}/{id}")),
                "an id is what is in the path, as it is"
            );
        },
    );
}
