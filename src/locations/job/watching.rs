//! How a job hears of its driver, and what it tells where it does not.
//!
//! What it keeps to:
//!
//! - **Once.** `driver.silent` and `driver.heard` come in turns, each in order with the fixes, whatever fails: see [`Owed`].
//! - **No row a post.** The row of an accepted post says when the driver was heard of. What no row says, a refusal or a retry, is written down
//!   within some 8 s, by the alarm.
//! - **Only while somebody waits for it.** A job that is not registered ends by nobody's word, so of its driver's silence nobody is told; and
//!   one that is planned for later is not waited for before.

use super::registered::{Answered, NotTaken};
use super::{Job, JobAnswer, Log, LogError, Millis, Notice};
use crate::ids::{JobId, UserId};
use crate::jobs::figures::{AllFigures, Figures};
use crate::jobs::registration::{Event, Registration};
use crate::jobs::sight::Sight;
use crate::jobs::vitals::{Arrival, Owed, Pulse, Vitals};
use crate::jobs::{Heartbeat, Viewer};
use crate::locations::protocol::{Heard, HeardAs};
use crate::sessions::Role;

/// A fix that is older than this is missing, where no silence is watched for.
const MISSING_AFTER: Millis = 60_000;

/// How many rows are counted at once.
const ROWS_AT_ONCE: u32 = 500;

impl<L: Log> Job<L> {
    /// Takes a heartbeat.
    pub(super) fn heartbeat(
        &mut self,
        job: JobId,
        driver: &UserId,
        state: Heartbeat,
        registry_alone: bool,
        now: Millis,
    ) -> Answered {
        self.sequence.of_job(&job)?;
        let status = match self.terms(driver, registry_alone)? {
            Err(NotTaken::Refused(refusal)) => return Ok(Err(refusal)),
            Err(NotTaken::Reassigned) => HeardAs::Reassigned,
            Ok(terms) if terms.is_closed => HeardAs::JobClosed,
            Ok(_) => {
                self.hear(now)?;
                let is_new = self.vitals.beat(state, now);
                if is_new {
                    self.tell_signs(now)?;
                } else if self.vitals.is_to_keep(now) {
                    self.keep_vitals(now)?;
                } else {
                    self.vitals.unkept(true, now);
                }
                HeardAs::Heard
            }
        };
        Ok(Ok(JobAnswer::Heard(Heard { ok: true, job_id: job, status })))
    }

    /// Notes that the driver whose fixes are taken was heard of. Whoever was told of their silence is told that first.
    pub(super) fn hear(&mut self, now: Millis) -> Result<(), LogError> {
        self.vitals.hear(now);
        match self.vitals.silent_since() {
            Some(since) => self.owe(since, true, now),
            None => Ok(()),
        }
    }

    /// Notes what has become of a driver's fixes; whether it is the driver who has the job.
    pub(super) fn count(
        &mut self,
        driver: &UserId,
        figures: Figures,
        is_present: bool,
        now: Millis,
    ) -> Result<(), LogError> {
        let has_changed = is_present && self.vitals.follow(&figures, now);
        if self.registration.is_none() {
            return Ok(());
        }
        if figures.are_unwritten() {
            self.vitals.unkept(is_present, now);
        }
        self.vitals.count(driver, figures);
        if has_changed { self.tell_signs(now) } else { Ok(()) }
    }

    /// Notes that the driver whose fixes are taken was heard of, though no row says so.
    pub(super) fn heard_without_row(&mut self, now: Millis) {
        if self.registration.is_some() {
            self.vitals.unkept(true, now);
        }
    }

    /// Has the list of open jobs told what has changed of the driver's phone. What the storage refuses is done at the next turn.
    fn tell_signs(&mut self, now: Millis) -> Result<(), LogError> {
        self.are_signs_untold = true;
        self.list_anew(now)?;
        self.keep_vitals(now)?;
        self.are_signs_untold = false;
        Ok(())
    }

    /// Tells what there is to tell of the driver by now.
    pub(super) fn watch(&mut self, now: Millis) -> Result<(), LogError> {
        self.vitals.follow_clock(now);
        if self.vitals.owed().is_some() {
            self.pay(now)?;
        }
        self.follow_gate(now)?;
        if self.are_signs_untold {
            self.tell_signs(now)?;
        }
        if let Some(due) = self.silence_due().filter(|due| *due <= now) {
            self.owe(due - self.settings.silent_after.unwrap_or_default(), false, now)?;
        }
        let is_due = self.refusal_due().is_some_and(|due| due <= now);
        if let Some(since) = self.vitals.untold_refusal().filter(|_| is_due) {
            let before = self.vitals.clone();
            self.vitals.refusal_is_told();
            self.keep_or_restore(before, now)?;
            self.tell(Notice::DriverRefused { since }, now)?;
        }
        Ok(())
    }

    /// When there is something to tell of the driver, if nothing is heard before.
    pub(super) fn watch_due(&self) -> Option<Millis> {
        self.silence_due().into_iter().chain(self.refusal_due()).min()
    }

    /// Writes down what no row of the log says, where it is time, or `is_quiet`.
    pub(super) fn keep_if_due(&mut self, is_quiet: bool, now: Millis) -> Result<(), LogError> {
        let is_due = self.vitals.keep_due().is_some_and(|due| is_quiet || due <= now);
        // So whoever wakes has few rows to count.
        let are_many = self.registration.is_some() && self.vitals.are_many_unkept(self.sequence.last_n());
        if is_due || are_many {
            self.keep_vitals(now)?;
        }
        Ok(())
    }

