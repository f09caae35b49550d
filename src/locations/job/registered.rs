//! How a job is registered, and what that means for who posts and who reads.

use super::updates::{At, Said};
use super::{Alive, Job, JobAnswer, JobRefusal, Life, Log, LogError, Millis, Post, PostAnswer, Sequence};
use crate::ids::{JobId, UserId};
use crate::jobs::listed;
use crate::jobs::registration::{Change, EndReason, Event, Past, Registration, Takes};
use crate::jobs::sight::{Blind, Sight};
use crate::jobs::told::{self, Told};
use crate::jobs::{Admission, CloseReason, Standing, Viewer, Wanted};
use crate::locations::dedupe::Terms;
use crate::locations::fix::Rejection;
use crate::locations::log::{Content, Row};
use crate::locations::post::Entry;
use crate::locations::protocol::{Changed, Only, Outcome};
use crate::locations::trail::Scope;
use crate::sessions::Role;

/// Why a driver's fixes are not taken.
pub(super) enum NotTaken {
    /// The job was theirs.
    Reassigned,
    /// It never was.
    Refused(JobRefusal),
}

/// What a request about registered jobs comes to.
pub(super) type Answered = Result<Result<JobAnswer, JobRefusal>, LogError>;

impl<L: Log> Job<L> {
    /// Registers the job, or changes what is registered.
    pub(super) fn put(&mut self, job: &JobId, wanted: Wanted, only: Option<&Only>, now: Millis) -> Answered {
        self.sequence.of_job(job)?;
        if self.registration.is_some() {
            return self.change(job, only, now, |registration, past| registration.put(wanted, past, now));
        }
        if !matches!(only, None | Some(Only::Absent)) {
            return Ok(Err(JobRefusal::NotRegistered));
        }
        let (next, change) = Registration::new(wanted, self.past(), now, self.settings.longest);
        if next.ends_before_gate() {
            return Ok(Err(JobRefusal::GateTooLate));
        }
        self.carry_out(job, next, &change, now)?;
        Ok(self.told(job, told::Outcome::Created))
    }

    /// Lets one customer more take part, or one less.
    pub(super) fn customer(
        &mut self,
        job: &JobId,
        user: &UserId,
        takes_part: bool,
        only: Option<&Only>,
        now: Millis,
    ) -> Answered {
        let Some(registration) = &self.registration else { return Ok(Err(JobRefusal::NotRegistered)) };
        let wanted = &registration.wanted;
        let wanted = if takes_part { wanted.with(user) } else { Some(wanted.without(user)) };
        let Some(wanted) = wanted else { return Ok(Err(JobRefusal::TooManyCustomers)) };
        self.change(job, only, now, |registration, past| registration.put(wanted, past, now))
    }

    /// Ends the job. One that has ended stays as it has.
    pub(super) fn close(&mut self, job: &JobId, reason: CloseReason, now: Millis) -> Answered {
        self.sequence.of_job(job)?;
        let Some(registration) = &self.registration else { return Ok(Err(JobRefusal::NotRegistered)) };
        if let Some((next, change)) = registration.close(reason.into(), self.past(), now) {
            self.carry_out(job, next, &change, now)?;
        }
        Ok(self.told(job, told::Outcome::Done))
    }

    /// Ends the job where its time is over. Where it has ended, or has changed, and that is not told yet since the storage has refused it, it
    /// is now.
    pub(super) fn expire(&mut self, now: Millis) -> Result<(), LogError> {
        let (Some(registration), Some(job)) = (&self.registration, self.sequence.job()) else {
            return Ok(());
        };
        match registration.ended {
            Some(ended) if self.sequence.last_n() <= registration.withdrawn => {
                let (job, version) = (job.clone(), registration.version);
                self.vitals.end();
                self.keep_vitals(now)?;
                self.append_event(&job, Event::Closed(ended.reason), version, now)
            }
            None if registration.is_overdue(now) => {
                let job = job.clone();
                let ended = registration.close(EndReason::Expired, self.past(), now);
                ended.map_or(Ok(()), |(next, change)| self.carry_out(&job, next, &change, now))
            }
            None if registration.is_untold(self.sequence.last_n()) => {
                let (job, version) = (job.clone(), registration.version);
                self.tell_change(&job, version, now)
            }
            _ => Ok(()),
        }
    }

    /// What is registered, where the job goes on.
    pub(super) fn open(&self) -> Option<&Registration> {
        self.registration.as_deref().filter(|registration| registration.ended.is_none())
    }

