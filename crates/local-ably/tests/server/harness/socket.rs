//! A WebSocket client that speaks the wire's own language, frame by frame.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{Format, PATIENCE};

/// A WebSocket client.
pub(crate) struct Socket {
    pub(super) format: Format,
    pub(super) stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    pub(crate) async fn send(&mut self, frame: Value) {
        self.try_send(frame).await.unwrap();
    }

    /// Sends a frame on a socket that the server may have ended.
    pub(crate) async fn try_send(
        &mut self,
        frame: Value,
    ) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        let message = match self.format {
            Format::Json => Message::Text(frame.to_string().into()),
            Format::Msgpack => Message::Binary(self.format.write(&frame).into()),
        };
        self.stream.send(message).await
    }

    pub(crate) async fn send_message(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// Sends messages in as few writes as can be.
    pub(crate) async fn send_messages(&mut self, messages: Vec<Message>) {
        let mut messages = futures_util::stream::iter(messages.into_iter().map(Ok));
        self.stream.send_all(&mut messages).await.unwrap();
    }

    /// The next frame, HEARTBEATs that nobody asked for apart; nothing where the socket has ended.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        self.next_within(PATIENCE).await
    }

    pub(crate) async fn next_within(&mut self, patience: Duration) -> Option<Value> {
        loop {
            let message = timeout(patience, self.stream.next()).await.expect("no frame came")?;
            let frame = match message {
                Ok(Message::Text(text)) => {
                    assert_eq!(self.format, Format::Json);
                    self.format.read(text.as_str().as_bytes())
                }
                Ok(Message::Binary(bytes)) => {
                    assert_eq!(self.format, Format::Msgpack);
                    self.format.read(&bytes)
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => continue,
            };
            return Some(frame);
        }
    }

    pub(crate) async fn receive(&mut self) -> Value {
        self.next().await.expect("the socket has ended")
    }

    /// The next frame, which has this action.
    pub(crate) async fn expect(&mut self, action: u64) -> Value {
        let frame = self.receive().await;
        assert_eq!(frame["action"], action, "{frame}");
        frame
    }

    /// The error of the next frame, which has this action, as code and status.
    pub(crate) async fn expect_error(&mut self, action: u64) -> (u64, u64) {
        let frame = self.expect(action).await;
        assert!(frame["error"]["message"].is_string(), "{frame}");
        (frame["error"]["code"].as_u64().unwrap(), frame["error"]["statusCode"].as_u64().unwrap())
    }

    /// The socket ends, with nothing before.
    pub(crate) async fn expect_end(&mut self) {
        let frame = self.next().await;
        assert!(frame.is_none(), "{frame:?}");
    }

    /// The WebSocket's close comes next: its code, where it names one.
    pub(crate) async fn expect_close(&mut self) -> Option<u16> {
        match timeout(PATIENCE, self.stream.next()).await.expect("the socket goes on") {
            Some(Ok(Message::Close(frame))) => frame.map(|frame| frame.code.into()),
            other => panic!("{other:?}"),
        }
    }

    /// Nothing was sent before the answer to a ping.
    pub(crate) async fn expect_nothing(&mut self) {
        self.send(json!({"action": 0, "id": "nothing"})).await;
        let frame = self.expect(0).await;
        assert_eq!(frame["id"], "nothing", "{frame}");
    }

    /// Attaches, and answers ATTACHED.
    pub(crate) async fn attach(&mut self, channel: &str) -> Value {
        self.attach_with(json!({"channel": channel})).await
    }

    pub(crate) async fn attach_with(&mut self, mut frame: Value) -> Value {
        frame["action"] = 10.into();
        self.send(frame).await;
        self.expect(11).await
    }

    /// Publishes a message, and answers ACK or NACK; the frames before it, echoes, are passed over.
    pub(crate) async fn publish(&mut self, channel: &str, msg_serial: u64, message: Value) -> Value {
        self.send(json!({"action": 15, "channel": channel, "msgSerial": msg_serial, "messages": [message]}))
            .await;
        self.answer().await
    }

    /// Publishes a message, and answers its serial.
    pub(crate) async fn published(&mut self, channel: &str, msg_serial: u64, message: Value) -> String {
        let ack = self.publish(channel, msg_serial, message).await;
        ack["res"][0]["serials"][0].as_str().expect("an ACK").to_owned()
    }

    /// Sends a presence message, and answers ACK or NACK.
    pub(crate) async fn presence(&mut self, channel: &str, msg_serial: u64, message: Value) -> Value {
        self.send(json!({"action": 14, "channel": channel, "msgSerial": msg_serial, "presence": [message]}))
            .await;
        self.answer().await
    }

    /// The next ACK or NACK.
    pub(crate) async fn answer(&mut self) -> Value {
        loop {
            let frame = self.receive().await;
            if frame["action"] == 1 || frame["action"] == 2 {
                return frame;
            }
        }
    }

    /// The socket ends in the middle of something, or with nothing: by no WebSocket close.
    pub(crate) async fn expect_break(&mut self) -> tokio_tungstenite::tungstenite::Error {
        loop {
            match timeout(PATIENCE, self.stream.next()).await.expect("the socket goes on") {
                Some(Ok(Message::Text(_) | Message::Binary(_))) => {}
                Some(Err(error)) => return error,
                other => panic!("{other:?}"),
            }
        }
    }

    /// DETACHED of a channel, after whatever was on its way.
    pub(crate) async fn expect_detached(&mut self, channel: &str) {
        loop {
            let frame = self.receive().await;
            if frame["action"] == 13 {
                assert_eq!(frame["channel"], channel);
                return;
            }
        }
    }

    /// Drops the socket without a word.
    pub(crate) fn lose(self) {
        drop(self);
    }
}
