//! Where a job's sequence stands, and which fix may move the marker.

use super::clock::{Ahead, Measured, SAME_LEAD, TOLERANCE};
use super::log::{Life, Log, LogError, Pointers, Row, Waking};
use super::{Fix, Millis};
use crate::ids::{JobId, UserId};
use crate::jobs::Sight;

#[cfg(test)]
mod tests;

/// A fix that took no longer than this to arrive is held back by its own kind of clock alone.
const PROMPT: Millis = 60_000;

/// The most drivers with a clock ahead that are remembered.
const AHEAD_MAX: usize = 16;

/// A fix as the rules of lateness see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark<'a> {
    /// Its place among all that leaves.
    pub n: u64,
    /// Whose it is.
    pub driver: &'a UserId,
    /// Our clock at the acceptance.
    pub at: Millis,
    /// Our clock less the phone's, where the phone said.
    pub offset: Option<Millis>,
    /// `capturedAt` as sent.
    pub said: Option<Millis>,
    /// When it was measured.
    pub measured: Measured,
}

impl Mark<'_> {
    /// How far the phone's clock is ahead of ours, less the fix's age.
    fn lead(&self) -> Millis {
        self.measured.captured_at - self.at
    }

    /// Whether this was measured before `other`, a live fix.
    ///
    /// One phone's own clock orders its fixes better than ours does: an offset holds the time that the post was under way
    /// too, and of fixes from the future, all that ours says is when they came.
    fn is_before(&self, other: &Self) -> bool {
        if self.driver == other.driver && !self.measured.is_ahead() {
            if self.has_same_clock(other) {
                return self.said < other.said;
            }
            if self.lead() > 0 && other.lead() > 0 {
                return self.measured.captured_at < other.measured.captured_at;
            }
        }
        self.measured.effective < other.measured.effective
    }

    /// Whether one clock has given both times, as far as `sentAt` tells.
    fn has_same_clock(&self, other: &Self) -> bool {
        let (Some(this), Some(that)) = (self.offset, other.offset) else { return false };
        (this - that).abs() <= TOLERANCE && self.is_read_plainly() && other.is_read_plainly()
    }

    /// Whether the time is the one that was said, or that and the offset.
    fn is_read_plainly(&self) -> bool {
        let by = self.said.map(|said| self.measured.captured_at - said);
        by == Some(0) || by.is_some() && by == self.offset
    }
}

/// What has moved the marker, and so can make a fix late.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Markers<'a> {
    /// The last live fix.
    pub live: Option<Mark<'a>>,
    /// The last live one whose clock was not ahead.
    pub right: Option<Mark<'a>>,
    /// The last live one of the driver in question whose clock was ahead.
    pub ahead: Option<Ahead>,
}

impl<'a> Markers<'a> {
    /// Whether a fix that has just been accepted is late: it was measured before what has moved the marker.
    ///
    /// - One whose clock is not ahead is compared with the last such, whatever came between: so a right clock is never held back
    ///   by one that is ahead.
    /// - One whose clock is ahead is compared with its own driver's last such, by that clock, for as long as that has not
    ///   stepped.
    /// - One that took more than a minute to arrive is compared with the last live fix, whatever the clocks.
    /// - What is from after our own clock's present, because that has gone back since, holds nothing back.
    pub fn hold_back(&self, fix: &Mark<'_>) -> bool {
        let at = fix.at;
        let holds = |last: Mark<'_>| last.measured.effective <= at + TOLERANCE && fix.is_before(&last);
        let by_its_kind = match self.ahead {
            Some(last) if fix.measured.is_ahead() => {
                let runs_on = (fix.lead() - (last.captured_at - last.at)).abs() <= SAME_LEAD;
                last.holds_at(at) && runs_on && fix.measured.captured_at < last.captured_at
            }
            _ => !fix.measured.is_ahead() && self.right.is_some_and(holds),
        };
        let prompt = at - fix.measured.effective <= PROMPT;
        by_its_kind || (!prompt && self.live.is_some_and(holds))
    }

    /// Goes on after a live fix.
    pub fn follow(&mut self, fix: Mark<'a>) {
        self.live = Some(fix);
        if fix.measured.is_ahead() {
            self.ahead = Some(Ahead { captured_at: fix.measured.captured_at, at: fix.at });
        } else {
            self.right = Some(fix);
        }
    }
}

/// Where the job's sequence stands, as the log has it.
#[derive(Debug)]
pub enum Sequence {
    /// No fix is accepted yet in the life that comes next.
    Unborn(Before),
    /// There is a last row.
    Alive(Box<Alive>),
}

/// What a life that has no fix yet comes after.
#[derive(Debug, Default)]
pub struct Before {
    /// The job, as far as that is still known.
    pub job: Option<JobId>,
    /// The epoch of the last life, if there was one.
    pub epoch: Option<u64>,
    /// The last `n` that was given out, as far as that is still known.
    pub n: u64,
    /// The last time of acceptance, if any row is still kept.
    pub ts: Option<Millis>,
    /// The times of the fixes that are still kept: [`Pointers::cap`] and [`Pointers::far`].
    pub times: Pointers,
}

