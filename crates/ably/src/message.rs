//! Messages and presence messages, as the realtime protocol and REST carry them in JSON and in MessagePack.
//!
//! The same type is read from and written to both formats. Binary data travels as base64 in JSON and as bytes in MessagePack;
//! here it is always bytes. Everything else about a payload passes untouched.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::annotation::AnnotationAction;

/// Standard base64, with or without padding: SDKs differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a message carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Text, whatever the encoding makes of it.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Data {
    /// Its length in bytes, as the size limit counts it.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Data and what was done to it on the way, innermost step first, joined by `/` (features.md, RSL4–RSL6).
///
/// An outermost `base64` is never kept: it is undone when the payload is read, and done again where JSON needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload {
    /// The data, if any. The empty text is data.
    pub data: Option<Data>,
    /// Such as `json` or `json/utf-8/cipher+aes-128-cbc`; texts that mean nothing are kept as they came.
    pub encoding: Option<String>,
}

impl Payload {
    /// From what stood on the wire. Data that is neither text nor bytes (a raw JSON object over REST) becomes JSON text.
    pub(crate) fn read(data: Option<Loose>, encoding: Option<String>) -> Self {
        match data {
            None => Self { data: None, encoding },
            Some(Loose::Bytes(bytes)) => Self { data: Some(Data::Binary(bytes)), encoding },
            Some(Loose::Json(Value::String(text))) => Self::read_text(text, encoding),
            Some(Loose::Json(value)) => {
                let encoding = match encoding {
                    Some(steps) if steps.rsplit('/').next() == Some("json") => steps,
                    Some(steps) if !steps.is_empty() => steps + "/json",
                    _ => "json".to_owned(),
                };
                Self { data: Some(Data::Text(value.to_string())), encoding: Some(encoding) }
            }
        }
    }

    fn read_text(text: String, encoding: Option<String>) -> Self {
        let inner = match encoding.as_deref() {
            Some("base64") => Some(None),
            Some(steps) => steps.strip_suffix("/base64").map(|inner| Some(inner.to_owned())),
            None => None,
        };
        match inner.map(|inner| (inner, BASE64.decode(&text))) {
            Some((inner, Ok(bytes))) => Self { data: Some(Data::Binary(bytes)), encoding: inner },
            // Not base64 after all: it passes untouched.
            _ => Self { data: Some(Data::Text(text)), encoding },
        }
    }

    /// As it stands on the wire of a format that has bytes, or has only text.
    pub(crate) fn on_the_wire(&self, text_only: bool) -> (Option<WireData<'_>>, Option<Cow<'_, str>>) {
        let encoding = self.encoding.as_deref().map(Cow::Borrowed);
        match &self.data {
            None => (None, encoding),
            Some(Data::Text(text)) => (Some(WireData::Text(Cow::Borrowed(text))), encoding),
            Some(Data::Binary(bytes)) if text_only => {
                let steps = match self.encoding.as_deref() {
                    Some(steps) if !steps.is_empty() => Cow::Owned(format!("{steps}/base64")),
                    _ => Cow::Borrowed("base64"),
                };
                (Some(WireData::Text(Cow::Owned(STANDARD.encode(bytes)))), Some(steps))
            }
            Some(Data::Binary(bytes)) => (Some(WireData::Bytes(bytes)), encoding),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.data.as_ref().map_or(0, Data::len)
    }
}

pub(crate) enum WireData<'a> {
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
}

impl Serialize for WireData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
        }
    }
}

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

macro_rules! numbered {
    ($type:ident: $($variant:ident = $number:literal),*) => {
        impl TryFrom<u8> for $type {
            type Error = String;
            fn try_from(number: u8) -> Result<Self, String> {
                match number {
                    $($number => Ok(Self::$variant),)*
                    _ => Err(format!("{number} is no action")),
                }
            }
        }
        impl From<$type> for u8 {
            fn from(action: $type) -> u8 {
                match action {
                    $($type::$variant => $number,)*
                }
            }
        }
    };
}

numbered!(MessageAction: Create = 0, Update = 1, Delete = 2, Meta = 3, Summary = 4, Append = 5);
numbered!(AnnotationAction: Create = 0, Delete = 1);
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

