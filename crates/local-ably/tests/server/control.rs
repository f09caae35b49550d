//! The control endpoint itself: who may use it, and what it takes.

use ably::Secret;
use local_ably::Options;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Server, answer};

async fn post(server: &Server, body: &str) -> (StatusCode, Value) {
    let request = server.control(Method::POST, "/control/faults").header("content-type", "application/json");
    answer(request.body(body.to_owned())).await
}

#[tokio::test]
async fn only_whoever_has_the_secret_is_served() {
    let secret = "0123456789abcdef0123";
    let options = Options { control_secret: Some(Secret::new(secret)), ..Options::default() };
    let server = Server::with(options).await;
    for (method, path) in [
        (Method::GET, "/control/faults"),
        (Method::POST, "/control/faults"),
        (Method::DELETE, "/control/faults"),
        (Method::GET, "/control/faults/1"),
        (Method::DELETE, "/control/faults/1"),
        (Method::GET, "/control/limits"),
        (Method::PUT, "/control/faults"),
    ] {
        for authorization in
            ["", "Bearer", "Bearer ", "Bearer 0123456789abcdef012", "Basic 0123456789abcdef0123"]
        {
            let request = server.anonymous(method.clone(), path).header("content-type", "application/json");
            let request = request.header("authorization", authorization).body(r#"{"kind":"reset"}"#);
            let (status, body) = answer(request).await;
            assert_eq!(status, 401, "{method} {path} {authorization:?}");
            assert_eq!(body["error"]["code"], 40101);
            assert!(!body.to_string().contains(secret));
        }
        let (status, _) = answer(server.anonymous(method, &format!("{path}?secret={secret}"))).await;
        assert_eq!(status, 401);
    }
    let request = server.anonymous(Method::GET, "/control/faults").bearer_auth(secret);
    assert_eq!(answer(request).await, (StatusCode::OK, json!({"faults": []})));
}

#[tokio::test]
async fn hosts_and_origins_that_are_let_through_elsewhere_have_no_say_here() {
    let server = Server::with(Options {
        allow_hosts: vec!["laptop.lan".into()],
        allow_origins: vec!["https://app.example".into()],
        ..Options::default()
    })
    .await;
    for (header, value, status) in [
        ("host", "laptop.lan", 403),
        ("host", "evil.example", 403),
        ("origin", "https://app.example", 403),
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("host", "localhost", 200),
        ("origin", "http://localhost:3000", 200),
    ] {
        let response =
            server.control(Method::GET, "/control/faults").header(header, value).send().await.unwrap();
        assert_eq!(response.status(), status, "{header}: {value}");
    }
}

#[tokio::test]
async fn a_body_is_json_and_says_so() {
    let server = Server::start().await;
    for content_type in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/x-msgpack")]
    {
        let mut request = server.control(Method::POST, "/control/faults").body(r#"{"kind":"reset"}"#);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let (status, body) = answer(request).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (415, &json!(40000)), "{content_type:?}");
    }
    let request = server
        .control(Method::POST, "/control/faults")
        .header("content-type", "application/json; charset=utf-8");
    assert_eq!(answer(request.body(r#"{"kind":"reset"}"#)).await.0, 201);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "{",
        r#"{"kind":"fly"}"#,
        r#"{"kind":"error","status":200}"#,
        r#"{"kind":"reset","statsu":1}"#,
    ] {
        let (status, answer) = post(&server, body).await;
        assert_eq!((status.as_u16(), &answer["error"]["code"]), (400, &json!(40000)), "{body}");
    }
    let (_, all) = answer(server.control(Method::GET, "/control/faults")).await;
    assert_eq!(all, json!({"faults": []}));
}

#[tokio::test]
async fn faults_are_listed_shown_and_removed() {
    let server = Server::start().await;
    let first = server.fault(&json!({"kind": "error", "status": 503, "times": 3, "channel": "a:*"})).await;
    let second = server.fault(&json!({"kind": "hang", "transport": "rest"})).await;
    let (_, all) = answer(server.control(Method::GET, "/control/faults")).await;
    let shown = json!({
        "id": first, "kind": "error", "status": 503, "times": 3, "channel": "a:*", "fired": 0, "over": false,
    });
    assert_eq!(all["faults"][0], shown);
    assert_eq!(all["faults"][1]["id"], second);
    let one = |id: &str| server.control(Method::GET, &format!("/control/faults/{id}"));
    assert_eq!(answer(one(&first)).await, (StatusCode::OK, shown));
    server.remove_fault(&first).await;
    for id in [first.as_str(), "0", "x", "%FF"] {
        let (status, body) = answer(one(id)).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (404, &json!(40400)), "{id}");
        assert_eq!(answer(server.control(Method::DELETE, &format!("/control/faults/{id}"))).await.0, 404);
    }
    assert_eq!(answer(server.control(Method::DELETE, "/control/faults")).await.0, 204);
    assert_eq!(answer(server.control(Method::GET, "/control/faults")).await.1, json!({"faults": []}));
}

#[tokio::test]
async fn waiting_for_a_fault_ends_when_the_time_is_up() {
    let server = Server::start().await;
    let id = server.fault(&json!({"kind": "reset"})).await;
    let (status, fault) =
        answer(server.control(Method::GET, &format!("/control/faults/{id}?fired=1&waitMs=1"))).await;
    assert_eq!((status.as_u16(), &fault["fired"]), (200, &json!(0)));
    for query in ["fired=x", "fired=1&waitMs=60001", "fired=1&waitMs=-1"] {
        let (status, _) = answer(server.control(Method::GET, &format!("/control/faults/{id}?{query}"))).await;
        assert_eq!(status, 400, "{query}");
    }
}
