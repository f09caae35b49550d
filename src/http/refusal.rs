//! The refusals of [`service`](super::service): each explained to whoever can change it, and quoting nothing that was sent.

use ably::ErrorInfo;

use super::answer::Answer;
use super::problem::Problem;
use super::route::{Route, RouteError};
use crate::locations::post::PostError;
use crate::sessions::SessionError;

/// How long a caller should wait where a job's object cannot answer, in seconds.
const RETRY_AFTER_SECONDS: u32 = 2;

/// The same bytes whether or not there is such a job.
pub(super) fn not_a_participant() -> Answer {
    Problem::new(403, "not_a_participant", "The session does not take part in this job").into()
}

/// A role that posts no locations.
pub(super) fn not_a_driver() -> Answer {
    let title = "Only the job's driver, or the back end for them, posts locations";
    Problem::new(403, "not_a_driver", title).into()
}

/// A role that does not run the platform.
pub(super) fn not_an_operator() -> Answer {
    let title = "Only an admin or the back end sees how the service is doing";
    Problem::new(403, "not_an_operator", title).into()
}

/// A job's object that does not answer.
pub(super) fn unavailable() -> Answer {
    let title = "The job cannot be reached just now: try again, a retry repeats nothing";
    Problem::new(503, "unavailable", title).retry_after(RETRY_AFTER_SECONDS).into()
}

/// A path that leads nowhere.
pub(super) fn path(error: &RouteError) -> Answer {
    match error {
        RouteError::NotFound => Problem::new(404, "not_found", "There is no such route").into(),
        RouteError::EncodedId | RouteError::Id(_) => {
            let reason = if *error == RouteError::EncodedId { "percent_encoded" } else { "invalid_id" };
            let problem = Problem::new(400, "invalid_id", "An id in the path is not valid").reason(reason);
            problem.detail(error.to_string()).into()
        }
    }
}

/// A method that the route does not have, with those that it has.
pub(super) fn method(route: &Route) -> Answer {
    let title = "The route does not answer this method";
    let answer = match route {
        Route::AblyToken => Answer::ably_error(ErrorInfo::new(40500, 405, title), "method_not_allowed"),
        _ => Problem::new(405, "method_not_allowed", title).into(),
    };
    answer.with("allow", route.methods())
}

/// No session, in the shape that the route's callers read.
pub(super) fn session(route: &Route, error: &SessionError) -> Answer {
    let challenge = |answer: Answer| match error.status() {
        401 => answer.with("www-authenticate", "Bearer"),
        _ => answer,
    };
    challenge(match route {
        Route::AblyToken => Answer::ably_error(error.clone().into(), error.name()),
        _ => {
            let problem = Problem::new(error.status(), error.name(), "The session is not accepted");
            let problem = if error.status() == 400 { problem.reason(error.name()) } else { problem };
            problem.detail(error.to_string()).into()
        }
    })
}

/// A body that is no post.
pub(super) fn post(error: &PostError) -> Answer {
    let problem = match error {
        PostError::TooLarge | PostError::TooMany => {
            Problem::new(413, "too_large", "A post is at most 64 KiB long and holds at most 100 fixes")
        }
        PostError::Invalid(_) => Problem::new(400, "invalid_fix", "The fix is not valid"),
        PostError::Empty
        | PostError::NotUtf8
        | PostError::ByteOrderMark
        | PostError::NotJson { .. }
        | PostError::SentAt(_) => Problem::new(400, "invalid_post", "The post is not valid"),
    };
    let field = error.field().map(|field| field.name());
    problem.reason(error.reason()).field(field).detail(error.to_string()).into()
}
