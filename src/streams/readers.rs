//! Who reads a job's stream.
//!
//! What they keep to:
//!
//! - **One write at a time.** A reader gets the next text once the runtime has taken the last; what comes meanwhile stays in the log, where
//!   they go on from their cursor. So a slow one costs one text, and one that takes too long goes.
//! - **Few.** [`USER_MAX`] a user, of whom the oldest goes for the next; [`JOB_MAX`] in all, and then there is no more room.

use super::cursor::Cursor;
use super::frame::{self, End, Resync};
use crate::ids::UserId;
use crate::jobs::Viewer;
use crate::jobs::gate::Withheld;
use crate::objects::Millis;

/// The most streams of one user in a job.
pub const USER_MAX: usize = 5;

/// The most streams of a job.
pub const JOB_MAX: usize = 200;

/// The most rows of the log that are read at once.
pub const ROWS_MAX: u32 = 64;

/// Each reader is written to at least so often: nothing else shows that one has gone.
const HEARTBEAT_EVERY: Millis = 10_000;

/// A write that takes longer is in vain.
const WRITE_MAX: Millis = 30_000;

/// One stream.
#[derive(Debug)]
pub struct Reader {
    /// What it is known by.
    pub number: u32,
    /// Whose it is.
    pub viewer: Viewer,
    /// When their session ends, Unix milliseconds.
    pub until: Millis,
    /// How far they have come.
    pub cursor: Cursor,
    /// So many rows are read for them at once, by how many the last text has taken.
    pub rows: u32,
    /// What they are told first.
    pub opening: Option<String>,
    /// By which gate they are held back, as far as they have been told.
    pub withheld: Option<Withheld>,
    /// By which they are, as was seen last.
    pub held_back: Option<Withheld>,
    /// Since when a text is on its way to them, Unix milliseconds.
    writing: Option<Millis>,
    is_replaced: bool,
    has_ended: bool,
}

/// Somebody who wants to read.
#[derive(Debug)]
pub struct Newcomer {
    /// Who.
    pub viewer: Viewer,
    /// When their session ends, Unix milliseconds.
    pub until: Millis,
    /// Where they begin.
    pub cursor: Cursor,
    /// What they are told first.
    pub opening: String,
    /// Whether a gate holds them back.
    pub withheld: Option<Withheld>,
}

/// Where a reader is once they have what they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Who.
    pub number: u32,
    /// How far they have come.
    pub cursor: Cursor,
    /// How many rows to read for them next.
    pub rows: u32,
    /// Whether a gate holds them back.
    pub withheld: Option<Withheld>,
}

/// A text for some readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Whom, by their numbers.
    pub readers: Vec<u32>,
    /// Events, as they are written.
    pub text: String,
    /// Whether their streams end with it. Then it goes out behind what is on its way.
    pub ends: bool,
}

impl Reader {
    /// Whether there is nothing on its way to them.
    pub fn is_idle(&self) -> bool {
        self.writing.is_none()
    }

    /// Why their stream ends now, whatever the job says, and what they are told before.
    pub fn ends_by_itself(&self, now: Millis) -> Option<(End, String)> {
        let is_slow = self.writing.is_some_and(|since| since + WRITE_MAX <= now);
        if self.until <= now {
            Some((End::Expired, String::new()))
        } else if self.is_replaced {
            Some((End::Replaced, String::new()))
        } else if is_slow {
            Some((End::Slow, frame::resync(Resync::Slow, now)))
        } else {
            None
        }
    }
}

/// All streams of a job.
#[derive(Debug, Default)]
pub struct Readers {
    all: Vec<Reader>,
    /// The number of the last one.
    last: u32,
    /// When they are written to next, whether or not there is anything to tell, Unix milliseconds.
    beat_at: Option<Millis>,
    /// Whether some have more to read, and nothing is on its way to them.
    goes_on: bool,
}

impl Readers {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Reader> {
        self.all.iter()
    }

    /// Whether there is room for one more of a user's.
    pub fn have_room_for(&self, user: &UserId) -> bool {
        self.all.len() < JOB_MAX || self.of(user).count() >= USER_MAX
    }

