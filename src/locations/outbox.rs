//! What Ably has not confirmed, and when the next message may go.
//!
//! One message is in flight at a time: separate requests may overtake each other on their way to Ably. While it flies rows gather,
//! and leave as one. Where a message ends is written down before it leaves, and stays until Ably has taken it or it is set aside: so
//! whoever sends it again, after whatever has failed, sends the same bytes under the same id.
//!
//! What is here is lost when the object sleeps, and built again from the log: from the last position that was written down, so that
//! a message may go out once more, which Ably recognises.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use super::event;
use super::log::{Position, Row, Task, Trouble};
use crate::objects::Millis;
use crate::objects::backoff::LONGEST;

mod failing;
mod says;

#[cfg(test)]
mod tests;

pub use self::says::{News, Next, Resend, State, Verdict};

/// Rows read from the log at once.
pub const ROWS_MAX: u32 = 64;

/// As many fixes are kept in memory while they wait; what is beyond them stays in the log until its message is made.
const KEPT_MAX: usize = 256;

/// As many bytes a second leave for one channel, of Ably's 1 MiB.
const BYTES_PER_SECOND: Millis = 800 * 1024;

/// What is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flight {
    /// The message that ends at the position's `infl`.
    Message,
    Resend(Resend),
}

/// The outbox of one object: a job's, or a user's, whose every message is a row.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Rows after `position.sent`, perhaps not all of them.
    rows: VecDeque<Row>,
    /// How many fixes they hold.
    kept: usize,
    /// The last `n` in the log.
    last: u64,
    /// Whether the log has no row after those in memory, whatever `last` says.
    is_at_end: bool,
    /// How far it has come. Where the next message ends stays from when it is decided.
    position: Position,
    /// The position that is on disk.
    saved: Position,
    /// Whether the next message whose end is not written down ends with its first row: after a sleep, since such a one may have left
    /// before it.
    is_next_alone: bool,
    flight: Option<Flight>,
    /// What was set aside and is asked for again.
    resends: VecDeque<Resend>,
    /// No publish before this.
    not_before: Millis,
    /// Why the last publish has failed, if it has.
    trouble: Option<Trouble>,
    /// The time at the last call. A clock that has gone back since shows by it.
    clock: Millis,
}

impl Outbox {
    /// An outbox that goes on from what the log says: whatever was in flight goes out again.
    pub fn resume(position: Position, last: u64, tasks: &[(u64, Task)]) -> Self {
        let infl = position.infl.filter(|infl| (position.sent + 1..=last).contains(infl));
        let position = Position { infl, ..position };
        let mut outbox = Self { position, saved: position, last, is_next_alone: true, ..Self::default() };
        for (id, task) in tasks {
            match task {
                Task::Publish(trouble) => {
                    outbox.not_before = trouble.until;
                    outbox.trouble = Some(trouble.clone());
                }
                Task::Resend { first_n, last_n } => {
                    outbox.resends.push_back(Resend { task: *id, first_n: *first_n, last_n: *last_n });
                }
                Task::Report(_) | Task::Revoke(_) | Task::Forget { .. } | Task::List(_) | Task::Notify(_) => {
                }
            }
        }
        outbox
    }

    /// The position that is written with a row that ends at `n`: where that can leave at once, as a message of its own, it says so.
    pub fn position_with(&self, n: u64, now: Millis) -> Position {
        let is_free = self.flight.is_none() && self.position.sent == self.last && self.not_before <= now;
        Position { infl: if is_free { Some(n) } else { self.position.infl }, ..self.position }
    }

    /// Takes a row that has just been written, together with this position.
    pub fn push(&mut self, row: Row, position: Position) {
        let follows = self.last_in_memory() == self.last;
        self.last = row.n;
        self.is_at_end = false;
        self.is_next_alone &= position.infl != Some(row.n);
        self.position = position;
        self.saved = position;
        if follows && self.kept < KEPT_MAX {
            self.keep(row);
        }
    }

    /// Takes rows read from the log as [`Next::Read`] asks.
    pub fn refill(&mut self, rows: Vec<Row>) {
        self.is_at_end = rows.is_empty();
        rows.into_iter().for_each(|row| self.keep(row));
    }

