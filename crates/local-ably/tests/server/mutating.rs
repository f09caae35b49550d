use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, Server, answer, bin, in_path, jwt};

#[tokio::test]
async fn an_update_is_acked_with_its_version_and_keeps_what_it_does_not_mention() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format!("mutable:{}", format.name());
        let (mut reader, _) = server.connect(format).await;
        reader.attach(&channel).await;
        let (mut writer, _) = server.connect(format).await;
        let message =
            json!({"name": "n", "data": "old", "clientId": "author", "extras": {"headers": {"a": 1}}});
        let serial = writer.published(&channel, 0, message).await;
        let created = reader.expect(15).await["messages"][0].clone();
        let version = json!({"clientId": "editor", "description": "typo", "metadata": {"why": "x"}});
        let update = json!({"action": 1, "serial": serial, "data": "new", "version": version});
        let ack = writer.publish(&channel, 1, update).await;
        assert_eq!((&ack["action"], &ack["count"]), (&json!(1), &json!(1)), "{ack}");
        let frame = reader.expect(15).await;
        let updated = &frame["messages"][0];
        assert_eq!(
            (&updated["action"], &updated["data"], &updated["name"]),
            (&json!(1), &json!("new"), &json!("n"))
        );
        for kept in ["serial", "timestamp", "clientId", "extras"] {
            assert_eq!(updated[kept], created[kept], "{kept}");
        }
        assert_eq!(updated["version"]["serial"], ack["res"][0]["serials"][0]);
        for told in ["clientId", "description", "metadata"] {
            assert_eq!(updated["version"][told], version[told]);
        }
        assert!(updated["version"]["serial"].as_str() > created["serial"].as_str());
        assert!(frame["channelSerial"].as_str() > created["serial"].as_str());
        let (_, history) = server.get(&format!("/channels/{}/messages", in_path(&channel))).await;
        assert_eq!(history.as_array().unwrap().len(), 1, "an update is no message of its own");
        assert_eq!((&history[0]["data"], &history[0]["action"]), (&json!("new"), &json!(1)));
    }
}

#[tokio::test]
async fn a_delete_is_a_version_that_stays_in_the_history() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect_with(Format::Json, &format!("key={KEY}&echo=false")).await;
    let serial = socket.published("mutable:a", 0, json!({"name": "n", "data": "x"})).await;
    assert_eq!(
        socket.publish("mutable:a", 1, json!({"action": 2, "serial": serial, "data": "gone"})).await["action"],
        1
    );
    let (_, history) = server.get("/channels/mutable%3Aa/messages").await;
    let seen = (&history[0]["action"], &history[0]["data"], &history[0]["name"]);
    assert_eq!(seen, (&json!(2), &json!("gone"), &json!("n")));
}

#[tokio::test]
async fn an_append_goes_live_as_the_delta_and_is_the_whole_to_whoever_looks_back() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format!("mutable:{}", format.name());
        let (mut reader, connected) = server.connect(format).await;
        reader.attach(&channel).await;
        let (mut writer, _) = server.connect(format).await;
        let serial = writer.published(&channel, 0, json!({"name": "n", "data": "Hello"})).await;
        let seen = reader.expect(15).await["channelSerial"].clone();
        let ack = writer.publish(&channel, 1, json!({"action": 5, "serial": serial, "data": " World"})).await;
        let delta = reader.expect(15).await["messages"][0].clone();
        assert_eq!(
            (&delta["action"], &delta["data"], &delta["name"]),
            (&json!(5), &json!(" World"), &json!("n"))
        );

        let (mut late, _) = server.connect(format).await;
        late.attach_with(json!({"channel": channel, "params": {"rewind": 1}})).await;
        let whole = late.expect(15).await["messages"][0].clone();
        assert_eq!((&whole["action"], &whole["data"]), (&json!(1), &json!("Hello World")));
        assert_eq!(whole["version"]["serial"], ack["res"][0]["serials"][0]);

        reader.lose();
        let key = connected["connectionDetails"]["connectionKey"].as_str().unwrap();
        let (mut again, _) = server.connect_with(format, &format!("key={KEY}&resume={key}")).await;
        again.attach_with(json!({"channel": channel, "channelSerial": seen})).await;
        assert_eq!(again.expect(15).await["messages"][0], delta, "who resumes has what it is appended to");
        again.expect_nothing().await;
    }
}

