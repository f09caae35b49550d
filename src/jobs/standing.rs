//! What somebody is to a job, as far as a token is concerned.

use serde::{Deserialize, Serialize};

use super::registration::Registration;
use super::sight::Blind;
use super::viewer::Viewer;
use crate::objects::Millis;
use crate::sessions::Role;

/// What somebody is to a job now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// They take part.
    Admitted,
    /// They take part, but what Ably replays of the channel was not meant for them: so they get it later.
    Waiting,
    /// They take part, but a gate is for them, open or not: so they never get the channel.
    Gated,
    /// They took part until it has ended; or it has, and nobody knows any more who did.
    Refused,
    /// They take no part: the same whether or not there is such a job.
    Foreign,
}

impl Standing {
    /// Whether the job is none of theirs, now and later.
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::Refused | Self::Foreign)
    }
}

/// What a job's object says of whoever wants a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Admission {
    /// Whether the token has the job's channels.
    pub standing: Standing,
    /// No token with them outlives this, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    /// A token whose `iat` is a second before this one counts as revoked, with those that were issued before somebody left: so it is
    /// issued from then on. Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Millis>,
}

impl Registration {
    /// What a token of somebody's may have of the job at `now`.
    pub fn admission(&self, viewer: &Viewer, now: Millis) -> Admission {
        let is_gated = viewer.role == Role::Customer && self.wanted.gate.is_some();
        let standing = match self.sight(viewer, None, now) {
            Err(Blind::NotAParticipant) => Standing::Foreign,
            Err(Blind::Ended(_)) => Standing::Refused,
            Ok(_) if self.ended.is_some() || self.is_overdue(now) => Standing::Refused,
            Ok(_) if is_gated => Standing::Gated,
            Ok(_) => match self.joined(&viewer.user) {
                Some(joined) if joined.channel_from.is_none_or(|from| now < from) => Standing::Waiting,
                _ => Standing::Admitted,
            },
        };
        Admission { standing, until: Some(self.ends_at()), not_before: not_before(self.left_at, now) }
    }
}

impl Admission {
    /// That of somebody who takes no part in the job, and never did.
    pub const FOREIGN: Self = Self { standing: Standing::Foreign, until: None, not_before: None };

    /// That of a job which is over for everybody, since that time where it is known, Unix milliseconds.
    pub fn refused(left_at: Option<Millis>, now: Millis) -> Self {
        Self { standing: Standing::Refused, until: None, not_before: not_before(left_at, now) }
    }
}

/// A token is asked for before the object is: its `iat` may be so much behind our clock here.
const ASKED_BEFORE: Millis = 10_000;

/// Ably compares `iat`, which is in whole seconds, with the time before which all is revoked.
fn not_before(left_at: Option<Millis>, now: Millis) -> Option<Millis> {
    left_at.map(|left| (left + 999) / 1_000 * 1_000).filter(|from| now < *from + ASKED_BEFORE)
}
