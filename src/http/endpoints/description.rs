//! `GET /openapi.json`, `/events.schema.json`: what the service does, for programs, and for anyone. `crate::http::description` makes both.

use crate::http::answer::Answer;
use crate::http::step::{Next, Step};

pub(super) fn operations() -> Next {
    const OPENAPI: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));
    answer("application/json", OPENAPI)
}

pub(super) fn events() -> Next {
    const EVENTS: &str = include_str!(concat!(env!("OUT_DIR"), "/events.schema.json"));
    answer("application/schema+json", EVENTS)
}

/// It changes with a deployment, and with nothing else.
fn answer(media_type: &'static str, text: &'static str) -> Next {
    Ok(Step::Done(Answer::new(200, media_type, text).with("cache-control", "public, max-age=300")))
}
