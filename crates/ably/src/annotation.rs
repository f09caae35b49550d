//! Annotations of messages, as the realtime protocol and REST carry them (features.md, TAN1–TAN3).

use std::borrow::Cow;

use serde::de::Deserializer;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::object::Object;
use crate::payload::{Payload, WireData};
use crate::wire::{Loose, json_len, millis, numbered, text_len};

/// What happened to an annotation (features.md, TAN2b).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum AnnotationAction {
    /// It was made.
    #[default]
    Create,
    /// It was taken back.
    Delete,
}

numbered!(AnnotationAction: Create = 0, Delete = 1);

/// An annotation of a message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Annotation {
    /// Unique on its channel.
    pub id: Option<String>,
    /// What happened.
    pub action: AnnotationAction,
    /// Ably's own id of the annotation.
    pub serial: Option<String>,
    /// The serial of the message that it is about.
    pub message_serial: Option<String>,
    /// What kind it is and how its like are summed up: `<name>:<method>.v1`.
    pub kind: Option<String>,
    /// What most methods sum up by.
    pub name: Option<String>,
    /// Who made it.
    pub client_id: Option<String>,
    /// The connection that made it.
    pub connection_id: Option<String>,
    /// How much it counts for, with methods that count.
    pub count: Option<u64>,
    /// What it carries, which is not summed up.
    pub payload: Payload,
    /// When Ably took it, Unix milliseconds.
    pub timestamp: Option<i64>,
    /// Passed on as it is.
    pub extras: Option<Value>,
}

impl Annotation {
    /// Its size in bytes, as the size limit counts it.
    pub fn size(&self) -> usize {
        let texts = [&self.client_id, &self.name, &self.kind, &self.message_serial];
        texts.into_iter().map(text_len).sum::<usize>() + self.payload.len() + json_len(&self.extras)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    action: AnnotationAction,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_serial: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<WireData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extras: Option<&'a Value>,
}

impl Serialize for Annotation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (data, encoding) = self.payload.on_the_wire(serializer.is_human_readable());
        Written {
            id: self.id.as_deref(),
            action: self.action,
            serial: self.serial.as_deref(),
            message_serial: self.message_serial.as_deref(),
            kind: self.kind.as_deref(),
            name: self.name.as_deref(),
            client_id: self.client_id.as_deref(),
            connection_id: self.connection_id.as_deref(),
            count: self.count,
            data,
            encoding,
            timestamp: self.timestamp,
            extras: self.extras.as_ref(),
        }
        .serialize(serializer)
    }
}

/// As it is read: `null` is absent, and unknown fields are ignored.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Read {
    id: Option<String>,
    action: Option<AnnotationAction>,
    serial: Option<String>,
    message_serial: Option<String>,
    r#type: Option<String>,
    name: Option<String>,
    client_id: Option<String>,
    connection_id: Option<String>,
    count: Option<u64>,
    data: Option<Loose>,
    encoding: Option<String>,
    #[serde(deserialize_with = "millis")]
    timestamp: Option<i64>,
    extras: Option<Loose>,
}

impl<'de> Deserialize<'de> for Annotation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(read) = Object::<Read>::deserialize(deserializer)?;
        Ok(Self {
            id: read.id,
            action: read.action.unwrap_or_default(),
            serial: read.serial,
            message_serial: read.message_serial,
            kind: read.r#type,
            name: read.name,
            client_id: read.client_id,
            connection_id: read.connection_id,
            count: read.count,
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

    #[test]
    fn an_annotation_is_read_and_written_without_loss() {
        let whole = json!({
            "id": "i", "action": 1, "serial": "s", "messageSerial": "m", "type": "reaction:unique.v1", "name": "n",
            "clientId": "c", "connectionId": "o", "count": 2, "data": "AP8=", "encoding": "base64", "timestamp": 3,
            "extras": {"a": 1},
        });
        let read: Annotation = serde_json::from_value(whole.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), whole);
        let least: Annotation = serde_json::from_value(json!({"name": null, "action": null})).unwrap();
        assert_eq!(serde_json::to_value(&least).unwrap(), json!({"action": 0}));
        assert!(serde_json::from_value::<Annotation>(json!([])).is_err());
    }
}
