//! Messages and presence messages, as the realtime protocol and REST carry them in JSON and in MessagePack.
//!
//! The same type is read from and written to both formats; everything about a payload passes untouched.

use std::borrow::Cow;

use serde::de::Deserializer;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::object::Object;
use crate::payload::{Payload, WireData};
use crate::wire::{Loose, json_len, millis, numbered, text_len};

/// What happened to a message (features.md, TM5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum MessageAction {
    /// It was published.
    Create,
    /// It was replaced.
    Update,
    /// It was deleted.
    Delete,
    /// It says something about the channel.
    Meta,
    /// Its annotations were summed up.
    Summary,
    /// Something was appended to it.
    Append,
}

/// What happened to a presence member (features.md, TP2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum PresenceAction {
    /// It is not there.
    Absent,
    /// It is there, and was before.
    Present,
    /// It entered.
    Enter,
    /// It left.
    Leave,
    /// Its data changed.
    Update,
}

numbered!(MessageAction: Create = 0, Update = 1, Delete = 2, Meta = 3, Summary = 4, Append = 5);
numbered!(PresenceAction: Absent = 0, Present = 1, Enter = 2, Leave = 3, Update = 4);

/// Which version of a message this is (features.md, TM2s).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Version {
    /// Opaque; later versions sort after earlier ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "millis")]
    pub timestamp: Option<i64>,
    /// Who made this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Why, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Why, for programs: passed on as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

impl Version {
    /// Its size in bytes, as the size limit counts what a client may put into it.
    pub fn size(&self) -> usize {
        text_len(&self.client_id) + text_len(&self.description) + json_len(&self.metadata)
    }
}

/// A message (features.md, TM1–TM8).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Message {
    /// Unique on its channel; what Ably removes doubles by.
    pub id: Option<String>,
    /// The event's name.
    pub name: Option<String>,
    /// What it carries.
    pub payload: Payload,
    /// Who published it.
    pub client_id: Option<String>,
    /// The connection that published it.
    pub connection_id: Option<String>,
    /// Names, on a REST publish, the connection to publish for. Never written.
    pub connection_key: Option<String>,
    /// When Ably took it, Unix milliseconds.
    pub timestamp: Option<i64>,
    /// Headers, push payload, references: passed on as they are.
    pub extras: Option<Value>,
    /// Nothing means [`MessageAction::Create`].
    pub action: Option<MessageAction>,
    /// Ably's own id of the message, the same for all its versions.
    pub serial: Option<String>,
    /// Which version this is.
    pub version: Option<Version>,
    /// What its annotations come to, as `{"summary": {"<type>": …}}` (features.md, TM2u).
    pub annotations: Option<Value>,
}

impl Message {
    /// Its size as Ably's limit counts it: name, data, clientId and extras, in bytes (features.md, TO3l8).
    pub fn size(&self) -> usize {
        text_len(&self.name) + text_len(&self.client_id) + self.payload.len() + json_len(&self.extras)
    }
}

/// A presence message (features.md, TP1–TP5).
#[derive(Debug, Clone, PartialEq)]
pub struct PresenceMessage {
    /// `<connectionId>:<msgSerial>:<index>`, unless Ably itself made the message.
    pub id: Option<String>,
    /// What happened.
    pub action: PresenceAction,
    /// Who it is about.
    pub client_id: Option<String>,
    /// The connection that entered.
    pub connection_id: Option<String>,
    /// What it carries.
    pub payload: Payload,
    /// When Ably took it, Unix milliseconds.
    pub timestamp: Option<i64>,
    /// Passed on as it is.
    pub extras: Option<Value>,
}

impl PresenceMessage {
    /// Its size as Ably's limit counts it: data, clientId and extras, in bytes.
    pub fn size(&self) -> usize {
        text_len(&self.client_id) + self.payload.len() + json_len(&self.extras)
    }
}

