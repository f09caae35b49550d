//! What is known of a socket besides what the protocol needs: for those who look on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use ably::{ErrorInfo, Key};

use super::handshake::ConnectRequest;
use super::socket::Socket;
use crate::app::ChannelRef;
use crate::clock::{Millis, now};
use crate::credentials::Credentials;
use crate::inspect::{Inspector, Means, Subject, is_page};
use crate::lock::lock;
use crate::protocol::{Action, Frame};

/// What is known of a socket.
#[derive(Debug, Default)]
pub(super) struct Trace {
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

/// Whoever asks for a connection and may get none.
#[derive(Debug)]
pub(super) struct Stranger {
    /// The name of the key, where one was shown.
    key: Option<String>,
    client_id: Option<String>,
    agent: Option<String>,
}

impl Stranger {
    pub(super) fn of(request: &ConnectRequest) -> Self {
        let key = match &request.credentials {
            Some(Credentials::Key(key)) => Key::parse(key.expose()).ok().map(|key| key.name().to_string()),
            Some(Credentials::Token(_)) | None => None,
        };
        Self { key, client_id: request.client_id.clone(), agent: request.agent.clone() }
    }

    /// Notes that there is no connection, and why.
    pub(super) fn refused_by(self, frame: &Frame, inspector: &Inspector) {
        if let Some(error) = frame.error.as_ref().filter(|_| !is_page(self.agent.as_deref())) {
            let subject = Subject {
                key: self.key,
                client_id: self.client_id,
                request: self.agent,
                ..Subject::default()
            };
            inspector.refusals().note(Means::Connect, subject, error, now());
        }
    }
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
    pub(super) fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }
}

impl Socket {
    /// Notes by what a socket was opened, and where to tell what it is refused.
    pub(super) fn opened_by(&self, agent: Option<String>, inspector: &Arc<Inspector>, now: Millis) {
        let opening =
            Opening { is_page: is_page(agent.as_deref()), agent, at: now, inspector: Arc::clone(inspector) };
        // A socket is opened once.
        let _ = self.trace().opening.set(opening);
    }

    /// Notes that a frame has come.
    pub(super) fn received(&self) {
        self.trace().received.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes which channel the next ACK or NACK is about; none, the empty text, where the frame could not be read.
    pub(super) fn answers_about(&self, channel: &str) {
        let mut subject = lock(&self.trace().subject);
        subject.clear();
        subject.push_str(channel);
    }

    /// Notes what a frame that is sent refuses.
    pub(super) fn note_refusal(&self, frame: &Frame, error: &ErrorInfo) {
        let Some(opening) = self.trace().opening.get().filter(|_| !self.is_page()) else { return };
        let means = match frame.action {
            Action::Nack => Means::Nack,
            Action::Disconnected => Means::Disconnected,
            Action::Connected | Action::Attached => Means::Lost,
            _ => Means::Error,
        };
        let channel = match means {
            Means::Nack => Some(lock(&self.trace().subject).clone()).filter(|channel| !channel.is_empty()),
            _ => frame.channel.clone(),
        };
        let holder = self.holder();
        let subject = Subject {
            app: holder.as_ref().map(|holder| holder.key.app_id().to_owned()),
            key: holder.as_ref().map(|holder| holder.key.as_str().to_owned()),
            connection_id: Some(self.connection().id().to_owned()),
            client_id: holder.and_then(|holder| holder.client_id),
            channel,
            request: None,
        };
        opening.inspector.refusals().note(means, subject, error, now());
    }

    /// What the client says that it is.
    pub(crate) fn agent(&self) -> Option<&str> {
        self.trace().opening.get()?.agent.as_deref()
    }

    /// Whether it is the page at `/`, whose traffic is not to be taken for the app's.
    pub(crate) fn is_page(&self) -> bool {
        self.trace().opening.get().is_some_and(|opening| opening.is_page)
    }

    /// When it was opened.
    pub(crate) fn since(&self) -> Millis {
        self.trace().opening.get().map_or(0, |opening| opening.at)
    }

    pub(crate) fn frames(&self) -> Frames {
        let trace = self.trace();
        Frames {
            received: trace.received.load(Ordering::Relaxed),
            sent: trace.sent.load(Ordering::Relaxed),
            waiting: self.waiting(),
        }
    }

    /// The channels that it is attached to, by the names that it used.
    pub(crate) fn attached_to(&self) -> Vec<(String, ChannelRef)> {
        self.attached().iter().map(|(name, channel)| (name.clone(), Arc::clone(channel))).collect()
    }
}
