//! How a job sees to it that the lists in which it is know how it is now.
//!
//! What it keeps to:
//!
//! - **Written down with the change, and before it**: which lists have to be told, as one task. So a change that is kept is told, whatever
//!   fails after it; one that is not kept has lists told once more what they know.
//! - **A list is told how the job is when it is told**, and not how it was when the task was written. `rev` says which is later, whatever
//!   overtakes what.
//! - **Until it is heard**: each list by itself, again and again.

use super::{Job, Log, LogError, Millis};
use crate::ids::UserId;
use crate::index::{Change, Entry, List};
use crate::jobs::listed::Listed;
use crate::locations::log::{LIST_TASK, Task, Untold};
use crate::objects::backoff::{OBJECT, goes_on};

/// So many lists are told at a time.
const AT_ONCE: usize = 6;

/// What lists have yet to be told.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Counts the changes of what is listed: no less than our clock, so that it counts on also where what was written down is lost.
    pub(super) rev: u64,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    list: List,
    due: Millis,
    failures: u32,
    /// With which `rev` it is being told.
    in_flight: Option<u64>,
}

impl Waiting {
    fn is_due(&self, now: Millis) -> bool {
        self.in_flight.is_none() && !goes_on(self.due, now)
    }
}

/// What a list is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// Which.
    pub list: List,
    /// How the job is now.
    pub change: Change,
}

impl Listing {
    /// Goes on with what was written down. Each list may know it.
    pub(super) fn resume(tasks: &[(u64, Task)]) -> Self {
        let untold = tasks.iter().find_map(|(_, task)| match task {
            Task::List(untold) => Some(untold.clone()),
            Task::Publish(_)
            | Task::Report(_)
            | Task::Resend { .. }
            | Task::Revoke(_)
            | Task::Forget { .. }
            | Task::Notify(_) => None,
        });
        let Some(Untold { rev, lists, due, failures }) = untold else { return Self::default() };
        let waiting = |list| Waiting { list, due, failures, in_flight: None };
        Self { rev, waiting: lists.into_iter().map(waiting).collect() }
    }

    /// When one of them is to be looked after, if nothing happens before.
    pub(super) fn due(&self) -> Option<Millis> {
        self.waiting.iter().map(|waiting| waiting.due).min()
    }

    /// Whether all know.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether one is being told.
    pub(super) fn is_in_flight(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.in_flight.is_some())
    }

    fn untold(&self) -> Untold {
        Untold {
            rev: self.rev,
            lists: self.waiting.iter().map(|waiting| waiting.list.clone()).collect(),
            due: self.due().unwrap_or_default(),
            failures: self.waiting.iter().map(|waiting| waiting.failures).max().unwrap_or_default(),
        }
    }

    /// The list that is being told this, which it is not any more.
    fn landed(&mut self, list: &List, rev: u64) -> Option<&mut Waiting> {
        let waiting = self.waiting.iter_mut().find(|waiting| waiting.list == *list)?;
        waiting.in_flight.take_if(|sent| *sent == rev).and(Some(waiting))
    }
}

impl<L: Log> Job<L> {
    /// What lists are to be told now. Whoever tells them says by [`listed`](Self::listed) or [`not_listed`](Self::not_listed) what has
    /// become of each; until then there is no other for the same list.
    ///
    /// # Errors
    /// [`LogError::Damaged`], where what is to be told cannot be written as JSON; with these types that does not happen.
    pub fn next_tellings(&mut self, now: Millis) -> Result<Vec<Telling>, LogError> {
        let in_flight = self.listing.waiting.iter().filter(|waiting| waiting.in_flight.is_some()).count();
        let (Some(job), true) = (self.sequence.job().cloned(), self.settings.lists) else {
            return Ok(Vec::new());
        };
        let due = self.listing.waiting.iter().enumerate().filter(|(_, waiting)| waiting.is_due(now));
        let due: Vec<(usize, List)> = due.map(|(at, waiting)| (at, waiting.list.clone())).collect();
        let (rev, mut tellings) = (self.listing.rev, Vec::new());
        for (at, list) in due.into_iter().take(AT_ONCE.saturating_sub(in_flight)) {
            let entry = self.entry(&list).map_err(|_| LogError::Damaged("what is listed"))?;
            if let Some(waiting) = self.listing.waiting.get_mut(at) {
                waiting.in_flight = Some(rev);
            }
            tellings.push(Telling { list, change: Change { job: job.clone(), rev, entry } });
        }
        Ok(tellings)
    }

