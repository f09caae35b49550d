//! Faults that meet REST publishes, keys and tokens.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{BOTH, Format, KEY, SMALL_KEY, Server, answer, in_millis, jwt, now};

const PATIENCE: Duration = Duration::from_secs(10);

/// Publishes over a TCP connection of its own, and answers all that comes until the connection ends, and how it ends.
async fn raw_publish(server: &Server, channel: &str) -> (String, Result<(), ErrorKind>) {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    let body = r#"{"name":"raw"}"#;
    let request = format!(
        "POST /channels/{channel}/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        STANDARD.encode(KEY),
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut received = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut received)).await.expect("the connection goes on");
    (String::from_utf8(received).unwrap(), end.map(|_| ()).map_err(|error| error.kind()))
}

#[tokio::test]
async fn the_next_publishes_are_answered_by_an_error_and_then_no_more() {
    let server = Server::start().await;
    let id = server.fault(&json!({"kind": "error", "status": 503, "times": 2})).await;
    for _ in 0..2 {
        let (status, body) = server.post("/channels/a/messages", &json!({"name": "lost"})).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (503, &json!(50310)));
        assert_eq!(body["error"]["statusCode"], 503);
    }
    let (status, _) = server.post("/channels/a/messages", &json!({"name": "kept"})).await;
    assert_eq!(status, 201);
    assert_eq!(server.stored("a").await, ["kept"]);
    assert_eq!(server.fired(&id, 2).await["over"], true);
}

#[tokio::test]
async fn an_error_has_any_status_code_and_message_in_either_format() {
    let server = Server::start().await;
    server
        .fault(&json!({"kind": "error", "status": 429, "code": 42913, "message": "slowly", "retryAfter": 7}))
        .await;
    for format in BOTH {
        let request =
            server.request(Method::POST, "/channels/a/messages").header("accept", format.media_type());
        let response = request.body("{}").send().await.unwrap();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(response.headers()["x-ably-errorcode"], "42913");
        assert_eq!(response.headers()["content-type"], format.media_type());
        let body = format.read(&response.bytes().await.unwrap());
        assert_eq!(body["error"]["message"], "slowly");
    }
}

#[tokio::test]
async fn a_429_has_no_retry_after_unless_one_is_asked_for() {
    let server = Server::start().await;
    server.fault(&json!({"kind": "error", "status": 429})).await;
    let response = server.request(Method::POST, "/channels/a/messages").body("{}").send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["x-ably-errorcode"], "42910");
    assert!(response.headers().get("retry-after").is_none());
}

#[tokio::test]
async fn browsers_may_read_an_error_that_was_asked_for() {
    let server = Server::start().await;
    server.fault(&json!({"kind": "error", "status": 500})).await;
    let request =
        server.request(Method::POST, "/channels/a/messages").header("origin", "http://localhost:3000");
    let response = request.body("{}").send().await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "http://localhost:3000");
}

#[tokio::test]
async fn only_publishes_on_the_channels_and_by_the_transport_that_were_named_are_met() {
    let server = Server::start().await;
    server.fault(&json!({"kind": "error", "channel": "job:*"})).await;
    server.fault(&json!({"kind": "error", "transport": "realtime"})).await;
    for (channel, status) in
        [("job:1", 500), ("job%3A1%3Ax", 500), ("%5B%3Frewind=1%5Djob:1", 500), ("job", 201), ("other", 201)]
    {
        let (answered, _) = server.post(&format!("/channels/{channel}/messages"), &json!({})).await;
        assert_eq!(answered, status, "{channel}");
    }
    assert_eq!(server.get("/channels/job:1/messages").await.0, 200);
}

#[tokio::test]
async fn a_share_of_the_publishes_fails_and_with_the_same_seed_the_same_ones() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let server = Server::start().await;
        server.fault(&json!({"kind": "error", "share": 0.5, "seed": 42})).await;
        let mut run = Vec::new();
        for _ in 0..40 {
            run.push(server.post("/channels/a/messages", &json!({})).await.0.as_u16());
        }
        runs.push(run);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&201) && runs[0].contains(&500));
}

#[tokio::test]
async fn a_stored_error_is_a_publish_that_succeeded_all_the_same() {
    let server = Server::start().await;
    server.fault(&json!({"kind": "error", "status": 504, "stored": true, "times": 1})).await;
    let message = json!({"id": "once", "name": "kept"});
    assert_eq!(server.post("/channels/a/messages", &message).await.0, 504);
    assert_eq!(server.stored("a").await, ["kept"]);
    assert_eq!(server.post("/channels/a/messages", &message).await.0, 201);
    assert_eq!(server.stored("a").await, ["kept"], "the retry is the same message");
}

