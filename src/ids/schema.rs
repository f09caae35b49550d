//! The ids as the description of the HTTP surface tells them.

use std::borrow::Cow;

use proptest::prelude::*;
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{DispatchId, EntityId, EventId, EventType, FixId, JobId, JobRef, NotificationId, UserId};

/// Each with its pattern, what is not one all the same, and what it is.
macro_rules! schemas {
    ($($name:ident: $pattern:literal, not $but:expr, $says:literal;)*) => {
        $(impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let pattern = concat!("^", $pattern, "$");
                let mut schema = json_schema!({"type": "string", "description": $says, "pattern": pattern});
                let but: &[&str] = &$but;
                if !but.is_empty() {
                    schema.insert("not".to_owned(), serde_json::json!({"enum": but}));
                }
                schema
            }
        })*

        #[test]
        fn what_a_pattern_matches_is_an_id_and_nothing_longer_is() {
            $(TestRunner::default().run(&string_regex($pattern).unwrap(), |text| {
                let but: &[&str] = &$but;
                prop_assert_eq!($name::parse(text.as_str()).is_ok(), !but.contains(&text.as_str()));
                prop_assert!($name::parse([&text, "é"].concat()).is_err());
                Ok(())
            }).unwrap();)*
        }
    };
}

schemas! {
    JobId: "[A-Za-z0-9._-]{1,64}", not [".", ".."], "A job's id.";
    UserId: r"[!-)+.0-9;-Z\\^-~-]{1,128}", not [],
        "A user's id, the `sub` of their sessions: printable ASCII without blank and : * , / [ ].";
    DispatchId: "[A-Za-z0-9._-]{1,64}", not [], "A dispatch's id.";
    JobRef: "[0-9a-f]{64}", not [], "What the service's log calls a job.";
    FixId: "[ -~]{1,64}", not [], "The name of a fix or a post: printable ASCII.";
    EventId: "[ -~]{1,64}", not [], "The platform's name for an event: printable ASCII.";
    EventType: "[a-z0-9._-]{1,64}", not [], "What kind of thing has happened: a word, and no text for people.";
    NotificationId: "[ -~]{1,128}", not [], "The id of a notification: printable ASCII.";
    EntityId: "[A-Za-z0-9._-]{1,64}", not [], "The id of what a notification is about.";
}
