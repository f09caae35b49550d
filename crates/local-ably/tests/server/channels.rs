use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, Server, bin, jwt};

#[tokio::test]
async fn a_publish_is_acked_per_frame_and_reaches_all_who_subscribe() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut writer, connected) = server.connect_with(format, &format!("key={KEY}&clientId=me")).await;
        let id = connected["connectionId"].as_str().unwrap();
        for other in BOTH {
            let (mut reader, _) = server.connect(other).await;
            reader.attach("a").await;
            let serial = if other == Format::Json { 0 } else { 1 };
            let messages = json!([{"name": "n", "data": "1"}, {"name": "n", "data": ""}]);
            writer
                .send(json!({"action": 15, "channel": "a", "msgSerial": serial, "messages": messages}))
                .await;
            let ack = writer.expect(1).await;
            assert_eq!((&ack["msgSerial"], &ack["count"]), (&json!(serial), &json!(1)));
            let serials = ack["res"][0]["serials"].as_array().unwrap();
            assert_eq!((serials.len(), ack["res"].as_array().unwrap().len()), (2, 1));
            let frame = reader.expect(15).await;
            assert_eq!(frame["id"], format!("{id}:{serial}"));
            assert_eq!(frame["connectionId"], id);
            assert_eq!(frame["channel"], "a");
            assert!(frame["channelSerial"].is_string() && frame["timestamp"].is_i64());
            for index in 0..2 {
                let message = &frame["messages"][index];
                assert_eq!(message["id"], format!("{id}:{serial}:{index}"));
                assert_eq!((&message["name"], &message["clientId"]), (&json!("n"), &json!("me")));
                assert_eq!((&message["serial"], &message["action"]), (&serials[index], &json!(0)));
            }
            assert_eq!(frame["messages"][1]["data"], "");
        }
    }
}

#[tokio::test]
async fn absent_fields_are_left_out() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        socket.attach("a").await;
        let message = json!({"name": null, "data": null, "clientId": null, "extras": null, "encoding": null});
        socket.send(json!({"action": 15, "channel": "a", "msgSerial": 0, "messages": [message]})).await;
        let frame = match socket.receive().await {
            ack if ack["action"] == 1 => socket.expect(15).await,
            frame => frame,
        };
        let keys: Vec<_> = frame["messages"][0].as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["action", "connectionId", "id", "serial", "timestamp", "version"]);
    }
}

#[tokio::test]
async fn binary_is_base64_in_json_and_bytes_in_msgpack_whoever_published_it() {
    let server = Server::start().await;
    let (mut json_client, _) = server.connect_with(Format::Json, &format!("key={KEY}&echo=false")).await;
    let (mut msgpack_client, _) =
        server.connect_with(Format::Msgpack, &format!("key={KEY}&echo=false")).await;
    json_client.attach("a").await;
    msgpack_client.attach("a").await;
    let in_json = json!({"data": "AP8=", "encoding": "cipher+aes-128-cbc/base64"});
    let in_msgpack = json!({"data": bin(&[0, 255]), "encoding": "cipher+aes-128-cbc"});
    json_client.publish("a", 0, in_json.clone()).await;
    let seen = msgpack_client.expect(15).await;
    assert_eq!(seen["messages"][0]["data"], in_msgpack["data"]);
    assert_eq!(seen["messages"][0]["encoding"], in_msgpack["encoding"]);
    msgpack_client.publish("a", 0, in_msgpack).await;
    let seen = json_client.expect(15).await;
    assert_eq!(seen["messages"][0]["data"], in_json["data"]);
    assert_eq!(seen["messages"][0]["encoding"], in_json["encoding"]);
    let (_, history) = server.get("/channels/a/messages").await;
    for message in history.as_array().unwrap() {
        assert_eq!((&message["data"], &message["encoding"]), (&in_json["data"], &in_json["encoding"]));
    }
}

