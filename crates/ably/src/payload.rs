//! What a message, a presence message or an annotation carries.
//!
//! Binary data travels as base64 in JSON and as bytes in MessagePack; here it is always bytes.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::wire::Loose;

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(data: Value, encoding: Option<&str>) -> Payload {
        Payload::read(Some(Loose::Json(data)), encoding.map(str::to_owned))
    }

    /// Its data and encoding where there is only text.
    fn as_text(payload: &Payload) -> Value {
        let (data, encoding) = payload.on_the_wire(true);
        json!([serde_json::to_value(data).unwrap(), encoding])
    }

    #[test]
    fn outermost_base64_is_bytes() {
        let payload = read(json!("AAE="), Some("utf-8/base64"));
        assert_eq!(payload.data, Some(Data::Binary(vec![0, 1])));
        assert_eq!(payload.encoding.as_deref(), Some("utf-8"));
        assert_eq!(as_text(&payload), json!(["AAE=", "utf-8/base64"]));
        assert_eq!(as_text(&read(json!("AAE"), Some("base64"))), json!(["AAE=", "base64"]));
    }

    #[test]
    fn raw_json_data_becomes_json_text() {
        assert_eq!(as_text(&read(json!({"a": 1}), None)), json!(["{\"a\":1}", "json"]));
        assert_eq!(as_text(&read(json!([1]), Some(""))), json!(["[1]", "json"]));
        assert_eq!(as_text(&read(json!({"a": 1}), Some("json"))), json!(["{\"a\":1}", "json"]));
        assert_eq!(as_text(&read(json!([1]), Some("utf-8"))), json!(["[1]", "utf-8/json"]));
    }
}
