//! Each operation of the table: what it is for, what it takes, and what it answers.

use ably::ErrorInfo;
use serde_json::{Value, json};
use strum::IntoEnumIterator;

use super::operation::Operation;
use super::schemas::{Schemas, reference};
use super::shapes::{close, closed, health, heartbeat, token_form, token_parameters, whoami};
use crate::http::path::PathError;
use crate::http::problem::{Problem, samples};
use crate::ids::{DispatchId, FixId, IdError, JobId};
use crate::jobs::registration::EndReason;
use crate::jobs::told::Told;
use crate::jobs::{Update, Wanted, update::Announced};
use crate::locations::Post;
use crate::locations::place::Place;
use crate::locations::protocol::{Heard, OutboxSeen, PostAnswer, Range, Resending};
use crate::locations::trail::LIMIT_MAX;
use crate::streams::Mark;
use crate::tokens::{Explanation, Question};

/// The operation of a method and a path of the table.
pub(super) fn of(method: &str, path: &str, schemas: &mut Schemas) -> Operation {
    let operation = match (method, path) {
        ("GET", "/healthz") => Operation::new("getHealth", "Liveness and version").json(
            200,
            "It is alive, well configured or not.",
            health(),
        ),
        ("GET", "/openapi.json") => Operation::new("getDescription", "This description").json(
            200,
            "The description.",
            json!({"type": "object"}),
        ),
        ("GET", "/events.schema.json") => Operation::new(
            "getEvents",
            "The events of channels and streams, as JSON Schema",
        )
        .contents(200, "The schema.", [("application/schema+json", json!({"type": "object"}))]),
        ("GET", "/api/ably-token") => token("getAblyToken"),
        ("POST", "/api/ably-token") => token("postAblyToken")
            .body("application/x-www-form-urlencoded", token_form())
            .problems([Problem::NotAForm, Problem::FormNotUtf8]),
        ("GET", "/api/jobs") => jobs(schemas),
        ("GET", "/api/jobs/{jobId}") => Operation::new("getJob", "A job, as whoever asks may know it")
            .json(200, "The job.", schemas.of::<Told>())
            .answers_with(200, "ETag")
            .problems(participant())
            .problems([Problem::NotRegistered, without_registry()]),
        ("PUT", "/api/jobs/{jobId}") => manager("putJob", "Registers a job, or changes who takes part")
            .header("If-Match", IF_MATCH, if_match())
            .header(
                "If-None-Match",
                "`*`: only where it is not registered yet, and never with `If-Match`.",
                json!({"type": "string", "pattern": r"^\*?$"}),
            )
            .problems([Problem::IfNoneMatch])
            .json_body::<Wanted>(schemas)
            .json(200, "As it is registered, now or already.", schemas.of::<Told>())
            .answers_with(200, "ETag")
            .json(201, "It was not registered before.", schemas.of::<Told>())
            .answers_with(201, "ETag")
            .problems(samples::jobs())
            .problems(changing()),
        ("DELETE", "/api/jobs/{jobId}") => manager("forgetJob", "Closes a job, and forgets it")
            .empty(204, "It is forgotten, now or already.")
            .problems([Problem::NotRegistered, without_registry()]),
        ("POST", "/api/jobs/{jobId}/close") => manager("closeJob", "Closes a job, for good")
            .body("application/json", close())
            .json(200, "It is closed, now or already.", closed(schemas))
            .answers_with(200, "ETag")
            .problems(samples::jobs())
            .problems([Problem::NotRegistered, without_registry()]),
        ("PUT", "/api/jobs/{jobId}/customers/{userId}") => {
            customer("addCustomer", "Lets a customer take part", schemas)
        }
        ("DELETE", "/api/jobs/{jobId}/customers/{userId}") => {
            customer("removeCustomer", "Lets a customer take part no more", schemas)
        }
        ("POST", "/api/jobs/{jobId}/events") => {
            manager("announceEvent", "An event of the platform's, in order with the fixes")
                .json_body::<Update>(schemas)
                .json(202, "It is told, once.", schemas.of::<Announced>())
                .problems(samples::events())
                .problems([Problem::JobClosed { status: 409 }, Problem::IdReused, Problem::TrailFull])
                .problems([Problem::TooFast { retry_after: 1 }, Problem::Backlog])
        }
        ("POST", "/api/jobs/{jobId}/heartbeat") => {
            driver("sendHeartbeat", "The driver's phone is heard of, without a position")
                .body("application/json", heartbeat(schemas))
                .json(200, "What it was to the job.", schemas.of::<Heard>())
                .problems(samples::jobs())
        }
        ("GET", "/api/jobs/{jobId}/location") => {
            Operation::new("getLocation", "The first state: the last live fix")
                .json(
                    200,
                    "The fix, or that there is none, or none to show.",
                    reference("schemas", "FirstState"),
                )
                .problems(participant())
        }
        ("POST", "/api/jobs/{jobId}/location") => driver("postLocation", "One fix, or a batch of them")
            .header(
                "Idempotency-Key",
                "Names the fixes that have no `id`, by their places.",
                schemas.of::<FixId>(),
            )
            .json_body::<Post>(schemas)
            .json(
                200,
                "The post was taken: `results[i]` is what has become of `locations[i]`.",
                schemas.of::<PostAnswer>(),
            )
            .problems(samples::posts())
            .problems([Problem::IdempotencyKey(IdError::Fix)])
            .problems([Problem::TooFast { retry_after: 1 }, Problem::Backlog]),
        ("GET", "/api/jobs/{jobId}/locations") => trail(schemas),
        ("GET", "/api/jobs/{jobId}/stream") => {
            Operation::new("streamJob", "What happens in a job, as server-sent events")
                .query("after", "The id of the event after which to begin.", schemas.of::<Mark>())
                .header(
                    "Last-Event-ID",
                    "The same, and counts where both are there. What is no id begins anew.",
                    json!({"type": "string"}),
                )
                .contents(
                    200,
                    "Events, as `events.schema.json` has them.",
                    [("text/event-stream", Value::Null)],
                )
                .problems(samples::queries())
                .problems(participant())
                .problems([Problem::TooManyStreams])
        }
        ("GET", "/api/jobs/{jobId}/outbox") => operator(
            "getOutbox",
            "What of a job has not reached Ably, and why",
        )
        .json(200, "How it is doing.", schemas.of::<OutboxSeen>()),
        ("POST", "/api/jobs/{jobId}/outbox/retry") => {
            operator("retryOutbox", "Sends once more what Ably has refused for good")
                .json_body::<Range>(schemas)
                .json(202, "It is sent once more.", schemas.of::<Resending>())
                .problems([Problem::Range, Problem::NotSetAside])
        }
        ("POST", "/api/policy/explain") => {
            operator("explainPolicy", "Whether somebody may do something, and what says so")
                .json_body::<Question>(schemas)
                .json(200, "Whether they may.", schemas.of::<Explanation>())
                .problems(samples::questions())
        }
        ("GET", "/api/refs/{ref}") => operator("getReference", "Which job a line of the log is about")
            .json(200, "The job.", reference("schemas", "Reference"))
            .problems([Problem::UnknownRef]),
        ("POST", "/api/users/{userId}/notifications") => {
            manager("notifyUser", "A small event for one person")
                .body("application/json", reference("schemas", "NewNotification"))
                .json(202, "It leaves by itself.", reference("schemas", "NotificationAnswer"))
                .problems(samples::notifications())
                .problems([Problem::NotificationTooLarge, Problem::IdReused, Problem::NotificationBacklog])
        }
        ("GET", "/api/whoami") => Operation::new("getWhoami", "Whose session it is, as the service reads it")
            .json(200, "The user, and until when the session lasts.", whoami(schemas)),
        _ => panic!("nobody has described {method} {path}"),
    };
    let operation = if path.contains('{') {
        let ids = [PathError::EncodedId, PathError::Id(IdError::Job)];
        operation.problems(ids.map(Problem::Path))
    } else {
        operation
    };
    if path.starts_with("/api/") {
        operation.problems(samples::sessions(method)).problems([
            Problem::SessionOfAnotherUser,
            Problem::Misconfigured,
            Problem::Internal,
            Problem::Unavailable,
        ])
    } else {
        operation
    }
}

