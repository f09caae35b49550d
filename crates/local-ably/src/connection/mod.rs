//! WebSocket connections: one task that reads, one that writes, and a queue between the rest of the server and the writer. Beside
//! them, connections that only listen: streams of events over HTTP.

mod bounce;
mod commands;
mod ending;
mod event_stream;
mod handshake;
mod holding;
mod misbehave;
mod session;
mod stranger;
mod writer;

use std::sync::Arc;

use axum::extract::ws::WebSocket;

use crate::faults::Refusal;
use crate::server::Server;
use crate::wire::Line;

pub(crate) use event_stream::{Event, EventStream, StreamRequest};
pub(crate) use handshake::ConnectRequest;
pub(crate) use session::FRAME_MAX;

/// Serves one WebSocket until it ends; one that is to be refused ends at once.
pub(crate) async fn serve(
    server: Arc<Server>,
    websocket: WebSocket,
    line: Line,
    request: ConnectRequest,
    refusal: Option<Refusal>,
) {
    session::run(server, websocket, line, request, refusal).await;
}
