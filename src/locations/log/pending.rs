//! What is kept beside the log: what has not reached Ably, why, and what must still be done.

use ably::rest::{ErrorClass, PublishError};
use serde::{Deserialize, Serialize};

use crate::locations::Millis;

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

/// Why Ably has not taken a message: as much of its answer as names neither channel nor job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What is to blame.
    pub class: Class,
    /// Ably's own code.
    pub code: Option<u32>,
    /// The HTTP status.
    pub status: Option<u16>,
}

/// What is to blame for a message that has not reached Ably.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The message.
    Message,
    /// Key, token, app or account.
    Access,
    /// Too much at once.
    Throttled,
    /// Nothing that is known: the network, or Ably itself.
    Transient,
    /// A refusal that the contract does not name.
    Unknown,
    /// What is kept cannot be read.
    Damaged,
}

impl Cause {
    /// What is kept cannot be read.
    pub const DAMAGED: Self = Self { class: Class::Damaged, code: None, status: None };

    /// The cause of an error.
    pub fn of(error: &PublishError) -> Self {
        let class = match error.class {
            ErrorClass::BlamesMessage => Class::Message,
            ErrorClass::BlamesAccess => Class::Access,
            ErrorClass::Throttled { .. } => Class::Throttled,
            ErrorClass::Transient { .. } => Class::Transient,
            ErrorClass::Unknown => Class::Unknown,
        };
        Self { class, code: error.code, status: error.status }
    }

    /// Whether this is news where the publish before has failed for that: what passes by itself is all one.
    pub fn is_other_trouble(self, now: Self) -> bool {
        self.holds() != now.holds() || (self.holds() && self.class != now.class)
    }

    /// Whether it holds the queue until somebody acts, or time has shown that it is the message.
    pub fn holds(self) -> bool {
        matches!(self.class, Class::Access | Class::Unknown)
    }
}

/// What must still be done, and is written down beside the log. Each kind has ids of its own: 0 for the one of the outbox, and from
/// [`RESEND_TASKS`] on for what is sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Publish again, and no sooner.
    Publish(Trouble),
    /// Send once more what was set aside.
    Resend {
        /// The first `n` that it stands for.
        first_n: u64,
        /// The last.
        last_n: u64,
    },
}

/// The task that is [`Task::Publish`].
pub const PUBLISH_TASK: u64 = 0;

/// The id of a [`Task::Resend`] is this and its first `n`.
pub const RESEND_TASKS: u64 = 1 << 40;

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
}
