//! What can go wrong with a request: every problem of the service, and nowhere else what it is called.

#[cfg(test)]
pub(super) mod samples;

use ably::ErrorInfo;
use serde::Serialize;
use std::borrow::Cow;

use super::path::PathError;
use super::query::QueryError;
use crate::ids::IdError;
use crate::jobs::JobError;
use crate::jobs::registration::EndReason;
use crate::locations::post::PostError;
use crate::members::MembersError;
use crate::sessions::SessionError;

/// How long a caller should wait where a job's object cannot answer, in seconds.
const RETRY_AFTER_SECONDS: u32 = 2;

/// The same where too much of a job waits for Ably.
const BACKLOG_SECONDS: u32 = 30;

/// The same where a job has as many streams as it may.
const STREAMS_SECONDS: u32 = 30;

/// The same where somebody asks about too many jobs that are none of theirs: the period of the limit in wrangler.toml.
const UNKNOWN_JOBS_SECONDS: u32 = 60;

/// A problem. None quotes what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(strum::VariantNames))]
pub enum Problem {
    /// A path that leads nowhere.
    Path(PathError),
    /// A method that the route does not have.
    Method {
        /// Those that it has, as in `Allow`.
        allow: String,
    },
    /// A parameter in the query that breaks its rule.
    Query(QueryError),
    /// A setting is missing or wrong.
    Misconfigured,
    /// A mistake of ours.
    Internal,
    /// A job's object that does not answer.
    Unavailable,
    /// A job that has ended: 403 for whoever took part in it, 409 for whoever would change it.
    JobClosed {
        /// The HTTP status.
        status: u16,
    },
    /// The same, where whoever took part in it may know why.
    JobEnded {
        /// Why.
        reason: EndReason,
    },
    /// A job that has ended, and of which nothing is kept.
    JobForgotten,
    /// A job that the platform has not told us about.
    NotRegistered,
    /// A job that has another version than the one that was to be changed.
    OtherVersion {
        /// Its version, and what is registered, as a JSON object; nothing where nothing is.
        current: Option<(u64, Box<str>)>,
    },
    /// A body that says nothing of a job.
    Job(JobError),
    /// An `If-Match` that is none.
    IfMatch,
    /// An `If-None-Match` of a change that asks for anything but that there is nothing yet.
    IfNoneMatch,
    /// A role that hands no jobs out.
    NotADispatcher,
    /// A role that sees no jobs but its own, and asks for all.
    OwnJobsOnly,
    /// A role that takes part in no job, and asks for its own.
    NoOwnJobs,
    /// No session.
    Session(SessionError),
    /// A session of another user than `Towline-User` names.
    SessionOfAnotherUser,
    /// A job that is none of the session's, by the word of its object: the same whether or not there is one.
    NotAParticipant,
    /// A job that the session does not list. It is told in the same way.
    NotListed,
    /// Too many of those in a short time.
    TooManyUnknownJobs,
    /// A role that posts no locations.
    NotADriver,
    /// A role that does not run the platform.
    NotAnOperator,
    /// A body with a `Content-Encoding`.
    ContentEncoding,
    /// A body that is longer than any route reads.
    TooLarge,
    /// A body that broke off.
    Incomplete,
    /// A body that is no post.
    Post(PostError),
    /// An `Idempotency-Key` that is none.
    IdempotencyKey(IdError),
    /// A reference of no job.
    UnknownRef,
    /// More new fixes than a job takes.
    TooFast {
        /// After how many seconds it takes as many.
        retry_after: u64,
    },
    /// Too many fixes of the job wait for Ably.
    Backlog,
    /// More streams than a job has.
    TooManyStreams,
    /// A body that names nothing that was set aside.
    Range,
    /// What is to be sent once more is not set aside, or cannot be read.
    NotSetAside,
    /// A body that is no event of the platform's.
    Event(MembersError),
    /// An event, or a notification, under the id of another one.
    IdReused,
    /// An event of a job that keeps as much as it may.
    TrailFull,
    /// A body that asks nothing of the policy.
    Question(MembersError),
    /// Parameters of a token in another shape than a form.
    NotAForm,
    /// A form that is not UTF-8.
    FormNotUtf8,
    /// A token that the session does not get, or not with these parameters.
    Token(ErrorInfo),
    /// A body that is no notification.
    Notification(MembersError),
    /// A notification that is too long.
    NotificationTooLarge,
    /// Too many notifications of the user wait for Ably.
    NotificationBacklog,
}

/// What there is to say of a problem, in whatever shape.
pub(super) struct Facts {
    /// The HTTP status.
    pub(super) status: u16,
    /// The stable name.
    pub(super) name: &'static str,
    /// What the name means, the same at each occurrence.
    pub(super) title: &'static str,
    /// The stable code of what exactly is wrong, where the name alone does not tell what to mend.
    pub(super) reason: Option<&'static str>,
    /// What went wrong this time.
    pub(super) detail: Option<String>,
    /// The field of the body, or the parameter, that is to blame, if one is.
    pub(super) field: Option<&'static str>,
    /// The header that the status asks for, its name in lower case.
    pub(super) header: Option<(&'static str, Cow<'static, str>)>,
}

