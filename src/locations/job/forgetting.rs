//! How a job is forgotten: by its time, or because the platform says so.
//!
//! What it keeps to:
//!
//! - **Written down first.** From the moment at which a job is to be forgotten it is closed for ever, and nothing of it is shown, whatever of
//!   the rest fails; and each turn goes on with what was begun, which the alarm sees to.
//! - **Two steps.** At once goes all but what still has to leave: the event that closes the job, what is to be revoked, and which lists and users are to be told. That goes once
//!   it has left, or when its time is over. A tombstone stays: the state, and the epoch, so that none comes twice.
//! - **A job that claims alone decide on is not closed by time.** Its trail goes, and the next fix begins an epoch.

use super::registered::Answered;
use super::{
    Index, Job, JobAnswer, JobRefusal, JobRequest, Listing, Log, LogError, Millis, Notifying, Outbox, Queue,
    Revocations, Row, Sequence, Viewer,
};
use crate::ids::JobId;
use crate::jobs::registration::{Change, EndReason, Event};
use crate::jobs::vitals::Vitals;
use crate::jobs::{Admission, Standing};
use crate::locations::fix::Rejection;
use crate::locations::log::{Content, Forgetting, Held, Pointers, Task};
use crate::locations::protocol::{Forgotten as Told, Heard, HeardAs};
use crate::sessions::Role;

/// So long what is needed for a revocation is kept after the job is forgotten: then nothing lives any more that could be revoked.
const HELD_MAX: Millis = 3_600_000;

/// Why a job has ended that is forgotten before that.
const REASON: EndReason = EndReason::Cancelled;

/// A job that is forgotten.
#[derive(Debug)]
pub(super) struct Forgotten {
    /// The epoch of its last life.
    epoch: u64,
    /// When, as far as that is still known: what was issued before is revoked. Unix milliseconds.
    at: Option<Millis>,
    /// What is still kept, if anything is.
    held: Option<Holding>,
}

/// What is still kept of a job that is forgotten.
#[derive(Debug)]
struct Holding {
    /// How it begins.
    forgetting: Forgetting,
    /// Whether all else has gone.
    is_stripped: bool,
}

impl Forgotten {
    /// Goes on with what was found.
    pub(super) fn resume(epoch: u64, held: Option<&Held>) -> Self {
        let Some(Held { last, position, tasks, .. }) = held else {
            return Self { epoch, at: None, held: None };
        };
        let by = tasks.iter().find_map(|(_, task)| match task {
            Task::Forget { by } => Some(*by),
            Task::Publish(_)
            | Task::Report(_)
            | Task::Resend { .. }
            | Task::Revoke(_)
            | Task::List(_)
            | Task::Notify(_) => None,
        });
        // What Ably has confirmed does not leave again, and what is no event never does.
        let last = last.as_deref().filter(|last| last.n > position.sent && is_event(last)).cloned();
        // Where it is not known until when, it is over.
        let forgetting = Forgetting { by: by.unwrap_or_default(), sent: position.sent, last };
        let at = by.map(|by| by - HELD_MAX);
        Self { epoch, at, held: Some(Holding { forgetting, is_stripped: false }) }
    }

    /// Nothing up to this `n` leaves any more.
    pub(super) fn withdrawn(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.forgetting.sent)
    }
}

fn is_event(row: &Row) -> bool {
    matches!(row.content, Content::Message(_))
}

