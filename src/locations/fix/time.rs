//! A time as a phone sends it, as text and as a number.

use std::ops::{Range, RangeInclusive};

use chrono::NaiveDate;

use super::Reason;
use crate::locations::Millis;

/// The years 0000 to 9999, which are all that ISO 8601 writes in four digits.
pub(super) const RANGE: RangeInclusive<Millis> = -62_167_219_200_000..=253_402_300_799_999;

/// Numbers that are years 2001 to 5138 in seconds, and within weeks of 1970 in milliseconds, when no phone measured
/// anything.
pub(super) const SECONDS: Range<f64> = 1e9..1e11;

/// The longest text that is looked at, in bytes; nanoseconds and an offset take 35.
const TEXT_MAX: usize = 64;

/// Reads ISO 8601's extended form with an offset: `Z`, `+02:00`, `-0700` or `+02`. Parts of a millisecond are dropped.
pub(crate) fn from_text(text: &str) -> Result<Millis, Reason> {
    let time = (text.len() <= TEXT_MAX).then(|| Rest(text.as_bytes()).time()).flatten();
    let at = time.ok_or(Reason::NotATime)?;
    // An offset can carry a time beyond the years that it is written in.
    if RANGE.contains(&at) { Ok(at) } else { Err(Reason::OutOfRange) }
}

/// Reads Unix milliseconds; some phones send parts of them, which are dropped.
pub(crate) fn from_number(number: f64) -> Result<Millis, Reason> {
    if SECONDS.contains(&number) {
        return Err(Reason::InSeconds);
    }
    // `as` saturates, and both ends are beyond the range, so nothing out of it becomes something in it.
    let at = number.floor() as Millis;
    if RANGE.contains(&at) { Ok(at) } else { Err(Reason::OutOfRange) }
}

/// What is left of a text. chrono's own reading is by a format, and a twentieth of what is deployed; so the text is cut here, and chrono
/// says what its numbers mean.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// A date, a time of day and an offset, and nothing after them.
    fn time(mut self) -> Option<Millis> {
        let (year, month, day) = (self.number(4)?, self.after(b'-')?, self.after(b'-')?);
        self.one_of(b"Tt")?;
        let (hour, minute) = (self.number(2)?, self.after(b':')?);
        let (second, millisecond) = match self.one_of(b":") {
            Some(_) => (self.number(2)?, self.fraction()?),
            None => (0, 0),
        };
        let offset = self.offset()?;
        let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
        // The 60th second is a leap second: it counts on from the 59th.
        let leap = u32::from(second == 60);
        let time = date.and_hms_milli_opt(hour, minute, second - leap, millisecond + 1_000 * leap)?;
        self.0.is_empty().then(|| time.and_utc().timestamp_millis() - offset)
    }

    /// An offset from UTC, in milliseconds.
    fn offset(&mut self) -> Option<Millis> {
        if self.one_of(b"Zz").is_some() {
            return Some(0);
        }
        let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.number(2)?;
        let minutes = match self.one_of(b":") {
            Some(_) => self.number(2)?,
            None if self.0.is_empty() => 0,
            None => self.number(2)?,
        };
        (hours < 24 && minutes < 60).then(|| sign * 60_000 * Millis::from(60 * hours + minutes))
    }

    /// The whole milliseconds of a fraction of any length, if there is one.
    fn fraction(&mut self) -> Option<u32> {
        if self.one_of(b".").is_none() {
            return Some(0);
        }
        let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (fraction, rest) = self.0.split_at_checked(digits).filter(|_| digits > 0)?;
        self.0 = rest;
        let first = fraction.iter().chain(b"00").take(3);
        Some(first.fold(0, |sum, digit| 10 * sum + u32::from(digit - b'0')))
    }

    /// A number of two digits, after this.
    fn after(&mut self, before: u8) -> Option<u32> {
        self.one_of(&[before])?;
        self.number(2)
    }

    fn number(&mut self, digits: usize) -> Option<u32> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        let is_number = number.iter().all(u8::is_ascii_digit);
        is_number.then(|| number.iter().fold(0, |sum, digit| 10 * sum + u32::from(digit - b'0')))
    }

    fn one_of(&mut self, these: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        these.contains(first).then(|| self.0 = rest)?;
        Some(*first)
    }
}
