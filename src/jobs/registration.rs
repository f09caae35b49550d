//! What is kept of a registered job, and how it changes.
//!
//! What it keeps to:
//!
//! - **Closed is closed for ever**, and every job ends by itself at [`Registration::ends_at`].
//! - **A driver's life.** Whenever the driver changes a life of the sequence begins, so no epoch holds two drivers' fixes, and
//!   [`Registration::withdrawn`] says up to where nothing is published any more.
//! - **Whoever joins later sees nothing earlier**: by [`Joined`], until they leave.
//! - **Whoever leaves is revoked**: each [`Change`] says whom, and who loses the channel to a gate.
//! - **A gate is closed until it has opened in the present life**: [`Opening`] says where. Another gate is a new one, and where one goes that
//!   was open nobody sees less; a place that moves closes nothing, and [`Registration::near_after`] sees to it that no fix from before the move counts for it,
//!   [`Registration::placed_after`] that no arrival does.

use serde::{Deserialize, Serialize};

use super::gate::{Gate, Opening};
use super::joined::{Joined, Start};
use super::wanted::{CloseReason, Wanted};
use crate::ids::UserId;
use crate::objects::Millis;

/// Ably replays two minutes of a channel to whoever attaches; a little more, for clocks.
pub const REPLAYED: Millis = 125_000;

/// A registered job, as JSON. Fields are added without a rewrite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registration {
    /// Counts the changes, from 1.
    pub version: u64,
    /// What the platform has said last.
    pub wanted: Wanted,
    /// When it ends by itself where the platform does not say, Unix milliseconds.
    ends_by_default_at: Millis,
    /// Since when its driver has it, Unix milliseconds.
    pub assigned_at: Millis,
    /// Nothing up to this `n` is published any more.
    pub withdrawn: u64,
    /// Whether lives before the present one have fixes.
    pub had_fixes: bool,
    /// Who has come when there were fixes that were not meant for them, or may have been.
    #[serde(default)]
    joined: Vec<Joined>,
    /// When somebody has left last, Unix milliseconds: what was issued before is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_at: Option<Millis>,
    /// No fix up to this `n` says that the vehicle is near: place or gate are another since.
    #[serde(default)]
    pub near_after: u64,
    /// As [`placed_after`](Self::placed_after) says, where a build has written it that knows of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    placed_after: Option<u64>,
    /// When its gate was put last as another one, Unix milliseconds: it opens to nothing of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gate_set_at: Option<Millis>,
    /// How its gate has opened last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opening: Option<Opening>,
    /// How it has ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// The last `n` when this version of it was written down. That it has changed is told by the row that comes next: so whoever wakes
    /// in between knows whether it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_after: Option<u64>,
}

/// How a job has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Why.
    pub reason: EndReason,
    /// When, Unix milliseconds.
    pub at: Millis,
}

/// Why a job has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema, strum::EnumIter))]
pub enum EndReason {
    /// The work is done.
    Done,
    /// It was not wanted any more.
    Cancelled,
    /// It could not be done.
    Failed,
    /// Its time was over, and nobody had closed it.
    Expired,
}

impl EndReason {
    /// As it is written down, and told.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }
}

impl From<CloseReason> for EndReason {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::Done => Self::Done,
            CloseReason::Cancelled => Self::Cancelled,
            CloseReason::Failed => Self::Failed,
        }
    }
}

/// What there is of a job's log when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// The last `n` that was given out.
    pub last_n: u64,
    /// Whether any fix was ever accepted.
    pub has_fixes: bool,
    /// The life that goes on, if one does.
    pub epoch: Option<u64>,
}

/// What has to be done where a registration changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whether a life of the sequence begins.
    pub begins: bool,
    /// What subscribers of the job's channel are told.
    pub event: Option<Event>,
    /// Who has left: what was issued to them is revoked.
    pub left: Vec<UserId>,
    /// From whom a gate takes the channel that they have, or may have, though they take part: the same.
    pub gated: Vec<UserId>,
    /// Whether what was issued for this job alone is revoked too, to whomever.
    pub all_left: bool,
}

impl Change {
    /// That a job has ended in which these took part, as far as that is known.
    pub fn of_end(reason: EndReason, left: Vec<UserId>) -> Self {
        Self { begins: false, event: Some(Event::Closed(reason)), left, gated: Vec::new(), all_left: true }
    }
}

/// An event of a job's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A driver has it.
    Assigned,
    /// Another driver has it, or none any more.
    Reassigned,
    /// What is registered is another than before.
    Updated,
    /// It has ended.
    Closed(EndReason),
    /// Nothing is heard of its driver.
    Silent {
        /// Since then, Unix milliseconds.
        since: Millis,
    },
    /// Its driver is heard of again.
    Heard {
        /// Nothing was since then, Unix milliseconds.
        since: Millis,
    },
    /// The vehicle is at the place.
    Arrived,
}

/// Whether somebody's fixes are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// They are, as far as they were measured since then, Unix milliseconds.
    Since(Millis),
    /// The job has ended; they were its driver.
    Closed,
    /// They do not have the job now.
    Nothing,
}