/// What any route answers to another method, and any other path.
pub(super) fn of_other_requests() -> Vec<Problem> {
    vec![Problem::Method { allow: String::new() }, Problem::Path(PathError::NotFound)]
}

const IF_MATCH: &str = "Only where the job has one of these versions, as its `ETag` says them; `*`: only where it is registered.";

/// An empty one is as good as none: the runtime does not show it (`findings/an-empty-header-is-none-where-workerd-knows-its-name.sh`).
fn if_match() -> Value {
    let etag = r#"(W/)?"[^",]*""#;
    json!({"type": "string", "pattern": format!(r"^(|\*|{etag}( *, *{etag})*)$")})
}

/// Where there is no registry, there are no such routes.
fn without_registry() -> Problem {
    Problem::Path(PathError::NotFound)
}

fn manager(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, summary).problems([Problem::NotADispatcher])
}

fn operator(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, summary).problems([Problem::NotAnOperator])
}

fn driver(id: &'static str, summary: &'static str) -> Operation {
    let foreign = [Problem::NotAParticipant, Problem::NotListed, Problem::TooManyUnknownJobs];
    Operation::new(id, summary).problems([Problem::NotADriver]).problems(foreign)
}

fn participant() -> impl Iterator<Item = Problem> {
    let foreign = [Problem::NotAParticipant, Problem::NotListed, Problem::TooManyUnknownJobs];
    let ended = EndReason::iter().map(|reason| Problem::JobEnded { reason });
    foreign.into_iter().chain(ended).chain([Problem::JobClosed { status: 403 }, Problem::JobForgotten])
}

