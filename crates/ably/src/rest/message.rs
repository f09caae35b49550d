//! What is published.

use serde::Serialize;

/// A message to publish (features.md, TM2). Field names are the wire's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PublishMessage {
    /// What Ably dedupes by, within two minutes: a retry carries the same.
    pub id: String,
    /// The event's name.
    pub name: String,
    /// The payload. An object is JSON text here, with the encoding `json`.
    pub data: String,
    /// How to read `data`; nothing where it is plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
}

/// The body of a publish, serialised once: whoever keeps it sends the same bytes at every retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishBody(String);

impl PublishBody {
    /// One message.
    ///
    /// # Errors
    /// Where it cannot be serialised; with these types that does not happen.
    pub fn one(message: &PublishMessage) -> Result<Self, serde_json::Error> {
        serde_json::to_string(message).map(Self)
    }

    /// Several messages, stored atomically under one dedupe key. Their ids are `<base>:0`, `<base>:1` and so on, else Ably
    /// refuses them all with 40031.
    ///
    /// # Errors
    /// Where they cannot be serialised; with these types that does not happen.
    pub fn array(messages: &[PublishMessage]) -> Result<Self, serde_json::Error> {
        serde_json::to_string(messages).map(Self)
    }

    /// A body that was kept: JSON, one message or an array of them.
    pub fn from_stored(json: impl Into<String>) -> Self {
        Self(json.into())
    }

    /// The body as JSON.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str) -> PublishMessage {
        PublishMessage {
            id: id.into(),
            name: "n".into(),
            data: r#"{"a":1}"#.into(),
            encoding: Some("json".into()),
        }
    }

    #[test]
    fn a_body_is_what_ably_reads() {
        let one = r#"{"id":"x:0","name":"n","data":"{\"a\":1}","encoding":"json"}"#;
        assert_eq!(PublishBody::one(&message("x:0")).unwrap().as_str(), one);
        assert_eq!(PublishBody::array(&[message("x:0")]).unwrap().as_str(), format!("[{one}]"));
        let plain = PublishMessage { encoding: None, ..message("x") };
        assert_eq!(PublishBody::one(&plain).unwrap().as_str(), r#"{"id":"x","name":"n","data":"{\"a\":1}"}"#);
    }
}
