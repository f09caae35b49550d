//! The WebSocket handshake at `/`, and who asks for a connection without one.

use std::sync::Arc;

use ably::ErrorInfo;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::response::{IntoResponse, Response};

use super::{Call, page};
use crate::auth::identify;
use crate::clock::now;
use crate::connection::{self, ConnectRequest, FRAME_MAX};
use crate::errors::not_found;
use crate::faults::Refusal;
use crate::server::Server;
use crate::wire::Line;

/// How many bytes are read from a socket at a time. Every connection holds so many for life, and most frames are small.
const READ_BUFFER: usize = 8 << 10;

/// Completes the upgrade whatever the credentials are: a client takes a refusal by HTTP for a fault of the network, and tries
/// again for ever. Only where a fault is to do just that is it refused here.
pub(super) async fn connect(
    State(server): State<Arc<Server>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    ConnectInfo(line): ConnectInfo<Line>,
    RawQuery(query): RawQuery,
    call: Call,
) -> Response {
    let Ok(upgrade) = upgrade else {
        if call.accepts("text/html") {
            return page::index(call.header("host"));
        }
        return call.settle(Err(not_found("connect to this path by WebSocket")));
    };
    let request = ConnectRequest::parse(&query.unwrap_or_default());
    let now = now();
    let firing = server.faults().on_connect(now, || {
        let authorised = identify(&server, request.credentials()?, now).ok()?;
        let client = authorised.client.narrowed(request.client_id()).ok()?;
        Some((authorised.key, client.shown()))
    });
    let refusal = firing.map(|firing| {
        firing.count();
        firing.what().clone()
    });
    match &refusal {
        Some(Refusal::Reset) => {
            line.reset();
            // Not a byte of it is sent.
            return ().into_response();
        }
        Some(Refusal::Http(error)) => return call.settle(Err(error.clone())),
        None | Some(Refusal::Disconnected(_) | Refusal::Failed(_)) => {}
    }
    // A frame somewhat too long is refused by name; one much too long is not even read.
    let upgrade = upgrade.max_message_size(2 * FRAME_MAX).max_frame_size(2 * FRAME_MAX);
    upgrade.read_buffer_size(READ_BUFFER).on_upgrade(move |websocket| {
        let tasks = server.tasks().clone();
        tasks.track_future(connection::serve(server, websocket, line, request, refusal))
    })
}

/// The protocol version from which on an SDK tries WebSocket first (ably-js 2.0).
const WEBSOCKET_FIRST: u32 = 3;

/// Refuses a connection by long polling, so that a client goes on at once. An SDK that comes here since its WebSocket took too
/// long tries that again after an error of the server's (50002); one that begins here would do so for ever, and is told that there
/// is no such path (40400).
pub(super) async fn comet(call: Call) -> Response {
    const WHY: &str =
        "there is no long polling here: the transport is WebSocket, in ably-js transports: ['web_socket']";
    let comes_second = call.version().is_some_and(|version| version >= WEBSOCKET_FIRST);
    let error = if comes_second { ErrorInfo::new(50002, 503, WHY) } else { not_found(WHY) };
    call.settle(Err(error))
}