/// Either kind of message as it is written: a field that is absent is left out, because SDKs read `null` as a value.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<WireData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extras: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<WrittenVersion<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<WrittenOperation<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a Value>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WrittenVersion<'a> {
    Whole(&'a Version),
    Serial(&'a str),
}

/// Who changed a message and why, before protocol 4.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WrittenOperation<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Value>,
}

impl Message {
    fn written(&self, human_readable: bool) -> Written<'_> {
        let (data, encoding) = self.payload.on_the_wire(human_readable);
        Written {
            id: self.id.as_deref(),
            action: self.action.map(u8::from),
            name: self.name.as_deref(),
            client_id: self.client_id.as_deref(),
            connection_id: self.connection_id.as_deref(),
            data,
            encoding,
            timestamp: self.timestamp,
            extras: self.extras.as_ref(),
            serial: self.serial.as_deref(),
            version: self.version.as_ref().map(WrittenVersion::Whole),
            annotations: self.annotations.as_ref(),
            created_at: None,
            operation: None,
            summary: None,
        }
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written(serializer.is_human_readable()).serialize(serializer)
    }
}

/// A message as it was written before protocol 4 (release notes of ably-js 2.13): `version` is its serial alone, `timestamp`
/// that of the version and `createdAt` that of the message, and what else a version has stands in `operation`. SDKs of
/// typed languages cannot read a message that is written otherwise.
#[derive(Debug, Clone, Copy)]
pub struct BeforeProtocol4<'a>(pub &'a Message);

impl Serialize for BeforeProtocol4<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(message) = self;
        let version = message.version.as_ref();
        let is_change = message
            .action
            .is_some_and(|action| !matches!(action, MessageAction::Create | MessageAction::Meta));
        Written {
            timestamp: version.and_then(|version| version.timestamp).or(message.timestamp),
            created_at: version.and(message.timestamp),
            version: version.and_then(|version| version.serial.as_deref()).map(WrittenVersion::Serial),
            operation: version.filter(|_| is_change).map(|version| WrittenOperation {
                client_id: version.client_id.as_deref(),
                description: version.description.as_deref(),
                metadata: version.metadata.as_ref(),
            }),
            annotations: None,
            summary: message.annotations.as_ref().and_then(|annotations| annotations.get("summary")),
            ..message.written(serializer.is_human_readable())
        }
        .serialize(serializer)
    }
}

impl Serialize for PresenceMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (data, encoding) = self.payload.on_the_wire(serializer.is_human_readable());
        Written {
            id: self.id.as_deref(),
            action: Some(self.action.into()),
            name: None,
            client_id: self.client_id.as_deref(),
            connection_id: self.connection_id.as_deref(),
            data,
            encoding,
            timestamp: self.timestamp,
            extras: self.extras.as_ref(),
            serial: None,
            version: None,
            annotations: None,
            created_at: None,
            operation: None,
            summary: None,
        }
        .serialize(serializer)
    }
}

/// Either kind of message as it is read: `null` is absent, and unknown fields are ignored.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Read {
    id: Option<String>,
    action: Option<u8>,
    name: Option<String>,
    client_id: Option<String>,
    connection_id: Option<String>,
    connection_key: Option<String>,
    data: Option<Loose>,
    encoding: Option<String>,
    #[serde(deserialize_with = "millis")]
    timestamp: Option<i64>,
    extras: Option<Loose>,
    serial: Option<String>,
    version: Option<Object<Version>>,
    annotations: Option<Loose>,
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(read) = Object::<Read>::deserialize(deserializer)?;
        let action =
            read.action.map(MessageAction::try_from).transpose().map_err(serde::de::Error::custom)?;
        Ok(Self {
            id: read.id,
            name: read.name,
            payload: Payload::read(read.data, read.encoding),
            client_id: read.client_id,
            connection_id: read.connection_id,
            connection_key: read.connection_key,
            timestamp: read.timestamp,
            extras: read.extras.map(Loose::into_json),
            action,
            serial: read.serial,
            version: read.version.map(|Object(version)| version),
            annotations: read.annotations.map(Loose::into_json),
        })
    }
}

