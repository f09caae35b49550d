//! What a client that comes back finds: its connection across formats, its channels by their serials.

use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, Server, Socket, bin, jwt};

const HAS_BACKLOG: u64 = 1 << 1;
const RESUMED: u64 = 1 << 2;

async fn resume(server: &Server, format: Format, how: &str, connected: &Value) -> (Socket, Value) {
    let key = connected["connectionDetails"]["connectionKey"].as_str().unwrap();
    server.connect_with(format, &format!("key={KEY}&{how}={key}")).await
}

fn continuity(attached: &Value) -> u64 {
    attached["flags"].as_u64().unwrap() & (HAS_BACKLOG | RESUMED)
}

#[tokio::test]
async fn a_connection_goes_on_in_the_other_format_with_its_answers_its_bytes_and_its_members() {
    let server = Server::start().await;
    for (before, after) in [(Format::Json, Format::Msgpack), (Format::Msgpack, Format::Json)] {
        let channel = before.name();
        let bytes = |format| match format {
            Format::Json => json!({"data": "AP8=", "encoding": "base64"}),
            Format::Msgpack => json!({"data": bin(&[0, 255])}),
        };
        let (mut socket, first) = server.connect(before).await;
        let mut seen = socket.attach(channel).await["channelSerial"].clone();
        let ack = socket.publish(channel, 0, bytes(before)).await;
        let mut member = bytes(before);
        (member["action"], member["clientId"]) = (2.into(), "c".into());
        socket.send(json!({"action": 14, "channel": channel, "msgSerial": 1, "presence": [member]})).await;
        for frame in [socket.receive().await, socket.receive().await] {
            if let Some(serial) = frame.get("channelSerial") {
                seen = serial.clone();
            }
        }
        socket.lose();
        let (mut writer, _) = server.connect(before).await;
        writer.publish(channel, 0, bytes(before)).await;

        let (mut socket, second) = resume(&server, after, "resume", &first).await;
        assert_eq!(second["connectionId"], first["connectionId"]);
        let attached = socket.attach_with(json!({"channel": channel, "channelSerial": seen})).await;
        assert_eq!(continuity(&attached), HAS_BACKLOG | RESUMED);
        let mut frames = vec![socket.expect(16).await, socket.expect(15).await];
        let (missed, synced) =
            (frames.pop().unwrap()["messages"][0].clone(), frames.pop().unwrap()["presence"][0].clone());
        for item in [missed, synced] {
            assert_eq!(
                (&item["data"], item.get("encoding")),
                (&bytes(after)["data"], bytes(after).get("encoding"))
            );
        }
        assert_eq!(socket.publish(channel, 0, bytes(after)).await, ack, "sent again it is known");
        socket.expect_nothing().await;
    }
}

#[tokio::test]
async fn where_nothing_was_missed_a_channel_is_resumed_without_a_backlog() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut socket, first) = server.connect(format).await;
        socket.attach(channel).await;
        server.post(&format!("/channels/{channel}/messages"), &json!({})).await;
        let seen = socket.expect(15).await["channelSerial"].clone();
        socket.lose();
        let mut last = first;
        for how in ["resume", "recover"] {
            let (mut socket, connected) = resume(&server, format, how, &last).await;
            assert_eq!(connected["connectionId"], last["connectionId"]);
            let attached = socket.attach_with(json!({"channel": channel, "channelSerial": seen})).await;
            assert_eq!(continuity(&attached), RESUMED);
            assert!(attached.get("error").is_none());
            assert_eq!(attached["channelSerial"], seen);
            socket.expect_nothing().await;
            socket.lose();
            last = connected;
        }
    }
}

#[tokio::test]
async fn continuity_is_per_channel_and_does_not_need_the_same_connection() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        let channel = format!("kept-{}", format.name());
        let seen = socket.attach(&channel).await["channelSerial"].clone();
        socket.attach("lost").await;
        socket.lose();
        server.post(&format!("/channels/{channel}/messages"), &json!({"data": "missed"})).await;
        let (mut socket, connected) =
            server.connect_with(format, &format!("key={KEY}&resume=un!known")).await;
        assert_eq!(
            (&connected["error"]["code"], &connected["error"]["statusCode"]),
            (&json!(80018), &json!(400))
        );
        assert!(connected["connectionDetails"]["connectionKey"].is_string(), "it is connected all the same");
        let attached = socket.attach_with(json!({"channel": channel, "channelSerial": seen})).await;
        assert_eq!(continuity(&attached), HAS_BACKLOG | RESUMED);
        assert_eq!(socket.expect(15).await["messages"][0]["data"], "missed");
        let attached = socket.attach_with(json!({"channel": "lost", "channelSerial": seen})).await;
        assert_eq!(continuity(&attached), 0, "a serial of another channel is none of this one");
        assert_eq!(
            (&attached["error"]["code"], &attached["error"]["statusCode"]),
            (&json!(90003), &json!(404))
        );
        socket.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_serial_that_cannot_be_read_replays_nothing_and_messages_go_on_live() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let path = format!("/channels/{channel}/messages");
        server.post(&path, &json!({"data": "before"})).await;
        for serial in ["nonsense", "@", "00000000000001-000@nothere", "99999999999999-999@x:000"] {
            let (mut socket, _) = server.connect(format).await;
            let params = json!({"rewind": "10"});
            let attached = socket
                .attach_with(json!({"channel": channel, "channelSerial": serial, "params": params}))
                .await;
            assert_eq!(continuity(&attached), 0, "{serial}");
            assert_eq!(
                (&attached["error"]["code"], &attached["error"]["statusCode"]),
                (&json!(90003), &json!(404))
            );
            assert!(attached["error"]["message"].is_string());
            socket.expect_nothing().await;
            server.post(&path, &json!({"data": "live"})).await;
            assert_eq!(socket.expect(15).await["messages"][0]["data"], "live");
        }
        let (mut socket, _) = server.connect(format).await;
        let attached = socket.attach_with(json!({"channel": channel, "channelSerial": ""})).await;
        assert!(attached.get("error").is_none(), "an empty one is none");
    }
}