/// A sequence that has begun. Its fields are what the last row of the log says.
#[derive(Debug)]
pub struct Alive {
    /// Which life of which job.
    pub life: Life,
    /// The last `n`.
    pub n: u64,
    /// The last seq.
    pub seq: u64,
    /// The last time of acceptance.
    pub ts: Millis,
    /// What the last row says of all.
    pub pointers: Pointers,
    /// The last live fix; nothing where it is not kept any more.
    pub live: Option<Live>,
    /// The last live one whose clock was not ahead, where that is another one.
    right: Option<Live>,
}

/// A live fix as it is kept in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// Its place in the sequence.
    pub seq: u64,
    /// When it was accepted.
    pub ts: Millis,
    /// The fix.
    pub fix: Fix,
    /// When it was measured.
    pub measured: Measured,
    n: u64,
    driver: UserId,
    at: Millis,
    offset: Option<Millis>,
}

impl Sequence {
    /// Where it stands for whoever has just woken.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn wake(log: &impl Log, waking: &Waking) -> Result<Self, LogError> {
        let (life, driver, last, position, registration) = match waking {
            Waking::Begun { life, driver, last, position, registration, .. } => {
                (life.clone(), driver, last, position, registration)
            }
            Waking::Untouched => return Ok(Self::Unborn(Before::default())),
            Waking::Emptied { epoch } => return Ok(Self::over(None, *epoch, 0)),
            Waking::Forgotten { epoch, held } => {
                let job = held.as_ref().map(|held| held.job.clone());
                let n = held
                    .as_ref()
                    .map_or(0, |held| held.last.as_ref().map_or(0, |last| last.n).max(held.position.sent));
                return Ok(Self::over(job, *epoch, n));
            }
        };
        let present = registration.as_ref().and_then(|registration| registration.wanted.driver.as_ref());
        Ok(match last {
            Some(last) if last.epoch == life.epoch && driver.as_ref() == present => {
                Self::Alive(Box::new(Alive::from_last(log, life, last)?))
            }
            // No row says how far this life had come, so it is over: seqs that were seen must not come again. So is one that has
            // begun for somebody who did not get the job: no other's fixes are to be in it.
            last => {
                let n = last.as_ref().map_or(0, |last| last.n).max(position.sent);
                let ts = last.as_ref().map(|last| last.ts);
                let times = last.as_ref().map(|last| last.pointers.times()).unwrap_or_default();
                let (job, epoch) = (Some(life.job), Some(life.epoch));
                Self::Unborn(Before { job, epoch, n, ts, times })
            }
        })
    }

    /// Ends the life that there is: what comes next begins another.
    pub fn end_life(&mut self) {
        if let Self::Alive(alive) = self {
            let Alive { life, n, ts, pointers, .. } = alive.as_ref();
            *self = Self::Unborn(Before {
                job: Some(life.job.clone()),
                epoch: Some(life.epoch),
                n: *n,
                ts: Some(*ts),
                times: pointers.times(),
            });
        }
    }

    /// Where it stands when nothing is kept of what was before: nothing but the last epoch, which must not come again, and the last `n`.
    pub fn over(job: Option<JobId>, epoch: u64, n: u64) -> Self {
        Self::Unborn(Before { job, epoch: Some(epoch), n, ..Before::default() })
    }

    /// The sequence of this job, where it has begun.
    ///
    /// # Errors
    /// [`LogError::OtherJob`]
    pub fn of_job(&self, job: &JobId) -> Result<Option<&Alive>, LogError> {
        match self {
            Self::Alive(alive) if alive.life.job == *job => Ok(Some(alive)),
            Self::Unborn(Before { job: last, .. }) if last.as_ref().is_none_or(|last| last == job) => {
                Ok(None)
            }
            Self::Alive(_) | Self::Unborn(_) => Err(LogError::OtherJob),
        }
    }

    /// The job, once a life has begun.
    pub fn job(&self) -> Option<&JobId> {
        match self {
            Self::Alive(alive) => Some(&alive.life.job),
            Self::Unborn(before) => before.job.as_ref(),
        }
    }

    /// The epoch, once a fix is accepted in it.
    pub fn epoch(&self) -> Option<u64> {
        match self {
            Self::Alive(alive) => Some(alive.life.epoch),
            Self::Unborn(_) => None,
        }
    }

    /// The epoch of a life that begins after all so far, at `ts`.
    pub fn next_epoch(&self, ts: Millis) -> u64 {
        let began = u64::try_from(ts / 1000).unwrap_or_default();
        self.last_epoch().map_or(began, |last| began.max(last + 1))
    }

    /// The epoch of the last life, whether or not it goes on.
    pub fn last_epoch(&self) -> Option<u64> {
        match self {
            Self::Alive(alive) => Some(alive.life.epoch),
            Self::Unborn(before) => before.epoch,
        }
    }

    /// The last time of acceptance.
    pub fn ts(&self) -> Option<Millis> {
        match self {
            Self::Alive(alive) => Some(alive.ts),
            Self::Unborn(before) => before.ts,
        }
    }

    /// The last `n` that was given out.
    pub fn last_n(&self) -> u64 {
        match self {
            Self::Alive(alive) => alive.n,
            Self::Unborn(before) => before.n,
        }
    }

    /// What is said of all rows so far.
    pub fn pointers(&self) -> &Pointers {
        match self {
            Self::Alive(alive) => &alive.pointers,
            Self::Unborn(before) => &before.times,
        }
    }
}