impl Facts {
    fn new(status: u16, name: &'static str, title: &'static str) -> Self {
        Self { status, name, title, reason: None, detail: None, field: None, header: None }
    }

    fn reason(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    fn detail(self, detail: impl ToString) -> Self {
        Self { detail: Some(detail.to_string()), ..self }
    }

    fn header(self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        Self { header: Some((name, value.into())), ..self }
    }
}

impl Problem {
    /// Status, name, and all that explains it.
    pub(super) fn facts(&self) -> Facts {
        match self {
            Self::Path(PathError::NotFound) => Facts::new(404, "not_found", "There is no such route"),
            Self::Path(error @ (PathError::EncodedId | PathError::Id(_))) => {
                let reason = if *error == PathError::EncodedId { "percent_encoded" } else { INVALID_ID };
                Facts::new(400, INVALID_ID, "An id in the path is not valid").reason(reason).detail(error)
            }
            Self::Method { allow } => {
                Facts::new(405, "method_not_allowed", "The route does not answer this method")
                    .header("allow", allow.clone())
            }
            Self::Query(error) => Facts {
                field: Some(error.parameter()),
                ..Facts::new(400, "invalid_parameter", "A parameter in the query is not valid")
                    .reason(error.reason())
                    .detail(error)
            },
            Self::Misconfigured => {
                let title = "The service is misconfigured; its log names the setting";
                Facts::new(503, "misconfigured", title)
            }
            Self::Internal => Facts::new(500, "internal", "The service has made a mistake"),
            Self::Unavailable => {
                let title = "It cannot be reached just now: try again, a retry repeats nothing";
                Facts::new(503, "unavailable", title).header("retry-after", RETRY_AFTER_SECONDS.to_string())
            }
            Self::JobClosed { status } => job_closed(*status),
            Self::JobEnded { reason } => job_closed(403).reason(reason.name()),
            Self::JobForgotten => {
                let title = "The job is closed, for good, and nothing is kept of it: it was deleted, or its retention is over";
                Facts::new(404, "job_forgotten", title)
            }
            Self::NotRegistered => {
                Facts::new(404, "not_registered", "The job is not registered: a PUT does that")
            }
            Self::OtherVersion { current } => {
                let title = "The job is not as the request asks for: it has another version, is not registered, or is already";
                let etag = current.as_ref().map(|(version, _)| ("etag", format!("\"{version}\"").into()));
                Facts { header: etag, ..Facts::new(412, "version_mismatch", title) }
            }
            Self::Job(error) => Facts {
                field: error.field(),
                ..Facts::new(400, "invalid_job", "The job is not valid").reason(error.reason()).detail(error)
            },
            Self::IfMatch => Facts::new(400, "invalid_if_match", "The If-Match header is not valid")
                .reason("not_an_etag")
                .detail("`If-Match` is `*`, or ETags of this job: \"1\", \"2\""),
            Self::IfNoneMatch => {
                Facts::new(400, "invalid_if_none_match", "The If-None-Match header is not valid")
                    .reason("not_a_star")
                    .detail("`If-None-Match` of a PUT is `*`: only where the job is not registered yet; and it stands without `If-Match`")
            }
            Self::NotADispatcher => {
                let title =
                    "Only a dispatcher, an admin or the back end hands jobs out, or tells people something";
                Facts::new(403, "not_a_dispatcher", title)
            }
            Self::OwnJobsOnly => {
                let title =
                    "Only a dispatcher, an admin or the back end sees all jobs: ask for your own, with ?mine";
                Facts::new(403, "own_jobs_only", title)
            }
            Self::NoOwnJobs => {
                let title = "Only a driver or a customer has jobs of their own: leave ?mine out";
                Facts::new(403, "no_own_jobs", title)
            }
            Self::Session(error) => {
                let (status, name) = (error.status(), error.name());
                let facts = Facts::new(status, name, "The session is not accepted").detail(error);
                match status {
                    400 => facts.reason(name),
                    401 => facts.header("www-authenticate", "Bearer"),
                    _ => facts,
                }
            }
            Self::SessionOfAnotherUser => {
                let title = "The session belongs to another user than Towline-User names: load the page again, or sign in as that user";
                Facts::new(403, "session_of_another_user", title)
            }
            Self::NotAParticipant | Self::NotListed => {
                Facts::new(403, "not_a_participant", "The session does not take part in this job")
            }
            Self::TooManyUnknownJobs => {
                let title = "The session has asked about too many jobs in which it does not take part";
                Facts::new(429, "too_many_unknown_jobs", title)
                    .header("retry-after", UNKNOWN_JOBS_SECONDS.to_string())
            }
            Self::NotADriver => {
                let title = "Only the job's driver, or the back end for them, posts locations";
                Facts::new(403, "not_a_driver", title)
            }
            Self::NotAnOperator => {
                let title = "Only an admin or the back end sees how the service is doing";
                Facts::new(403, "not_an_operator", title)
            }
            Self::ContentEncoding => {
                Facts::new(415, "content_encoding", "A body is sent without Content-Encoding")
            }
            Self::TooLarge => post(&PostError::TooLarge),
            Self::Incomplete => Facts::new(408, "incomplete_body", "The body broke off before its end"),
            Self::Post(error) => post(error),
            Self::IdempotencyKey(rule) => {
                Facts::new(400, "invalid_idempotency_key", "The Idempotency-Key is not valid")
                    .reason(INVALID_ID)
                    .detail(rule)
            }
            Self::UnknownRef => Facts::new(404, "unknown_ref", "There is no job with this reference"),
            Self::TooFast { retry_after } => {
                let title = "The job takes no more new fixes just now: send the same post again";
                Facts::new(429, "too_fast", title).header("retry-after", retry_after.to_string())
            }
            Self::Backlog => {
                let title = "Too many fixes of this job wait for Ably: send the same post again";
                Facts::new(503, "backlog", title).header("retry-after", BACKLOG_SECONDS.to_string())
            }
            Self::TooManyStreams => {
                let title = "The job has as many streams as it may: try again, or subscribe to its channel";
                Facts::new(429, "too_many_streams", title).header("retry-after", STREAMS_SECONDS.to_string())
            }
            Self::Range => Facts::new(400, "invalid_range", "The body names no range of seqs")
                .reason("invalid_range")
                .detail("a range is {\"epoch\", \"fromSeq\", \"seq\"}, as the outbox tells it"),
            Self::NotSetAside => {
                Facts::new(409, "not_set_aside", "These fixes are not set aside, or cannot be read any more")
            }
            Self::Event(error) => members(error, "invalid_event", "The event is not valid"),
            Self::IdReused => {
                let title = "This id was given to something else: give this one an id of its own";
                Facts::new(409, "id_reused", title)
            }
            Self::TrailFull => {
                Facts::new(409, "trail_full", "The job keeps as much as it may, and takes nothing more")
            }
            Self::Question(error) => members(error, "invalid_question", "The question is not valid"),
            Self::NotAForm => Facts::new(415, "content_type", "The body is not a form")
                .detail("the parameters of a token are form-encoded"),
            Self::FormNotUtf8 => token(400, "the form is not UTF-8"),
            Self::Token(error) => token(error.status_code, &error.message),
            Self::Notification(error) => {
                members(error, "invalid_notification", "The notification is not valid")
            }
            Self::NotificationTooLarge => {
                Facts::new(413, "too_large", "A notification is at most 4 KiB long").reason("too_large")
            }
            Self::NotificationBacklog => {
                let title = "Too many notifications of this user wait for Ably: send the same again";
                Facts::new(503, "backlog", title).header("retry-after", BACKLOG_SECONDS.to_string())
            }
        }
    }
}

/// What is wrong with an id, as a name and as a reason.
const INVALID_ID: &str = "invalid_id";

fn job_closed(status: u16) -> Facts {
    Facts::new(status, "job_closed", "The job is closed, for good")
}

fn post(error: &PostError) -> Facts {
    let facts = match error {
        PostError::TooLarge | PostError::TooMany => {
            Facts::new(413, "too_large", "A post is at most 64 KiB long and holds at most 100 fixes")
        }
        PostError::Invalid(_) => Facts::new(400, "invalid_fix", "The fix is not valid"),
        PostError::Empty
        | PostError::NotUtf8
        | PostError::ByteOrderMark
        | PostError::NotJson { .. }
        | PostError::SentAt(_) => Facts::new(400, "invalid_post", "The post is not valid"),
    };
    Facts { field: error.field().map(|field| field.name()), ..facts.reason(error.reason()).detail(error) }
}

fn members(error: &MembersError, name: &'static str, title: &'static str) -> Facts {
    Facts { field: error.field(), ..Facts::new(400, name, title).reason(error.reason()).detail(error) }
}

fn token(status: u16, detail: &str) -> Facts {
    Facts::new(status, "token_refused", "The token is refused").detail(detail)
}

impl From<PathError> for Problem {
    fn from(error: PathError) -> Self {
        Self::Path(error)
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl From<PostError> for Problem {
    fn from(error: PostError) -> Self {
        Self::Post(error)
    }
}

impl From<ErrorInfo> for Problem {
    /// Ably's errors are those of a token.
    fn from(error: ErrorInfo) -> Self {
        Self::Token(error)
    }
}

/// Writes JSON.
///
/// # Errors
/// [`Problem::Internal`], where the value has none.
pub(super) fn json(value: &impl Serialize) -> Result<String, Problem> {
    serde_json::to_string(value).map_err(|_| Problem::Internal)
}
