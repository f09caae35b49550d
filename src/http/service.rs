//! From a request to its answer, in steps.
//!
//! The order is a promise: the path before the session, the session before the body, the claims before the job's object. So nothing is
//! read for a caller who may not send it, and no object is touched for one who has no business with the job.

#[cfg(test)]
mod tests;

use ably::ErrorInfo;

use super::access::{driver_of, takes_part};
use super::answer::Answer;
use super::cors::Cors;
use super::problem::Problem;
use super::refusal;
use super::route::{Route, RouteError};
use super::target::Target;
use crate::config::{Config, Misconfigured};
use crate::ids::{FixId, JobId, JobRef, UserId};
use crate::locations::post::{BODY_MAX, PostError};
use crate::locations::{Identity, JobRequest, Post, Sender};
use crate::sessions::{Credentials, Role, Session, SessionError, session_token};
use crate::tokens::{self, Issued, Policy, TokenParams};

/// The longest body that any route reads, in bytes.
pub const REQUEST_BODY_MAX: usize = BODY_MAX;
/// The part of a request that arrives before its body.
pub struct Head<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The whole URL, as the runtime has normalised it.
    pub url: &'a str,
    /// Looks a header up by its name in lower case.
    pub header: &'a dyn Fn(&str) -> Option<String>,
}

/// What differs from request to request and is not in it.
pub struct Moment {
    /// Unix milliseconds.
    pub now_ms: u64,
    /// The request's id, ours: whatever id the caller sends is ignored.
    pub request_id: String,
}

/// What stays true of a request until its answer has left.
pub struct Visit {
    request_id: String,
    origin: Option<String>,
    method: String,
    /// The path's template; nothing where it leads nowhere.
    template: Option<&'static str>,
}

/// What has to happen next.
pub enum Step {
    /// Nothing: this is the answer.
    Done(Answer),
    /// Read the body and hand it to [`Service::with_body`].
    ReadBody(Body),
    /// Send the job's object this text by RPC and hand its answer to [`Service::called`].
    Call {
        /// Whose object.
        job: JobId,
        /// A [`JobRequest`] in JSON.
        request: String,
    },
    /// Send this text to the object of this id, where there can be one, and hand its answer to [`Service::identified`].
    Identify {
        /// The object's id.
        reference: JobRef,
        /// A [`JobRequest`] in JSON.
        request: String,
    },
}

/// What the body is wanted for, by whom.
pub enum Body {
    /// The parameters of a token.
    Token {
        /// Who asks.
        session: Session,
        /// The URL's own parameters.
        query: Option<String>,
    },
    /// Fixes.
    Fixes {
        /// Of which job.
        job: JobId,
        /// The driver who posts; nothing for the back end, which names the driver in the body.
        driver: Option<UserId>,
        /// The `Idempotency-Key`.
        key: Option<FixId>,
    },
}

/// Why there is no whole body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoBody {
    /// It is longer than [`REQUEST_BODY_MAX`].
    TooLong,
    /// It broke off: the client went away, or its network did. Hardly anybody reads the answer, but everybody reads the log.
    BrokeOff,
}

/// Why an object did not answer: the runtime's own words, for our log alone.
#[derive(Debug)]
pub struct Unreachable(pub String);

/// The whole service, less what only the runtime can do.
pub struct Service {
    config: Result<Config, Misconfigured>,
}

impl Service {
    /// A service with its settings, or one that answers `misconfigured`.
    pub fn new(config: Result<Config, Misconfigured>) -> Self {
        Self { config }
    }

    /// Decides how far a request gets without its body.
    pub fn open(&self, head: &Head<'_>, moment: &Moment) -> (Visit, Step) {
        let target = Target::of(head.url);
        let route = Route::parse(target.path);
        let visit = Visit {
            request_id: moment.request_id.clone(),
            origin: (head.header)("origin"),
            method: head.method.to_owned(),
            template: route.as_ref().ok().map(Route::template),
        };
        let step = self.route(head, &target, route, &visit, moment).unwrap_or_else(Step::Done);
        (visit, step)
    }

