//! Who asks for a connection and may get none: for those who look on.

use ably::Key;

use super::handshake::ConnectRequest;
use crate::clock::now;
use crate::credentials::Credentials;
use crate::inspect::{Inspector, Means, Subject, is_page};
use crate::protocol::Frame;

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
