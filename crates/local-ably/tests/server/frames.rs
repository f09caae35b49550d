//! Frames as they stand on the wire: which fields each has, and what becomes of those that say little, too much or nothing.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{BOTH, Format, KEY, Server, fields, jwt};

#[tokio::test]
async fn each_frame_has_the_fields_that_mean_something_and_none_that_is_null() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut socket, connected) = server.connect_with(format, &format!("key={KEY}&clientId=me")).await;
        assert_eq!(fields(&connected), ["action", "connectionDetails", "connectionId"]);
        assert_eq!(
            fields(&connected["connectionDetails"]),
            [
                "clientId",
                "connectionKey",
                "connectionStateTtl",
                "maxFrameSize",
                "maxIdleInterval",
                "maxInboundRate",
                "maxMessageSize",
                "maxOutboundRate",
                "serverId",
            ]
        );
        let attached = socket.attach(channel).await;
        assert_eq!(fields(&attached), ["action", "channel", "channelSerial", "flags"]);

        let (mut reader, _) = server.connect(format).await;
        reader.attach(channel).await;
        let ack = socket.publish(channel, 0, json!({})).await;
        assert_eq!(fields(&ack), ["action", "count", "msgSerial", "res"]);
        assert_eq!((&ack["msgSerial"], fields(&ack["res"][0])), (&json!(0), vec!["serials"]));
        let frame = reader.expect(15).await;
        let envelope =
            |items| ["action", "channel", "channelSerial", "connectionId", "id", items, "timestamp"];
        assert_eq!(fields(&frame), envelope("messages"));
        let stamped = ["action", "clientId", "connectionId", "id", "serial", "timestamp", "version"];
        assert_eq!(fields(&frame["messages"][0]), stamped);
        assert_eq!(fields(&frame["messages"][0]["version"]), ["serial", "timestamp"]);

        let ack = socket.presence(channel, 1, json!({"action": 2})).await;
        assert_eq!(fields(&ack)[..3], ["action", "count", "msgSerial"]);
        let frame = reader.expect(14).await;
        let mut expected = envelope("presence");
        expected.sort_unstable();
        assert_eq!(fields(&frame), expected);
        let member = ["action", "clientId", "connectionId", "id", "timestamp"];
        assert_eq!(fields(&frame["presence"][0]), member);
        reader.send(json!({"action": 16, "channel": channel})).await;
        let sync = reader.expect(16).await;
        assert_eq!(fields(&sync), ["action", "channel", "presence"], "one page has no channelSerial");
        assert_eq!(fields(&sync["presence"][0]), member);

        let nack = socket.publish(":", 2, json!({})).await;
        assert_eq!(fields(&nack), ["action", "count", "error", "msgSerial"]);
        assert_eq!(fields(&nack["error"]), ["code", "href", "message", "statusCode"]);
        assert_eq!((&nack["count"], &nack["error"]["statusCode"]), (&json!(1), &json!(400)));
        reader.send(json!({"action": 10, "channel": ":"})).await;
        assert_eq!(fields(&reader.expect(9).await), ["action", "channel", "error"]);
        reader.send(json!({"action": 12, "channel": channel})).await;
        assert_eq!(fields(&reader.expect(13).await), ["action", "channel"]);
        reader.send(json!({"action": 0})).await;
        assert_eq!(reader.expect(0).await, json!({"action": 0}));
        reader.send(json!({"action": 7})).await;
        assert_eq!(reader.expect(8).await, json!({"action": 8}));
    }
}

#[tokio::test]
async fn only_frames_that_await_an_answer_are_acked() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        socket.send(json!({"action": 10, "channel": "a", "msgSerial": 0})).await;
        socket.expect(11).await;
        socket.send(json!({"action": 16, "channel": "a", "msgSerial": 1})).await;
        assert_eq!(socket.expect(16).await["presence"], json!([]));
        socket.send(json!({"action": 12, "channel": "a", "msgSerial": 2})).await;
        socket.expect(13).await;
        socket
            .send(json!({"action": 17, "msgSerial": 3, "auth": {"accessToken": jwt(KEY, &json!({}))}}))
            .await;
        socket.expect(4).await;
        for action in [1, 2, 3, 4, 6, 8, 9, 11, 13, 18, 20, 22, 255] {
            socket.send(json!({"action": action, "channel": "a", "msgSerial": 4, "count": 1})).await;
        }
        socket.send(json!({"action": 16, "channel": "never attached", "msgSerial": 5})).await;
        socket.expect_nothing().await;
    }
}

