//! What is kept beside the log: what has not reached Ably, why, and what must still be done.

use crate::ids::UserId;
use crate::index::List;
use crate::jobs::news::News;
use crate::jobs::revocation::Revocation;
use crate::objects::{Cause, Millis};
use crate::operations::queue::Queued;

/// A message that Ably refuses for good, so that what it stands for has not reached subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The first `n` that it stands for.
    pub first_n: u64,
    /// The last.
    pub last_n: u64,
    /// When it was given up, Unix milliseconds.
    pub ts: Millis,
    /// Why.
    pub cause: Cause,
}

/// What must still be done, and is written down beside the log. Each kind has ids of its own: 0 for the one of the outbox, from 1
/// on for reports, as many as one of a kind, from [`RESEND_TASKS`] on for what is sent again, from [`REVOKE_TASKS`] on, [`FORGET_TASK`], [`LIST_TASK`], and from [`NOTIFY_TASKS`] on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Publish again, and no sooner.
    Publish(Trouble),
    /// Report to operators.
    Report(Queued),
    /// Send once more what was set aside.
    Resend {
        /// The first `n` that it stands for.
        first_n: u64,
        /// The last.
        last_n: u64,
    },
    /// Revoke what was issued to whoever has left.
    Revoke(Revocation),
    /// Forget all that is kept of the job, whatever has left by then.
    Forget {
        /// When, Unix milliseconds.
        by: Millis,
    },
    /// Tell lists how the job is now.
    List(Untold),
    /// Tell users of a change.
    Notify(Unnotified),
}

impl Task {
    /// The report that it is, if it is one.
    pub fn report(self) -> Option<Queued> {
        match self {
            Self::Report(queued) => Some(queued),
            Self::Publish(_)
            | Self::Resend { .. }
            | Self::Revoke(_)
            | Self::Forget { .. }
            | Self::List(_)
            | Self::Notify(_) => None,
        }
    }
}

/// The task that is [`Task::Publish`].
pub const PUBLISH_TASK: u64 = 0;

/// The id of a [`Task::Resend`] is this and its first `n`.
pub const RESEND_TASKS: u64 = 1 << 40;

/// The ids of [`Task::Revoke`] count from here on.
pub const REVOKE_TASKS: u64 = 1 << 41;

/// The task that is [`Task::Forget`].
pub const FORGET_TASK: u64 = 1 << 42;

/// The task that is [`Task::List`].
pub const LIST_TASK: u64 = FORGET_TASK + 1;

/// The id of a [`Task::Notify`] is this and the version of the job.
pub const NOTIFY_TASKS: u64 = 1 << 43;

/// Who has yet to be told of a change of the job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unnotified {
    /// The job's version by that change.
    pub version: u64,
    /// Whose inboxes have not said that they have it, and what they are told; of each user in the order in which they are.
    pub news: Vec<(UserId, News)>,
    /// When they are told next, Unix milliseconds.
    pub due: Millis,
    /// How often that was in vain.
    pub failures: u32,
}

/// Which lists have yet to be told how the job is. It stays when none has, as long as the job goes on: by it `rev` counts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// Counts the changes of what is listed, from 1.
    pub rev: u64,
    /// Which have not said that they know.
    pub lists: Vec<List>,
    /// When they are told next, Unix milliseconds.
    pub due: Millis,
    /// How often that was in vain.
    pub failures: u32,
}

/// Why the outbox waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Why the last publish has failed.
    pub cause: Cause,
    /// When the next one may leave, Unix milliseconds.
    pub until: Millis,
    /// How many have failed in a row.
    pub failures: u32,
    /// How often the message in front was held for a reason that nobody knows.
    pub held: u32,
    /// Since when nothing has left, Unix milliseconds.
    pub since: Millis,
    /// Whether operators were told.
    pub is_told: bool,
}
