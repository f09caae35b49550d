//! `GET /healthz`: liveness and version, for anyone, also while the service is misconfigured.

use serde_json::json;

use crate::http::answer::Answer;
use crate::http::step::{Next, Step};

pub(super) fn get() -> Next {
    let body = json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}).to_string();
    Ok(Step::Done(Answer::json(200, body).with("cache-control", "no-store")))
}
