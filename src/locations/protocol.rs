//! What the Worker and a job's object say to each other.
//!
//! A request travels as JSON text over RPC. Identity and job reach the object in it and in nothing else. The answer is
//! the text of the HTTP answer's body, so that the Worker has nothing to read.

use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::event::Updated;
use super::fix::{Field, Reason, Rejection};
use super::post::Post;
use crate::ids::JobId;

/// What the Worker asks of a job's object, once it has checked that the caller may.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JobRequest {
    /// Accept these fixes.
    Post {
        /// The job whose object this is.
        job: JobId,
        /// The fixes, and whose they are.
        post: Post,
    },
    /// Tell the last live fix.
    State {
        /// The job whose object this is.
        job: JobId,
    },
    /// Tell which job this is the object of.
    Identify,
}

/// What the object answers; all but [`Identity`] are serialised as the body of a 200.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum JobAnswer {
    /// To [`JobRequest::Post`].
    Post(PostAnswer),
    /// To [`JobRequest::State`], once there is a fix.
    State(Box<Updated>),
    /// To [`JobRequest::State`], before the first fix.
    NoState(NoState),
    /// To [`JobRequest::Identify`].
    Identity(Identity),
}

/// `{ok, jobId, epoch, results}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PostAnswer {
    /// Always true: the post was taken, whatever became of each fix.
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
    Rejected(Refusal),
}

impl Outcome {
    /// The outcome of a fix that is not kept, at `index` in its post.
    pub fn rejected(index: usize, rejection: Rejection) -> Self {
        let Rejection { field, reason } = rejection;
        Self::Rejected(Refusal { index, field, reason, detail: rejection.to_string() })
    }
}

/// Why a fix is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
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

/// `{jobId, epoch: null, seq: 0}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NoState {
    /// The job.
    pub job_id: JobId,
    /// Always `null`: no sequence has begun.
    pub epoch: Option<u64>,
    /// Always 0, which is less than every seq.
    pub seq: u64,
}

/// `{jobId}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Whose object this is; `null` where it has kept nothing, as then it does not know.
    pub job_id: Option<JobId>,
}
