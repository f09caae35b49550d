//! The REST client that the service publishes with, over real `reqwest`: both sides of one contract.

use std::time::Duration;

use ably::Key;
use ably::rest::{
    Endpoint, ErrorClass, Hosts, PublishBody, PublishError, PublishMessage, RestClient, Revocation,
    RevocationResult, Surroundings, Target, Targets, Timeouts,
};
use local_ably::{Options, Plan};
use serde_json::{Value, json};

use crate::harness::{Format, KEY, REVOCABLE_KEY, SMALL_KEY, Server, jwt, now};

const CHANNEL: &str = "dispatch:job:a.b_c-1";

/// The clock and the dice of a client with one host, which needs neither.
struct Still;

impl Surroundings for Still {
    fn now_ms(&self) -> u64 {
        0
    }

    fn random(&self) -> u32 {
        0
    }
}

async fn publish(server: &Server, key: &str, channel: &str, body: &PublishBody) -> Result<(), PublishError> {
    publish_within(Timeouts::default(), server, key, channel, body).await
}

async fn publish_within(
    timeouts: Timeouts,
    server: &Server,
    key: &str,
    channel: &str,
    body: &PublishBody,
) -> Result<(), PublishError> {
    client(timeouts, server, key).publish(channel, body).await
}

fn client(timeouts: Timeouts, server: &Server, key: &str) -> RestClient<Still> {
    let hosts = Hosts::only(Endpoint::parse(&server.url()).unwrap());
    RestClient::new(hosts, Key::parse(key).unwrap(), timeouts, Still).unwrap()
}

async fn revoke(
    server: &Server,
    key: &str,
    targets: Vec<Target>,
    issued_before_ms: i64,
) -> Result<Vec<Option<RevocationResult>>, PublishError> {
    let targets = Targets::new(targets).unwrap();
    let revocation = Revocation { targets, issued_before_ms: issued_before_ms.try_into().unwrap() };
    client(Timeouts::default(), server, key).revoke(&revocation).await
}

fn message(id: &str) -> PublishMessage {
    PublishMessage {
        id: id.to_owned(),
        name: "location.updated".to_owned(),
        data: r#"{"seq":1}"#.to_owned(),
        encoding: Some("json".to_owned()),
    }
}

