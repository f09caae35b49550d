//! In which order the fixes of a post are accepted, and which of them may move the marker.

use super::{Fix, Millis};

/// A clock further ahead than this is marked.
pub const CLOCK_AHEAD: Millis = 30_000;

/// For how long a fix of a clock that is ahead may hold back another one of such a clock.
const AHEAD_HOLDS: Millis = 60_000;

/// When a fix was measured, by the phone's clock and by ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    captured_at: Millis,
    accepted_at: Millis,
}

impl Moment {
    /// The moment of a fix accepted at `accepted_at`, which is also when it was measured where the phone does not say.
    pub fn of(fix: &Fix, accepted_at: Millis) -> Self {
        Self { captured_at: fix.captured_at().unwrap_or(accepted_at), accepted_at }
    }

    /// When it was measured by the phone's clock.
    pub fn captured_at(self) -> Millis {
        self.captured_at
    }

    /// When it was measured, but no later than it was accepted.
    pub fn effective(self) -> Millis {
        self.captured_at.min(self.accepted_at)
    }

    /// Whether the phone's clock is so far ahead that it is said.
    pub fn clock_ahead(self) -> bool {
        self.captured_at.saturating_sub(self.accepted_at) > CLOCK_AHEAD
    }

    /// The order within a post, ties going by position.
    pub fn order(self) -> (Millis, Millis) {
        (self.effective(), self.captured_at)
    }

    /// Whether a fix may move the marker that `last`, the last one that did, has put where it is.
    ///
    /// A fix from the future counts as measured when it was accepted, or it would hold the marker until then. That makes
    /// the effective times of two such fixes say nothing about their order, so theirs is by `capturedAt`. But a phone
    /// whose clock steps back, while still ahead, would then be held until the clock has caught up: hence only for a
    /// minute.
    pub fn is_live_after(self, last: Self) -> bool {
        let both_ahead = self.is_clamped() && last.is_clamped();
        if both_ahead && self.accepted_at.saturating_sub(last.accepted_at) <= AHEAD_HOLDS {
            self.captured_at >= last.captured_at
        } else {
            self.order() >= last.order()
        }
    }

    fn is_clamped(self) -> bool {
        self.captured_at > self.accepted_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(captured_at: Millis, accepted_at: Millis) -> Moment {
        Moment { captured_at, accepted_at }
    }

    #[test]
    fn a_fix_is_live_unless_it_was_measured_before_the_last_live_one() {
        let last = moment(1_000, 5_000);
        assert!(moment(1_000, 6_000).is_live_after(last), "a tie goes to the later one");
        assert!(moment(1_001, 6_000).is_live_after(last));
        assert!(!moment(999, 6_000).is_live_after(last));
    }

    #[test]
    fn a_fix_from_the_future_counts_as_measured_when_it_was_accepted() {
        let year = 365 * 24 * 3_600_000;
        let future = moment(5_000 + year, 5_000);
        assert_eq!(future.effective(), 5_000);
        assert!(moment(5_001, 6_000).is_live_after(future), "a right clock moves the marker on");
        assert!(!moment(4_999, 6_000).is_live_after(future));
        assert!(!moment(5_000, 6_000).is_live_after(future), "a tie goes by `capturedAt`");
    }

    #[test]
    fn fixes_of_a_clock_that_is_ahead_are_ordered_by_it() {
        let last = moment(100_000, 50_000);
        assert!(moment(100_001, 51_000).is_live_after(last));
        assert!(!moment(99_999, 51_000).is_live_after(last));
    }

    #[test]
    fn a_clock_that_steps_back_does_not_freeze_the_marker() {
        let hour = 3_600_000;
        let last = moment(10 * hour, 5_000);
        assert!(!moment(5 * hour, 65_000).is_live_after(last));
        assert!(moment(5 * hour, 65_001).is_live_after(last));
    }

    #[test]
    fn a_clock_is_marked_only_beyond_half_a_minute() {
        assert!(!moment(30_000, 0).clock_ahead());
        assert!(moment(30_001, 0).clock_ahead());
    }
}
