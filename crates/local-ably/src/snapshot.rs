//! What the page at `/` shows besides what the protocol tells it: who is connected and may do what, what is attached where, how much
//! is going on, and what was refused, as it is at a moment, and as much of it as a page can show. All of it is read only.

use std::cmp::Reverse;
use std::sync::Arc;

use ably::Capability;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, Seen};
use crate::channel::{ChannelName, ChannelRef, Seat};
use crate::clock::Millis;
use crate::inspect::cut;
use crate::lock::lock;
use crate::mailbox::Holder;
use crate::protocol::Modes;
use crate::protocol::STATE_TTL;
use crate::server::Server;
use crate::socket::Socket;

/// How many of each are shown at most; a filter finds the others.
const APPS_SHOWN: usize = 200;
const KEYS_SHOWN: usize = 20;
const CHANNELS_SHOWN: usize = 200;
const CONNECTIONS_SHOWN: usize = 100;
const SEATS_SHOWN: usize = 100;
/// How many of the channels that a connection is attached to are shown.
const ATTACHED_SHOWN: usize = 20;
/// How much of a text that a client made up is shown, and of a capability, in bytes.
const TEXT_MAX: usize = 300;
const CAPABILITY_MAX: usize = 4_000;

/// What somebody wants to see.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Query {
    /// The app; without it the first.
    app: Option<String>,
    /// The channel whose attachments are wanted.
    channel: Option<String>,
    /// What names, ids and so on are to contain, in whichever case.
    filter: String,
}

/// What there is. Of refusals only those after the first `known` of all; how many there have been stands beside it.
pub(crate) fn snapshot(server: &Server, query: &Query, known: u64, now: Millis) -> (Value, u64) {
    let mut apps = server.apps().all();
    apps.sort_by(|one, other| one.id().cmp(other.id()));
    let app = match &query.app {
        Some(id) => apps.iter().find(|app| app.id() == id),
        None => apps.first(),
    };
    let filter = Filter(query.filter.to_lowercase());
    let inspector = server.inspector();
    let refusals = inspector.refusals().since(known, app.map(|app| app.id()));
    let total = refusals.total;
    let mut snapshot = json!({
        "now": now,
        "started": inspector.started(),
        "requests": inspector.requests(),
        "refusals": refusals,
        "apps": apps.iter().take(APPS_SHOWN).map(|app| app.id()).collect::<Vec<_>>(),
        "limits": server.limits().report(),
        "connected": server.connected(),
        "app": null,
    });
    if let (Some(app), Some(fields)) = (app, snapshot.as_object_mut()) {
        fields.insert("app".into(), app_of(app, query, &filter, now));
    }
    (snapshot, total)
}

/// A text that things are to contain.
struct Filter(String);

impl Filter {
    fn finds(&self, text: &str) -> bool {
        self.0.is_empty() || text.to_lowercase().contains(&self.0)
    }
}

fn app_of(app: &App, query: &Query, filter: &Filter, now: Millis) -> Value {
    let (mut channels, retired) = {
        let channels = app.channels();
        (channels.all(), channels.retired())
    };
    channels.sort_by(|(one, _), (other, _)| one.cmp(other));
    let traffic = channels.iter().fold(retired, |sum, (_, channel)| sum + lock(channel).traffic());
    let name = query.channel.as_deref().and_then(|name| ChannelName::parse(name).ok());
    let chosen = name.and_then(|name| {
        let index = channels.binary_search_by(|(known, _)| known.as_str().cmp(name.canonical())).ok()?;
        channels.get(index)
    });
    let keys = app.keys().iter().take(KEYS_SHOWN).map(|record| {
        json!({
            "name": record.key.name(),
            "capability": capability(&record.capability),
            "revocable": record.revocable,
        })
    });
    json!({
        "id": app.id(),
        "keys": keys.collect::<Vec<_>>(),
        "traffic": traffic,
        "channels": channels_of(&channels, filter),
        "channel": chosen.map(|(name, channel)| channel_of(name, channel)),
        "connections": connections_of(app, filter, now),
    })
}

fn channels_of(channels: &[(String, ChannelRef)], filter: &Filter) -> Value {
    let matching: Vec<_> = channels.iter().filter(|(name, _)| filter.finds(name)).collect();
    let shown = matching.iter().take(CHANNELS_SHOWN).map(|(name, channel)| {
        let channel = lock(channel);
        json!({
            "name": name,
            "attached": channel.seats().filter(|seat| !seat.mailbox.is_page()).count(),
            "members": channel.members(),
            "traffic": channel.traffic(),
            "rules": channel.rules(),
        })
    });
    let shown: Vec<_> = shown.collect();
    json!({"total": channels.len(), "matching": matching.len(), "shown": shown})
}

