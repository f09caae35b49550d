//! A fix: one position of a vehicle as a phone measured it, checked.

use std::fmt;

use serde::de::{self, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use thiserror::Error;

use super::Millis;
use crate::ids::FixId;

pub(super) mod json;
#[cfg(test)]
pub(crate) mod schema;
pub(crate) mod time;

#[cfg(test)]
pub(super) mod tests;

/// What a driver may send in a fix, or around several, by its name in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema, strum::EnumIter))]
pub enum Field {
    /// Degrees north, −90 to 90. Required.
    Lat,
    /// Degrees east, −180 to 180. Required.
    Lng,
    /// Metres a second; negative is unknown.
    Speed,
    /// Degrees clockwise from north, 0 to 360; negative is unknown.
    Heading,
    /// Radius of uncertainty in metres; negative is unknown.
    Accuracy,
    /// Metres above the ellipsoid.
    Altitude,
    /// When it was measured: ISO 8601 with an offset, or Unix milliseconds.
    CapturedAt,
    /// The driver's own name for the fix.
    Id,
    /// The fixes of a batch.
    Locations,
    /// Whose fixes these are, where a back end posts them.
    Driver,
    /// The phone's clock when it sent the post.
    SentAt,
}

impl Field {
    /// The field's name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lat => "lat",
            Self::Lng => "lng",
            Self::Speed => "speed",
            Self::Heading => "heading",
            Self::Accuracy => "accuracy",
            Self::Altitude => "altitude",
            Self::CapturedAt => "capturedAt",
            Self::Id => "id",
            Self::Locations => "locations",
            Self::Driver => "driver",
            Self::SentAt => "sentAt",
        }
    }

    /// What the field may hold, as the end of a sentence.
    fn rule(self) -> &'static str {
        match self {
            Self::Lat => "a number from -90 to 90",
            Self::Lng => "a number from -180 to 180",
            Self::Speed => "a number of metres a second (negative: unknown)",
            Self::Heading => "a number from 0 to 360 (negative: unknown)",
            Self::Accuracy => "a number of metres (negative: unknown)",
            Self::Altitude => "a number of metres",
            Self::CapturedAt | Self::SentAt => {
                "ISO 8601 with an offset (2026-01-31T08:00:00.5Z), or Unix milliseconds, in the years 0000 to 9999"
            }
            Self::Id => "a string of 1 to 64 printable ASCII characters",
            Self::Locations => "an array of 1 to 100 fixes",
            Self::Driver => "a user id, as a string",
        }
    }
}

/// Why a fix is not accepted, or a post not read. The codes are part of the HTTP interface and do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Reason {
    /// It is JSON, but not an object.
    NotAnObject,
    /// A field that must be there is not, or is `null`.
    Required,
    /// The field holds another JSON type.
    WrongType,
    /// The number, or the time, is beyond what the field may hold.
    OutOfRange,
    /// A time is a string but not ISO 8601 with an offset.
    NotATime,
    /// A time is a number that can only be meant in seconds.
    InSeconds,
    /// The string is not an id.
    InvalidId,
    /// The object holds the field twice, so that two readers could see two values.
    Repeated,
    /// Measured longer ago than the service keeps; neither stored nor published.
    TooOld,
    /// The driver has sent this `id` before, with another position or `capturedAt`.
    IdReused,
    /// The job keeps as many fixes as it may.
    TrailFull,
    /// Another driver has the job now.
    Reassigned,
    /// The job has ended.
    JobClosed,
    /// Measured when the job was not the driver's; neither stored nor published.
    OutsideAssignment,
}

impl Reason {
    /// The reason's code.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAnObject => "not_an_object",
            Self::Required => "required",
            Self::WrongType => "wrong_type",
            Self::OutOfRange => "out_of_range",
            Self::NotATime => "not_a_time",
            Self::InSeconds => "in_seconds",
            Self::InvalidId => "invalid_id",
            Self::Repeated => "repeated",
            Self::TooOld => "too_old",
            Self::IdReused => "id_reused",
            Self::TrailFull => "trail_full",
            Self::Reassigned => "reassigned",
            Self::JobClosed => "job_closed",
            Self::OutsideAssignment => "outside_assignment",
        }
    }
}

/// What is wrong, and with which field. It quotes nothing that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error, Serialize, Deserialize)]
pub struct Rejection {
    /// The field to look at; none where the fix as a whole is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<Field>,
    /// The stable code.
    pub reason: Reason,
}

impl Rejection {
    /// A rejection that names a field.
    pub fn of(field: Field, reason: Reason) -> Self {
        Self { field: Some(field), reason }
    }

    /// A rejection of something that should have been an object.
    pub fn not_an_object() -> Self {
        Self { field: None, reason: Reason::NotAnObject }
    }

    /// A rejection of a fix that there is no room for.
    pub fn trail_full() -> Self {
        Self { field: None, reason: Reason::TrailFull }
    }

    /// A rejection of a fix of a driver who does not have the job any more.
    pub fn reassigned() -> Self {
        Self { field: None, reason: Reason::Reassigned }
    }

    /// A rejection of a fix that has come after the end of the job.
    pub fn job_closed() -> Self {
        Self { field: None, reason: Reason::JobClosed }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(field) = self.field else {
            return f.write_str(match self.reason {
                Reason::TrailFull => "the job keeps as many fixes as it may",
                Reason::Reassigned => "the job is not this driver's any more",
                Reason::JobClosed => "the job is closed",
                _ => "a fix is a JSON object",
            });
        };
        let name = field.name();
        match self.reason {
            Reason::Required => write!(f, "`{name}` is required"),
            Reason::Repeated => write!(f, "`{name}` is there twice"),
            Reason::InSeconds => write!(f, "`{name}` looks like seconds; it is milliseconds"),
            Reason::TooOld => write!(f, "`{name}` is longer ago than this service keeps"),
            Reason::OutsideAssignment => write!(f, "`{name}` is before the job was this driver's"),
            Reason::IdReused => {
                f.write_str(
                    "`id`, or else the `Idempotency-Key` at this place, has been used before, for another position or another `capturedAt`",
                )
            }
            _ => write!(f, "`{name}` must be {}", field.rule()),
        }
    }
}

