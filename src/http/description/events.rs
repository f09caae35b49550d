//! The events of channels and of streams, each by its name.

use serde_json::{Value, json};

use super::schemas::{Schemas, tidy};
use crate::inbox::Notification;
use crate::jobs::registration::{EndReason, Event};
use crate::jobs::told::Happened;
use crate::jobs::update;
use crate::jobs::vitals::Pulse;
use crate::locations::event::{Backfilled, Updated};
use crate::operations::{Kind, Report};
use crate::streams::frame::{End, Resync};

const ABOUT: &str = "An event of a channel or of a stream, as its name and its data. On `dispatch:job:{jobId}`, and in a job's stream: \
    `location.…`, `job.…`, `driver.…`. In streams alone: `state`, `resync`, `end`, `gate.opened`. On `notifications:user:{userId}`: \
    `notification`. On `admin:ops`: `outbox.…`, `tokens.not_revocable`, `driver.refused`, and `driver.silent` and `driver.heard` with the data \
    of reports. More events may come, and more members in those that there are.";

/// The schema of all of them.
pub(super) fn document() -> Value {
    let mut schemas = Schemas::at("/$defs");
    super::shapes::first_state(&mut schemas);
    let updated = location_updated(&mut schemas);
    let backfilled = schemas.of::<Backfilled<'static>>();
    let happened = schemas.of::<Happened<'static>>();
    let reports = reports(&mut schemas);
    let mut events = vec![event("location.updated", updated), event("location.backfilled", backfilled)];
    let since = 0;
    for (told, required) in [
        (Event::Assigned, &[][..]),
        (Event::Reassigned, &[]),
        (Event::Updated, &["id", "type"]),
        (Event::Closed(EndReason::Done), &["reason"]),
        (Event::Silent { since }, &["since"]),
        (Event::Heard { since }, &["since"]),
        (Event::Arrived, &[]),
    ] {
        let data = match required {
            [] => happened.clone(),
            required => json!({"allOf": [happened], "required": required}),
        };
        events.push(event(told.name(), data));
    }
    assert_eq!(Event::Updated.name(), update::NAME, "the platform's own are called the same");
    events.push(event("notification", notification(&mut schemas)));
    for kind in [
        Kind::HELD,
        Kind::DELAYED,
        Kind::SET_ASIDE,
        Kind::RESUMED,
        Kind::DRIVER_SILENT,
        Kind::DRIVER_HEARD,
        Kind::DRIVER_REFUSED,
        Kind::NOT_REVOCABLE,
    ] {
        events.push(event(kind.as_str(), reports.clone()));
    }
    let state = json!({
        "allOf": [{"$ref": "#/$defs/FirstState"}],
        "required": ["subHash"],
        "properties": {"subHash": {
            "description": "The SHA-256 of the session's `sub`: by it a page knows that the stream is its own.",
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
        }},
    });
    events.push(event("state", state));
    let (end, resync) = (schemas.of::<End>(), schemas.of::<Resync>());
    let data = |properties: Value| {
        let required: Vec<_> = properties.as_object().unwrap().keys().cloned().collect();
        json!({"type": "object", "required": required, "properties": properties})
    };
    events.push(event("end", schemas.name("End", data(json!({"reason": end})))));
    events.push(event(
        "resync",
        schemas.name("Resync", data(json!({"reason": resync, "now": {"type": "integer"}}))),
    ));
    let job_id = schemas.of::<crate::ids::JobId>();
    events.push(event(
        "gate.opened",
        schemas.name("GateOpened", data(json!({"jobId": job_id, "ts": {"type": "integer"}}))),
    ));
    let mut document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The events of Towline",
        "description": ABOUT,
        "anyOf": events,
        "$defs": schemas.all(),
    });
    tidy(&mut document);
    document
}

fn event(name: &str, data: Value) -> Value {
    json!({
        "type": "object",
        "required": ["name", "data"],
        "properties": {"name": {"const": name}, "data": data},
    })
}

/// What a message says is no first state: it has no age.
fn location_updated(schemas: &mut Schemas) -> Value {
    let mut updated = schemas.copy_of::<Updated>();
    let vitals = schemas.copy_of::<Pulse>();
    let only_in_first_states = ["now", "ageMs"]
        .into_iter()
        .chain(vitals["properties"].as_object().unwrap().keys().map(String::as_str));
    let members = updated["properties"].as_object_mut().unwrap();
    only_in_first_states.for_each(|name| drop(members.remove(name)));
    updated["description"] = "A live fix in full, and the others of its message: the marker moves.".into();
    schemas.name("LocationUpdated", updated)
}

/// As it is published, with when it was accepted.
fn notification(schemas: &mut Schemas) -> Value {
    let mut notification = schemas.copy_of::<Notification>();
    notification.as_object_mut().unwrap().remove("additionalProperties");
    notification["properties"]["ts"] =
        json!({"description": "When it was accepted, Unix milliseconds.", "type": "integer"});
    notification["required"].as_array_mut().unwrap().push(json!("ts"));
    notification["description"] =
        "A small event for one person: that something of a version is there, and not what it says.".into();
    schemas.name("Notification", notification)
}

/// What operators hear.
fn reports(schemas: &mut Schemas) -> Value {
    let report = schemas.of::<Report>();
    schemas.name(
        "Reports",
        json!({
            "description": "What the jobs' objects have reported of one kind.",
            "type": "object",
            "required": ["ts", "count", "jobs"],
            "properties": {
                "ts": {"description": "When the message was made, Unix milliseconds.", "type": "integer"},
                "count": {"description": "How many jobs it is about. The first of them are named.", "type": "integer"},
                "jobs": {"type": "array", "items": report},
            },
        }),
    )
}
