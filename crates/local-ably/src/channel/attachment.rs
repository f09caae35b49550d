//! One socket's attachment to a channel.

use std::sync::Arc;

use ably::{ErrorInfo, Message, Operations};

use super::timeline::Publication;
use crate::connection::Socket;
use crate::protocol::{Frame, Modes, SharedFrame};

/// An attachment.
#[derive(Debug)]
pub(super) struct Attachment {
    socket: Arc<Socket>,
    /// The name that the client used, which every frame about the attachment carries.
    sent_name: String,
    /// What the client asked for: new credentials may allow more of it, without another ATTACH.
    requested: Modes,
    allowed: Modes,
}

impl Attachment {
    /// An attachment; nothing where the operations allow none of the modes asked for.
    pub(super) fn new(
        socket: Arc<Socket>,
        sent_name: &str,
        requested: Modes,
        operations: Option<&Operations>,
    ) -> Option<Self> {
        let mut attachment =
            Self { socket, sent_name: sent_name.to_owned(), requested, allowed: Modes::default() };
        attachment.reauthorise(operations).then_some(attachment)
    }

    /// Takes over what new credentials allow; false where that is none of the modes.
    pub(super) fn reauthorise(&mut self, operations: Option<&Operations>) -> bool {
        self.allowed = operations.map(Modes::allowed_by).unwrap_or_default();
        !self.modes().is_empty()
    }

    /// The modes in effect.
    pub(super) fn modes(&self) -> Modes {
        self.requested & self.allowed
    }

    /// Whether the client asked for a mode.
    pub(super) fn requested(&self, mode: Modes) -> bool {
        self.requested.has(mode)
    }

    pub(super) fn sent_name(&self) -> &str {
        &self.sent_name
    }

    pub(super) fn connection_id(&self) -> &str {
        self.socket.connection().id()
    }

    pub(super) fn is_of(&self, connection_id: &str) -> bool {
        self.connection_id() == connection_id
    }

    /// Whether a publication is for this socket: its own may be unwanted.
    pub(super) fn wants(&self, publication: &Publication<Message>) -> bool {
        self.socket.echoes() || publication.connection_id.as_deref() != Some(self.connection_id())
    }

    /// Sends a frame to this socket alone.
    pub(super) fn send(&self, frame: Frame) {
        self.socket.send(frame);
    }

    /// Sends a frame that goes to many, which names the channel canonically.
    pub(super) fn send_shared(&self, shared: &SharedFrame, canonical: &str) {
        if self.sent_name == canonical {
            self.socket.send_shared(shared);
        } else {
            self.send(Frame { channel: Some(self.sent_name.clone()), ..shared.frame().clone() });
        }
    }
}

/// The credentials allow nothing of what the attachment is for.
pub(super) fn nothing_allowed(sent_name: &str) -> ErrorInfo {
    ErrorInfo::new(
        40160,
        401,
        format!("the capability allows none of the modes asked for on channel {sent_name:?}"),
    )
}
