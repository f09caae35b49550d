//! The limits of requests.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::call::early_refusal;
use crate::clock::now;
use crate::server::Server;

/// Refuses requests beyond what the plan allows. WebSockets are no requests: connections have a limit of their own.
pub(super) async fn check(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let allowed = match path {
        "/" => Ok(()),
        _ if path.starts_with("/keys/") && path.ends_with("/requestToken") => {
            server.limits().token_request(now())
        }
        _ => server.limits().request(now()),
    };
    match allowed {
        Ok(()) => next.run(request).await,
        Err(error) => early_refusal(request.headers(), error),
    }
}
