//! The WebSocket handshake at `/`.

use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{RawQuery, State};
use axum::response::Response;

use super::Call;
use crate::connection::{self, ConnectRequest, FRAME_MAX};
use crate::errors::not_found;
use crate::server::Server;

/// Completes the upgrade whatever the credentials are: a client takes a refusal by HTTP for a fault of the network, and tries
/// again for ever.
pub(super) async fn connect(
    State(server): State<Arc<Server>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    RawQuery(query): RawQuery,
    call: Call,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return call.settle(Err(not_found("connect to this path by WebSocket")));
    };
    let request = ConnectRequest::parse(&query.unwrap_or_default());
    // A frame somewhat too long is refused by name; one much too long is not even read.
    upgrade.max_message_size(2 * FRAME_MAX).max_frame_size(2 * FRAME_MAX).on_upgrade(move |websocket| {
        let tasks = server.tasks().clone();
        tasks.track_future(connection::serve(server, websocket, request))
    })
}
