//! What the Worker and a job's object say to each other.
//!
//! A request travels as JSON text over RPC. Identity and job reach the object in it and in nothing else. What comes back is the
//! text of a [`Reply`]. A stream is no text: it is a response to the object's `fetch`, whose body is a [`StreamRequest`]; what it says
//! else is a [`Reply`] too.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Millis;
use super::clock::Clock;
use super::event::Updated;
use super::fix::{Field, Reason, Rejection};
use super::outbox::State;
use super::place::Place;
use super::post::Post;
use super::trail::Page;
#[cfg(doc)]
use super::trail::Wanted;
use crate::ids::{JobId, UserId};
use crate::jobs::gate;
use crate::jobs::told::Told;
use crate::jobs::update::Announced;
use crate::jobs::vitals::Pulse;
use crate::jobs::{self, Admission, CloseReason, Heartbeat, Update, Viewer};
use crate::objects::Cause;
use crate::streams::Mark;

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
        /// As [`Viewer::registry_alone`], of the driver, whoever posts for them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        registry_alone: bool,
    },
    /// Tell the last live fix.
    State {
        /// The job whose object this is.
        job: JobId,
        /// Who asks; nothing where a build asks that knows of no registered jobs.
        #[serde(default)]
        viewer: Option<Viewer>,
    },
    /// Note that the driver is heard of.
    Heartbeat {
        /// The job whose object this is.
        job: JobId,
        /// Who is.
        driver: UserId,
        /// What their phone says of itself.
        state: Heartbeat,
        /// Whether the registry alone says whose job it is, and no claim.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        registry_alone: bool,
    },
    /// Tell a page of the trail.
    Trail {
        /// The job whose object this is.
        job: JobId,
        /// As [`Wanted::after`].
        after: Option<Place>,
        /// As [`Wanted::limit`].
        limit: u32,
        /// As [`Wanted::names`].
        names: bool,
        /// Who asks; nothing where a build asks that knows of no registered jobs.
        #[serde(default)]
        viewer: Option<Viewer>,
    },
    /// Tell how the outbox is doing.
    Outbox {
        /// The job whose object this is.
        job: JobId,
    },
    /// Send once more what was set aside.
    Resend {
        /// The job whose object this is.
        job: JobId,
        /// What.
        range: Range,
    },
    /// Tell which job this is the object of.
    Identify,
    /// Register the job, or change what is registered.
    Put {
        /// The job whose object this is.
        job: JobId,
        /// As the platform wants it.
        wanted: jobs::Wanted,
        /// Only where it is as whoever asks has seen it.
        only: Option<Only>,
    },
    /// Let one customer more take part, or one less.
    Customer {
        /// The job whose object this is.
        job: JobId,
        /// Who.
        user: UserId,
        /// Whether they take part.
        takes_part: bool,
        /// Only where it is as whoever asks has seen it.
        only: Option<Only>,
    },
    /// Tell what is registered.
    Job {
        /// The job whose object this is.
        job: JobId,
        /// Who asks.
        viewer: Viewer,
    },
    /// End the job.
    Close {
        /// The job whose object this is.
        job: JobId,
        /// Why.
        reason: CloseReason,
    },
    /// End the job, and forget it.
    Forget {
        /// The job whose object this is.
        job: JobId,
    },
    /// Tell subscribers what the platform says has changed.
    Update {
        /// The job whose object this is.
        job: JobId,
        /// What.
        update: Update,
    },
    /// Tell what a token may have of the job.
    Admit {
        /// The job whose object this is.
        job: JobId,
        /// Who wants one.
        viewer: Viewer,
        /// Whether it is a TokenRequest, whose token is issued only when it is exchanged.
        #[serde(default)]
        token_request: bool,
    },
}

/// What the Worker asks of a job's object for whoever wants to read its events as they come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamRequest {
    /// The job whose object this is.
    pub job: JobId,
    /// Who reads.
    pub viewer: Viewer,
    /// When their session ends, Unix milliseconds.
    pub until: Millis,
    /// Where they begin.
    pub begin: Begin,
}

