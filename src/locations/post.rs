//! The body of a post: one fix, or a batch of them.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use super::Millis;
use super::fix::json::Fields;
use super::fix::{DedupeId, Field, Fix, Reason, Rejection};
use super::print::Print;
use crate::ids::{FixId, UserId};

/// The longest body, in bytes.
pub const BODY_MAX: usize = 64 * 1024;
/// The most fixes in one post.
pub const FIXES_MAX: usize = 100;

/// Why a body is not a post; nothing of it is accepted. The message quotes nothing that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PostError {
    /// Over [`BODY_MAX`] bytes.
    #[error("the body is longer than 64 KiB")]
    TooLarge,
    /// `locations` holds more than [`FIXES_MAX`] fixes, and nothing of it was looked at.
    #[error("`locations` holds more than {FIXES_MAX} fixes")]
    TooMany,
    /// `locations` holds nothing.
    #[error("`locations` holds no fix")]
    Empty,
    /// `sentAt` is no time.
    #[error("{0}")]
    SentAt(Rejection),
    /// The bytes are not UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// It begins with a byte order mark, which JSON does not (RFC 8259, 8.1).
    #[error("the body begins with a byte order mark (U+FEFF): send the JSON without it")]
    ByteOrderMark,
    /// The text is not one JSON document.
    #[error("the body is not JSON (line {line}, column {column})")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
    },
    /// It is JSON, but not what is expected; or it is a single fix, and wrong.
    #[error("{0}")]
    Invalid(Rejection),
}

impl PostError {
    /// The stable code of what is wrong.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::TooMany => "too_many",
            Self::Empty => "empty",
            Self::NotUtf8 => "not_utf8",
            Self::ByteOrderMark => "byte_order_mark",
            Self::NotJson { .. } => "not_json",
            Self::SentAt(rejection) | Self::Invalid(rejection) => rejection.reason.code(),
        }
    }

    /// The field to look at; none where the body as a whole is wrong.
    pub fn field(&self) -> Option<Field> {
        match self {
            Self::TooMany | Self::Empty => Some(Field::Locations),
            Self::SentAt(rejection) | Self::Invalid(rejection) => rejection.field,
            Self::TooLarge | Self::NotUtf8 | Self::ByteOrderMark | Self::NotJson { .. } => None,
        }
    }
}

impl From<Rejection> for PostError {
    fn from(rejection: Rejection) -> Self {
        Self::Invalid(rejection)
    }
}

impl From<serde_json::Error> for PostError {
    fn from(error: serde_json::Error) -> Self {
        Self::NotJson { line: error.line(), column: error.column() }
    }
}

/// Who posts.
#[derive(Debug, Clone, Copy)]
pub enum Sender<'a> {
    /// A driver, whose fixes are their own. A `driver` in the body is an unknown field, and ignored as those are.
    Driver(&'a UserId),
    /// The platform's back end, which must say in `driver` whose fixes these are.
    Service,
}

/// One place in a post.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// A fix.
    #[serde(rename = "fix")]
    Fix(Fix),
    /// What should have been one.
    #[serde(rename = "bad")]
    Bad(Rejection),
}

/// What was posted: 1 to [`FIXES_MAX`] entries in the order in which they were sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Post {
    /// Whose fixes these are; a retry is recognised among the fixes of the same driver.
    pub driver: UserId,
    /// The phone's clock when it sent this, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Millis>,
    /// What `results` answers, one by one.
    pub entries: Vec<Entry>,
}

impl Post {
    /// Reads a body. Any object with a `locations` that is not `null` is a batch, and its other fields are ignored.
    ///
    /// With an `Idempotency-Key`, fix `i` (from 0) without an `id` of its own is named by the key and `i`.
    ///
    /// # Errors
    /// [`PostError`] where the body as a whole, or its single fix, is wrong. A fix of a batch that is wrong is an
    /// [`Entry::Bad`] between its neighbours.
    pub fn parse(body: &[u8], sender: Sender<'_>, key: Option<&FixId>) -> Result<Self, PostError> {
        if body.len() > BODY_MAX {
            return Err(PostError::TooLarge);
        }
        let text = std::str::from_utf8(body).map_err(|_| PostError::NotUtf8)?;
        if text.starts_with('\u{feff}') {
            return Err(PostError::ByteOrderMark);
        }
        if !text.trim_ascii_start().starts_with('{') {
            serde_json::from_str::<IgnoredAny>(text)?;
            return Err(Rejection::not_an_object().into());
        }
        let fields = serde_json::from_str::<Fields<'_>>(text)?.once_each()?;
        let driver = match sender {
            Sender::Driver(driver) => driver.clone(),
            Sender::Service => {
                let id = fields.driver()?.ok_or(Rejection::of(Field::Driver, Reason::Required))?;
                UserId::parse(id).map_err(|_| Rejection::of(Field::Driver, Reason::InvalidId))?
            }
        };
        let sent_at = fields.sent_at().map_err(PostError::SentAt)?;
        let name = |index| key.map(|key| DedupeId::numbered(key, index));
        let entries = match fields.locations() {
            None => vec![Entry::Fix(fields.fix(|| name(0))?)],
            Some(locations) => batch(locations)?
                .into_iter()
                .enumerate()
                .map(|(index, raw)| match batch_fix(raw, || name(index)) {
                    Ok(fix) => Entry::Fix(fix),
                    Err(rejection) => Entry::Bad(rejection),
                })
                .collect(),
        };
        Ok(Self { driver, sent_at, entries })
    }

    /// What each entry is recognised by, if by anything.
    pub fn prints(&self) -> Vec<Option<Print>> {
        let print = |entry: &Entry| match entry {
            Entry::Fix(fix) => Print::of(&self.driver, fix),
            Entry::Bad(_) => None,
        };
        self.entries.iter().map(print).collect()
    }

    /// The entries that are fixes.
    pub fn fixes(&self) -> impl Iterator<Item = &Fix> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Fix(fix) => Some(fix),
            Entry::Bad(_) => None,
        })
    }
}

fn batch(locations: &RawValue) -> Result<Vec<&RawValue>, PostError> {
    if !locations.get().starts_with('[') {
        return Err(Rejection::of(Field::Locations, Reason::WrongType).into());
    }
    let entries: Vec<&RawValue> = serde_json::from_str(locations.get())?;
    match entries.len() {
        0 => Err(PostError::Empty),
        1..=FIXES_MAX => Ok(entries),
        _ => Err(PostError::TooMany),
    }
}

fn batch_fix(raw: &RawValue, fallback: impl FnOnce() -> Option<DedupeId>) -> Result<Fix, Rejection> {
    // The text is JSON, so one that does not become `Fields` is not an object, or has a key that makes no text.
    serde_json::from_str::<Fields<'_>>(raw.get())
        .map_err(|_| Rejection::not_an_object())?
        .once_each()?
        .fix(fallback)
}

#[cfg(test)]
mod tests;
