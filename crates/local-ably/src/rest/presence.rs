//! `GET /presence`: who is present on several channels.

use std::sync::Arc;

use ably::{ErrorInfo, Operation, PresenceMessage};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::Call;
use super::batch::{ChannelFailure, Outcome, answer_one};
use crate::auth::Authorised;
use crate::channel::{ChannelName, MemberFilter};
use crate::clock::now;
use crate::errors::bad_request;
use crate::lock::lock;
use crate::server::Server;

/// How many channels a request may name.
const CHANNELS_MAX: usize = 100;
/// How much the members of an answer may hold, in bytes. Ably names no limit; this one bounds memory.
const SIZE_MAX: usize = 16 << 20;

#[derive(Serialize)]
struct Present {
    channel: String,
    presence: Vec<PresenceMessage>,
}

pub(super) async fn batch(State(server): State<Arc<Server>>, call: Call) -> Response {
    call.settle(read(&server, &call))
}

fn read(server: &Server, call: &Call) -> Result<Response, ErrorInfo> {
    let caller = call.authorised(server, now())?;
    let separator = call.param("separator").unwrap_or(",");
    let names = call.param("channels").map(|names| names.split(separator).collect());
    let names: Vec<&str> = names.unwrap_or_default();
    if names.is_empty() || names.len() > CHANNELS_MAX {
        return Err(bad_request(format!("channels names from 1 to {CHANNELS_MAX} channels")));
    }
    let mut room = SIZE_MAX;
    let mut outcomes = Vec::with_capacity(names.len());
    for name in names {
        let channel = name.to_owned();
        outcomes.push(match present(&caller, name, &mut room) {
            Ok(presence) => Outcome::Success(Present { channel, presence }),
            Err(error) => Outcome::Failure(ChannelFailure { channel, error }),
        });
    }
    Ok(answer_one(call, StatusCode::OK, outcomes))
}

fn present(caller: &Authorised, name: &str, room: &mut usize) -> Result<Vec<PresenceMessage>, ErrorInfo> {
    let name = ChannelName::parse(name)?;
    caller.require(name.canonical(), Operation::Subscribe)?;
    let channel = caller.app.channels().get(name.canonical());
    let members = channel.map(|channel| lock(&channel).present(&MemberFilter::default())).unwrap_or_default();
    let size = members.iter().map(PresenceMessage::size).sum();
    *room = room.checked_sub(size).ok_or_else(|| {
        ErrorInfo::new(40009, 400, "the answer would be too long: ask for fewer channels at a time")
    })?;
    Ok(members)
}
