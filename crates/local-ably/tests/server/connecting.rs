use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{BOTH, Format, KEY, Server, jwt};

#[tokio::test]
async fn a_socket_that_ends_names_1000_in_its_close() {
    let server = Server::start().await;
    for format in BOTH {
        let mut refused = server.open(format, "key=nonsense").await;
        refused.expect(9).await;
        assert_eq!(refused.expect_close().await, Some(1000));
        let (mut closing, _) = server.connect(format).await;
        closing.send(json!({"action": 7})).await;
        closing.expect(8).await;
        assert_eq!(closing.expect_close().await, Some(1000));
    }
}

#[tokio::test]
async fn connected_has_all_that_an_sdk_needs() {
    let server = Server::start().await;
    for format in BOTH {
        let (_socket, connected) = server.connect(format).await;
        let id = connected["connectionId"].as_str().unwrap();
        assert!(!id.contains(':') && (10..=12).contains(&id.len()));
        let details = &connected["connectionDetails"];
        assert!(details["connectionKey"].as_str().unwrap().starts_with(id));
        assert_eq!(details["clientId"], "*");
        assert_eq!(details["maxMessageSize"], 65_536);
        assert_eq!(details["maxFrameSize"], 524_288);
        assert_eq!(details["connectionStateTtl"], 120_000);
        assert_eq!(details["maxIdleInterval"], 15_000);
        assert!(connected.get("error").is_none());
    }
}

#[tokio::test]
async fn the_upgrade_completes_before_bad_credentials_are_refused_by_error() {
    let server = Server::start().await;
    for format in BOTH {
        for (query, code, status) in [
            (String::new(), 40101, 401),
            ("key=nonsense".into(), 40101, 401),
            ("key=NoSuch.root:secret".into(), 40101, 401),
            ("key=AbCdEf.root:wrong".into(), 40101, 401),
            ("key=AbCdEf.nokey:secret".into(), 40400, 401),
            ("access_token=nonsense".into(), 40101, 401),
            ("access_token=AbCdEf.nonsense".into(), 40143, 401),
            ("access_token=a.b.c".into(), 40144, 401),
            (format!("access_token={}", jwt("NoSuch.root:x", &json!({}))), 40400, 404),
            (format!("access_token={}", jwt("AbCdEf.root:wrong", &json!({}))), 40144, 401),
            (format!("access_token={}", jwt(KEY, &json!({"exp": 1}))), 40142, 401),
        ] {
            let mut socket = server.open(format, &query).await;
            let frame = socket.expect(9).await;
            assert_eq!(frame["error"]["code"], code, "{query}");
            assert_eq!(frame["error"]["statusCode"], status, "{query}");
            assert!(frame["error"]["message"].is_string() && frame.get("channel").is_none());
            socket.expect_end().await;
        }
    }
}

#[tokio::test]
async fn a_token_comes_as_access_token_or_as_access_token_in_camel_case() {
    let server = Server::start().await;
    let token = jwt(KEY, &json!({}));
    for name in ["access_token", "accessToken"] {
        let (_socket, connected) = server.connect_with(Format::Json, &format!("{name}={token}")).await;
        assert!(
            connected["connectionDetails"].get("clientId").is_none(),
            "an anonymous client has no clientId"
        );
    }
}

#[tokio::test]
async fn the_client_id_comes_from_credentials_and_parameter() {
    let server = Server::start().await;
    let token = |client: &str| jwt(KEY, &json!({"x-ably-clientId": client}));
    let anonymous = jwt(KEY, &json!({}));
    for (query, expected) in [
        (format!("key={KEY}&clientId=x"), Some("x")),
        (format!("access_token={}", token("x")), Some("x")),
        (format!("access_token={}&clientId=x", token("x")), Some("x")),
        (format!("access_token={}", token("*")), Some("*")),
        (format!("access_token={}&clientId=x", token("*")), Some("x")),
        (format!("access_token={}&clientId=y", token("x")), None),
        (format!("access_token={anonymous}&clientId=x"), None),
    ] {
        let mut socket = server.open(Format::Json, &query).await;
        match expected {
            Some(client_id) => {
                assert_eq!(socket.expect(4).await["connectionDetails"]["clientId"], client_id, "{query}");
            }
            None => assert_eq!(socket.expect_error(9).await, (40102, 401), "{query}"),
        }
    }
}

#[tokio::test]
async fn what_a_client_sends_besides_does_not_matter() {
    let server = Server::start().await;
    for format in BOTH {
        let query =
            format!("key={KEY}&agent=x%2F1&rnd=7&connectionSerial=1&heartbeats=maybe&clientId=&resume=&v=2");
        let (_socket, connected) = server.connect_with(format, &query).await;
        assert!(connected.get("error").is_none());
    }
}