fn channel_of(name: &str, channel: &ChannelRef) -> Value {
    let channel = lock(channel);
    let seats: Vec<_> = channel.seats().collect();
    let shown = seats.iter().take(SEATS_SHOWN).map(|seat| {
        let mut value = seat_of(seat);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("connectionId".into(), seat.mailbox.connection_id().into());
            let client = seat.mailbox.holder().and_then(|holder| holder.client_id);
            fields.insert(
                "agent".into(),
                seat.mailbox.trace().agent().map(|agent| cut(agent, TEXT_MAX)).into(),
            );
            fields.insert("clientId".into(), client.map(|id| cut(&id, TEXT_MAX)).into());
            fields.insert("page".into(), seat.mailbox.is_page().into());
        }
        value
    });
    let shown: Vec<_> = shown.collect();
    json!({"name": name, "occupancy": channel.occupancy(), "attached": {"total": seats.len(), "shown": shown}})
}

/// An attachment: under which name, with which parameters, what it may do, and what it asked for in vain.
fn seat_of(seat: &Seat<'_>) -> Value {
    let params: serde_json::Map<_, _> =
        seat.params.iter().map(|(name, value)| (name.clone(), cut(value, TEXT_MAX).into())).collect();
    json!({
        "channel": cut(seat.sent_name, TEXT_MAX),
        "params": params,
        "modes": seat.modes.names(),
        "denied": seat.denied.names(),
        "subscribes": seat.modes.has(Modes::SUBSCRIBE),
    })
}

fn connections_of(app: &App, filter: &Filter, now: Millis) -> Value {
    let seen = app.connections().seen();
    let (pages, mut others): (Vec<Seen>, Vec<Seen>) =
        seen.into_iter().partition(|seen| seen.socket.mailbox().is_page());
    let lost = others.iter().filter(|seen| seen.lost.is_some()).count();
    let total = others.len();
    others.sort_by_key(|seen| {
        (seen.lost.is_some(), Reverse(seen.socket.mailbox().trace().since()), seen.socket.id())
    });
    others.extend(pages.into_iter().filter(|page| page.lost.is_none()));
    let mut matching = 0;
    let mut shown = Vec::new();
    for Seen { socket, lost } in &others {
        let holder = socket.mailbox().holder();
        if !matches_connection(filter, socket, holder.as_ref()) {
            continue;
        }
        matching += 1;
        if shown.len() < CONNECTIONS_SHOWN {
            shown.push(connection_of(socket, holder.as_ref(), *lost, now));
        }
    }
    json!({"connected": total - lost, "lost": lost, "matching": matching, "shown": shown})
}

fn matches_connection(filter: &Filter, socket: &Socket, holder: Option<&Holder>) -> bool {
    filter.finds(socket.connection().id())
        || socket.mailbox().trace().agent().is_some_and(|agent| filter.finds(agent))
        || holder.is_some_and(|holder| {
            filter.finds(holder.key.as_str())
                || holder.client_id.as_deref().is_some_and(|id| filter.finds(id))
        })
        || socket.attached_to().iter().any(|(name, _)| filter.finds(name))
}

fn connection_of(socket: &Arc<Socket>, holder: Option<&Holder>, lost: Option<Millis>, now: Millis) -> Value {
    let mut attached = socket.attached_to();
    attached.sort_by(|(one, _), (other, _)| one.cmp(other));
    let shown = attached.iter().take(ATTACHED_SHOWN).filter_map(|(sent_name, channel)| {
        let channel = lock(channel);
        channel.seat(socket.id(), sent_name).map(|seat| seat_of(&seat))
    });
    let shown: Vec<_> = shown.collect();
    let mailbox = socket.mailbox();
    let frames = mailbox.frames();
    json!({
        "id": socket.connection().id(),
        "page": mailbox.is_page(),
        "clientId": holder.and_then(|holder| holder.client_id.as_deref()).map(|id| cut(id, TEXT_MAX)),
        "key": holder.map(|holder| &holder.key),
        "capability": holder.map(|holder| capability(&holder.capability)),
        "expires": holder.and_then(|holder| holder.expires),
        "agent": mailbox.trace().agent().map(|agent| cut(agent, TEXT_MAX)),
        "format": mailbox.format().content_type(),
        "echo": mailbox.echoes(),
        "since": mailbox.trace().since(),
        "lost": lost,
        "resumableFor": lost.map(|at| (at + STATE_TTL - now).max(0)),
        "received": frames.received,
        "sent": frames.sent,
        "waiting": frames.waiting,
        "attached": {"total": attached.len(), "shown": shown},
    })
}

/// A capability as JSON, or, where it is too long for that, the beginning of its text.
fn capability(capability: &Capability) -> Value {
    let text = capability.as_given();
    if text.len() > CAPABILITY_MAX {
        return cut(&text, CAPABILITY_MAX).into();
    }
    serde_json::from_str(&text).unwrap_or_default()
}
