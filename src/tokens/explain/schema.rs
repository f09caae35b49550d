//! A question as the description of the HTTP surface tells it: it is read by hand, member by member.

use std::borrow::Cow;

use ably::Operation;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{CHANNEL_MAX, Question};
use crate::ids::{JobId, UserId};
use crate::sessions::{Role, SESSION_JOBS_MAX};

impl JsonSchema for Question {
    fn schema_name() -> Cow<'static, str> {
        "Question".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let roles: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
        let operations: Vec<_> = Operation::ALL.iter().map(|operation| operation.as_str()).collect();
        json_schema!({
            "description": "Whether this user with this role, whose session lists these jobs, may do this on this channel.",
            "type": "object",
            "additionalProperties": false,
            "required": ["userId", "role", "jobs", "channel", "operation"],
            "properties": {
                "userId": generator.subschema_for::<UserId>(),
                "role": {"enum": roles},
                "jobs": {"type": "array", "maxItems": SESSION_JOBS_MAX, "items": generator.subschema_for::<JobId>()},
                "channel": {"type": "string", "minLength": 1, "maxLength": CHANNEL_MAX},
                "operation": {"enum": operations},
            },
        })
    }
}