#[tokio::test]
async fn with_append_mode_full_an_append_comes_as_an_update_with_the_whole() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format!("mutable:{}", format.name());
        let (mut full, connected) = server.connect(format).await;
        let in_full = json!({"channel": channel, "params": {"appendMode": "full"}});
        let attached = full.attach_with(in_full.clone()).await;
        assert_eq!(attached["params"], in_full["params"]);
        let (mut plain, _) = server.connect(format).await;
        plain.attach_with(json!({"channel": channel, "params": {"appendMode": "other"}})).await;
        let (mut writer, _) = server.connect(format).await;
        let serial = writer.published(&channel, 0, json!({"name": "n", "data": "a"})).await;
        let seen = full.expect(15).await["channelSerial"].clone();
        plain.expect(15).await;
        for (index, (data, whole)) in [("b", "ab"), ("c", "abc")].into_iter().enumerate() {
            let append = json!({"action": 5, "serial": serial, "data": data});
            let ack = writer.publish(&channel, 1 + index as u64, append).await;
            let delta = plain.expect(15).await["messages"][0].clone();
            assert_eq!((&delta["action"], &delta["data"]), (&json!(5), &json!(data)));
            let update = full.expect(15).await["messages"][0].clone();
            assert_eq!((&update["action"], &update["data"]), (&json!(1), &json!(whole)));
            for same in ["id", "serial", "name", "version", "timestamp"] {
                assert_eq!(update[same], delta[same], "{same}");
            }
            assert_eq!(update["version"]["serial"], ack["res"][0]["serials"][0]);
        }

        full.lose();
        let key = connected["connectionDetails"]["connectionKey"].as_str().unwrap();
        let (mut again, _) = server.connect_with(format, &format!("key={KEY}&resume={key}")).await;
        let mut resuming = in_full;
        resuming["channelSerial"] = seen;
        again.attach_with(resuming).await;
        let update = again.expect(15).await["messages"][0].clone();
        assert_eq!((&update["action"], &update["data"]), (&json!(1), &json!("abc")));
        again.expect_nothing().await;
    }
}

#[tokio::test]
async fn whoever_attached_after_a_message_gets_what_is_appended_alone_unless_it_asks_for_the_whole() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format!("mutable:{}", format.name());
        let (mut writer, _) = server.connect_with(format, &format!("key={KEY}&echo=false")).await;
        let serial = writer.published(&channel, 0, json!({"data": "old"})).await;
        let (mut plain, _) = server.connect(format).await;
        plain.attach(&channel).await;
        let (mut full, _) = server.connect(format).await;
        full.attach_with(json!({"channel": channel, "params": {"appendMode": "full"}})).await;
        let append = json!({"action": 5, "serial": serial, "data": " and new"});
        assert_eq!(writer.publish(&channel, 1, append).await["action"], 1);
        for (reader, action, data) in [(&mut plain, 5, " and new"), (&mut full, 1, "old and new")] {
            let message = reader.expect(15).await["messages"][0].clone();
            assert_eq!((&message["action"], &message["data"]), (&json!(action), &json!(data)));
        }
    }
}

#[tokio::test]
async fn bytes_are_appended_to_bytes_across_formats() {
    let server = Server::start().await;
    let (mut in_json, _) = server.connect(Format::Json).await;
    let (mut in_msgpack, _) = server.connect(Format::Msgpack).await;
    let serial = in_json.published("mutable:a", 0, json!({"data": "AP8=", "encoding": "base64"})).await;
    let append = json!({"action": 5, "serial": serial, "data": bin(&[1])});
    assert_eq!(in_msgpack.publish("mutable:a", 0, append).await["action"], 1);
    let (_, history) = server.get("/channels/mutable%3Aa/messages").await;
    assert_eq!((&history[0]["data"], &history[0]["encoding"]), (&json!("AP8B"), &json!("base64")));
    let text = json!({"action": 5, "serial": serial, "data": "text"});
    assert_eq!(in_json.publish("mutable:a", 1, text).await["error"]["code"], 40000);
}

