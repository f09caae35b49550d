//! What the outbox says: what it wants, what follows from a failure, and how it is doing.

use std::ops::RangeInclusive;

use serde::Serialize;

use crate::locations::Millis;
use crate::locations::log::{Position, Row};

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The message is set aside for good, and those behind it go on.
    SetAside,
    /// The same message goes out again, no sooner than at `at`.
    Retry {
        /// Unix milliseconds.
        at: Millis,
        /// What is worth telling of it.
        news: Option<News>,
    },
}

/// What is worth telling of a failure that passes, perhaps once somebody has acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// The outbox was well before, or had trouble of another kind.
    Begins,
    /// By itself it should have passed long ago.
    Lasts {
        /// Since when nothing has left, Unix milliseconds.
        since: Millis,
    },
}

/// What the outbox wants.
#[derive(Debug, PartialEq)]
pub enum Next<'a> {
    /// Publish what these rows stand for, and say by [`Outbox::leaves`](super::Outbox::leaves) that it leaves.
    Publish(&'a [Row]),
    /// Send once more what was set aside, and say by [`Outbox::leaves`](super::Outbox::leaves) that it leaves.
    Resend(Resend),
    /// What has these places cannot be read or is gone: note it, and say so by [`Outbox::passed_over`](super::Outbox::passed_over).
    PassOver(RangeInclusive<u64>),
    /// Read more rows after this `n`, hand them to [`Outbox::refill`](super::Outbox::refill), and ask again.
    Read {
        /// The last `n` that is not needed.
        after: u64,
    },
    /// Write this position down, say so by [`Outbox::saved`](super::Outbox::saved), and ask again.
    Save(Position),
    /// Ask again then.
    Wait {
        /// Unix milliseconds.
        until: Millis,
    },
    /// Ask again when a row was added or a publish has ended.
    Idle,
}

/// A message that was set aside, to be sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resend {
    /// The task that it is.
    pub task: u64,
    /// The first `n` that it stands for.
    pub first_n: u64,
    /// The last.
    pub last_n: u64,
}

/// How the outbox is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "OutboxState"))]
pub enum State {
    /// Nothing waits.
    Idle,
    /// What waits is on its way.
    Sending,
    /// It goes out again by itself.
    Backoff,
    /// The same, but somebody has to act first, or should look.
    Held,
}