/// What a change of a job may be refused for.
fn changing() -> [Problem; 5] {
    [
        Problem::IfMatch,
        Problem::OtherVersion { current: None },
        Problem::OtherVersion { current: Some((1, "{}".into())) },
        Problem::JobClosed { status: 409 },
        without_registry(),
    ]
}

fn customer(id: &'static str, summary: &'static str, schemas: &mut Schemas) -> Operation {
    manager(id, summary)
        .header("If-Match", IF_MATCH, if_match())
        .json(200, "As it is registered, now or already.", schemas.of::<Told>())
        .answers_with(200, "ETag")
        .problems(samples::jobs())
        .problems(changing())
        .problems([Problem::NotRegistered])
}

fn jobs(schemas: &mut Schemas) -> Operation {
    let page = json!({"anyOf": [reference("schemas", "JobList"), reference("schemas", "OwnJobs")]});
    Operation::new("listJobs", "The open jobs, or one's own")
        .query("state", "Other jobs are not listed.", json!({"const": "open"}))
        .query(
            "mine",
            "One's own, for drivers and customers: without a value, or `true`.",
            json!({"enum": ["", "true"]}),
        )
        .query("dispatchId", "Those of one dispatch; not with `mine`.", schemas.of::<DispatchId>())
        .query("after", "`next` of the page before.", schemas.of::<JobId>())
        .query(
            "limit",
            "At most so many jobs. With `mine` at most 20, which is what counts there without it.",
            json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 50}),
        )
        .header("If-None-Match", "The `ETag` of what the client has.", json!({"type": "string"}))
        .json(200, "A page: of all open jobs, or of one's own.", page)
        .answers_with(200, "ETag")
        .empty(304, "It is what the client has.")
        .answers_with(304, "ETag")
        .problems(samples::queries())
        .problems([Problem::OwnJobsOnly, Problem::NoOwnJobs, without_registry()])
}

fn trail(schemas: &mut Schemas) -> Operation {
    let page = reference("schemas", "TrailPage");
    let geojson = json!({
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": ["FeatureCollection", "Feature"]}},
        "additionalProperties": true,
    });
    let gpx = Value::Null;
    Operation::new("getTrail", "Every fix that was accepted, a page at a time")
        .query(
            "after",
            "The place after which to begin, which need not be that of a fix.",
            schemas.of::<Place>(),
        )
        .query(
            "limit",
            "At most so many fixes.",
            json!({"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_MAX}),
        )
        .query(
            "format",
            "Else `Accept` decides.",
            json!({"enum": ["json", "geojson", "geojson-line", "gpx"]}),
        )
        .contents(
            200,
            "A page.",
            [("application/json", page), ("application/geo+json", geojson), ("application/gpx+xml", gpx)],
        )
        .answers_with(200, "Link")
        .problems(samples::queries())
        .problems(participant())
}

fn token(id: &'static str) -> Operation {
    let ably = |code, status| Problem::Token(ErrorInfo::new(code, status, ""));
    let [job_id, ttl, client_id, format] = token_parameters();
    Operation::new(id, "An Ably token for the session's user")
        .query("jobId", job_id.0, job_id.1)
        .query("ttl", ttl.0, ttl.1)
        .query("clientId", client_id.0, client_id.1)
        .query("format", format.0, format.1)
        .contents(
            200,
            "An Ably JWT; or a signed TokenRequest, for `format=token-request`.",
            [("application/jwt", Value::Null), ("application/json", reference("schemas", "TokenRequest"))],
        )
        .problems([ably(40003, 400), ably(40100, 401), ably(40102, 403), ably(40160, 403), ably(40300, 403)])
        .problems([Problem::TooManyUnknownJobs])
}

/// What requests of every route may send.
pub(super) fn parameters() -> Value {
    json!({"Towline-User": {
        "in": "header",
        "name": "Towline-User",
        "description": "Whose session it has to be: any other is refused, 403 `session_of_another_user`.",
        "schema": {"type": "string"},
    }})
}

/// The headers of answers.
pub(super) fn headers() -> Value {
    let header = |says: &str, schema: Value| json!({"description": says, "schema": schema});
    let text = || json!({"type": "string"});
    json!({
        "X-Request-Id": header("By it the service's log names the request.", json!({"type": "string", "pattern": "^[0-9a-f]{32}$"})),
        "ETag": header("The version of what is answered.", text()),
        "Link": header("The next page, `rel=\"next\"`, where there is one.", text()),
        "Retry-After": header("After how many seconds to try again.", json!({"type": "integer", "minimum": 1})),
        "WWW-Authenticate": header("`Bearer`", text()),
        "X-Ably-Errorcode": header("The code of the error, in a header.", json!({"type": "integer"})),
        "Allow": header("The methods that the route answers.", text()),
    })
}
