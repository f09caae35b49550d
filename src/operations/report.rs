//! What an object reports to operators.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::ids::JobId;
use crate::objects::{Cause, Millis};

/// What has happened: the name of the event on `admin:ops`. It is text, so that a desk passes on what a newer build reports.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "ReportKind"))]
pub struct Kind(Cow<'static, str>);

impl Kind {
    /// Key, token or account are refused, or nobody knows why: what a job has accepted waits, in order.
    pub const HELD: Self = Self(Cow::Borrowed("outbox.held"));
    /// Nothing has left a job for a minute, though that should pass by itself.
    pub const DELAYED: Self = Self(Cow::Borrowed("outbox.delayed"));
    /// A message has not reached subscribers, and will not by itself.
    pub const SET_ASIDE: Self = Self(Cow::Borrowed("outbox.set_aside"));
    /// What was reported as held or delayed leaves again.
    pub const RESUMED: Self = Self(Cow::Borrowed("outbox.resumed"));

    /// Nothing is heard of a job's driver.
    pub const DRIVER_SILENT: Self = Self(Cow::Borrowed("driver.silent"));
    /// A driver of whose silence that was told is heard of again.
    pub const DRIVER_HEARD: Self = Self(Cow::Borrowed("driver.heard"));
    /// All fixes of a job's driver are refused.
    pub const DRIVER_REFUSED: Self = Self(Cow::Borrowed("driver.refused"));

    /// The key's tokens cannot be revoked: whoever leaves a job keeps theirs until they expire.
    pub const NOT_REVOCABLE: Self = Self(Cow::Borrowed("tokens.not_revocable"));

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Kind {
    fn from(name: String) -> Self {
        Self(Cow::Owned(name))
    }
}

/// A change that operators should know of. It names the job, since whoever reads `admin:ops` may see all jobs, and no person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// What has happened.
    pub kind: Kind,
    /// The job; nothing where it is no job's object that reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// What the object's lines in the log carry.
    pub r#ref: String,
    /// When, Unix milliseconds. The same report made twice has the same.
    pub at: Millis,
    /// Since when something is or was wrong, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Millis>,
    /// What Ably has answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// How often it has happened since it was last told, the last time being told here.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u64,
}

fn once() -> u64 {
    1
}

fn is_once(times: &u64) -> bool {
    *times == 1
}
