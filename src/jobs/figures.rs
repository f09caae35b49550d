//! What has become of a driver's fixes, in numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::UserId;
use crate::locations::clock::Clock;
use crate::locations::fix::Reason;
use crate::locations::log::Row;
use crate::locations::protocol::Outcome;

/// The most drivers of a job whose figures are kept: then those who came first go.
const DRIVERS_MAX: usize = 50;

/// `{accepted, late, duplicate, rejected: {reason: n}, repaired, ahead}`: how many fixes of a driver's. A retry counts as what it is
/// answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Figures {
    /// Live ones.
    pub accepted: u64,
    /// Kept, but of before the last live one.
    pub late: u64,
    /// Accepted before.
    pub duplicate: u64,
    /// Not kept, by the stable code of the reason.
    pub rejected: BTreeMap<String, u64>,
    /// Of those that are kept, those whose time was repaired.
    pub repaired: u64,
    /// And those whose clock was ahead.
    pub ahead: u64,
}

impl Figures {
    /// Counts what has become of the fixes of a post.
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let mut figures = Self::default();
        for outcome in outcomes {
            match outcome {
                Outcome::Accepted { clock, .. } => figures.keep(false, *clock),
                Outcome::Late { clock, .. } => figures.keep(true, *clock),
                Outcome::Duplicate { .. } => figures.duplicate += 1,
                Outcome::Rejected(not_kept) => figures.reject(not_kept.reason),
            }
        }
        figures
    }

    /// Whether any of the fixes was new, and taken.
    pub fn are_taken(&self) -> bool {
        self.accepted + self.late > 0
    }

    /// Whether all of them were refused, and there were some.
    pub fn are_refused(&self) -> bool {
        !self.are_taken() && self.duplicate == 0 && !self.rejected.is_empty()
    }

    /// Whether no row says so.
    pub fn are_unwritten(&self) -> bool {
        self.duplicate > 0 || !self.rejected.is_empty()
    }

    fn keep(&mut self, late: bool, clock: Option<Clock>) {
        *(if late { &mut self.late } else { &mut self.accepted }) += 1;
        match clock {
            Some(Clock::Repaired) => self.repaired += 1,
            Some(Clock::Ahead) => self.ahead += 1,
            None => {}
        }
    }

    fn reject(&mut self, reason: Reason) {
        *self.rejected.entry(reason.code().to_owned()).or_default() += 1;
    }

    fn add(&mut self, more: Self) {
        self.accepted += more.accepted;
        self.late += more.late;
        self.duplicate += more.duplicate;
        self.repaired += more.repaired;
        self.ahead += more.ahead;
        for (reason, count) in more.rejected {
            *self.rejected.entry(reason).or_default() += count;
        }
    }
}

/// The figures of all drivers of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AllFigures(Vec<(UserId, Figures)>);

impl AllFigures {
    /// Adds to a driver's.
    pub fn count(&mut self, driver: &UserId, more: Figures) {
        if let Some((_, figures)) = self.0.iter_mut().find(|(whose, _)| whose == driver) {
            return figures.add(more);
        }
        if self.0.len() >= DRIVERS_MAX {
            self.0.remove(0);
        }
        self.0.push((driver.clone(), more));
    }

    /// Adds what came after these.
    pub fn count_all(&mut self, later: Self) {
        later.0.into_iter().for_each(|(driver, figures)| self.count(&driver, figures));
    }

    /// Adds what a row of the log holds.
    pub fn count_row(&mut self, row: &Row) {
        let Some(accepted) = row.accepted() else { return };
        let mut more = Figures::default();
        row.fixes().for_each(|kept| more.keep(kept.late, kept.measured.clock));
        self.count(&accepted.driver, more);
    }

    /// By driver.
    pub fn by_driver(&self) -> BTreeMap<UserId, Figures> {
        self.0.iter().cloned().collect()
    }
}
