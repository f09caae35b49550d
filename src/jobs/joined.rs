//! From where on somebody who takes part sees a job.

use serde::{Deserialize, Serialize};

use super::gate::Opening;
use crate::ids::UserId;
use crate::objects::Millis;

/// How somebody has come into a job that had fixes, or may have had some that were still under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Joined {
    /// Who.
    pub user: UserId,
    /// The last `n` that is not for them, on the channel at least.
    pub n: u64,
    /// When they came, Unix milliseconds: what was measured before is not for them either.
    pub at: Millis,
    /// When they get the channel: nothing as long as what was before may still leave. Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_from: Option<Millis>,
    /// From where on they see it by reads and streams, where that is earlier: an open gate had shown it to them when it was taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Start>,
}

/// Where somebody begins to see a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The last `n` that is not for them.
    pub after: u64,
    /// Nothing that was measured before this is, Unix milliseconds.
    pub since: Millis,
}

impl Joined {
    /// From where on they see it, by reads and streams.
    pub fn start(&self) -> Start {
        self.shown.unwrap_or(Start { after: self.n, since: self.at })
    }
}

impl Opening {
    /// From where on the job is seen through it.
    pub fn start(&self) -> Start {
        Start { after: self.n, since: self.at }
    }
}

impl Start {
    /// That of somebody to whom nothing is hidden.
    pub const OF_ALL: Self = Self { after: 0, since: Millis::MIN };

    /// The later of both.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { after: self.after.max(other.after), since: self.since.max(other.since) }
    }
}
