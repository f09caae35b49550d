//! Faults of publishes meet changes of messages, and annotations, as they meet messages.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, Server, Socket, answer, answer_in, in_path};

const CHANNEL: &str = "mutable:a";
const PATH: &str = "/channels/mutable%3Aa/messages";

/// Publishes a message, and answers its path.
async fn published(server: &Server) -> (String, String) {
    let (status, body) = server.post(PATH, &json!({"data": "old"})).await;
    assert_eq!(status, 201);
    let serial = body["serials"][0].as_str().unwrap().to_owned();
    let path = format!("{PATH}/{}", in_path(&serial));
    (serial, path)
}

fn annotation() -> Value {
    json!({"type": "vote:total.v1"})
}

/// The data of a message by now, and how many annotations it has.
async fn state(server: &Server, path: &str) -> (String, usize) {
    let (_, message) = server.get(path).await;
    let (_, annotations) = server.get(&format!("{path}/annotations")).await;
    (message["data"].as_str().unwrap().to_owned(), annotations.as_array().unwrap().len())
}

async fn annotate(socket: &mut Socket, msg_serial: u64, serial: &str) {
    let mut annotation = annotation();
    annotation["messageSerial"] = serial.into();
    socket
        .send(json!({"action": 21, "channel": CHANNEL, "msgSerial": msg_serial, "annotations": [annotation]}))
        .await;
}

#[tokio::test]
async fn the_next_changes_and_annotations_over_rest_are_answered_by_an_error_and_then_no_more() {
    let server = Server::start().await;
    for format in BOTH {
        let (_, path) = published(&server).await;
        server.fault(&json!({"kind": "error", "status": 500, "channel": "other"})).await;
        server.fault(&json!({"kind": "error", "status": 502, "transport": "realtime"})).await;
        let fault = json!({"kind": "error", "status": 503, "channel": "mutable:*", "times": 2});
        let id = server.fault(&fault).await;
        let change = || server.request(Method::PATCH, &path);
        let annotations = || server.request(Method::POST, &format!("{path}/annotations"));
        for status in [503, 200] {
            let (answered, body) = answer_in(format, change(), &json!({"data": "new"})).await;
            assert_eq!(answered, status, "{body}");
            let (answered, body) = answer_in(format, annotations(), &json!([annotation()])).await;
            assert_eq!(answered, if status == 503 { 503 } else { 201 }, "{body}");
            let expected = if status == 503 { ("old".to_owned(), 0) } else { ("new".to_owned(), 1) };
            assert_eq!(state(&server, &path).await, expected);
        }
        assert_eq!(server.fired(&id, 2).await["over"], true);
    }
}

#[tokio::test]
async fn a_stored_reset_loses_the_answer_to_a_change_and_not_the_change() {
    let server = Server::start().await;
    let (_, path) = published(&server).await;
    for stored in [false, true] {
        server.fault(&json!({"kind": "reset", "stored": stored, "times": 2})).await;
        let change = server.request(Method::PATCH, &path).body(r#"{"data":"new"}"#);
        change.send().await.unwrap_err();
        let annotations = server.request(Method::POST, &format!("{path}/annotations"));
        annotations.body(json!([annotation()]).to_string()).send().await.unwrap_err();
        let expected = if stored { ("new".to_owned(), 1) } else { ("old".to_owned(), 0) };
        assert_eq!(state(&server, &path).await, expected);
    }
}

#[tokio::test]
async fn reading_a_message_or_its_annotations_is_no_publish() {
    let server = Server::start().await;
    let (_, path) = published(&server).await;
    let id = server.fault(&json!({"kind": "error"})).await;
    for path in [path.clone(), format!("{path}/annotations"), format!("{path}/versions")] {
        assert_eq!(answer(server.request(Method::GET, &path)).await.0, 200, "{path}");
    }
    assert_eq!(server.fired(&id, 0).await["fired"], 0);
}

#[tokio::test]
async fn changes_and_annotations_over_a_websocket_are_met() {
    let server = Server::start().await;
    for format in BOTH {
        let (serial, path) = published(&server).await;
        let (mut socket, _) = server.connect(format).await;
        server.fault(&json!({"kind": "error", "status": 429, "channel": CHANNEL, "times": 2})).await;
        let change = json!({"action": 1, "serial": serial, "data": "new"});
        let nack = socket.publish(CHANNEL, 0, change.clone()).await;
        assert_eq!((&nack["action"], &nack["error"]["code"]), (&json!(2), &json!(42910)));
        annotate(&mut socket, 1, &serial).await;
        let nack = socket.answer().await;
        assert_eq!((&nack["msgSerial"], &nack["error"]["code"]), (&json!(1), &json!(42910)));
        assert_eq!(state(&server, &path).await, ("old".to_owned(), 0));
        assert_eq!(socket.publish(CHANNEL, 2, change).await["action"], 1);
        annotate(&mut socket, 3, &serial).await;
        assert_eq!(socket.answer().await["action"], 1);
        assert_eq!(state(&server, &path).await, ("new".to_owned(), 1));
    }
}

#[tokio::test]
async fn an_annotation_that_hangs_is_made_when_the_fault_is_removed() {
    let server = Server::start().await;
    let (serial, path) = published(&server).await;
    let (mut socket, _) = server.connect(Format::Json).await;
    let id = server.fault(&json!({"kind": "hang", "times": 1})).await;
    annotate(&mut socket, 0, &serial).await;
    server.fired(&id, 1).await;
    socket.expect_nothing().await;
    assert_eq!(state(&server, &path).await.1, 0);
    server.remove_fault(&id).await;
    let ack = socket.answer().await;
    assert_eq!((&ack["action"], &ack["msgSerial"]), (&json!(1), &json!(0)));
    assert_eq!(state(&server, &path).await.1, 1);
}

#[tokio::test]
async fn an_annotation_whose_answer_is_lost_is_not_doubled_by_sending_again_after_a_resume() {
    let server = Server::start().await;
    let (serial, path) = published(&server).await;
    let (mut socket, connected) = server.connect(Format::Json).await;
    server.fault(&json!({"kind": "reset", "stored": true, "times": 1})).await;
    annotate(&mut socket, 0, &serial).await;
    socket.expect_break().await;
    assert_eq!(state(&server, &path).await.1, 1);
    let key = connected["connectionDetails"]["connectionKey"].as_str().unwrap();
    let (mut again, _) = server.connect_with(Format::Json, &format!("key={KEY}&resume={key}")).await;
    annotate(&mut again, 0, &serial).await;
    assert_eq!(again.answer().await["action"], 1);
    assert_eq!(state(&server, &path).await.1, 1);
}
