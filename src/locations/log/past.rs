//! What the trail reads of a log: fixes that left long ago, by their place.

use std::ops::RangeInclusive;

use super::{LogError, Row};
use crate::locations::place::Place;

/// Where a life begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beginning {
    /// Its epoch.
    pub epoch: u64,
    /// The `n` of the first of all that leaves in it.
    pub first_n: u64,
}

/// What is read of a log that has begun.
pub trait Past {
    /// The life of this epoch, or else the first one after it, and the life that follows.
    ///
    /// # Errors
    /// [`LogError`]
    fn lives_from(&self, epoch: u64) -> Result<Vec<Beginning>, LogError>;

    /// The rows with fixes that end after this `n`, in order, up to the first that ends `count` or more after it. So where nothing but
    /// fixes has left, they hold `count` fixes, and no row more than that takes.
    ///
    /// # Errors
    /// [`LogError`]
    fn fixes_after(&self, n: u64, count: u64) -> Result<Vec<Row>, LogError>;

    /// The place of the last fix up to this `n`, where rows end.
    ///
    /// # Errors
    /// [`LogError`]
    fn place_at(&self, n: u64) -> Result<Option<Place>, LogError>;

    /// The row with fixes that ends last up to this `n`, where rows end: its `n`, and its epoch.
    ///
    /// # Errors
    /// [`LogError`]
    fn last_fix(&self, n: u64) -> Result<Option<(u64, u64)>, LogError>;

    /// The messages that were given up and stand for any of these `n`, in order.
    ///
    /// # Errors
    /// [`LogError`]
    fn given_up_within(&self, ns: RangeInclusive<u64>) -> Result<Vec<RangeInclusive<u64>>, LogError>;
}
