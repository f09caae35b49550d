//! What is known of a socket besides what the protocol needs: for those who look on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use ably::ErrorInfo;

use crate::clock::{Millis, now};
use crate::inspect::{Inspector, Means, Subject, is_page};
use crate::lock::lock;
use crate::protocol::{Action, Frame};

/// What is known of a socket.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    opening: OnceLock<Opening>,
    /// The channel of the frame that is now answered: ACK and NACK do not name it.
    subject: Mutex<String>,
    received: AtomicU64,
    sent: AtomicU64,
}

/// How a socket was opened.
#[derive(Debug)]
struct Opening {
    agent: Option<String>,
    is_page: bool,
    at: Millis,
    inspector: Arc<Inspector>,
}

/// How many frames there have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frames {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// How many of those sent wait to be written.
    pub(crate) waiting: usize,
}

impl Trace {
    /// Notes by what a socket was opened, and where to tell what it is refused.
    pub(crate) fn opened_by(&self, agent: Option<String>, inspector: &Arc<Inspector>, now: Millis) {
        let opening =
            Opening { is_page: is_page(agent.as_deref()), agent, at: now, inspector: Arc::clone(inspector) };
        // A socket is opened once.
        let _ = self.opening.set(opening);
    }

    /// Notes that a frame has come.
    pub(crate) fn received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a frame is sent.
    pub(super) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes which channel the next ACK or NACK is about; none, the empty text, where the frame could not be read.
    pub(crate) fn answers_about(&self, channel: &str) {
        let mut subject = lock(&self.subject);
        subject.clear();
        subject.push_str(channel);
    }

    /// Notes what a frame that is sent refuses; `who` makes out whom, as far as it is no matter of the channel.
    pub(super) fn refused(&self, frame: &Frame, error: &ErrorInfo, who: impl FnOnce() -> Subject) {
        let Some(opening) = self.opening.get().filter(|opening| !opening.is_page) else { return };
        let means = match frame.action {
            Action::Nack => Means::Nack,
            Action::Disconnected => Means::Disconnected,
            Action::Connected | Action::Attached => Means::Lost,
            _ => Means::Error,
        };
        let channel = match means {
            Means::Nack => Some(lock(&self.subject).clone()).filter(|channel| !channel.is_empty()),
            _ => frame.channel.clone(),
        };
        opening.inspector.refusals().note(means, Subject { channel, ..who() }, error, now());
    }

    /// What the client says that it is.
    pub(crate) fn agent(&self) -> Option<&str> {
        self.opening.get()?.agent.as_deref()
    }

    /// Whether it is the page at `/`, whose traffic is not to be taken for the app's.
    pub(super) fn is_page(&self) -> bool {
        self.opening.get().is_some_and(|opening| opening.is_page)
    }

    /// When it was opened.
    pub(crate) fn since(&self) -> Millis {
        self.opening.get().map_or(0, |opening| opening.at)
    }

    /// How many frames there have been, of which so many wait.
    pub(super) fn frames(&self, waiting: usize) -> Frames {
        Frames {
            received: self.received.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            waiting,
        }
    }
}
