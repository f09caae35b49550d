use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, Server, bin};

#[tokio::test]
async fn frames_are_acked_one_by_one_and_in_order() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect_with(format, &format!("key={KEY}&clientId=me")).await;
        socket
            .attach_with(json!({"channel": "a", "params": {"modes": "publish,presence,annotation_publish"}}))
            .await;
        for serial in 0..6 {
            socket
                .send(match serial % 3 {
                    0 => json!({"action": 15, "channel": "a", "msgSerial": serial, "messages": [{}, {}]}),
                    1 => json!({"action": 14, "channel": "a", "msgSerial": serial, "presence": [{"action": 2}]}),
                    _ => json!({"action": 21, "channel": "a", "msgSerial": serial, "annotations": [{}]}),
                })
                .await;
        }
        let mut answered = 0;
        while answered < 6 {
            let frame = socket.receive().await;
            if frame["action"] == 14 {
                continue;
            }
            assert_eq!((&frame["msgSerial"], &frame["count"]), (&json!(answered), &json!(1)), "{frame}");
            let action = if answered % 3 == 2 { 2 } else { 1 };
            assert_eq!(frame["action"], action);
            if answered % 3 == 0 {
                assert_eq!(frame["res"][0]["serials"].as_array().unwrap().len(), 2);
            }
            answered += 1;
        }
    }
}

#[tokio::test]
async fn a_frame_without_a_msg_serial_awaits_no_answer() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut reader, _) = server.connect(format).await;
        reader.attach(format.name()).await;
        let (mut writer, _) = server.connect(format).await;
        writer.send(json!({"action": 15, "channel": format.name(), "messages": [{"data": "x"}]})).await;
        writer.send(json!({"action": 15, "channel": ":bad", "messages": [{"data": "x"}]})).await;
        writer.expect_nothing().await;
        assert_eq!(reader.expect(15).await["messages"][0]["data"], "x");
    }
}

#[tokio::test]
async fn serials_are_opaque_texts_in_lexical_order() {
    let server = Server::start().await;
    let (mut reader, _) = server.connect(Format::Json).await;
    reader.attach("a").await;
    let (mut writer, _) = server.connect(Format::Json).await;
    let mut last = String::new();
    for serial in 0..50 {
        writer.send(json!({"action": 15, "channel": "a", "msgSerial": serial, "messages": [{}, {}]})).await;
        let frame = reader.expect(15).await;
        let channel_serial = frame["channelSerial"].as_str().unwrap();
        let (millis, rest) = channel_serial.split_once('-').unwrap();
        assert_eq!((millis.len(), rest.split_once('@').unwrap().0.len()), (14, 3));
        for (index, message) in frame["messages"].as_array().unwrap().iter().enumerate() {
            let serial = message["serial"].as_str().unwrap();
            assert_eq!(serial, format!("{channel_serial}:{index:03}"));
            assert!(*serial > *last);
            assert_eq!(message["version"]["serial"], serial);
            last = serial.to_owned();
        }
    }
}

#[tokio::test]
async fn text_json_and_bytes_pass_between_all_formats_and_the_history_untouched() {
    let server = Server::start().await;
    let in_msgpack = json!([
        {"data": "text"},
        {"data": ""},
        {"data": "{\"a\":[1,null]}", "encoding": "json"},
        {"data": bin(&[0, 159, 255])},
        {"data": bin(&[]), "encoding": "utf-8"},
        {"data": bin(&[1, 2]), "encoding": "json/utf-8/cipher+aes-128-cbc"},
        {"data": "x", "encoding": "no/such/thing"},
        {"data": "not base64!", "encoding": "base64"},
        {"encoding": "json"},
        {"name": "n", "extras": {"headers": {"a": 1, "big": 9007199254740993_i64}, "push": {"b": [true, null, 2.5, "x"]}}},
    ]);
    let in_json: Vec<Value> = in_msgpack.as_array().unwrap().iter().map(as_json).collect();
    for (writing, sent) in [(Format::Msgpack, in_msgpack.clone()), (Format::Json, json!(in_json))] {
        let channel = writing.name();
        let (mut json_reader, _) = server.connect(Format::Json).await;
        let (mut msgpack_reader, _) = server.connect(Format::Msgpack).await;
        json_reader.attach(channel).await;
        msgpack_reader.attach(channel).await;
        let (mut writer, _) = server.connect(writing).await;
        writer.send(json!({"action": 15, "channel": channel, "msgSerial": 0, "messages": sent})).await;
        assert_eq!(writer.expect(1).await["count"], 1);
        let (_, mut history) = server.get(&format!("/channels/{channel}/messages?direction=forwards")).await;
        let seen = [
            (json_reader.expect(15).await["messages"].take(), json!(in_json)),
            (msgpack_reader.expect(15).await["messages"].take(), in_msgpack.clone()),
            (history.take(), json!(in_json)),
        ];
        for (got, expected) in seen {
            for (got, expected) in got.as_array().unwrap().iter().zip(expected.as_array().unwrap()) {
                for field in ["name", "data", "encoding", "extras"] {
                    assert_eq!(got.get(field), expected.get(field), "{field} of {expected}");
                }
            }
        }
    }
}

