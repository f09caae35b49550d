//! When a fix was really measured, as well as can be known from a clock that may be wrong.
//!
//! A phone's clock is wrong more often than its position. It must neither freeze the marker nor paint an old place as
//! now: so a time that can be mended is mended, and one that cannot, because it lies ahead of ours, counts from the
//! moment of its acceptance. What was sent is kept beside it; retries are recognised by that alone.

use serde::{Deserialize, Serialize};

use super::post::Post;
use super::{Fix, Millis};

#[cfg(test)]
mod tests;

/// A clock that differs by no more than this is right enough.
pub const TOLERANCE: Millis = 30_000;

/// Two fixes whose clocks are ahead by amounts that differ by no more than this come from one clock that runs on.
pub const SAME_LEAD: Millis = 60_000;

/// After 1,024 weeks GPS counts its weeks from 0 again, and an old receiver is back where it was then.
const GPS_ROLLOVER: Millis = 1_024 * 7 * 86_400_000;

/// 2001-01-01, from which Apple's systems count.
const YEAR_2001: Millis = 978_307_200_000;

/// Below this a number may be seconds from 2001, until 2032; as milliseconds it is of the first days of 1970.
const SECONDS_MAX: Millis = 1_000_000_000;

/// What is notable about the time of a fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Clock {
    /// `capturedAt` is more than 30 s later than our clock at the acceptance, and nothing says by how much it is wrong.
    Ahead,
    /// `capturedAt` was wrong, and is known to have been: by `sentAt`, or because it is right once it is read differently.
    Repaired,
}

/// When a fix was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// When it was measured, as well as can be known, Unix milliseconds; never later than its acceptance.
    pub effective: Millis,
    /// When by the phone's clock, mended: later than the acceptance where that clock is ahead.
    pub captured_at: Millis,
    /// Whether that is not what the phone said, or cannot be.
    pub clock: Option<Clock>,
}

impl Measured {
    /// A time that is believed as it is, of a fix that was accepted at `at`.
    pub fn as_said(captured_at: Option<Millis>, at: Millis) -> Self {
        let captured_at = captured_at.unwrap_or(at);
        Self { effective: captured_at.min(at), captured_at, clock: None }
    }

    /// Whether the phone's clock is so far ahead that it says nothing about ours.
    pub fn is_ahead(self) -> bool {
        self.clock == Some(Clock::Ahead)
    }
}

/// A live fix of a clock that is ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ahead {
    /// When it was measured by that clock.
    pub captured_at: Millis,
    /// Our clock at its acceptance.
    pub at: Millis,
}

impl Ahead {
    /// Whether it may hold anything back at this time of ours. A fix that was measured earlier by the same clock and comes later
    /// than [`SAME_LEAD`] has a lead that differs by more.
    pub fn holds_at(self, at: Millis) -> bool {
        (at - SAME_LEAD..=at + TOLERANCE).contains(&self.at)
    }
}

/// A fix was measured longer ago than is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooOld;

/// Our clock and the phone's at the moment of a post.
#[derive(Debug, Clone)]
pub struct Clocks {
    /// Ours, Unix milliseconds.
    at: Millis,
    /// The oldest time that is taken.
    oldest: Millis,
    /// The longest time between two fixes of one backlog.
    max_age: Millis,
    /// Ours less the phone's, where the phone says what its clock was when it sent.
    offset: Option<Millis>,
    /// Whether the phone counts seconds from 2001.
    seconds_from_2001: bool,
    /// The times in the post that are ahead of ours, in order.
    ahead: Vec<Millis>,
}

impl Clocks {
    /// The clocks of a post that arrived `at` this time of ours. Fixes measured longer than `max_age` ago are too old.
    pub fn of(post: &Post, at: Millis, max_age: Millis) -> Self {
        let mut clocks = Self {
            at,
            oldest: at - max_age,
            max_age,
            offset: None,
            seconds_from_2001: false,
            ahead: Vec::new(),
        };
        if let Some(sent_at) = post.sent_at {
            let mended = Some(from_seconds_2001(sent_at)).filter(|sent_at| clocks.is_plausible(*sent_at));
            clocks.seconds_from_2001 = mended.is_some();
            clocks.offset = Some(at - mended.unwrap_or(sent_at));
        }
        let times = post.fixes().filter_map(Fix::captured_at).map(|said| clocks.mended(said).0);
        let mut ahead: Vec<Millis> = Vec::new();
        // A post holds a hundred at most, nearly always in order; and std's sorting is much code.
        for time in times.filter(|time| clocks.is_ahead(*time)) {
            ahead.insert(ahead.partition_point(|other| *other <= time), time);
        }
        clocks.ahead = ahead;
        clocks
    }

    /// Our clock less the phone's, as its `sentAt` has it; the time that the post was under way included.
    pub fn offset(&self) -> Option<Millis> {
        self.offset
    }

    /// When a fix of the post was measured.
    ///
    /// # Errors
    /// [`TooOld`]
    pub fn measure(&self, fix: &Fix) -> Result<Measured, TooOld> {
        let Some(said) = fix.captured_at() else { return Ok(Measured::as_said(None, self.at)) };
        let (captured_at, repaired) = self.mended(said);
        let measured = if self.is_ahead(captured_at) {
            let age = self.newest_after(captured_at) - captured_at;
            Measured { effective: self.at - age, captured_at, clock: Some(Clock::Ahead) }
        } else {
            let clock = repaired.then_some(Clock::Repaired);
            Measured { clock, ..Measured::as_said(Some(captured_at), self.at) }
        };
        if measured.effective < self.oldest { Err(TooOld) } else { Ok(measured) }
    }

    /// The newest time of the backlog that a time ahead belongs to, which is the one that may be of now. A time that is longer after
    /// all others than a fix is kept is none of their clock's: it must not make them too old.
    fn newest_after(&self, time: Millis) -> Millis {
        let later = self.ahead.iter().skip_while(|later| **later < time);
        later.fold(time, |newest, later| if later - newest <= self.max_age { *later } else { newest })
    }

    /// The time that was meant, and whether that is another one than was said.
    fn mended(&self, said: Millis) -> (Millis, bool) {
        let in_seconds = self.seconds_from_2001 && (0..SECONDS_MAX).contains(&said);
        let read = if in_seconds { from_seconds_2001(said) } else { said };
        let shift = self.offset.filter(|offset| offset.abs() > TOLERANCE).unwrap_or_default();
        let mended = read + shift;
        // Nothing is measured after it was sent: then `sentAt` is no time of the clock that has given a time which is right as it is.
        if self.is_ahead(mended) && self.is_plausible(said) {
            return (said, false);
        }
        if mended >= self.oldest {
            return (mended, mended != said);
        }
        let readings = [said + GPS_ROLLOVER, said + YEAR_2001, from_seconds_2001(said)];
        match readings.into_iter().find(|time| self.is_plausible(*time)) {
            Some(time) => (time, true),
            None => (mended, mended != said),
        }
    }

    fn is_plausible(&self, time: Millis) -> bool {
        (self.oldest..=self.at + TOLERANCE).contains(&time)
    }

    fn is_ahead(&self, time: Millis) -> bool {
        time - self.at > TOLERANCE
    }
}

/// Unix milliseconds of what are seconds from 2001.
fn from_seconds_2001(seconds: Millis) -> Millis {
    seconds * 1_000 + YEAR_2001
}
