//! What clients send, parsed into what it means. Unknown fields, `null` and unknown actions are tolerated.

use std::collections::BTreeMap;

use ably::{Annotation, Message, Object, PresenceMessage};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Few, Flags, Format, decode};
use crate::errors::asks_for_refusal;

/// The most messages, presence messages or annotations of one frame. Ably says so of the messages of a publish.
pub(crate) const ITEMS_MAX: usize = 1_000;

/// One frame from a client.
#[derive(Debug)]
pub(crate) enum Command {
    Heartbeat {
        id: Option<String>,
    },
    Close,
    /// The client goes, and may come back.
    Disconnect,
    Attach(Attach),
    Detach {
        channel: String,
    },
    Sync {
        channel: String,
    },
    Publish(Publish),
    Presence {
        channel: String,
        msg_serial: Option<i64>,
        presence: Vec<PresenceMessage>,
    },
    Annotate {
        channel: String,
        msg_serial: Option<i64>,
        annotations: Vec<Annotation>,
    },
    Auth {
        access_token: Option<String>,
    },
    /// An answer to a PING.
    Pong {
        id: Option<String>,
    },
    /// A frame that cannot be served: it is refused if it awaits an answer.
    Refused {
        msg_serial: i64,
        reason: String,
    },
    /// A frame that asks for nothing.
    Nothing,
}

/// A MESSAGE.
#[derive(Debug)]
pub(crate) struct Publish {
    pub(crate) channel: String,
    pub(crate) msg_serial: Option<i64>,
    pub(crate) messages: Vec<Message>,
    /// The client asks to be refused, to see how it takes that (`_forceNack`).
    pub(crate) force_nack: bool,
}

/// An ATTACH.
#[derive(Debug)]
pub(crate) struct Attach {
    pub(crate) channel: String,
    pub(crate) channel_serial: Option<String>,
    pub(crate) flags: Flags,
    pub(crate) params: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wire {
    action: Option<u64>,
    id: Option<String>,
    channel: Option<String>,
    channel_serial: Option<String>,
    msg_serial: Option<i64>,
    flags: Option<u64>,
    params: Option<BTreeMap<String, Param>>,
    messages: Option<Few<Message, ITEMS_MAX>>,
    presence: Option<Few<PresenceMessage, ITEMS_MAX>>,
    annotations: Option<Few<Annotation, ITEMS_MAX>>,
    auth: Option<Object<WireAuth>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireAuth {
    access_token: Option<String>,
}

/// What is left of a frame whose contents cannot be read.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Envelope {
    action: Option<u64>,
    msg_serial: Option<i64>,
}

/// A channel parameter. SDKs pass on what they are given, so `rewind: 1` arrives as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Param {
    Text(String),
    Bool(bool),
    Integer(i64),
    Float(f64),
    Other(IgnoredAny),
}

impl Param {
    fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bool(value) => Some(value.to_string()),
            Self::Integer(value) => Some(value.to_string()),
            Self::Float(value) => Some(value.to_string()),
            Self::Other(IgnoredAny) => None,
        }
    }
}

/// The actions whose frames await an ACK: PRESENCE, MESSAGE, OBJECT, ANNOTATION.
const ANSWERED: [u64; 4] = [14, 15, 19, 21];

impl Command {
    /// The channel that the answer to a frame is about; nothing where the frame awaits none.
    pub(crate) fn subject(&self) -> Option<&str> {
        match self {
            Self::Publish(Publish { channel, .. })
            | Self::Presence { channel, .. }
            | Self::Annotate { channel, .. } => Some(channel),
            Self::Refused { .. } => Some(""),
            _ => None,
        }
    }

