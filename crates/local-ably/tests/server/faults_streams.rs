//! Faults that meet streams of events over HTTP.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::Duration;

use local_ably::{Options, Plan};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{KEY, SMALL_KEY, Server, answer, at_once, in_millis, jwt};

const PATIENCE: Duration = Duration::from_secs(10);

fn open(server: &Server, query: &str) -> impl Future<Output = Result<Response, reqwest::Error>> + use<> {
    server.anonymous(Method::GET, &format!("/sse?v=1.2&{query}")).send()
}

/// A stream that was opened.
async fn listen(server: &Server, query: &str) -> Response {
    let response = open(server, query).await.unwrap();
    assert_eq!(response.status(), 200);
    response
}

/// All that a stream brings until it ends, and how it ends.
async fn to_end(mut stream: Response) -> (String, Result<(), reqwest::Error>) {
    let mut text = String::new();
    loop {
        match timeout(PATIENCE, stream.chunk()).await.expect("the stream goes on") {
            Ok(Some(chunk)) => text += std::str::from_utf8(&chunk).unwrap(),
            Ok(None) => return (text, Ok(())),
            Err(error) => return (text, Err(error)),
        }
    }
}

/// The code of the only event of a stream, an error.
fn error_code(text: &str) -> Value {
    let data = text.strip_prefix("event: error\ndata: ").unwrap_or_else(|| panic!("{text:?}"));
    serde_json::from_str::<Value>(data.strip_suffix("\n\n").unwrap()).unwrap()["code"].clone()
}

fn is_reset(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::ConnectionReset) {
            return true;
        }
        source = error.source();
    }
    false
}

#[tokio::test]
async fn all_streams_drop_by_a_reset_or_those_of_a_client_or_of_a_key() {
    let server = Server::start().await;
    let token = jwt(KEY, &json!({"x-ably-clientId": "x"}));
    for (of, dropped) in [
        (json!({}), [true, true, true]),
        (json!({"clientId": "x"}), [true, false, false]),
        (json!({"key": "AbCdEf.small"}), [false, false, true]),
    ] {
        let queries = [
            format!("channels=a&accessToken={token}"),
            format!("channels=a&key={KEY}"),
            format!("channels=talk:a&key={SMALL_KEY}"),
        ];
        let mut streams = Vec::new();
        for query in &queries {
            streams.push(listen(&server, query).await);
        }
        let mut fault = of.clone();
        fault["kind"] = "drop-connections".into();
        server.fault(&fault).await;
        for path in ["/channels/a/messages", "/channels/talk:a/messages"] {
            assert_eq!(server.post(path, &json!({})).await.0, 201);
        }
        for (mut stream, dropped) in streams.into_iter().zip(dropped) {
            if dropped {
                let (text, end) = to_end(stream).await;
                assert_eq!(text, "", "{of}");
                assert!(is_reset(&end.unwrap_err()), "{of}");
            } else {
                let chunk = timeout(PATIENCE, stream.chunk()).await.unwrap().unwrap().unwrap();
                assert!(chunk.starts_with(b"id: "), "{of}");
            }
        }
    }
}

#[tokio::test]
async fn streams_that_are_dropped_by_disconnected_are_told_and_counted() {
    let server = Server::start().await;
    let stream = listen(&server, &format!("channels=a&key={KEY}")).await;
    let body = json!({"kind": "drop-connections", "by": "disconnected", "code": 50002});
    let request = server.control(Method::POST, "/control/faults").header("content-type", "application/json");
    let (_, fault) = answer(request.body(body.to_string())).await;
    assert_eq!(fault["fired"], 1);
    let (text, end) = to_end(stream).await;
    assert_eq!(error_code(&text), 50002);
    assert!(end.is_ok());
}

