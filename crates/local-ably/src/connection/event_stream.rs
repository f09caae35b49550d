//! A connection that only listens, over HTTP: its frames are turned into events.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use ably::ErrorInfo;
use axum::extract::ws::Message;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::commands::{CHANNELS_MAX, too_many_channels};
use super::session::not_opened;
use crate::auth::Authorised;
use crate::channel::ChannelName;
use crate::clock::{Millis, now, wait};
use crate::credentials::{expired, revoked};
use crate::errors::{bad_request, shutting_down};
use crate::lock::lock;
use crate::mailbox::{Item, Queue};
use crate::protocol::{Attach, Format, Modes, Shape};
use crate::server::Server;
use crate::socket::Socket;
use crate::wire::Line;

/// How long a stream may be silent.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How many pieces may be on their way to a client. What else waits does so in the queue of frames, which is bounded.
const PIECES_MAX: usize = 16;

/// What a client asks for.
#[derive(Debug)]
pub(crate) struct StreamRequest {
    /// The channels, by the names that the client uses.
    pub(crate) channels: Vec<String>,
    pub(crate) rewind: Option<String>,
    /// The id of the event that the client saw last.
    pub(crate) last_event: Option<String>,
}

/// Something to tell the client.
#[derive(Debug)]
pub(crate) enum Event {
    /// A message or a presence message, with its channel.
    Item {
        /// `message` or `presence`.
        kind: &'static str,
        /// Where to go on after this event, on all channels of the stream.
        id: String,
        data: Map<String, Value>,
    },
    Error(ErrorInfo),
    /// Nothing happened for a while.
    Keepalive,
}

/// Where a stream is on one channel.
#[derive(Debug)]
struct Place {
    canonical: String,
    /// The serial of what came last.
    serial: String,
}

/// A stream.
pub(crate) struct EventStream {
    server: Arc<Server>,
    socket: Arc<Socket>,
    queue: Queue,
    ends: Ends,
    /// By the names that the client uses.
    places: BTreeMap<String, Place>,
}

/// What ends a stream besides its client.
struct Ends {
    authorised: Authorised,
    revocations: watch::Receiver<()>,
    shutdown: CancellationToken,
    /// The client is too slow.
    cut: CancellationToken,
}

impl Ends {
    /// Done when the stream is to end, with the reason if the client is to know it.
    async fn reached(&mut self) -> Option<ErrorInfo> {
        loop {
            let token = self.authorised.token.as_ref();
            let revoked_at = token.and_then(|token| self.authorised.app.revocations().apply_at(token));
            let expires = token.map(|token| token.expires);
            let now = now();
            if revoked_at.is_some_and(|at| at <= now) {
                return Some(revoked());
            }
            if expires.is_some_and(|at| at <= now) {
                return Some(expired());
            }
            let due = [revoked_at, expires].into_iter().flatten().min();
            let due = async {
                match due {
                    Some(at) => sleep(wait(now, at)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                Ok(()) = self.revocations.changed() => {}
                () = self.cut.cancelled() => return None,
                () = self.shutdown.cancelled() => return Some(shutting_down()),
            }
        }
    }
}

/// A frame, as far as it becomes events.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Received {
    action: u8,
    channel: Option<String>,
    channel_serial: Option<String>,
    messages: Option<Vec<Map<String, Value>>>,
    presence: Option<Vec<Map<String, Value>>>,
    error: Option<ErrorInfo>,
}

const DISCONNECTED: u8 = 6;
const ERROR: u8 = 9;
const ATTACHED: u8 = 11;
const PRESENCE: u8 = 14;
const MESSAGE: u8 = 15;

impl Drop for EventStream {
    fn drop(&mut self) {
        self.socket.drop_attachments(now());
        self.server.apps().note_use(&self.ends.authorised.app);
        self.ends.authorised.app.connections().close(&self.socket);
    }
}

impl EventStream {
    /// Opens a connection and attaches it to all channels, or to none.
    ///
    /// # Errors
    /// 40000 without a channel, 90010 with too many, those of [`Server::connect`] and of attaching.
    pub(crate) fn open(
        server: &Arc<Server>,
        authorised: Authorised,
        line: Line,
        request: &StreamRequest,
        now: Millis,
    ) -> Result<Self, ErrorInfo> {
        if request.channels.is_empty() {
            return Err(bad_request("channels names at least one channel"));
        }
        if request.channels.len() > CHANNELS_MAX {
            return Err(too_many_channels());
        }
        let mut made = None;
        let make = |connection| {
            let (socket, queue) = Socket::new(connection, Format::Json, Shape::Current, true);
            socket.runs_on(line);
            socket.mailbox().held_by(authorised.holder(authorised.client.shown()));
            let agent = Some("event stream over HTTP".to_owned());
            socket.mailbox().trace().opened_by(agent, server.inspector(), now);
            made = Some((Arc::clone(&socket), queue));
            socket
        };
        let open = || authorised.app.connections().open(None, &authorised.client, None, make, now);
        server.connect(false, open, now)?;
        let Some((socket, queue)) = made else {
            return Err(not_opened());
        };
        let mut stream = Self {
            server: Arc::clone(server),
            ends: Ends {
                revocations: authorised.app.watch_revocations(),
                authorised,
                shutdown: server.shutdown().clone(),
                cut: socket.mailbox().cut().clone(),
            },
            socket,
            queue,
            places: BTreeMap::new(),
        };
        for sent_name in &request.channels {
            stream.attach(sent_name, request, now)?;
        }
        Ok(stream)
    }

