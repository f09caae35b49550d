//! How long a queue waits after a failure.

use ably::rest::ErrorClass;

use super::Millis;

/// Nothing is known to be wrong with message or key: from between 250 and 500 ms up to 30 s.
const TRANSIENT: Backoff = Backoff { first: 500, longest: 30_000 };
/// Key, token or account are refused, until somebody mends it: from between 1 and 2 s up to 5 minutes.
pub const ACCESS: Backoff = Backoff { first: 2_000, longest: 300_000 };
/// Another of our objects does not answer: it is on the move, or has too much to do. From between 250 and 500 ms up to 5 minutes.
pub const OBJECT: Backoff = Backoff { first: 500, longest: 300_000 };
/// A refusal that nobody knows holds the queue for so long.
const UNKNOWN: Millis = 600_000;

/// The longest wait there is: as long as a `Retry-After` may ask, and half of that by chance.
pub const LONGEST: Millis = 900_000;

/// Whether a wait until this time goes on at `now`. None is longer than [`LONGEST`]: one that seems to be is over, as our clock has gone back.
pub fn goes_on(until: Millis, now: Millis) -> bool {
    (now + 1..=now + LONGEST).contains(&until)
}

/// How long what Ably has not taken waits, after so many failures of the same kind. `jitter` is random, from 0 to 1, so that not all
/// that wait come at once.
pub fn wait(class: ErrorClass, failures: u32, jitter: f64) -> Millis {
    match class {
        ErrorClass::BlamesMessage | ErrorClass::Unknown => UNKNOWN + share(UNKNOWN / 10, jitter),
        ErrorClass::BlamesAccess => ACCESS.delay(failures, jitter),
        ErrorClass::Throttled { retry_after } | ErrorClass::Transient { retry_after } => {
            let asked = retry_after.unwrap_or_default().as_millis();
            let asked = Millis::try_from(asked).unwrap_or(Millis::MAX / 4);
            // Never sooner than Ably asks; and it asks everybody at once, so not all of them as soon as that.
            TRANSIENT.delay(failures, jitter).max(asked + share(asked / 2, jitter))
        }
    }
}

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
}

/// The part of a time that chance decides: all of it at 1, nothing at 0.
fn share(time: Millis, jitter: f64) -> Millis {
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 1.0 };
    (time as f64 * jitter) as Millis
}