    /// What is registered, as somebody is told it.
    pub(super) fn registered(&mut self, job: &JobId, viewer: &Viewer, now: Millis) -> Answered {
        self.sequence.of_job(job)?;
        let sight = match self.sight(Some(viewer), now) {
            Ok(sight) => sight,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if !matches!(viewer.role, Role::Driver | Role::Customer) {
            self.count_rows()?;
        }
        let Some(registration) = &self.registration else { return Ok(Err(JobRefusal::NotRegistered)) };
        let vitals = (&self.vitals, self.pulse_to(Some(viewer), sight, now));
        let told = Told::to(viewer, job, self.sequence.epoch(), registration, vitals);
        let from = self.told_from(viewer);
        let told =
            Told { last_fix_at: told.last_fix_at.filter(|at| from.is_none_or(|from| from <= *at)), ..told };
        Ok(Ok(JobAnswer::Job(Box::new(match sight {
            Sight::Withheld(withheld) => told.withheld(withheld),
            Sight::All | Sight::Own | Sight::Present { .. } => told,
        }))))
    }

    /// What a token of somebody's may have of the job; whether that is a TokenRequest.
    pub(super) fn admission(
        &mut self,
        job: &JobId,
        viewer: &Viewer,
        token_request: bool,
        now: Millis,
    ) -> Result<Admission, LogError> {
        self.sequence.of_job(job)?;
        let admission = match &self.registration {
            Some(registration) => registration.admission(viewer, now),
            None if viewer.registry_alone => Admission::FOREIGN,
            None => Admission { standing: Standing::Admitted, until: None, not_before: None },
        };
        if token_request && !(viewer.registry_alone && admission.standing == Standing::Foreign) {
            self.token_requests.give(&viewer.user, now);
        }
        Ok(admission)
    }

    /// What somebody may see at `now`.
    pub(super) fn sight(&self, viewer: Option<&Viewer>, now: Millis) -> Result<Sight, JobRefusal> {
        let Some(registration) = &self.registration else {
            let is_foreign = viewer.is_some_and(|viewer| viewer.registry_alone);
            return if is_foreign { Err(JobRefusal::NotAParticipant) } else { Ok(Sight::All) };
        };
        // A build that does not say who asks does not know what may be shown to them.
        let viewer = viewer.ok_or(JobRefusal::NotAParticipant)?;
        registration.sight(viewer, self.sequence.epoch(), now).map_err(|blind| match blind {
            Blind::NotAParticipant => JobRefusal::NotAParticipant,
            Blind::Ended(reason) => JobRefusal::Ended { reason },
        })
    }

    /// The fixes that are within somebody's sight.
    pub(super) fn scope(&self, sight: Sight, viewer: Option<&Viewer>) -> Result<Scope, LogError> {
        let viewer = viewer.filter(|viewer| viewer.role == Role::Driver);
        Ok(match (sight, viewer) {
            (Sight::All, _) => Scope::All,
            (Sight::Own, Some(viewer)) => Scope::Lives(self.log.lives_of(&viewer.user)?),
            (Sight::Own, None) | (Sight::Withheld(_), _) => Scope::Lives(Vec::new()),
            (Sight::Present { after, since }, _) => {
                Scope::Present { epoch: self.sequence.epoch().unwrap_or_default(), after, since }
            }
        })
    }

    /// On which terms a driver's fixes are taken; whether the registry alone lets them in.
    pub(super) fn terms(
        &self,
        driver: &UserId,
        registry_alone: bool,
    ) -> Result<Result<Terms, NotTaken>, LogError> {
        let Some(registration) = &self.registration else {
            let refused = NotTaken::Refused(JobRefusal::NotAParticipant);
            return Ok(if registry_alone { Err(refused) } else { Ok(Terms::default()) });
        };
        let terms = Terms { epoch: Some(self.sequence.epoch().unwrap_or_default()), ..Terms::default() };
        Ok(match registration.takes_from(driver) {
            Takes::Since(at) => Ok(Terms { since: Some(at), ..terms }),
            Takes::Closed => Ok(Terms { is_closed: true, ..terms }),
            Takes::Nothing if self.log.lives_of(driver)?.is_empty() => {
                Err(NotTaken::Refused(JobRefusal::NotAParticipant))
            }
            Takes::Nothing => Err(NotTaken::Reassigned),
        })
    }

    /// The answer to a driver of whom nothing is taken any more.
    pub(super) fn none_taken(
        &self,
        job: JobId,
        epoch: Option<u64>,
        post: &Post,
        why: Rejection,
    ) -> PostAnswer {
        let result = |(index, entry): (usize, &Entry)| {
            let rejection = match entry {
                Entry::Fix(_) => why,
                Entry::Bad(rejection) => *rejection,
            };
            Outcome::rejected(index, rejection)
        };
        let results = post.entries.iter().enumerate().map(result).collect();
        PostAnswer { ok: true, job_id: job, epoch, results }
    }

    /// Notes for whom all that was before them has left by now.
    pub(super) fn follow_outbox(&mut self, now: Millis) -> Result<(), LogError> {
        let sent = self.outbox.position().sent;
        let next = self.registration.as_ref().and_then(|registration| registration.follow(sent, now));
        if let Some(next) = next {
            // Else whoever wakes would send again, to those who have the channel by then, what was confirmed before them.
            self.log.confirm(self.outbox.position())?;
            self.outbox.saved();
            self.log.register(&next)?;
            self.registration = Some(Box::new(next));
        }
        Ok(())
    }

    fn change(
        &mut self,
        job: &JobId,
        only: Option<&Only>,
        now: Millis,
        change: impl FnOnce(&Registration, Past) -> Option<(Registration, Change)>,
    ) -> Answered {
        self.sequence.of_job(job)?;
        let Some(registration) = &self.registration else { return Ok(Err(JobRefusal::NotRegistered)) };
        if registration.ended.is_some() {
            return Ok(Err(JobRefusal::Closed));
        }
        let holds = match only {
            None | Some(Only::Registered) => true,
            Some(Only::Absent) => false,
            Some(Only::Versions(versions)) => versions.contains(&registration.version),
        };
        // What is so already is nobody's conflict.
        match change(registration, self.past()) {
            Some(_) if !holds => return Ok(self.told(job, told::Outcome::OtherVersion)),
            Some((next, _)) if next.is_overdue(now) => return Ok(Err(JobRefusal::EndNeeded)),
            // One that was so before keeps nobody from taking access away.
            Some((next, _)) if next.ends_before_gate() && !registration.ends_before_gate() => {
                return Ok(Err(JobRefusal::GateTooLate));
            }
            Some((next, change)) => self.carry_out(job, next, &change, now)?,
            None => {}
        }
        Ok(self.told(job, told::Outcome::Done))
    }

    /// Writes a change down. The order is by what a failure on the way may leave behind: somebody revoked who is still in, a life that
    /// nobody needed, lists that are told what they know, what users would have been told, or a change of which subscribers are told at the
    /// next turn; and never somebody who is still in unnoticed, a list that is not told, or a user.
    pub(super) fn carry_out(
        &mut self,
        job: &JobId,
        mut next: Registration,
        change: &Change,
        now: Millis,
    ) -> Result<(), LogError> {
        // Before the first life there is no table.
        let is_first_life = self.sequence.job().is_none();
        if !is_first_life {
            self.revoke(change, job, now)?;
        }
        let event = change.event.map(|event| (event, next.version));
        if change.begins {
            let said = event.map(|(event, version)| Said::Life(event, version));
            self.begin_life(job, next.wanted.driver.as_ref(), said, now)?;
        }
        next.changed_after = next.ended.is_none().then_some(self.sequence.last_n());
        let version = next.version;
        let concerned = listed::concerned(self.registration.as_deref(), &next);
        let revoked = if is_first_life { self.revoke(change, job, now) } else { Ok(()) };
        let owed = revoked.and_then(|()| self.list(&concerned, now)).and_then(|()| self.owe_news(&next, now));
        let written = owed.and_then(|owed| self.log.register(&next).map(|()| owed));
        let owed = written.inspect_err(|_| {
            // Whose life has begun did not get the job: in it there is to be nobody else's fix.
            if change.begins {
                self.sequence.end_life();
            }
        })?;
        self.tell_news(owed.as_ref());
        let is_first = self.registration.replace(Box::new(next)).is_none();
        self.alarm.stands_anew();
        if change.begins {
            self.vitals.begin();
        }
        if is_first {
            self.vitals.count_from(self.sequence.last_n());
            if self.sequence.last_n() > 1 {
                // Else whoever wakes counts what was before.
                self.vitals.unkept(true, now);
            }
        }
        if self.registration.as_ref().is_some_and(|registration| registration.ended.is_some()) {
            self.vitals.end();
            // The event that follows is no fix: so its row does not say when the last one was.
            self.keep_vitals(now)?;
            if let Some((event, version)) = event {
                self.append_event(job, event, version, now)?;
            }
            return Ok(());
        }
        self.tell_change(job, version, now)?;
        // A gate whose time is past does not wait for the alarm.
        self.follow_gate(now)
    }

    /// Begins a life of the sequence, with something to tell or with nothing.
    fn begin_life(
        &mut self,
        job: &JobId,
        driver: Option<&UserId>,
        said: Option<Said<'_>>,
        now: Millis,
    ) -> Result<(), LogError> {
        let ts = self.sequence.ts().map_or(now, |ts| ts.max(now));
        let (epoch, n) = (self.sequence.next_epoch(ts), self.sequence.last_n() + 1);
        let at = At { epoch, after_seq: 0, n, ts };
        let content = match said {
            Some(said) => Content::Message(said.ready(job, at)?),
            None => Content::Life,
        };
        let life = Life { job: job.clone(), epoch };
        self.log.begin(&life, n, driver)?;
        let row = Row { n, epoch, seq: 0, ts, pointers: self.sequence.pointers().times(), content };
        let (position, prints) = (self.outbox.position_with(n, now), row.prints());
        self.log.append(&row, &prints, position)?;
        self.sequence = Sequence::Alive(Box::new(Alive::from_last(&self.log, life, &row)?));
        self.index.follow(&prints, n);
        self.outbox.push(row, position);
        self.alarm.posted(now);
        Ok(())
    }

    /// Adds an event to the present life, or begins one with it.
    pub(super) fn append_event(
        &mut self,
        job: &JobId,
        event: Event,
        version: u64,
        now: Millis,
    ) -> Result<(), LogError> {
        self.append_said(job, Said::Life(event, version), now)
    }

    /// The same with whatever is said.
    pub(super) fn append_said(&mut self, job: &JobId, said: Said<'_>, now: Millis) -> Result<(), LogError> {
        let Some(row) = self.said_row(job, said, now)? else {
            let driver = self.registration.as_ref().and_then(|it| it.wanted.driver.clone());
            return self.begin_life(job, driver.as_ref(), Some(said), now);
        };
        let (position, prints) = (self.outbox.position_with(row.n, now), row.prints());
        self.log.append(&row, &prints, position)?;
        if let Sequence::Alive(alive) = &mut self.sequence {
            alive.follow(&row);
        }
        self.index.follow(&prints, row.n);
        self.outbox.push(row, position);
        self.alarm.posted(now);
        Ok(())
    }

    /// The row to be of an event in the present life; nothing where there is none.
    pub(super) fn event_row(
        &self,
        job: &JobId,
        event: Event,
        version: u64,
        now: Millis,
    ) -> Result<Option<Row>, LogError> {
        self.said_row(job, Said::Life(event, version), now)
    }

    fn said_row(&self, job: &JobId, said: Said<'_>, now: Millis) -> Result<Option<Row>, LogError> {
        let Sequence::Alive(alive) = &self.sequence else { return Ok(None) };
        let at = At { epoch: alive.life.epoch, after_seq: alive.seq, n: alive.n + 1, ts: alive.ts.max(now) };
        let content = Content::Message(said.ready(job, at)?);
        let (At { epoch, n, ts, .. }, pointers) = (at, alive.pointers.clone());
        Ok(Some(Row { n, epoch, seq: alive.seq, ts, pointers, content }))
    }

    pub(super) fn past(&self) -> Past {
        let has_fixes = match &self.sequence {
            Sequence::Alive(alive) => alive.seq > 0,
            Sequence::Unborn(before) => before.n > 0,
        };
        let had_fixes = self.registration.as_ref().is_some_and(|registration| registration.had_fixes);
        let (last_n, epoch) = (self.sequence.last_n(), self.sequence.epoch());
        Past { last_n, has_fixes: has_fixes || had_fixes, epoch }
    }

    /// What is registered, as the platform is told it.
    fn told(&self, job: &JobId, outcome: told::Outcome) -> Result<JobAnswer, JobRefusal> {
        let registration = self.registration.as_ref().ok_or(JobRefusal::NotRegistered)?;
        let told = Told::to_platform(job, self.sequence.epoch(), registration);
        Ok(JobAnswer::Changed(Box::new(Changed { outcome, version: registration.version, job: told })))
    }
}
