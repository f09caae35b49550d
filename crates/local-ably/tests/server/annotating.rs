//! Annotations of messages, and the summaries that are made of them.

use serde_json::json;

use crate::harness::{BOTH, Format, KEY, Server, in_path};

#[tokio::test]
async fn an_annotation_is_acked_reaches_those_who_ask_and_is_summed_up_for_all() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format!("mutable:{}", format.name());
        let (mut reader, _) = server.connect(format).await;
        reader.attach(&channel).await;
        let (mut annotator, connected) = server.connect_with(format, &format!("key={KEY}&clientId=me")).await;
        let modes = (1 << 21) | (1 << 22);
        let attached = annotator.attach_with(json!({"channel": channel, "flags": modes})).await;
        assert_eq!(attached["flags"], modes);
        let serial = reader.published(&channel, 0, json!({"name": "n", "data": "x"})).await;
        let annotation = json!({
            "action": 0, "messageSerial": serial, "type": "reaction:distinct.v1", "name": "👍", "data": "d",
        });
        let frame = json!({"action": 21, "channel": channel, "msgSerial": 0, "annotations": [annotation]});
        annotator.send(frame).await;
        let frames = [annotator.receive().await, annotator.receive().await];
        let ack = frames.iter().find(|frame| frame["action"] == 1).unwrap();
        assert_eq!((&ack["msgSerial"], &ack["count"]), (&json!(0), &json!(1)));
        let frame = frames.iter().find(|frame| frame["action"] == 21).unwrap();
        assert_eq!(
            (&frame["channel"], &frame["connectionId"]),
            (&json!(channel), &connected["connectionId"])
        );
        let seen = &frame["annotations"][0];
        for field in ["action", "messageSerial", "type", "name", "data"] {
            assert_eq!(seen[field], annotation[field], "{field}");
        }
        assert_eq!((&seen["clientId"], &seen["serial"]), (&json!("me"), &ack["res"][0]["serials"][0]));
        assert!(seen["serial"].as_str() > Some(serial.as_str()));
        assert!(seen["id"].is_string() && seen["timestamp"].is_i64());

        let message = match reader.receive().await {
            create if create["messages"][0]["action"] == 0 => reader.expect(15).await,
            summary => summary,
        };
        let summary = &message["messages"][0];
        assert_eq!((&summary["action"], &summary["serial"]), (&json!(4), &json!(serial)));
        let counted = json!({"👍": {"total": 1, "clientIds": ["me"], "clipped": false}});
        assert_eq!(summary["annotations"]["summary"]["reaction:distinct.v1"], counted);
        let (_, history) = server.get(&format!("/channels/{}/messages", in_path(&channel))).await;
        assert_eq!(history.as_array().unwrap().len(), 1);
        assert_eq!((&history[0]["data"], &history[0]["action"]), (&json!("x"), &json!(0)));
        assert_eq!(history[0]["annotations"], summary["annotations"]);
    }
}