    /// Lets one in, and says its number. Where a user has too many, their oldest ends.
    pub fn admit(&mut self, newcomer: Newcomer, now: Millis) -> u32 {
        let Newcomer { viewer, until, cursor, opening, withheld } = newcomer;
        let surplus = (self.of(&viewer.user).count() + 1).saturating_sub(USER_MAX);
        let theirs = self.all.iter_mut().filter(|reader| reader.viewer.user == viewer.user);
        theirs
            .filter(|reader| !reader.is_replaced)
            .take(surplus)
            .for_each(|reader| reader.is_replaced = true);
        // In order: by that they are found.
        self.last = self.last.saturating_add(1);
        let number = self.last;
        self.all.push(Reader {
            number,
            viewer,
            until,
            cursor,
            rows: ROWS_MAX,
            opening: Some(opening),
            withheld,
            held_back: withheld,
            writing: None,
            is_replaced: false,
            has_ended: false,
        });
        self.beat_at.get_or_insert(now + HEARTBEAT_EVERY);
        number
    }

    /// Notes by which gate a reader is held back, whether or not they can be told now.
    pub fn hold_back(&mut self, number: u32, by: Option<Withheld>) {
        if let Some(reader) = self.find(number) {
            reader.held_back = by;
        }
    }

    /// Notes what is on its way, and where readers are once they have it.
    pub fn deliver(&mut self, deliveries: &[Delivery], moved: &[Moved], now: Millis) {
        for Moved { number, cursor, rows, withheld } in moved {
            if let Some(reader) = self.find(*number) {
                (reader.cursor, reader.rows, reader.withheld) = (*cursor, *rows, *withheld);
            }
        }
        for Delivery { readers, ends, .. } in deliveries {
            for number in readers {
                if let Some(reader) = self.find(*number) {
                    reader.writing = Some(now);
                    // It was the first.
                    reader.opening = None;
                    reader.has_ended = *ends;
                }
            }
        }
        if deliveries.iter().any(|delivery| delivery.ends) {
            self.keep(|reader| !reader.has_ended);
        }
    }

    /// Notes that the runtime has taken what was on its way to a reader, or that there is nobody any more. Says who it is.
    pub fn taken(&mut self, number: u32, is_there: bool) -> Option<&Reader> {
        if !is_there {
            self.keep(|reader| reader.number != number);
            return None;
        }
        let reader = self.find(number)?;
        reader.writing = None;
        Some(reader)
    }

    /// Whether all are to be written to now. It is noted that they are.
    pub fn beat(&mut self, now: Millis) -> bool {
        // A clock that has gone back makes nobody wait longer.
        let Some(at) = self.beat_at.map(|at| at.min(now + HEARTBEAT_EVERY)) else { return false };
        let is_due = at <= now;
        self.beat_at = Some(if is_due { now + HEARTBEAT_EVERY } else { at });
        is_due
    }

    /// Notes whether some of them go on at once.
    pub fn go_on(&mut self, waits: bool) {
        self.goes_on = waits;
    }

    /// When there is something to do for them, if nothing happens before, Unix milliseconds.
    pub fn due(&self, now: Millis) -> Option<Millis> {
        let at_once = self.goes_on.then_some(now);
        self.all.iter().map(|reader| reader.until).chain(self.beat_at).chain(at_once).min()
    }

    /// Has all of them begin anew, where nothing is kept any more of what they have seen.
    pub fn rewind(&mut self) {
        self.all.iter_mut().for_each(|reader| reader.cursor = Cursor::default());
    }

    /// They are in the order of their numbers.
    fn find(&mut self, number: u32) -> Option<&mut Reader> {
        let at = self.all.binary_search_by_key(&number, |reader| reader.number).ok()?;
        self.all.get_mut(at)
    }

    fn keep(&mut self, stays: impl Fn(&Reader) -> bool) {
        self.all.retain(stays);
        if self.all.is_empty() {
            (self.beat_at, self.goes_on) = (None, false);
        }
    }

    fn of(&self, user: &UserId) -> impl Iterator<Item = &Reader> {
        self.all.iter().filter(move |reader| reader.viewer.user == *user && !reader.is_replaced)
    }
}