#[tokio::test]
async fn a_reset_is_a_tcp_reset_without_a_byte_and_nothing_is_stored() {
    let server = Server::start().await;
    let id = server.fault(&json!({"kind": "reset", "times": 1})).await;
    assert_eq!(raw_publish(&server, "a").await, (String::new(), Err(ErrorKind::ConnectionReset)));
    server.fired(&id, 1).await;
    assert!(server.stored("a").await.is_empty());
}

#[tokio::test]
async fn a_stored_reset_loses_the_answer_and_not_the_message() {
    let server = Server::start().await;
    server.fault(&json!({"kind": "reset", "stored": true, "times": 1})).await;
    assert_eq!(raw_publish(&server, "a").await, (String::new(), Err(ErrorKind::ConnectionReset)));
    assert_eq!(server.stored("a").await, ["raw"]);
}

#[tokio::test]
async fn a_truncated_answer_says_its_length_and_ends_before() {
    let server = Server::start().await;
    server.fault(&json!({"kind": "truncate", "times": 1})).await;
    let (received, end) = raw_publish(&server, "a").await;
    assert_eq!(end, Ok(()), "a plain end, in the middle");
    let (head, body) = received.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
    assert!(!body.is_empty() && body.len() < length.unwrap(), "{received}");
    assert_eq!(server.stored("a").await, ["raw"]);
    let response = server.request(Method::POST, "/channels/a/messages").body("{}").send().await.unwrap();
    assert_eq!(response.status(), 201);
}

