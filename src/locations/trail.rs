//! The trail: every fix that was accepted, in the order in which it was, a page at a time.
//!
//! An object reads a page and tells it as JSON; [`format`] tells it in other ways.

use serde::Serialize;

use super::clock::Clock;
use super::log::past::Past;
use super::log::{Kept, LogError, Row};
use super::place::Place;
use super::protocol::Range;
use super::{DedupeId, Millis};
use crate::ids::{JobId, UserId};

pub mod format;
mod geojson;
mod gpx;
mod line;

#[cfg(test)]
mod tests;

/// The most fixes of a page. No fix is longer than some 900 bytes here, whatever was posted: so a page stays below 1 MiB.
pub const LIMIT_MAX: u32 = 1_000;

/// Of which fixes whoever asks may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Of all.
    All,
    /// Of those of these lives, by their epochs, in order.
    Lives(Vec<u64>),
    /// Of those of one life that came after an `n`, and were not measured before a time, Unix milliseconds.
    Present {
        /// Its epoch.
        epoch: u64,
        /// As [`Sight::Present`](crate::jobs::Sight::Present).
        after: u64,
        /// The same.
        since: Millis,
    },
}

impl Scope {
    /// Whether anything of the life of this epoch may be in it.
    pub fn has_life(&self, epoch: u64) -> bool {
        match self {
            Self::All => true,
            Self::Lives(epochs) => epochs.binary_search(&epoch).is_ok(),
            Self::Present { epoch: present, .. } => *present == epoch,
        }
    }

    /// The last `n` of which whoever asks may know nothing, whatever its life.
    pub fn after(&self) -> u64 {
        match self {
            Self::All | Self::Lives(_) => 0,
            Self::Present { after, .. } => *after,
        }
    }

    /// Whether a fix of the life of this epoch is in it.
    pub fn has(&self, epoch: u64, kept: &Kept<'_>) -> bool {
        self.has_life(epoch)
            && match self {
                Self::All | Self::Lives(_) => true,
                Self::Present { after, since, .. } => kept.n > *after && kept.measured.effective >= *since,
            }
    }

    /// The place before all of it.
    fn start(&self) -> Place {
        let epoch = match self {
            Self::All => None,
            Self::Lives(epochs) => epochs.first().copied(),
            Self::Present { epoch, .. } => Some(*epoch),
        };
        epoch.map_or_else(Place::default, |epoch| Place { epoch, seq: 0 })
    }
}

/// So many fixes are read at once where not all of them are told.
const ROWS_PASSED_OVER: usize = 500;

/// What is wanted of a trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The fixes after this place, which need not be one of a fix; without it, from the first on.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: u32,
    /// Whether to tell whose the fixes are, and the names that they came with.
    pub names: bool,
    /// And of those, which.
    pub scope: Scope,
}

/// A page of a trail.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Page {
    /// The job.
    pub job_id: JobId,
    /// Which life of its sequence is the present one; `null` where none is.
    pub epoch: Option<u64>,
    /// The last fix with nothing before it, nor itself, that still waits for Ably; `null` where there is none.
    pub published: Option<Published>,
    /// Those of this page's fixes that have not reached subscribers, as Ably refuses their messages for good. Each stands for one
    /// message, as far as that is on this page.
    pub set_aside: Vec<Range>,
    /// The fixes, in the order of their places.
    pub locations: Vec<Location>,
    /// The place of the last one, where there are more after it.
    pub next: Option<Place>,
}

/// The place of a fix, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Place"))]
pub struct Published {
    /// Which life of the job's sequence.
    pub epoch: u64,
    /// Its place in that life.
    pub seq: u64,
}

/// A fix of the trail. What the phone did not know is absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "TrailFix"))]
pub struct Location {
    /// Which life of the job's sequence.
    pub epoch: u64,
    /// Its place in that life.
    pub seq: u64,
    /// When it was accepted, Unix milliseconds.
    pub ts: Millis,
    /// When it was measured, as well as can be known, as subscribers are told.
    pub captured_at: Millis,
    /// When by the phone's clock, where that is another time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_time: Option<Millis>,
    /// What is wrong with that clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// Whether it has moved no marker; there only where it has not.
    #[serde(skip_serializing_if = "is_false")]
    #[cfg_attr(test, schemars(extend("const" = true)))]
    pub late: bool,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lng: f64,
    /// Metres a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// Degrees clockwise from north.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heading: Option<f64>,
    /// Metres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Metres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub altitude: Option<f64>,
    /// Whose it is, for those who may know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<UserId>,
    /// The name that it came with, for the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl Page {
    /// The page of a job that has kept nothing.
    pub fn empty(job: JobId) -> Self {
        Self {
            job_id: job,
            epoch: None,
            published: None,
            set_aside: Vec::new(),
            locations: Vec::new(),
            next: None,
        }
    }

