//! `GET /channels/{channel}` and what is below it.

use std::sync::Arc;

use ably::{ErrorInfo, Operation};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde_json::json;

use super::Call;
use super::call::channel_of;
use crate::app::{ChannelRef, lock};
use crate::channel::{HistoryQuery, MemberFilter, Page};
use crate::clock::{Millis, now};
use crate::errors::bad_request;
use crate::server::Server;

type ChannelPath = Result<Path<String>, PathRejection>;

/// Past messages, a page at a time.
pub(super) async fn history(State(server): State<Arc<Server>>, channel: ChannelPath, call: Call) -> Response {
    call.settle(read_history(&server, channel, &call))
}

fn read_history(server: &Server, channel: ChannelPath, call: &Call) -> Result<Response, ErrorInfo> {
    let now = now();
    let (channel, _) = find(server, channel, call, Operation::History, now)?;
    let query = HistoryQuery {
        start: call.number("start")?,
        end: call.number("end")?,
        forwards: match call.param("direction") {
            None | Some("backwards") => false,
            Some("forwards") => true,
            Some(_) => return Err(bad_request("direction is forwards or backwards")),
        },
        until_serial: call.param("from_serial").or_else(|| call.param("fromSerial")).map(str::to_owned),
        limit: call.limit()?,
        cursor: call.param("cursor").map(str::to_owned),
    };
    if let (Some(start), Some(end)) = (query.start, query.end)
        && start > end
    {
        return Err(bad_request("start is later than end"));
    }
    let page = match channel {
        Some(channel) => lock(&channel).history(&query, now)?,
        None => Page { items: Vec::new(), next: None },
    };
    Ok(paged(call, "messages", &page))
}

/// Who is present, a page at a time.
pub(super) async fn presence(
    State(server): State<Arc<Server>>,
    channel: ChannelPath,
    call: Call,
) -> Response {
    call.settle(read_presence(&server, channel, &call))
}

fn read_presence(server: &Server, channel: ChannelPath, call: &Call) -> Result<Response, ErrorInfo> {
    let (channel, _) = find(server, channel, call, Operation::Subscribe, now())?;
    let filter = MemberFilter {
        client_id: call.param("clientId").map(str::to_owned),
        connection_id: call.param("connectionId").map(str::to_owned),
    };
    let limit = call.limit()?;
    let passed_over: usize = call.number("cursor")?.unwrap_or(0);
    let members = channel.map(|channel| lock(&channel).present(&filter)).unwrap_or_default();
    let end = passed_over.saturating_add(limit);
    let next = (members.len() > end).then(|| end.to_string());
    let items = members.into_iter().skip(passed_over).take(limit).collect();
    Ok(paged(call, "presence", &Page { items, next }))
}

/// Whether a channel is in use, and by how many.
pub(super) async fn status(State(server): State<Arc<Server>>, channel: ChannelPath, call: Call) -> Response {
    call.settle(read_status(&server, channel, &call))
}

fn read_status(server: &Server, channel: ChannelPath, call: &Call) -> Result<Response, ErrorInfo> {
    let (channel, name) = find(server, channel, call, Operation::ChannelMetadata, now())?;
    let (active, occupancy) = channel.map_or((false, Default::default()), |channel| {
        let channel = lock(&channel);
        (channel.is_active(), channel.occupancy())
    });
    let body = json!({
        "channelId": name,
        "status": {"isActive": active, "occupancy": {"metrics": occupancy}},
    });
    Ok(call.answer(StatusCode::OK, &body))
}

/// The channel of a path, which need not exist, and its canonical name; for a caller who may do what they want to.
fn find(
    server: &Server,
    channel: ChannelPath,
    call: &Call,
    operation: Operation,
    now: Millis,
) -> Result<(Option<ChannelRef>, String), ErrorInfo> {
    let caller = call.authorised(server, now)?;
    let name = channel_of(channel)?;
    caller.require(name.canonical(), operation)?;
    let channel = caller.app.channels().get(name.canonical());
    Ok((channel, name.canonical().to_owned()))
}

/// A page, with a `Link` header for each page that a client may want next.
fn paged<T: Serialize>(call: &Call, word: &str, page: &Page<T>) -> Response {
    let mut response = call.answer(StatusCode::OK, &page.items);
    let current = call.param("cursor");
    let links = [
        Some(("first", call.query_from(None))),
        Some(("current", call.query_from(current))),
        page.next.as_deref().map(|next| ("next", call.query_from(Some(next)))),
    ];
    for (rel, query) in links.into_iter().flatten() {
        if let Ok(link) = HeaderValue::from_str(&format!("<./{word}?{query}>; rel=\"{rel}\"")) {
            response.headers_mut().append(header::LINK, link);
        }
    }
    response
}
