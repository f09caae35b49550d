//! A job as the platform wants it, as the description of the HTTP surface tells it: it is read by hand, member by member.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{CUSTOMERS_MAX, Spot, Wanted};
use crate::ids::{DispatchId, UserId};
use crate::locations::fix::schema::instant;

impl JsonSchema for Wanted {
    fn schema_name() -> Cow<'static, str> {
        "NewJob".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let or_null = |schema: Schema| json_schema!({"anyOf": [schema, {"type": "null"}]});
        let user = generator.subschema_for::<UserId>();
        let (spot, dispatch) = (generator.subschema_for::<Spot>(), generator.subschema_for::<DispatchId>());
        let part = json_schema!({
            "description": "At least one of both: `within` needs a `place`.",
            "type": "object",
            "additionalProperties": false,
            "minProperties": 1,
            "properties": {
                "from": or_null(instant()),
                "within": {
                    "description": "Metres from `place`.",
                    "type": ["number", "null"],
                    "minimum": 100,
                    "maximum": 100_000,
                },
            },
        });
        json_schema!({
            "description": "A job, all of it. Other members are ignored.",
            "type": "object",
            "required": ["driver", "customers"],
            "properties": {
                "driver": {"description": "`null` where it waits for one.", "anyOf": [user, {"type": "null"}]},
                "customers": {"type": "array", "maxItems": CUSTOMERS_MAX, "uniqueItems": true, "items": user},
                "place": or_null(spot),
                "startsAt": or_null(instant()),
                "endsAt": or_null(instant()),
                "dispatchId": or_null(dispatch),
                "gate": {
                    "description": "What keeps customers from seeing the driver.",
                    "type": ["object", "null"],
                    "additionalProperties": false,
                    "required": ["customer"],
                    "properties": {"customer": part},
                },
            },
        })
    }
}
