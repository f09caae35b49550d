//! What a developer is told of each problem: a cure for every one of them, or the build fails.

mod page;
mod session;

use std::borrow::Cow;

use super::path::PathError;
use super::problem::Problem;
use super::step::Head;
use super::target::Target;
use crate::config::{Config, Misconfigured, Pages};
use crate::hints::Hint;
use crate::locations::post::PostError;
use crate::sessions::SessionError;

/// The request that a hint is about, and the settings that it met.
pub(super) struct Clues<'a> {
    pub(super) config: Result<&'a Config, &'a Misconfigured>,
    pub(super) head: &'a Head<'a>,
    pub(super) target: Target<'a>,
    /// The header `Origin`.
    pub(super) origin: Option<&'a str>,
    /// Whether there is such a route, whatever the method.
    pub(super) is_route: bool,
}

impl Clues<'_> {
    /// The hint of a request that has ended with this problem, or without one: its page's browser may refuse it all the same.
    pub(super) fn hint(&self, problem: Option<&Problem>) -> Option<Hint> {
        match problem {
            // Both come before all that the page's browser makes of the answer.
            Some(problem @ (Problem::Misconfigured | Problem::Session(SessionError::Origin))) => {
                self.of_problem(problem)
            }
            _ => page::hint(self).or_else(|| self.of_problem(problem?)),
        }
    }

    fn pages(&self) -> &Pages {
        match self.config {
            Ok(config) => &config.pages,
            Err(misconfigured) => &misconfigured.pages,
        }
    }

    fn of_problem(&self, problem: &Problem) -> Option<Hint> {
        let cure = match problem {
            Problem::Session(error) => return Some(session::hint(error, self)),
            Problem::Misconfigured => return Some(self.misconfigured()),
            Problem::Path(PathError::NotFound) if self.is_route => {
                let cause = "JOB_REGISTRY is `off`, and without a registry there is no such route";
                return Some(Hint::new(cause, "leave JOB_REGISTRY out, or set it to `on` or `required`"));
            }
            // The job's object says why: it alone knows whether the job is registered.
            Problem::NotAParticipant => return None,
            Problem::NotListed => {
                let cause = "the session's claim `jobs` does not list the job of this request";
                return Some(Hint::new(cause, NOT_LISTED));
            }
            other => cure(other),
        };
        let facts = problem.facts();
        let cause = facts.detail.map_or(Cow::Borrowed(facts.title), Cow::Owned);
        Some(Hint::new(cause, cure))
    }

    fn misconfigured(&self) -> Hint {
        let settings = self.config.err().map(|misconfigured| misconfigured.settings.as_slice());
        let settings = settings.unwrap_or_default().iter();
        let wrong: Vec<_> = settings.map(|bad| format!("{} ({})", bad.variable, bad.rule)).collect();
        let cause = format!("settings are missing or wrong, so nothing is answered: {}", wrong.join("; "));
        Hint::new(
            cause,
            "mend them where they are set, the environment of `npm start` or .dev.vars, and start again; README, Configuration, has the rules",
        )
    }
}

const NOT_LISTED: &str = "list it in `jobs` when your back end signs the session, as the id stands in the path; or register who takes part by PUT /api/jobs/{jobId} and set JOB_REGISTRY=required, which asks no claim";

