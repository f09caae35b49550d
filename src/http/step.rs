//! The steps from a request to its answer. None of them waits: whoever drives them does, and then goes on with what the step says.

use std::rc::Rc;

use super::answer::Answer;
use super::problem::{Problem, json};
use crate::config::Config;
use crate::ids::{JobId, JobRef, UserId};
use crate::inbox;
use crate::index::{List, Wanted};
use crate::locations::post::BODY_MAX;
use crate::locations::{JobRequest, Reply, StreamRequest};
use crate::sessions::Session;

/// The longest body that any route reads, in bytes.
pub const REQUEST_BODY_MAX: usize = BODY_MAX;

/// What has to happen next, and how it goes on from there.
pub enum Step {
    /// Nothing: this is the answer.
    Done(Answer),
    /// Read the body, of at most [`REQUEST_BODY_MAX`] bytes.
    ReadBody(AfterBody),
    /// Ask an object.
    Call {
        /// Which.
        object: Object,
        /// What it is sent.
        request: String,
        /// Takes what it says.
        then: AfterCall,
    },
    /// Ask a job's object for a stream.
    Stream {
        /// Which.
        job: JobId,
        /// What it is sent.
        request: String,
        /// The answer of which the stream is the body, where it gives one.
        answer: Answer,
        /// Takes what it says where it gives none.
        then: AfterCall,
    },
    /// Ask the objects of several jobs, all at once.
    CallAll {
        /// Which, and what each is sent.
        calls: Vec<(JobId, String)>,
        /// Takes what they say.
        then: AfterCalls,
    },
    /// Take places in the rate limit of somebody who asks about jobs that are none of theirs.
    Limit {
        /// Whose: an id is never empty, and a limit by nothing would let everybody through.
        user: UserId,
        /// How many places.
        places: usize,
        /// Takes whether there were so many; or that it is not known.
        then: AfterLimit,
    },
    /// Wait.
    Wait {
        /// Until when, Unix milliseconds.
        until_ms: u64,
        /// Takes what time it is then, Unix milliseconds.
        then: AfterWait,
    },
}

/// A step, or what is in its way. The route decides in which shape that is told.
pub type Next = Result<Step, Problem>;
/// Goes on with the body, or without.
pub type AfterBody = Box<dyn FnOnce(Result<&[u8], NoBody>) -> Next>;
/// Goes on with what an object says, or without.
pub type AfterCall = Box<dyn FnOnce(Result<Reply, Unreachable>) -> Next>;
/// Goes on with what all objects say, in the order in which they were named; or without any, where one of them has not replied.
pub type AfterCalls = Box<dyn FnOnce(Result<Vec<Reply>, Unreachable>) -> Next>;
/// Goes on with whether there were as many places as were to be taken, or without.
pub type AfterLimit = Box<dyn FnOnce(Result<bool, Unreachable>) -> Next>;
/// Goes on at a later time.
pub type AfterWait = Box<dyn FnOnce(u64) -> Next>;

impl Step {
    /// Reads the body, then goes on.
    pub fn read_body(then: impl FnOnce(Result<&[u8], NoBody>) -> Next + 'static) -> Self {
        Self::ReadBody(Box::new(then))
    }

    /// Asks a job's object, then goes on.
    ///
    /// # Errors
    /// [`Problem::Internal`], where the request cannot be written as JSON.
    pub fn call(
        object: Object,
        request: &JobRequest,
        then: impl FnOnce(Result<Reply, Unreachable>) -> Next + 'static,
    ) -> Next {
        Ok(Self::Call { object, request: json(request)?, then: Box::new(then) })
    }

    /// Asks a job's object for a stream; goes on where it gives none.
    ///
    /// # Errors
    /// The same.
    pub fn stream(
        request: &StreamRequest,
        then: impl FnOnce(Result<Reply, Unreachable>) -> Next + 'static,
    ) -> Next {
        let (job, answer) = (request.job.clone(), Answer::events());
        Ok(Self::Stream { job, request: json(request)?, answer, then: Box::new(then) })
    }

    /// Asks a list for a page of it, then goes on.
    ///
    /// # Errors
    /// The same.
    pub fn list(
        list: List,
        wanted: &Wanted,
        then: impl FnOnce(Result<Reply, Unreachable>) -> Next + 'static,
    ) -> Next {
        Ok(Self::Call { object: Object::List(list), request: json(wanted)?, then: Box::new(then) })
    }