#[tokio::test]
async fn streams_are_refused_by_reset_by_http_or_by_an_event_until_the_fault_is_removed() {
    let server = Server::start().await;
    let query = format!("channels=a&key={KEY}");
    let id = server.fault(&json!({"kind": "refuse-connections"})).await;
    assert!(is_reset(&open(&server, &query).await.unwrap_err()));
    assert_eq!(server.fired(&id, 1).await["fired"], 1);
    server.remove_fault(&id).await;
    for (by, status) in [("http", 502), ("error", 502), ("disconnected", 200)] {
        let fault = json!({"kind": "refuse-connections", "by": by, "status": 502, "code": 50210});
        let id = server.fault(&fault).await;
        let response = open(&server, &query).await.unwrap();
        assert_eq!(response.status(), status, "{by}");
        let (text, end) = to_end(response).await;
        assert!(end.is_ok(), "{by}");
        let code = match status {
            200 => error_code(&text),
            _ => serde_json::from_str::<Value>(&text).unwrap()["error"]["code"].clone(),
        };
        assert_eq!(code, 50210, "{by}");
        server.fired(&id, 1).await;
        server.remove_fault(&id).await;
    }
    listen(&server, &query).await;
}

#[tokio::test]
async fn only_the_streams_of_a_client_or_of_a_key_are_refused() {
    let server = Server::start().await;
    server.fault(&json!({"kind": "refuse-connections", "by": "http", "clientId": "x"})).await;
    server.fault(&json!({"kind": "refuse-connections", "by": "http", "key": "AbCdEf.small"})).await;
    let token = jwt(KEY, &json!({"x-ably-clientId": "x"}));
    for (query, status) in [
        (format!("channels=a&accessToken={token}"), 503),
        (format!("channels=talk:a&key={SMALL_KEY}"), 503),
        (format!("channels=a&key={KEY}"), 200),
        ("channels=a".to_owned(), 401),
    ] {
        assert_eq!(open(&server, &query).await.unwrap().status(), status, "{query}");
    }
}

#[tokio::test]
async fn a_refused_key_opens_no_stream_and_an_open_one_goes_on() {
    let server = Server::start().await;
    let query = format!("channels=a&key={KEY}");
    let mut stream = listen(&server, &query).await;
    let id = server.fault(&json!({"kind": "refuse-key", "key": "AbCdEf.root", "code": 40110})).await;
    let response = open(&server, &query).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-ably-errorcode"]),
        (401, &"40110".parse().unwrap())
    );
    server.remove_fault(&id).await;
    assert_eq!(server.post("/channels/a/messages", &json!({})).await.0, 201);
    assert!(timeout(PATIENCE, stream.chunk()).await.unwrap().unwrap().unwrap().starts_with(b"id: "));
}

#[tokio::test]
async fn streams_whose_tokens_expire_are_told_and_end() {
    let server = Server::start().await;
    let token = jwt(KEY, &json!({"x-ably-clientId": "x", "iat": in_millis(-60_000)}));
    let stream = listen(&server, &format!("channels=a&accessToken={token}")).await;
    server.fault(&json!({"kind": "expire-tokens", "clientId": "x"})).await;
    let (text, end) = to_end(stream).await;
    assert_eq!(error_code(&text), 40142);
    assert!(end.is_ok());
    let response = open(&server, &format!("channels=a&accessToken={token}")).await.unwrap();
    assert_eq!(response.status(), 401);
}

#[tokio::test]
async fn streams_are_connections_to_the_limits() {
    let server = Server::with(Options { limits: Some(Plan::Free), ..Options::default() }).await;
    let query = format!("channels=a&key={KEY}");
    let answers = at_once((0..150).map(|_| open(&server, &query))).await;
    let (streams, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().map(Result::unwrap).partition(|answer| answer.status() == 200);
    assert!(streams.len() >= 42 && !refused.is_empty(), "{} were opened", streams.len());
    let code = |answer: &Response| answer.headers()["x-ably-errorcode"].to_str().unwrap().to_owned();
    assert!(refused.iter().all(|answer| answer.status() == 429));
    // Each is a request as well, of which there may be a few more.
    let codes: BTreeSet<String> = refused.iter().map(code).collect();
    assert!(codes.contains("80021"), "{codes:?}");
    assert!(codes.iter().all(|code| ["80021", "42918"].contains(&code.as_str())), "{codes:?}");
}
