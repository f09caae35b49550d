//! Members as others see them: the same in PRESENCE and in SYNC, gone after the grace period, refused with Ably's codes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, Server, Socket, jwt};

async fn member(server: &Server, format: Format, client_id: &str) -> (Socket, Value) {
    server.connect_with(format, &format!("key={KEY}&clientId={client_id}")).await
}

#[tokio::test]
async fn sync_carries_id_connection_id_and_timestamp_exactly_as_presence_did() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut watcher, _) = server.connect(format).await;
        watcher.attach(channel).await;
        let (mut socket, connected) = member(&server, format, "c").await;
        socket.attach(channel).await;
        let data = json!({"action": 2, "data": "d", "extras": {"headers": {"a": 1}}});
        socket.presence(channel, 4, data).await;
        let mut entered = watcher.expect(14).await["presence"][0].clone();
        assert_eq!(entered["id"], format!("{}:4:0", connected["connectionId"].as_str().unwrap()));
        entered["action"] = 1.into();
        let (mut late, _) = server.connect(format).await;
        late.attach(channel).await;
        let sync = late.expect(16).await;
        assert_eq!(sync["presence"], json!([entered]));
        let (status, listed) = server.get_in(format, &format!("/channels/{channel}/presence")).await;
        assert_eq!((status, &listed[0]), (200, &entered));
        // An update has an id and a time of its own, and so has its member from then on.
        socket.presence(channel, 5, json!({"action": 4, "data": "e"})).await;
        let mut updated = watcher.expect(14).await["presence"][0].clone();
        assert!(updated.get("extras").is_none());
        assert_ne!(updated["id"], entered["id"]);
        updated["action"] = 1.into();
        late.expect(14).await;
        late.send(json!({"action": 16, "channel": channel, "channelSerial": "any:thing"})).await;
        assert_eq!(late.expect(16).await["presence"], json!([updated]));
    }
}

#[tokio::test]
async fn what_a_client_says_of_its_members_time_is_replaced() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut socket, connected) = member(&server, format, "c").await;
        socket.attach(channel).await;
        let forged = json!({"action": 2, "timestamp": 1, "size": 3});
        socket.send(json!({"action": 14, "channel": channel, "msgSerial": 0, "presence": [forged]})).await;
        let frames = [socket.receive().await, socket.receive().await];
        let frame = frames.iter().find(|frame| frame["action"] == 14).unwrap();
        assert_eq!(frame["connectionId"], connected["connectionId"]);
        assert_eq!(frame["presence"][0]["connectionId"], connected["connectionId"]);
        assert_eq!(frame["presence"][0]["timestamp"], frame["timestamp"]);
        assert!(frame["timestamp"].as_i64().unwrap() > 1);
    }
}

