//! `POST /channels/{channel}/messages`, and `POST /messages` for several channels at once.

use std::collections::HashSet;
use std::sync::Arc;

use ably::{ErrorInfo, Message, Object, Operation};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Call;
use super::batch::{ChannelFailure, Outcome, answer_many};
use super::body::messages;
use super::call::channel_of;
use super::one_or_many::OneOrMany;
use crate::app::App;
use crate::auth::Authorised;
use crate::channel::{ChannelName, MESSAGES_MAX, Published, Publisher, prepare};
use crate::clock::{Millis, now};
use crate::errors::{asks_for_refusal, bad_request, forced_refusal};
use crate::faults::PartRefusal;
use crate::lock::lock;
use crate::random;
use crate::server::Server;

/// How many different channels a batch may be for.
const BATCH_CHANNELS_MAX: usize = 100;
/// How many publishes a batch may come to, one for each channel of each spec. Ably names no limit; this one bounds the work.
pub(super) const BATCH_PUBLISHES_MAX: usize = 10_000;
/// How many messages those publishes may have together: the most messages on the most channels.
const BATCH_MESSAGES_MAX: usize = BATCH_CHANNELS_MAX * MESSAGES_MAX;
/// How many specs a batch may have. Ably names no limit; this one bounds what they take in memory.
pub(super) const BATCH_SPECS_MAX: usize = 100;

/// Which messages go to which channels (features.md, BSP2).
#[derive(Deserialize)]
struct BatchSpec {
    channels: OneOrMany<String, BATCH_PUBLISHES_MAX>,
    messages: OneOrMany<Message, MESSAGES_MAX>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublishedBody {
    channel: String,
    message_id: String,
    serials: Vec<String>,
}

impl PublishedBody {
    fn new(channel: &str, Published { id, serials }: Published) -> Self {
        Self { channel: channel.to_owned(), message_id: id, serials }
    }
}

pub(super) async fn publish(
    State(server): State<Arc<Server>>,
    channel: Result<Path<String>, PathRejection>,
    call: Call,
) -> Response {
    call.settle(publish_one(&server, channel, &call))
}

fn publish_one(
    server: &Server,
    channel: Result<Path<String>, PathRejection>,
    call: &Call,
) -> Result<Response, ErrorInfo> {
    let now = now();
    let caller = call.authorised(server, now)?;
    let name = channel_of(channel)?;
    caller.require(name.canonical(), Operation::Publish)?;
    if asks_for_refusal(call.param("_forceNack")) {
        return Err(forced_refusal());
    }
    let messages = messages(call)?;
    let published = publish_to(server, &caller, &name, messages, now)?;
    Ok(call.answer(StatusCode::CREATED, &PublishedBody::new(name.canonical(), published)))
}

pub(super) async fn publish_batch(State(server): State<Arc<Server>>, call: Call) -> Response {
    call.settle(publish_many(&server, &call).await)
}

/// Publishes the messages of each spec to each of its channels: on one channel all of them or, for a reason that the answer
/// tells, none.
async fn publish_many(server: &Server, call: &Call) -> Result<Response, ErrorInfo> {
    let now = now();
    let caller = call.authorised(server, now)?;
    let specs = call.read::<OneOrMany<Object<BatchSpec>, BATCH_SPECS_MAX>>()?.into_vec();
    let specs: Vec<_> =
        specs.into_iter().map(|Object(spec)| (spec.channels.into_vec(), spec.messages.into_vec())).collect();
    check_batch(&specs)?;
    let mut batches = Vec::with_capacity(specs.len());
    for (channels, messages) in specs {
        let mut outcomes = Vec::with_capacity(channels.len());
        for channel in channels {
            outcomes.push(match publish_by_name(server, &caller, &channel, messages.clone(), now) {
                Ok(published) => Outcome::Success(PublishedBody::new(&channel, published)),
                Err(error) => Outcome::Failure(ChannelFailure { channel, error }),
            });
            // A large batch takes long, and others have their turn meanwhile.
            tokio::task::yield_now().await;
        }
        batches.push(outcomes);
    }
    Ok(answer_many(call, StatusCode::CREATED, batches))
}

/// Refuses a batch as a whole, before anything is published.
fn check_batch(specs: &[(Vec<String>, Vec<Message>)]) -> Result<(), ErrorInfo> {
    if specs.is_empty() {
        return Err(bad_request("the batch has no spec"));
    }
    for (channels, messages) in specs {
        if channels.is_empty() {
            return Err(bad_request("a spec names at least one channel"));
        }
        if messages.is_empty() || messages.len() > MESSAGES_MAX {
            return Err(bad_request(format!("a spec has from 1 to {MESSAGES_MAX} messages")));
        }
    }
    let channels = || specs.iter().flat_map(|(channels, _)| channels);
    if channels().collect::<HashSet<_>>().len() > BATCH_CHANNELS_MAX {
        return Err(bad_request(format!("a batch is for at most {BATCH_CHANNELS_MAX} channels")));
    }
    if channels().count() > BATCH_PUBLISHES_MAX {
        return Err(bad_request(format!("a batch comes to at most {BATCH_PUBLISHES_MAX} publishes")));
    }
    let messages = specs.iter().map(|(channels, messages)| channels.len() * messages.len());
    if messages.sum::<usize>() > BATCH_MESSAGES_MAX {
        return Err(bad_request(format!("a batch comes to at most {BATCH_MESSAGES_MAX} messages")));
    }
    Ok(())
}

fn publish_by_name(
    server: &Server,
    caller: &Authorised,
    sent_name: &str,
    messages: Vec<Message>,
    now: Millis,
) -> Result<Published, ErrorInfo> {
    let name = ChannelName::parse(sent_name)?;
    let publish = || {
        caller.require(name.canonical(), Operation::Publish)?;
        publish_to(server, caller, &name, messages, now)
    };
    let Some(firing) = server.faults().on_part(name.canonical(), now) else {
        return publish();
    };
    let PartRefusal { error, stored } = firing.what().clone();
    if stored {
        // Whatever became of it, this is what its publisher is told.
        let _ = publish();
    }
    firing.count();
    Err(error)
}

/// Publishes for a caller who may.
fn publish_to(
    server: &Server,
    caller: &Authorised,
    name: &ChannelName,
    messages: Vec<Message>,
    now: Millis,
) -> Result<Published, ErrorInfo> {
    let connection_id = connection_of(&caller.app, &messages)?;
    let publisher = Publisher {
        client: &caller.client,
        connection_id: connection_id.as_deref(),
        // Of the form of a realtime publish's, `connection:number`: clients match it.
        base_id: &format!("{}:0", random::text::<9>()),
        size_max: server.limits().message_size(),
    };
    let prepared = prepare(messages, &publisher)?;
    let channel = caller.app.channel(name.canonical(), server.limits(), now)?;
    let mut channel = lock(&channel);
    server.admit(&caller.app, &channel, prepared.len(), prepared.size(), now)?;
    Ok(channel.publish(prepared, now))
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
