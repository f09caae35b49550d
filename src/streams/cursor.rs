//! How far a reader has come.

use super::mark::Mark;
use crate::locations::place::Place;

/// A position in the log of a job. All that ends up to it is told, or is not for whoever is there; the default is before all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The last `n`.
    pub n: u64,
    /// The life in which that is, by its epoch; nothing where it is in none that is known.
    pub epoch: Option<u64>,
    /// The last seq of that life.
    pub seq: u64,
    /// The `n` of the fix with that seq, or the one before the life began where it has no fix yet; nothing where that is not known any
    /// more.
    pub base: Option<u64>,
}

impl Cursor {
    /// The id of what ends here.
    pub fn mark(&self) -> Option<Mark> {
        let place = Place { epoch: self.epoch?, seq: self.seq };
        Some(Mark { place, k: self.n.checked_sub(self.base?)? })
    }

    /// Goes on to the row that ends at this `n`. `before_life` is the `n` before the life of this epoch began, as far as that is known.
    #[must_use]
    pub fn to(self, n: u64, Place { epoch, seq }: Place, before_life: impl FnOnce() -> Option<u64>) -> Self {
        let base = if self.epoch == Some(epoch) {
            // Nothing but a fix takes a seq.
            if seq > self.seq { Some(n) } else { self.base }
        } else if seq > 0 {
            Some(n)
        } else {
            before_life()
        };
        Self { n, epoch: Some(epoch), seq, base }
    }
}
