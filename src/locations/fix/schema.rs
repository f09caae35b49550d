//! A fix and a post as the description of the HTTP surface tells them: they are read by hand, field by field.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Fix, time};
use crate::ids::{FixId, UserId};
use crate::locations::Post;
use crate::locations::post::FIXES_MAX;

/// A time as a phone or a back end sends it.
pub(crate) fn instant() -> Schema {
    json_schema!({
        "description": "ISO 8601 with an offset, or Unix milliseconds: a number that can only be meant in seconds is refused.",
        "anyOf": [
            {"type": "string", "format": "date-time"},
            {
                "type": "number",
                "minimum": *time::RANGE.start(),
                "maximum": *time::RANGE.end(),
                "not": {"minimum": time::SECONDS.start, "exclusiveMaximum": time::SECONDS.end},
            },
        ],
    })
}

/// What `null` is as good as absent for.
fn or_null(schema: impl Into<serde_json::Value>) -> Schema {
    json_schema!({"anyOf": [schema.into(), {"type": "null"}]})
}

impl JsonSchema for Fix {
    fn schema_name() -> Cow<'static, str> {
        "Fix".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A position as a phone has measured it, WGS 84. Other members are ignored and not kept.",
            "type": "object",
            "required": ["lat", "lng"],
            "properties": {
                "lat": {"description": "Degrees north.", "type": "number", "minimum": -90, "maximum": 90},
                "lng": {"description": "Degrees east.", "type": "number", "minimum": -180, "maximum": 180},
                "speed": {"description": "Metres a second; negative is unknown.", "type": ["number", "null"]},
                "heading": {
                    "description": "Degrees clockwise from north; negative is unknown.",
                    "type": ["number", "null"],
                    "maximum": 360,
                },
                "accuracy": {"description": "Radius of uncertainty in metres; negative is unknown.", "type": ["number", "null"]},
                "altitude": {"description": "Metres.", "type": ["number", "null"]},
                "capturedAt": or_null(instant()),
                "id": or_null(generator.subschema_for::<FixId>()),
            },
        })
    }
}

impl JsonSchema for Post {
    fn schema_name() -> Cow<'static, str> {
        "Post".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let around = json_schema!({
            "type": "object",
            "properties": {
                "sentAt": {
                    "description": "The phone's clock at sending, written as `capturedAt` is; each retry has its own.",
                    "anyOf": [instant(), {"type": "null"}],
                },
                "driver": {
                    "description": "Whose the fixes are, where the back end posts them; else it is ignored.",
                    "anyOf": [generator.subschema_for::<UserId>(), true],
                },
            },
        });
        json_schema!({
            "description": "One fix, or a batch of them.",
            "allOf": [around],
            "anyOf": [
                generator.subschema_for::<Fix>(),
                {
                    "description": "A batch. A fix that is wrong is `rejected` in the answer, and its neighbours are accepted.",
                    "type": "object",
                    "required": ["locations"],
                    "properties": {
                        "locations": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": FIXES_MAX,
                            "items": generator.subschema_for::<Fix>(),
                        },
                    },
                },
            ],
        })
    }
}