#[tokio::test]
async fn changes_that_cannot_be_made_are_nacked() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        let plain = socket.published("plain", 0, json!({"data": "x"})).await;
        let mutable = socket.published("mutable:a", 1, json!({"data": "x"})).await;
        for (index, (channel, message, code)) in [
            ("plain", json!({"action": 1, "serial": plain}), 93002),
            ("mutable:a", json!({"action": 1}), 40003),
            ("mutable:a", json!({"action": 1, "serial": ""}), 40003),
            ("mutable:a", json!({"action": 1, "serial": "nonsense"}), 40400),
            ("mutable:a", json!({"action": 1, "serial": plain}), 40400),
            ("mutable:a", json!({"action": 5, "serial": mutable, "data": "x".repeat(65_536)}), 40009),
            ("mutable:a", json!({"action": 3, "serial": mutable}), 40000),
            (":a", json!({"action": 1, "serial": mutable}), 40010),
        ]
        .into_iter()
        .enumerate()
        {
            let nack = socket.publish(channel, 2 + index as u64, message.clone()).await;
            assert_eq!((&nack["action"], &nack["count"]), (&json!(2), &json!(1)), "{message}");
            assert_eq!(nack["error"]["code"], code, "{channel} {message}");
        }
        let two = json!([{"action": 1, "serial": mutable}, {"action": 1, "serial": mutable}]);
        socket.send(json!({"action": 15, "channel": "mutable:a", "msgSerial": 20, "messages": two})).await;
        assert_eq!(socket.expect_error(2).await, (40000, 400));
    }
}

#[tokio::test]
async fn own_and_anybodys_messages_are_changed_by_different_operations() {
    let server = Server::start().await;
    let (mut author, _) = server.connect_with(Format::Json, &format!("key={KEY}&clientId=me")).await;
    let serial = author.published("mutable:a", 0, json!({"data": "x"})).await;
    for (client, operation, action, allowed) in [
        ("me", "message-update-own", 1, true),
        ("me", "message-update-own", 5, true),
        ("me", "message-update-own", 2, false),
        ("me", "message-delete-own", 2, true),
        ("other", "message-update-own", 1, false),
        ("other", "message-update-any", 1, true),
        ("other", "message-delete-any", 2, true),
        ("me", "publish", 1, false),
    ] {
        let capability = json!({"mutable:*": [operation]}).to_string();
        let token = jwt(KEY, &json!({"x-ably-capability": capability, "x-ably-clientId": client}));
        let (mut socket, _) = server.connect_with(Format::Json, &format!("access_token={token}")).await;
        let answer =
            socket.publish("mutable:a", 0, json!({"action": action, "serial": serial, "data": ""})).await;
        if allowed {
            assert_eq!(answer["action"], 1, "{client} {operation} {action}: {answer}");
        } else {
            assert_eq!(answer["error"]["code"], 40160, "{client} {operation} {action}");
        }
    }
}

#[tokio::test]
async fn a_client_without_a_client_id_has_no_messages_of_its_own_to_change() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut anybody, _) = server.connect(format).await;
        let serial = anybody.published("mutable:a", 0, json!({"data": "x"})).await;
        let able = json!({"mutable:*": ["publish", "message-update-own"]}).to_string();
        let token = jwt(KEY, &json!({"x-ably-capability": able}));
        let (mut anonymous, _) = server.connect_with(format, &format!("access_token={token}")).await;
        for (msg_serial, action, code) in [(0, 1, 40166), (1, 5, 40166), (2, 2, 40160)] {
            let change = json!({"action": action, "serial": serial, "data": ""});
            let nack = anonymous.publish("mutable:a", msg_serial, change).await;
            let error = (&nack["error"]["code"], &nack["error"]["statusCode"]);
            assert_eq!(error, (&json!(code), &json!(401)), "{action}");
        }
    }
}

#[tokio::test]
async fn changes_over_rest_are_taken_as_older_sdks_send_them() {
    let server = Server::start().await;
    let (_, body) = server.post("/channels/mutable%3Aa/messages", &json!({"data": "1"})).await;
    let path = format!("/channels/mutable%3Aa/messages/{}", in_path(body["serials"][0].as_str().unwrap()));
    for format in BOTH {
        let why = json!({"description": "why", "metadata": {"k": "v"}});
        for (method, end, action) in [(Method::PATCH, "", 1), (Method::POST, "/delete", 2)] {
            let request = server.request(method, &format!("{path}{end}"));
            let request = request.header("content-type", format.media_type());
            let body = format.write(&json!({"data": "2", "operation": why}));
            assert_eq!(request.body(body).send().await.unwrap().status(), 200);
            let (_, message) = server.get(&path).await;
            assert_eq!((&message["action"], &message["data"]), (&json!(action), &json!("2")));
            for told in ["description", "metadata"] {
                assert_eq!(message["version"][told], why[told]);
            }
        }
    }
    let (status, _) = server.post("/channels/mutable%3Aa/messages/nonsense/delete", &json!({})).await;
    assert_eq!(status.as_u16(), 404);
}