#[tokio::test]
async fn the_interval_of_heartbeats_is_the_one_asked_for_within_bounds() {
    let server = Server::start().await;
    for (asked, told) in [("1", 5_000), ("20000", 20_000), ("99999999", 1_800_000), ("soon", 15_000)] {
        let query = format!("key={KEY}&heartbeatInterval={asked}");
        let (_socket, connected) = server.connect_with(Format::Json, &query).await;
        assert_eq!(connected["connectionDetails"]["maxIdleInterval"], told, "{asked}");
    }
}

#[tokio::test]
async fn null_and_unknown_fields_are_tolerated_anywhere() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        socket
            .send(json!({
                "action": 10, "channel": "a", "id": null, "flags": null, "params": {"rewind": null, "x": {"y": 1}},
                "channelSerial": null, "count": null, "error": null, "auth": null, "size": 3, "what": ["ever"],
            }))
            .await;
        assert!(socket.expect(11).await.get("params").is_none());
        let message = json!({
            "id": null, "name": null, "data": "x", "encoding": null, "clientId": null, "connectionId": null,
            "timestamp": null, "extras": null, "action": null, "serial": null, "version": null, "size": 1,
            "annotations": null, "connectionKey": null,
        });
        assert_eq!(socket.publish("a", 0, message).await["action"], 1);
        let member =
            json!({"action": 2, "clientId": "c", "id": null, "data": null, "extras": null, "size": 1});
        assert_eq!(socket.presence("a", 1, member).await["action"], 1);
    }
}

#[tokio::test]
async fn a_ping_is_echoed_with_its_id() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        socket.send(json!({"action": 0, "id": "ping-1"})).await;
        assert_eq!(socket.expect(0).await["id"], "ping-1");
    }
}

#[tokio::test]
async fn a_ping_takes_a_millisecond_at_least_so_that_no_client_measures_none() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        for n in 0..10 {
            let id = format!("ping-{n}");
            let sent = Instant::now();
            socket.send(json!({"action": 0, "id": id})).await;
            assert_eq!(socket.expect(0).await["id"], id.as_str());
            assert!(sent.elapsed() >= Duration::from_millis(1));
        }
    }
}

#[tokio::test]
async fn a_heartbeat_without_id_comes_after_the_interval_asked_for() {
    let server = Server::start().await;
    let query = format!("key={KEY}&heartbeats=true&heartbeatInterval=5000");
    let (mut socket, connected) = server.connect_with(Format::Json, &query).await;
    assert_eq!(connected["connectionDetails"]["maxIdleInterval"], 5_000);
    let heartbeat = socket.expect(0).await;
    assert_eq!(heartbeat, json!({"action": 0}));
}

#[tokio::test]
async fn close_is_answered_by_closed_and_ends_the_socket() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        socket.send(json!({"action": 7})).await;
        socket.expect(8).await;
        socket.expect_end().await;
    }
}

#[tokio::test]
async fn a_websocket_close_is_answered_at_once() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Json).await;
    socket.send_message(Message::Close(None)).await;
    socket.expect_end().await;
}

#[tokio::test]
async fn garbage_fails_its_connection_and_no_other() {
    let server = Server::start().await;
    let (mut other, _) = server.connect(Format::Json).await;
    for (format, garbage) in [
        (Format::Json, Message::Text("nonsense".into())),
        (Format::Json, Message::Text("\"text\"".into())),
        (Format::Json, Message::Binary(vec![0xff; 100].into())),
        (Format::Msgpack, Message::Binary(vec![0xc1].into())),
        (Format::Msgpack, Message::Binary(vec![0xdf, 0xff, 0xff, 0xff, 0xff].into())),
        (Format::Msgpack, Message::Binary(vec![].into())),
        (Format::Json, Message::Text("x".repeat(524_289).into())),
    ] {
        let (mut socket, _) = server.connect(format).await;
        socket.send_message(garbage).await;
        let (code, status) = socket.expect_error(9).await;
        assert!(matches!(code, 40000 | 40009) && status == 400);
        socket.expect_end().await;
    }
    let (mut socket, _) = server.connect(Format::Json).await;
    socket.send_message(Message::Text("x".repeat(3 << 20).into())).await;
    socket.expect_end().await;
    other.expect_nothing().await;
}

