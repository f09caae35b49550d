//! What a job's object answers.

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::JobRequest;
use super::Range;
use crate::ids::JobId;
use crate::jobs::told::Told;
use crate::jobs::update::Announced;
use crate::jobs::vitals::Pulse;
use crate::jobs::{self, Admission, gate};
use crate::locations::Millis;
use crate::locations::clock::Clock;
use crate::locations::event::Updated;
use crate::locations::fix::{Field, Reason, Rejection};
use crate::locations::outbox::State;
use crate::locations::trail::Page;
use crate::objects::Cause;

/// What the object answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum JobAnswer {
    /// To [`JobRequest::Post`].
    Post(PostAnswer),
    /// To [`JobRequest::State`], once there is a fix.
    State(Box<Updated>),
    /// To [`JobRequest::State`], where there is no fix to show.
    NoState(NoState),
    /// To [`JobRequest::State`] and [`JobRequest::Trail`], where a gate holds whoever asks back.
    Withheld(Withheld),
    /// To [`JobRequest::Heartbeat`].
    Heard(Heard),
    /// To [`JobRequest::Trail`].
    Trail(Page),
    /// To [`JobRequest::Outbox`].
    Outbox(Box<OutboxSeen>),
    /// To [`JobRequest::Resend`].
    Resending(Resending),
    /// To [`JobRequest::Identify`].
    Identity(Identity),
    /// To [`JobRequest::Put`], [`JobRequest::Customer`] and [`JobRequest::Close`].
    Changed(Box<Changed>),
    /// To [`JobRequest::Job`].
    Job(Box<Told>),
    /// To [`JobRequest::Forget`].
    Forgotten(Forgotten),
    /// To [`JobRequest::Update`].
    Announced(Announced),
    /// To [`JobRequest::Admit`].
    Admission(Admission),
}

/// `{ok, jobId, epoch, results}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PostAnswer {
    /// Always true: the post was taken, whatever became of each fix.
    #[cfg_attr(test, schemars(extend("const" = true)))]
    pub ok: bool,
    /// The job.
    pub job_id: JobId,
    /// The epoch of every `seq` below; `null` where the job has no accepted fix yet.
    pub epoch: Option<u64>,
    /// `results[i]` answers `locations[i]`.
    pub results: Vec<Outcome>,
}

/// What became of one fix, tagged by `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "FixResult"))]
pub enum Outcome {
    /// It is live: it may move the marker.
    Accepted {
        /// Its place in the job's order.
        seq: u64,
        /// There where the phone's clock is wrong.
        #[serde(skip_serializing_if = "Option::is_none")]
        clock: Option<Clock>,
    },
    /// It is kept in the trail, but moves no marker.
    Late {
        /// Its place in the job's order.
        seq: u64,
        /// There where the phone's clock is wrong.
        #[serde(skip_serializing_if = "Option::is_none")]
        clock: Option<Clock>,
    },
    /// It was accepted before.
    Duplicate {
        /// The place that it got then.
        seq: u64,
    },
    /// It is not kept.
    Rejected(NotKept),
}

impl Outcome {
    /// The outcome of a fix that is not kept, at `index` in its post.
    pub fn rejected(index: usize, rejection: Rejection) -> Self {
        let Rejection { field, reason } = rejection;
        Self::Rejected(NotKept { index, field, reason, detail: rejection.to_string() })
    }
}

/// Why a fix is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NotKept {
    /// Its place in the post, from 0.
    pub index: usize,
    /// The field to look at; none where the fix as a whole is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<Field>,
    /// The stable code.
    pub reason: Reason,
    /// The same for a developer.
    pub detail: String,
}

/// `{jobId, epoch, seq: 0, now}`: no fix to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "NoFix"))]
pub struct NoState {
    /// The job.
    pub job_id: JobId,
    /// `null` where no sequence has begun, which is nearly always: the last live fix may have been deleted.
    pub epoch: Option<u64>,
    /// Always 0, which is less than every seq.
    #[cfg_attr(test, schemars(extend("const" = 0)))]
    pub seq: u64,
    /// Our clock, Unix milliseconds.
    pub now: Millis,
    /// Of the driver's phone.
    #[serde(flatten)]
    pub pulse: Pulse,
}

/// `{jobId, withheld: true, gate, opensAt?, now}`: nothing to show yet, and nothing to tell of the driver either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Withheld {
    /// The job.
    pub job_id: JobId,
    /// Always true.
    #[cfg_attr(test, schemars(extend("const" = true)))]
    pub withheld: bool,
    /// What holds it back.
    #[serde(flatten)]
    pub by: gate::Withheld,
    /// Our clock, Unix milliseconds.
    pub now: Millis,
}

impl gate::Withheld {
    /// As whoever is held back is told it.
    pub fn told(self, job: JobId, now: Millis) -> Withheld {
        Withheld { job_id: job, withheld: true, by: self, now }
    }
}

/// `{ok, jobId, status}`: what a heartbeat was to the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "HeartbeatAnswer"))]
pub struct Heard {
    /// Always true.
    #[cfg_attr(test, schemars(extend("const" = true)))]
    pub ok: bool,
    /// The job.
    pub job_id: JobId,
    /// What it was.
    pub status: HeardAs,
}

/// What a heartbeat was to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum HeardAs {
    /// The driver's.
    Heard,
    /// That of one who has the job no more.
    Reassigned,
    /// The job has ended.
    JobClosed,
}

/// How the outbox of a job is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Outbox"))]
pub struct OutboxSeen {
    /// The job.
    pub job_id: JobId,
    /// By what the service's log calls it.
    #[serde(rename = "ref")]
    pub reference: String,
    /// `null` where the job has no accepted fix yet.
    pub epoch: Option<u64>,
    /// In a word.
    pub state: State,
    /// Why it waits, in `backoff` and `held`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// When it tries again, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Millis>,
    /// How many fixes wait to be published.
    pub waiting: u64,
    /// How long the oldest of them, or of those in flight, has been accepted, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_ms: Option<Millis>,
    /// How many fixes are on their way to Ably.
    pub in_flight: u64,
    /// What Ably has refused for good, the oldest first, of which so many are told.
    pub set_aside: Vec<GivenUp>,
}

/// `{epoch, fromSeq, seq, ts, cause}`: a message that Ably has refused for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GivenUp {
    /// What it stands for.
    #[serde(flatten)]
    pub range: Range,
    /// When it was given up, Unix milliseconds.
    pub ts: Millis,
    /// Why.
    pub cause: Cause,
}

/// `{ok, epoch, fromSeq, seq}`: it is sent once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resending {
    /// Always true.
    #[cfg_attr(test, schemars(extend("const" = true)))]
    pub ok: bool,
    /// What.
    #[serde(flatten)]
    pub range: Range,
}

/// What has become of a change to what is registered, and what is registered now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// What has become of it.
    pub outcome: jobs::told::Outcome,
    /// As [`Told::version`].
    pub version: u64,
    /// The job, as the platform is told it.
    pub job: Told,
}

/// `{ok}`: the job is closed for ever and forgotten, now or already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Forgotten {
    /// Always true.
    pub ok: bool,
}

/// `{jobId}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Whose object this is.
    pub job_id: JobId,
}
