//! Which publishes a channel takes, by what ids doubles are known, and with what codes it refuses the rest.

use serde_json::json;

use crate::harness::{BOTH, KEY, Server, jwt};

#[tokio::test]
async fn doubles_are_known_by_id_on_one_channel_and_over_both_transports() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format!("a-{}", format.name());
        let (mut reader, _) = server.connect(format).await;
        reader.attach(&channel).await;
        let (mut first, _) = server.connect(format).await;
        let (mut second, _) = server.connect(format).await;
        let ack = first.publish(&channel, 0, json!({"id": "mine", "data": "1"})).await;
        assert_eq!(second.publish(&channel, 9, json!({"id": "mine", "data": "2"})).await["res"], ack["res"]);
        let path = format!("/channels/{channel}/messages");
        let (status, published) = server.post_in(format, &path, &json!({"id": "mine", "data": "3"})).await;
        assert_eq!((status, &published["serials"]), (201, &ack["res"][0]["serials"]));
        let pair = json!([{"id": "pair:0"}, {"id": "pair:1"}]);
        let (_, published) = server.post_in(format, &path, &pair).await;
        first.send(json!({"action": 15, "channel": channel, "msgSerial": 1, "messages": pair})).await;
        assert_eq!(first.answer().await["res"][0]["serials"], published["serials"]);
        assert_eq!(reader.expect(15).await["messages"][0]["data"], "1");
        assert_eq!(reader.expect(15).await["messages"].as_array().unwrap().len(), 2);
        reader.expect_nothing().await;
        let other = format!("b-{}", format.name());
        assert_ne!(first.publish(&other, 2, json!({"id": "mine"})).await["res"], ack["res"]);
        assert_eq!(server.get(&format!("/channels/{other}/messages")).await.1.as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn the_ids_of_an_array_are_base_and_index_or_the_publish_is_40031() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        for (serial, ids) in
            [["b:0", "c:1"], ["b:0", "b:2"], ["b:1", "b:0"], ["b", "b"], ["b:0", ""]].iter().enumerate()
        {
            let messages: Vec<_> = ids.iter().map(|id| json!({"id": id})).collect();
            socket
                .send(json!({"action": 15, "channel": "a", "msgSerial": serial, "messages": messages}))
                .await;
            assert_eq!(socket.expect_error(2).await, (40031, 400), "{ids:?}");
            let (status, body) = server.post_in(format, "/channels/a/messages", &json!(messages)).await;
            assert_eq!((status, &body["error"]["code"]), (400, &json!(40031)), "{ids:?}");
        }
        assert_eq!(server.get("/channels/a/messages").await.1, json!([]));
    }
}

