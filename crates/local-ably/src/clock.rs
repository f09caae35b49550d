//! The one place that reads the clock. All logic takes the time as an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment in Unix milliseconds, or a span of them.
pub(crate) type Millis = i64;

/// The present moment.
pub(crate) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

/// How long to wait from one moment until another: not at all where that is past.
pub(crate) fn wait(now: Millis, until: Millis) -> Duration {
    Duration::from_millis(u64::try_from(until.saturating_sub(now)).unwrap_or(0))
}