    /// Has a user's object take a notification, then goes on.
    ///
    /// # Errors
    /// The same.
    pub fn notify(
        request: &inbox::Request,
        then: impl FnOnce(Result<Reply, Unreachable>) -> Next + 'static,
    ) -> Next {
        let object = Object::Inbox(request.user.clone());
        Ok(Self::Call { object, request: json(request)?, then: Box::new(then) })
    }

    /// Asks the objects of several jobs at once, then goes on.
    ///
    /// # Errors
    /// [`Problem::Internal`], where a request cannot be written as JSON.
    pub fn call_all(
        requests: Vec<(JobId, JobRequest)>,
        then: impl FnOnce(Result<Vec<Reply>, Unreachable>) -> Next + 'static,
    ) -> Next {
        let calls = requests.into_iter().map(|(job, request)| Ok((job, json(&request)?)));
        Ok(Self::CallAll { calls: calls.collect::<Result<_, Problem>>()?, then: Box::new(then) })
    }

    /// Takes places in somebody's rate limit, then goes on.
    pub fn limit(
        user: UserId,
        places: usize,
        then: impl FnOnce(Result<bool, Unreachable>) -> Next + 'static,
    ) -> Self {
        Self::Limit { user, places, then: Box::new(then) }
    }

    /// Waits until a time in Unix milliseconds, then goes on.
    pub fn wait(until_ms: u64, then: impl FnOnce(u64) -> Next + 'static) -> Self {
        Self::Wait { until_ms, then: Box::new(then) }
    }
}

/// An object, by what it is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// A job's.
    Job(JobId),
    /// The job's whose reference this is. Where no object can have it, it is one that has kept nothing.
    Ref(JobRef),
    /// That of a list of jobs.
    List(List),
    /// A user's.
    Inbox(UserId),
}

/// Why there is no whole body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoBody {
    /// It is longer than [`REQUEST_BODY_MAX`].
    TooLong,
    /// It broke off: the client went away, or its network did. Hardly anybody reads the answer, but everybody reads the log.
    BrokeOff,
}

impl From<NoBody> for Problem {
    fn from(why: NoBody) -> Self {
        match why {
            NoBody::TooLong => Self::TooLarge,
            NoBody::BrokeOff => Self::Incomplete,
        }
    }
}

/// Why an object, or a rate limit, has not said anything that we understand: the runtime's own words, for our log alone.
#[derive(Debug)]
pub struct Unreachable(pub String);

impl From<Unreachable> for Problem {
    fn from(_: Unreachable) -> Self {
        Self::Unavailable
    }
}

/// The part of a request that arrives before its body.
pub struct Head<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The whole URL, as the runtime has normalised it.
    pub url: &'a str,
    /// Looks a header up by its name in lower case.
    pub header: &'a dyn Fn(&'static str) -> Option<String>,
}

impl Head<'_> {
    /// Refuses a body that would have to be decoded first. `identity` says that it need not be (RFC 9110, 12.5.3).
    ///
    /// # Errors
    /// [`Problem::ContentEncoding`]
    pub fn unencoded(&self) -> Result<(), Problem> {
        let codings = (self.header)("content-encoding").unwrap_or_default();
        let mut codings = codings.split(',').map(str::trim).filter(|coding| !coding.is_empty());
        if codings.all(|coding| coding.eq_ignore_ascii_case("identity")) {
            Ok(())
        } else {
            Err(Problem::ContentEncoding)
        }
    }

    /// Refuses a request that says it is another user's. A browser's tabs share one cookie: a tab of who was signed in before must
    /// not read or post as who is now.
    ///
    /// # Errors
    /// [`Problem::SessionOfAnotherUser`]
    pub(super) fn of_user(&self, user: &UserId) -> Result<(), Problem> {
        match (self.header)("towline-user") {
            Some(named) if named != user.as_str() => Err(Problem::SessionOfAnotherUser),
            _ => Ok(()),
        }
    }
}

/// What differs from request to request and is not in it.
#[derive(Debug, Clone)]
pub struct Moment {
    /// Unix milliseconds.
    pub now_ms: u64,
    /// The request's id, ours: whatever id the caller sends is ignored.
    pub request_id: String,
}

/// What a handler is given: a request with a good session, whose path and method are those of the handler's endpoint.
///
/// It is borrowed, and gone once the handler has returned: what a continuation needs of it, it takes along.
pub struct Asked<'a> {
    /// The request.
    pub head: &'a Head<'a>,
    /// The query of its URL, without `?`, as it came.
    pub query: Option<&'a str>,
    /// Who asks.
    pub session: Rc<Session>,
    /// When, and under which id.
    pub moment: &'a Moment,
    /// The settings.
    pub config: &'a Rc<Config>,
}