    /// Takes what was set aside and is to be sent once more.
    pub fn resend(&mut self, resend: Resend) {
        self.resends.push_back(resend);
    }

    /// Whether this is already asked for.
    pub fn resends(&self, first_n: u64) -> bool {
        self.resends.iter().any(|resend| resend.first_n == first_n)
    }

    /// How far it has come.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Whether something is on its way.
    pub fn is_in_flight(&self) -> bool {
        self.flight.is_some()
    }

    /// Notes that the position was written down as [`Next::Save`] asks.
    pub fn saved(&mut self) {
        self.saved = self.position;
    }

    /// A position that is only in memory, where nothing waits.
    pub fn unsaved(&self) -> Option<Position> {
        (self.saved != self.position && !self.has_waiting()).then_some(self.position)
    }

    /// What is to be done now.
    pub fn next(&mut self, now: Millis) -> Next<'_> {
        self.follow_clock(now);
        if self.flight.is_some() || !self.has_waiting() {
            return Next::Idle;
        }
        if now < self.not_before {
            return Next::Wait { until: self.not_before };
        }
        // What was set aside holds up nothing, also when it is sent again.
        if self.position.sent == self.last
            && let Some(resend) = self.resends.front()
        {
            return Next::Resend(*resend);
        }
        let end = match self.position.infl {
            Some(end) => end,
            None => match self.end_of_next() {
                Ok(end) => {
                    self.is_next_alone = false;
                    end
                }
                Err(after) => return Next::Read { after },
            },
        };
        self.position.infl = Some(end);
        if self.last_in_memory() < end && !self.is_at_end {
            return Next::Read { after: self.last_in_memory() };
        }
        if self.saved != self.position && !self.is_end_known(end) {
            return Next::Save(self.position);
        }
        let first = self.position.sent + 1;
        match self.rows.front() {
            Some(row) if row.begins_at(first) && row.is_readable() => {}
            Some(row) if row.begins_at(first) => return Next::PassOver(first..=row.n),
            Some(row) => return Next::PassOver(first..=row.first_n().saturating_sub(1).max(first)),
            None => return Next::PassOver(first..=end),
        }
        let follows = self.rows.iter().zip(self.rows.iter().skip(1)).take_while(|(_, row)| row.n <= end);
        let together = 1 + follows.take_while(|(before, row)| row.goes_with(before)).count();
        // Something behind its first row has been damaged since its end was decided.
        let last = self.rows.get(together - 1).map_or(end, |row| row.n);
        if last != end {
            self.position.infl = Some(last);
            return Next::Save(self.position);
        }
        Next::Publish(self.rows.make_contiguous().get(..together).unwrap_or_default())
    }

    /// Notes that what [`next`](Self::next) has asked for leaves, in so many bytes. The next one leaves at least `spacing` later.
    pub fn leaves(&mut self, bytes: usize, spacing: Millis, now: Millis) {
        let resend = self.resends.front().filter(|_| self.position.sent == self.last);
        self.flight = Some(resend.map_or(Flight::Message, |resend| Flight::Resend(*resend)));
        let bytes = Millis::try_from(bytes).unwrap_or(Millis::MAX / 1_000);
        self.not_before = now + spacing.max(bytes * 1_000 / BYTES_PER_SECOND);
    }

    /// What is in flight, where it is something that was set aside.
    pub fn resending(&self) -> Option<Resend> {
        match self.flight {
            Some(Flight::Resend(resend)) => Some(resend),
            Some(Flight::Message) | None => None,
        }
    }

    /// Notes that Ably has confirmed what is in flight, or that there is nothing to be sent. Says what trouble is over with that.
    pub fn published(&mut self, now: Millis) -> Option<Trouble> {
        self.follow_clock(now);
        let trouble = self.trouble.take();
        self.land();
        trouble
    }

    /// The position once what is at these places is passed over. What is left of a message whose end is written down keeps that end.
    pub fn position_past(&self, places: &RangeInclusive<u64>) -> Position {
        Position { sent: *places.end(), infl: self.position.infl.filter(|infl| infl > places.end()) }
    }

    /// Notes that what is at these places was passed over, and that this is written down.
    pub fn passed_over(&mut self, places: &RangeInclusive<u64>) {
        let position = self.position_past(places);
        self.done(*places.end());
        self.position = position;
        self.saved = position;
        // What stands in front now was never held.
        if let Some(trouble) = &mut self.trouble {
            trouble.held = 0;
        }
    }

    /// Forgets what is to be sent again next: it cannot be.
    pub fn drop_resend(&mut self) {
        self.resends.pop_front();
    }

    /// What is wrong, while something is.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// When the next publish may leave.
    pub fn not_before(&self) -> Millis {
        self.not_before
    }

    /// How it is doing.
    pub fn state(&self) -> State {
        match &self.trouble {
            _ if !self.has_waiting() => State::Idle,
            None => State::Sending,
            Some(trouble) if trouble.cause.holds() => State::Held,
            Some(_) => State::Backoff,
        }
    }

    /// How many places wait, those in flight included.
    pub fn waiting(&self) -> u64 {
        self.last.saturating_sub(self.position.sent)
    }

    /// How many places are in flight.
    pub fn in_flight(&self) -> u64 {
        match self.flight {
            Some(Flight::Message) => {
                self.position.infl.unwrap_or_default().saturating_sub(self.position.sent)
            }
            Some(Flight::Resend(_)) | None => 0,
        }
    }

    /// When something has to be looked after, if nothing happens before: nothing, where all is sent and written down. A time that is
    /// past means at once.
    pub fn due(&self) -> Option<Millis> {
        (self.has_waiting() || self.saved != self.position).then_some(self.not_before)
    }

    /// The first row that waits, as far as it is in memory.
    pub fn oldest(&self) -> Option<&Row> {
        self.rows.front()
    }

    fn has_waiting(&self) -> bool {
        self.position.sent < self.last || !self.resends.is_empty()
    }

    /// Where the next message ends: as many rows as go together. Or after which `n` it has to be read on to know.
    fn end_of_next(&self) -> Result<u64, u64> {
        let Some(first) = self.rows.front() else {
            return if self.is_at_end { Ok(self.last) } else { Err(self.position.sent) };
        };
        if self.is_next_alone {
            return Ok(first.n);
        }
        let mut end = first.n;
        let mut bytes = None;
        for (before, row) in self.rows.iter().zip(self.rows.iter().skip(1)) {
            let together = bytes.unwrap_or_else(|| event::bytes_of(before)) + event::bytes_of(row);
            if together > event::DATA_MAX || !row.goes_with(before) {
                return Ok(end);
            }
            bytes = Some(together);
            end = row.n;
        }
        if end < self.last && !self.is_at_end { Err(end) } else { Ok(end) }
    }

    /// Whether whoever wakes from what is on disk sends the same message without being told where it ends: it is the first after all
    /// ends that are written down, and is one row. So where posts come a little faster than messages leave, that costs no write.
    fn is_end_known(&self, end: u64) -> bool {
        self.saved.infl.unwrap_or(self.saved.sent) == self.position.sent
            && self.rows.front().is_some_and(|row| row.n == end)
    }

    /// Ends what is in flight: it does not go out again.
    fn land(&mut self) {
        match self.flight.take() {
            Some(Flight::Resend(_)) => drop(self.resends.pop_front()),
            Some(Flight::Message) => self.done(self.position.infl.unwrap_or(self.position.sent)),
            None => {}
        }
    }

    fn done(&mut self, n: u64) {
        self.position = Position { sent: n, infl: None };
        self.last = self.last.max(n);
        while self.rows.front().is_some_and(|row| row.n <= n)
            && let Some(row) = self.rows.pop_front()
        {
            self.kept -= row.size();
        }
    }

    /// Where the clock has gone back, what is waited for goes back with it; and nothing takes longer than the longest wait there is,
    /// also where it has gone back while the object was asleep.
    fn follow_clock(&mut self, now: Millis) {
        let back = self.clock.saturating_sub(now).max(0);
        self.not_before = self.not_before.saturating_sub(back).min(now.saturating_add(LONGEST));
        self.clock = now;
    }

    fn keep(&mut self, row: Row) {
        self.kept += row.size();
        self.rows.push_back(row);
    }

    fn last_in_memory(&self) -> u64 {
        self.rows.back().map_or(self.position.sent, |row| row.n)
    }
}
