//! Sockets as the apps see them: each has a mailbox, a connection, and what it is attached to. What is read from one, and who writes
//! what is in its mailbox, is not known here.

mod connection;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use crate::channel::ChannelRef;
use crate::clock::Millis;
use crate::faults::{Blow, Strike};
use crate::lock::lock;
use crate::mailbox::{Mailbox, MailboxId, Queue};
use crate::protocol::{Format, Frame, Shape};
use crate::wire::Line;

pub(crate) use connection::{Answer, Connection};

/// A socket.
#[derive(Debug)]
pub(crate) struct Socket {
    mailbox: Arc<Mailbox>,
    connection: Arc<Connection>,
    /// The attachments, by the names that the client used. They belong to the socket, not to the connection.
    attached: Mutex<HashMap<String, ChannelRef>>,
    /// Another socket has the connection now.
    superseded: AtomicBool,
    line: OnceLock<Line>,
}

impl Socket {
    pub(crate) fn new(
        connection: Arc<Connection>,
        format: Format,
        shape: Shape,
        echo: bool,
    ) -> (Arc<Self>, Queue) {
        let (mailbox, queue) = Mailbox::new(connection.id(), format, shape, echo);
        let socket = Self {
            mailbox,
            connection,
            attached: Mutex::default(),
            superseded: AtomicBool::new(false),
            line: OnceLock::new(),
        };
        (Arc::new(socket), queue)
    }

    /// Where frames for its client are put.
    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// The id of its mailbox, which is its own.
    pub(crate) fn id(&self) -> MailboxId {
        self.mailbox.id()
    }

    /// Sends a frame.
    pub(crate) fn send(&self, frame: Frame) {
        self.mailbox.send(frame);
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Notes the TCP connection, so that it can be broken off.
    pub(crate) fn runs_on(&self, line: Line) {
        // A socket has one for life.
        let _ = self.line.set(line);
    }

    /// The TCP connection.
    pub(crate) fn line(&self) -> Option<&Line> {
        self.line.get()
    }

    /// Ends the connection by a TCP reset, without another word.
    pub(crate) fn reset(&self) {
        if let Some(line) = self.line() {
            line.reset();
        }
        self.mailbox.cut().cancel();
    }

    /// Ends the connection where a fault strikes it.
    pub(crate) fn struck_by(&self, strike: &Strike) {
        let blow = self.mailbox.holder().and_then(|holder| {
            strike.blow(&holder.key, holder.client_id.as_deref(), holder.expires.is_some())
        });
        match blow {
            None => return,
            Some(Blow::Reset) => self.reset(),
            Some(Blow::Disconnected(error)) => self.mailbox.disconnect(error),
        }
        strike.count();
    }

    /// The attachments. Channels are locked while this is held, never the other way round.
    pub(crate) fn attached(&self) -> MutexGuard<'_, HashMap<String, ChannelRef>> {
        lock(&self.attached)
    }

    /// The channels that it is attached to, by the names that it used.
    pub(crate) fn attached_to(&self) -> Vec<(String, ChannelRef)> {
        self.attached().iter().map(|(name, channel)| (name.clone(), Arc::clone(channel))).collect()
    }

    /// Whether another socket has the connection now.
    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }

    /// Gives up the connection to another socket: only heartbeats go on.
    pub(crate) fn supersede(&self, now: Millis) {
        self.superseded.store(true, Ordering::Release);
        self.drop_attachments(now);
    }

    /// Forgets all attachments; the members of the connection stay.
    pub(crate) fn drop_attachments(&self, now: Millis) {
        for (_, channel) in self.attached().drain() {
            lock(&channel).drop_mailbox(self.id(), now);
        }
    }
}
