//! The shapes of what is sent and answered that are put together of several types, or belong to none.

use serde_json::{Value, json};

use super::schemas::Schemas;
use crate::ids::{JobId, JobRef, UserId};
use crate::inbox::Notification;
use crate::jobs::Heartbeat;
use crate::jobs::listed::Listed;
use crate::jobs::told::Told;
use crate::jobs::vitals::Pulse;
use crate::locations::event::Updated;
use crate::locations::protocol::{NoState, Withheld};
use crate::locations::trail::Page;
use crate::members::VERSION_MAX;

/// The parameters of a token, each with what it is for.
pub(super) fn token_parameters() -> [(&'static str, Value); 4] {
    let jobs = r"^(?!(.*,)?\.{1,2}(,|$))[A-Za-z0-9._-]{1,64}(,[A-Za-z0-9._-]{1,64}){0,19}$";
    [
        (
            "Leave out the channels of all other jobs than these: up to 20, with commas between.",
            json!({"type": "string", "pattern": jobs}),
        ),
        (
            "The longest lifetime wanted, in milliseconds; it can only shorten.",
            json!({"type": "integer", "minimum": 60_000, "maximum": VERSION_MAX}),
        ),
        ("May only be the session's own user.", json!({"type": "string"})),
        ("`token-request` asks for a TokenRequest; anything else for a JWT.", json!({"type": "string"})),
    ]
}

pub(super) fn token_form() -> Value {
    let [job_id, ttl, client_id, format] = token_parameters();
    let member = |(says, mut schema): (&str, Value)| {
        schema["description"] = says.into();
        schema
    };
    json!({
        "type": "object",
        "properties": {
            "jobId": member(job_id), "ttl": member(ttl), "clientId": member(client_id), "format": member(format),
        },
    })
}

pub(super) fn close() -> Value {
    json!({
        "type": "object",
        "required": ["reason"],
        "properties": {"reason": {"enum": ["done", "cancelled", "failed"]}},
    })
}

/// A job that is closed; or as much as is known of one that is forgotten.
pub(super) fn closed(schemas: &mut Schemas) -> Value {
    let forgotten = json!({
        "description": "It was forgotten before.",
        "type": "object",
        "required": ["jobId", "state"],
        "properties": {"jobId": schemas.of::<JobId>(), "state": {"const": "closed"}},
    });
    json!({"anyOf": [schemas.of::<Told>(), forgotten]})
}

pub(super) fn heartbeat(schemas: &mut Schemas) -> Value {
    json!({
        "type": "object",
        "required": ["state"],
        "properties": {
            "state": schemas.of::<Heartbeat>(),
            "driver": {
                "description": "Whose phone it is, where the back end tells it; else it is ignored.",
                "anyOf": [schemas.of::<UserId>(), true],
            },
        },
    })
}

pub(super) fn whoami(schemas: &mut Schemas) -> Value {
    json!({
        "type": "object",
        "required": ["userId", "role", "endsAt"],
        "properties": {
            "userId": schemas.of::<UserId>(),
            "role": {"enum": ["driver", "dispatcher", "customer", "admin", "service"]},
            "endsAt": {"type": "integer", "description": "Unix milliseconds."},
        },
    })
}

pub(super) fn health() -> Value {
    json!({
        "type": "object",
        "required": ["status", "version"],
        "properties": {"status": {"const": "ok"}, "version": {"type": "string"}},
    })
}

/// Names the schemas that are put together of several types, or belong to none.
pub(super) fn name_schemas(schemas: &mut Schemas) {
    first_state(schemas);
    let pages = [schemas.of::<Page>(), schemas.of::<Withheld>()];
    schemas.name("TrailPage", json!({"oneOf": pages}));
    let (job, open) = (schemas.of::<Told>(), schemas.of::<Listed<'static>>());
    let next = json!({"anyOf": [schemas.of::<JobId>(), {"type": "null"}], "description": "`null` on the last page."});
    for (name, entry) in [("JobList", open), ("OwnJobs", job)] {
        let jobs = json!({"type": "array", "items": entry});
        let properties = json!({"jobs": jobs, "next": next});
        schemas.name(name, json!({"type": "object", "required": ["jobs", "next"], "properties": properties}));
    }
    schemas.of::<Pulse>();
    let (reference_of, job_id) = (schemas.of::<JobRef>(), schemas.of::<JobId>());
    schemas.name(
        "Reference",
        json!({"type": "object", "required": ["ref", "jobId"], "properties": {"ref": reference_of, "jobId": job_id}}),
    );
    let mut notification = schemas.copy_of::<Notification>();
    notification["properties"]["id"] = json!({
        "description": "By it a retry is recognised: printable ASCII, not beginning with `towline:`.",
        "type": "string",
        "pattern": "^(?!towline:)[ -~]{1,64}$",
    });
    notification["description"] = "That something of a version is there, and not what it says.".into();
    schemas.name("NewNotification", notification);
    schemas.name(
        "NotificationAnswer",
        json!({
            "type": "object",
            "required": ["ok", "id", "status"],
            "properties": {"ok": {"const": true}, "id": {"type": "string"}, "status": {"enum": ["accepted", "duplicate"]}},
        }),
    );
    schemas.name("Problem", problem());
    schemas.name("AblyError", ably_error());
    schemas.name("TokenRequest", token_request());
}

/// The first state: with a fix, before the first one, or behind a gate.
pub(super) fn first_state(schemas: &mut Schemas) {
    let mut fix = schemas.copy_of::<Updated>();
    let members = fix["properties"].as_object_mut().unwrap();
    members.remove("headSeq");
    members.remove("backfill");
    let required = fix["required"].as_array_mut().unwrap();
    required.extend([json!("now"), json!("ageMs")]);
    fix["description"] = "The last live fix, and how old it is.".into();
    let fix = schemas.name("FirstFix", fix);
    let options = [fix, schemas.of::<NoState>(), schemas.of::<Withheld>()];
    schemas.name("FirstState", json!({"oneOf": options}));
}

fn problem() -> Value {
    json!({
        "description": "A problem (RFC 9457).",
        "type": "object",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {"description": "`urn:towline:problem:` and a name, which do not change.", "type": "string"},
            "title": {"description": "What the name means, for people.", "type": "string"},
            "status": {"description": "The HTTP status.", "type": "integer"},
            "reason": {"description": "The stable code of what is to be mended.", "type": "string"},
            "field": {"description": "The member, or the parameter, that is to blame.", "type": "string"},
            "detail": {"description": "What went wrong this time, for people.", "type": "string"},
        },
    })
}

fn ably_error() -> Value {
    json!({
        "description": "An error in Ably's shape, which its SDKs read.",
        "type": "object",
        "required": ["error"],
        "properties": {"error": {
            "type": "object",
            "required": ["code", "statusCode", "message", "href"],
            "properties": {
                "code": {"type": "integer"},
                "statusCode": {"type": "integer"},
                "message": {"type": "string"},
                "href": {"type": "string"},
            },
        }},
    })
}

fn token_request() -> Value {
    json!({
        "description": "A signed TokenRequest of Ably's, which its SDKs exchange for a token.",
        "type": "object",
        "required": ["keyName", "ttl", "capability", "clientId", "timestamp", "nonce", "mac"],
        "properties": {
            "keyName": {"type": "string"},
            "ttl": {"description": "Milliseconds.", "type": "integer"},
            "capability": {"description": "JSON.", "type": "string"},
            "clientId": {"type": "string"},
            "timestamp": {"type": "integer"},
            "nonce": {"type": "string"},
            "mac": {"type": "string"},
        },
    })
}
