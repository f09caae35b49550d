//! JSON and MessagePack, chosen by the client; both carry the same values.

use std::io::Cursor;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// How deep a MessagePack value may nest, as serde_json has it for JSON.
const MAX_DEPTH: usize = 128;

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// `application/json`, WebSocket text frames.
    Json,
    /// `application/x-msgpack`, WebSocket binary frames.
    Msgpack,
}

impl Format {
    /// Exactly what `Content-Type` says: with a charset ably-js does not read the body.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Msgpack => "application/x-msgpack",
        }
    }
}

/// How messages are written, which the version of the protocol decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As [`ably::Message`] is.
    Current,
    /// As [`ably::BeforeProtocol4`] is.
    BeforeProtocol4,
}

impl Shape {
    /// That of a major version of the protocol; whoever names none gets the current one.
    pub(crate) fn of(major: Option<u32>) -> Self {
        if major.is_some_and(|major| major < 4) { Self::BeforeProtocol4 } else { Self::Current }
    }
}

/// Writes a value. The types of the protocol have text for keys and finite depth, so this does not fail.
pub(crate) fn encode(format: Format, value: &impl Serialize) -> Vec<u8> {
    match format {
        Format::Json => serde_json::to_vec(value).unwrap_or_default(),
        Format::Msgpack => rmp_serde::to_vec_named(value).unwrap_or_default(),
    }
}

/// Reads a value that takes up all the bytes.
///
/// # Errors
/// What is wrong, for a developer.
pub(crate) fn decode<T: DeserializeOwned>(format: Format, bytes: &[u8]) -> Result<T, String> {
    match format {
        Format::Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
        Format::Msgpack => {
            let mut deserializer = rmp_serde::Deserializer::new(Cursor::new(bytes));
            deserializer.set_max_depth(MAX_DEPTH);
            let value = T::deserialize(&mut deserializer).map_err(|error| error.to_string())?;
            match usize::try_from(deserializer.get_ref().position()) {
                Ok(read) if read == bytes.len() => Ok(value),
                _ => Err("there are bytes after the value".to_owned()),
            }
        }
    }
}
