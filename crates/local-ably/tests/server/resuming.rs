use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, OTHER_KEY, Server};

fn key_of(connected: &Value) -> String {
    connected["connectionDetails"]["connectionKey"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_resumed_connection_keeps_its_id_gets_a_new_key_and_misses_nothing() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let path = format!("/channels/{channel}/messages");
        let (mut socket, first) = server.connect(format).await;
        let mut serial = socket.attach(channel).await["channelSerial"].clone();
        server.post(&path, &json!({"data": "1"})).await;
        serial = match socket.expect(15).await["channelSerial"].clone() {
            Value::Null => serial,
            later => later,
        };
        socket.lose();
        for data in ["2", "3"] {
            server.post(&path, &json!({"data": data})).await;
        }
        let resume = format!("key={KEY}&resume={}", key_of(&first));
        let (mut socket, second) = server.connect_with(format, &resume).await;
        assert_eq!(second["connectionId"], first["connectionId"]);
        assert_ne!(key_of(&second), key_of(&first));
        assert!(second.get("error").is_none());
        let attached = socket.attach_with(json!({"channel": channel, "channelSerial": serial})).await;
        assert_eq!(attached["flags"].as_u64().unwrap() & 0b110, 0b110, "RESUMED and HAS_BACKLOG");
        for data in ["2", "3"] {
            assert_eq!(socket.expect(15).await["messages"][0]["data"], data);
        }
        socket.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_key_that_is_not_known_gets_a_new_connection_with_80018() {
    let server = Server::start().await;
    for how in ["resume", "recover"] {
        for key in ["nonsense", "a!b", "!"] {
            let (_socket, connected) =
                server.connect_with(Format::Json, &format!("key={KEY}&{how}={key}")).await;
            assert_eq!(connected["error"]["code"], 80018, "{how} {key}");
            assert_eq!(connected["error"]["statusCode"], 400);
            let message = connected["error"]["message"].as_str().unwrap();
            assert!(message.starts_with("Unable to recover connection"), "SDKs know it by these words");
        }
    }
}

#[tokio::test]
async fn a_closed_connection_cannot_be_resumed() {
    let server = Server::start().await;
    let (mut socket, first) = server.connect(Format::Json).await;
    socket.send(json!({"action": 7})).await;
    socket.expect(8).await;
    let (_socket, second) =
        server.connect_with(Format::Json, &format!("key={KEY}&resume={}", key_of(&first))).await;
    assert_ne!(second["connectionId"], first["connectionId"]);
    assert_eq!(second["error"]["code"], 80018);
}

#[tokio::test]
async fn a_client_that_disconnects_may_resume() {
    let server = Server::start().await;
    let (mut socket, first) = server.connect(Format::Json).await;
    socket.send(json!({"action": 5})).await;
    socket.expect_end().await;
    let (_socket, second) =
        server.connect_with(Format::Json, &format!("key={KEY}&resume={}", key_of(&first))).await;
    assert_eq!(second["connectionId"], first["connectionId"]);
}

#[tokio::test]
async fn a_frame_sent_again_after_a_resume_gets_its_first_answer() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut socket, first) = server.connect(format).await;
        let ack = socket.publish(channel, 0, json!({"data": "1"})).await;
        socket.lose();
        let resume = format!("key={KEY}&resume={}", key_of(&first));
        let (mut socket, _) = server.connect_with(format, &resume).await;
        assert_eq!(socket.publish(channel, 0, json!({"data": "1"})).await, ack);
        socket.publish(channel, 1, json!({"data": "2"})).await;
        let (_, history) = server.get(&format!("/channels/{channel}/messages")).await;
        assert_eq!(history.as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn another_identity_cannot_resume() {
    let server = Server::start().await;
    let (_socket, first) = server.connect_with(Format::Json, &format!("key={KEY}&clientId=x")).await;
    let resume = format!("key={KEY}&clientId=y&resume={}", key_of(&first));
    let mut socket = server.open(Format::Json, &resume).await;
    assert_eq!(socket.expect_error(9).await, (40102, 401));
}

#[tokio::test]
async fn a_socket_that_is_superseded_only_beats_and_touches_nothing() {
    let server = Server::start().await;
    let (mut old, first) = server.connect_with(Format::Json, &format!("key={KEY}&clientId=me")).await;
    old.attach("a").await;
    old.presence("a", 0, json!({"action": 2})).await;
    let resume = format!("key={KEY}&clientId=me&resume={}", key_of(&first));
    let (mut new, second) = server.connect_with(Format::Json, &resume).await;
    assert_eq!(second["connectionId"], first["connectionId"]);
    new.attach("a").await;
    new.expect(16).await;
    server.post("/channels/a/messages", &json!({"data": "x"})).await;
    new.expect(15).await;
    old.expect_nothing().await;
    assert_eq!(old.publish("a", 1, json!({})).await["action"], 2);
    old.send(json!({"action": 7})).await;
    old.expect(8).await;
    old.expect_end().await;
    new.expect_nothing().await;
    assert_eq!(server.get("/channels/a/presence").await.1.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_unreadable_channel_serial_loses_continuity() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Json).await;
    let attached = socket.attach_with(json!({"channel": "a", "channelSerial": "nonsense"})).await;
    assert_eq!((&attached["error"]["code"], &attached["error"]["statusCode"]), (&json!(90003), &json!(404)));
    assert_eq!(attached["flags"].as_u64().unwrap() & 0b100, 0);
}

#[tokio::test]
async fn another_app_cannot_resume() {
    let server = Server::start().await;
    let (_socket, first) = server.connect(Format::Json).await;
    let resume = format!("key={OTHER_KEY}&resume={}", key_of(&first));
    assert_eq!(server.open(Format::Json, &resume).await.expect_error(9).await, (40102, 401));
}

#[tokio::test]
async fn a_recovered_connection_goes_on_like_a_resumed_one() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, first) = server.connect(format).await;
        let seen = socket.attach("a").await["channelSerial"].clone();
        socket.lose();
        server.post("/channels/a/messages", &json!({"data": "missed"})).await;
        let recover = format!("key={KEY}&recover={}", key_of(&first));
        let (mut socket, second) = server.connect_with(format, &recover).await;
        assert_eq!(second["connectionId"], first["connectionId"]);
        assert!(second.get("error").is_none());
        socket.attach_with(json!({"channel": "a", "channelSerial": seen, "flags": 1 << 5})).await;
        assert_eq!(socket.expect(15).await["messages"][0]["data"], "missed");
    }
}

