//! Reading a fix from JSON.
//!
//! Each field is read from its own text rather than by a derived `Deserialize`: so the one that is wrong can be named, a
//! number such as `1e400` is a fault of its field and not of the document, and a batch loses one fix and not all.
//! What is not a known field is skipped, at any depth, without recursion.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{DedupeId, Field, Fix, Reason, Rejection, time};
use crate::ids::FixId;
use crate::locations::Millis;

/// The known fields of one JSON object, each as its own text.
#[derive(Default)]
pub(in crate::locations) struct Fields<'a> {
    lat: Option<&'a RawValue>,
    lng: Option<&'a RawValue>,
    speed: Option<&'a RawValue>,
    heading: Option<&'a RawValue>,
    accuracy: Option<&'a RawValue>,
    altitude: Option<&'a RawValue>,
    captured_at: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    locations: Option<&'a RawValue>,
    driver: Option<&'a RawValue>,
    sent_at: Option<&'a RawValue>,
    repeated: Option<Field>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Name {
    Lat,
    Lng,
    Speed,
    Heading,
    Accuracy,
    Altitude,
    CapturedAt,
    Id,
    Locations,
    Driver,
    SentAt,
    #[serde(other)]
    Unknown,
}

impl<'a> Fields<'a> {
    fn slot(&mut self, name: Name) -> Option<(Field, &mut Option<&'a RawValue>)> {
        Some(match name {
            Name::Lat => (Field::Lat, &mut self.lat),
            Name::Lng => (Field::Lng, &mut self.lng),
            Name::Speed => (Field::Speed, &mut self.speed),
            Name::Heading => (Field::Heading, &mut self.heading),
            Name::Accuracy => (Field::Accuracy, &mut self.accuracy),
            Name::Altitude => (Field::Altitude, &mut self.altitude),
            Name::CapturedAt => (Field::CapturedAt, &mut self.captured_at),
            Name::Id => (Field::Id, &mut self.id),
            Name::Locations => (Field::Locations, &mut self.locations),
            Name::Driver => (Field::Driver, &mut self.driver),
            Name::SentAt => (Field::SentAt, &mut self.sent_at),
            Name::Unknown => return None,
        })
    }

    /// Refuses an object that holds a known field twice.
    pub(in crate::locations) fn once_each(self) -> Result<Self, Rejection> {
        match self.repeated {
            Some(field) => Err(Rejection::of(field, Reason::Repeated)),
            None => Ok(self),
        }
    }

    /// The text of `locations`, where it is there.
    pub(in crate::locations) fn locations(&self) -> Option<&'a RawValue> {
        self.locations.filter(|raw| raw.get() != "null")
    }

    /// The string in `driver`, where it is there.
    pub(in crate::locations) fn driver(&self) -> Result<Option<String>, Rejection> {
        string(self.driver, Field::Driver, Reason::InvalidId)
    }

    /// The time in `sentAt`, where it is there.
    pub(in crate::locations) fn sent_at(&self) -> Result<Option<Millis>, Rejection> {
        instant(self.sent_at, Field::SentAt)
    }

    /// The fix that these fields make. `fallback` names it where it carries no `id`.
    pub(in crate::locations) fn fix(
        &self,
        fallback: impl FnOnce() -> Option<DedupeId>,
    ) -> Result<Fix, Rejection> {
        let required = |raw, field| number(raw, field)?.ok_or(Rejection::of(field, Reason::Required));
        let id = match string(self.id, Field::Id, Reason::InvalidId)? {
            Some(id) => Some(DedupeId::given(
                FixId::parse(id).map_err(|_| Rejection::of(Field::Id, Reason::InvalidId))?,
            )),
            None => fallback(),
        };
        Fix {
            captured_at: instant(self.captured_at, Field::CapturedAt)?,
            lat: required(self.lat, Field::Lat)?,
            lng: required(self.lng, Field::Lng)?,
            id,
            speed: number(self.speed, Field::Speed)?,
            heading: number(self.heading, Field::Heading)?,
            accuracy: number(self.accuracy, Field::Accuracy)?,
            altitude: number(self.altitude, Field::Altitude)?,
        }
        .checked()
    }
}

/// A finite number; `null` is absent.
fn number(raw: Option<&RawValue>, field: Field) -> Result<Option<f64>, Rejection> {
    let Some(text) = raw.map(RawValue::get).filter(|text| *text != "null") else { return Ok(None) };
    // JSON's numbers all start so, and Rust reads each of them exactly; `inf`, `nan` and `+1` do not start so.
    if !text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return Err(Rejection::of(field, Reason::WrongType));
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Some(number)),
        _ => Err(Rejection::of(field, Reason::OutOfRange)),
    }
}

/// A time; `null` is absent.
fn instant(raw: Option<&RawValue>, field: Field) -> Result<Option<Millis>, Rejection> {
    let time = match raw.map(RawValue::get) {
        Some(text) if text.starts_with('"') => {
            string(raw, field, Reason::NotATime)?.map(|text| time::from_text(&text))
        }
        _ => number(raw, field)?.map(time::from_number),
    };
    time.transpose().map_err(|reason| Rejection::of(field, reason))
}

/// A string; `null` is absent. `broken` is the reason where its escapes make no text.
fn string(raw: Option<&RawValue>, field: Field, broken: Reason) -> Result<Option<String>, Rejection> {
    let Some(text) = raw.map(RawValue::get).filter(|text| *text != "null") else { return Ok(None) };
    if !text.starts_with('"') {
        return Err(Rejection::of(field, Reason::WrongType));
    }
    serde_json::from_str(text).map(Some).map_err(|_| Rejection::of(field, broken))
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key::<Name>()? {
            match fields.slot(name) {
                Some((field, slot)) => {
                    let repeated = slot.replace(map.next_value()?).is_some();
                    if repeated {
                        fields.repeated.get_or_insert(field);
                    }
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}
