//! A time as a phone sends it, as text and as a number.

use std::ops::{Range, RangeInclusive};

use chrono::DateTime;

use super::Reason;
use crate::locations::Millis;

/// The years 0000 to 9999, which are all that ISO 8601 writes in four digits.
pub(super) const RANGE: RangeInclusive<Millis> = -62_167_219_200_000..=253_402_300_799_999;

/// Numbers that are years 2001 to 5138 in seconds, and within weeks of 1970 in milliseconds, when no phone measured
/// anything.
const SECONDS: Range<f64> = 1e9..1e11;

const FORMATS: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z"];

/// The longest text that is looked at, in bytes; nanoseconds and an offset take 35.
const TEXT_MAX: usize = 64;

/// Reads ISO 8601's extended form with an offset: `Z`, `+02:00`, `-0700` or `+02`. Parts of a millisecond are dropped.
pub(super) fn from_text(text: &str) -> Result<Millis, Reason> {
    // chrono skips blanks and takes signed and longer years. Four digits and a hyphen at the start rule these out.
    let year_first =
        text.bytes().take(4).all(|b| b.is_ascii_digit()) && text.as_bytes().get(4) == Some(&b'-');
    let one_word = text.len() <= TEXT_MAX && text.bytes().all(|b| b.is_ascii_graphic());
    if !year_first || !one_word {
        return Err(Reason::NotATime);
    }
    let text = text.to_ascii_uppercase();
    let time = FORMATS.iter().find_map(|format| DateTime::parse_from_str(&text, format).ok());
    let at = time.map(|time| time.timestamp_millis()).ok_or(Reason::NotATime)?;
    // An offset can carry a time beyond the years that it is written in.
    if RANGE.contains(&at) { Ok(at) } else { Err(Reason::OutOfRange) }
}

/// Reads Unix milliseconds; some phones send parts of them, which are dropped.
pub(super) fn from_number(number: f64) -> Result<Millis, Reason> {
    if SECONDS.contains(&number) {
        return Err(Reason::InSeconds);
    }
    // `as` saturates, and both ends are beyond the range, so nothing out of it becomes something in it.
    let at = number.floor() as Millis;
    if RANGE.contains(&at) { Ok(at) } else { Err(Reason::OutOfRange) }
}