/// Where a stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begin {
    /// With what comes next.
    Now,
    /// After this event.
    After(Mark),
    /// After something that is the id of no event: with what comes next, once that is told.
    Nowhere,
}

/// As which a job has to be known to whoever changes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    /// Whatever it is, as long as it is registered.
    Registered,
    /// In one of these versions.
    Versions(Vec<u64>),
}

/// `{epoch, fromSeq, seq}`: the fixes that one message stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Range {
    /// Which life of the job's sequence.
    #[cfg_attr(test, schemars(range(max = u64::MAX)))]
    pub epoch: u64,
    /// The first seq.
    #[cfg_attr(test, schemars(range(max = u64::MAX)))]
    pub from_seq: u64,
    /// The last.
    #[cfg_attr(test, schemars(range(max = u64::MAX)))]
    pub seq: u64,
}

/// What an object says to a request that it has understood; `A` is [`JobAnswer`] where it is made, and JSON where it is read.
///
/// Its text is that of the answer as it is, so that the Worker passes it on unread, or a `!` and the refusal. An answer is a JSON
/// object and begins with `{`, so neither can be taken for the other, nor anything else for a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<A = String> {
    /// What was asked for.
    Answer(A),
    /// Why it is not done.
    Refusal(JobRefusal),
}

/// Why an object does not do what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobRefusal {
    /// It has kept nothing, and so does not know which job it is.
    Unknown,
    /// More new fixes than a job takes.
    TooFast {
        /// After how many seconds it takes as many.
        retry_after: u64,
    },
    /// Too many of its fixes wait for Ably.
    Backlog,
    /// What is to be sent once more is not set aside, or cannot be read.
    NotSetAside,
    /// Whoever asks takes no part in the job.
    NotAParticipant,
    /// The job has ended.
    Closed,
    /// The job has ended, and nothing is kept of it.
    Forgotten,
    /// The job is not registered.
    NotRegistered,
    /// The end that the job would have, since nobody says which, is over.
    EndNeeded,
    /// The time of its gate would come after its end, which nobody says.
    GateTooLate,
    /// The job has as many customers as it may.
    TooManyCustomers,
    /// An event of another content was told under this id.
    IdReused,
    /// The job keeps as much as it may.
    TrailFull,
    /// The job has as many streams as it may.
    TooManyStreams,
}

/// A text that is no [`Reply`]: a fault of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the object's text is no reply")]
pub struct NoReply;

impl Reply<JobAnswer> {
    /// The text that travels.
    ///
    /// # Errors
    /// Where the answer cannot be written as JSON.
    pub fn into_text(self) -> Result<String, serde_json::Error> {
        match self {
            Self::Answer(answer) => serde_json::to_string(&answer),
            Self::Refusal(refusal) => serde_json::to_string(&refusal).map(|refusal| format!("!{refusal}")),
        }
    }
}

impl Reply {
    /// Reads the text that an object has sent. An answer stays the text that it is.
    ///
    /// # Errors
    /// [`NoReply`]
    pub fn from_text(text: String) -> Result<Self, NoReply> {
        match text.strip_prefix('!') {
            Some(refusal) => serde_json::from_str(refusal).map(Self::Refusal).map_err(|_| NoReply),
            None if text.starts_with('{') => Ok(Self::Answer(text)),
            None => Err(NoReply),
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_read_as_it_was_said() {
        let job_id = JobId::parse("a").unwrap();
        let answer = Reply::Answer(JobAnswer::Identity(Identity { job_id })).into_text().unwrap();
        assert_eq!(Reply::from_text(answer), Ok(Reply::Answer(r#"{"jobId":"a"}"#.to_owned())));
        let refusal = Reply::<JobAnswer>::Refusal(JobRefusal::Unknown);
        assert_eq!(Reply::from_text(refusal.into_text().unwrap()), Ok(Reply::Refusal(JobRefusal::Unknown)));
    }

    #[test]
    fn another_text_is_no_reply() {
        for text in ["", "!", "!{}", "!\"other\"", "null", "[]", "\"{}\"", " {}", "Error: {}"] {
            assert_eq!(Reply::from_text(text.to_owned()), Err(NoReply), "{text}");
        }
    }
}
