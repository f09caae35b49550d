//! The app that has not been used for longest makes room for another, unless it has a connection or was there from the start.

use ably::{Key, TokenRequest};
use reqwest::Method;
use serde_json::{Value, json};

use crate::apps::{key, make};
use crate::harness::{Format, KEY, OTHER_KEY, SMALL_KEY, Server, Socket, answer, answer_in, jwt, now};

/// How many apps may be made besides the two that are there from the start.
const ROOM: usize = 198;

async fn make_many(server: &Server, count: usize) -> Vec<Value> {
    let mut apps = Vec::new();
    for _ in 0..count {
        apps.push(make(server, &json!({})).await);
    }
    apps
}

/// Whether an app is there, which is a use of it.
async fn is_there(server: &Server, key: &str) -> bool {
    let (status, body) = answer(server.request_by(key, Method::GET, "/channels/a/messages")).await;
    let is_there = status == 200;
    assert!(is_there || (status == 401 && body["error"]["code"] == 40101), "{status} {body}");
    is_there
}

async fn connect(server: &Server, app: &Value) -> Socket {
    server.connect_with(Format::Json, &format!("key={}", key(app, 0))).await.0
}

#[tokio::test]
async fn suites_that_leave_their_apps_behind_can_be_run_again_and_again() {
    let server = Server::start().await;
    for _ in 0..5 {
        let apps = make_many(&server, 58).await;
        for app in &apps {
            assert!(is_there(&server, key(app, 0)).await);
        }
    }
    for key in [KEY, OTHER_KEY] {
        assert!(is_there(&server, key).await, "given at the start, it stays however long nobody uses it");
    }
    let (status, _) =
        answer(server.request_by(SMALL_KEY, Method::POST, "/channels/talk:1/messages").body("{}")).await;
    assert_eq!(status, 201);
}

#[tokio::test]
async fn good_credentials_and_signed_requests_are_uses_and_refused_ones_are_not() {
    let server = Server::start().await;
    let apps = make_many(&server, ROOM).await;
    let name = |index: usize| key(&apps[index], 0).split_once(':').unwrap().0;
    let requested = |index: usize| format!("/keys/{}/requestToken", name(index));
    let path = "/channels/a/messages";

    let request = server.request_by(key(&apps[0], 0), Method::GET, path);
    assert_eq!(answer(request).await.0, 200);
    let request = server.anonymous(Method::GET, path).bearer_auth(jwt(key(&apps[1], 0), &json!({})));
    assert_eq!(answer(request).await.0, 200);
    let signed = TokenRequest {
        key_name: name(2).to_owned(),
        ttl: None,
        capability: None,
        client_id: None,
        timestamp: now(),
        nonce: "a nonce that serves once".to_owned(),
        mac: String::new(),
    }
    .signed(&Key::parse(key(&apps[2], 0)).unwrap());
    let request = server.anonymous(Method::POST, &requested(2));
    assert_eq!(answer_in(Format::Json, request, &json!(signed)).await.0, 201);

    let request = server.request_by(&format!("{}:wrong", name(3)), Method::GET, path);
    assert_eq!(answer(request).await.0, 401);
    let request = server.anonymous(Method::POST, &requested(4));
    assert_eq!(answer_in(Format::Json, request, &json!({})).await.0, 401);

    make_many(&server, ROOM - 3).await;
    for (index, app) in apps.iter().enumerate() {
        assert_eq!(is_there(&server, key(app, 0)).await, index < 3, "{index}");
    }
}

#[tokio::test]
async fn an_app_with_a_connection_or_a_stream_stays_and_the_end_of_one_is_a_use() {
    let server = Server::start().await;
    let apps = make_many(&server, ROOM).await;
    let (mut closing, mut staying) = (connect(&server, &apps[0]).await, connect(&server, &apps[1]).await);
    staying.attach("a").await;
    let path = format!("/sse?channels=a&key={}", key(&apps[2], 0));
    let mut stream = server.anonymous(Method::GET, &path).send().await.unwrap();
    assert_eq!(stream.status(), 200);

    make_many(&server, ROOM).await;
    closing.send(json!({"action": 7})).await;
    closing.expect(8).await;
    make_many(&server, ROOM - 3).await;
    for app in &apps[..3] {
        let request = server.request_by(key(app, 0), Method::POST, "/channels/a/messages");
        assert_eq!(answer(request.body(r#"{"data":"still"}"#)).await.0, 201);
    }
    assert_eq!(staying.expect(15).await["messages"][0]["data"], "still");
    let event = stream.chunk().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&event).contains("still"));
    assert!(!is_there(&server, key(&apps[3], 0)).await);

    make_many(&server, ROOM - 2).await;
    assert!(!is_there(&server, key(&apps[0], 0)).await, "its connection has ended");
    staying.expect_nothing().await;
}

#[tokio::test]
async fn where_all_apps_have_connections_another_is_refused_until_one_has_none() {
    let server = Server::start().await;
    let mut sockets = Vec::new();
    for app in make_many(&server, ROOM).await {
        sockets.push(connect(&server, &app).await);
    }
    let ask = || answer(server.anonymous(Method::POST, "/apps").body("{}"));
    let (status, body) = ask().await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (429, &json!(42910)));
    let mut last = sockets.pop().unwrap();
    last.send(json!({"action": 7})).await;
    last.expect(8).await;
    assert_eq!(ask().await.0, 201);
    for mut socket in sockets {
        socket.expect_nothing().await;
    }
}
