//! How a session ends.

use std::ops::ControlFlow;

use ably::ErrorInfo;

use crate::protocol::{Action, Frame};

/// How a session ends, and what its client is told.
pub(super) struct Ending {
    /// Whether the client may come back: if not, its members leave now.
    pub(super) resumable: bool,
    /// The last frame, sent when all that the end brings with it is done.
    pub(super) last: Option<Frame>,
}

impl Ending {
    /// The socket is gone, or as good as gone.
    pub(super) fn lost() -> Self {
        Self { resumable: true, last: None }
    }

    /// The client said that it closes.
    pub(super) fn closed() -> Self {
        Self { resumable: false, last: Some(Frame::new(Action::Closed)) }
    }

    /// The server ends the connection, and the client may come back.
    pub(super) fn disconnected(error: ErrorInfo) -> Self {
        Self { resumable: true, last: Some(Frame::ending(Action::Disconnected, error)) }
    }

    /// The server ends the connection for good, unless the error is one that a new token cures.
    pub(super) fn failed(error: ErrorInfo) -> Self {
        let resumable = (40140..40150).contains(&error.code);
        Self { resumable, last: Some(Frame::ending(Action::Error, error)) }
    }
}

/// Whether a session goes on after a frame.
pub(super) type Next = ControlFlow<Ending>;
