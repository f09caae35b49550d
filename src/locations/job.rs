//! A job's object: the state machine that accepts fixes and publishes them.
//!
//! What it keeps to, whatever fails and whenever it sleeps:
//!
//! - **No gaps.** Within an epoch the seqs of accepted fixes are 1, 2, 3 …, and so are the `n` of all that leaves, from one life to
//!   the next. Neither is given out twice, as long as the last row is kept.
//! - **What commits together.** A post is one row: its fixes, their seqs, the pointers to what is live, what a retry is recognised by,
//!   how far the outbox has come, and, where it leaves at once, that its message ends there. The alarm that finishes what nobody asks
//!   for is armed with it. A message that is given up, and the position after it, are two writes without a pause. What is in memory
//!   follows only what is written.
//! - **What is on disk before what.** Nothing here waits, and the runtime lets nothing out before what was written is durable: so a
//!   seq that was answered, published or shown is on disk; and so is where a message ends, before it leaves. A message that goes out
//!   again is made of the same rows, and has the same bytes. Only what Ably has confirmed may be behind, by what it recognises.
//! - **Acceptance never goes back.** The times of rows never decrease, whatever our clock does.
//! - **`live ≤ n`.** What is live is among what is accepted. Whether a fix is live is decided once, when it is accepted.

use super::Millis;
use super::alarm::Alarm;
use super::dedupe::Index;
use super::event::Updated;
use super::limits::{Bucket, Limits};
use super::log::{Life, Log, LogError, Row, Waking};
use super::outbox::Outbox;
use super::post::Post;
use super::protocol::{Identity, JobAnswer, JobRefusal, JobRequest, NoState, Outcome, PostAnswer, Reply};
use super::sequence::{Alive, Sequence};
use super::trail::{Page, Scope, Wanted};
use crate::ids::JobId;
use crate::jobs::revocation::TokenRequests;
use crate::jobs::vitals::Vitals;
use crate::jobs::{Registration, Sight, Viewer};
use crate::operations::Queue;
use crate::streams::Readers;

mod forgetting;
mod gates;
mod hint;
mod listing;
mod notice;
mod notifying;
mod posting;
mod registered;
mod revoking;
mod sending;
mod streaming;
mod updates;
mod watching;

#[cfg(test)]
pub(in crate::locations) mod tests;

use self::forgetting::Forgotten;
use self::gates::Near;
use self::listing::Listing;
use self::notifying::Notifying;
use self::registered::Answered;
use self::revoking::Revocations;

pub use self::listing::Telling;
pub use self::notice::Notice;
pub use self::notifying::UserNotice;
pub use self::sending::{Need, Publication, Ticket};

/// What a job is to know of itself.
#[derive(Debug, Clone)]
pub struct Settings {
    /// By it operators know the job: the object's id.
    pub reference: String,
    /// Fixes measured longer ago than this are refused.
    pub max_fix_age: Millis,
    /// What it takes.
    pub limits: Limits,
    /// When a registered job ends by itself where nobody says when, after it was registered first.
    pub longest: Millis,
    /// Whether anybody is given a TokenRequest.
    pub token_requests: bool,
    /// So long after its end, or after its last fix where it is not registered, what is kept of a job goes.
    pub retention: Millis,
    /// So long nothing is heard of the driver of a registered job until that is told. Nothing where it never is.
    pub silent_after: Option<Millis>,
    /// Whether there are lists of jobs.
    pub lists: bool,
    /// Whether those who take part in a registered job are told when that changes.
    pub notifies: bool,
}

/// One job: its sequence, what it keeps, and its outbox.
#[derive(Debug)]
pub struct Job<L> {
    log: L,
    settings: Settings,
    sequence: Sequence,
    index: Index,
    bucket: Bucket,
    outbox: Outbox,
    alarm: Alarm,
    /// Whether it is written down why the outbox waits.
    is_trouble_kept: bool,
    notices: Vec<Notice>,
    reports: Queue,
    /// What is registered, where the job is.
    registration: Option<Box<Registration>>,
    /// Nothing is registered any more then.
    forgotten: Option<Forgotten>,
    revocations: Revocations,
    listing: Listing,
    notifying: Notifying,
    token_requests: TokenRequests,
    vitals: Vitals,
    are_signs_untold: bool,
    near: Near,
    readers: Readers,
}

