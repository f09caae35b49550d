//! Paths, taken apart by templates: the same rules for all routes.
//!
//! A template is a path in which `{…}` stands for an id: one whole segment.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use thiserror::Error;

use crate::ids::IdError;

/// Why a path leads nowhere. A message says what is wrong without quoting the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PathError {
    /// There is no such route.
    #[error("there is no such route")]
    NotFound,
    /// Ids hold no character that needs encoding, and are never decoded: two spellings would be two ids.
    #[error("ids in a path are never percent-encoded")]
    EncodedId,
    /// An id breaks its rule.
    #[error(transparent)]
    Id(#[from] IdError),
}

/// Whether a path, as the URL standard leaves it, is one of the template's, whatever stands in the place of ids.
pub(super) fn matches(template: &str, path: &str) -> bool {
    let mut found = path.split('/');
    template.split('/').all(|segment| found.next().is_some_and(|found| is_id(segment) || found == segment))
        && found.next().is_none()
}

/// What stands in the place of the template's ids in a path that [`matches`], one by one and as it came.
pub(super) fn ids<'a>(template: &'a str, path: &'a str) -> impl Iterator<Item = &'a str> {
    template.split('/').zip(path.split('/')).filter(|(segment, _)| is_id(segment)).map(|(_, id)| id)
}

/// A segment as it came, for an id that is never decoded.
pub(super) fn undecoded(segment: &str) -> Result<&str, PathError> {
    if segment.contains('%') { Err(PathError::EncodedId) } else { Ok(segment) }
}

/// A segment for an id that is decoded once: user ids are whatever an identity provider issues.
pub(super) fn decoded(segment: &str) -> Result<Cow<'_, str>, PathError> {
    let is_hex = |digits: &str| digits.bytes().all(|b| b.is_ascii_hexdigit());
    let escapes_are_whole = segment.split('%').skip(1).all(|rest| rest.get(..2).is_some_and(is_hex));
    // What is no UTF-8 once it is decoded is no id either.
    let decoded = percent_decode_str(segment).decode_utf8().ok().filter(|_| escapes_are_whole);
    decoded.ok_or(PathError::Id(IdError::User))
}

fn is_id(segment: &str) -> bool {
    segment.starts_with('{')
}