impl<L: Log> Job<L> {
    /// Forgets the job, because the platform says so. One that has not ended is cancelled.
    pub(super) fn forget(&mut self, job: &JobId, now: Millis) -> Answered {
        self.sequence.of_job(job)?;
        if self.sequence.job().is_none() {
            return Ok(Err(JobRefusal::NotRegistered));
        }
        // Closed first, as if that were all: whatever fails afterwards, it is.
        let ended = self.registration.as_ref().and_then(|it| it.close(REASON, self.past(), now));
        if let Some((next, change)) = ended {
            self.carry_out(job, next, &change, now)?;
        }
        self.take_back_news()?;
        let (sent, last) = match &self.registration {
            Some(registration) => {
                let last =
                    self.log.rows_after(self.sequence.last_n().saturating_sub(1), 1)?.into_iter().next();
                let sent = registration.withdrawn.max(self.outbox.position().sent);
                (sent, last.filter(|last| last.n > sent && is_event(last)))
            }
            // To whom claims have given it nobody knows.
            None => {
                self.revoke(&Change::of_end(REASON, Vec::new()), job, now)?;
                let last = self.event_row(job, Event::Closed(REASON), 1, now)?;
                if let Some(last) = &last {
                    self.outbox.push(last.clone(), self.outbox.position());
                }
                (self.sequence.last_n(), last)
            }
        };
        self.begin_to_forget(Forgetting { by: now + HELD_MAX, sent, last }, now);
        self.go_on_forgetting(now)?;
        Ok(Ok(JobAnswer::Forgotten(Told { ok: true })))
    }

    /// Forgets what has had its time, and goes on with what was begun.
    pub(super) fn go_on_forgetting(&mut self, now: Millis) -> Result<(), LogError> {
        let is_over = |until: Option<Millis>| until.is_some_and(|until| until <= now);
        if is_over(self.retained_until()) && !self.is_away() {
            if self.registration.is_none() {
                return self.clear();
            }
            let sent = self.sequence.last_n();
            self.begin_to_forget(Forgetting { by: now, sent, last: None }, now);
        }
        if let Some(held) = self.forgotten.as_mut().and_then(|forgotten| forgotten.held.as_mut())
            && !held.is_stripped
        {
            self.log.forget(&held.forgetting)?;
            held.is_stripped = true;
        }
        if is_over(self.holds_until()) && !self.is_away() { self.clear() } else { Ok(()) }
    }

    /// From here on the job is forgotten to whoever asks.
    fn begin_to_forget(&mut self, forgetting: Forgetting, now: Millis) {
        let Some(epoch) = self.sequence.last_epoch() else { return };
        let last = forgetting.last.map(|last| Row { pointers: Pointers::default(), ..last });
        let last_n = last.as_ref().map_or(self.sequence.last_n(), |last| last.n);
        self.sequence = Sequence::over(self.sequence.job().cloned(), epoch, last_n);
        self.registration = None;
        self.vitals = Vitals::default();
        self.index = Index::default();
        self.reports = Queue::default();
        let forgetting = Forgetting { last, ..forgetting };
        self.forgotten =
            Some(Forgotten { epoch, at: Some(now), held: Some(Holding { forgetting, is_stripped: false }) });
    }

    /// Keeps nothing any more but the epoch, and whether the job is closed for ever.
    fn clear(&mut self) -> Result<(), LogError> {
        self.log.clear()?;
        self.readers.rewind();
        if let Some(epoch) = self.sequence.last_epoch() {
            self.sequence = Sequence::over(None, epoch, 0);
        }
        self.index = Index::default();
        self.outbox = Outbox::default();
        self.is_trouble_kept = false;
        self.reports = Queue::default();
        self.revocations = Revocations::resume(&[]);
        self.vitals = Vitals::default();
        self.listing = Listing::default();
        self.notifying = Notifying::default();
        if let Some(forgotten) = &mut self.forgotten {
            forgotten.held = None;
        }
        Ok(())
    }

    /// Whether anything is on its way: it names the job, and whoever sends it comes back with what has become of it.
    fn is_away(&self) -> bool {
        self.outbox.is_in_flight()
            || self.revocations.are_in_flight()
            || self.listing.is_in_flight()
            || self.notifying.is_in_flight()
            || self.reports.in_flight().is_some()
    }

