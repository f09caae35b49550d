use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, Server, Socket, jwt};

/// The counts of the next frame, which is a `[meta]occupancy` event.
async fn metrics(socket: &mut Socket) -> Value {
    let frame = socket.expect(15).await;
    let message = &frame["messages"][0];
    assert_eq!((&message["name"], &message["encoding"]), (&json!("[meta]occupancy"), &json!("json")));
    assert!(frame.get("channelSerial").is_none(), "nobody resumes from an event");
    let data: Value = serde_json::from_str(message["data"].as_str().unwrap()).unwrap();
    data["metrics"].clone()
}

fn watching(channel: &str, metrics: &str) -> Value {
    json!({"channel": channel, "params": {"occupancy": metrics}})
}

#[tokio::test]
async fn occupancy_metrics_come_on_attach_and_at_once_where_a_count_becomes_or_leaves_zero() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut watcher, _) = server.connect(format).await;
        let modes_and = json!({"channel": channel, "flags": 1 << 18, "params": {"occupancy": "metrics"}});
        let attached = watcher.attach_with(modes_and).await;
        assert_eq!(attached["params"], json!({"occupancy": "metrics"}));
        let mut expected = json!({
            "connections": 1, "publishers": 0, "subscribers": 1, "presenceConnections": 0, "presenceMembers": 0,
            "presenceSubscribers": 0,
        });
        assert_eq!(metrics(&mut watcher).await, expected);

        let (mut other, _) = server.connect_with(format, &format!("key={KEY}&clientId=me")).await;
        other.attach(channel).await;
        for (name, count) in [
            ("connections", 2),
            ("publishers", 1),
            ("subscribers", 2),
            ("presenceConnections", 1),
            ("presenceSubscribers", 1),
        ] {
            expected[name] = count.into();
        }
        assert_eq!(metrics(&mut watcher).await, expected);

        other.presence(channel, 0, json!({"action": 2})).await;
        expected["presenceMembers"] = 1.into();
        assert_eq!(metrics(&mut watcher).await, expected);

        other.send(json!({"action": 12, "channel": channel})).await;
        other.expect_detached(channel).await;
        expected["presenceMembers"] = 0.into();
        let mut last = metrics(&mut watcher).await;
        while last["connections"] != 1 {
            last = metrics(&mut watcher).await;
        }
        assert_eq!(last["presenceMembers"], 0);
        let (_, history) = server.get(&format!("/channels/{channel}/messages")).await;
        assert_eq!(history, json!([]), "events are not in the history");
    }
}

#[tokio::test]
async fn one_category_of_occupancy_is_told_alone() {
    let server = Server::start().await;
    let (mut watcher, _) = server.connect(Format::Json).await;
    watcher.attach_with(watching("a", "metrics.presenceMembers")).await;
    assert_eq!(metrics(&mut watcher).await, json!({"presenceMembers": 0}));
    let (mut other, _) = server.connect(Format::Json).await;
    other.attach("a").await;
    watcher.expect_nothing().await;
    watcher.send(json!({"action": 12, "channel": "a"})).await;
    watcher.expect(13).await;
}

#[tokio::test]
async fn occupancy_that_means_nothing_is_40000() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Json).await;
    for metrics in ["everything", "metrics.nonsense"] {
        socket.send(json!({"action": 10, "channel": "a", "params": {"occupancy": metrics}})).await;
        assert_eq!(socket.expect_error(9).await, (40000, 400));
    }
}

#[tokio::test]
async fn occupancy_needs_channel_metadata() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect_able(format, &json!({"a": ["subscribe"]})).await;
        socket.send(json!({"action": 10, "channel": "a", "params": {"occupancy": "metrics"}})).await;
        let error = socket.expect(9).await;
        assert_eq!((&error["channel"], &error["error"]["code"]), (&json!("a"), &json!(40160)));
        socket.attach("a").await;
    }
}

#[tokio::test]
async fn occupancy_is_told_no_more_once_the_capability_is_gone() {
    let server = Server::start().await;
    let able = json!({"a": ["subscribe", "channel-metadata"]});
    let (mut socket, _) = server.connect_able(Format::Json, &able).await;
    socket.attach_with(watching("a", "metrics")).await;
    metrics(&mut socket).await;
    let less = jwt(KEY, &json!({"x-ably-capability": r#"{"a":["subscribe"]}"#}));
    socket.send(json!({"action": 17, "auth": {"accessToken": less}})).await;
    socket.expect(4).await;
    let (mut other, _) = server.connect(Format::Json).await;
    other.attach("a").await;
    socket.expect_nothing().await;
}

#[tokio::test]
async fn a_change_of_occupancy_that_touches_no_zero_is_told_some_seconds_later_and_once() {
    let server = Server::start().await;
    let (mut watcher, _) = server.connect(Format::Json).await;
    watcher.attach_with(watching("a", "metrics.connections")).await;
    assert_eq!(metrics(&mut watcher).await, json!({"connections": 1}));
    let mut others = Vec::new();
    for _ in 0..3 {
        let (mut other, _) = server.connect(Format::Msgpack).await;
        other.attach("a").await;
        others.push(other);
    }
    watcher.expect_nothing().await;
    assert_eq!(metrics(&mut watcher).await, json!({"connections": 4}), "all three at once");
    watcher.expect_nothing().await;
}
