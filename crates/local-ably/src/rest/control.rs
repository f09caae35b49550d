//! `/control`: how the server is to misbehave, and what its limits have seen. For whoever has the secret that is printed at start,
//! on this machine only.

use std::sync::Arc;
use std::time::Duration;

use ably::{ErrorInfo, Secret};
use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::call::{self, early_refusal};
use super::{Call, Guard, guard};
use crate::clock::now;
use crate::errors::{bad_request, not_found};
use crate::faults::Body;
use crate::server::Server;
use crate::wire::Line;

/// How long a client may wait for a fault to fire, in milliseconds: by default, and at most.
const WAIT_DEFAULT: u64 = 10_000;
const WAIT_MAX: u64 = 60_000;

/// The routes, behind checks of their own.
pub(super) fn router(secret: Secret) -> Router<Arc<Server>> {
    let routes = Router::new()
        .route("/control/faults", get(list).post(create).delete(clear))
        .route("/control/faults/{fault}", get(show).delete(remove))
        .route("/control/limits", get(limits))
        .method_not_allowed_fallback(call::unknown_method);
    guarded(routes, secret)
}

/// Puts routes behind the checks of those who steer the server, or look inside.
pub(super) fn guarded(routes: Router<Arc<Server>>, secret: Secret) -> Router<Arc<Server>> {
    routes
        .layer(middleware::from_fn_with_state(Arc::new(secret), check))
        // What is let through besides loopback has no say in how the server behaves.
        .layer(middleware::from_fn_with_state(Arc::new(Guard::default()), guard::check))
}

/// Refuses other machines, whoever has not the secret, and bodies that a page could send without being asked.
async fn check(
    State(secret): State<Arc<Secret>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let checked = if !line.peer().ip().to_canonical().is_loopback() {
        Err(ErrorInfo::new(40300, 403, "control and inspector serve this machine only"))
    } else if bearer(headers).as_ref() != Some(&*secret) {
        let message = "send the control secret, which is printed at start: Authorization: Bearer <secret>";
        Err(ErrorInfo::new(40101, 401, message))
    } else if request.method() == Method::POST && !is_json(headers) {
        Err(ErrorInfo::new(40000, 415, "the Content-Type is to be application/json"))
    } else {
        Ok(())
    };
    match checked {
        Ok(()) => next.run(request).await,
        Err(error) => early_refusal(headers, error),
    }
}

fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let (scheme, secret) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(secret.trim()))
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

/// Makes a fault.
async fn create(State(server): State<Arc<Server>>, call: Call) -> Response {
    call.settle(make(&server, &call))
}

fn make(server: &Server, call: &Call) -> Result<Response, ErrorInfo> {
    let now = now();
    let body: Body = call.read()?;
    let (fault, strike) = server.faults().add(body, now)?;
    if let Some(strike) = strike {
        for app in server.apps().all() {
            let sockets = app.connections().sockets();
            for socket in sockets {
                socket.struck_by(&strike);
            }
        }
    }
    Ok(call.answer(StatusCode::CREATED, &fault.report(now)))
}

/// All faults.
async fn list(State(server): State<Arc<Server>>, call: Call) -> Response {
    let now = now();
    let faults: Vec<Value> = server.faults().all().iter().map(|fault| fault.report(now)).collect();
    call.answer(StatusCode::OK, &json!({"faults": faults}))
}

/// Removes all faults.
async fn clear(State(server): State<Arc<Server>>) -> Response {
    server.faults().clear();
    StatusCode::NO_CONTENT.into_response()
}

/// One fault; with `fired`, once it has fired so often or the time is up.
async fn show(
    State(server): State<Arc<Server>>,
    id: Result<Path<String>, PathRejection>,
    call: Call,
) -> Response {
    call.settle(watch(&server, id, &call).await)
}

async fn watch(
    server: &Server,
    id: Result<Path<String>, PathRejection>,
    call: &Call,
) -> Result<Response, ErrorInfo> {
    let fault = id.ok().and_then(|Path(id)| server.faults().get(&id)).ok_or_else(no_such_fault)?;
    let wait: u64 = call.number("waitMs")?.unwrap_or(WAIT_DEFAULT);
    if wait > WAIT_MAX {
        return Err(bad_request(format!("waitMs is at most {WAIT_MAX}")));
    }
    if let Some(times) = call.number("fired")? {
        tokio::select! {
            () = fault.fired(times, Duration::from_millis(wait)) => {}
            () = server.shutdown().cancelled() => {}
        }
    }
    Ok(call.answer(StatusCode::OK, &fault.report(now())))
}

/// Removes a fault.
async fn remove(
    State(server): State<Arc<Server>>,
    id: Result<Path<String>, PathRejection>,
    call: Call,
) -> Response {
    let removed = id.is_ok_and(|Path(id)| server.faults().remove(&id));
    call.settle(if removed { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(no_such_fault()) })
}

fn no_such_fault() -> ErrorInfo {
    not_found("there is no such fault: it was removed, or made way for another once it was over")
}

/// What is limited, and how much of it there has been.
async fn limits(State(server): State<Arc<Server>>, call: Call) -> Response {
    call.answer(StatusCode::OK, &server.limits().report())
}