impl Alive {
    /// Where the sequence stands after its last row. The live fixes may be in earlier ones, or in none that is still kept: then
    /// nothing is as old as to be held back by them.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn from_last(log: &impl Log, life: Life, last: &Row) -> Result<Self, LogError> {
        let find = |n: u64| match Live::of(last, n) {
            None if n < last.n => {
                let row = log.rows_after(n.saturating_sub(1), 1)?.into_iter().next();
                // Of an earlier life nothing is live any more.
                let row = row.filter(|row| row.epoch == life.epoch);
                Ok::<_, LogError>(row.and_then(|row| Live::of(&row, n)))
            }
            live => Ok(live),
        };
        let live = last.pointers.live.map(find).transpose()?.flatten();
        let right = last.pointers.right.map(find).transpose()?.flatten();
        let Row { n, seq, ts, .. } = *last;
        Ok(Self { life, n, seq, ts, pointers: last.pointers.clone(), live, right })
    }

    /// Goes on to the row that was just written.
    pub fn follow(&mut self, row: &Row) {
        self.n = row.n;
        self.seq = row.seq;
        self.ts = row.ts;
        self.pointers = row.pointers.clone();
        if let Some(live) = row.pointers.live.and_then(|n| Live::of(row, n)) {
            let before = self.live.replace(live);
            self.right = row.pointers.right.and_then(|n| {
                Live::of(row, n)
                    .or_else(|| before.filter(|before| before.n == n))
                    .or_else(|| self.right.take())
            });
        }
    }

    /// What makes a fix of this driver late.
    pub fn markers(&self, driver: &UserId) -> Markers<'_> {
        let live = self.live.as_ref().map(Live::mark);
        let right = self.right.as_ref().map(Live::mark);
        let ahead = self.pointers.ahead.iter().find(|(whose, _)| whose == driver).map(|(_, ahead)| *ahead);
        Markers { live, right: right.or(live.filter(|live| !live.measured.is_ahead())), ahead }
    }
}

/// The last live fixes of clocks that are ahead, as the next row keeps them: with what this driver's now is, and less those that can
/// hold nothing back any more.
pub fn ahead_after(
    before: &[(UserId, Ahead)],
    driver: &UserId,
    ahead: Option<Ahead>,
    at: Millis,
) -> Vec<(UserId, Ahead)> {
    let others = before.iter().filter(|(whose, _)| whose != driver).cloned();
    let this = ahead.map(|ahead| (driver.clone(), ahead));
    let mut all: Vec<_> = others.chain(this).filter(|(_, ahead)| ahead.holds_at(at)).collect();
    // The driver who has just posted is the last, so that whoever is first has been silent for longest.
    let surplus = all.len().saturating_sub(AHEAD_MAX);
    all.drain(..surplus);
    all
}

impl Live {
    /// The fix at this place, if it is in this row.
    fn of(row: &Row, n: u64) -> Option<Self> {
        let (kept, accepted) = (row.fix(n)?, row.accepted()?);
        Some(Self {
            seq: kept.seq,
            ts: row.ts,
            fix: kept.fix.clone(),
            measured: kept.measured,
            n,
            driver: accepted.driver.clone(),
            at: accepted.at(row.ts),
            offset: accepted.offset,
        })
    }

    /// Whether somebody may see it, of whom it is known that they may see this.
    pub fn is_within(&self, sight: Sight) -> bool {
        match sight {
            Sight::All | Sight::Own => true,
            Sight::Present { after, since } => self.n > after && self.measured.effective >= since,
            Sight::Withheld(_) => false,
        }
    }

    /// Its place among all that leaves.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Our clock at its acceptance, Unix milliseconds: [`ts`](Self::ts), unless that has gone back.
    pub fn at(&self) -> Millis {
        self.at
    }

    fn mark(&self) -> Mark<'_> {
        Mark {
            n: self.n,
            driver: &self.driver,
            at: self.at,
            offset: self.offset,
            said: self.fix.captured_at(),
            measured: self.measured,
        }
    }
}
