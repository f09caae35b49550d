//! When an object's alarm goes off.
//!
//! The alarm is what finishes what nobody asks for any more: it is armed in the same turn in which something is written that has
//! not reached Ably, and stays until all has, and that is written down. Each arming is a row written, so it is left to go off, and
//! while posts come it only arms itself again.

use super::Millis;

#[cfg(test)]
mod tests;

/// It goes off so long after it is armed: before an idle object may be put to sleep, which takes ten seconds.
pub const AFTER: Millis = 8_000;

/// A wait that is no longer than this is left to a timer, and not to the alarm.
pub const TIMER_MAX: Millis = 1_000;

/// Without a post for so long a job is quiet.
const QUIET: Millis = 4_000;

/// An alarm that is late by this much does not come any more.
const LOST: Millis = 60_000;

/// An object's alarm, as far as this life of the object knows.
#[derive(Debug, Default)]
pub struct Alarm {
    armed: Option<Millis>,
    posted_at: Option<Millis>,
    /// Whether it has to be set for what is due whether or not anything waits: it stays set while the object sleeps, unless it has gone
    /// off, or what is due has changed.
    is_to_stand: bool,
}

impl Alarm {
    /// Notes a post.
    pub fn posted(&mut self, now: Millis) {
        self.posted_at = Some(now);
    }

    /// Notes that it has gone off. Says whether the job is quiet.
    pub fn went_off(&mut self, now: Millis) -> bool {
        self.armed = None;
        self.is_to_stand = true;
        self.posted_at.is_none_or(|posted_at| !(posted_at..posted_at + QUIET).contains(&now))
    }

    /// Notes that what is due whether or not anything waits has changed.
    pub fn stands_anew(&mut self) {
        self.is_to_stand = true;
    }

    /// To be called when a turn ends, with the time at which something is due, if anything is. Says for when to set the alarm now,
    /// if it is to be set.
    ///
    /// `stands` is the time of what is due whether or not anything waits.
    pub fn arm(&mut self, due: Option<Millis>, stands: Option<Millis>, now: Millis) -> Option<Millis> {
        let due = due.into_iter().chain(stands.filter(|_| self.is_to_stand)).min()?;
        let by = if due > now + TIMER_MAX { due } else { now + AFTER };
        // It takes the place of one that may have been set for that.
        let by = stands.filter(|stands| now < *stands).map_or(by, |stands| by.min(stands));
        if self.armed.is_some_and(|at| at <= by && now <= at + LOST) {
            return None;
        }
        self.armed = Some(by);
        self.is_to_stand = false;
        Some(by)
    }
}