#[tokio::test]
async fn an_annotation_is_taken_back_and_listed_over_rest() {
    let server = Server::start().await;
    let (mut reader, _) = server.connect(Format::Json).await;
    reader.attach_with(json!({"channel": "mutable:a", "flags": (1 << 18) | (1 << 22)})).await;
    let (_, body) = server.post("/channels/mutable%3Aa/messages", &json!({"data": "x"})).await;
    let serial = body["serials"][0].as_str().unwrap().to_owned();
    reader.expect(15).await;
    let path = format!("/channels/mutable%3Aa/messages/{}/annotations", in_path(&serial));
    for action in [0, 1] {
        let annotations = json!([{"action": action, "type": "seen:flag.v1", "clientId": "me"}]);
        let (status, _) = server.post(&path, &annotations).await;
        assert_eq!(status, 201);
        assert_eq!(reader.expect(21).await["annotations"][0]["action"], action);
        let summary = reader.expect(15).await["messages"][0]["annotations"]["summary"].clone();
        assert_eq!(summary.get("seen:flag.v1").is_some(), action == 0);
    }
    let (_, listed) = server.get(&path).await;
    let actions: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["action"].clone()).collect();
    assert_eq!(actions, [0, 1], "oldest first");
    assert_eq!(server.get(&format!("{path}?limit=1")).await.1.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn annotations_that_cannot_be_made_are_nacked() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        let plain = socket.published("plain", 0, json!({"data": "x"})).await;
        let serial = socket.published("mutable:a", 1, json!({"data": "x"})).await;
        for (index, (channel, annotation, code)) in [
            ("plain", json!({"messageSerial": plain, "type": "r:total.v1"}), 93002),
            ("mutable:a", json!({"messageSerial": "nonsense", "type": "r:total.v1"}), 40400),
            ("mutable:a", json!({"type": "r:total.v1"}), 40003),
            ("mutable:a", json!({"messageSerial": serial}), 40003),
            ("mutable:a", json!({"messageSerial": serial, "type": "r:unique.v1", "clientId": "me"}), 40003),
            ("mutable:a", json!({"messageSerial": serial, "type": "r".repeat(1_025)}), 40003),
            ("mutable:a", json!({"messageSerial": serial, "type": "r:flag.v1"}), 40161),
            (
                "mutable:a",
                json!({"messageSerial": serial, "type": "r:total.v1", "data": "x".repeat(65_536)}),
                40009,
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let frame = json!({"action": 21, "channel": channel, "msgSerial": 2 + index, "annotations": [annotation]});
            socket.send(frame).await;
            let nack = socket.expect(2).await;
            assert_eq!((&nack["msgSerial"], &nack["count"]), (&json!(2 + index), &json!(1)));
            assert_eq!(nack["error"]["code"], code, "{annotation}");
        }
        socket.attach_with(json!({"channel": "mutable:a", "params": {"modes": "subscribe"}})).await;
        let annotation = json!({"messageSerial": serial, "type": "r:total.v1"});
        socket
            .send(json!({"action": 21, "channel": "mutable:a", "msgSerial": 20, "annotations": [annotation]}))
            .await;
        assert_eq!(socket.expect_error(2).await, (40165, 401));
        let (mut other, _) = server.connect_able(format, &json!({"mutable:a": ["publish"]})).await;
        other
            .send(json!({"action": 21, "channel": "mutable:a", "msgSerial": 0, "annotations": [annotation]}))
            .await;
        assert_eq!(other.expect_error(2).await, (40160, 401));
    }
}

#[tokio::test]
async fn annotations_and_summaries_that_were_missed_come_on_resume_in_order() {
    let server = Server::start().await;
    let (mut socket, connected) = server.connect(Format::Json).await;
    let modes = json!({"channel": "mutable:a", "flags": (1 << 18) | (1 << 22)});
    let attached = socket.attach_with(modes.clone()).await;
    let seen = attached["channelSerial"].clone();
    socket.lose();
    let (_, body) = server.post("/channels/mutable%3Aa/messages", &json!({"data": "x"})).await;
    let serial = body["serials"][0].as_str().unwrap().to_owned();
    let path = format!("/channels/mutable%3Aa/messages/{}/annotations", in_path(&serial));
    for _ in 0..2 {
        server.post(&path, &json!([{"type": "r:total.v1"}])).await;
    }
    let key = connected["connectionDetails"]["connectionKey"].as_str().unwrap();
    let (mut again, _) = server.connect_with(Format::Json, &format!("key={KEY}&resume={key}")).await;
    let mut attach = modes;
    attach["channelSerial"] = seen;
    assert_eq!(again.attach_with(attach).await["flags"].as_u64().unwrap() & 0b110, 0b110);
    assert_eq!(again.expect(15).await["messages"][0]["action"], 0);
    again.expect(21).await;
    again.expect(21).await;
    let summary = again.expect(15).await["messages"][0].clone();
    assert_eq!(summary["action"], 4);
    assert_eq!(summary["annotations"]["summary"]["r:total.v1"]["total"], 2, "the last sum alone");
    again.expect_nothing().await;
}
