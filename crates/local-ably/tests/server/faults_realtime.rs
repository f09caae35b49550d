//! Faults that meet WebSocket connections and what is published over them.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;

use crate::harness::{BOTH, Format, KEY, SMALL_KEY, Server, Socket, jwt};

/// Sends a publish and awaits nothing.
async fn send(socket: &mut Socket, msg_serial: u64, name: &str) {
    let messages = json!([{"name": name}]);
    socket.send(json!({"action": 15, "channel": "a", "msgSerial": msg_serial, "messages": messages})).await;
}

fn is_reset(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == ErrorKind::ConnectionReset)
}

async fn upgrade(server: &Server, query: &str) -> Result<u16, Error> {
    let url = format!("ws://127.0.0.1:{}/?v=6&{query}", server.port());
    match connect_async(url).await {
        Ok((_, response)) => Ok(response.status().as_u16()),
        Err(Error::Http(response)) => Ok(response.status().as_u16()),
        Err(error) => Err(error),
    }
}

#[tokio::test]
async fn an_error_is_a_nack_and_the_next_publish_is_acknowledged() {
    let server = Server::start().await;
    for format in BOTH {
        let id =
            server.fault(&json!({"kind": "error", "status": 429, "transport": "realtime", "times": 1})).await;
        let (mut socket, _) = server.connect(format).await;
        let nack = socket.publish("a", 0, json!({"name": "lost"})).await;
        assert_eq!((&nack["action"], &nack["msgSerial"], &nack["count"]), (&json!(2), &json!(0), &json!(1)));
        assert_eq!((&nack["error"]["code"], &nack["error"]["statusCode"]), (&json!(42910), &json!(429)));
        assert_eq!(socket.publish("a", 1, json!({"name": "kept"})).await["action"], 1);
        server.fired(&id, 1).await;
    }
    assert_eq!(server.stored("a").await, ["kept", "kept"]);
}

#[tokio::test]
async fn a_rest_fault_meets_no_publish_over_a_websocket() {
    let server = Server::start().await;
    server.fault(&json!({"kind": "error", "transport": "rest"})).await;
    let (mut socket, _) = server.connect(Format::Json).await;
    assert_eq!(socket.publish("a", 0, json!({})).await["action"], 1);
}

#[tokio::test]
async fn a_stored_error_is_delivered_and_refused() {
    let server = Server::start().await;
    server.fault(&json!({"kind": "error", "stored": true})).await;
    let (mut reader, _) = server.connect(Format::Json).await;
    reader.attach("a").await;
    let (mut socket, _) = server.connect(Format::Json).await;
    assert_eq!(socket.publish("a", 0, json!({"name": "kept"})).await["action"], 2);
    assert_eq!(reader.expect(15).await["messages"][0]["name"], "kept");
}

#[tokio::test]
async fn a_reset_without_storing_is_made_good_by_sending_again_after_a_resume() {
    let server = Server::start().await;
    let id = server.fault(&json!({"kind": "reset", "times": 1})).await;
    let (mut socket, connected) = server.connect(Format::Json).await;
    let key = connected["connectionDetails"]["connectionKey"].as_str().unwrap();
    send(&mut socket, 0, "sent twice").await;
    assert!(is_reset(&socket.expect_break().await));
    server.fired(&id, 1).await;
    assert!(server.stored("a").await.is_empty());
    let (mut again, resumed) = server.connect_with(Format::Json, &format!("key={KEY}&resume={key}")).await;
    assert_eq!(resumed["connectionId"], connected["connectionId"]);
    assert_eq!(again.publish("a", 0, json!({"name": "sent twice"})).await["action"], 1);
    assert_eq!(server.stored("a").await, ["sent twice"]);
}

#[tokio::test]
async fn a_publish_whose_answer_is_lost_is_not_doubled_by_sending_again_after_a_resume() {
    for kind in ["reset", "truncate"] {
        for format in BOTH {
            let server = Server::start().await;
            let mut fault = json!({"kind": kind, "times": 1});
            if kind == "reset" {
                fault["stored"] = true.into();
            }
            let id = server.fault(&fault).await;
            let (mut socket, connected) = server.connect(format).await;
            let key = connected["connectionDetails"]["connectionKey"].as_str().unwrap();
            send(&mut socket, 0, "once").await;
            let error = socket.expect_break().await;
            let as_told = match kind {
                "reset" => is_reset(&error),
                _ => {
                    matches!(error, Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))
                        || is_reset(&error)
                }
            };
            assert!(as_told, "{kind}: {error:?}");
            server.fired(&id, 1).await;
            assert_eq!(server.stored("a").await, ["once"]);
            let (mut again, _) = server.connect_with(format, &format!("key={KEY}&resume={key}")).await;
            assert_eq!(again.publish("a", 0, json!({"name": "once"})).await["action"], 1);
            assert_eq!(server.stored("a").await, ["once"]);
        }
    }
}