#[tokio::test]
async fn extras_and_strange_encodings_pass_untouched() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut reader, _) = server.connect(format).await;
        reader.attach("a").await;
        let (mut writer, _) = server.connect(format).await;
        let message = json!({
            "data": "!", "encoding": "no/such/base64",
            "extras": {"headers": {"a": [1, null, 2.5, "x"]}, "push": {}},
        });
        writer.publish("a", 0, message.clone()).await;
        let seen = &reader.expect(15).await["messages"][0];
        for field in ["data", "encoding", "extras"] {
            assert_eq!(seen[field], message[field]);
        }
    }
}

#[tokio::test]
async fn echo_false_hides_own_messages_also_from_a_rewind() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect_with(Format::Json, &format!("key={KEY}&echo=false")).await;
    socket.attach("a").await;
    socket.publish("a", 0, json!({"name": "own"})).await;
    socket.expect_nothing().await;
    socket.send(json!({"action": 12, "channel": "a"})).await;
    socket.expect(13).await;
    socket.attach_with(json!({"channel": "a", "params": {"rewind": "10"}})).await;
    socket.expect_nothing().await;
}

#[tokio::test]
async fn a_bad_channel_name_is_refused_under_exactly_that_name_and_the_connection_goes_on() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        for name in ["", ":a", ",a", " a", "[a", "[x]a", "a\nb"] {
            socket.send(json!({"action": 10, "channel": name})).await;
            let error = socket.expect(9).await;
            assert_eq!(error["channel"], name);
            assert_eq!(error["error"]["code"], 40010);
            let nack = socket.publish(name, 0, json!({})).await;
            assert_eq!((&nack["action"], &nack["error"]["code"]), (&json!(2), &json!(40010)));
        }
        socket.send(json!({"action": 10})).await;
        assert_eq!(socket.expect(9).await["channel"], "");
        socket.attach("a").await;
    }
}

#[tokio::test]
async fn what_the_capability_does_not_allow_is_40160() {
    let server = Server::start().await;
    for format in BOTH {
        let capability = json!({"read:*": ["subscribe"], "write": ["publish"]});
        let (mut socket, _) = server.connect_able(format, &capability).await;
        let attached = socket.attach("read:1").await;
        assert_eq!(attached["flags"], (1 << 18) | (1 << 19));
        for name in ["read", "other", "[meta]read:1"] {
            socket.send(json!({"action": 10, "channel": name})).await;
            let error = socket.expect(9).await;
            assert_eq!(
                (&error["error"]["code"], &error["error"]["statusCode"]),
                (&json!(40160), &json!(401))
            );
            assert_eq!(error["channel"], name);
            let message = error["error"]["message"].as_str().unwrap();
            assert!(message.starts_with("Channel denied access based on given capability"), "{message}");
        }
        let nack = socket.publish("read:1", 0, json!({})).await;
        assert_eq!((&nack["count"], &nack["error"]["code"]), (&json!(1), &json!(40160)));
        let message = nack["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("denied access based on given capability") && message.contains("not permitted")
        );
        assert_eq!(socket.publish("write", 1, json!({})).await["action"], 1);
        let nack = socket.presence("read:1", 2, json!({"action": 2})).await;
        assert_eq!(nack["error"]["code"], 40160);
    }
}

#[tokio::test]
async fn a_mode_that_was_not_requested_is_40165() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect_with(format, &format!("key={KEY}&clientId=me")).await;
        let attached = socket.attach_with(json!({"channel": "a", "params": {"modes": "subscribe"}})).await;
        assert_eq!(
            (&attached["flags"], &attached["params"]["modes"]),
            (&json!(1 << 18), &json!("subscribe"))
        );
        for answer in
            [socket.publish("a", 0, json!({})).await, socket.presence("a", 1, json!({"action": 2})).await]
        {
            assert_eq!(
                (&answer["error"]["code"], &answer["error"]["statusCode"]),
                (&json!(40165), &json!(401))
            );
        }
        socket.attach_with(json!({"channel": "a", "flags": (1 << 17) | (1 << 18)})).await;
        assert_eq!(socket.publish("a", 2, json!({})).await["action"], 1);
    }
}

