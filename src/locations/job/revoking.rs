//! How a job sees to it that what was issued to whoever has left is revoked.

use super::{Job, Log, LogError, Millis, Notice};
use crate::ids::JobId;
use crate::jobs::registration::Change;
use crate::jobs::revocation::{Outcome, Revocation};
use crate::locations::log::{REVOKE_TASKS, Task};

/// What is to be revoked still.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    waiting: Vec<(u64, Revocation)>,
    in_flight: Option<u64>,
    last_id: u64,
}

impl Revocations {
    /// Goes on with what was written down.
    pub(super) fn resume(tasks: &[(u64, Task)]) -> Self {
        let revocation = |(id, task): &(u64, Task)| match task {
            Task::Revoke(revocation) => Some((*id, revocation.clone())),
            Task::Publish(_)
            | Task::Report(_)
            | Task::Resend { .. }
            | Task::Forget { .. }
            | Task::List(_)
            | Task::Notify(_) => None,
        };
        let waiting: Vec<_> = tasks.iter().filter_map(revocation).collect();
        let last_id = waiting.iter().map(|(id, _)| *id).max().unwrap_or(REVOKE_TASKS);
        Self { waiting, in_flight: None, last_id }
    }

    /// When one of them is to be looked after, if nothing happens before.
    pub(super) fn due(&self) -> Option<Millis> {
        self.waiting.iter().map(|(_, revocation)| revocation.due).min()
    }

    /// Whether nothing is.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether Ably is being asked.
    pub(super) fn are_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Those that wait for the event that closes a job wait no longer.
    pub(super) fn hasten(&mut self, now: Millis) {
        let fresh = self.waiting.iter_mut().filter(|(_, revocation)| revocation.failures == 0);
        fresh.for_each(|(_, revocation)| revocation.due = revocation.due.min(now));
    }
}

impl<L: Log> Job<L> {
    /// What is to be revoked now. Whoever asks Ably says by [`revoked`](Self::revoked) what has
    /// become of it; until then there is no other.
    ///
    /// # Errors
    /// [`LogError`], where one that has become pointless cannot be forgotten.
    pub fn next_revocation(&mut self, now: Millis) -> Result<Option<Revocation>, LogError> {
        if self.revocations.in_flight.is_some() {
            return Ok(None);
        }
        while let Some(at) = self.revocations.waiting.iter().position(|(_, it)| it.is_pointless(now)) {
            let (id, _) = self.revocations.waiting.remove(at);
            self.log.end_task(id)?;
        }
        let next = self.revocations.waiting.iter().find(|(_, revocation)| revocation.due <= now);
        self.revocations.in_flight = next.map(|(id, _)| *id);
        Ok(next.map(|(_, revocation)| revocation.clone()))
    }

    /// When something is to be revoked, if nothing happens before.
    pub fn revocation_due(&self) -> Option<Millis> {
        self.revocations.due().filter(|_| self.revocations.in_flight.is_none())
    }

    /// Notes what has become of what was on its way; `jitter` is random, from 0 to 1. Where it has failed, Ably is asked again.
    ///
    /// # Errors
    /// [`LogError`], where that cannot be written down: then Ably is asked once more, or sooner, which takes nothing from anybody.
    pub fn revoked(&mut self, outcome: Outcome, now: Millis, jitter: f64) -> Result<(), LogError> {
        let Some(id) = self.revocations.in_flight.take() else { return Ok(()) };
        let Some(at) = self.revocations.waiting.iter().position(|(other, _)| *other == id) else {
            return Ok(());
        };
        match outcome {
            Outcome::Failed(cause) => {
                let Some((_, revocation)) = self.revocations.waiting.get_mut(at) else { return Ok(()) };
                let is_news = revocation.failures == 0;
                revocation.failed(now, jitter);
                let kept = self.log.put_task(id, &Task::Revoke(revocation.clone()));
                if is_news {
                    self.tell(Notice::Unrevoked { cause }, now)?;
                }
                kept
            }
            Outcome::Revoked | Outcome::NotRevocable => {
                self.revocations.waiting.remove(at);
                let ended = self.log.end_task(id);
                if outcome == Outcome::NotRevocable {
                    self.tell(Notice::NotRevocable, now)?;
                }
                ended
            }
        }
    }

    /// Writes down what a change asks to be revoked.
    pub(super) fn revoke(&mut self, change: &Change, job: &JobId, now: Millis) -> Result<(), LogError> {
        for revocation in Revocation::of(change, job, now, &self.token_requests) {
            let id = self.revocations.last_id + 1;
            self.log.put_task(id, &Task::Revoke(revocation.clone()))?;
            self.revocations.last_id = id;
            self.revocations.waiting.push((id, revocation));
        }
        Ok(())
    }
}