#[tokio::test]
async fn while_a_publish_hangs_later_ones_wait_and_all_else_goes_on() {
    let server = Server::start().await;
    let id = server.fault(&json!({"kind": "hang", "times": 1})).await;
    let (mut socket, _) = server.connect(Format::Json).await;
    send(&mut socket, 0, "first").await;
    server.fired(&id, 1).await;
    send(&mut socket, 1, "second").await;
    socket.attach("b").await;
    socket.expect_nothing().await;
    assert!(server.stored("a").await.is_empty());
    server.remove_fault(&id).await;
    for msg_serial in 0..2 {
        let ack = socket.answer().await;
        assert_eq!((&ack["action"], &ack["msgSerial"]), (&json!(1), &json!(msg_serial)));
    }
    assert_eq!(server.stored("a").await, ["first", "second"]);
}

#[tokio::test]
async fn a_stored_hang_delivers_and_does_not_answer() {
    let server = Server::start().await;
    let id = server.fault(&json!({"kind": "hang", "stored": true})).await;
    let (mut socket, _) = server.connect(Format::Json).await;
    send(&mut socket, 0, "kept").await;
    server.fired(&id, 1).await;
    assert_eq!(server.stored("a").await, ["kept"]);
    socket.expect_nothing().await;
}

#[tokio::test]
async fn a_slow_answer_and_a_hang_come_after_their_time() {
    for kind in ["slow", "hang"] {
        let server = Server::start().await;
        server.fault(&json!({"kind": kind, "holdMs": 300, "times": 2})).await;
        let (mut socket, _) = server.connect(Format::Json).await;
        let started = Instant::now();
        send(&mut socket, 0, "x").await;
        send(&mut socket, 1, "y").await;
        for msg_serial in 0..2 {
            assert_eq!(socket.answer().await["msgSerial"], msg_serial, "{kind}");
        }
        assert!(started.elapsed() >= Duration::from_millis(600), "{kind}: each waits its time");
        assert_eq!(server.stored("a").await, ["x", "y"]);
    }
}

#[tokio::test]
async fn all_connections_drop_or_those_of_a_client_or_of_a_key() {
    let server = Server::start().await;
    for (of, dropped) in [
        (json!({}), [true, true, true]),
        (json!({"clientId": "x"}), [true, false, false]),
        (json!({"key": "AbCdEf.small"}), [false, false, true]),
        (json!({"key": "AbCdEf.root", "clientId": "z"}), [false, false, false]),
    ] {
        let mut sockets = Vec::new();
        for query in
            [format!("key={KEY}&clientId=x"), format!("key={KEY}"), format!("key={SMALL_KEY}&clientId=z")]
        {
            sockets.push(server.connect_with(Format::Json, &query).await.0);
        }
        let mut fault: Value = of.clone();
        fault["kind"] = "drop-connections".into();
        server.fault(&fault).await;
        for (mut socket, dropped) in sockets.into_iter().zip(dropped) {
            if dropped {
                assert!(is_reset(&socket.expect_break().await), "{of}");
            } else {
                socket.expect_nothing().await;
                socket.send(json!({"action": 7})).await;
                socket.expect(8).await;
            }
        }
    }
}

#[tokio::test]
async fn connections_that_are_dropped_by_disconnected_are_told_and_counted() {
    let server = Server::start().await;
    let (mut socket, connected) = server.connect(Format::Json).await;
    let request =
        server.control(reqwest::Method::POST, "/control/faults").header("content-type", "application/json");
    let body = json!({"kind": "drop-connections", "by": "disconnected", "code": 50002, "status": 500});
    let (_, fault) = crate::harness::answer(request.body(body.to_string())).await;
    assert_eq!((&fault["fired"], &fault["over"]), (&json!(1), &json!(true)));
    assert_eq!(socket.expect_error(6).await, (50002, 500));
    socket.expect_end().await;
    let key = connected["connectionDetails"]["connectionKey"].as_str().unwrap();
    let (_, resumed) = server.connect_with(Format::Json, &format!("key={KEY}&resume={key}")).await;
    assert_eq!(resumed["connectionId"], connected["connectionId"]);
}

#[tokio::test]
async fn connections_are_refused_by_reset_by_http_or_by_a_frame_until_the_fault_is_removed() {
    let server = Server::start().await;
    let query = format!("key={KEY}");
    let id = server.fault(&json!({"kind": "refuse-connections"})).await;
    assert!(is_reset(&upgrade(&server, &query).await.unwrap_err()));
    server.fired(&id, 1).await;
    server.remove_fault(&id).await;

    let id = server.fault(&json!({"kind": "refuse-connections", "by": "http", "status": 502})).await;
    assert_eq!(upgrade(&server, &query).await.unwrap(), 502);
    server.remove_fault(&id).await;

    for (by, action) in [("disconnected", 6), ("error", 9)] {
        for format in BOTH {
            let id = server.fault(&json!({"kind": "refuse-connections", "by": by, "times": 1})).await;
            let mut socket = server.open(format, &query).await;
            assert_eq!(socket.expect_error(action).await, (80003, 503));
            socket.expect_end().await;
            server.fired(&id, 1).await;
            server.connect(format).await;
        }
    }
}

