//! The description of the HTTP surface, OpenAPI 3.1, and that of the events, as JSON Schema: made of the table of endpoints, of the types
//! that are answered, and of the problems that there are.
//!
//! They are committed in `description/`, and served as they stand there. `npm run describe` writes them.

mod events;
mod operation;
mod operations;
mod schemas;
mod shapes;

use std::path::Path;

use serde_json::{Map, Value, json};

use self::operation::Operation;
use self::schemas::{Schemas, reference, tidy};
use super::endpoints;
use super::problem::Problem;

/// What all operations have in common.
const ABOUT: &str = "Issues Ably tokens, and sequences the locations of vehicles. \
    Every route of `/api` wants a session: a JWT in `Authorization: Bearer`, or in the cookie that the service is configured with. \
    401 means that the session can be renewed, 403 that it cannot. \
    Each `GET` answers `HEAD` too, and each route of `/api` answers `OPTIONS` with 204 and `Allow`; any other method is 405 \
    `method_not_allowed` with `Allow`, and any other path 404 `not_found`. \
    More members may come in what is answered. Times are Unix milliseconds.";

/// The whole description.
fn document() -> Value {
    let mut schemas = Schemas::at("/components/schemas");
    shapes::name_schemas(&mut schemas);
    let mut paths = Map::new();
    for (endpoint, method) in endpoints::all() {
        let operation = operations::of(method, endpoint.path, &mut schemas);
        let mut told = operation.tell(&mut schemas, endpoint.problems);
        if endpoint.is_open() {
            told["security"] = json!([]);
        }
        let path = paths.entry(endpoint.path).or_insert_with(|| path_parameters(endpoint.path, &mut schemas));
        path[method.to_lowercase()] = told;
    }
    // Any route may answer these, and none has them in its own list.
    for problem in operations::of_other_requests() {
        schemas.problem(&problem);
    }
    let answers = schemas.take_answers();
    let mut document = json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Towline",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"cookie": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.all(),
            "responses": answers,
            "parameters": operations::parameters(),
            "headers": operations::headers(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "session",
                    "description": "Where the service is configured with a cookie, whose name is up to that. What changes something \
                        needs an `Origin` that is allowed, too.",
                },
            },
        },
    });
    tidy(&mut document);
    document
}

/// The ids of a path, and what every request to it may send.
fn path_parameters(path: &str, schemas: &mut Schemas) -> Value {
    use crate::ids::{JobId, JobRef, UserId};
    let ids = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = ids
        .map(|id| {
            let schema = match id {
                "jobId" => schemas.of::<JobId>(),
                "userId" => schemas.of::<UserId>(),
                "ref" => schemas.of::<JobRef>(),
                other => panic!("no type is known for {other}"),
            };
            json!({"in": "path", "name": id, "required": true, "schema": schema})
        })
        .collect();
    if path.starts_with("/api/") {
        parameters.push(reference("parameters", "Towline-User"));
    }
    if parameters.is_empty() { json!({}) } else { json!({"parameters": parameters}) }
}

/// Compares a document with the one that is committed; where `DESCRIBE` is `write`, writes it.
fn committed(name: &str, document: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("description").join(name);
    let text = serde_json::to_string_pretty(document).unwrap() + "\n";
    if std::env::var("DESCRIBE").is_ok_and(|what| what == "write") {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let is_the_same = std::fs::read_to_string(&path).is_ok_and(|there| there == text);
    assert!(is_the_same, "description/{name} is not what the code says: `npm run describe` writes it anew");
}

#[test]
fn the_description_is_the_one_that_is_committed() {
    committed("openapi.json", &document());
}

#[test]
fn the_events_are_those_that_are_committed() {
    committed("events.schema.json", &events::document());
}

/// All that any request may be told.
pub(super) fn problems() -> Vec<Problem> {
    let mut schemas = Schemas::at("/components/schemas");
    let mut told: Vec<Problem> = operations::of_other_requests();
    for (endpoint, method) in endpoints::all() {
        let operation: Operation = operations::of(method, endpoint.path, &mut schemas);
        told.extend_from_slice(operation.all_problems());
    }
    told
}

#[test]
fn every_problem_is_in_the_description() {
    let names: Vec<String> = problems().iter().map(|problem| format!("{problem:?}")).collect();
    for variant in <Problem as strum::VariantNames>::VARIANTS {
        let is_it = |name: &String| name.split(['(', ' ']).next() == Some(variant);
        assert!(names.iter().any(is_it), "no operation answers {variant}");
    }
}