#[tokio::test]
async fn a_frame_of_several_members_is_numbered_by_index() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut watcher, _) = server.connect(format).await;
        watcher.attach(channel).await;
        let (mut socket, connected) = server.connect(format).await;
        socket.attach(channel).await;
        let id = connected["connectionId"].as_str().unwrap();
        let members = json!([{"action": 2, "clientId": "a"}, {"action": 2, "clientId": "b"}, {"action": 3, "clientId": "a"}]);
        socket.send(json!({"action": 14, "channel": channel, "msgSerial": 0, "presence": members})).await;
        assert_eq!(socket.answer().await["action"], 1);
        let frame = watcher.expect(14).await;
        assert_eq!(frame["id"], format!("{id}:0"));
        let seen: Vec<_> = frame["presence"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| (event["id"].clone(), event["action"].clone(), event["clientId"].clone()))
            .collect();
        let expected = [(0, 2, "a"), (1, 2, "b"), (2, 3, "a")]
            .map(|(index, action, client)| (json!(format!("{id}:0:{index}")), json!(action), json!(client)));
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn each_refusal_of_presence_has_its_code_and_status() {
    let server = Server::start().await;
    let token = |client: Value, capability: &str| {
        let claims = json!({"x-ably-clientId": client, "x-ably-capability": capability});
        format!("access_token={}", jwt(KEY, &claims))
    };
    let all = r#"{"*":["*"]}"#;
    for format in BOTH {
        for (query, attach, message, error) in [
            (token(json!(null), all), Some(json!({})), json!({"action": 2}), (91000, 400)),
            (token(json!(null), all), Some(json!({})), json!({"action": 2, "clientId": "x"}), (40012, 400)),
            (token(json!("x"), all), Some(json!({})), json!({"action": 2, "clientId": "y"}), (40012, 400)),
            (format!("key={KEY}"), Some(json!({})), json!({"action": 2, "clientId": "*"}), (40012, 400)),
            (
                token(json!("x"), r#"{"*":["subscribe"]}"#),
                Some(json!({})),
                json!({"action": 2}),
                (40160, 401),
            ),
            (
                token(json!("x"), all),
                Some(json!({"params": {"modes": "presence_subscribe,publish"}})),
                json!({"action": 2}),
                (40165, 401),
            ),
            (token(json!("x"), all), None, json!({"action": 2}), (90001, 404)),
            (
                token(json!("x"), all),
                Some(json!({})),
                json!({"action": 2, "data": "x".repeat(65_537)}),
                (40009, 400),
            ),
            (token(json!("x"), all), Some(json!({})), json!({"action": 0}), (40000, 400)),
            (token(json!("x"), all), Some(json!({})), json!({"action": 5}), (40000, 400)),
            (token(json!("x"), all), Some(json!({})), json!({}), (40000, 400)),
        ] {
            let (mut socket, _) = server.connect_with(format, &query).await;
            if let Some(mut attach) = attach {
                attach["channel"] = "a".into();
                socket.attach_with(attach).await;
            }
            let nack = socket.presence("a", 7, message.clone()).await;
            assert_eq!(
                (&nack["action"], &nack["msgSerial"], &nack["count"]),
                (&json!(2), &json!(7), &json!(1))
            );
            let told = (&nack["error"]["code"], &nack["error"]["statusCode"]);
            assert_eq!(told, (&json!(error.0), &json!(error.1)), "{message}");
        }
        assert_eq!(server.get("/channels/a/presence").await.1, json!([]));
    }
}

#[tokio::test]
async fn after_a_detach_a_channel_takes_no_presence() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = member(&server, format, "c").await;
        socket.attach("a").await;
        socket.send(json!({"action": 12, "channel": "a"})).await;
        socket.expect(13).await;
        let nack = socket.presence("a", 0, json!({"action": 2})).await;
        assert_eq!((&nack["error"]["code"], &nack["error"]["statusCode"]), (&json!(90001), &json!(404)));
    }
}

#[tokio::test]
async fn without_members_attached_has_no_has_presence_and_no_sync_comes() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut socket, _) = member(&server, format, "c").await;
        assert_eq!(socket.attach(channel).await["flags"].as_u64().unwrap() & 1, 0);
        socket.expect_nothing().await;
        socket.presence(channel, 0, json!({"action": 2})).await;
        socket.presence(channel, 1, json!({"action": 3})).await;
        let (mut late, _) = server.connect(format).await;
        assert_eq!(late.attach(channel).await["flags"].as_u64().unwrap() & 1, 0);
        late.expect_nothing().await;
    }
}