/// A message as it stands in JSON: bytes are base64, which the encoding says.
fn as_json(message: &Value) -> Value {
    let mut message = message.clone();
    if let Some(base64) = message["data"].get("$bin").cloned() {
        let encoding =
            message["encoding"].as_str().map_or("base64".to_owned(), |steps| format!("{steps}/base64"));
        message["data"] = base64;
        message["encoding"] = encoding.into();
    } else if message["data"].is_null() {
        message.as_object_mut().unwrap().remove("data");
    }
    if message["encoding"].is_null() {
        message.as_object_mut().unwrap().remove("encoding");
    }
    message
}

#[tokio::test]
async fn raw_objects_become_json_text_also_over_a_socket() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        socket.attach(format.name()).await;
        socket
            .send(json!({"action": 15, "channel": format.name(), "messages": [{"data": {"a": [1]}}]}))
            .await;
        let message = socket.expect(15).await["messages"][0].clone();
        assert_eq!((&message["data"], &message["encoding"]), (&json!("{\"a\":[1]}"), &json!("json")));
    }
}

#[tokio::test]
async fn an_ephemeral_message_is_for_those_who_are_there_alone() {
    let server = Server::start().await;
    let (mut reader, first) = server.connect(Format::Json).await;
    let seen = reader.attach("a").await["channelSerial"].clone();
    server.post("/channels/a/messages", &json!({"data": "1", "extras": {"ephemeral": true}})).await;
    server.post("/channels/a/messages", &json!({"data": "2"})).await;
    for data in ["1", "2"] {
        assert_eq!(reader.expect(15).await["messages"][0]["data"], data);
    }
    reader.lose();
    assert_eq!(server.get("/channels/a/messages").await.1.as_array().unwrap().len(), 1);
    let key = first["connectionDetails"]["connectionKey"].as_str().unwrap();
    let (mut reader, _) = server.connect_with(Format::Json, &format!("key={KEY}&resume={key}")).await;
    reader.attach_with(json!({"channel": "a", "channelSerial": seen})).await;
    assert_eq!(reader.expect(15).await["messages"][0]["data"], "2");
    reader.attach("[?rewind=5]a").await;
    assert_eq!(reader.expect(15).await["messages"][0]["data"], "2");
    reader.expect_nothing().await;
}

#[tokio::test]
async fn a_frame_of_1001_messages_is_refused() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Msgpack).await;
    for (action, items) in [(15, "messages"), (14, "presence")] {
        let item = if action == 15 { json!({}) } else { json!({"action": 2, "clientId": "c"}) };
        socket.attach("a").await;
        let mut frame = json!({"action": action, "channel": "a", "msgSerial": action});
        frame[items] = vec![item; 1_001].into();
        socket.send(frame).await;
        assert_eq!(socket.expect_error(2).await, (40000, 400));
    }
}

#[tokio::test]
async fn only_objects_are_messages_never_arrays_texts_or_numbers() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut reader, _) = server.connect(format).await;
        reader.attach("a").await;
        let (mut writer, _) = server.connect(format).await;
        for (serial, other) in [json!([]), json!(["id"]), json!("text"), json!(1)].into_iter().enumerate() {
            for messages in [json!([other.clone()]), json!([{"data": "x"}, other.clone()])] {
                let (status, body) = server.post_in(format, "/channels/a/messages", &messages).await;
                assert_eq!((status, &body["error"]["code"]), (400, &json!(40000)), "{messages}");
                let spec = json!({"channels": "a", "messages": messages});
                let (status, body) = server.post_in(format, "/messages", &spec).await;
                assert_eq!((status, &body["error"]["code"]), (400, &json!(40000)), "{spec}");
            }
            let frame =
                json!({"action": 15, "channel": "a", "msgSerial": serial, "messages": [other.clone()]});
            writer.send(frame).await;
            let nack = writer.expect(2).await;
            let error = &nack["error"];
            assert_eq!((&error["code"], &error["statusCode"]), (&json!(40000), &json!(400)), "{other}");
            assert_eq!(nack["msgSerial"], serial);
        }
        let (status, body) = server.post_in(format, "/channels/a/messages", &json!([])).await;
        assert_eq!((status, &body["error"]["code"]), (400, &json!(40000)));
        let positional = json!([["a", {"data": "x"}]]);
        let (status, body) = server.post_in(format, "/messages", &positional).await;
        assert_eq!((status, &body["error"]["code"]), (400, &json!(40000)));
        reader.expect_nothing().await;
    }
    assert!(server.stored("a").await.is_empty());
}

#[tokio::test]
async fn a_rest_publish_that_asks_to_be_refused_is_refused_by_40099() {
    let server = Server::start().await;
    for format in BOTH {
        let path = "/channels/a/messages?_forceNack=true";
        let (status, body) = server.post_in(format, path, &json!({"name": "refused"})).await;
        assert_eq!((status, &body["error"]["code"]), (400, &json!(40099)));
        let path = "/channels/a/messages?_forceNack=false";
        assert_eq!(server.post_in(format, path, &json!({"name": format.name()})).await.0, 201);
    }
    assert_eq!(server.stored("a").await, BOTH.map(Format::name));
}

#[tokio::test]
async fn a_channel_takes_messages_at_publish_too_as_the_ruby_sdk_sends_them() {
    let server = Server::start().await;
    for format in BOTH {
        let (status, body) =
            server.post_in(format, "/channels/a/publish", &json!([{"name": "one"}, {"name": "two"}])).await;
        assert_eq!((status, body["serials"].as_array().unwrap().len()), (201, 2), "{body}");
    }
    assert_eq!(server.stored("a").await, ["one", "two", "one", "two"]);
    assert_eq!(server.get("/channels/a/publish").await.0, 405);
}