#[tokio::test]
async fn no_messages_are_a_nack_and_no_members_an_ack_be_the_list_empty_null_or_absent() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect_with(format, &format!("key={KEY}&clientId=me")).await;
        socket.attach("a").await;
        for (serial, mut frame) in
            [json!({}), json!({"items": null}), json!({"items": []})].into_iter().enumerate()
        {
            let items = frame.as_object_mut().unwrap().remove("items");
            for (action, name, code) in
                [(15, "messages", Some(40000)), (14, "presence", None), (21, "annotations", Some(40000))]
            {
                let mut frame = json!({"action": action, "channel": "a", "msgSerial": 10 * action + serial});
                if let Some(items) = &items {
                    frame[name] = items.clone();
                }
                socket.send(frame.clone()).await;
                let answer = socket.receive().await;
                assert_eq!(
                    (&answer["msgSerial"], &answer["count"]),
                    (&frame["msgSerial"], &json!(1)),
                    "{frame}"
                );
                assert_eq!(answer["error"]["code"].as_u64(), code, "{frame}");
            }
        }
        for (serial, items) in
            [json!([null]), json!([{}, null]), json!({}), json!("x"), json!([[]])].iter().enumerate()
        {
            socket.send(json!({"action": 15, "channel": "a", "msgSerial": serial, "messages": items})).await;
            assert_eq!(socket.expect_error(2).await, (40000, 400), "{items}");
        }
        socket.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_msg_serial_may_be_any_whole_number_and_leave_gaps() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut socket, connected) = server.connect(format).await;
        socket.attach(channel).await;
        let id = connected["connectionId"].as_str().unwrap();
        for serial in [5, 0, 4_294_967_296, 9_007_199_254_740_991, i64::MAX, -1] {
            socket
                .send(json!({"action": 15, "channel": channel, "msgSerial": serial, "messages": [{}]}))
                .await;
            let frames = [socket.receive().await, socket.receive().await];
            let ack = frames.iter().find(|frame| frame["action"] == 1).unwrap();
            assert_eq!((&ack["msgSerial"], &ack["count"]), (&json!(serial), &json!(1)));
            let echo = frames.iter().find(|frame| frame["action"] == 15).unwrap();
            assert_eq!(echo["messages"][0]["id"], format!("{id}:{serial}:0"));
        }
        socket
            .send(json!({"action": 15, "channel": channel, "msgSerial": null, "messages": [{"data": "x"}]}))
            .await;
        assert_eq!(socket.expect(15).await["messages"][0]["data"], "x", "without one no answer is awaited");
        socket.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_frame_in_another_format_than_the_one_asked_for_fails_the_connection_by_40000() {
    let server = Server::start().await;
    let heartbeat = json!({"action": 0, "id": "x"});
    for (format, message) in [
        (Format::Msgpack, Message::Text(heartbeat.to_string().into())),
        (Format::Msgpack, Message::Binary(heartbeat.to_string().into_bytes().into())),
        (Format::Json, Message::Binary(Format::Msgpack.write(&heartbeat).into())),
        (Format::Json, Message::Text(format!("{heartbeat}{heartbeat}").into())),
        (Format::Msgpack, Message::Binary([Format::Msgpack.write(&heartbeat), vec![0]].concat().into())),
        (Format::Json, Message::Text("[]".into())),
        (Format::Json, Message::Text("null".into())),
        (Format::Json, Message::Text("".into())),
    ] {
        let (mut socket, _) = server.connect(format).await;
        socket.send_message(message.clone()).await;
        let frame = socket.expect(9).await;
        assert!(frame.get("channel").is_none());
        assert_eq!(
            (&frame["error"]["code"], &frame["error"]["statusCode"]),
            (&json!(40000), &json!(400)),
            "{message:?}"
        );
        socket.expect_end().await;
    }
}

#[tokio::test]
async fn a_websocket_ping_is_answered_by_its_pong() {
    let server = Server::start().await;
    let url = format!("ws://127.0.0.1:{}/?v=6&format=json&key={KEY}", server.port());
    let (mut stream, _) = connect_async(url).await.unwrap();
    stream.send(Message::Ping(vec![1, 2].into())).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.push(stream.next().await.unwrap().unwrap());
    }
    assert!(seen.contains(&Message::Pong(vec![1, 2].into())), "{seen:?}");
}

#[tokio::test]
async fn of_any_version_and_without_a_format_frames_are_json_in_text() {
    let server = Server::start().await;
    for query in ["v=6", "v=2&format=", "format=xml", "v=99&heartbeats=true"] {
        let url = format!("ws://127.0.0.1:{}/?{query}&key={KEY}", server.port());
        let (mut stream, _) = connect_async(url).await.unwrap();
        let Some(Ok(Message::Text(text))) = stream.next().await else { panic!("{query}") };
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["action"], 4);
    }
}