#[tokio::test]
async fn a_publishers_client_id_is_stamped_or_checked() {
    let server = Server::start().await;
    let named = jwt(KEY, &json!({"x-ably-clientId": "x"}));
    let anonymous = jwt(KEY, &json!({}));
    for (query, sent, result) in [
        (format!("key={KEY}"), json!("y"), Ok(json!("y"))),
        (format!("key={KEY}"), Value::Null, Ok(Value::Null)),
        (format!("access_token={named}"), Value::Null, Ok(json!("x"))),
        (format!("access_token={named}"), json!("x"), Ok(json!("x"))),
        (format!("access_token={named}"), json!("y"), Err(40012)),
        (format!("access_token={anonymous}"), json!("y"), Err(40012)),
        (format!("key={KEY}"), json!("*"), Err(40012)),
    ] {
        let (mut reader, _) = server.connect(Format::Json).await;
        reader.attach("a").await;
        let (mut writer, _) = server.connect_with(Format::Json, &query).await;
        let answer = writer.publish("a", 0, json!({"clientId": sent})).await;
        match result {
            Ok(client_id) => assert_eq!(reader.expect(15).await["messages"][0]["clientId"], client_id),
            Err(code) => assert_eq!(answer["error"]["code"], code),
        }
    }
}

#[tokio::test]
async fn ids_of_clients_are_kept_and_make_doubles_known() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut reader, _) = server.connect(format).await;
        reader.attach(channel).await;
        let (mut writer, _) = server.connect(format).await;
        let first = writer.publish(channel, 0, json!({"id": "mine", "data": "1"})).await;
        let second = writer.publish(channel, 1, json!({"id": "mine", "data": "1"})).await;
        assert_eq!(first["res"], second["res"]);
        let bad = json!([{"id": "b:0"}, {"id": "c:1"}]);
        writer.send(json!({"action": 15, "channel": channel, "msgSerial": 2, "messages": bad})).await;
        assert_eq!(writer.answer().await["error"]["code"], 40031);
        assert_eq!(reader.expect(15).await["messages"][0]["id"], "mine");
        reader.expect_nothing().await;
    }
}

#[tokio::test]
async fn the_same_msg_serial_twice_gets_the_same_answer_and_one_delivery() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Json).await;
    let first = socket.publish("a", 5, json!({"data": "1"})).await;
    assert_eq!(socket.publish("a", 5, json!({"data": "1"})).await, first);
    assert_eq!(server.get("/channels/a/messages").await.1.as_array().unwrap().len(), 1);
    let elsewhere = socket.publish("b", 5, json!({"data": "2"})).await;
    assert_eq!(elsewhere["action"], 1);
    assert_eq!(server.get("/channels/b/messages").await.1[0]["data"], "2", "ids are a channel's own");
}

#[tokio::test]
async fn a_publish_over_64_kib_is_nacked_by_40009() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        let nack = socket.publish("a", 0, json!({"data": "x".repeat(65_537)})).await;
        assert_eq!((&nack["action"], &nack["error"]["code"]), (&json!(2), &json!(40009)));
        assert_eq!(socket.publish("a", 1, json!({"data": "x".repeat(65_536)})).await["action"], 1);
    }
}

#[tokio::test]
async fn frames_that_cannot_be_served_are_nacked_if_they_await_an_answer() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        for frame in [
            json!({"action": 15, "channel": "a", "msgSerial": 0, "messages": []}),
            json!({"action": 15, "channel": "a", "msgSerial": 1, "messages": [{"name": 7}]}),
            json!({"action": 15, "channel": "a", "msgSerial": 2, "messages": [{"action": 4, "serial": "x"}]}),
            json!({"action": 19, "channel": "a", "msgSerial": 3, "state": [{"operation": {"action": 1}}]}),
            json!({"action": 21, "channel": "a", "msgSerial": 4}),
            json!({"action": 14, "channel": "a", "msgSerial": 5, "presence": [{}]}),
        ] {
            socket.send(frame.clone()).await;
            let nack = socket.expect(2).await;
            assert_eq!((&nack["msgSerial"], &nack["count"]), (&frame["msgSerial"], &json!(1)));
            assert_eq!(nack["error"]["code"], 40000);
        }
        let forced = json!({"action": 15, "channel": "a", "msgSerial": 6, "messages": [{}], "params": {"_forceNack": true}});
        socket.send(forced).await;
        assert_eq!(socket.expect_error(2).await, (40099, 400));
    }
}