pub(crate) fn text_len(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

pub(crate) fn json_len(value: &Option<Value>) -> usize {
    value.as_ref().map_or(0, |value| value.to_string().len())
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
    version: Option<&'a Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a Value>,
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (data, encoding) = self.payload.on_the_wire(serializer.is_human_readable());
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
            version: self.version.as_ref(),
            annotations: self.annotations.as_ref(),
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
    version: Option<Version>,
    annotations: Option<Loose>,
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Read::deserialize(deserializer)?;
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
            version: read.version,
            annotations: read.annotations.map(Loose::into_json),
        })
    }
}

impl<'de> Deserialize<'de> for PresenceMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = Read::deserialize(deserializer)?;
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

/// Reads a time in milliseconds that may be absent, `null`, or a number with a fraction.
pub(crate) fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    // A float outside the range saturates, which is as good as any other time that means nothing.
    #[allow(clippy::cast_possible_truncation)]
    Ok(match Option::<Loose>::deserialize(deserializer)? {
        Some(Loose::Json(Value::Number(number))) => {
            number.as_i64().or_else(|| number.as_f64().map(|millis| millis as i64))
        }
        _ => None,
    })
}

/// Any value of either format, as JSON. Bytes on the outside stay bytes; further in, JSON having none, they become base64.
pub(crate) enum Loose {
    Json(Value),
    Bytes(Vec<u8>),
}

impl Loose {
    pub(crate) fn into_json(self) -> Value {
        match self {
            Self::Json(value) => value,
            Self::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
        }
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Loose, E> {
        Ok(Loose::Json(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Loose, E> {
        Ok(Loose::Json(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Loose, E> {
        Ok(Loose::Json(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Loose, E> {
        Ok(Loose::Json(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Loose, E> {
        Ok(Loose::Json(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Loose, E> {
        Ok(Loose::Json(value.into()))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Loose, E> {
        Ok(Loose::Bytes(value.to_vec()))
    }

    fn visit_byte_buf<E>(self, value: Vec<u8>) -> Result<Loose, E> {
        Ok(Loose::Bytes(value))
    }

    fn visit_unit<E>(self) -> Result<Loose, E> {
        Ok(Loose::Json(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Loose, E> {
        Ok(Loose::Json(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Loose, D::Error> {
        Loose::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Loose, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element::<Loose>()? {
            array.push(item.into_json());
        }
        Ok(Loose::Json(array.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Loose, A::Error> {
        let mut map = serde_json::Map::new();
        while let Some((key, value)) = entries.next_entry::<Loose, Loose>()? {
            let key = match key.into_json() {
                Value::String(text) => text,
                other => other.to_string(),
            };
            map.insert(key, value.into_json());
        }
        Ok(Loose::Json(map.into()))
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
    fn outermost_base64_is_bytes() {
        let message = read(json!({"data": "AAE=", "encoding": "utf-8/base64"}));
        assert_eq!(message.payload.data, Some(Data::Binary(vec![0, 1])));
        assert_eq!(message.payload.encoding.as_deref(), Some("utf-8"));
        assert_eq!(again(json!({"data": "AAE", "encoding": "base64"}))["data"], "AAE=");
    }

    #[test]
    fn raw_json_data_becomes_json_text() {
        assert_eq!(again(json!({"data": {"a": 1}})), json!({"data": "{\"a\":1}", "encoding": "json"}));
        assert_eq!(again(json!({"data": [1]})), json!({"data": "[1]", "encoding": "json"}));
        let marked = json!({"data": {"a": 1}, "encoding": "json"});
        assert_eq!(again(marked)["encoding"], "json");
    }

    #[test]
    fn null_is_absent_and_absent_is_left_out() {
        let message =
            json!({"id": null, "name": null, "data": null, "extras": null, "timestamp": null, "size": 3});
        assert_eq!(again(message), json!({}));
        assert_eq!(read(json!({"timestamp": 1.5})).timestamp, Some(1));
    }

    #[test]
    fn the_size_counts_name_data_client_and_extras() {
        assert_eq!(read(json!({"id": "xxxx", "name": "ab", "data": "cde", "clientId": "f"})).size(), 6);
        assert_eq!(read(json!({"data": "AAE=", "encoding": "base64"})).size(), 2);
        assert_eq!(read(json!({"extras": {"a": 1}})).size(), 7);
    }

    #[test]
    fn a_presence_message_has_an_action() {
        let parse = |json: Value| serde_json::from_value::<PresenceMessage>(json);
        assert_eq!(parse(json!({"action": 2})).unwrap().action, PresenceAction::Enter);
        assert!(parse(json!({})).is_err());
        assert!(parse(json!({"action": 5})).is_err());
    }
}