impl<L: Log> Job<L> {
    /// Wakes a job from its log. It reads its last row, and creates nothing.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn wake(mut log: L, settings: Settings) -> Result<Self, LogError> {
        let waking = log.wake()?;
        let sequence = Sequence::wake(&log, &waking)?;
        let outbox = match &waking {
            Waking::Untouched | Waking::Emptied { .. } | Waking::Forgotten { held: None, .. } => {
                Outbox::default()
            }
            Waking::Begun { position, tasks, .. } => Outbox::resume(*position, sequence.last_n(), tasks),
            Waking::Forgotten { held: Some(held), .. } => {
                Outbox::resume(held.position, sequence.last_n(), &held.tasks)
            }
        };
        let is_trouble_kept = outbox.trouble().is_some();
        let (index, bucket, alarm) = (Index::default(), Bucket::of(settings.limits), Alarm::default());
        let forgotten = match &waking {
            Waking::Forgotten { epoch, held } => Some(Forgotten::resume(*epoch, held.as_deref())),
            Waking::Untouched | Waking::Begun { .. } | Waking::Emptied { .. } => None,
        };
        let vitals = match &waking {
            Waking::Begun { life, last, vitals, registration, .. } => {
                let last_fix = last.as_ref().filter(|last| last.epoch == life.epoch);
                let last_fix = last_fix.and_then(|last| last.accepted().map(|fixes| fixes.at(last.ts)));
                let last_n = registration.as_ref().map(|_| sequence.last_n());
                Vitals::resume(vitals.as_deref().cloned(), life.epoch, last_fix, last_n)
            }
            Waking::Untouched | Waking::Emptied { .. } | Waking::Forgotten { .. } => Vitals::default(),
        };
        let (tasks, registration) = match waking {
            Waking::Begun { tasks, registration, .. } => (tasks, registration),
            Waking::Forgotten { held: Some(held), .. } => (held.tasks, None),
            Waking::Untouched | Waking::Emptied { .. } | Waking::Forgotten { held: None, .. } => {
                (Vec::new(), None)
            }
        };
        let (revocations, listing) = (Revocations::resume(&tasks), Listing::resume(&tasks));
        // Of one that is forgotten it is not known any more, and what is kept was true.
        let version = registration.as_ref().map_or(0, |registration| registration.version);
        let version = Some(version).filter(|_| forgotten.is_none());
        let notifying = Notifying::resume(&tasks, version);
        let reports = Queue::resume(tasks.into_iter().filter_map(|(_, task)| task.report()).collect());
        let (notices, token_requests) = (Vec::new(), TokenRequests::new(settings.token_requests));
        let mut job = Self {
            log,
            settings,
            sequence,
            index,
            bucket,
            outbox,
            alarm,
            is_trouble_kept,
            notices,
            reports,
            registration,
            forgotten,
            revocations,
            listing,
            notifying,
            token_requests,
            vitals,
            are_signs_untold: false,
            near: Near::default(),
            readers: Readers::default(),
        };
        job.look_back();
        Ok(job)
    }

    /// Answers a request at `now`, Unix milliseconds.
    ///
    /// # Errors
    /// [`LogError`], when nothing of a post is accepted.
    pub fn handle(&mut self, request: JobRequest, now: Millis) -> Result<Reply<JobAnswer>, LogError> {
        self.follow_time(now)?;
        if let Some(forgotten) = &self.forgotten {
            let answered = self.answer_forgotten(forgotten, request, now)?;
            return Ok(answered.map_or_else(Reply::Refusal, Reply::Answer));
        }
        let answered = match request {
            JobRequest::Post { job, post, registry_alone } => {
                self.post(job, post, registry_alone, now)?.map(JobAnswer::Post)
            }
            JobRequest::State { job, viewer } => self.state(job, viewer.as_ref(), now)?,
            JobRequest::Heartbeat { job, driver, state, registry_alone } => {
                self.heartbeat(job, &driver, state, registry_alone, now)?
            }
            JobRequest::Trail { job, after, limit, names, viewer } => {
                let wanted = Wanted { after, limit, names, scope: Scope::All };
                self.trail(job, wanted, viewer.as_ref(), now)?
            }
            JobRequest::Outbox { job } => Ok(JobAnswer::Outbox(Box::new(self.outbox_seen(job, now)?))),
            JobRequest::Resend { job, range } => self.resend(&job, range)?.map(JobAnswer::Resending),
            JobRequest::Identify => match self.sequence.job() {
                Some(job) => Ok(JobAnswer::Identity(Identity { job_id: job.clone() })),
                None => Err(JobRefusal::Unknown),
            },
            JobRequest::Put { job, wanted, only } => self.put(&job, wanted, only.as_ref(), now)?,
            JobRequest::Customer { job, user, takes_part, only } => {
                self.customer(&job, &user, takes_part, only.as_ref(), now)?
            }
            JobRequest::Job { job, viewer } => self.registered(&job, &viewer, now)?,
            JobRequest::Close { job, reason } => self.close(&job, reason, now)?,
            JobRequest::Forget { job } => self.forget(&job, now)?,
            JobRequest::Update { job, update } => self.announce(&job, &update, now)?,
            JobRequest::Admit { job, viewer, token_request } => {
                Ok(JobAnswer::Admission(self.admission(&job, &viewer, token_request, now)?))
            }
        };
        Ok(answered.map_or_else(Reply::Refusal, Reply::Answer))
    }

    /// Does what has come due, before anything is answered: whoever asks after the job's time was over finds it closed, whenever the alarm
    /// goes off.
    fn follow_time(&mut self, now: Millis) -> Result<(), LogError> {
        self.token_requests.awake(now);
        self.expire(now)?;
        self.watch(now)?;
        self.go_on_forgetting(now)
    }

    fn trail(&self, job: JobId, wanted: Wanted, viewer: Option<&Viewer>, now: Millis) -> Answered {
        self.sequence.of_job(&job)?;
        let sight = match self.sight(viewer, now) {
            Ok(Sight::Withheld(withheld)) => return Ok(Ok(JobAnswer::Withheld(withheld.told(job, now)))),
            Ok(sight) => sight,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let scope = self.scope(sight, viewer)?;
        Ok(Ok(JobAnswer::Trail(match self.sequence.job() {
            Some(_) => {
                let (epoch, sent) = (self.sequence.epoch(), self.outbox.position().sent);
                Page::read(&self.log, job, epoch, sent, &Wanted { scope, ..wanted })?
            }
            // Nothing has begun, so there is no table either.
            None => Page::empty(job),
        })))
    }

    fn state(&self, job: JobId, viewer: Option<&Viewer>, now: Millis) -> Answered {
        let alive = self.sequence.of_job(&job)?;
        let sight = match self.sight(viewer, now) {
            Ok(Sight::Withheld(withheld)) => return Ok(Ok(JobAnswer::Withheld(withheld.told(job, now)))),
            Ok(sight) => sight,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let live = alive.and_then(|alive| Some((alive, alive.live.as_ref()?)));
        let Some((alive, live)) = live.filter(|(_, live)| live.is_within(sight)) else {
            let epoch = self.sequence.epoch();
            let pulse = self.pulse_to(viewer, sight, now);
            return Ok(Ok(JobAnswer::NoState(NoState { job_id: job, epoch, seq: 0, now, pulse })));
        };
        let epoch = alive.life.epoch;
        let updated = Updated::of(&job, epoch, live.seq, &live.fix, live.measured, live.ts);
        Ok(Ok(JobAnswer::State(Box::new(updated.told_at(now, self.pulse_to(viewer, sight, now))))))
    }
}