#[tokio::test]
async fn one_message_its_versions_and_changes_are_there_over_rest() {
    let server = Server::start().await;
    let (_, body) = server.post("/channels/mutable%3Aa/messages", &json!({"name": "n", "data": "1"})).await;
    let serial = body["serials"][0].as_str().unwrap().to_owned();
    let path = format!("/channels/mutable%3Aa/messages/{}", in_path(&serial));
    let (status, message) = server.get(&path).await;
    assert_eq!((status.as_u16(), &message["serial"], &message["data"]), (200, &json!(serial), &json!("1")));
    for format in BOTH {
        let change = json!({"action": 5, "data": "2", "version": {"description": "more"}});
        let request = server
            .request(Method::PATCH, &path)
            .header("content-type", format.media_type())
            .header("accept", format.media_type());
        let response = request.body(format.write(&change)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let body = format.read(&response.bytes().await.unwrap());
        assert!(body["versionSerial"].as_str() > Some(serial.as_str()));
    }
    let (_, message) = server.get(&path).await;
    assert_eq!((&message["data"], &message["action"]), (&json!("122"), &json!(1)));
    assert_eq!(message["version"]["description"], "more");
    let (_, versions) = server.get(&format!("{path}/versions")).await;
    let told = [0, 1].map(|index| versions[index]["version"]["serial"].is_string());
    assert_eq!(told, [false, true], "the first has no version: {versions}");
    let versions: Vec<_> =
        versions.as_array().unwrap().iter().map(|v| (v["action"].clone(), v["data"].clone())).collect();
    let expected = [(0, "1"), (1, "122")].map(|(action, data)| (json!(action), json!(data)));
    assert_eq!(versions, expected, "appends in a row are one version");
    let (_, first) = server.get(&format!("{path}/versions?limit=1")).await;
    assert_eq!(first.as_array().unwrap().len(), 1);
    for missing in ["/channels/mutable%3Aa/messages/nonsense", "/channels/mutable%3Ab/messages/nonsense"] {
        for path in [missing.to_owned(), format!("{missing}/versions"), format!("{missing}/annotations")] {
            let (status, body) = server.get(&path).await;
            assert_eq!((status.as_u16(), &body["error"]["code"]), (404, &json!(40400)), "{path}");
        }
    }
    let foreign = json!({"serial": "another", "data": "x"});
    let request = server.request(Method::PATCH, &path).header("content-type", "application/json");
    assert_eq!(answer(request.body(foreign.to_string())).await.0, 400);
}

#[tokio::test]
async fn a_client_of_an_older_protocol_gets_messages_in_its_shape() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format!("mutable:{}", format.name());
        for (v, older) in [("2", true), ("3", true), ("1.2", true), ("4", false), ("6", false)] {
            let (mut reader, _) = server.connect_with(format, &format!("key={KEY}&v={v}")).await;
            reader.attach(&channel).await;
            let (mut writer, _) = server.connect_with(format, &format!("key={KEY}&clientId=c&v=6")).await;
            let serial = writer.published(&channel, 0, json!({"data": "a"})).await;
            let version = json!({"description": "why", "metadata": {"k": "v"}});
            let update = json!({"action": 1, "serial": serial, "data": "b", "version": version});
            writer.published(&channel, 1, update).await;
            let created = reader.expect(15).await["messages"][0].clone();
            let updated = reader.expect(15).await["messages"][0].clone();
            assert_eq!(updated["serial"], serial, "{v}");
            if older {
                assert_eq!(created["version"], serial, "{v}: SDKs that expect a text cannot read an object");
                assert_eq!(created["createdAt"], created["timestamp"]);
                assert_eq!(created["operation"], Value::Null);
                assert!(updated["version"].as_str() > Some(&serial), "{updated}");
                assert_eq!(updated["createdAt"], created["timestamp"]);
                assert!(updated["timestamp"].as_i64() >= updated["createdAt"].as_i64());
                let operation = json!({"clientId": "c", "description": "why", "metadata": {"k": "v"}});
                assert_eq!(updated["operation"], operation);
            } else {
                assert_eq!(created["version"]["serial"], serial, "{v}");
                assert_eq!(updated["version"]["description"], "why");
                assert_eq!((&updated["createdAt"], &updated["operation"]), (&Value::Null, &Value::Null));
            }
            let path = format!("/channels/{}/messages?limit=1", in_path(&channel));
            let history = server.request(Method::GET, &path).header("x-ably-version", v);
            let (_, history) = answer(history).await;
            assert_eq!(history[0]["version"], updated["version"], "{v}");
            assert_eq!(history[0]["operation"], updated["operation"], "{v}");
        }
    }
}