#[tokio::test]
async fn a_resume_in_the_midst_of_an_array_brings_the_rest_of_it() {
    let server = Server::start().await;
    let (mut socket, first) = server.connect(Format::Json).await;
    socket.attach("a").await;
    server.post("/channels/a/messages", &json!([{"data": "1"}, {"data": "2"}, {"data": "3"}])).await;
    let frame = socket.expect(15).await;
    socket.lose();
    let (mut socket, _) = resume(&server, Format::Json, "resume", &first).await;
    let serial = &frame["messages"][0]["serial"];
    let attached = socket.attach_with(json!({"channel": "a", "channelSerial": serial})).await;
    assert_eq!(continuity(&attached), HAS_BACKLOG | RESUMED);
    let rest = socket.expect(15).await;
    let data: Vec<_> = rest["messages"].as_array().unwrap().iter().map(|message| &message["data"]).collect();
    assert_eq!(data, ["2", "3"]);
    assert_eq!(rest["messages"][0]["id"], frame["messages"][1]["id"]);
}

#[tokio::test]
async fn a_nack_is_given_again_to_a_frame_that_is_sent_again() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, first) = server.connect(format).await;
        let nack = socket.publish(":", 3, json!({})).await;
        assert_eq!((&nack["error"]["code"], &nack["error"]["statusCode"]), (&json!(40010), &json!(400)));
        socket.lose();
        let (mut socket, _) = resume(&server, format, "resume", &first).await;
        assert_eq!(socket.publish(":", 3, json!({})).await, nack);
    }
}

#[tokio::test]
async fn a_connection_that_a_token_began_goes_on_with_another_token_of_the_same_identity() {
    let server = Server::start().await;
    let token =
        |client: &str| jwt(KEY, &json!({"x-ably-clientId": client, "x-ably-capability": r#"{"*":["*"]}"#}));
    for format in BOTH {
        let (socket, first) = server.connect_with(format, &format!("access_token={}", token("x"))).await;
        socket.lose();
        let key = first["connectionDetails"]["connectionKey"].as_str().unwrap();
        let mut other = server.open(format, &format!("access_token={}&resume={key}", token("y"))).await;
        assert_eq!(other.expect_error(9).await, (40102, 401));
        other.expect_end().await;
        let (_socket, second) =
            server.connect_with(format, &format!("access_token={}&resume={key}", token("x"))).await;
        assert_eq!(second["connectionId"], first["connectionId"], "a refusal takes nothing away");
    }
}

/// Publishes so many messages on a connection that is lost again and again, and sends again each time what it has seen no answer to.
async fn publish_over_bad_lines(server: &Server, channel: &str, messages: u64) {
    let (mut socket, mut connected) = server.connect(Format::Json).await;
    let id = connected["connectionId"].clone();
    let mut answered = 0;
    while answered < messages {
        // Some answers are read before the socket is lost, some never.
        let until = messages.min(answered + 7);
        for serial in answered..until {
            let message = json!({"data": serial.to_string()});
            socket
                .send(json!({"action": 15, "channel": channel, "msgSerial": serial, "messages": [message]}))
                .await;
        }
        let acked = until.min(answered + 4);
        for serial in answered..acked {
            assert_eq!(socket.expect(1).await["msgSerial"], serial);
        }
        answered = acked;
        socket.lose();
        let format = BOTH[usize::try_from(answered % 2).unwrap()];
        (socket, connected) = resume(server, format, "resume", &connected).await;
        assert_eq!(connected["connectionId"], id);
    }
}

#[tokio::test]
async fn nothing_is_lost_doubled_or_out_of_order_while_both_ends_lose_their_sockets_again_and_again() {
    const MESSAGES: u64 = 200;
    let server = Server::start().await;
    let reading = async {
        let (mut socket, mut connected) = server.connect(Format::Msgpack).await;
        let mut seen = socket.attach("a").await["channelSerial"].clone();
        let mut received = Vec::new();
        while received.len() < usize::try_from(MESSAGES).unwrap() {
            for _ in 0..(5 + received.len() % 5) {
                if received.len() == usize::try_from(MESSAGES).unwrap() {
                    break;
                }
                let frame = socket.expect(15).await;
                seen = frame["channelSerial"].clone();
                received.push(frame["messages"][0]["data"].clone());
            }
            socket.lose();
            let format = BOTH[received.len() % 2];
            (socket, connected) = resume(&server, format, "resume", &connected).await;
            let attached = socket.attach_with(json!({"channel": "a", "channelSerial": seen})).await;
            assert_eq!(continuity(&attached) & RESUMED, RESUMED);
        }
        socket.expect_nothing().await;
        received
    };
    let attached = async {
        // The reader's first ATTACH comes before the first message, whichever is polled first.
        while server.get("/channels/a").await.1["status"]["occupancy"]["metrics"]["subscribers"] != 1 {}
        publish_over_bad_lines(&server, "a", MESSAGES).await;
    };
    let (received, ()) = tokio::join!(reading, attached);
    let expected: Vec<_> = (0..MESSAGES).map(|serial| json!(serial.to_string())).collect();
    assert_eq!(received, expected);
}
