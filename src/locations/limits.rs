//! How much a job takes: what one driver's phone, or a mistake of somebody's, may do to everybody else.

use super::Millis;

/// What a job takes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// New fixes a second, in the long run.
    pub rate: u64,
    /// New fixes at once: a phone's buffer of a day is 28,800.
    pub burst: u64,
    /// Fixes that wait for Ably.
    pub unsent: u64,
    /// Fixes in the trail.
    pub trail: u64,
    /// Publishes a second that leave for its channel.
    pub publishes: u64,
}

/// 40 publishes a second, of the 50 that Ably takes for one channel.
pub const PUBLISHES: u64 = 40;

impl Limits {
    /// The least time between two publishes.
    pub fn spacing(self) -> Millis {
        Millis::try_from(1_000_u64.div_ceil(self.publishes.max(1))).unwrap_or(1_000)
    }
}

/// How many new fixes a job still takes now. It is kept in memory: where an object has slept it is full.
#[derive(Debug)]
pub struct Bucket {
    rate: f64,
    burst: f64,
    left: f64,
    at: Millis,
}

impl Bucket {
    /// A full one.
    pub fn of(limits: Limits) -> Self {
        let [rate, burst] = [limits.rate, limits.burst].map(|limit| limit as f64);
        Self { rate, burst, left: burst, at: Millis::MIN }
    }

    /// Takes so many fixes, or says after how many seconds there is room for them.
    ///
    /// # Errors
    /// The seconds, at least 1; then nothing was taken.
    pub fn take(&mut self, fixes: usize, now: Millis) -> Result<(), u64> {
        let fixes = (fixes as f64).min(self.burst);
        let seconds = now.saturating_sub(self.at).max(0) as f64 / 1_000.0;
        self.left = (self.left + seconds * self.rate).min(self.burst);
        self.at = now;
        if fixes <= self.left {
            self.left -= fixes;
            return Ok(());
        }
        Err((((fixes - self.left) / self.rate).ceil() as u64).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut bucket =
            Bucket::of(Limits { rate: 10, burst: 100, unsent: 0, trail: 0, publishes: PUBLISHES });
        assert_eq!(bucket.take(60, 1_000), Ok(()));
        assert_eq!(bucket.take(60, 1_000), Err(2), "20 are missing");
        assert_eq!(bucket.take(60, 2_999), Err(1));
        assert_eq!(bucket.take(60, 3_000), Ok(()));
        assert_eq!(bucket.take(1, 2_000), Err(1), "our clock has gone back");
        assert_eq!(bucket.take(1, 2_100), Ok(()));
        assert_eq!(bucket.take(100, 60_000), Ok(()), "it is no fuller than full");
        assert_eq!(bucket.take(1, 60_000), Err(1));
    }

    #[test]
    fn a_post_that_is_larger_than_the_burst_takes_all_of_it() {
        let mut bucket = Bucket::of(Limits { rate: 1, burst: 10, unsent: 0, trail: 0, publishes: PUBLISHES });
        assert_eq!(bucket.take(100, 0), Ok(()));
        assert_eq!(bucket.take(100, 1_000), Err(9));
        assert_eq!(bucket.take(100, 10_000), Ok(()));
    }
}