impl<'de> Deserialize<'de> for PresenceMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(read) = Object::<Read>::deserialize(deserializer)?;
        let action = read.action.ok_or_else(|| serde::de::Error::missing_field("action"))?;
        Ok(Self {
            id: read.id,
            action: PresenceAction::try_from(action).map_err(serde::de::Error::custom)?,
            client_id: read.client_id,
            connection_id: read.connection_id,
            payload: Payload::read(read.data, read.encoding),
            timestamp: read.timestamp,
            extras: read.extras.map(Loose::into_json),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: Value) -> Message {
        serde_json::from_value(json).unwrap()
    }

    fn again(json: Value) -> Value {
        serde_json::to_value(read(json)).unwrap()
    }

    #[test]
    fn encodings_pass_untouched_nonsense_too() {
        for message in [
            json!({"data": "x"}),
            json!({"data": ""}),
            json!({"data": "x", "encoding": "utf-8"}),
            json!({"data": "eA==", "encoding": "json/utf-8/cipher+aes-128-cbc/base64"}),
            json!({"data": "x", "encoding": "no/such/thing"}),
            json!({"data": "!", "encoding": "base64"}),
            json!({"encoding": "json"}),
            json!({"name": "a", "extras": {"headers": {"a": [1, null, 1.5]}}}),
        ] {
            assert_eq!(again(message.clone()), message);
        }
    }

    #[test]
    fn null_is_absent_and_absent_is_left_out() {
        let message =
            json!({"id": null, "name": null, "data": null, "extras": null, "timestamp": null, "size": 3});
        assert_eq!(again(message), json!({}));
        assert_eq!(read(json!({"timestamp": 1.5})).timestamp, Some(1));
    }

    #[test]
    fn only_an_object_is_a_message() {
        for other in [json!([]), json!([[]]), json!(["id"]), json!("text"), json!(1), json!(null)] {
            assert!(serde_json::from_value::<Message>(other.clone()).is_err(), "{other}");
            assert!(serde_json::from_value::<PresenceMessage>(other.clone()).is_err(), "{other}");
        }
        assert!(serde_json::from_value::<PresenceMessage>(json!(["id", 2])).is_err());
        assert!(serde_json::from_value::<Message>(json!({"version": []})).is_err());
    }

    #[test]
    fn the_size_counts_name_data_client_and_extras() {
        assert_eq!(read(json!({"id": "xxxx", "name": "ab", "data": "cde", "clientId": "f"})).size(), 6);
        assert_eq!(read(json!({"data": "AAE=", "encoding": "base64"})).size(), 2);
        assert_eq!(read(json!({"extras": {"a": 1}})).size(), 7);
    }

    #[test]
    fn before_protocol_4_a_message_tells_its_version_by_a_text_and_its_summary_beside_it() {
        let message: Message = serde_json::from_value(json!({
            "id": "i", "action": 4, "timestamp": 1, "serial": "s", "data": "d",
            "version": {"serial": "t", "timestamp": 2, "clientId": "c"},
            "annotations": {"summary": {"type": {"total": 1}}},
        }))
        .unwrap();
        let expected = json!({
            "id": "i", "action": 4, "createdAt": 1, "timestamp": 2, "serial": "s", "data": "d", "version": "t",
            "operation": {"clientId": "c"}, "summary": {"type": {"total": 1}},
        });
        assert_eq!(serde_json::to_value(BeforeProtocol4(&message)).unwrap(), expected);
        let plain = Message { id: Some("i".into()), timestamp: Some(1), ..Message::default() };
        assert_eq!(
            serde_json::to_value(BeforeProtocol4(&plain)).unwrap(),
            json!({"id": "i", "timestamp": 1})
        );
    }

    #[test]
    fn a_presence_message_has_an_action() {
        let parse = |json: Value| serde_json::from_value::<PresenceMessage>(json);
        assert_eq!(parse(json!({"action": 2})).unwrap().action, PresenceAction::Enter);
        assert!(parse(json!({})).is_err());
        assert!(parse(json!({"action": 5})).is_err());
    }
}