#[tokio::test]
async fn what_the_client_publishes_reaches_a_subscriber_as_it_was_written() {
    let server = Server::start().await;
    let (mut reader, _) = server.connect(Format::Json).await;
    reader.attach(CHANNEL).await;
    let body = PublishBody::one(&message("a.b_c-1/1700000000.1")).unwrap();
    publish(&server, KEY, CHANNEL, &body).await.unwrap();
    let frame = reader.receive().await;
    let received = &frame["messages"][0];
    assert_eq!(received["id"], "a.b_c-1/1700000000.1");
    assert_eq!((&received["name"], &received["encoding"]), (&json!("location.updated"), &json!("json")));
    assert_eq!(received["data"], r#"{"seq":1}"#);
}

#[tokio::test]
async fn the_same_body_twice_is_one_message() {
    let server = Server::start().await;
    let body = PublishBody::one(&message("once")).unwrap();
    for _ in 0..2 {
        publish(&server, KEY, CHANNEL, &body).await.unwrap();
    }
    let (_, history) = server.get("/channels/dispatch%3Ajob%3Aa.b_c-1/messages").await;
    assert_eq!(history.as_array().unwrap().len(), 1, "{history}");
}

#[tokio::test]
async fn an_error_is_classed_by_whom_it_blames() {
    let server = Server::start().await;
    let one = PublishBody::one(&message("x")).unwrap();
    let array = PublishBody::array(&[message("a:0"), message("b:1")]).unwrap();
    let large = PublishBody::one(&PublishMessage { data: "x".repeat(70_000), ..message("large") }).unwrap();
    let wrong = KEY.replace("secret", "guess");
    for (key, channel, body, code, class) in [
        (wrong.as_str(), CHANNEL, &one, 40101, ErrorClass::BlamesAccess),
        ("NoSuch.app:secret", CHANNEL, &one, 40101, ErrorClass::BlamesAccess),
        ("AbCdEf.nosuch:secret", CHANNEL, &one, 40400, ErrorClass::BlamesAccess),
        (SMALL_KEY, CHANNEL, &one, 40160, ErrorClass::BlamesAccess),
        (KEY, CHANNEL, &array, 40031, ErrorClass::BlamesMessage),
        (KEY, CHANNEL, &large, 40009, ErrorClass::BlamesMessage),
        (KEY, ":bad", &one, 40010, ErrorClass::BlamesMessage),
    ] {
        let error = publish(&server, key, channel, body).await.unwrap_err();
        assert_eq!((error.code, error.class), (Some(code), class), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_a_reason_to_try_again() {
    let server = Server::start().await;
    let client = client(Timeouts::default(), &server, KEY);
    server.shutdown().await;
    let error = client.publish(CHANNEL, &PublishBody::one(&message("x")).unwrap()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient { retry_after: None });
}

/// How a publish fails that a fault meets, and what is stored of it.
async fn publish_through(fault: &Value) -> (PublishError, Vec<String>) {
    let server = Server::start().await;
    let id = server.fault(fault).await;
    let timeouts = Timeouts { attempt: Duration::from_millis(500), ..Timeouts::default() };
    let body = PublishBody::one(&message("x")).unwrap();
    let error = publish_within(timeouts, &server, KEY, "job", &body).await.unwrap_err();
    server.fired(&id, 1).await;
    let refuses_key = fault["kind"] == "refuse-key";
    // What is held up is looked at before it is let go; a key that is refused can look at nothing.
    let stored = if refuses_key { Vec::new() } else { server.stored("job").await };
    server.remove_fault(&id).await;
    if refuses_key {
        assert!(server.stored("job").await.is_empty());
    }
    // Whatever became of it, to send it again publishes it once.
    publish(&server, KEY, "job", &body).await.unwrap();
    assert_eq!(server.stored("job").await, ["location.updated"], "{fault}");
    (error, stored)
}

#[tokio::test]
async fn every_fault_is_classed_by_whom_it_blames_and_a_retry_never_doubles() {
    use ErrorClass::{BlamesAccess, BlamesMessage, Throttled, Transient};
    let transient = Transient { retry_after: None };
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (fault, class, is_stored) in [
        (json!({"kind": "error", "status": 500}), transient, false),
        (json!({"kind": "error", "status": 502}), transient, false),
        (
            json!({"kind": "error", "status": 503, "retryAfter": 2}),
            Transient { retry_after: seconds(2) },
            false,
        ),
        (json!({"kind": "error", "status": 504, "stored": true}), transient, true),
        (json!({"kind": "error", "status": 429}), Throttled { retry_after: None }, false),
        (
            json!({"kind": "error", "code": 42913, "retryAfter": 7}),
            Throttled { retry_after: seconds(7) },
            false,
        ),
        (json!({"kind": "error", "code": 40009}), BlamesMessage, false),
        (json!({"kind": "hang"}), transient, false),
        (json!({"kind": "hang", "stored": true}), transient, true),
        (json!({"kind": "reset"}), transient, false),
        (json!({"kind": "reset", "stored": true}), transient, true),
        (json!({"kind": "truncate"}), transient, true),
        (json!({"kind": "slow", "holdMs": 5_000}), transient, true),
        (json!({"kind": "refuse-key"}), BlamesAccess, false),
        (json!({"kind": "refuse-key", "code": 40110}), BlamesAccess, false),
        (json!({"kind": "refuse-key", "code": 40111}), BlamesAccess, false),
        (json!({"kind": "refuse-key", "code": 40112}), BlamesAccess, false),
        (json!({"kind": "refuse-key", "code": 40400}), BlamesAccess, false),
        (json!({"kind": "refuse-key", "code": 40160}), BlamesAccess, false),
    ] {
        let (error, stored) = publish_through(&fault).await;
        assert_eq!(error.class, class, "{fault}: {error}");
        assert_eq!(stored.len(), usize::from(is_stored), "{fault}");
    }
}

#[tokio::test]
async fn the_limits_are_classed_as_too_much_and_the_hourly_one_as_the_accounts() {
    let server = Server::with(Options { limits: Some(Plan::Free), ..Options::default() }).await;
    let many = |count: usize, size: usize| {
        let one =
            |index| PublishMessage { data: "x".repeat(size), ..message(&format!("{size}.{count}:{index}")) };
        PublishBody::array(&(0..count).map(one).collect::<Vec<_>>()).unwrap()
    };
    publish(&server, KEY, "busy", &many(500, 0)).await.unwrap();
    let error = publish(&server, KEY, "busy", &many(1, 0)).await.unwrap_err();
    assert_eq!((error.code, error.class), (Some(42913), ErrorClass::Throttled { retry_after: None }));
    let mut seen = Vec::new();
    while !seen.contains(&Some(42918)) && seen.len() < 500 {
        let body = PublishBody::one(&message(&seen.len().to_string())).unwrap();
        if let Err(error) = publish(&server, KEY, &format!("quiet:{}", seen.len()), &body).await {
            assert_eq!(error.class, ErrorClass::Throttled { retry_after: None }, "{error}");
            seen.push(error.code);
        } else {
            seen.push(None);
        }
    }
    assert_eq!(seen.last(), Some(&Some(42918)), "{seen:?}");
}

#[tokio::test]
async fn what_the_client_revokes_is_cut_off_and_nothing_else_is() {
    let server = Server::start().await;
    let issued = |claims: Value| {
        let token = jwt(REVOCABLE_KEY, &claims);
        format!("access_token={token}")
    };
    let mut cut = Vec::new();
    for claims in [
        json!({"x-ably-clientId": "auth0|x"}),
        json!({"x-ably-clientId": "y", "x-ably-revocation-key": "job:7"}),
    ] {
        cut.push(server.connect_with(Format::Json, &issued(claims)).await.0);
    }
    let other = json!({"x-ably-clientId": "z", "x-ably-revocation-key": "job:8"});
    let (mut stays, _) = server.connect_with(Format::Json, &issued(other)).await;

    let targets = vec![
        Target::ClientId("auth0|x".into()),
        // Which is no target.
        Target::ClientId(String::new()),
        Target::RevocationKey("job:7".into()),
    ];
    // The tokens are of a second that may have begun just now.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let results = revoke(&server, REVOCABLE_KEY, targets, now()).await.unwrap();
    let codes: Vec<_> = results.iter().map(|result| result.as_ref().map(code)).collect();
    assert_eq!(codes, [Some(None), Some(Some(40001)), Some(None)]);
    for socket in &mut cut {
        assert_eq!(socket.expect_error(6).await, (40141, 401));
    }
    stays.expect_nothing().await;

    let many = (0..100).map(|n| Target::ClientId(n.to_string())).collect();
    let results = revoke(&server, REVOCABLE_KEY, many, now()).await.unwrap();
    assert_eq!((results.len(), results.iter().all(|result| *result == Some(Ok(())))), (100, true));
}

fn code(result: &RevocationResult) -> Option<u32> {
    result.as_ref().err().and_then(|error| error.code)
}

#[tokio::test]
async fn a_revocation_that_fails_as_a_whole_is_classed_by_whom_it_blames() {
    let server = Server::start().await;
    let wrong = REVOCABLE_KEY.replace("fourth", "guess");
    for (key, issued_before, code, class) in [
        (KEY, now(), 40163, ErrorClass::BlamesAccess),
        (wrong.as_str(), now(), 40101, ErrorClass::BlamesAccess),
        ("AbCdEf.nosuch:secret", now(), 40400, ErrorClass::BlamesAccess),
        (REVOCABLE_KEY, now() + 60_000, 40003, ErrorClass::BlamesMessage),
        (REVOCABLE_KEY, now() - 3_660_000, 40003, ErrorClass::BlamesMessage),
    ] {
        let targets = vec![Target::ClientId("x".into())];
        let error = revoke(&server, key, targets, issued_before).await.unwrap_err();
        assert_eq!((error.code, error.class), (Some(code), class), "{error}");
    }
}