#[tokio::test]
async fn the_size_of_a_publish_is_name_data_client_id_and_extras_of_all_its_messages() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        // Of 65,536 bytes, name, clientId and extras take 100 each.
        let extras = json!({"headers": {"a": "x".repeat(100 - r#"{"headers":{"a":""}}"#.len())}});
        let of = |data: usize| {
            let (name, client) = ("n".repeat(100), "c".repeat(100));
            json!([{"name": name, "clientId": client, "extras": extras, "id": "i:0"}, {"data": "x".repeat(data), "id": "i:1"}])
        };
        for (serial, data, code) in [(0, 65_536 - 300 + 1, 40009), (1, 65_536 - 300, 0)] {
            socket
                .send(json!({"action": 15, "channel": "a", "msgSerial": serial, "messages": of(data)}))
                .await;
            let answer = socket.answer().await;
            assert_eq!(answer["error"]["code"].as_u64().unwrap_or(0), code);
            if code != 0 {
                assert_eq!((&answer["count"], &answer["error"]["statusCode"]), (&json!(1), &json!(400)));
            }
            let path = format!("/channels/{}/messages", format.name());
            let (status, body) = server.post_in(format, &path, &of(data)).await;
            assert_eq!((status == 201, body["error"]["code"].as_u64().unwrap_or(0)), (code == 0, code));
        }
    }
}

#[tokio::test]
async fn each_refusal_of_a_publish_has_its_code_and_status() {
    let server = Server::start().await;
    let token = |claims: serde_json::Value| format!("access_token={}", jwt(KEY, &claims));
    let anonymous = token(json!({}));
    let named = token(json!({"x-ably-clientId": "x"}));
    let reading = token(json!({"x-ably-capability": r#"{"*":["subscribe"]}"#}));
    for format in BOTH {
        for (query, channel, modes, message, error) in [
            (&anonymous, "a", None, json!({"clientId": "x"}), (40012, 400)),
            (&named, "a", None, json!({"clientId": "y"}), (40012, 400)),
            (&named, "a", None, json!({"clientId": "*"}), (40012, 400)),
            (&reading, "a", None, json!({}), (40160, 401)),
            (&reading, "a", Some("subscribe"), json!({}), (40160, 401)),
            (&anonymous, "a", Some("subscribe"), json!({}), (40165, 401)),
            (&anonymous, ":", None, json!({}), (40010, 400)),
            (&anonymous, "", None, json!({}), (40010, 400)),
            (&anonymous, "a", None, json!({"name": 7}), (40000, 400)),
            (&anonymous, "a", None, json!({"encoding": {}}), (40000, 400)),
            (&anonymous, "a", None, json!({"action": 9}), (40000, 400)),
        ] {
            let (mut socket, _) = server.connect_with(format, query).await;
            if let Some(modes) = modes {
                socket.attach_with(json!({"channel": channel, "params": {"modes": modes}})).await;
            }
            let nack = socket.publish(channel, 3, message.clone()).await;
            assert_eq!(
                (&nack["action"], &nack["msgSerial"], &nack["count"]),
                (&json!(2), &json!(3), &json!(1))
            );
            let told = (&nack["error"]["code"], &nack["error"]["statusCode"]);
            assert_eq!(told, (&json!(error.0), &json!(error.1)), "{channel} {message}");
            socket.expect_nothing().await;
        }
        assert_eq!(server.get("/channels/a/messages").await.1, json!([]), "what is refused changes nothing");
    }
}

#[tokio::test]
async fn what_a_client_says_of_its_connection_its_time_and_its_serial_is_replaced() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, connected) = server.connect(format).await;
        socket.attach(format.name()).await;
        let forged = json!({
            "connectionId": "other", "timestamp": 1, "serial": "mine", "version": {"serial": "mine", "timestamp": 1},
            "annotations": {"summary": {"r:total.v1": {"total": 7}}}, "connectionKey": "other!key",
        });
        socket.send(json!({"action": 15, "channel": format.name(), "messages": [forged], "timestamp": 1, "id": "f"})).await;
        let frame = socket.expect(15).await;
        let message = &frame["messages"][0];
        assert_eq!(
            (&frame["connectionId"], &message["connectionId"]),
            (&connected["connectionId"], &connected["connectionId"])
        );
        assert_eq!(
            (&message["timestamp"], &message["version"]["timestamp"]),
            (&frame["timestamp"], &frame["timestamp"])
        );
        assert!(frame["timestamp"].as_i64().unwrap() > 1);
        assert_eq!(message["version"]["serial"], message["serial"]);
        assert_ne!(message["serial"], "mine");
        assert!(message.get("annotations").is_none() && message.get("connectionKey").is_none());
    }
}

#[tokio::test]
async fn a_forced_nack_is_40099_and_stores_nothing() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        socket.attach("a").await;
        for (serial, forced) in [json!(true), json!("true"), json!(1)].iter().enumerate() {
            socket.send(json!({
                "action": 15, "channel": "a", "msgSerial": serial, "messages": [{}], "params": {"_forceNack": forced},
            })).await;
            assert_eq!(socket.expect_error(2).await, (40099, 400));
        }
        socket.expect_nothing().await;
        assert_eq!(socket.publish("b", 9, json!({})).await["action"], 1);
    }
}
