//! Why Ably has not taken a message.

use ably::rest::{ErrorClass, PublishError};
use serde::{Deserialize, Serialize};

use super::Millis;

/// Why Ably has not taken a message: as much of its answer as names neither channel nor job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "CauseClass"))]
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
    /// The job is another driver's by now, or closed.
    Withdrawn,
    /// A refusal that the contract does not name; of what a newer build has written, all that this one does not know.
    #[serde(other)]
    Unknown,
}

/// Why a message has not reached Ably, and what that means for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// What it means.
    pub class: ErrorClass,
    /// How long to wait, where somebody has decided that for many. Otherwise whoever has failed does.
    pub wait: Option<Millis>,
}

impl Failure {
    /// A failure of which no more is known than its cause.
    pub fn of(cause: Cause) -> Self {
        let class = match cause.class {
            Class::Message => ErrorClass::BlamesMessage,
            Class::Access => ErrorClass::BlamesAccess,
            Class::Throttled => ErrorClass::Throttled { retry_after: None },
            Class::Unknown => ErrorClass::Unknown,
            Class::Transient | Class::Damaged | Class::Withdrawn => {
                ErrorClass::Transient { retry_after: None }
            }
        };
        Self { cause, class, wait: None }
    }
}

impl From<&PublishError> for Failure {
    fn from(error: &PublishError) -> Self {
        Self { cause: Cause::of(error), class: error.class, wait: None }
    }
}

impl Cause {
    /// What is kept cannot be read.
    pub const DAMAGED: Self = Self { class: Class::Damaged, code: None, status: None };

    /// It is not published any more.
    pub const WITHDRAWN: Self = Self { class: Class::Withdrawn, code: None, status: None };

    /// Nobody has said what became of it.
    pub const UNANSWERED: Self = Self { class: Class::Transient, code: None, status: None };

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
