//! Rows that Ably has not confirmed, and when the next one may go.
//!
//! One message is in flight at a time: separate requests may overtake each other on their way to Ably. A message stands
//! for one row. What is here is lost when the object sleeps, and built again from the log: from the last position that
//! was written down, so that a few messages may go out again, with the same ids and bytes.

use std::collections::VecDeque;

use ably::rest::ErrorClass;

use super::Millis;
use super::log::{Position, Row};

/// Rows read from the log at once, and kept in memory at most; what is waiting beyond that stays in the log.
pub const ROWS_MAX: u32 = 64;

/// 40 publishes a second leave for one channel (Ably's limit is 50). As no message is longer than some 10 KiB, that also
/// keeps to 800 KiB a second.
const SPACING: Millis = 25;

/// A position that no row has carried away is written down after this much quiet.
const QUIET: Millis = 5_000;

/// And after this much without quiet, so that what goes out again after a sleep is what Ably still knows: it remembers a message
/// for two minutes.
const UNSAVED_MAX: Millis = 30_000;

const TRANSIENT: Backoff = Backoff { first: 500, longest: 60_000 };
const ACCESS: Backoff = Backoff { first: 5_000, longest: 60_000 };
const UNKNOWN: Backoff = Backoff { first: 600_000, longest: 600_000 };

/// How often a message is held for a reason that nobody knows, before it is the message that is to blame.
const HELD_MAX: u32 = 2;

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The message is set aside for good, and those behind it go on.
    SetAside {
        /// The first `n` that it stands for.
        first_n: u64,
    },
    /// The same message goes out again, no sooner than at `at`.
    Retry {
        /// Unix milliseconds.
        at: Millis,
    },
    /// It was not in flight; nothing follows.
    Stale,
}

/// What the outbox wants.
#[derive(Debug, PartialEq)]
pub enum Next<'a> {
    /// Publish this row. It is in flight from now on.
    Publish(&'a Row),
    /// Read more rows after this `n`, hand them to [`Outbox::refill`], and ask again.
    Read {
        /// The last `n` that is not needed.
        after: u64,
    },
    /// Write this position down, say so by [`Outbox::confirmed`], and ask again.
    Confirm(Position),
    /// Ask again then.
    Wait {
        /// Unix milliseconds.
        until: Millis,
    },
    /// Ask again when a row was added or a publish has ended.
    Idle,
}

/// The outbox of one job.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    /// Rows after `position.sent`, without a gap, perhaps not all of them.
    rows: VecDeque<Row>,
    /// The last `n` in the log.
    last: u64,
    position: Position,
    /// The `sent` that is on disk.
    saved: u64,
    /// When Ably last confirmed something.
    confirmed_at: Millis,
    /// When it first did so after `saved` was written.
    unsaved_since: Millis,
    /// No publish before this.
    not_before: Millis,
    /// Failures in a row.
    failures: u32,
    /// How often the message in front was held for a reason that nobody knows.
    held: u32,
    /// The time at the last call. A clock that has gone back since shows by it.
    clock: Millis,
}

impl Outbox {
    /// An outbox that goes on from what the log says: whatever was in flight goes out again.
    pub fn resume(position: Position, last: u64) -> Self {
        Self {
            position: Position { sent: position.sent, infl: None },
            saved: position.sent,
            last,
            ..Self::default()
        }
    }

    /// How far it has come, to be written down with the next row.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Takes a row that has just been written, together with [`position`](Self::position).
    pub fn push(&mut self, row: Row) {
        let follows = row.first_n() == self.last_in_memory() + 1;
        self.last = row.n;
        self.saved = self.position.sent;
        if follows && self.rows.len() < ROWS_MAX as usize {
            self.rows.push_back(row);
        }
    }

    /// Takes rows read from the log as [`Next::Read`] asks.
    pub fn refill(&mut self, rows: Vec<Row>) {
        self.rows.extend(rows);
    }

    /// Notes that the position was written down as [`Next::Confirm`] asks.
    pub fn confirmed(&mut self) {
        self.saved = self.position.sent;
    }