    /// Goes on with the body.
    pub fn with_body(&self, wanted: Body, body: Result<&[u8], NoBody>, moment: &Moment) -> Step {
        let step = match (wanted, body) {
            (Body::Token { session, query }, Ok(body)) => form(body)
                .and_then(|form| self.token(&session, query.as_deref(), Some(form), moment))
                .map(Step::Done),
            (Body::Token { .. }, Err(NoBody::TooLong)) => {
                let error = ErrorInfo::new(40009, 413, "the parameters of a token are at most 64 KiB long");
                Err(Answer::ably_error(error, "too_large"))
            }
            (Body::Token { .. }, Err(NoBody::BrokeOff)) => {
                let error = ErrorInfo::new(40000, 408, "the parameters of the token broke off");
                Err(Answer::ably_error(error, "incomplete_body"))
            }
            (Body::Fixes { job, driver, key }, Ok(body)) => {
                let sender = driver.as_ref().map_or(Sender::Service, Sender::Driver);
                Post::parse(body, sender, key.as_ref())
                    .map_err(|error| refusal::post(&error))
                    .and_then(|post| call(&job, JobRequest::Post { job: job.clone(), post }))
            }
            (Body::Fixes { .. }, Err(NoBody::TooLong)) => Err(refusal::post(&PostError::TooLarge)),
            (Body::Fixes { .. }, Err(NoBody::BrokeOff)) => {
                Err(Problem::new(408, "incomplete_body", "The body broke off before its end").into())
            }
        };
        step.unwrap_or_else(Step::Done)
    }

    /// Makes the answer of what a job's object said.
    pub fn called(&self, said: Result<String, Unreachable>) -> Answer {
        match said {
            Ok(body) => Answer::json(200, body),
            Err(_) => refusal::unavailable(),
        }
    }

    /// Makes the answer of what the object of a reference said; nothing, where there can be no such object.
    pub fn identified(&self, reference: &JobRef, said: Result<Option<String>, Unreachable>) -> Answer {
        let Ok(said) = said else { return refusal::unavailable() };
        let identity = said.and_then(|text| serde_json::from_str::<Identity>(&text).ok());
        match identity.and_then(|identity| identity.job_id) {
            Some(job) => Answer::json(200, serde_json::json!({"ref": reference, "jobId": job}).to_string()),
            None => Problem::new(404, "unknown_ref", "There is no job with this reference").into(),
        }
    }

    /// Adds to an answer what every answer carries.
    pub fn finish(&self, mut answer: Answer, visit: &Visit) -> Answer {
        answer =
            answer.with("x-request-id", visit.request_id.clone()).with("x-content-type-options", "nosniff");
        if visit.template != Some(Route::Healthz.template()) {
            answer =
                self.cors().share(answer, visit.origin.as_deref()).with("cache-control", "private, no-store");
        }
        if visit.method == "HEAD" {
            answer.body.clear();
        }
        answer
    }

    /// The one log line of a request, in JSON: no path, no query, no id of a person or a job, no coordinate.
    pub fn log_line(&self, answer: &Answer, visit: &Visit, duration_ms: u64) -> String {
        let method: String = visit.method.chars().take(10).collect();
        let mut line = serde_json::json!({
            "level": if answer.status >= 500 { "error" } else { "info" },
            "requestId": visit.request_id,
            "method": method,
            "route": visit.template.unwrap_or("none"),
            "status": answer.status,
            "ms": duration_ms,
        });
        if let (Some(code), Some(fields)) = (answer.code, line.as_object_mut()) {
            fields.insert("code".to_owned(), code.into());
        }
        line.to_string()
    }

    /// The settings that do not hold, for the log.
    pub fn misconfigured(&self) -> Option<&Misconfigured> {
        self.config.as_ref().err()
    }

    fn cors(&self) -> &Cors {
        match &self.config {
            Ok(config) => &config.cors,
            Err(misconfigured) => &misconfigured.cors,
        }
    }