/// What is to be done about a problem that needs no look at the request.
fn cure(problem: &Problem) -> &'static str {
    match problem {
        // Above.
        Problem::Session(_) | Problem::Misconfigured | Problem::NotAParticipant | Problem::NotListed => "",
        Problem::Path(PathError::NotFound) => {
            "take a route of docs/http.md; behind a proxy or rewrite, look at the path that it passes on, which begins with /api/"
        }
        Problem::Path(PathError::EncodedId | PathError::Id(_)) => {
            "use ids as docs/http.md has them; `toJobId` of @towline/client makes a job id of any name"
        }
        Problem::Method { .. } => "use a method that the answer's header `Allow` names",
        Problem::Query(_) => "mend the parameter: docs/http.md and docs/jobs.md have them by route",
        Problem::Internal => "look for the line of level `error` beside this one, and report it",
        Problem::Unavailable => {
            "look for the line of level `error` beside this one; if there is none, send the request again"
        }
        Problem::JobClosed { .. } | Problem::JobEnded { .. } | Problem::JobForgotten => {
            "nothing opens a job again: give the next piece of work an id of its own"
        }
        Problem::NotRegistered => {
            "register it first: PUT /api/jobs/{jobId} with `driver` and `customers`, as dispatcher, admin or service"
        }
        Problem::OtherVersion { .. } => {
            "read the job: to change it, send your change to what it is now with that answer's `ETag` as If-Match; to make another one, take another id"
        }
        Problem::Job(_) => "mend the body of the PUT: docs/jobs.md, Registering a job, has its members",
        Problem::IfMatch => "send the `ETag` of the job as it came, with its quotes",
        Problem::IfNoneMatch => "send `If-None-Match: *`, or none",
        Problem::NotADispatcher => {
            "ask with a session whose `role` is `dispatcher`, `admin` or `service`: a back end signs itself one with `service`"
        }
        Problem::OwnJobsOnly => "ask for `?mine`, or with a session whose `role` is `dispatcher`",
        Problem::NoOwnJobs => {
            "ask for `?state=open`, or with a session whose `role` is `driver` or `customer`"
        }
        Problem::SessionOfAnotherUser => {
            "give `createTowline` as `user` exactly the session's `sub`; where it is, somebody else has signed in in another tab"
        }
        Problem::TooManyUnknownJobs => {
            "ask for jobs that are registered with this user; the limit is UNKNOWN_JOBS in wrangler.toml"
        }
        Problem::NotADriver => {
            "post with a session whose `role` is `driver`, or `service` with `driver` in the body"
        }
        Problem::NotAnOperator => "ask with a session whose `role` is `admin` or `service`",
        Problem::ContentEncoding => "send the body as it is, without Content-Encoding",
        Problem::TooLarge | Problem::Post(PostError::TooLarge | PostError::TooMany) => {
            "send it in parts, of at most 100 fixes and 64 KiB"
        }
        Problem::Incomplete => {
            "send it again; if that goes on, look at what stands between client and service"
        }
        Problem::Post(_) => "mend the body: docs/http.md, Posting locations, has the fields and the reasons",
        Problem::IdempotencyKey(_) => "send a key of 1 to 64 printable ASCII characters",
        Problem::UnknownRef => "take the `ref` of a log line of this very deployment",
        Problem::TooFast { .. } => {
            "send the same again after `Retry-After`; JOB_FIX_RATE and JOB_FIX_BURST are the limits"
        }
        Problem::Backlog | Problem::NotificationBacklog => {
            "see why Ably takes nothing: GET /api/jobs/{jobId}/outbox, and the lines `publish_failed` of the log"
        }
        Problem::TooManyStreams => {
            "close streams that nobody reads: 5 a user and 200 a job are the limits; React effects need a clean-up"
        }
        Problem::Range => "send the range as GET /api/jobs/{jobId}/outbox has it in `setAside`",
        Problem::NotSetAside => "look at `setAside` of the outbox: only what stands there is sent again",
        Problem::Event(_) => "mend the body: docs/jobs.md, Events of your platform, has its members",
        Problem::IdReused => {
            "give each event and each notification an `id` of its own, and repeat one unchanged"
        }
        Problem::TrailFull => "raise JOB_TRAIL_MAX, or give the next piece of work a job of its own",
        Problem::Question(_) => "mend the body: docs/http.md, May somebody do something?, has its members",
        Problem::NotAForm => "send the parameters as application/x-www-form-urlencoded, or in the query",
        Problem::FormNotUtf8 => "send the parameters form-encoded in UTF-8",
        Problem::Token(error) => token_cure(error.code),
        Problem::Notification(_) => "mend the body: docs/http.md, Notifications, has its members",
        Problem::NotificationTooLarge => {
            "send an id and a version, and let whoever is notified ask for the rest"
        }
    }
}

/// What is to be done about a refusal that has a code of Ably's.
fn token_cure(code: u32) -> &'static str {
    match code {
        40003 => {
            "mend the parameter, in `authParams` or in the `authUrl`: docs/http.md, Ably tokens, has them"
        }
        40100 => {
            "renew the session; one that always comes too late lives too short, or its issuer's clock is wrong"
        }
        40102 => {
            "leave `clientId` out of the client's options, or give it the session's `sub`; after another user has signed in, make a new client"
        }
        40160 => {
            "see that `jobId` and the session's `jobs` name the same job, and that it is registered with this user; POST /api/policy/explain says which rule decides"
        }
        40300 => "pass `jobId`: a token for so many jobs is too long",
        _ => "look for the line of level `error` beside this one",
    }
}