    /// What is to be done now.
    pub fn next(&mut self, now: Millis) -> Next<'_> {
        self.follow_clock(now);
        if self.position.infl.is_some() {
            return Next::Idle;
        }
        let unsaved = (self.saved < self.position.sent)
            .then_some((self.confirmed_at + QUIET).min(self.unsaved_since + UNSAVED_MAX));
        if unsaved.is_some_and(|at| at <= now) {
            return Next::Confirm(self.position);
        }
        let waiting = (self.position.sent < self.last).then_some(self.not_before);
        if waiting.is_none_or(|at| now < at) {
            return match unsaved.into_iter().chain(waiting).min() {
                Some(until) => Next::Wait { until },
                None => Next::Idle,
            };
        }
        let Some(row) = self.rows.front() else { return Next::Read { after: self.position.sent } };
        self.position.infl = Some(row.n);
        self.not_before = now + SPACING;
        Next::Publish(row)
    }

    /// Notes that Ably has confirmed the message that ends at `n`, or that there is nothing to be sent there.
    pub fn published(&mut self, n: u64, now: Millis) {
        self.follow_clock(now);
        if self.position.infl == Some(n) {
            self.done(n, now);
        }
    }

    /// Notes that the publish of the message that ends at `n` has failed. `jitter`, from 0 to 1, spreads the retries of many objects.
    pub fn failed(&mut self, n: u64, class: ErrorClass, now: Millis, jitter: f64) -> Verdict {
        self.follow_clock(now);
        if self.position.infl != Some(n) {
            return Verdict::Stale;
        }
        let wait = match class {
            ErrorClass::BlamesMessage => return self.give_up(n, now),
            // Twice the queue is held, in case somebody mends what is wrong; then the message goes.
            ErrorClass::Unknown if self.held == HELD_MAX => return self.give_up(n, now),
            ErrorClass::Unknown => {
                self.held += 1;
                UNKNOWN.delay(self.failures, jitter)
            }
            ErrorClass::BlamesAccess => ACCESS.delay(self.failures, jitter),
            ErrorClass::Throttled { retry_after } | ErrorClass::Transient { retry_after } => {
                let asked = retry_after.unwrap_or_default().as_millis();
                let asked = Millis::try_from(asked).unwrap_or(Millis::MAX / 4);
                // Never sooner than Ably asks; and it asks everybody at once, so not all of them as soon as that.
                TRANSIENT.delay(self.failures, jitter).max(asked + share(asked / 2, jitter))
            }
        };
        let at = now + wait;
        self.failures = self.failures.saturating_add(1);
        self.position.infl = None;
        self.not_before = at;
        Verdict::Retry { at }
    }

    fn give_up(&mut self, n: u64, now: Millis) -> Verdict {
        let first_n = self.position.sent + 1;
        self.done(n, now);
        Verdict::SetAside { first_n }
    }

    fn done(&mut self, n: u64, now: Millis) {
        if self.saved == self.position.sent {
            self.unsaved_since = now;
        }
        self.position = Position { sent: n, infl: None };
        self.rows.pop_front();
        self.confirmed_at = now;
        self.failures = 0;
        self.held = 0;
    }

    /// Where the clock has gone back, all that is waited for goes back with it: nothing takes longer for it.
    fn follow_clock(&mut self, now: Millis) {
        let back = self.clock.saturating_sub(now).max(0);
        for time in [&mut self.not_before, &mut self.confirmed_at, &mut self.unsaved_since] {
            *time = time.saturating_sub(back);
        }
        self.clock = now;
    }

    fn last_in_memory(&self) -> u64 {
        self.rows.back().map_or(self.position.sent, |row| row.n)
    }
}

/// A delay that doubles from `first` to `longest`, of which the upper half is left to chance.
struct Backoff {
    first: Millis,
    longest: Millis,
}

impl Backoff {
    fn delay(&self, failures: u32, jitter: f64) -> Millis {
        let doubled = self.first.saturating_mul(1 << failures.min(20)).min(self.longest);
        let half = doubled / 2;
        half + share(half, jitter)
    }
}

/// The part of a time that chance decides: all of it at 1, nothing at 0.
fn share(time: Millis, jitter: f64) -> Millis {
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 1.0 };
    (time as f64 * jitter) as Millis
}

#[cfg(test)]
mod tests;
