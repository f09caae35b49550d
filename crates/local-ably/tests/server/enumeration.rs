//! `GET /channels`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, OTHER_KEY, SMALL_KEY, Server, answer, jwt};

#[tokio::test]
async fn the_channels_in_use_are_listed_by_name_a_page_at_a_time() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Json).await;
    for channel in ["b:2", "a b"] {
        socket.attach(channel).await;
    }
    server.post("/channels/b:1/messages", &json!({"data": "x"})).await;
    server.get("/channels/d/messages").await;
    let pages = server.pages("", "channels", "limit=2").await;
    assert_eq!(pages, [vec![json!("a b"), json!("b:1")], vec![json!("b:2")]]);
    let pages = server.pages("", "channels", "limit=1&prefix=b%3A&by=id").await;
    assert_eq!(pages, [vec![json!("b:1")], vec![json!("b:2")]]);
    for format in BOTH {
        let (status, names) = server.get_in(format, "/channels?prefix=a").await;
        assert_eq!((status, names), (200, json!(["a b"])));
    }
    let (_, none) = answer(server.request_by(OTHER_KEY, Method::GET, "/channels")).await;
    assert_eq!(none, json!([]), "apps share nothing");
}

#[tokio::test]
async fn channels_are_listed_in_full_where_that_is_asked_for_and_in_old_versions() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Json).await;
    socket.attach("a").await;
    let (_, status) = server.get("/channels/a").await;
    assert_eq!(server.get("/channels?by=value").await.1, json!([status]));
    let by_version = async |version: &str, query: &str| -> Value {
        let request = server.request(Method::GET, &format!("/channels{query}"));
        answer(request.header("x-ably-version", version)).await.1
    };
    assert_eq!(by_version("2", "").await, json!([status]));
    assert_eq!(by_version("1.2", "?by=id").await, json!(["a"]));
    assert_eq!(by_version("3", "").await, json!(["a"]));
}

#[tokio::test]
async fn listing_channels_needs_channel_metadata_on_all_of_them() {
    let server = Server::start().await;
    for (capability, allowed) in [
        (json!({"*": ["channel-metadata"]}), true),
        (json!({"[*]*": ["*"]}), true),
        (json!({"*": ["subscribe"], "a:*": ["channel-metadata"]}), false),
    ] {
        let token = jwt(KEY, &json!({"x-ably-capability": capability.to_string()}));
        let (status, body) = answer(server.anonymous(Method::GET, "/channels").bearer_auth(token)).await;
        let expected = if allowed { (200, Value::Null) } else { (401, json!(40160)) };
        assert_eq!((status.as_u16(), body["error"]["code"].clone()), expected, "{capability}");
    }
    let (status, _) = answer(server.request_by(SMALL_KEY, Method::GET, "/channels")).await;
    assert_eq!(status, 401);
    for (query, code) in [("by=name", 40000), ("limit=1001", 40003)] {
        assert_eq!(server.get(&format!("/channels?{query}")).await.1["error"]["code"], code);
    }
}