    /// Reads one frame.
    ///
    /// # Errors
    /// What is wrong, where the bytes are not a frame at all. A frame whose contents alone are wrong is
    /// [`Command::Refused`] if the client awaits an answer to it.
    pub(crate) fn parse(format: Format, bytes: &[u8]) -> Result<Self, String> {
        match decode(format, bytes) {
            Ok(Object::<Wire>(wire)) => Ok(wire.into_command()),
            Err(reason) => match decode(format, bytes) {
                Ok(Object(Envelope { action: Some(action), msg_serial: Some(msg_serial) }))
                    if ANSWERED.contains(&action) =>
                {
                    Ok(Self::Refused { msg_serial, reason })
                }
                _ => Err(reason),
            },
        }
    }
}

impl Wire {
    fn into_command(self) -> Command {
        // A frame that should name a channel and does not is one about the channel "", which is refused by name.
        let channel = self.channel.unwrap_or_default();
        let mut params: BTreeMap<String, String> = self
            .params
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.into_text()?)))
            .collect();
        match self.action {
            Some(0) => Command::Heartbeat { id: self.id },
            Some(5) => Command::Disconnect,
            Some(7) => Command::Close,
            Some(10) => Command::Attach(Attach {
                channel,
                channel_serial: self.channel_serial.filter(|serial| !serial.is_empty()),
                flags: self.flags.unwrap_or_default().into(),
                params,
            }),
            Some(12) => Command::Detach { channel },
            Some(14) => Command::Presence {
                channel,
                msg_serial: self.msg_serial,
                presence: self.presence.unwrap_or_default().0,
            },
            Some(15) => Command::Publish(Publish {
                channel,
                msg_serial: self.msg_serial,
                messages: self.messages.unwrap_or_default().0,
                force_nack: asks_for_refusal(params.remove("_forceNack").as_deref()),
            }),
            Some(16) => Command::Sync { channel },
            Some(17) => Command::Auth { access_token: self.auth.and_then(|Object(auth)| auth.access_token) },
            Some(19) => match self.msg_serial {
                Some(msg_serial) => {
                    Command::Refused { msg_serial, reason: "the local Ably has no LiveObjects".to_owned() }
                }
                None => Command::Nothing,
            },
            Some(21) => Command::Annotate {
                channel,
                msg_serial: self.msg_serial,
                annotations: self.annotations.unwrap_or_default().0,
            },
            Some(23) => Command::Pong { id: self.id },
            _ => Command::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::protocol::encode;

    fn parse(frame: &serde_json::Value) -> Result<Command, String> {
        let in_json = Command::parse(Format::Json, frame.to_string().as_bytes());
        let in_msgpack = Command::parse(Format::Msgpack, &encode(Format::Msgpack, frame));
        assert_eq!(in_json.is_ok(), in_msgpack.is_ok(), "{frame}");
        if let (Ok(one), Ok(other)) = (&in_json, &in_msgpack)
            && !matches!(one, Command::Refused { .. })
        {
            assert_eq!(format!("{one:?}"), format!("{other:?}"), "{frame}");
        }
        in_json
    }

    #[test]
    fn null_and_unknown_fields_and_numbers_in_params_are_tolerated() {
        let command = parse(&json!({
            "action": 10, "channel": "a", "channelSerial": null, "flags": null, "size": 3, "auth": null,
            "params": {"rewind": 1, "delta": null, "x": {"y": 1}, "b": true}, "messages": null,
        }));
        let Ok(Command::Attach(attach)) = command else { panic!("{command:?}") };
        assert_eq!(attach.channel_serial, None);
        assert_eq!(
            attach.params,
            BTreeMap::from([("b".into(), "true".into()), ("rewind".into(), "1".into())])
        );
    }

    #[test]
    fn unknown_actions_ask_for_nothing() {
        for frame in [json!({}), json!({"action": 99}), json!({"action": 1, "msgSerial": 0})] {
            assert!(matches!(parse(&frame), Ok(Command::Nothing)), "{frame}");
        }
    }

    #[test]
    fn contents_that_cannot_be_read_refuse_the_frame_alone() {
        let frame = json!({"action": 15, "msgSerial": 3, "messages": [{"name": 1}]});
        assert!(matches!(parse(&frame), Ok(Command::Refused { msg_serial: 3, .. })));
        for contents in [json!([[]]), json!(["text"]), json!([1]), json!("text"), json!({})] {
            let fields = [(14, "presence"), (15, "messages"), (21, "annotations")];
            for (action, field) in fields {
                let frame = json!({"action": action, "msgSerial": 3, field: contents});
                assert!(matches!(parse(&frame), Ok(Command::Refused { msg_serial: 3, .. })), "{frame}");
            }
        }
        assert!(matches!(
            parse(&json!({"action": 19, "msgSerial": 4})),
            Ok(Command::Refused { msg_serial: 4, .. })
        ));
        for other in [json!("x"), json!([]), json!([0]), json!([15])] {
            assert!(parse(&other).is_err(), "{other}");
        }
    }

    #[test]
    fn bytes_after_a_frame_make_it_none() {
        let mut bytes = encode(Format::Msgpack, &json!({"action": 0}));
        bytes.push(0);
        assert!(Command::parse(Format::Msgpack, &bytes).is_err());
        assert!(Command::parse(Format::Json, b"{\"action\":0}x").is_err());
    }

    #[test]
    fn deep_nesting_is_refused_and_overflows_nothing() {
        let mut bytes = vec![0x81, 0xa1, b'x'];
        bytes.extend(std::iter::repeat_n(0x91, 500_000));
        assert!(Command::parse(Format::Msgpack, &bytes).is_err());
        let deep = format!("{{\"x\":{}", "[".repeat(500_000));
        assert!(Command::parse(Format::Json, deep.as_bytes()).is_err());
    }

    /// Values as hostile as JSON allows, of little depth.
    fn any_value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|value| json!(value)),
            any::<i64>().prop_map(|value| json!(value)),
            any::<u64>().prop_map(|value| json!(value)),
            any::<f64>().prop_map(|value| json!(value)),
            ".{0,8}".prop_map(|value| json!(value)),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| json!(items)),
                proptest::collection::btree_map(field(), inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    /// Names of fields, most of which mean something somewhere.
    fn field() -> impl Strategy<Value = String> {
        let known = [
            "action",
            "id",
            "channel",
            "channelSerial",
            "msgSerial",
            "flags",
            "params",
            "messages",
            "presence",
            "annotations",
            "auth",
            "accessToken",
            "name",
            "data",
            "encoding",
            "clientId",
            "timestamp",
            "extras",
            "serial",
            "version",
            "messageSerial",
            "type",
            "count",
            "rewind",
            "_forceNack",
        ];
        prop_oneof![4 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => ".{0,4}"]
    }

    proptest! {
        #[test]
        fn frames_of_any_values_mean_the_same_in_both_formats(
            action in prop_oneof![3 => (0_u64..25).prop_map(|action| json!(action)), 1 => any_value()],
            mut frame in proptest::collection::btree_map(field(), any_value(), 0..8),
        ) {
            frame.insert("action".to_owned(), action);
            // A number of a float's range alone is read back as another one: that is JSON's, not the parser's.
            let frame = json!(frame);
            let frame: serde_json::Value = serde_json::from_str(&frame.to_string()).unwrap();
            let _ = parse(&frame);
        }

        #[test]
        fn frames_cut_short_or_altered_do_no_harm(
            at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
        ) {
            let frame = json!({
                "action": 15, "channel": "a", "msgSerial": 1, "params": {"x": 1},
                "messages": [{"name": "n", "data": "AAE=", "encoding": "base64", "extras": {"a": [1.5, null]}}],
            });
            for format in [Format::Json, Format::Msgpack] {
                let mut bytes = encode(format, &frame);
                let at = at.index(bytes.len());
                if cut { bytes.truncate(at) } else { bytes[at] = byte }
                let _ = Command::parse(format, &bytes);
            }
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = Command::parse(Format::Json, &bytes);
            let _ = Command::parse(Format::Msgpack, &bytes);
        }
    }
}