#[tokio::test]
async fn attachments_belong_to_the_socket_and_not_to_the_connection() {
    let server = Server::start().await;
    let (mut socket, first) = server.connect(Format::Json).await;
    socket.attach("a").await;
    socket.lose();
    let (mut socket, _) =
        server.connect_with(Format::Json, &format!("key={KEY}&resume={}", key_of(&first))).await;
    server.post("/channels/a/messages", &json!({"data": "x"})).await;
    socket.expect_nothing().await;
}

#[tokio::test]
async fn the_key_before_is_good_until_the_new_socket_has_sent_a_frame() {
    let server = Server::start().await;
    let (_first, connected) = server.connect(Format::Json).await;
    let resume = format!("key={KEY}&resume={}", key_of(&connected));
    let (_lost, second) = server.connect_with(Format::Json, &resume).await;
    let (mut third_socket, third) = server.connect_with(Format::Json, &resume).await;
    for again in [&second, &third] {
        assert_eq!(again["connectionId"], connected["connectionId"]);
    }
    third_socket.expect_nothing().await;
    let (_socket, fourth) = server.connect_with(Format::Json, &resume).await;
    assert_ne!(fourth["connectionId"], connected["connectionId"]);
    assert_eq!(fourth["error"]["code"], 80018, "superseded");
}

#[tokio::test]
async fn a_presence_frame_sent_again_after_a_resume_is_no_second_event() {
    let server = Server::start().await;
    let (mut watcher, _) = server.connect(Format::Json).await;
    watcher.attach("a").await;
    let query = format!("key={KEY}&clientId=me");
    let (mut socket, first) = server.connect_with(Format::Json, &query).await;
    socket.attach("a").await;
    let ack = socket.presence("a", 0, json!({"action": 2, "data": "x"})).await;
    socket.lose();
    let resume = format!("{query}&resume={}", key_of(&first));
    let (mut socket, _) = server.connect_with(Format::Json, &resume).await;
    socket.attach("a").await;
    assert_eq!(socket.presence("a", 0, json!({"action": 2, "data": "x"})).await, ack);
    watcher.expect(14).await;
    watcher.expect_nothing().await;
}

#[tokio::test]
async fn on_resume_members_come_by_sync_and_presence_is_never_replayed() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut socket, first) = server.connect(format).await;
        let seen = socket.attach(channel).await["channelSerial"].clone();
        socket.lose();
        let (mut other, _) = server.connect(format).await;
        other.attach(channel).await;
        for (serial, action) in [2, 4, 3, 2].into_iter().enumerate() {
            other.presence(channel, serial as u64, json!({"action": action, "clientId": "c"})).await;
        }
        server.post(&format!("/channels/{channel}/messages"), &json!({"data": "x"})).await;
        let (mut socket, _) =
            server.connect_with(format, &format!("key={KEY}&resume={}", key_of(&first))).await;
        let attached = socket.attach_with(json!({"channel": channel, "channelSerial": seen})).await;
        assert_eq!(attached["flags"].as_u64().unwrap() & 0b111, 0b111);
        let sync = socket.expect(16).await;
        assert_eq!(
            (sync["presence"].as_array().unwrap().len(), &sync["presence"][0]["action"]),
            (1, &json!(1))
        );
        socket.expect(15).await;
        socket.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_resume_from_a_presence_event_misses_and_doubles_nothing() {
    let server = Server::start().await;
    let (mut socket, first) = server.connect(Format::Json).await;
    socket.attach("a").await;
    server.post("/channels/a/messages", &json!({"data": "before"})).await;
    socket.expect(15).await;
    socket.send(json!({"action": 14, "channel": "a", "msgSerial": 0, "presence": [{"action": 2, "clientId": "c"}]})).await;
    let frames = [socket.receive().await, socket.receive().await];
    let seen = frames.iter().find(|frame| frame["action"] == 14).unwrap()["channelSerial"].clone();
    socket.lose();
    server.post("/channels/a/messages", &json!({"data": "after"})).await;
    let (mut socket, _) =
        server.connect_with(Format::Json, &format!("key={KEY}&resume={}", key_of(&first))).await;
    socket.attach_with(json!({"channel": "a", "channelSerial": seen})).await;
    socket.expect(16).await;
    assert_eq!(socket.expect(15).await["messages"][0]["data"], "after");
    socket.expect_nothing().await;
}
