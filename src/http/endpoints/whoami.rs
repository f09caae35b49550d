//! `GET /api/whoami`: whose session it is, for whoever has nothing else to ask: a page that is seen again after long, a phone before it sends
//! anything, a developer.

use serde_json::json;

use crate::http::answer::Answer;
use crate::http::step::{Asked, Next, Step};

/// What every route asks of a session is asked already.
pub(super) fn get(asked: Asked<'_>) -> Next {
    let session = &asked.session;
    let ends_at = session.expires_at.saturating_mul(1_000);
    let body = json!({"userId": session.user.as_str(), "role": session.role, "endsAt": ends_at});
    Ok(Step::Done(Answer::json(200, body.to_string())))
}
