//! How a job sees to it that whoever takes part in it is told when that changes.
//!
//! What it keeps to:
//!
//! - **Written down with the change, and before it**, as one task a change that has the version which the job gets by it. So a change that
//!   is kept is told, whatever fails after it. A task whose version the job never got tells nobody: the change that gets it takes the
//!   task's place, or takes it away.
//! - **Until the user's inbox has it**, again and again, and it knows by the id what it has: so each is told once.
//! - **In order for each user**: nobody is told of a change before what came before it has arrived. Nobody waits for anybody else.

use super::{Job, Log, LogError, Millis};
use crate::ids::UserId;
use crate::inbox::{Request, Taken};
use crate::jobs::news::{self, News};
use crate::jobs::registration::Registration;
use crate::locations::log::{NOTIFY_TASKS, Task, Unnotified};
use crate::objects::backoff::{OBJECT, goes_on};

/// So many inboxes are told at a time.
const AT_ONCE: usize = 6;

/// What users have yet to be told.
#[derive(Debug, Default)]
pub(super) struct Notifying {
    /// In the order of their versions, and so for each user in the order of what happened.
    waiting: Vec<Waiting>,
    /// The version of a task that may be written down, though the job has not got it.
    pub(super) untrue: Option<u64>,
}

#[derive(Debug)]
struct Waiting {
    version: u64,
    user: UserId,
    news: News,
    due: Millis,
    failures: u32,
    is_in_flight: bool,
}

impl Waiting {
    fn is_due(&self, now: Millis) -> bool {
        !self.is_in_flight && !goes_on(self.due, now)
    }
}

/// What a user is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserNotice {
    version: u64,
    news: News,
    /// As their inbox is asked.
    pub request: Request,
}

impl Notifying {
    /// Goes on with what was written down, in a job of this version, where that is still known. Each inbox may have it.
    pub(super) fn resume(tasks: &[(u64, Task)], version: Option<u64>) -> Self {
        let mut notifying = Self::default();
        for (_, task) in tasks {
            match task {
                Task::Notify(unnotified) if version.is_some_and(|version| version < unnotified.version) => {
                    notifying.untrue = Some(unnotified.version);
                }
                Task::Notify(unnotified) => notifying.add(unnotified),
                Task::Publish(_)
                | Task::Report(_)
                | Task::Resend { .. }
                | Task::Revoke(_)
                | Task::Forget { .. }
                | Task::List(_) => {}
            }
        }
        notifying
    }

    fn add(&mut self, Unnotified { version, news, due, failures }: &Unnotified) {
        let waiting = |(user, news): &(UserId, News)| Waiting {
            version: *version,
            user: user.clone(),
            news: *news,
            due: *due,
            failures: *failures,
            is_in_flight: false,
        };
        self.waiting.extend(news.iter().map(waiting));
    }

    /// When somebody is to be told, if nothing happens before.
    pub(super) fn due(&self) -> Option<Millis> {
        self.first_of_each().map(|(_, waiting)| waiting.due).min()
    }

    /// Whether all know.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether one is being told.
    pub(super) fn is_in_flight(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.is_in_flight)
    }

    /// Of each user what they are to hear first, with its place.
    fn first_of_each(&self) -> impl Iterator<Item = (usize, &Waiting)> {
        let is_first = |(at, waiting): &(usize, &Waiting)| {
            self.waiting.iter().position(|other| other.user == waiting.user) == Some(*at)
        };
        self.waiting.iter().enumerate().filter(is_first)
    }

    /// What of a change is to be told still.
    fn untold(&self, version: u64) -> Option<Unnotified> {
        let rest = || self.waiting.iter().filter(|waiting| waiting.version == version);
        Some(Unnotified {
            version,
            news: rest().map(|waiting| (waiting.user.clone(), waiting.news)).collect(),
            due: rest().map(|waiting| waiting.due).min()?,
            failures: rest().map(|waiting| waiting.failures).max()?,
        })
    }
}

