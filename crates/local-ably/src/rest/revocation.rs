//! `POST /keys/{key}/revokeTokens`.

use std::sync::Arc;

use ably::{ErrorInfo, KeyName};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Call;
use super::batch::{Outcome, answer_one};
use super::tokens::named_key;
use crate::app::App;
use crate::auth::authorise;
use crate::clock::{Millis, now};
use crate::credentials::{Credentials, Revocation, Target, no_credentials};
use crate::errors::{bad_request, invalid_parameter};
use crate::server::Server;

/// How many targets a request may have.
const TARGETS_MAX: usize = 100;
/// How far back `issuedBefore` may be.
const ISSUED_BEFORE_MAX_AGE: Millis = 3_600_000;
/// How long connections have to change their token under `allowReauthMargin`.
const REAUTH_MARGIN: Millis = 30_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RevocationRequest {
    targets: Vec<String>,
    issued_before: Option<Millis>,
    allow_reauth_margin: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Revoked {
    target: String,
    issued_before: Millis,
    applies_at: Millis,
}

#[derive(Serialize)]
struct NotRevoked {
    target: String,
    error: ErrorInfo,
}

pub(super) async fn revoke_tokens(
    State(server): State<Arc<Server>>,
    key: Result<Path<String>, PathRejection>,
    call: Call,
) -> Response {
    call.settle(handle(&server, key, &call))
}

/// Revokes tokens for whoever shows the key that issued them.
fn handle(
    server: &Server,
    key: Result<Path<String>, PathRejection>,
    call: &Call,
) -> Result<Response, ErrorInfo> {
    let now = now();
    let credentials = call.credentials()?.ok_or_else(no_credentials)?;
    if matches!(credentials, Credentials::Token(_)) {
        return Err(ErrorInfo::new(40162, 401, "a token cannot revoke tokens: use the key that issued them"));
    }
    let caller = authorise(server, &credentials, now)?;
    let (app, record) = named_key(server, key)?;
    let name = record.key.name();
    if caller.key != *name {
        return Err(ErrorInfo::new(40101, 401, "only the key that issued tokens revokes them"));
    }
    if !record.revocable {
        return Err(ErrorInfo::new(40163, 401, "the key does not have revocable tokens"));
    }
    let request: RevocationRequest = call.read_object()?;
    if request.targets.is_empty() || request.targets.len() > TARGETS_MAX {
        return Err(bad_request(format!("there are from 1 to {TARGETS_MAX} targets")));
    }
    let issued_before = request.issued_before.unwrap_or(now);
    if issued_before > now || issued_before < now - ISSUED_BEFORE_MAX_AGE {
        return Err(invalid_parameter("issuedBefore is not in the future and at most an hour ago"));
    }
    // A token issued in this very millisecond is older than the request too, and the margin begins after it: a caller who has
    // just read the server's time gets more than the margin from then on.
    let after = now + 1;
    let applies_at = if request.allow_reauth_margin.unwrap_or(false) { after + REAUTH_MARGIN } else { now };
    let bound = request.issued_before.unwrap_or(after);
    let revocation = Revocation { issued_before: bound, applies_at };
    let outcomes = request.targets.into_iter().map(|target| match revoke(&app, name, &target, revocation) {
        Ok(()) => Outcome::Success(Revoked { target, issued_before, applies_at }),
        Err(error) => Outcome::Failure(NotRevoked { target, error }),
    });
    Ok(answer_one(call, StatusCode::CREATED, outcomes.collect()))
}

fn revoke(app: &App, key: &KeyName, target: &str, revocation: Revocation) -> Result<(), ErrorInfo> {
    app.revoke(key, Target::parse(target)?, revocation)
}