    /// Reads a page of a log that has begun. `epoch` is the present one; nothing up to `sent` still waits for Ably.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn read(
        log: &impl Past,
        job: JobId,
        epoch: Option<u64>,
        sent: u64,
        wanted: &Wanted,
    ) -> Result<Self, LogError> {
        let limit = wanted.limit.min(LIMIT_MAX) as usize;
        // One more than is told: whether there is a next page.
        let mut found = find(log, wanted, limit + 1)?;
        let has_next = found.len() > limit;
        found.truncate(limit);
        let set_aside = set_aside(log, &found)?;
        let locations: Vec<Location> = found.into_iter().map(|(_, location)| location).collect();
        let next = locations.last().filter(|_| has_next).map(Location::place);
        let hidden = match wanted.scope.after() {
            0 => None,
            n => log.place_at(n)?,
        };
        let published = log.place_at(sent)?.filter(|place| wanted.scope.has_life(place.epoch));
        let published = published.filter(|place| hidden.is_none_or(|hidden| hidden < *place));
        let published = published.map(|Place { epoch, seq }| Published { epoch, seq });
        Ok(Self { job_id: job, epoch, published, set_aside, locations, next })
    }
}

/// The fixes that are wanted, each with its `n`, up to `count` or a few more.
fn find(log: &impl Past, wanted: &Wanted, count: usize) -> Result<Vec<(u64, Location)>, LogError> {
    let after = wanted.after.unwrap_or_default().max(wanted.scope.start());
    let mut found = Vec::new();
    let Some((mut n, end)) = start(log, after)? else { return Ok(found) };
    let mut at_once = count;
    n = n.max(wanted.scope.after());
    while found.len() < count {
        let rows = log.fixes_after(n, at_once.max(count - found.len()) as u64)?;
        // What is left out is passed over a few hundred at a time, however few are wanted.
        at_once = if wanted.scope == Scope::All { 0 } else { ROWS_PASSED_OVER };
        let Some(last) = rows.last() else { break };
        // What is no fix takes an `n` and no seq: then the reading begins too early, by at least as many as are missing here.
        let missing = if last.epoch == after.epoch { after.seq.saturating_sub(last.seq) } else { 0 };
        n = last.n.max(end.min(last.n.saturating_add(missing)));
        for row in &rows {
            let fixes = row.fixes().filter(|kept| after < Place { epoch: row.epoch, seq: kept.seq });
            let fixes = fixes.filter(|kept| wanted.scope.has(row.epoch, kept));
            found.extend(fixes.map(|kept| (kept.n, Location::of(row, kept, wanted.names))));
        }
    }
    Ok(found)
}

/// The `n` after which to read, which is none that is wanted, and the last one of the life that `after` is in. Nothing where there is
/// no such life and none after it.
fn start(log: &impl Past, after: Place) -> Result<Option<(u64, u64)>, LogError> {
    if after == Place::default() {
        return Ok(Some((0, 0)));
    }
    let lives = log.lives_from(after.epoch)?;
    let mut lives = lives.into_iter().map(|life| (life.epoch, life.first_n.saturating_sub(1)));
    let Some((epoch, before)) = lives.next() else { return Ok(None) };
    let end = lives.next().map_or(u64::MAX, |(_, before_next)| before_next);
    let seq = if epoch == after.epoch { after.seq } else { 0 };
    Ok(Some((before.saturating_add(seq).min(end), end)))
}

/// Which of these fixes Ably refuses for good.
fn set_aside(log: &impl Past, found: &[(u64, Location)]) -> Result<Vec<Range>, LogError> {
    let (Some((first, _)), Some((last, _))) = (found.first(), found.last()) else { return Ok(Vec::new()) };
    let given_up = log.given_up_within(*first..=*last)?;
    let mut told: Vec<Range> = Vec::new();
    let mut fixes = found.iter().peekable();
    for ns in given_up {
        while fixes.next_if(|(n, _)| n < ns.start()).is_some() {}
        let mut goes_on = false;
        while let Some((_, Location { epoch, seq, .. })) = fixes.next_if(|(n, _)| n <= ns.end()) {
            match told.last_mut() {
                Some(last) if goes_on && last.epoch == *epoch => last.seq = *seq,
                _ => told.push(Range { epoch: *epoch, from_seq: *seq, seq: *seq }),
            }
            goes_on = true;
        }
    }
    Ok(told)
}

impl Location {
    fn of(row: &Row, Kept { seq, fix, measured, late, .. }: Kept<'_>, names: bool) -> Self {
        let effective = measured.effective;
        let (driver, id) =
            if names { (row.accepted().map(|accepted| &accepted.driver), fix.id()) } else { (None, None) };
        Self {
            epoch: row.epoch,
            seq,
            ts: row.ts,
            captured_at: effective,
            phone_time: fix.captured_at().filter(|said| *said != effective),
            clock: measured.clock,
            late,
            lat: fix.lat(),
            lng: fix.lng(),
            speed: fix.speed(),
            heading: fix.heading(),
            accuracy: fix.accuracy(),
            altitude: fix.altitude(),
            driver: driver.cloned(),
            id: id.map(DedupeId::shown),
        }
    }

    /// Its place in the job's order.
    pub fn place(&self) -> Place {
        Place { epoch: self.epoch, seq: self.seq }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