    fn attach(&mut self, sent_name: &str, request: &StreamRequest, now: Millis) -> Result<(), ErrorInfo> {
        let name = ChannelName::parse(sent_name)?;
        let authorised = &self.ends.authorised;
        let operations = authorised.operations_on(name.canonical());
        let shared = authorised.app.channel(name.canonical(), self.server.limits(), now)?;
        let mut channel = lock(&shared);
        // The id of an event holds a place on every channel of its stream; each channel knows its own.
        let seen = request.last_event.as_deref().map(|last_event| {
            last_event.split(',').find(|serial| channel.has_series_of(serial)).unwrap_or_default().to_owned()
        });
        let known = seen.clone().filter(|serial| !serial.is_empty());
        let place = Place {
            canonical: name.canonical().to_owned(),
            serial: known.unwrap_or_else(|| channel.last_serial()),
        };
        let attach = Attach {
            channel: sent_name.to_owned(),
            channel_serial: seen,
            flags: (Modes::SUBSCRIBE | Modes::PRESENCE_SUBSCRIBE).into(),
            params: request.rewind.iter().map(|rewind| ("rewind".to_owned(), rewind.clone())).collect(),
        };
        channel.attach(self.socket.mailbox(), &attach, &name, operations.as_ref(), now)?;
        drop(channel);
        self.socket.attached().insert(sent_name.to_owned(), shared);
        self.places.insert(sent_name.to_owned(), place);
        Ok(())
    }

    /// Lets a task of its own write the events, so that a client that does not read holds up nothing and keeps nothing alive.
    pub(crate) fn start<T: Send + 'static>(
        self,
        write: impl Fn(Event) -> T + Send + Sync + 'static,
    ) -> mpsc::Receiver<T> {
        let (pieces, receiver) = mpsc::channel(PIECES_MAX);
        let tasks = self.server.tasks().clone();
        tasks.spawn(self.run(pieces, write));
        receiver
    }

    async fn run<T>(mut self, pieces: mpsc::Sender<T>, write: impl Fn(Event) -> T) {
        let ended = self.socket.mailbox().ended().clone();
        let mut quiet_until = Instant::now() + KEEPALIVE;
        loop {
            let next = tokio::select! {
                next = self.next(quiet_until) => next,
                () = pieces.closed() => return,
            };
            let (events, goes_on) = match next {
                ControlFlow::Continue(events) => (events, true),
                ControlFlow::Break(last) => (last.into_iter().collect(), false),
            };
            for event in events {
                tokio::select! {
                    biased;
                    sent = pieces.send(write(event)) => if sent.is_err() { return },
                    // The client has stopped to read, so no word would reach it.
                    _ = self.ends.reached() => return,
                    () = ended.cancelled() => return,
                }
            }
            if !goes_on {
                return;
            }
            quiet_until = Instant::now() + KEEPALIVE;
        }
    }

    /// The next events, or the end and, where the client is to know it, its reason.
    async fn next(&mut self, quiet_until: Instant) -> ControlFlow<Option<Event>, Vec<Event>> {
        loop {
            let frame = tokio::select! {
                biased;
                reason = self.ends.reached() => return ControlFlow::Break(reason.map(Event::Error)),
                frame = self.socket.mailbox().take(&mut self.queue) => frame,
                // Whoever ends a socket puts the reason into the queue first.
                () = self.socket.mailbox().ended().cancelled() => return ControlFlow::Break(None),
                () = sleep_until(quiet_until) => return ControlFlow::Continue(vec![Event::Keepalive]),
            };
            let Item::Message(Message::Text(text)) = frame else { return ControlFlow::Break(None) };
            // The server's own frames can be read.
            let Ok(frame) = serde_json::from_str::<Received>(text.as_str()) else { continue };
            if frame.action == DISCONNECTED {
                return ControlFlow::Break(frame.error.map(Event::Error));
            }
            let events = self.events(frame);
            if !events.is_empty() {
                return ControlFlow::Continue(events);
            }
        }
    }

    /// What a frame tells a client.
    fn events(&mut self, frame: Received) -> Vec<Event> {
        let name = frame.channel.unwrap_or_default();
        let (kind, items) = match frame.action {
            MESSAGE => ("message", frame.messages.unwrap_or_default()),
            PRESENCE => ("presence", frame.presence.unwrap_or_default()),
            ATTACHED | ERROR => {
                let Some(error) = frame.error else { return Vec::new() };
                // What was missed is lost; from here on nothing is.
                self.move_to(&name, frame.channel_serial);
                let message = format!("channel {name:?}: {}", error.message);
                return vec![Event::Error(ErrorInfo { message, ..error })];
            }
            _ => return Vec::new(),
        };
        let canonical = self.places.get(&name).map_or(name.as_str(), |place| &place.canonical).to_owned();
        let count = items.len();
        let mut events = Vec::with_capacity(count);
        for (index, mut data) in items.into_iter().enumerate() {
            let serial = frame.channel_serial.as_ref().map(|serial| match index + 1 == count {
                true => serial.clone(),
                // Within a frame a client may have seen some messages and not others.
                false => own_place(&data, serial).unwrap_or_else(|| format!("{serial}:{index:03}")),
            });
            self.move_to(&name, serial);
            data.insert("channel".to_owned(), canonical.clone().into());
            events.push(Event::Item { kind, id: self.id(), data });
        }
        events
    }

    fn move_to(&mut self, name: &str, serial: Option<String>) {
        if let (Some(place), Some(serial)) = (self.places.get_mut(name), serial) {
            place.serial = serial;
        }
    }

    /// Where the stream is on all its channels.
    fn id(&self) -> String {
        self.places.values().map(|place| place.serial.as_str()).collect::<Vec<_>>().join(",")
    }
}

/// The place of a message in its publication, which may have come without the messages before it.
fn own_place(message: &Map<String, Value>, channel_serial: &str) -> Option<String> {
    let serial = message.get("serial")?.as_str()?;
    serial.starts_with(channel_serial).then(|| serial.to_owned())
}