    /// When a list is to be told, if nothing happens before.
    pub fn telling_due(&self, now: Millis) -> Option<Millis> {
        let later = |waiting: &&Waiting| waiting.in_flight.is_none() && !waiting.is_due(now);
        self.listing.waiting.iter().filter(later).map(|waiting| waiting.due).min()
    }

    /// Notes that a list knows how the job was at this `rev`.
    ///
    /// # Errors
    /// [`LogError`], where that cannot be written down: then it is told once more, at no harm.
    pub fn listed(&mut self, list: &List, rev: u64, now: Millis) -> Result<(), LogError> {
        if self.listing.landed(list, rev).is_none() {
            return Ok(());
        }
        if rev == self.listing.rev {
            self.listing.waiting.retain(|waiting| waiting.list != *list);
        }
        self.keep_listing(now)
    }

    /// Notes that a list may not know: it is told again. `jitter` is random, from 0 to 1. Says whether that is worth a line, since it went
    /// well before.
    ///
    /// # Errors
    /// [`LogError`], where that cannot be written down: then it is told sooner, at no harm.
    pub fn not_listed(&mut self, list: &List, rev: u64, now: Millis, jitter: f64) -> Result<bool, LogError> {
        let is_latest = rev == self.listing.rev;
        let Some(waiting) = self.listing.landed(list, rev) else { return Ok(false) };
        let is_news = waiting.failures == 0;
        // What has changed since is told at once.
        if is_latest {
            waiting.due = now + OBJECT.delay(waiting.failures, jitter);
        }
        waiting.failures = waiting.failures.saturating_add(1);
        self.keep_listing(now).map(|()| is_news)
    }

    /// Has the list of open jobs told how the job is now. To be called before what is listed of it changes in any other way than that
    /// somebody takes part, or does not any more.
    pub(super) fn list_anew(&mut self, now: Millis) -> Result<(), LogError> {
        if self.open().is_some() { self.list(&[], now) } else { Ok(()) }
    }

    /// Has the list of open jobs, and those of these users, told how the job is once what follows has changed it. A life has begun by
    /// then, and there are tables.
    pub(super) fn list(&mut self, users: &[UserId], now: Millis) -> Result<(), LogError> {
        if !self.settings.lists {
            return Ok(());
        }
        let clock = u64::try_from(now).unwrap_or_default();
        let rev = (self.listing.rev + 1).max(clock);
        let changed = [List::Open].into_iter().chain(users.iter().cloned().map(List::Of));
        let (changed, mut untold) = (changed.collect::<Vec<_>>(), self.listing.untold());
        let lists = &mut untold.lists;
        let new: Vec<List> = changed.iter().filter(|list| !lists.contains(list)).cloned().collect();
        lists.extend(new.iter().cloned());
        self.log.put_task(LIST_TASK, &Task::List(Untold { rev, due: now, ..untold }))?;
        self.listing.rev = rev;
        let waiting = &mut self.listing.waiting;
        waiting.extend(new.into_iter().map(|list| Waiting { list, due: now, failures: 0, in_flight: None }));
        waiting.iter_mut().filter(|it| changed.contains(&it.list)).for_each(|it| it.due = now);
        Ok(())
    }

    /// What is listed of the job; nothing where it is not.
    fn entry(&self, list: &List) -> serde_json::Result<Option<Entry>> {
        let (Some(registration), Some(job)) = (self.open(), self.sequence.job()) else { return Ok(None) };
        let told = match list {
            List::Open => serde_json::to_string(&Listed::of(
                job,
                self.sequence.epoch(),
                registration,
                self.vitals.signs(),
            ))?,
            List::Of(user) if registration.participants().any(|it| it == user) => serde_json::to_string(job)?,
            List::Of(_) => return Ok(None),
        };
        let dispatch_id = registration.wanted.dispatch_id.clone().filter(|_| *list == List::Open);
        Ok(Some(Entry { ends_at: registration.ends_at(), dispatch_id, told }))
    }

    /// Writes down which lists know, once none is being told and none is to be: so it is one row, however many there are.
    fn keep_listing(&mut self, now: Millis) -> Result<(), LogError> {
        if self.listing.is_in_flight() || self.listing.waiting.iter().any(|waiting| waiting.is_due(now)) {
            return Ok(());
        }
        match self.listing.is_empty() && self.open().is_none() {
            true => self.log.end_task(LIST_TASK),
            false => self.log.put_task(LIST_TASK, &Task::List(self.listing.untold())),
        }
    }
}
