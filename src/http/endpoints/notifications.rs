//! `POST /api/users/{userId}/notifications`: a small event for one person.

use serde_json::json;

use crate::http::access;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::step::{Asked, Next, NoBody, Step};
use crate::ids::UserId;
use crate::inbox::{BODY_MAX, Notification, Request, Taken};
use crate::locations::Reply;

pub(super) fn post(asked: Asked<'_>, user: UserId) -> Next {
    access::manager(&asked.session)?;
    asked.head.unencoded()?;
    Ok(Step::read_body(move |body| {
        let body = match body {
            Ok(body) if body.len() <= BODY_MAX => body,
            Ok(_) | Err(NoBody::TooLong) => return Err(Problem::NotificationTooLarge),
            Err(NoBody::BrokeOff) => return Err(Problem::Incomplete),
        };
        let notification = Notification::parse(body).map_err(Problem::Notification)?;
        let id = notification.id.clone();
        Step::notify(&Request { user, notification }, move |reply| {
            // An inbox says what has become of it, and refuses nothing.
            let Reply::Answer(taken) = reply? else { return Err(Problem::Internal) };
            let status = match serde_json::from_str(&taken).map_err(|_| Problem::Internal)? {
                Taken::Accepted => "accepted",
                Taken::Duplicate => "duplicate",
                Taken::IdReused => return Err(Problem::IdReused),
                Taken::Backlog => return Err(Problem::NotificationBacklog),
            };
            let told = json!({"ok": true, "id": id.as_str(), "status": status});
            Ok(Step::Done(Answer::json(202, told.to_string())))
        })
    }))
}