impl<L: Log> Job<L> {
    /// What users are to be told now. Whoever tells their inboxes says by [`notified`](Self::notified) what has become of each; until then
    /// there is no other for the same user.
    ///
    /// # Errors
    /// [`LogError::Damaged`], where one cannot be made; with these types that does not happen.
    pub fn next_notifications(&mut self, now: Millis) -> Result<Vec<UserNotice>, LogError> {
        let in_flight = self.notifying.waiting.iter().filter(|waiting| waiting.is_in_flight).count();
        let (Some(job), true) = (self.sequence.job(), self.settings.notifies) else {
            return Ok(Vec::new());
        };
        let due = self.notifying.first_of_each().filter(|(_, waiting)| waiting.is_due(now));
        let due: Vec<usize> = due.map(|(at, _)| at).take(AT_ONCE.saturating_sub(in_flight)).collect();
        let mut notices = Vec::new();
        for at in due {
            let Some(waiting) = self.notifying.waiting.get_mut(at) else { continue };
            let Waiting { version, news, .. } = *waiting;
            let notification = news.notification(job, version);
            let notification = notification.map_err(|_| LogError::Damaged("a notification"))?;
            waiting.is_in_flight = true;
            let request = Request { user: waiting.user.clone(), notification };
            notices.push(UserNotice { version, news, request });
        }
        Ok(notices)
    }

    /// When a user is to be told, if nothing happens before.
    pub fn notifying_due(&self, now: Millis) -> Option<Millis> {
        let first = self.notifying.first_of_each().map(|(_, waiting)| waiting);
        first.filter(|it| !it.is_in_flight && !it.is_due(now)).map(|it| it.due).min()
    }

    /// Notes what an inbox says to what it was told, or that it says nothing: then, and while it is full, it is told again. `jitter` is
    /// random, from 0 to 1. Says whether that is worth a line, since it went well before.
    ///
    /// # Errors
    /// [`LogError`], where it cannot be written down: then the inbox is told once more, or sooner, at no harm.
    pub fn notified(
        &mut self,
        notice: &UserNotice,
        taken: Option<Taken>,
        now: Millis,
        jitter: f64,
    ) -> Result<bool, LogError> {
        let UserNotice { version, news, request } = notice;
        let is_it = |it: &Waiting| {
            it.is_in_flight && (it.version, it.news) == (*version, *news) && it.user == request.user
        };
        let Some(at) = self.notifying.waiting.iter().position(is_it) else { return Ok(false) };
        let told = self.notifying.waiting.remove(at);
        let again = Waiting {
            due: now + OBJECT.delay(told.failures, jitter),
            failures: told.failures.saturating_add(1),
            is_in_flight: false,
            ..told
        };
        let is_news = told.failures == 0;
        match taken {
            // One that says something else under an id of ours is none that could be mended.
            Some(Taken::Accepted | Taken::Duplicate | Taken::IdReused) => {
                let kept = self.keep_untold(*version, now);
                // Else whoever wakes would tell it, however much later.
                if kept.is_err() {
                    self.notifying.waiting.insert(at, again);
                }
                kept.map(|()| false)
            }
            Some(Taken::Backlog) | None => {
                self.notifying.waiting.insert(at, again);
                self.keep_untold(*version, now).map(|()| is_news)
            }
        }
    }

    /// Writes down what a change that is to follow tells users, where it gives the job this version. A life has begun by then, and there are
    /// tables.
    pub(super) fn owe_news(
        &mut self,
        next: &Registration,
        now: Millis,
    ) -> Result<Option<Unnotified>, LogError> {
        if !self.settings.notifies {
            return Ok(None);
        }
        let version = next.version;
        let news = news::of_change(self.registration.as_deref(), next);
        let unnotified = Unnotified { version, news, due: now, failures: 0 };
        if !unnotified.news.is_empty() {
            self.notifying.untrue = Some(version);
            self.log.put_task(NOTIFY_TASKS + version, &Task::Notify(unnotified.clone()))?;
            return Ok(Some(unnotified));
        }
        self.take_back_news()?;
        Ok(None)
    }

    /// Takes away what would be told of a change that never was.
    pub(super) fn take_back_news(&mut self) -> Result<(), LogError> {
        if let Some(version) = self.notifying.untrue {
            self.log.end_task(NOTIFY_TASKS + version)?;
            self.notifying.untrue = None;
        }
        Ok(())
    }

    /// Notes that the change has followed.
    pub(super) fn tell_news(&mut self, unnotified: Option<&Unnotified>) {
        if let Some(unnotified) = unnotified {
            self.notifying.untrue = None;
            self.notifying.add(unnotified);
        }
    }

    /// Writes down who knows of a change, once nobody is being told of it and nobody is to be: so it is one row, however many there are.
    fn keep_untold(&mut self, version: u64, now: Millis) -> Result<(), LogError> {
        let mut first = self.notifying.first_of_each().filter(|(_, it)| it.version == version);
        if first.any(|(_, it)| it.is_in_flight || it.is_due(now)) {
            return Ok(());
        }
        match self.notifying.untold(version) {
            Some(unnotified) => self.log.put_task(NOTIFY_TASKS + version, &Task::Notify(unnotified)),
            None => self.log.end_task(NOTIFY_TASKS + version),
        }
    }
}
