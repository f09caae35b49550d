//! The REST client that the service publishes with, over real `reqwest`: both sides of one contract.

use ably::Key;
use ably::rest::{
    Endpoint, ErrorClass, Hosts, PublishBody, PublishError, PublishMessage, Published, RestClient,
    Surroundings, Timeouts,
};
use serde_json::json;

use crate::harness::{Format, KEY, SMALL_KEY, Server};

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

async fn publish(
    server: &Server,
    key: &str,
    channel: &str,
    body: &PublishBody,
) -> Result<Published, PublishError> {
    let hosts = Hosts::only(Endpoint::parse(&server.url()).unwrap());
    let client = RestClient::new(hosts, Key::parse(key).unwrap(), Timeouts::default(), Still).unwrap();
    client.publish(channel, body).await
}

fn message(id: &str) -> PublishMessage {
    PublishMessage {
        id: id.to_owned(),
        name: "location.updated".to_owned(),
        data: r#"{"seq":1}"#.to_owned(),
        encoding: Some("json".to_owned()),
        extras: None,
    }
}

#[tokio::test]
async fn what_the_client_publishes_reaches_a_subscriber_as_it_was_written() {
    let server = Server::start().await;
    let (mut reader, _) = server.connect(Format::Json).await;
    reader.attach(CHANNEL).await;
    let body = PublishBody::one(&message("a.b_c-1/1700000000.1")).unwrap();
    let published = publish(&server, KEY, CHANNEL, &body).await.unwrap();
    assert_eq!(published.serials.len(), 1);
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
    let first = publish(&server, KEY, CHANNEL, &body).await.unwrap();
    let second = publish(&server, KEY, CHANNEL, &body).await.unwrap();
    assert_eq!(first.serials, second.serials);
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
    let hosts = Hosts::only(Endpoint::parse(&server.url()).unwrap());
    let client = RestClient::new(hosts, Key::parse(KEY).unwrap(), Timeouts::default(), Still).unwrap();
    server.shutdown().await;
    let error = client.publish(CHANNEL, &PublishBody::one(&message("x")).unwrap()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Transient { retry_after: None });
}
