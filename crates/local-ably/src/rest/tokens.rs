//! `POST /keys/{key}/requestToken`.

use std::sync::Arc;

use ably::{ErrorInfo, KeyName};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::Call;
use super::call::method_not_allowed;
use crate::app::App;
use crate::auth::authorise;
use crate::clock::now;
use crate::credentials::{Credentials, KeyRecord, issue};
use crate::errors::not_found;
use crate::server::Server;

pub(super) async fn request_token(
    State(server): State<Arc<Server>>,
    key: Result<Path<String>, PathRejection>,
    call: Call,
) -> Response {
    call.settle(handle(&server, key, &call))
}

/// The key that a path names, and its app.
///
/// # Errors
/// 40400.
pub(super) fn named_key(
    server: &Server,
    key: Result<Path<String>, PathRejection>,
) -> Result<(Arc<App>, Arc<KeyRecord>), ErrorInfo> {
    let unknown = || not_found("no such key");
    let name = key.ok().and_then(|Path(name)| KeyName::parse(name).ok()).ok_or_else(unknown)?;
    let app = server.apps().get(name.app_id()).ok_or_else(unknown)?;
    let record = app.key(&name).ok_or_else(unknown)?;
    Ok((app, record))
}

/// A method that a path below a key does not have: that there is no such key comes first.
pub(super) async fn unknown_method(
    State(server): State<Arc<Server>>,
    key: Result<Path<String>, PathRejection>,
    call: Call,
) -> Response {
    call.settle(named_key(&server, key).and_then(|_| Err(method_not_allowed())))
}

fn handle(
    server: &Server,
    key: Result<Path<String>, PathRejection>,
    call: &Call,
) -> Result<Response, ErrorInfo> {
    let now = now();
    let (app, record) = named_key(server, key)?;
    server.faults().check_key(record.key.name(), now)?;
    let has_key = match call.credentials()? {
        // A signed request needs no credentials; whoever shows some must show the key itself.
        None => false,
        Some(credentials @ Credentials::Key(_)) => {
            authorise(server, &credentials, now)?.key == *record.key.name()
        }
        Some(Credentials::Token(_)) => {
            return Err(ErrorInfo::new(40162, 401, "a token cannot request tokens: use the key"));
        }
    };
    let details = issue(&record, server.mint(), &mut app.nonces(), call.read_object()?, has_key, now)?;
    server.apps().note_use(&app);
    Ok(call.answer(StatusCode::CREATED, &details))
}