#[tokio::test]
async fn only_the_connections_of_a_client_or_of_a_key_are_refused() {
    let server = Server::start().await;
    server.fault(&json!({"kind": "refuse-connections", "clientId": "x", "by": "http"})).await;
    server.fault(&json!({"kind": "refuse-connections", "key": "AbCdEf.small", "by": "http"})).await;
    let token = jwt(KEY, &json!({"x-ably-clientId": "x"}));
    for (query, status) in [
        (format!("key={KEY}&clientId=x"), 503),
        (format!("access_token={token}"), 503),
        (format!("key={SMALL_KEY}"), 503),
        (format!("key={KEY}&clientId=y"), 101),
        ("key=nonsense".to_owned(), 101),
    ] {
        assert_eq!(upgrade(&server, &query).await.unwrap(), status, "{query}");
    }
}

#[tokio::test]
async fn a_refused_key_gets_an_error_after_the_upgrade_and_at_re_authorisation() {
    let server = Server::start().await;
    let token = jwt(KEY, &json!({}));
    let (mut connected, _) = server.connect_with(Format::Json, &format!("access_token={token}")).await;
    server.fault(&json!({"kind": "refuse-key", "key": "AbCdEf.root", "code": 40110})).await;
    let mut socket = server.open(Format::Json, &format!("key={KEY}")).await;
    assert_eq!(socket.expect_error(9).await, (40110, 401));
    socket.expect_end().await;
    connected.expect_nothing().await;
    connected.send(json!({"action": 17, "auth": {"accessToken": token}})).await;
    connected.expect_error(9).await;
    connected.expect_end().await;
}

#[tokio::test]
async fn connections_whose_tokens_expire_are_disconnected_and_come_back_with_new_ones() {
    let server = Server::start().await;
    let token = jwt(KEY, &json!({"x-ably-clientId": "x"}));
    let (mut by_token, connected) = server.connect_with(Format::Json, &format!("access_token={token}")).await;
    let (mut by_key, _) = server.connect(Format::Json).await;
    let id = server.fault(&json!({"kind": "expire-tokens"})).await;
    assert_eq!(by_token.expect_error(6).await, (40142, 401));
    by_token.expect_end().await;
    by_key.expect_nothing().await;
    server.fired(&id, 1).await;
    let resume = connected["connectionDetails"]["connectionKey"].as_str().unwrap();
    let mut refused = server.open(Format::Json, &format!("access_token={token}&resume={resume}")).await;
    assert_eq!(refused.expect_error(9).await, (40142, 401));
    let token = jwt(KEY, &json!({"x-ably-clientId": "x", "jti": "another"}));
    let (_, resumed) =
        server.connect_with(Format::Json, &format!("access_token={token}&resume={resume}")).await;
    assert_eq!(resumed["connectionId"], connected["connectionId"]);
}

#[tokio::test]
async fn what_hangs_on_a_socket_that_another_supersedes_is_sent_again_there_and_published_once() {
    let server = Server::start().await;
    let id = server.fault(&json!({"kind": "hang", "times": 1})).await;
    let (mut old, connected) = server.connect(Format::Json).await;
    let key = connected["connectionDetails"]["connectionKey"].as_str().unwrap();
    send(&mut old, 0, "first").await;
    send(&mut old, 1, "second").await;
    server.fired(&id, 1).await;
    old.expect_nothing().await;
    let (mut new, _) = server.connect_with(Format::Json, &format!("key={KEY}&resume={key}")).await;
    server.remove_fault(&id).await;
    old.expect_nothing().await;
    assert!(server.stored("a").await.is_empty(), "the old socket has no say any more");
    for (msg_serial, name) in [(0, "first"), (1, "second")] {
        assert_eq!(new.publish("a", msg_serial, json!({"name": name})).await["action"], 1);
    }
    assert_eq!(server.stored("a").await, ["first", "second"]);
}

#[tokio::test]
async fn what_waits_behind_a_hanging_publish_is_bounded() {
    let server = Server::start().await;
    let id = server.fault(&json!({"kind": "hang"})).await;
    let (mut socket, _) = server.connect(Format::Json).await;
    send(&mut socket, 0, "first").await;
    server.fired(&id, 1).await;
    // Sixteen mebibytes and something, in frames that are not too long.
    let data = "x".repeat(500_000);
    for msg_serial in 1..36 {
        let frame =
            json!({"action": 15, "channel": "a", "msgSerial": msg_serial, "messages": [{"data": data}]});
        if socket.try_send(frame).await.is_err() {
            break;
        }
    }
    socket.expect_end().await;
    let (mut other, _) = server.connect(Format::Json).await;
    other.expect_nothing().await;
}
