//! `GET /channels/{channel}` and what is below it.

use std::sync::Arc;

use ably::{BeforeProtocol4, ErrorInfo, Operation, PresenceMessage};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::Call;
use super::call::channel_of;
use super::paging::{history_query, limit, paged};
use crate::channel::{Channel, ChannelRef, MemberFilter, Page};
use crate::clock::{Millis, now};
use crate::errors::bad_request;
use crate::lock::lock;
use crate::protocol::Shape;
use crate::server::Server;

type ChannelPath = Result<Path<String>, PathRejection>;

/// Past messages, a page at a time, at `…/messages`.
pub(super) async fn messages(
    State(server): State<Arc<Server>>,
    channel: ChannelPath,
    call: Call,
) -> Response {
    call.settle(read_history(&server, channel, &call, "messages"))
}

/// The same at `…/history`.
pub(super) async fn history(State(server): State<Arc<Server>>, channel: ChannelPath, call: Call) -> Response {
    call.settle(read_history(&server, channel, &call, "history"))
}

fn read_history(
    server: &Server,
    channel: ChannelPath,
    call: &Call,
    word: &str,
) -> Result<Response, ErrorInfo> {
    let now = now();
    let channel = find(server, channel, call, Operation::History, now)?;
    let query = history_query(call)?;
    let page = match channel {
        Some(channel) => lock(&channel).history(&query, now)?,
        None => Page { items: Vec::new(), next: None },
    };
    match Shape::of(call.version()) {
        Shape::Current => Ok(paged(call, word, query.limit, &page)),
        Shape::BeforeProtocol4 => {
            let items = page.items.iter().map(BeforeProtocol4).collect();
            Ok(paged(call, word, query.limit, &Page { items, next: page.next }))
        }
    }
}

/// Who came and went, a page at a time.
pub(super) async fn presence_history(
    State(server): State<Arc<Server>>,
    channel: ChannelPath,
    call: Call,
) -> Response {
    call.settle(read_presence_history(&server, channel, &call))
}

fn read_presence_history(server: &Server, channel: ChannelPath, call: &Call) -> Result<Response, ErrorInfo> {
    let now = now();
    let channel = find(server, channel, call, Operation::History, now)?;
    let query = history_query(call)?;
    let page = match channel {
        Some(channel) => lock(&channel).presence_history(&query, now)?,
        None => Page { items: Vec::new(), next: None },
    };
    Ok(paged(call, "history", query.limit, &page))
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
    let channel = find(server, channel, call, Operation::Subscribe, now())?;
    let filter = MemberFilter {
        client_id: call.param("clientId").map(str::to_owned),
        connection_id: call.param("connectionId").map(str::to_owned),
    };
    let limit = limit(call)?;
    // A page begins after the member that the page before ended with, whoever else has come or gone; an id of a connection
    // holds no `:`.
    let unreadable = || bad_request("the position in the presence set cannot be read");
    let after =
        call.param("cursor").map(|cursor| cursor.split_once(':').ok_or_else(unreadable)).transpose()?;
    let members = channel.map(|channel| lock(&channel).present(&filter)).unwrap_or_default();
    let mut rest = members.into_iter().filter(|member| after.is_none_or(|after| place(member) > after));
    let items: Vec<_> = rest.by_ref().take(limit).collect();
    let next = rest.next().and(items.last()).map(|last| {
        let (connection_id, client_id) = place(last);
        format!("{connection_id}:{client_id}")
    });
    Ok(paged(call, "presence", limit, &Page { items, next }))
}

/// Where a member stands in the order of members.
fn place(member: &PresenceMessage) -> (&str, &str) {
    (member.connection_id.as_deref().unwrap_or_default(), member.client_id.as_deref().unwrap_or_default())
}

/// Whether a channel is in use, and by how many.
pub(super) async fn status(State(server): State<Arc<Server>>, channel: ChannelPath, call: Call) -> Response {
    call.settle(read_status(&server, channel, &call))
}

/// To ask is to use the channel: Ably makes it active for the answer.
fn read_status(server: &Server, channel: ChannelPath, call: &Call) -> Result<Response, ErrorInfo> {
    let now = now();
    let caller = call.authorised(server, now)?;
    let name = channel_of(channel)?;
    caller.require(name.canonical(), Operation::ChannelMetadata)?;
    let channel = caller.app.channel(name.canonical(), server.limits(), now)?;
    let mut channel = lock(&channel);
    channel.touch(now);
    Ok(call.answer(StatusCode::OK, &details(name.canonical(), &channel, now)))
}

/// What is told of a channel (features.md, CHD1). The SDK for PHP reads its `name`.
pub(super) fn details(name: &str, channel: &Channel, now: Millis) -> Value {
    json!({
        "channelId": name,
        "name": name,
        "status": {"isActive": channel.is_active(now), "occupancy": {"metrics": channel.occupancy()}},
    })
}

/// The channel of a path, which need not exist, for a caller who may do what they want to.
fn find(
    server: &Server,
    channel: ChannelPath,
    call: &Call,
    operation: Operation,
    now: Millis,
) -> Result<Option<ChannelRef>, ErrorInfo> {
    let caller = call.authorised(server, now)?;
    let name = channel_of(channel)?;
    caller.require(name.canonical(), operation)?;
    Ok(caller.app.channels().get(name.canonical()))
}
