//! The table of endpoints, one file each. Routing, `Allow` and the preflights come from it and from nowhere else.

mod ably_token;
mod description;
mod events;
mod explain;
mod healthz;
mod heartbeat;
mod job;
mod jobs;
mod location;
mod locations;
mod notifications;
mod outbox;
mod refs;
mod stream;
mod whoami;

#[cfg(test)]
mod tests;

use super::path::{self, PathError};
use super::problem::Problem;
use super::shape::Shape;
use super::step::{Asked, Next};
use crate::ids::{JobId, JobRef, UserId};

/// All of them. Of two templates that match a path, the first counts.
static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        path: "/healthz",
        problems: Shape::Details,
        handlers: Handlers::Open(&[("GET", healthz::get)]),
    },
    Endpoint {
        path: "/openapi.json",
        problems: Shape::Details,
        handlers: Handlers::Open(&[("GET", description::operations)]),
    },
    Endpoint {
        path: "/events.schema.json",
        problems: Shape::Details,
        handlers: Handlers::Open(&[("GET", description::events)]),
    },
    Endpoint {
        path: "/api/ably-token",
        problems: Shape::Ably,
        handlers: Handlers::Plain(&[("GET", ably_token::get), ("POST", ably_token::post)]),
    },
    Endpoint {
        path: "/api/jobs",
        problems: Shape::Details,
        handlers: Handlers::Plain(&[("GET", jobs::get)]),
    },
    Endpoint {
        path: "/api/jobs/{jobId}",
        problems: Shape::Details,
        handlers: Handlers::Job(&[("GET", job::get), ("PUT", job::put), ("DELETE", job::delete)]),
    },
    Endpoint {
        path: "/api/jobs/{jobId}/close",
        problems: Shape::Details,
        handlers: Handlers::Job(&[("POST", job::close)]),
    },
    Endpoint {
        path: "/api/jobs/{jobId}/customers/{userId}",
        problems: Shape::Details,
        handlers: Handlers::JobUser(&[("PUT", job::put_customer), ("DELETE", job::delete_customer)]),
    },
    Endpoint {
        path: "/api/jobs/{jobId}/events",
        problems: Shape::Details,
        handlers: Handlers::Job(&[("POST", events::post)]),
    },
    Endpoint {
        path: "/api/jobs/{jobId}/heartbeat",
        problems: Shape::Details,
        handlers: Handlers::Job(&[("POST", heartbeat::post)]),
    },
    Endpoint {
        path: "/api/jobs/{jobId}/location",
        problems: Shape::Details,
        handlers: Handlers::Job(&[("GET", location::get), ("POST", location::post)]),
    },
    Endpoint {
        path: "/api/jobs/{jobId}/locations",
        problems: Shape::Details,
        handlers: Handlers::Job(&[("GET", locations::get)]),
    },
    Endpoint {
        path: "/api/jobs/{jobId}/outbox",
        problems: Shape::Details,
        handlers: Handlers::Job(&[("GET", outbox::get)]),
    },
    Endpoint {
        path: "/api/jobs/{jobId}/outbox/retry",
        problems: Shape::Details,
        handlers: Handlers::Job(&[("POST", outbox::retry)]),
    },
    Endpoint {
        path: "/api/jobs/{jobId}/stream",
        problems: Shape::Details,
        handlers: Handlers::Job(&[("GET", stream::get)]),
    },
    Endpoint {
        path: "/api/policy/explain",
        problems: Shape::Details,
        handlers: Handlers::Plain(&[("POST", explain::post)]),
    },
    Endpoint {
        path: "/api/refs/{ref}",
        problems: Shape::Details,
        handlers: Handlers::Ref(&[("GET", refs::get)]),
    },
    Endpoint {
        path: "/api/users/{userId}/notifications",
        problems: Shape::Details,
        handlers: Handlers::User(&[("POST", notifications::post)]),
    },
    Endpoint {
        path: "/api/whoami",
        problems: Shape::Details,
        handlers: Handlers::Plain(&[("GET", whoami::get)]),
    },
];

/// What the service does under one path.
pub(super) struct Endpoint {
    /// The template of the path: what a log may say of it.
    pub(super) path: &'static str,
    /// How its callers read what went wrong.
    pub(super) problems: Shape,
    handlers: Handlers,
}

/// A handler for each method. A `GET` answers `HEAD` as well.
type Methods<F> = &'static [(&'static str, F)];