impl Registration {
    /// A job that is registered now. Where nobody says when it ends, it does `longest` after that.
    pub fn new(wanted: Wanted, past: Past, now: Millis, longest: Millis) -> (Self, Change) {
        let event = wanted.driver.as_ref().map(|_| Event::Assigned);
        // A claim may have got them a token with the channel.
        let gated = wanted.gate.map_or_else(Vec::new, |_| wanted.customers.clone());
        let mut registration = Self {
            version: 1,
            ends_by_default_at: now + longest,
            assigned_at: now,
            withdrawn: past.last_n,
            had_fixes: past.has_fixes,
            joined: Vec::new(),
            left_at: (past.has_fixes || !gated.is_empty()).then_some(now),
            near_after: past.last_n,
            placed_after: Some(past.last_n),
            gate_set_at: wanted.gate.map(|_| now),
            wanted,
            opening: None,
            ended: None,
            changed_after: None,
        };
        if past.has_fixes {
            let everybody: Vec<UserId> = registration.everybody().cloned().collect();
            everybody.into_iter().for_each(|user| registration.join(user, None, past, now));
        }
        // What claims have issued for it is over, and to whom that was nobody knows.
        let change = Change { begins: true, event, left: Vec::new(), gated, all_left: past.has_fixes };
        (registration, change)
    }

    /// The same as the platform wants it now; nothing where it is so already.
    pub fn put(&self, wanted: Wanted, past: Past, now: Millis) -> Option<(Self, Change)> {
        if wanted == self.wanted {
            return None;
        }
        let begins = wanted.driver != self.wanted.driver;
        let event = begins.then_some(match self.wanted.driver {
            None => Event::Assigned,
            Some(_) => Event::Reassigned,
        });
        let is_moved = wanted.place != self.wanted.place;
        let placed_after = Some(if is_moved { past.last_n } else { self.placed_after() });
        let mut next = Self { version: self.version + 1, wanted, placed_after, ..self.clone() };
        let left: Vec<UserId> = self.everybody().filter(|user| !next.has(user)).cloned().collect();
        // A driver who becomes a customer is one who leaves, and so is the reverse: what is theirs to see is another.
        let changed = self.wanted.driver.iter().filter(|driver| begins && next.has(driver)).cloned();
        let left: Vec<UserId> = left.into_iter().chain(changed).collect();
        next.joined.retain(|joined| next.wanted.has(&joined.user) && !left.contains(&joined.user));
        if begins {
            next.assigned_at = now;
            next.withdrawn = past.last_n;
            next.had_fixes = past.has_fixes;
        }
        if is_moved || self.wanted.gate != next.wanted.gate {
            next.near_after = past.last_n;
        }
        if self.wanted.gate != next.wanted.gate {
            next.opening = None;
            next.gate_set_at = next.wanted.gate.map(|_| now);
        }
        // Ably replays to them what the gate has kept from them.
        let is_ungated = self.wanted.gate.is_some() && next.wanted.gate.is_none();
        let opening =
            self.opening.filter(|opening| is_ungated && !begins && Some(opening.epoch) == past.epoch);
        let new = |user: &&UserId| {
            !self.has(user)
                || left.contains(user)
                || (begins && next.wanted.driver.as_ref() == Some(*user))
                || (is_ungated && next.wanted.customers.contains(user))
        };
        let new: Vec<UserId> = next.everybody().filter(new).cloned().collect();
        for user in new {
            let before = self.joined(&user).map_or(Start::OF_ALL, Joined::start);
            let is_shown = self.wanted.customers.contains(&user) && !left.contains(&user);
            let shown = opening.filter(|_| is_shown).map(|opening| opening.start().max(before));
            next.joined.retain(|joined| joined.user != user);
            // A driver who has it already may have been where nobody has heard of yet.
            if past.has_fixes || !begins {
                next.join(user, shown, past, now);
            }
        }
        // Also whoever comes to a gate that was there: a claim may have got them a token with the channel before the job was registered.
        let is_held_back = |user: &UserId| self.wanted.gate.is_some() && self.wanted.customers.contains(user);
        let gated =
            next.wanted.customers.iter().filter(|user| next.wanted.gate.is_some() && !left.contains(user));
        let gated: Vec<UserId> = gated.filter(|user| !is_held_back(user)).cloned().collect();
        if !left.is_empty() || !gated.is_empty() {
            next.left_at = Some(now);
        }
        Some((next, Change { begins, event, left, gated, all_left: false }))
    }

    /// The same once it has ended; nothing where it had.
    pub fn close(&self, reason: EndReason, past: Past, now: Millis) -> Option<(Self, Change)> {
        if self.ended.is_some() {
            return None;
        }
        let left = self.everybody().cloned().collect();
        let change = Change::of_end(reason, left);
        let next = Self {
            version: self.version + 1,
            withdrawn: past.last_n,
            left_at: Some(now),
            ended: Some(Ended { reason, at: now }),
            ..self.clone()
        };
        Some((next, change))
    }

    /// No arrival up to this `n` was at its place: that is another since. Where it was put by a build that did not write this, it is since its
    /// gate was another too, as that is all that is known.
    pub fn placed_after(&self) -> u64 {
        self.placed_after.unwrap_or(self.near_after)
    }