#[tokio::test]
async fn two_connections_of_one_client_id_are_two_members() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let mut sockets = Vec::new();
        for _ in 0..2 {
            let (mut socket, _) = member(&server, format, "c").await;
            socket.attach(channel).await;
            assert_eq!(socket.presence(channel, 0, json!({"action": 2})).await["action"], 1);
            sockets.push(socket);
        }
        let path = format!("/channels/{channel}/presence");
        let (_, members) = server.get(&path).await;
        assert_eq!(members.as_array().unwrap().len(), 2);
        assert_ne!(members[0]["connectionId"], members[1]["connectionId"]);
        let first = &mut sockets[0];
        first.send(json!({"action": 7})).await;
        while first.receive().await["action"] != 8 {}
        assert_eq!(server.get(&path).await.1.as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn the_members_of_a_lost_connection_leave_after_15_seconds_if_nothing_else_was_asked_for() {
    let server = Server::start().await;
    let (mut watcher, _) = server.connect(Format::Json).await;
    watcher.attach("a").await;
    let (mut socket, connected) = member(&server, Format::Json, "c").await;
    socket.attach("a").await;
    socket.presence("a", 0, json!({"action": 2, "data": "last"})).await;
    let entered = watcher.expect(14).await["presence"][0].clone();
    socket.lose();
    let left = loop {
        let frame = watcher.next_within(Duration::from_secs(30)).await.unwrap();
        if frame["action"] == 14 {
            break frame["presence"][0].clone();
        }
    };
    assert_eq!((&left["action"], &left["data"]), (&json!(3), &json!("last")));
    assert_eq!(left["connectionId"], connected["connectionId"]);
    let waited = left["timestamp"].as_i64().unwrap() - entered["timestamp"].as_i64().unwrap();
    assert!(waited >= 15_000, "left after {waited} ms");
    assert!(!left["id"].as_str().unwrap().starts_with(connected["connectionId"].as_str().unwrap()));
}

#[tokio::test]
async fn a_member_that_left_while_its_client_was_away_enters_again_under_its_old_id() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut watcher, _) = server.connect(format).await;
        watcher.attach(channel).await;
        let query = format!("key={KEY}&clientId=c&remainPresentFor=1000");
        let (mut socket, first) = server.connect_with(format, &query).await;
        socket.attach(channel).await;
        socket.presence(channel, 0, json!({"action": 2, "data": "d"})).await;
        let entered = watcher.expect(14).await["presence"][0].clone();
        socket.lose();
        let left = watcher.expect(14).await["presence"][0].clone();
        assert_eq!(left["action"], 3);
        let key = first["connectionDetails"]["connectionKey"].as_str().unwrap();
        let (mut socket, second) = server.connect_with(format, &format!("{query}&resume={key}")).await;
        assert_eq!(second["connectionId"], first["connectionId"]);
        assert_eq!(socket.attach(channel).await["flags"].as_u64().unwrap() & 1, 0, "nobody is there");
        let again = json!({"action": 2, "id": entered["id"], "data": "d"});
        assert_eq!(socket.presence(channel, 1, again).await["action"], 1);
        let returned = watcher.expect(14).await["presence"][0].clone();
        assert_eq!((&returned["action"], &returned["id"]), (&json!(2), &entered["id"]));
        assert!(returned["timestamp"].as_i64() >= left["timestamp"].as_i64());
    }
}

#[tokio::test]
async fn presence_without_a_msg_serial_is_applied_and_not_answered() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut watcher, _) = server.connect(format).await;
        watcher.attach(format.name()).await;
        let (mut socket, connected) = member(&server, format, "c").await;
        socket.attach_with(json!({"channel": format.name(), "params": {"modes": "presence"}})).await;
        let raw = json!([{"action": 2, "data": {"a": 1}}]);
        socket.send(json!({"action": 14, "channel": format.name(), "presence": raw})).await;
        socket.expect(14).await;
        socket.expect_nothing().await;
        let event = watcher.expect(14).await["presence"][0].clone();
        assert_eq!((&event["data"], &event["encoding"]), (&json!(r#"{"a":1}"#), &json!("json")));
        let own = connected["connectionId"].as_str().unwrap();
        assert!(!event["id"].as_str().unwrap().starts_with(own), "clients are to compare times");
        assert_eq!(event["connectionId"], own);
    }
}