/// The name by which a driver's retry of a fix is recognised: the fix's own `id`, or the post's `Idempotency-Key` with
/// the fix's place in the post. The two never meet: between key and place is a line break, which no id has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DedupeId(String);

impl DedupeId {
    /// The id that the fix carries.
    pub fn given(id: FixId) -> Self {
        Self(id.into())
    }

    /// The id of the fix at `index` (from 0) in a post with an `Idempotency-Key`.
    pub fn numbered(key: &FixId, index: usize) -> Self {
        Self(format!("{key}\n{index}"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as people are shown it: a key and a place as `<key>#<place>`.
    pub fn shown(&self) -> String {
        self.0.replace('\n', "#")
    }
}

/// One position of a vehicle as measured, WGS 84. Its numbers are finite and in range, `-0` being 0; what the phone did
/// not know is absent.
///
/// As JSON, for storage and between Worker and object, it is the array
/// `[capturedAt, lat, lng, id, speed, heading, accuracy, altitude]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fix {
    captured_at: Option<Millis>,
    lat: f64,
    lng: f64,
    id: Option<DedupeId>,
    speed: Option<f64>,
    heading: Option<f64>,
    accuracy: Option<f64>,
    altitude: Option<f64>,
}

impl Fix {
    /// Degrees north, −90 to 90.
    pub fn lat(&self) -> f64 {
        self.lat
    }

    /// Degrees east, −180 to 180.
    pub fn lng(&self) -> f64 {
        self.lng
    }

    /// Metres a second, not negative.
    pub fn speed(&self) -> Option<f64> {
        self.speed
    }

    /// Degrees clockwise from north, from 0 to below 360.
    pub fn heading(&self) -> Option<f64> {
        self.heading
    }

    /// Radius of uncertainty in metres, not negative.
    pub fn accuracy(&self) -> Option<f64> {
        self.accuracy
    }

    /// Metres.
    pub fn altitude(&self) -> Option<f64> {
        self.altitude
    }

    /// When it was measured by the phone's clock, Unix milliseconds, as sent: not limited by ours. Two spellings of one
    /// instant are one `capturedAt`, so a phone that changes its time zone between two tries is still recognised.
    pub fn captured_at(&self) -> Option<Millis> {
        self.captured_at
    }

    /// What names the fix in a retry, if anything does.
    pub fn id(&self) -> Option<&DedupeId> {
        self.id.as_ref()
    }

    /// Whether the other was measured at the same place and time.
    pub fn same_measurement(&self, other: &Self) -> bool {
        (self.captured_at, self.lat, self.lng) == (other.captured_at, other.lat, other.lng)
    }

    /// Brings the numbers into their one form, and refuses those out of range.
    fn checked(mut self) -> Result<Self, Rejection> {
        let within = |value: f64, limit: f64, field| {
            if value.abs() <= limit { Ok(value + 0.0) } else { Err(Rejection::of(field, Reason::OutOfRange)) }
        };
        self.lat = within(self.lat, 90.0, Field::Lat)?;
        self.lng = within(self.lng, 180.0, Field::Lng)?;
        let known = |value: Option<f64>| value.filter(|value| *value >= 0.0).map(|value| value + 0.0);
        self.speed = known(self.speed);
        self.heading = match known(self.heading) {
            Some(heading) => {
                let heading = within(heading, 360.0, Field::Heading)?;
                Some(if heading == 360.0 { 0.0 } else { heading })
            }
            None => None,
        };
        self.accuracy = known(self.accuracy);
        self.altitude = self.altitude.map(|altitude| altitude + 0.0);
        if self.captured_at.is_some_and(|at| !time::RANGE.contains(&at)) {
            return Err(Rejection::of(Field::CapturedAt, Reason::OutOfRange));
        }
        Ok(self)
    }
}

impl Serialize for Fix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (
            self.captured_at,
            self.lat,
            self.lng,
            self.id.as_ref(),
            self.speed,
            self.heading,
            self.accuracy,
            self.altitude,
        )
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(KeptFix)
    }
}

/// Reads a fix as it is kept. An element that is not there is unknown, and one beyond those that this build knows is passed over:
/// so that the array grows at its end, and older and newer builds read each other's.
struct KeptFix;

impl<'de> Visitor<'de> for KeptFix {
    type Value = Fix;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fix as an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Fix, A::Error> {
        let no_place = || de::Error::custom("a fix without a place");
        let fix = Fix {
            captured_at: elements.next_element::<Option<Millis>>()?.flatten(),
            lat: number(&mut elements)?.ok_or_else(no_place)?,
            lng: number(&mut elements)?.ok_or_else(no_place)?,
            id: elements.next_element::<Option<DedupeId>>()?.flatten(),
            speed: number(&mut elements)?,
            heading: number(&mut elements)?,
            accuracy: number(&mut elements)?,
            altitude: number(&mut elements)?,
        };
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        fix.checked().map_err(de::Error::custom)
    }
}

/// Reads the next element, a number or `null`. Rust reads exactly the float that was written; serde_json needs tables for that which
/// are a twentieth of the wasm.
fn number<'de, A: SeqAccess<'de>>(elements: &mut A) -> Result<Option<f64>, A::Error> {
    let text = elements.next_element::<&RawValue>()?.map(RawValue::get).filter(|text| *text != "null");
    text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
}