/// The handlers, by the ids that are in the path.
#[derive(Clone, Copy)]
enum Handlers {
    /// For anyone: no session, no settings, no other origin's page.
    Open(Methods<fn() -> Next>),
    /// No id.
    Plain(Methods<fn(Asked<'_>) -> Next>),
    /// `{jobId}`
    Job(Methods<fn(Asked<'_>, JobId) -> Next>),
    /// `{jobId}` and `{userId}`
    JobUser(Methods<fn(Asked<'_>, JobId, UserId) -> Next>),
    /// `{ref}`
    Ref(Methods<fn(Asked<'_>, JobRef) -> Next>),
    /// `{userId}`
    User(Methods<fn(Asked<'_>, UserId) -> Next>),
}

/// A handler, with the ids of the path.
#[derive(Debug)]
pub(super) enum Handler {
    Open(fn() -> Next),
    Plain(fn(Asked<'_>) -> Next),
    Job(fn(Asked<'_>, JobId) -> Next, JobId),
    JobUser(fn(Asked<'_>, JobId, UserId) -> Next, JobId, UserId),
    Ref(fn(Asked<'_>, JobRef) -> Next, JobRef),
    User(fn(Asked<'_>, UserId) -> Next, UserId),
}

impl Handler {
    /// Hands it a request.
    pub(super) fn answer(self, asked: Asked<'_>) -> Next {
        match self {
            Self::Open(handler) => handler(),
            Self::Plain(handler) => handler(asked),
            Self::Job(handler, job) => handler(asked, job),
            Self::JobUser(handler, job, user) => handler(asked, job, user),
            Self::Ref(handler, reference) => handler(asked, reference),
            Self::User(handler, user) => handler(asked, user),
        }
    }
}

/// Where a request goes.
pub(super) struct Found {
    pub(super) endpoint: &'static Endpoint,
    /// Nothing where the endpoint does not answer the method.
    pub(super) handler: Option<Handler>,
}

/// Finds the endpoint of a path, which starts with `/` and has no query, and its handler of a method.
///
/// # Errors
/// [`PathError`], whatever the method is.
pub(super) fn find(path: &str, method: &str) -> Result<Found, PathError> {
    let endpoint = ENDPOINTS.iter().find(|endpoint| path::matches(endpoint.path, path));
    let endpoint = endpoint.ok_or(PathError::NotFound)?;
    let mut ids = path::ids(endpoint.path, path);
    let mut segment = || ids.next().unwrap_or_default();
    let handler = match endpoint.handlers {
        Handlers::Open(methods) => answering(methods, method).map(Handler::Open),
        Handlers::Plain(methods) => answering(methods, method).map(Handler::Plain),
        Handlers::Job(methods) => {
            let job = JobId::parse(path::undecoded(segment())?)?;
            answering(methods, method).map(|handler| Handler::Job(handler, job))
        }
        Handlers::JobUser(methods) => {
            let job = JobId::parse(path::undecoded(segment())?)?;
            let user = UserId::parse(path::decoded(segment())?)?;
            answering(methods, method).map(|handler| Handler::JobUser(handler, job, user))
        }
        Handlers::Ref(methods) => {
            let reference = JobRef::parse(path::undecoded(segment())?)?;
            answering(methods, method).map(|handler| Handler::Ref(handler, reference))
        }
        Handlers::User(methods) => {
            let user = UserId::parse(path::decoded(segment())?)?;
            answering(methods, method).map(|handler| Handler::User(handler, user))
        }
    };
    Ok(Found { endpoint, handler })
}

fn answering<F: Copy>(methods: Methods<F>, method: &str) -> Option<F> {
    let method = if method == "HEAD" { "GET" } else { method };
    methods.iter().find(|(name, _)| *name == method).map(|(_, handler)| *handler)
}

/// All of them, each with each of its methods.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = (&'static Endpoint, &'static str)> {
    let is_described = |method: &&str| !["HEAD", "OPTIONS"].contains(method);
    ENDPOINTS.iter().flat_map(move |endpoint| {
        endpoint.method_names().into_iter().filter(is_described).map(move |method| (endpoint, method))
    })
}

impl Endpoint {
    /// Whether it is for anyone, whatever the settings are.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.handlers, Handlers::Open(_))
    }

    /// The methods that it answers, as in `Allow`.
    pub(super) fn methods(&self) -> String {
        self.method_names().join(", ")
    }

    fn method_names(&self) -> Vec<&'static str> {
        let mut methods = match self.handlers {
            Handlers::Open(methods) => names(methods),
            Handlers::Plain(methods) => names(methods),
            Handlers::Job(methods) => names(methods),
            Handlers::JobUser(methods) => names(methods),
            Handlers::Ref(methods) => names(methods),
            Handlers::User(methods) => names(methods),
        };
        if !self.is_open() {
            methods.push("OPTIONS");
        }
        methods
    }

    /// The problem with a method that it does not answer.
    pub(super) fn other_method(&self) -> Problem {
        Problem::Method { allow: self.methods() }
    }
}

fn names<F>(methods: Methods<F>) -> Vec<&'static str> {
    methods
        .iter()
        .flat_map(|(name, _)| [*name].into_iter().chain((*name == "GET").then_some("HEAD")))
        .collect()
}