    fn route(
        &self,
        head: &Head<'_>,
        target: &Target<'_>,
        route: Result<Route, RouteError>,
        visit: &Visit,
        moment: &Moment,
    ) -> Result<Step, Answer> {
        if route == Ok(Route::Healthz) {
            return healthz(head.method).map(Step::Done);
        }
        // Before all that may be wrong: a browser whose preflight is refused lets no page read why.
        let wanted = (head.header)("access-control-request-method").filter(|_| head.method == "OPTIONS");
        if let Some(wanted) = wanted {
            let methods = route.as_ref().ok().filter(|route| route.answers(&wanted)).map(Route::methods);
            let methods = methods.unwrap_or(Route::ANY_METHOD);
            return Ok(Step::Done(self.cors().preflight(visit.origin.as_deref(), methods)));
        }
        let Ok(config) = &self.config else {
            return Err(match route {
                Ok(Route::AblyToken) => {
                    Answer::ably_error(ErrorInfo::new(50000, 503, "misconfigured"), "misconfigured")
                }
                _ => Problem::new(
                    503,
                    "misconfigured",
                    "The service is misconfigured; its log names the setting",
                )
                .into(),
            });
        };
        let route = route.map_err(|error| refusal::path(&error))?;
        if head.method == "OPTIONS" {
            return Ok(Step::Done(Answer::empty(204).with("allow", route.methods())));
        }
        if !route.answers(head.method) {
            return Err(refusal::method(&route));
        }
        let session =
            session(config, head, target, visit, moment).map_err(|error| refusal::session(&route, &error))?;
        match (route, head.method) {
            (Route::Healthz, _) => healthz(head.method).map(Step::Done),
            (Route::AblyToken, "POST") => {
                if is_encoded(head) {
                    let error = ErrorInfo::new(40000, 415, "a body is sent without Content-Encoding");
                    return Err(Answer::ably_error(error, "content_encoding"));
                }
                if !(head.header)("content-type").is_none_or(|given| is_form(&given)) {
                    let error = ErrorInfo::new(40000, 415, "the parameters of a token are form-encoded");
                    return Err(Answer::ably_error(error, "content_type"));
                }
                let query = target.query.map(str::to_owned);
                Ok(Step::ReadBody(Body::Token { session, query }))
            }
            (Route::AblyToken, _) => self.token(&session, target.query, None, moment).map(Step::Done),
            (Route::Location(job), "POST") => {
                let driver = driver_of(session, &job)?;
                if is_encoded(head) {
                    return Err(Problem::new(
                        415,
                        "content_encoding",
                        "A body is sent without Content-Encoding",
                    )
                    .into());
                }
                let key = match (head.header)("idempotency-key").map(FixId::parse) {
                    None => None,
                    Some(Ok(key)) => Some(key),
                    Some(Err(rule)) => {
                        return Err(Problem::new(
                            400,
                            "invalid_idempotency_key",
                            "The Idempotency-Key is not valid",
                        )
                        .reason("invalid_id")
                        .detail(rule.to_string())
                        .into());
                    }
                };
                Ok(Step::ReadBody(Body::Fixes { job, driver, key }))
            }
            (Route::Location(job), _) => {
                if !takes_part(&session, &job) {
                    return Err(refusal::not_a_participant());
                }
                call(&job, JobRequest::State { job: job.clone() })
            }
            (Route::Ref(reference), _) => match session.role {
                Role::Admin | Role::Service => {
                    Ok(Step::Identify { reference, request: text(&JobRequest::Identify)? })
                }
                Role::Driver | Role::Dispatcher | Role::Customer => Err(refusal::not_an_operator()),
            },
        }
    }

    fn token(
        &self,
        session: &Session,
        query: Option<&str>,
        form: Option<&str>,
        moment: &Moment,
    ) -> Result<Answer, Answer> {
        let Ok(config) = &self.config else { return Err(Answer::empty(503)) };
        let refused = |error: ErrorInfo| Answer::ably_error(error, "token_refused");
        let params = TokenParams::parse(query, form).map_err(refused)?;
        // The request's id is 122 random bits of our own that nobody has seen yet.
        let nonce = || moment.request_id.clone();
        let issued =
            tokens::issue(&config.token_key, Policy::compiled(), session, &params, moment.now_ms, nonce);
        Ok(match issued.map_err(refused)? {
            Issued::Jwt(token) => Answer::new(200, "application/jwt", token),
            Issued::TokenRequest(request) => {
                Answer::json(200, serde_json::to_string(&request).unwrap_or_default())
            }
        })
    }
}

/// Whether the body would have to be decoded first. `identity` says that it need not be (RFC 9110, 12.5.3).
fn is_encoded(head: &Head<'_>) -> bool {
    let codings = (head.header)("content-encoding").unwrap_or_default();
    codings
        .split(',')
        .map(str::trim)
        .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
}

fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn form(body: &[u8]) -> Result<&str, Answer> {
    str::from_utf8(body)
        .map_err(|_| Answer::ably_error(ErrorInfo::new(40000, 400, "the form is not UTF-8"), "token_refused"))
}

fn healthz(method: &str) -> Result<Answer, Answer> {
    match method {
        "GET" | "HEAD" => {
            let body = serde_json::json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}).to_string();
            Ok(Answer::json(200, body).with("cache-control", "no-store"))
        }
        _ => Err(refusal::method(&Route::Healthz)),
    }
}

fn session(
    config: &Config,
    head: &Head<'_>,
    target: &Target<'_>,
    visit: &Visit,
    moment: &Moment,
) -> Result<Session, SessionError> {
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

fn call(job: &JobId, request: JobRequest) -> Result<Step, Answer> {
    Ok(Step::Call { job: job.clone(), request: text(&request)? })
}

fn text(request: &JobRequest) -> Result<String, Answer> {
    serde_json::to_string(request)
        .map_err(|_| Problem::new(500, "internal", "The service has made a mistake").into())
}
