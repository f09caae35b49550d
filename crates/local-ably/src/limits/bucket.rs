//! How often something may happen: pure logic that is told the time.

use ably::ErrorInfo;

use super::metric::Metric;
use super::plan::Figures;
use super::report::Counts;
use crate::clock::Millis;

/// A token bucket: as many at once as an interval allows, refilled evenly.
///
/// The level is counted in parts of a token, `per` of them to one, so that a millisecond brings `rate` parts exactly.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    rate: i64,
    per: Millis,
    level: i64,
    at: Millis,
}

impl Bucket {
    /// A full bucket that allows `rate` in every `per` milliseconds.
    pub(super) fn new(rate: i64, per: Millis, now: Millis) -> Self {
        Self { rate, per, level: rate.saturating_mul(per), at: now }
    }

    /// Whether so many may happen now. More than an interval allows may happen once the bucket is full, and is paid off later:
    /// otherwise a large batch could never be published.
    pub(super) fn allows(&mut self, count: i64, now: Millis) -> bool {
        self.refill(now);
        self.level >= count.saturating_mul(self.per).min(self.capacity())
    }

    /// Takes what has happened, if need be on credit.
    pub(super) fn take(&mut self, count: i64, now: Millis) {
        self.refill(now);
        self.level = self.level.saturating_sub(count.saturating_mul(self.per));
    }

    /// Whether nothing is missing: such a bucket need not be kept.
    pub(super) fn is_full(&mut self, now: Millis) -> bool {
        self.refill(now);
        self.level == self.capacity()
    }

    fn capacity(&self) -> i64 {
        self.rate.saturating_mul(self.per)
    }

    fn refill(&mut self, now: Millis) {
        let elapsed = now.saturating_sub(self.at).max(0);
        self.level = self.level.saturating_add(self.rate.saturating_mul(elapsed)).min(self.capacity());
        self.at = now;
    }
}

/// What is to be taken from a bucket.
#[derive(Debug)]
pub(super) struct Take<'a> {
    pub(super) metric: Metric,
    pub(super) bucket: &'a mut Bucket,
    /// How much must be there.
    pub(super) needed: i64,
    /// How much is taken, if need be on credit.
    pub(super) taken: i64,
}

impl<'a> Take<'a> {
    /// So much as must be there.
    pub(super) fn of(metric: Metric, bucket: &'a mut Bucket, count: i64) -> Self {
        Self { metric, bucket, needed: count, taken: count }
    }
}

/// Takes all or nothing, and counts it.
///
/// # Errors
/// That of the first metric of which there is too little left.
pub(super) fn take<const N: usize>(
    mut takes: [Take<'_>; N],
    counts: &mut Counts,
    figures: &Figures,
    now: Millis,
) -> Result<(), ErrorInfo> {
    for Take { metric, bucket, needed, .. } in &mut takes {
        if !bucket.allows(*needed, now) {
            counts.refuse(*metric, *needed);
            return Err(metric.exceeded(figures));
        }
    }
    for Take { metric, bucket, taken, .. } in takes {
        bucket.take(taken, now);
        counts.admit(metric, taken);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many single ones are allowed at a moment.
    fn drain(bucket: &mut Bucket, now: Millis) -> usize {
        let mut taken = 0;
        while bucket.allows(1, now) {
            bucket.take(1, now);
            taken += 1;
        }
        taken
    }

    #[test]
    fn an_interval_allows_its_rate_and_refills_evenly() {
        let mut bucket = Bucket::new(50, 1_000, 7);
        assert_eq!(drain(&mut bucket, 7), 50);
        assert_eq!(drain(&mut bucket, 26), 0);
        assert_eq!(drain(&mut bucket, 27), 1);
        assert_eq!(drain(&mut bucket, 527), 25);
        assert_eq!(drain(&mut bucket, 1_000_000), 50);
    }

    #[test]
    fn a_rate_that_no_millisecond_divides_loses_nothing() {
        let mut bucket = Bucket::new(25_000, 3_600_000, 0);
        assert_eq!(drain(&mut bucket, 0), 25_000);
        let in_an_hour: usize = (1..=3_600).map(|second| drain(&mut bucket, second * 1_000)).sum();
        assert_eq!(in_an_hour, 25_000);
    }

    #[test]
    fn what_exceeds_an_interval_happens_once_and_is_paid_off() {
        let mut bucket = Bucket::new(50, 1_000, 0);
        assert!(bucket.allows(100, 0));
        bucket.take(100, 0);
        assert!(!bucket.allows(1, 1_000));
        assert!(bucket.allows(1, 1_020));
        assert!(!bucket.allows(100, 1_020));
        assert!(bucket.allows(100, 2_000) && bucket.is_full(2_000));
    }

    #[test]
    fn a_clock_that_goes_back_neither_fills_nor_blocks() {
        let mut bucket = Bucket::new(50, 1_000, 100_000);
        assert_eq!(drain(&mut bucket, 100_000), 50);
        assert!(!bucket.allows(1, 50_000));
        assert_eq!(drain(&mut bucket, 50_020), 1);
    }
}
