//! `heartbeats=bounce`: PING (22), which the client answers by PONG (23).

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, Server, Socket};

/// Longer than the shortest interval of heartbeats, after which a PING or the end is due.
const INTERVAL: Duration = Duration::from_secs(8);

async fn connect(server: &Server, format: Format, query: &str) -> (Socket, Value) {
    let query = format!("key={KEY}&heartbeats=bounce&heartbeatInterval=5000{query}");
    server.connect_with(format, &query).await
}

async fn ping(socket: &mut Socket) -> Value {
    let ping = socket.next_within(INTERVAL).await.expect("a PING");
    assert_eq!(ping, json!({"action": 22, "id": ping["id"]}));
    assert!(ping["id"].is_string());
    ping["id"].clone()
}

#[tokio::test]
async fn a_client_that_answers_pings_stays_and_one_that_does_not_is_cut_and_may_resume() {
    let server = Server::start().await;
    let bounced = async |format: Format| {
        let (mut socket, connected) = connect(&server, format, "").await;
        assert_eq!(connected["connectionDetails"]["maxIdleInterval"], 5_000);
        let first = ping(&mut socket).await;
        // One that nobody asked for answers nothing.
        socket.send(json!({"action": 23, "id": "stray"})).await;
        socket.send(json!({"action": 23, "id": first})).await;
        let second = ping(&mut socket).await;
        assert_ne!(first, second);
        // Neither pongs of WebSocket, which the client sends by itself, nor other frames stand for an answer.
        socket.send(json!({"action": 0, "id": "here"})).await;
        assert_eq!(socket.expect(0).await["id"], "here");
        assert_eq!(socket.next_within(INTERVAL).await, None);
        let key = connected["connectionDetails"]["connectionKey"].as_str().unwrap();
        let (_socket, resumed) = connect(&server, format, &format!("&resume={key}")).await;
        assert_eq!(resumed["connectionId"], connected["connectionId"]);
    };
    tokio::join!(bounced(BOTH[0]), bounced(BOTH[1]));
}

#[tokio::test]
async fn a_pong_to_no_ping_asks_for_nothing() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        for pong in [json!({"action": 23}), json!({"action": 23, "id": "x", "msgSerial": 0})] {
            socket.send(pong).await;
            socket.expect_nothing().await;
        }
    }
}