    /// Until when what is still kept of a job that is forgotten stays: nothing where nothing is, and a time that is past where nothing
    /// holds it any more.
    pub(super) fn holds_until(&self) -> Option<Millis> {
        let Holding { forgetting, is_stripped } = self.forgotten.as_ref()?.held.as_ref()?;
        let is_out = self.outbox.waiting() == 0
            && self.revocations.is_empty()
            && self.listing.is_empty()
            && self.notifying.is_empty()
            && self.reports.is_empty();
        Some(if is_out || !is_stripped { Millis::MIN } else { forgetting.by })
    }

    /// When the trail has had its time: nothing as long as the job is registered and goes on.
    pub(super) fn retained_until(&self) -> Option<Millis> {
        // Of a job without a name nothing is kept, or all of it goes already.
        self.sequence.job().filter(|_| self.forgotten.is_none())?;
        let last = match &self.registration {
            Some(registration) => registration.ended?.at,
            // Where no row says when the last fix came, it was not before its life began.
            None => self.sequence.ts().unwrap_or_else(|| {
                self.sequence.last_epoch().map_or(0, |epoch| epoch.saturating_mul(1_000) as Millis)
            }),
        };
        Some(last.saturating_add(self.settings.retention))
    }

    /// The closing event of a job that is forgotten, as long as it is kept.
    pub(super) fn kept_event(&self) -> Option<&Row> {
        self.forgotten.as_ref()?.held.as_ref()?.forgetting.last.as_ref()
    }

    /// Answers what is asked of a job that is forgotten. Nobody knows any more who took part in it: so where no claim speaks for whoever
    /// asks, it is a job like any that they know nothing of.
    pub(super) fn answer_forgotten(
        &self,
        forgotten: &Forgotten,
        request: JobRequest,
        now: Millis,
    ) -> Answered {
        Ok(match request {
            JobRequest::Post { registry_alone: true, .. } => Err(JobRefusal::NotAParticipant),
            JobRequest::Post { job, post, .. } => Ok(JobAnswer::Post(self.none_taken(
                job,
                Some(forgotten.epoch),
                &post,
                Rejection::job_closed(),
            ))),
            JobRequest::State { viewer, .. } | JobRequest::Trail { viewer, .. } => {
                Err(hidden(viewer.as_ref()))
            }
            JobRequest::Heartbeat { registry_alone: true, .. } => Err(JobRefusal::NotAParticipant),
            JobRequest::Heartbeat { job, .. } => {
                Ok(JobAnswer::Heard(Heard { ok: true, job_id: job, status: HeardAs::JobClosed }))
            }
            JobRequest::Job { viewer, .. } => Err(hidden(Some(&viewer))),
            JobRequest::Outbox { job } => Ok(JobAnswer::Outbox(Box::new(self.outbox_seen(job, now)?))),
            JobRequest::Resend { .. } => Err(JobRefusal::NotSetAside),
            JobRequest::Identify => Err(JobRefusal::Unknown),
            JobRequest::Put { .. } | JobRequest::Customer { .. } | JobRequest::Update { .. } => {
                Err(JobRefusal::Closed)
            }
            JobRequest::Close { .. } => Err(JobRefusal::Forgotten),
            JobRequest::Forget { .. } => Ok(JobAnswer::Forgotten(Told { ok: true })),
            JobRequest::Admit { viewer: Viewer { registry_alone: true, .. }, .. } => {
                let refused = Admission::refused(forgotten.at, now);
                Ok(JobAnswer::Admission(Admission { standing: Standing::Foreign, ..refused }))
            }
            JobRequest::Admit { .. } => Ok(JobAnswer::Admission(Admission::refused(forgotten.at, now))),
        })
    }
}

/// What whoever would read is told of a job that is forgotten.
pub(super) fn hidden(viewer: Option<&Viewer>) -> JobRefusal {
    match viewer {
        Some(Viewer { registry_alone: true, .. }) => JobRefusal::NotAParticipant,
        Some(Viewer { role: Role::Dispatcher | Role::Admin | Role::Service, .. }) => JobRefusal::Forgotten,
        Some(Viewer { role: Role::Driver | Role::Customer, .. }) | None => JobRefusal::Closed,
    }
}
