//! Mailboxes: somebody to send frames to, as the channels see a socket. A frame is put into a queue, and who takes it out, and what
//! becomes of it then, is not known here.

mod outbox;
mod trace;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use ably::{Capability, ErrorInfo, KeyName};
use axum::extract::ws::Message;
use tokio_util::sync::CancellationToken;

use crate::clock::Millis;
use crate::inspect::Subject;
use crate::limits::Outflow;
use crate::lock::lock;
use crate::protocol::{Action, Format, Frame, Shape, SharedFrame};

use outbox::Outbox;
pub(crate) use outbox::{Item, Queue};
use trace::{Frames, Trace};

/// Tells mailboxes apart: each socket has its own, also those of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MailboxId(u64);

/// The mailbox of a socket.
#[derive(Debug)]
pub(crate) struct Mailbox {
    id: MailboxId,
    connection_id: String,
    /// Whether the socket receives its own messages.
    echo: bool,
    outbox: Outbox,
    /// Cancelled when the server ends the connection.
    ended: CancellationToken,
    holder: Mutex<Option<Holder>>,
    /// What limits the messages that come in.
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

impl Mailbox {
    /// A mailbox for a socket of a connection, and the queue that its frames are taken from.
    pub(crate) fn new(connection_id: &str, format: Format, shape: Shape, echo: bool) -> (Arc<Self>, Queue) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (outbox, queue) = Outbox::new(format, shape);
        let mailbox = Self {
            id: MailboxId(NEXT.fetch_add(1, Ordering::Relaxed)),
            connection_id: connection_id.to_owned(),
            echo,
            outbox,
            ended: CancellationToken::new(),
            holder: Mutex::default(),
            outflow: OnceLock::new(),
            trace: Trace::default(),
        };
        (Arc::new(mailbox), queue)
    }

    pub(crate) fn id(&self) -> MailboxId {
        self.id
    }

    pub(crate) fn connection_id(&self) -> &str {
        &self.connection_id
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
            self.trace.refused(&frame, error, || self.subject());
        }
        self.trace.sent();
        self.outbox.push(&frame.into());
    }

    /// Whom a refusal is for.
    fn subject(&self) -> Subject {
        let holder = self.holder();
        Subject {
            app: holder.as_ref().map(|holder| holder.key.app_id().to_owned()),
            key: holder.as_ref().map(|holder| holder.key.as_str().to_owned()),
            connection_id: Some(self.connection_id.clone()),
            client_id: holder.and_then(|holder| holder.client_id),
            ..Subject::default()
        }
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

    /// Limits the messages that come in.
    pub(crate) fn limited_to(&self, outflow: Option<Outflow>) {
        if let Some(outflow) = outflow {
            // A socket has one for life.
            let _ = self.outflow.set(outflow);
        }
    }

    /// Takes messages into account that are to be delivered. The page's count for nothing.
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
    pub(crate) fn held_by(&self, holder: Holder) {
        *lock(&self.holder) = Some(holder);
    }

    /// By whom the socket is used.
    pub(crate) fn holder(&self) -> Option<Holder> {
        lock(&self.holder).clone()
    }

    /// What is known of the socket, for those who look on.
    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Whether the socket is the page's at `/`, whose traffic is not to be taken for the app's.
    pub(crate) fn is_page(&self) -> bool {
        self.trace.is_page()
    }

    /// How many frames have come and gone, and how many wait.
    pub(crate) fn frames(&self) -> Frames {
        self.trace.frames(self.outbox.waiting())
    }

    /// Done when the server ends the connection.
    pub(crate) fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    /// Done when the socket is to be dropped at once.
    pub(crate) fn cut(&self) -> &CancellationToken {
        self.outbox.cut()
    }

    /// Nothing more is sent; what waits still is.
    pub(crate) fn finish(&self) {
        self.outbox.end();
    }

    /// Takes what comes next out of the queue, once it is there.
    pub(crate) async fn take(&self, queue: &mut Queue) -> Item {
        self.outbox.take(queue).await
    }

    /// Takes what comes next out of the queue, if it is there already.
    pub(crate) fn take_ready(&self, queue: &mut Queue) -> Option<Item> {
        self.outbox.take_ready(queue)
    }

    /// A frame as the client of the socket reads it.
    pub(crate) fn encoded(&self, frame: &SharedFrame) -> Message {
        self.outbox.encoded(frame)
    }

    #[cfg(test)]
    pub(crate) fn for_tests(connection_id: &str) -> (Arc<Self>, Queue) {
        Self::new(connection_id, Format::Json, Shape::Current, true)
    }
}
