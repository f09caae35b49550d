//! What becomes of a message that Ably has not taken.

use ably::rest::ErrorClass;

use super::{Flight, KEPT_MAX, News, Outbox, Verdict};
use crate::locations::log::{Position, Trouble};
use crate::objects::backoff::{LONGEST, wait};
use crate::objects::{Failure, Millis};

/// After a storage that refuses, what it was to note is tried again so much later.
pub(super) const STORAGE_WAIT: Millis = 8_000;

/// What passes by itself has lasted long after so long a time.
const DELAYED: Millis = 60_000;

/// How often a message is held for a reason that nobody knows, before it is the message that is to blame.
const HELD_MAX: u32 = 2;

impl Outbox {
    /// Notes that what is in flight has failed. `jitter`, from 0 to 1, spreads the retries of many objects. What is to be set aside
    /// stays in flight until that is written down: see [`given_up`](Self::given_up).
    pub fn failed(&mut self, failure: Failure, now: Millis, jitter: f64) -> Verdict {
        let Failure { cause, class, wait: decided } = failure;
        self.follow_clock(now);
        let held = self.trouble.as_ref().map_or(0, |trouble| trouble.held);
        let is_refused = match class {
            ErrorClass::BlamesMessage => true,
            // Twice the queue is held, in case somebody mends what is wrong; then the message goes.
            ErrorClass::Unknown => held >= HELD_MAX || self.resending().is_some(),
            _ => false,
        };
        if is_refused {
            return Verdict::SetAside;
        }
        self.flight = None;
        let before = self.trouble.take();
        let is_new = before.as_ref().is_none_or(|before| before.cause.is_other_trouble(cause));
        let since = before.as_ref().map_or(now, |before| before.since.min(now));
        let was_told = before.as_ref().is_some_and(|before| before.is_told);
        let failures = before.filter(|_| !is_new).map_or(0, |before| before.failures);
        let decided = decided.map(|decided| decided.clamp(0, LONGEST));
        let until = now + decided.unwrap_or_else(|| wait(class, failures, jitter));
        let held = held + u32::from(class == ErrorClass::Unknown);
        let lasts = !cause.holds() && !was_told && now - since >= DELAYED;
        let is_told = was_told || lasts || cause.holds();
        self.trouble =
            Some(Trouble { cause, until, failures: failures.saturating_add(1), held, since, is_told });
        let news = match is_new || cause.holds() && !was_told {
            true => Some(News::Begins),
            false => lasts.then_some(News::Lasts { since }),
        };
        self.not_before = until;
        while self.kept > KEPT_MAX
            && let Some(row) = self.rows.pop_back()
        {
            self.kept -= row.size();
        }
        Verdict::Retry { at: until, news }
    }

    /// The position once what is in flight is given up.
    pub fn position_given_up(&self) -> Position {
        match (self.flight, self.position.infl) {
            (Some(Flight::Message), Some(infl)) => Position { sent: infl, infl: None },
            _ => self.position,
        }
    }

    /// Notes that what is in flight is given up, and that this is written down. Says what trouble is over: Ably answers again, or the
    /// message itself was what stood in the way.
    pub fn given_up(&mut self) -> Option<Trouble> {
        let trouble = self.trouble.take();
        self.land();
        self.saved = self.position;
        trouble
    }

    /// Notes that what is in flight could not be given up: it goes out again.
    pub fn not_given_up(&mut self, now: Millis) {
        self.flight = None;
        self.not_before = now + STORAGE_WAIT;
    }
}
