//! The fields of messages, presence messages and annotations, as they are read leniently from either format and measured.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// Gives the actions of a kind their numbers on the wire.
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

pub(crate) use numbered;

pub(crate) fn text_len(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

pub(crate) fn json_len(value: &Option<Value>) -> usize {
    value.as_ref().map_or(0, |value| value.to_string().len())
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
                // Written as text, one in another would grow with each level by as much again.
                Value::Array(_) | Value::Object(_) => {
                    return Err(serde::de::Error::custom("a key is neither a text nor a number"));
                }
                other => other.to_string(),
            };
            map.insert(key, value.into_json());
        }
        Ok(Loose::Json(map.into()))
    }
}
