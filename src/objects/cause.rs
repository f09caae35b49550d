//! Why Ably has not taken a message.

use ably::rest::{ErrorClass, PublishError};
use serde::{Deserialize, Serialize};

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
    /// What is kept cannot be read.
    Damaged,
    /// A refusal that the contract does not name; of what a newer build has written, all that this one does not know.
    #[serde(other)]
    Unknown,
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
