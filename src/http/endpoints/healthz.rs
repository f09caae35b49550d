//! `GET /healthz`: liveness and version, for anyone, also while the service is misconfigured.

use crate::http::answer::Answer;
use crate::http::step::{Next, Step};

pub(super) fn get() -> Next {
    const BODY: &str = concat!(r#"{"status":"ok","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);
    Ok(Step::Done(Answer::json(200, BODY).with("cache-control", "no-store")))
}
