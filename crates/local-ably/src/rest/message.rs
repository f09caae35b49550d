//! `/channels/{channel}/messages/{serial}` and what is below it: one message, its versions and its annotations.

use std::sync::Arc;

use ably::{Annotation, ErrorInfo, Message, MessageAction, Operation, Version};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::Call;
use super::call::not_text;
use super::paging::{limit, paged};
use crate::auth::Authorised;
use crate::channel::{
    Annotator, ChannelName, ChannelRef, MESSAGES_MAX, Publisher, prepare_annotations, prepare_change,
};
use crate::clock::{Millis, now};
use crate::errors::{bad_request, not_found};
use crate::lock::lock;
use crate::protocol::Few;
use crate::random;
use crate::server::Server;

type MessagePath = Result<Path<(String, String)>, PathRejection>;

/// A message as it is by now.
pub(super) async fn read(State(server): State<Arc<Server>>, path: MessagePath, call: Call) -> Response {
    call.settle(find(&server, path, &call, now()).and_then(|found| {
        found.caller.require(found.name.canonical(), Operation::History)?;
        let channel = found.channel()?;
        let message = lock(&channel).message(&found.serial)?;
        Ok(call.answer(StatusCode::OK, &message))
    }))
}

/// The versions of a message, oldest first, a page at a time.
pub(super) async fn versions(State(server): State<Arc<Server>>, path: MessagePath, call: Call) -> Response {
    call.settle(find(&server, path, &call, now()).and_then(|found| {
        found.caller.require(found.name.canonical(), Operation::History)?;
        let limit = limit(&call)?;
        let channel = found.channel()?;
        let page = lock(&channel).versions(&found.serial, limit, call.param("cursor"))?;
        Ok(paged(&call, "versions", limit, &page))
    }))
}

/// Updates or deletes a message, or appends to it.
pub(super) async fn change(State(server): State<Arc<Server>>, path: MessagePath, call: Call) -> Response {
    call.settle(call.read().and_then(|sent| make_change(&server, path, &call, sent)))
}

/// Deletes a message.
pub(super) async fn remove(State(server): State<Arc<Server>>, path: MessagePath, call: Call) -> Response {
    let sent = call.read().map(|sent| Message { action: Some(MessageAction::Delete), ..sent });
    call.settle(sent.and_then(|sent| make_change(&server, path, &call, sent)))
}

/// Why a message is changed, by the name that SDKs gave it before it became a part of the `version`.
#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    operation: Option<Version>,
}

fn make_change(
    server: &Server,
    path: MessagePath,
    call: &Call,
    sent: Message,
) -> Result<Response, ErrorInfo> {
    let now = now();
    let found = find(server, path, call, now)?;
    let Reason { operation } = call.read()?;
    if sent.serial.as_ref().is_some_and(|serial| *serial != found.serial) {
        return Err(bad_request("the message has another serial than the path"));
    }
    let message = Message {
        serial: Some(found.serial.clone()),
        action: sent.action.or(Some(MessageAction::Update)),
        version: sent.version.or(operation),
        ..sent
    };
    let publisher = Publisher {
        client: &found.caller.client,
        connection_id: None,
        base_id: &random::text::<9>(),
        size_max: server.limits().message_size(),
    };
    let change = prepare_change(vec![message], &publisher)?;
    let operations = found.caller.operations_on(found.name.canonical());
    let channel = found.channel()?;
    let mut channel = lock(&channel);
    server.admit(&found.caller.app, &channel, 1, change.size(), now)?;
    let version = channel.change(change, operations.as_ref(), now)?;
    Ok(call.answer(StatusCode::OK, &json!({"serial": found.serial, "versionSerial": version})))
}

/// The annotations of a message, oldest first, a page at a time.
pub(super) async fn annotations(
    State(server): State<Arc<Server>>,
    path: MessagePath,
    call: Call,
) -> Response {
    call.settle(find(&server, path, &call, now()).and_then(|found| {
        found.caller.require(found.name.canonical(), Operation::History)?;
        let limit = limit(&call)?;
        let channel = found.channel()?;
        let page = lock(&channel).annotations(&found.serial, limit, call.param("cursor"))?;
        Ok(paged(&call, "annotations", limit, &page))
    }))
}

/// Annotates a message.
pub(super) async fn annotate(State(server): State<Arc<Server>>, path: MessagePath, call: Call) -> Response {
    call.settle(make_annotations(&server, path, &call))
}

fn make_annotations(server: &Server, path: MessagePath, call: &Call) -> Result<Response, ErrorInfo> {
    let now = now();
    let found = find(server, path, call, now)?;
    found.caller.require(found.name.canonical(), Operation::AnnotationPublish)?;
    let Few(annotations) = call.read::<Few<Annotation, MESSAGES_MAX>>()?;
    let base_id = random::text::<9>();
    let annotator = Annotator {
        client: &found.caller.client,
        connection_id: None,
        base_id: &base_id,
        size_max: server.limits().message_size(),
    };
    let annotations = prepare_annotations(annotations, Some(&found.serial), &annotator)?;
    let channel = found.channel()?;
    let mut channel = lock(&channel);
    let size = annotations.iter().map(Annotation::size).sum();
    server.admit(&found.caller.app, &channel, annotations.len(), size, now)?;
    let serials = channel.annotate(annotations, &annotator, now)?;
    Ok(call.answer(StatusCode::CREATED, &json!({"serials": serials})))
}

/// Who asks, and for which message.
struct Found {
    caller: Authorised,
    name: ChannelName,
    serial: String,
}

impl Found {
    /// The channel.
    ///
    /// # Errors
    /// 40400 where there is none of that name, and so no message.
    fn channel(&self) -> Result<ChannelRef, ErrorInfo> {
        let channel = self.caller.app.channels().get(self.name.canonical());
        channel.ok_or_else(|| not_found("the channel has no message of this serial"))
    }
}

fn find(server: &Server, path: MessagePath, call: &Call, now: Millis) -> Result<Found, ErrorInfo> {
    let caller = call.authorised(server, now)?;
    let Path((name, serial)) = path.map_err(not_text)?;
    Ok(Found { caller, name: ChannelName::parse(&name)?, serial })
}