    /// Whether nobody was told yet that it has changed: `last_n` is the last `n` that was given out.
    pub fn is_untold(&self, last_n: u64) -> bool {
        self.ended.is_none() && self.changed_after.is_some_and(|n| last_n <= n)
    }

    /// When it ends by itself.
    pub fn ends_at(&self) -> Millis {
        self.wanted.ends_at.unwrap_or(self.ends_by_default_at)
    }

    /// Whether it should have ended by now, and has not.
    pub fn is_overdue(&self, now: Millis) -> bool {
        self.ended.is_none() && self.ends_at() <= now
    }

    /// Whether somebody's fixes are taken.
    pub fn takes_from(&self, driver: &UserId) -> Takes {
        match (&self.wanted.driver, self.ended) {
            (Some(present), None) if present == driver => Takes::Since(self.assigned_at),
            (Some(last), Some(_)) if last == driver => Takes::Closed,
            _ => Takes::Nothing,
        }
    }

    /// How somebody has come, where there were fixes before them, or may have been.
    pub fn joined(&self, user: &UserId) -> Option<&Joined> {
        self.joined.iter().find(|joined| joined.user == *user)
    }

    /// The last `n` that is not for everybody who takes part.
    pub fn not_for_all(&self) -> u64 {
        self.joined.iter().map(|joined| joined.n).fold(self.withdrawn, u64::max)
    }

    /// The same with the time from which those have the channel for whom all that was before is confirmed now, or given up; nothing where
    /// it is so already. `sent` is how far that is.
    pub fn follow(&self, sent: u64, now: Millis) -> Option<Self> {
        let waits = |joined: &Joined| joined.channel_from.is_none() && joined.n <= sent;
        if !self.joined.iter().any(waits) {
            return None;
        }
        let mut next = self.clone();
        let waiting = next.joined.iter_mut().filter(|joined| waits(joined));
        waiting.for_each(|joined| joined.channel_from = Some(now + REPLAYED));
        Some(next)
    }

    /// The gate for its customers, and where it has opened in this life, if it has.
    pub fn gate(&self, epoch: Option<u64>) -> Option<(Gate, Option<Opening>)> {
        let opening = self.opening.filter(|opening| Some(opening.epoch) == epoch);
        self.wanted.gate.map(|gates| (gates.customer, opening))
    }

    /// The gate that holds customers back in this life.
    pub fn closed_gate(&self, epoch: Option<u64>) -> Option<Gate> {
        self.gate(epoch).filter(|(_, opening)| opening.is_none()).map(|(gate, _)| gate)
    }

    /// Since when what is measured is seen, where the gate opens by its time: as that may be past when the gate is put, or a driver gets the
    /// job, none opens to what was before them. Unix milliseconds.
    pub fn seen_since(&self, from: Millis) -> Millis {
        from.max(self.assigned_at).max(self.gate_set_at.unwrap_or(from))
    }

    /// Whether it ends by itself before its gate's time.
    pub fn ends_before_gate(&self) -> bool {
        let from = self.wanted.gate.and_then(|gates| gates.customer.from);
        from.is_some_and(|from| self.ends_at() <= from)
    }

    /// The same once its gate has opened.
    #[must_use]
    pub fn opened(&self, opening: Opening) -> Self {
        Self { opening: Some(opening), ..self.clone() }
    }

    /// Who takes part as long as it goes on.
    pub fn participants(&self) -> impl Iterator<Item = &UserId> {
        self.everybody().filter(|_| self.ended.is_none())
    }

    /// Its driver and its customers.
    fn everybody(&self) -> impl Iterator<Item = &UserId> {
        self.wanted.everybody()
    }

    fn has(&self, user: &UserId) -> bool {
        self.wanted.has(user)
    }

    fn join(&mut self, user: UserId, shown: Option<Start>, past: Past, now: Millis) {
        if self.joined(&user).is_none() {
            // Where there was no fix there is none to be replayed.
            let channel_from = (!past.has_fixes).then_some(now);
            self.joined.push(Joined { user, n: past.last_n, at: now, channel_from, shown });
        }
    }
}

impl Wanted {
    fn everybody(&self) -> impl Iterator<Item = &UserId> {
        self.driver.iter().chain(&self.customers)
    }

    /// Whether somebody takes part.
    fn has(&self, user: &UserId) -> bool {
        self.driver.as_ref() == Some(user) || self.customers.binary_search(user).is_ok()
    }

    /// The same with one customer more. Nothing where there is no room.
    #[must_use]
    pub fn with(&self, user: &UserId) -> Option<Self> {
        let mut more = self.clone();
        if let Err(at) = more.customers.binary_search(user) {
            more.customers.insert(at, user.clone());
        }
        Some(more).filter(|more| more.customers.len() <= super::wanted::CUSTOMERS_MAX)
    }

    /// The same without this customer.
    #[must_use]
    pub fn without(&self, user: &UserId) -> Self {
        let mut less = self.clone();
        less.customers.retain(|customer| customer != user);
        less
    }
}