#[tokio::test]
async fn a_connection_attaches_to_200_channels() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Msgpack).await;
    for index in 0..200 {
        socket.attach(&format!("c{index}")).await;
    }
    socket.send(json!({"action": 10, "channel": "one more"})).await;
    assert_eq!(socket.expect_error(9).await, (90010, 400));
    socket.attach("c0").await;
}

#[tokio::test]
async fn detach_is_answered_and_nothing_comes_after_it() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Json).await;
    socket.attach("a").await;
    socket.send(json!({"action": 12, "channel": "a"})).await;
    assert_eq!(socket.expect(13).await["channel"], "a");
    socket.publish("a", 0, json!({})).await;
    socket.expect_nothing().await;
    socket.send(json!({"action": 12, "channel": "never attached"})).await;
    socket.expect(13).await;
}

#[tokio::test]
async fn a_failed_change_of_an_attachment_detaches_it() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect_able(Format::Json, &json!({"a": ["subscribe"]})).await;
    socket.attach("a").await;
    socket.send(json!({"action": 10, "channel": "a", "flags": 1 << 17})).await;
    assert_eq!(socket.expect_error(9).await, (40160, 401));
    server.post("/channels/a/messages", &json!({"data": "x"})).await;
    socket.expect_nothing().await;
}

#[tokio::test]
async fn rewind_brings_the_last_messages_before_live_ones() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        for data in ["1", "2", "3"] {
            server.post(&format!("/channels/{channel}/messages"), &json!({"data": data})).await;
        }
        let (mut socket, _) = server.connect(format).await;
        let attached = socket.attach_with(json!({"channel": channel, "params": {"rewind": 2}})).await;
        assert_eq!(attached["flags"].as_u64().unwrap() & 0b110, 0b010, "HAS_BACKLOG");
        assert_eq!(attached["params"], json!({"rewind": "2"}));
        server.post(&format!("/channels/{channel}/messages"), &json!({"data": "4"})).await;
        for data in ["2", "3", "4"] {
            assert_eq!(socket.expect(15).await["messages"][0]["data"], data);
        }
        let (mut qualified, _) = server.connect(format).await;
        let name = format!("[?rewind=1]{channel}");
        qualified.attach(&name).await;
        let frame = qualified.expect(15).await;
        assert_eq!((&frame["channel"], &frame["messages"][0]["data"]), (&json!(name), &json!("4")));
        qualified.send(json!({"action": 10, "channel": "b", "params": {"rewind": "soon"}})).await;
        assert_eq!(qualified.expect_error(9).await, (40000, 400));
    }
}

#[tokio::test]
async fn a_consumer_that_does_not_read_is_cut_and_holds_up_nobody() {
    let server = Server::start().await;
    let (mut slow, _) = server.connect(Format::Json).await;
    slow.attach("a").await;
    let (mut quick, _) = server.connect(Format::Json).await;
    quick.attach("a").await;
    let message = json!({"data": "x".repeat(60_000)});
    let mut sent = 0;
    loop {
        assert_eq!(server.post("/channels/a/messages", &message).await.0, 201);
        quick.expect(15).await;
        sent += 1;
        let (_, status) = server.get("/channels/a").await;
        if status["status"]["occupancy"]["metrics"]["connections"] == 1 {
            break;
        }
        assert!(sent < 2_000, "the slow one was never cut");
    }
    while slow.next().await.is_some() {}
}