    /// Writes down what is known of the driver. Where nothing was ever written there is no place for it, and it is forgotten with sleep.
    pub(super) fn keep_vitals(&mut self, now: Millis) -> Result<(), LogError> {
        if self.sequence.job().is_none() || self.forgotten.is_some() {
            return Ok(());
        }
        self.count_rows()?;
        let mut kept = self.vitals.clone();
        kept.keep(self.sequence.last_epoch(), self.sequence.last_n(), now);
        self.log.keep_vitals(&kept)?;
        self.vitals = kept;
        Ok(())
    }

    /// Counts what of the log the figures do not count yet.
    pub(super) fn count_rows(&mut self) -> Result<(), LogError> {
        let Some((mut after, to)) = self.vitals.uncounted() else { return Ok(()) };
        let mut earlier = AllFigures::default();
        while after < to {
            let page = self.log.rows_after(after, ROWS_AT_ONCE)?;
            let Some(last) = page.last() else { break };
            after = last.n;
            page.iter().filter(|row| row.n <= to).for_each(|row| earlier.count_row(row));
        }
        self.vitals.counted(earlier);
        Ok(())
    }

    /// What everybody who takes part is told of the driver's phone.
    pub(super) fn pulse(&self, now: Millis) -> Pulse {
        let since = match &self.registration {
            Some(registration) if registration.ended.is_none() => Some(waited_for_since(registration)),
            Some(_) => None,
            None => self.vitals.fixed_at(),
        };
        self.vitals.pulse(since, self.settings.silent_after.unwrap_or(MISSING_AFTER), now)
    }

    /// The same as somebody is told it who sees so much.
    pub(super) fn pulse_to(&self, viewer: Option<&Viewer>, sight: Sight, now: Millis) -> Pulse {
        let (pulse, from) = (self.pulse(now), viewer.and_then(|viewer| self.told_from(viewer)));
        let pulse = from.map_or(pulse, |from| self.vitals.pulse_from(pulse, from));
        Pulse { arrived_at: self.arrived_at(sight, from), ..pulse }
    }

    /// When the vehicle has arrived at the place that the job has now, to somebody who sees so much: they know of it where its event was
    /// theirs, and of no time before they saw anything.
    fn arrived_at(&self, sight: Sight, told_from: Option<Millis>) -> Option<Millis> {
        let Arrival { n, at, .. } = self.vitals.arrival(self.sequence.epoch()?)?;
        let is_here = n > self.registration.as_ref()?.placed_after();
        let at = at.filter(|at| is_here && told_from.is_none_or(|from| *at >= from))?;
        match sight {
            Sight::All | Sight::Own => Some(at),
            Sight::Present { after, since } => Some(at.max(since)).filter(|_| n > after),
            Sight::Withheld(_) => None,
        }
    }

    /// Nothing of the driver that is of before is told to somebody who sees the job through a gate that has opened, or did until that was
    /// taken away.
    pub(super) fn told_from(&self, viewer: &Viewer) -> Option<Millis> {
        let registration = self.registration.as_ref().filter(|_| viewer.role == Role::Customer)?;
        match registration.gate(self.sequence.epoch()) {
            Some((_, opening)) => opening.map(|opening| opening.at),
            None => Some(registration.joined(&viewer.user)?.shown?.since),
        }
    }

    /// When the driver has been silent for too long, if nothing is heard before.
    fn silence_due(&self) -> Option<Millis> {
        let registration = self.watched().filter(|_| self.vitals.silent_since().is_none())?;
        let since = waited_for_since(registration);
        let heard = self.vitals.heard_at().map_or(since, |at| at.max(since));
        Some(heard + self.settings.silent_after?)
    }

    fn refusal_due(&self) -> Option<Millis> {
        self.watched()?;
        let since = self.vitals.untold_refusal()?;
        Some(since + self.settings.silent_after.unwrap_or(MISSING_AFTER))
    }

    /// The job, where it is open and has a driver.
    fn watched(&self) -> Option<&Registration> {
        self.open().filter(|registration| registration.wanted.driver.is_some())
    }

    /// Writes down that something is to be told, and tells it.
    fn owe(&mut self, since: Millis, is_heard: bool, now: Millis) -> Result<(), LogError> {
        let before: Vitals = self.vitals.clone();
        self.list_anew(now)?;
        self.vitals.owe(Owed { n: self.sequence.last_n() + 1, since, is_heard });
        self.keep_or_restore(before, now)?;
        self.pay(now)
    }

    pub(super) fn keep_or_restore(&mut self, before: Vitals, now: Millis) -> Result<(), LogError> {
        let kept = self.keep_vitals(now);
        if kept.is_err() {
            self.vitals = before;
        }
        kept
    }

    fn pay(&mut self, now: Millis) -> Result<(), LogError> {
        let Some(Owed { n, since, is_heard }) = self.vitals.owed() else { return Ok(()) };
        let version = self.watched().map(|registration| registration.version);
        let (Some(version), Some(job)) = (version, self.sequence.job().cloned()) else {
            self.vitals.paid();
            return Ok(());
        };
        if n <= self.sequence.last_n() {
            // It was told before the object woke.
            self.vitals.paid();
            return Ok(());
        }
        let event = if is_heard { Event::Heard { since } } else { Event::Silent { since } };
        let epoch = self.sequence.epoch();
        self.append_event(&job, event, version, now)?;
        self.vitals.paid();
        if self.sequence.epoch() != epoch {
            // A life that was lost begins anew with it.
            self.keep_vitals(now)?;
        }
        self.alarm.stands_anew();
        self.tell(if is_heard { Notice::DriverHeard { since } } else { Notice::DriverSilent { since } }, now)
    }
}

/// Since when a job's driver is waited for.
fn waited_for_since(registration: &Registration) -> Millis {
    registration.wanted.starts_at.map_or(registration.assigned_at, |at| at.max(registration.assigned_at))
}
