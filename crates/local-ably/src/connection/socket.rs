//! A socket as the rest of the server sees it: somebody to send frames to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use ably::{Capability, ErrorInfo, KeyName};
use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::SplitSink;
use tokio_util::sync::CancellationToken;

use super::outbox::{Outbox, Queue};
use super::trace::Trace;
use crate::app::{ChannelRef, Connection};
use crate::auth::Authorised;
use crate::clock::Millis;
use crate::faults::{Blow, Strike};
use crate::limits::Outflow;
use crate::lock::lock;
use crate::protocol::{Action, Format, Frame, Shape, SharedFrame};
use crate::wire::Line;

/// Tells sockets apart, also those of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SocketId(u64);

/// A socket.
#[derive(Debug)]
pub(crate) struct Socket {
    id: SocketId,
    connection: Arc<Connection>,
    /// Whether it receives its own messages.
    echo: bool,
    outbox: Outbox,
    /// The attachments, by the names that the client used. They belong to the socket, not to the connection.
    attached: Mutex<HashMap<String, ChannelRef>>,
    /// Another socket has the connection now.
    superseded: AtomicBool,
    /// Cancelled when the server ends the connection.
    ended: CancellationToken,
    line: OnceLock<Line>,
    holder: Mutex<Option<Holder>>,
    /// What limits the messages that it receives.
    outflow: OnceLock<Outflow>,
    trace: Trace,
}

/// By whom a socket is used.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    pub(crate) key: KeyName,
    pub(crate) client_id: Option<String>,
    pub(crate) capability: Arc<Capability>,
    /// When the token ends; nothing for a key.
    pub(crate) expires: Option<Millis>,
}

impl Socket {
    pub(super) fn new(
        connection: Arc<Connection>,
        format: Format,
        shape: Shape,
        echo: bool,
    ) -> (Arc<Self>, Queue) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (outbox, queue) = Outbox::new(format, shape);
        let socket = Self {
            id: SocketId(NEXT.fetch_add(1, Ordering::Relaxed)),
            connection,
            echo,
            outbox,
            attached: Mutex::default(),
            superseded: AtomicBool::new(false),
            ended: CancellationToken::new(),
            line: OnceLock::new(),
            holder: Mutex::default(),
            outflow: OnceLock::new(),
            trace: Trace::default(),
        };
        (Arc::new(socket), queue)
    }

    pub(crate) fn id(&self) -> SocketId {
        self.id
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    pub(crate) fn echoes(&self) -> bool {
        self.echo
    }

    pub(crate) fn format(&self) -> Format {
        self.outbox.format()
    }

    /// Sends a frame.
    pub(crate) fn send(&self, frame: Frame) {
        if let Some(error) = &frame.error {
            self.note_refusal(&frame, error);
        }
        self.trace.sent();
        self.outbox.push(&frame.into());
    }

    /// Sends a frame that goes to others too.
    pub(crate) fn send_shared(&self, frame: &SharedFrame) {
        self.trace.sent();
        self.outbox.push(frame);
    }

    /// Ends the connection with a last frame, DISCONNECTED: the client may come back.
    pub(crate) fn disconnect(&self, error: ErrorInfo) {
        self.send(Frame::ending(Action::Disconnected, error));
        self.ended.cancel();
    }

    /// Notes the TCP connection, so that it can be broken off.
    pub(super) fn runs_on(&self, line: Line) {
        // A socket has one for life.
        let _ = self.line.set(line);
    }

    /// The TCP connection.
    pub(super) fn line(&self) -> Option<&Line> {
        self.line.get()
    }

    /// Limits the messages that it receives.
    pub(crate) fn limited_to(&self, outflow: Option<Outflow>) {
        if let Some(outflow) = outflow {
            // A socket has one for life.
            let _ = self.outflow.set(outflow);
        }
    }

    /// Takes messages into account that are to be delivered to it. The page's count for nothing.
    ///
    /// # Errors
    /// 80020 where they are not to be, because there were too many.
    pub(crate) fn admit(&self, messages: usize, now: Millis) -> Result<(), ErrorInfo> {
        match self.outflow.get() {
            Some(outflow) if !self.is_page() => outflow.deliver(messages, now),
            _ => Ok(()),
        }
    }

    /// Notes by whom the socket is used.
    pub(super) fn held_by(&self, authorised: &Authorised, client_id: Option<String>) {
        let holder = Holder {
            key: authorised.key.clone(),
            client_id,
            capability: Arc::clone(&authorised.capability),
            expires: authorised.token.as_ref().map(|token| token.expires),
        };
        *lock(&self.holder) = Some(holder);
    }

    /// By whom the socket is used.
    pub(crate) fn holder(&self) -> Option<Holder> {
        lock(&self.holder).clone()
    }

    pub(super) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// How many frames wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.outbox.waiting()
    }

    /// Ends the connection by a TCP reset, without another word.
    pub(super) fn reset(&self) {
        if let Some(line) = self.line() {
            line.reset();
        }
        self.cut().cancel();
    }

    /// Ends the connection where a fault strikes it.
    pub(crate) fn struck_by(&self, strike: &Strike) {
        let blow = lock(&self.holder).as_ref().and_then(|holder| {
            strike.blow(&holder.key, holder.client_id.as_deref(), holder.expires.is_some())
        });
        match blow {
            None => return,
            Some(Blow::Reset) => self.reset(),
            Some(Blow::Disconnected(error)) => self.disconnect(error),
        }
        strike.count();
    }

    pub(super) fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Done when the socket is to be dropped at once.
    pub(super) fn cut(&self) -> &CancellationToken {
        self.outbox.cut()
    }

    /// Nothing more is sent; what waits still is.
    pub(super) fn finish(&self) {
        self.outbox.end();
    }

    /// The attachments. Channels are locked while this is held, never the other way round.
    pub(super) fn attached(&self) -> MutexGuard<'_, HashMap<String, ChannelRef>> {
        lock(&self.attached)
    }

    /// Whether another socket has the connection now.
    pub(super) fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }

    /// Gives up the connection to another socket: only heartbeats go on.
    pub(super) fn supersede(&self, now: Millis) {
        self.superseded.store(true, Ordering::Release);
        self.drop_attachments(now);
    }

    /// Forgets all attachments; the members of the connection stay.
    pub(super) fn drop_attachments(&self, now: Millis) {
        for (_, channel) in self.attached().drain() {
            lock(&channel).drop_socket(self.id, now);
        }
    }

    /// Takes the next frame for a client that does not read frames; nothing where none will come.
    pub(super) async fn take(&self, queue: &mut Queue) -> Option<Message> {
        self.outbox.take(queue).await
    }

    pub(super) async fn write(&self, queue: Queue, sink: SplitSink<WebSocket, Message>, heartbeat: Duration) {
        self.outbox.write(queue, sink, heartbeat).await;
    }

    #[cfg(test)]
    pub(crate) fn for_tests(connection: Arc<Connection>, format: Format) -> (Arc<Self>, Queue) {
        Self::new(connection, format, Shape::Current, true)
    }
}
