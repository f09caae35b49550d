//! From a request to its answer, in steps.
//!
//! The order is a promise: the path before the session, the session before the body, the claims before the job's object. So nothing is
//! read for a caller who may not send it, and no object is touched for one who has no business with the job.

#[cfg(test)]
mod tests;

use std::rc::Rc;

use serde::Serialize;

use super::answer::{Answer, REQUEST_ID};
use super::cors::Cors;
use super::endpoints::{self, Endpoint, Found, Handler};
use super::hint::Clues;
use super::path::PathError;
use super::problem::Problem;
use super::shape::Shape;
use super::step::{Asked, Head, Moment, Next, Step};
use super::target::Target;
use crate::config::{Config, Misconfigured};
use crate::hints::Hints;
use crate::sessions::{Credentials, Session, SessionError, session_token};

/// What a page may try where there is no route, or none with that method, so that it can read as much.
const ANY_METHOD: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// What stays true of a request until its answer has left.
pub struct Visit {
    request_id: String,
    origin: Option<String>,
    method: String,
    /// Nothing where the path leads nowhere.
    endpoint: Option<&'static Endpoint>,
}

impl Visit {
    /// As much of the method as a log has.
    fn method_cut(&self) -> &str {
        self.method.get(..10.min(self.method.len())).unwrap_or_default()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogLine<'a> {
    level: &'static str,
    request_id: &'a str,
    method: &'a str,
    route: &'static str,
    status: u16,
    ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

/// The whole service, less what only the runtime can do.
pub struct Service {
    config: Result<Rc<Config>, Misconfigured>,
    cors: Cors,
    /// Nothing where this is no development set-up.
    hints: Option<Hints>,
}

impl Service {
    /// A service with its settings, or one that answers `misconfigured`.
    pub fn new(config: Result<Config, Misconfigured>) -> Self {
        let pages = config.as_ref().map_or_else(|wrong| &wrong.pages, |config| &config.pages);
        let cors = Cors::new(pages);
        let hints = config.as_ref().map_or_else(|wrong| wrong.hints, |config| config.hints);
        Self { config: config.map(Rc::new), cors, hints: Hints::of(hints) }
    }

    /// Takes a request as far as it gets without waiting.
    pub fn open(&self, head: &Head<'_>, moment: &Moment) -> (Visit, Next) {
        let target = Target::of(head.url);
        let found = endpoints::find(target.path, head.method);
        let visit = Visit {
            request_id: moment.request_id.clone(),
            origin: (head.header)("origin"),
            method: head.method.to_owned(),
            endpoint: found.as_ref().ok().map(|found| found.endpoint),
        };
        let next = self.admit(head, &target, found, &visit, moment);
        (visit, next)
    }

    /// Makes the answer of how a request has ended: a problem in the shape of its route, and on every answer what every answer
    /// carries.
    pub fn finish(&self, outcome: Result<Answer, Problem>, visit: &Visit) -> Answer {
        let shape = visit.endpoint.map_or(Shape::Details, |endpoint| endpoint.problems);
        let mut answer = outcome.unwrap_or_else(|problem| shape.answer(&problem));
        answer = answer.with(REQUEST_ID, visit.request_id.clone()).with("x-content-type-options", "nosniff");
        if !visit.endpoint.is_some_and(Endpoint::is_open) {
            // Whoever compresses a stream on its way holds it back.
            let caching =
                if answer.is_stream { "private, no-store, no-transform" } else { "private, no-store" };
            answer = self.cors.share(answer, visit.origin.as_deref()).with("cache-control", caching);
        }
        if visit.method == "HEAD" {
            answer.body.clear();
        }
        answer
    }

    /// The one log line of a request, in JSON: no path, no query, no id of a person or a job, no coordinate.
    pub fn log_line(&self, answer: &Answer, visit: &Visit, duration_ms: u64) -> String {
        let line = LogLine {
            level: if answer.status >= 500 { "error" } else { "info" },
            request_id: &visit.request_id,
            method: visit.method_cut(),
            route: visit.endpoint.map_or("none", |endpoint| endpoint.path),
            status: answer.status,
            ms: duration_ms,
            code: answer.code,
        };
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// Whether a developer is told what is amiss.
    pub fn has_hints(&self) -> bool {
        self.hints.is_some()
    }

    /// What a developer is told of how a request has ended, as a line of the log beside that of the request; nothing where there is
    /// nothing to tell, or the same was told a moment ago.
    #[cold]
    pub fn hint(
        &self,
        outcome: &Result<Answer, Problem>,
        head: &Head<'_>,
        visit: &Visit,
        now_ms: u64,
    ) -> Option<String> {
        let hints = self.hints.as_ref()?;
        if visit.endpoint.is_some_and(Endpoint::is_open) {
            return None;
        }
        let problem = outcome.as_ref().err();
        let clues = Clues {
            config: self.config.as_deref(),
            head,
            target: Target::of(head.url),
            origin: visit.origin.as_deref(),
            is_route: visit.endpoint.is_some(),
        };
        let hint = clues.hint(problem)?;
        let route = visit.endpoint.map_or("an unknown path", |endpoint| endpoint.path);
        let method = visit.method_cut();
        let what = match problem.map(Problem::facts) {
            Some(facts) => format!("{} {} at {method} {route}", facts.status, facts.name),
            None => format!("{method} {route}"),
        };
        hints.line(&what, &hint, now_ms)
    }

    /// The settings that do not hold, for the log.
    pub fn misconfigured(&self) -> Option<&Misconfigured> {
        self.config.as_ref().err()
    }

    /// Lets a request in to its handler, once all that comes before it is in order.
    fn admit(
        &self,
        head: &Head<'_>,
        target: &Target<'_>,
        found: Result<Found, PathError>,
        visit: &Visit,
        moment: &Moment,
    ) -> Next {
        if let Ok(Found { endpoint, handler }) = &found
            && endpoint.is_open()
        {
            return match handler {
                Some(Handler::Open(handler)) => handler(),
                _ => Err(endpoint.other_method()),
            };
        }
        // Before all that may be wrong: a browser whose preflight is refused lets no page read why.
        if head.method == "OPTIONS"
            && let Some(wanted) = (head.header)("access-control-request-method")
        {
            let methods = found.ok().map(|found| found.endpoint.methods());
            let methods = methods.filter(|methods| methods.split(", ").any(|method| method == wanted));
            let methods = methods.as_deref().unwrap_or(ANY_METHOD);
            return Ok(Step::Done(self.cors.preflight(visit.origin.as_deref(), methods)));
        }
        let config = self.config.as_ref().map_err(|_| Problem::Misconfigured)?;
        let Found { endpoint, handler } = found?;
        if head.method == "OPTIONS" {
            return Ok(Step::Done(Answer::empty(204).with("allow", endpoint.methods())));
        }
        let handler = handler.ok_or_else(|| endpoint.other_method())?;
        // Known at once, so nothing is waited for. Verification that has to fetch keys first is a step that is returned from here;
        // its continuation is the rest of this function, which takes the handler along, and the head from whoever drives the steps.
        let session = session(config, head, target, visit, moment)?;
        head.of_user(&session.user)?;
        handler.answer(Asked { head, query: target.query, session, moment, config })
    }
}

fn session(
    config: &Config,
    head: &Head<'_>,
    target: &Target<'_>,
    visit: &Visit,
    moment: &Moment,
) -> Result<Rc<Session>, SessionError> {
    let authorization = (head.header)("authorization");
    let cookie = config.session_cookie.as_ref().and_then(|_| (head.header)("cookie"));
    let credentials = Credentials {
        method: head.method,
        own_origin: target.origin,
        query: target.query,
        authorization: authorization.as_deref(),
        cookie: cookie.as_deref(),
        origin: visit.origin.as_deref(),
    };
    let token = session_token(&credentials, config.session_cookie.as_ref())?;
    config.verifier.verify(token, moment.now_ms)
}
