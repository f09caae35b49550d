//! How long a queue waits after a failure.

use std::time::Duration;

use super::Millis;

/// Nothing is known to be wrong with message or key: from between 250 and 500 ms up to 30 s.
pub const TRANSIENT: Backoff = Backoff { first: 500, longest: 30_000 };
/// Key, token or account are refused, until somebody mends it: from between 1 and 2 s up to 5 minutes.
pub const ACCESS: Backoff = Backoff { first: 2_000, longest: 300_000 };
/// A refusal that nobody knows holds the queue for so long.
pub const UNKNOWN: Millis = 600_000;

/// A delay that doubles from `first` to `longest`, of which the upper half is left to chance.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    first: Millis,
    longest: Millis,
}

impl Backoff {
    /// The delay after so many failures before this one.
    pub fn delay(self, failures: u32, jitter: f64) -> Millis {
        let doubled = self.first.saturating_mul(1 << failures.min(20)).min(self.longest);
        let half = doubled / 2;
        half + share(half, jitter)
    }

    /// The same where Ably has asked for a delay: never sooner than that; and since it asks everybody at once, not all of them as soon
    /// as that.
    pub fn no_sooner_than(self, asked: Option<Duration>, failures: u32, jitter: f64) -> Millis {
        let asked = Millis::try_from(asked.unwrap_or_default().as_millis()).unwrap_or(Millis::MAX / 4);
        self.delay(failures, jitter).max(asked + share(asked / 2, jitter))
    }
}

/// The part of a time that chance decides: all of it at 1, nothing at 0.
pub fn share(time: Millis, jitter: f64) -> Millis {
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 1.0 };
    (time as f64 * jitter) as Millis
}
