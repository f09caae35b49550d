//! What takes more room or time than it looks, and must not take them from others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{BOTH, Format, KEY, Server, answer};

/// `head`, which ends in the marker of a list of 2^24 items, and then as many empty objects as fit into a frame.
fn long_list(mut head: Vec<u8>) -> Vec<u8> {
    head.extend([0xdd, 0x01, 0, 0, 0]);
    head.resize(500_000, 0x80);
    head
}

/// A MESSAGE, PRESENCE or ANNOTATION in MessagePack whose last field is still to come.
fn frame_before(action: u8, last_field: &str) -> Vec<u8> {
    let mut frame = vec![0x84];
    for (name, value) in [("action", action), ("msgSerial", 7)] {
        frame.push(0xa0 | name.len() as u8);
        frame.extend(name.as_bytes());
        frame.push(value);
    }
    frame.extend(b"\xa7channel\xa1a");
    frame.push(0xa0 | last_field.len() as u8);
    frame.extend(last_field.as_bytes());
    frame
}

#[tokio::test]
async fn a_list_of_too_many_items_is_refused_before_it_is_read() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Msgpack).await;
    for (action, field) in [(15, "messages"), (14, "presence"), (21, "annotations")] {
        let frame = long_list(frame_before(action, field));
        socket.send_message(Message::Binary(frame.into())).await;
        // Not even the bytes are missed that the list says it has. Without them it is no frame at all.
        assert_eq!(socket.expect_error(9).await.0, 40000);
        socket.expect_end().await;
        socket = server.connect(Format::Msgpack).await.0;
    }
    let mut json = json!({"action": 15, "channel": "a", "msgSerial": 7, "messages": []});
    json["messages"] = vec![json!({}); 1_001].into();
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        socket.send(json.clone()).await;
        assert_eq!(socket.expect_error(2).await, (40000, 400));
    }
    for path in ["/channels/a/messages", "/messages"] {
        let request = server.request(Method::POST, path).header("content-type", "application/x-msgpack");
        let (status, _) = answer(request.body(long_list(Vec::new()))).await;
        assert_eq!(status, 400, "{path}");
    }
}

#[tokio::test]
async fn objects_as_keys_of_objects_are_refused() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Msgpack).await;
    let mut frame = frame_before(15, "messages");
    frame.extend(b"\x91\x81\xa6extras");
    // Written as text, each in the next, these would be longer than any memory.
    frame.extend([0x81; 100]);
    frame.push(0x80);
    frame.extend([0xc0; 100]);
    socket.send_message(Message::Binary(frame.into())).await;
    assert_eq!(socket.expect_error(2).await, (40000, 400));
    let mut frame = frame_before(15, "messages");
    frame.extend(b"\x91\x81\xa6extras\x83\x07\xa1a\xc3\xa1b\xa1x\xa1y");
    socket.send_message(Message::Binary(frame.into())).await;
    socket.expect(1).await;
    let (_, history) = server.get("/channels/a/messages").await;
    assert_eq!(history[0]["extras"], json!({"7": "a", "true": "b", "x": "y"}));
}

/// Counts how often a task is run that always could be.
fn count_turns() -> (Arc<AtomicUsize>, JoinHandle<()>) {
    let turns = Arc::new(AtomicUsize::new(0));
    let others = tokio::spawn({
        let turns = Arc::clone(&turns);
        async move {
            loop {
                turns.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    (turns, others)
}

/// Client and server share one thread here, so whoever does not let others have their turn is seen to take all of them.
#[tokio::test(flavor = "current_thread")]
async fn whoever_sends_without_pause_lets_others_have_their_turn() {
    const FRAMES: usize = 4_000;
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Json).await;
    // All of it reaches the server at once.
    let flood: Vec<_> = (0..FRAMES).map(|_| Message::Text(r#"{"action":99}"#.into())).collect();
    let (turns, others) = count_turns();
    socket.send_messages(flood).await;
    let before = turns.load(Ordering::Relaxed);
    let answer = socket.publish("a", 0, json!({})).await;
    assert_eq!(answer["action"], 1);
    let turns = turns.load(Ordering::Relaxed) - before;
    assert!(turns >= FRAMES / 256, "the others had {turns} turns");
    others.abort();
}

#[tokio::test(flavor = "current_thread")]
async fn whoever_has_many_requests_on_their_way_lets_others_have_their_turn() {
    const REQUESTS: usize = 500;
    let server = Server::start().await;
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    let (turns, others) = count_turns();
    let flood = "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(REQUESTS - 1);
    let last = "GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all((flood + last).as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 404").count(), REQUESTS);
    let turns = turns.load(Ordering::Relaxed);
    assert!(turns >= REQUESTS, "the others had {turns} turns");
    others.abort();
}

#[tokio::test]
async fn what_comes_after_a_ping_waits_for_its_answer() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        for msg_serial in 0..3 {
            socket.send(json!({"action": 0, "id": "ping"})).await;
            socket
                .send(json!({"action": 15, "channel": "a", "msgSerial": msg_serial, "messages": [{}]}))
                .await;
        }
        for _ in 0..3 {
            socket.expect(0).await;
            socket.expect(1).await;
        }
    }
}

#[tokio::test]
async fn a_batch_is_bounded_by_all_its_messages_and_by_its_specs() {
    let server = Server::start().await;
    let many = vec![json!({}); 1_000];
    let body = json!([{"channels": vec!["a"; 101], "messages": many}]);
    assert_eq!(server.post("/messages", &body).await.0, 400);
    let spec = json!({"channels": "a", "messages": {}});
    assert_eq!(server.post("/messages", &vec![spec.clone(); 101].into()).await.0, 400);
    assert!(server.stored("a").await.is_empty());
    let (status, answered) = server.post("/messages", &vec![spec; 100].into()).await;
    assert_eq!((status.as_u16(), answered.as_array().map(Vec::len)), (201, Some(100)));
    let (status, _) = answer(server.request_by(KEY, Method::GET, "/time")).await;
    assert_eq!(status, 200);
}