#[tokio::test]
async fn a_hanging_publish_goes_on_when_its_fault_is_removed() {
    let server = Server::start().await;
    let id = server.fault(&json!({"kind": "hang"})).await;
    let publish = server.request(Method::POST, "/channels/a/messages").body(r#"{"name":"late"}"#);
    let publish = tokio::spawn(publish.send());
    server.fired(&id, 1).await;
    assert!(server.stored("a").await.is_empty() && !publish.is_finished());
    server.remove_fault(&id).await;
    assert_eq!(publish.await.unwrap().unwrap().status(), 201);
    assert_eq!(server.stored("a").await, ["late"]);
}

#[tokio::test]
async fn a_stored_hang_loses_the_answer_and_not_the_message() {
    let server = Server::start().await;
    let id = server.fault(&json!({"kind": "hang", "stored": true})).await;
    let publish = server.request(Method::POST, "/channels/a/messages").body(r#"{"name":"kept"}"#);
    let publish = tokio::spawn(publish.send());
    server.fired(&id, 1).await;
    assert_eq!(server.stored("a").await, ["kept"]);
    assert!(!publish.is_finished());
    publish.abort();
}

#[tokio::test]
async fn a_hang_ends_by_itself_after_its_time() {
    let server = Server::start().await;
    server.fault(&json!({"kind": "hang", "holdMs": 300})).await;
    let started = Instant::now();
    assert_eq!(server.post("/channels/a/messages", &json!({})).await.0, 201);
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_hang_ends_with_the_server() {
    let server = Server::start().await;
    let id = server.fault(&json!({"kind": "hang", "stored": true})).await;
    let publish = tokio::spawn(server.request(Method::POST, "/channels/a/messages").body("{}").send());
    server.fired(&id, 1).await;
    let started = Instant::now();
    server.shutdown().await;
    assert!(started.elapsed() < Duration::from_secs(4), "it ends before connections are dropped");
    assert_eq!(publish.await.unwrap().unwrap().status(), 201);
}

#[tokio::test]
async fn a_slow_answer_has_its_head_at_once_and_its_body_late() {
    let server = Server::start().await;
    server.fault(&json!({"kind": "slow", "holdMs": 500, "times": 1})).await;
    let started = Instant::now();
    let request = server.request(Method::POST, "/channels/a/messages").body(r#"{"name":"x"}"#);
    let mut response = request.send().await.unwrap();
    assert_eq!(response.status(), 201);
    let length = response.content_length().unwrap();
    let first = response.chunk().await.unwrap().unwrap();
    assert!((first.len() as u64) < length);
    let mut body = first.to_vec();
    while let Some(chunk) = response.chunk().await.unwrap() {
        body.extend_from_slice(&chunk);
    }
    assert!(started.elapsed() >= Duration::from_millis(450));
    assert_eq!(Format::Json.read(&body)["channel"], "a");
    assert_eq!(server.stored("a").await, ["x"]);
}

#[tokio::test]
async fn a_key_is_refused_for_a_while_by_the_code_that_was_asked_for() {
    let server = Server::start().await;
    for (code, status) in [(40101, 401), (40110, 401), (40112, 401), (40111, 403), (40114, 403), (40400, 401)]
    {
        let id = server.fault(&json!({"kind": "refuse-key", "key": "AbCdEf.root", "code": code})).await;
        let (answered, body) = server.post("/channels/a/messages", &json!({})).await;
        assert_eq!((answered.as_u16(), &body["error"]["code"]), (status, &json!(code)));
        assert_eq!(server.get("/channels/a/messages").await.0, status);
        let token = jwt(KEY, &json!({}));
        let (answered, _) =
            answer(server.anonymous(Method::GET, "/channels/a/messages").bearer_auth(&token)).await;
        assert_eq!(answered, status, "its tokens too");
        let (answered, _) =
            server.post("/keys/AbCdEf.root/requestToken", &json!({"keyName": "AbCdEf.root"})).await;
        assert_eq!(answered, status, "and it makes none");
        let (name, secret) = SMALL_KEY.split_once(':').unwrap();
        let other =
            server.anonymous(Method::POST, "/channels/talk:a/messages").basic_auth(name, Some(secret));
        assert_eq!(answer(other.body("{}")).await.0, 201, "another key is served");
        server.fired(&id, 4).await;
        server.remove_fault(&id).await;
    }
    assert_eq!(server.post("/channels/a/messages", &json!({})).await.0, 201);
}

#[tokio::test]
async fn a_signed_token_request_is_refused_with_its_key() {
    let server = Server::start().await;
    server.fault(&json!({"kind": "refuse-key", "code": 40110})).await;
    let request = server
        .anonymous(Method::POST, "/keys/AbCdEf.root/requestToken")
        .header("content-type", "application/json");
    let signed =
        json!({"keyName": "AbCdEf.root", "timestamp": now(), "nonce": "0123456789abcdef", "mac": "x"});
    let (status, body) = answer(request.body(signed.to_string())).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (401, &json!(40110)));
}

#[tokio::test]
async fn tokens_expire_when_told_and_new_ones_are_good() {
    let server = Server::start().await;
    let read = |token: &str| answer(server.anonymous(Method::GET, "/channels/a/messages").bearer_auth(token));
    let (_, issued) = server.post("/keys/AbCdEf.root/requestToken", &json!({"clientId": "x"})).await;
    let issued = issued["token"].as_str().unwrap();
    let of_y = jwt(KEY, &json!({"x-ably-clientId": "y", "iat": in_millis(-60_000)}));
    assert_eq!(read(issued).await.0, 200);
    let id = server.fault(&json!({"kind": "expire-tokens", "clientId": "x"})).await;
    let (status, body) = read(issued).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (401, &json!(40142)));
    assert_eq!(read(&of_y).await.0, 200);
    assert_eq!(read(&jwt(KEY, &json!({"x-ably-clientId": "x"}))).await.0, 200, "one that was made after");
    server.remove_fault(&id).await;
    assert_eq!(read(issued).await.0, 200);
}

#[tokio::test]
async fn a_batch_is_met_by_the_faults_of_any_of_its_channels() {
    let server = Server::start().await;
    let batch = |channels: serde_json::Value| json!([{"channels": channels, "messages": {"name": "x"}}]);
    let id = server.fault(&json!({"kind": "error", "channel": "job:*"})).await;
    assert_eq!(server.post("/messages", &batch(json!(["a", "job:1"]))).await.0, 500);
    assert_eq!(server.post("/messages", &batch(json!("job:1"))).await.0, 500);
    assert_eq!(server.post("/messages", &batch(json!(["a", "b"]))).await.0, 201);
    let body = Format::Msgpack.write(&batch(json!(["job:1"])));
    let request =
        server.request(Method::POST, "/messages").header("content-type", Format::Msgpack.media_type());
    assert_eq!(request.body(body).send().await.unwrap().status(), 500);
    server.fired(&id, 3).await;
    assert_eq!(server.post("/messages", &json!("no batch")).await.0, 400);
    assert!(server.stored("job:1").await.is_empty());
    server.fault(&json!({"kind": "error", "status": 503})).await;
    assert_eq!(server.post("/messages", &batch(json!(["a"]))).await.0, 503);
}
