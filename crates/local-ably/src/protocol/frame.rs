//! What the server sends.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use ably::{Annotation, BeforeProtocol4, ErrorInfo, Message, PresenceMessage};
use axum::body::Bytes;
use axum::extract::ws::{self, Utf8Bytes};
use serde::Serialize;

use super::{Flags, Format, Shape, encode};
use crate::clock::Millis;

/// The action of a frame that the server sends (features.md, TR2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Heartbeat,
    Ack,
    Nack,
    Connected,
    Disconnected,
    Closed,
    Error,
    Attached,
    Detached,
    Presence,
    Message,
    Sync,
    Auth,
    Annotation,
    Ping,
}

impl Serialize for Action {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(match self {
            Self::Heartbeat => 0,
            Self::Ack => 1,
            Self::Nack => 2,
            Self::Connected => 4,
            Self::Disconnected => 6,
            Self::Closed => 8,
            Self::Error => 9,
            Self::Attached => 11,
            Self::Detached => 13,
            Self::Presence => 14,
            Self::Message => 15,
            Self::Sync => 16,
            Self::Auth => 17,
            Self::Annotation => 21,
            Self::Ping => 22,
        })
    }
}

/// What CONNECTED says about the connection (features.md, CD2). ably-js hangs where it is missing.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectionDetails {
    pub(crate) connection_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
    pub(crate) max_message_size: usize,
    pub(crate) max_frame_size: usize,
    pub(crate) max_inbound_rate: u32,
    pub(crate) max_outbound_rate: u32,
    pub(crate) connection_state_ttl: Millis,
    pub(crate) max_idle_interval: Millis,
    pub(crate) server_id: String,
}

/// What became of one frame of messages: a serial for each (features.md, TR4s).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PublishResult {
    pub(crate) serials: Vec<String>,
}

/// A frame, with messages of one shape or the other. A field that is absent is left out.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Frame<M = Message> {
    pub(crate) action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connection_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) channel_serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) msg_serial: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timestamp: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) flags: Option<Flags>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) params: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connection_details: Option<ConnectionDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) messages: Option<Vec<M>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) presence: Option<Vec<PresenceMessage>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<Vec<Annotation>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) res: Option<Vec<PublishResult>>,
}

impl Frame {
    /// A frame with nothing but its action.
    pub(crate) fn new(action: Action) -> Self {
        Self {
            action,
            id: None,
            connection_id: None,
            channel: None,
            channel_serial: None,
            msg_serial: None,
            count: None,
            timestamp: None,
            flags: None,
            params: None,
            error: None,
            connection_details: None,
            messages: None,
            presence: None,
            annotations: None,
            res: None,
        }
    }

    /// The same with messages as they were before protocol 4.
    fn before_protocol_4(&self) -> Frame<BeforeProtocol4<'_>> {
        Frame {
            action: self.action,
            id: self.id.clone(),
            connection_id: self.connection_id.clone(),
            channel: self.channel.clone(),
            channel_serial: self.channel_serial.clone(),
            msg_serial: self.msg_serial,
            count: self.count,
            timestamp: self.timestamp,
            flags: self.flags,
            params: self.params.clone(),
            error: self.error.clone(),
            connection_details: self.connection_details.clone(),
            messages: self.messages.as_ref().map(|messages| messages.iter().map(BeforeProtocol4).collect()),
            presence: self.presence.clone(),
            annotations: self.annotations.clone(),
            res: self.res.clone(),
        }
    }

    /// A frame about a channel, whose name is the one that the client used.
    pub(crate) fn on(action: Action, channel: &str) -> Self {
        Self { channel: Some(channel.to_owned()), ..Self::new(action) }
    }

    /// An answer to one frame. Without `count` the client's promise would hang for ever.
    pub(crate) fn ack(msg_serial: i64, result: PublishResult) -> Self {
        Self {
            msg_serial: Some(msg_serial),
            count: Some(1),
            res: Some(vec![result]),
            ..Self::new(Action::Ack)
        }
    }

    /// A refusal of one frame.
    pub(crate) fn nack(msg_serial: i64, error: ErrorInfo) -> Self {
        Self { msg_serial: Some(msg_serial), count: Some(1), error: Some(error), ..Self::new(Action::Nack) }
    }

    /// ERROR about a channel: the connection goes on.
    pub(crate) fn channel_error(channel: &str, error: ErrorInfo) -> Self {
        Self { error: Some(error), ..Self::on(Action::Error, channel) }
    }

    /// ERROR or DISCONNECTED about the connection, which ends it.
    pub(crate) fn ending(action: Action, error: ErrorInfo) -> Self {
        Self { error: Some(error), ..Self::new(action) }
    }
}

/// A frame on its way to many sockets: written at most once in each format and shape.
#[derive(Debug)]
pub(crate) struct SharedFrame {
    frame: Frame,
    current: Written,
    before_4: Written,
}

#[derive(Debug, Default)]
struct Written {
    json: OnceLock<Utf8Bytes>,
    msgpack: OnceLock<Bytes>,
}

impl Written {
    fn get(&self, format: Format, frame: &impl Serialize) -> ws::Message {
        match format {
            Format::Json => ws::Message::Text(
                self.json.get_or_init(|| serde_json::to_string(frame).unwrap_or_default().into()).clone(),
            ),
            Format::Msgpack => {
                ws::Message::Binary(self.msgpack.get_or_init(|| encode(format, frame).into()).clone())
            }
        }
    }
}

impl SharedFrame {
    pub(crate) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The WebSocket message that carries the frame.
    pub(crate) fn encoded(&self, format: Format, shape: Shape) -> ws::Message {
        match shape {
            Shape::BeforeProtocol4 if self.frame.messages.is_some() => {
                self.before_4.get(format, &self.frame.before_protocol_4())
            }
            Shape::BeforeProtocol4 | Shape::Current => self.current.get(format, &self.frame),
        }
    }
}

impl From<Frame> for SharedFrame {
    fn from(frame: Frame) -> Self {
        Self { frame, current: Written::default(), before_4: Written::default() }
    }
}
