//! What is said of a job beside its fixes: the events of its life, and those of the platform's.
//!
//! What it keeps to:
//!
//! - **In order with the fixes.** Each is a row of the log, and leaves in its turn.
//! - **Once.** An event of the platform's is one row, with what its id is recognised by in it: so it is there with its id or not at all,
//!   whatever is refused, and a retry finds it as far back as the log goes.
//! - **Every change of what is registered is told.** The change is written down with the `n` that it comes after; as long as nothing does,
//!   it is to be told, and before anything else is written.

use super::registered::Answered;
use super::{Job, JobAnswer, JobRefusal, Log, LogError, Millis, Sequence};
use crate::ids::JobId;
use crate::jobs::Update;
use crate::jobs::registration::Event;
use crate::jobs::update::{self, Announced, AnnouncedAs, Told};
use crate::locations::dedupe;
use crate::locations::event;
use crate::locations::log::Ready;

/// What a message of a job's says, where it says nothing of fixes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said<'a> {
    /// An event of its life, and the version of what is registered.
    Life(Event, u64),
    /// An event of the platform's.
    Update(&'a Update),
}

/// Where in a job's order something is said.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    /// In which life.
    pub(super) epoch: u64,
    /// The last seq of that before it.
    pub(super) after_seq: u64,
    /// Its place among all that leaves.
    pub(super) n: u64,
    /// When, Unix milliseconds.
    pub(super) ts: Millis,
}

impl Said<'_> {
    /// The message as it is to be sent. By its id Ably recognises a retry: a job's versions count up, and so does `n`; no fix has a letter,
    /// and nothing in it is anybody's to choose.
    pub(super) fn ready(self, job: &JobId, at: At) -> Result<Ready, LogError> {
        let At { epoch, after_seq, n, ts } = at;
        let (name, data) = match self {
            Self::Life(event, version) => (event.name(), event.data(job, epoch, after_seq, version, ts)),
            Self::Update(update) => (update::NAME, update.data(job, epoch, after_seq, ts)),
        };
        let id = match self {
            Self::Life(Event::Assigned | Event::Reassigned | Event::Closed(_), version) => {
                format!("{job}/{epoch}.v{version}")
            }
            Self::Life(Event::Updated | Event::Silent { .. } | Event::Heard { .. } | Event::Arrived, _)
            | Self::Update(_) => format!("{job}/{epoch}.n{n}"),
        };
        let data = data.map_err(|_| LogError::Damaged("an event"))?;
        Ok(Ready { channel: event::channel(job), name: name.to_owned(), id, data })
    }
}

impl<L: Log> Job<L> {
    /// Tells an event of the platform's, or says that it was told.
    pub(super) fn announce(&mut self, job: &JobId, update: &Update, now: Millis) -> Answered {
        self.sequence.of_job(job)?;
        let told = match self.sequence.last_n() {
            0 => None,
            _ => dedupe::told(&mut self.index, &self.log, &update.id)?,
        };
        if let Some(Told { update: before, epoch, after_seq }) = told {
            // Whoever repeats what was told is told so, whatever has become of the job.
            return Ok(if before == *update {
                Ok(announced(job, update, AnnouncedAs::Duplicate, epoch, after_seq))
            } else {
                Err(JobRefusal::IdReused)
            });
        }
        if self.registration.as_ref().is_some_and(|registration| registration.ended.is_some()) {
            return Ok(Err(JobRefusal::Closed));
        }
        if self.room() == 0 {
            return Ok(Err(JobRefusal::TrailFull));
        }
        if self.outbox.waiting() >= self.settings.limits.unsent {
            return Ok(Err(JobRefusal::Backlog));
        }
        if let Err(retry_after) = self.bucket.take(1, now) {
            return Ok(Err(JobRefusal::TooFast { retry_after }));
        }
        self.keep_before_event(now)?;
        if let Sequence::Unborn(_) = self.sequence {
            self.list_anew(now)?;
        }
        self.append_said(job, Said::Update(update), now)?;
        let (epoch, after_seq) = match &self.sequence {
            Sequence::Alive(alive) => (alive.life.epoch, alive.seq),
            Sequence::Unborn(_) => return Err(LogError::Damaged("an event")),
        };
        Ok(Ok(announced(job, update, AnnouncedAs::Accepted, epoch, after_seq)))
    }

    /// Tells that what is registered has changed.
    pub(super) fn tell_change(&mut self, job: &JobId, version: u64, now: Millis) -> Result<(), LogError> {
        self.keep_before_event(now)?;
        self.append_event(job, Event::Updated, version, now)
    }

    /// When subscribers are to be told that what is registered has changed, where the storage has refused that.
    pub(super) fn untold_due(&self, now: Millis) -> Option<Millis> {
        self.open().filter(|registration| registration.is_untold(self.sequence.last_n())).map(|_| now)
    }

    /// The row of an event does not say when the last fix came, and whoever wakes looks at the last row alone: so that is written down
    /// first, where it is nowhere else.
    fn keep_before_event(&mut self, now: Millis) -> Result<(), LogError> {
        if self.vitals.are_in_last_row() { self.keep_vitals(now) } else { Ok(()) }
    }
}

fn announced(job: &JobId, update: &Update, status: AnnouncedAs, epoch: u64, after_seq: u64) -> JobAnswer {
    let (job_id, id) = (job.clone(), update.id.clone());
    JobAnswer::Announced(Announced { ok: true, job_id, id, status, epoch, after_seq })
}
