//! `POST /channels/{channel}/messages`.

use std::sync::Arc;

use ably::{ErrorInfo, Message, Operation};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Call;
use super::call::channel_of;
use crate::app::{App, lock};
use crate::channel::{Publisher, prepare};
use crate::clock::now;
use crate::errors::bad_request;
use crate::limits;
use crate::random;
use crate::server::Server;

/// One message, or an array of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Messages {
    Many(Vec<Message>),
    One(Box<Message>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublishedBody<'a> {
    channel: &'a str,
    message_id: &'a str,
    serials: &'a [String],
}

pub(super) async fn publish(
    State(server): State<Arc<Server>>,
    channel: Result<Path<String>, PathRejection>,
    call: Call,
) -> Response {
    call.settle(handle(&server, channel, &call))
}

fn handle(
    server: &Server,
    channel: Result<Path<String>, PathRejection>,
    call: &Call,
) -> Result<Response, ErrorInfo> {
    let now = now();
    let caller = call.authorised(server, now)?;
    let name = channel_of(channel)?;
    caller.require(name.canonical(), Operation::Publish)?;
    let messages = match call.read()? {
        Messages::Many(messages) => messages,
        Messages::One(message) => vec![*message],
    };
    let connection_id = connection_of(&caller.app, &messages)?;
    let publisher = Publisher {
        client: &caller.client,
        connection_id: connection_id.as_deref(),
        base_id: &random::text::<9>(),
        size_max: server.limits().message_size(),
    };
    let count = messages.len();
    let prepared = prepare(messages, &publisher)?;
    let channel = caller.app.channel(name.canonical(), now)?;
    let mut channel = lock(&channel);
    let publish = limits::Publish {
        app: caller.app.id(),
        channel: name.canonical(),
        messages: count,
        bytes: prepared.size(),
    };
    server.limits().publish(&publish, || channel.receivers(), now)?;
    let published = channel.publish(prepared, now);
    drop(channel);
    let body =
        PublishedBody { channel: name.canonical(), message_id: &published.id, serials: &published.serials };
    Ok(call.answer(StatusCode::CREATED, &body))
}

/// The connection that messages are published for, which they name by its key.
fn connection_of(app: &App, messages: &[Message]) -> Result<Option<String>, ErrorInfo> {
    let Some(key) = messages.iter().find_map(|message| message.connection_key.as_deref()) else {
        return Ok(None);
    };
    if messages.iter().any(|message| message.connection_key.as_deref() != Some(key)) {
        return Err(bad_request("the messages of a publish have one connectionKey"));
    }
    let unknown = || ErrorInfo::new(40006, 400, "no connection has this connectionKey");
    app.connections().id_of(key).map(|id| Some(id.to_owned())).ok_or_else(unknown)
}
