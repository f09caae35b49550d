//! What the Worker and a job's object say to each other.
//!
//! A request travels as JSON text over RPC. Identity and job reach the object in it and in nothing else. What comes back is the
//! text of a [`Reply`]. A stream is no text: it is a response to the object's `fetch`, whose body is a [`StreamRequest`]; what it says
//! else is a [`Reply`] too.

mod answers;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::answers::{
    Changed, Forgotten, GivenUp, Heard, HeardAs, Identity, JobAnswer, NoState, NotKept, OutboxSeen, Outcome,
    PostAnswer, Resending, Withheld,
};
use super::Millis;
use super::place::Place;
use super::post::Post;
#[cfg(doc)]
use super::trail::Wanted;
use crate::ids::{JobId, UserId};
use crate::jobs::registration::EndReason;
use crate::jobs::{self, CloseReason, Heartbeat, Update, Viewer};
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
    /// Not registered.
    Absent,
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
    /// The job has ended, in which whoever asks took part.
    Ended {
        /// Why.
        reason: EndReason,
    },
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

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn a_reply_is_read_as_it_was_said() {
        let job_id = JobId::parse("a").unwrap();
        let answer = Reply::Answer(JobAnswer::Identity(Identity { job_id })).into_text().unwrap();
        assert_eq!(Reply::from_text(answer), Ok(Reply::Answer(r#"{"jobId":"a"}"#.to_owned())));
        let refusal = Reply::<JobAnswer>::Refusal(JobRefusal::Unknown);
        assert_eq!(Reply::from_text(refusal.into_text().unwrap()), Ok(Reply::Refusal(JobRefusal::Unknown)));
    }

    /// An object of a build that said no reason.
    #[test]
    fn an_end_is_read_with_its_reason_and_without() {
        assert_eq!(Reply::from_text("!\"closed\"".to_owned()), Ok(Reply::Refusal(JobRefusal::Closed)));
        let ended = JobRefusal::Ended { reason: EndReason::Done };
        let told = Reply::<JobAnswer>::Refusal(ended).into_text().unwrap();
        assert_eq!(told, r#"!{"ended":{"reason":"done"}}"#);
        assert_eq!(Reply::from_text(told), Ok(Reply::Refusal(ended)));
        for reason in EndReason::iter() {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
        }
    }

    #[test]
    fn another_text_is_no_reply() {
        for text in ["", "!", "!{}", "!\"other\"", "null", "[]", "\"{}\"", " {}", "Error: {}"] {
            assert_eq!(Reply::from_text(text.to_owned()), Err(NoReply), "{text}");
        }
    }
}