#[tokio::test]
async fn a_frame_that_asks_for_nothing_is_passed_over() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        for frame in
            [json!({}), json!({"action": 99, "x": null}), json!({"action": 1, "msgSerial": 0, "count": 1})]
        {
            socket.send(frame).await;
        }
        socket.expect_nothing().await;
    }
}

#[tokio::test]
async fn at_shutdown_clients_are_disconnected_and_may_come_back() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Json).await;
    let shutdown = tokio::spawn(server.shutdown());
    assert_eq!(socket.expect_error(6).await, (80003, 503));
    socket.expect_end().await;
    shutdown.await.unwrap();
}

#[tokio::test]
async fn the_reason_of_the_end_reaches_a_client_that_is_still_sending() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        socket.send(json!("no frame")).await;
        // A client whose writing fails may never look at what there is to read.
        for _ in 0..60 {
            socket.send(json!({"action": 0, "id": "x".repeat(100_000)})).await;
        }
        assert_eq!(socket.expect_error(9).await, (40000, 400));
        socket.expect_end().await;
    }
}

#[tokio::test]
async fn connected_tells_the_rates_and_which_server_it_is() {
    let server = Server::start().await;
    for format in BOTH {
        let (_socket, connected) = server.connect(format).await;
        let details = &connected["connectionDetails"];
        assert_eq!((&details["maxInboundRate"], &details["maxOutboundRate"]), (&json!(250), &json!(100)));
        assert!(!details["serverId"].as_str().unwrap().is_empty());
        let (id, rest) = details["connectionKey"].as_str().unwrap().split_once('!').unwrap();
        assert_eq!(id, connected["connectionId"]);
        assert!(!rest.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
    }
}

#[tokio::test]
async fn heartbeats_come_to_clients_that_count_pings_too() {
    let server = Server::start().await;
    let query = format!("key={KEY}&heartbeats=false&heartbeatInterval=5000");
    let (mut socket, _) = server.connect_with(Format::Msgpack, &query).await;
    assert_eq!(socket.expect(0).await, json!({"action": 0}), "one without an id");
}

#[tokio::test]
async fn whoever_only_listens_to_a_busy_channel_stays_connected() {
    let server = Server::start().await;
    let query = format!("key={KEY}&heartbeatInterval=5000");
    let (mut listener, _) = server.connect_with(Format::Json, &query).await;
    listener.attach("a").await;
    // Longer than a peer may be silent, and never so quiet that a HEARTBEAT is due.
    let until = Instant::now() + Duration::from_secs(2 * 5 + 10 + 3);
    while Instant::now() < until {
        server.post("/channels/a/messages", &json!({})).await;
        listener.expect(15).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn whoever_answers_nothing_at_all_is_taken_for_gone() {
    let server = Server::start().await;
    let query = format!("key={KEY}&heartbeatInterval=5000&remainPresentFor=1000&clientId=c");
    let (mut silent, _) = server.connect_with(Format::Json, &query).await;
    silent.attach("a").await;
    silent.presence("a", 0, json!({"action": 2})).await;
    let (mut watcher, _) = server.connect(Format::Json).await;
    watcher.attach("a").await;
    watcher.expect(16).await;
    let left = loop {
        let frame = watcher.next_within(Duration::from_secs(40)).await.unwrap();
        if frame["action"] == 14 {
            break frame;
        }
    };
    assert_eq!(left["presence"][0]["action"], 3, "it does not even read, so no ping is answered");
    drop(silent);
}

#[tokio::test]
async fn whoever_asks_for_long_polling_is_told_that_there_is_none_so_that_it_goes_on_at_once() {
    let server = Server::start().await;
    for (query, status, code) in [
        // One that begins with it: ably-js 1 in a browser, which takes this for final and shows the reason.
        ("v=2&stream=false", 404, 40400),
        ("v=1.2", 404, 40400),
        ("", 404, 40400),
        // One whose WebSocket took too long: it tries that again.
        ("v=3", 503, 50002),
        ("v=6&stream=false", 503, 50002),
    ] {
        for method in [Method::GET, Method::POST] {
            let path = format!("/comet/connect?key={KEY}&{query}");
            let request = server.anonymous(method, &path).header("origin", "http://localhost:3000");
            let response = request.send().await.unwrap();
            assert_eq!(response.status().as_u16(), status, "{query}");
            // What a page reads it by.
            assert_eq!(response.headers()["x-ably-errorcode"], code.to_string());
            assert_eq!(response.headers()["access-control-allow-origin"], "http://localhost:3000");
            let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
            assert_eq!(body["error"]["code"], code);
            assert!(body["error"]["message"].as_str().unwrap().contains("web_socket"), "{body}");
        }
    }
}
