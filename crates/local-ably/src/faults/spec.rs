//! What a fault is for and what it does.

use ably::{ChannelPattern, ErrorInfo, KeyName};
use serde::{Deserialize, Serialize};

use crate::clock::Millis;

/// The way by which a publish comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transport {
    Rest,
    /// A request for several channels, which is one over REST, too.
    RestBatch,
    /// What a batch publishes on one of its channels.
    RestPart,
    Realtime,
}

/// What a fault does.
#[derive(Debug, Clone)]
pub(super) enum Spec {
    Publish { of: Publishes, effect: Effect },
    RefusePart { channel: Option<ChannelPattern>, refusal: PartRefusal },
    RefuseKey { key: Option<KeyName>, error: ErrorInfo },
    RefuseConnections { of: Clients, refusal: Refusal },
    DropConnections { of: Clients, blow: Blow },
    ExpireTokens { of: Clients },
}

/// Which publishes.
#[derive(Debug, Clone, Default)]
pub(super) struct Publishes {
    pub(super) channel: Option<ChannelPattern>,
    pub(super) transport: Option<Transport>,
}

/// Whose connections or tokens.
#[derive(Debug, Clone, Default)]
pub(super) struct Clients {
    pub(super) key: Option<KeyName>,
    pub(super) client_id: Option<String>,
}

/// What becomes of a publish. `stored` says whether it is published all the same.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// It is answered by an error.
    Answer { error: ErrorInfo, retry_after: Option<u32>, stored: bool },
    /// It is held up for so many milliseconds, or until the fault is removed: before it is published, or else before it is
    /// answered.
    Hold { millis: Millis, stored: bool },
    /// The connection ends by a TCP reset without an answer.
    Reset { stored: bool },
    /// It is published, and the connection ends in the middle of the answer.
    Truncate,
    /// It is published, and the answer takes so many milliseconds to arrive.
    Dribble { millis: Millis },
}

/// What becomes of one channel's part of a batch. `stored` says whether it is published all the same.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PartRefusal {
    pub(crate) error: ErrorInfo,
    pub(crate) stored: bool,
}

/// What becomes of a connection that is refused.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refusal {
    /// A TCP reset in place of the handshake's answer.
    Reset,
    /// An HTTP error in place of the upgrade.
    Http(ErrorInfo),
    /// DISCONNECTED after the upgrade: clients try again.
    Disconnected(ErrorInfo),
    /// ERROR after the upgrade: clients give up, unless the code is a token's.
    Failed(ErrorInfo),
}

/// How a connection ends that is dropped.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Blow {
    /// By a TCP reset.
    Reset,
    /// By DISCONNECTED.
    Disconnected(ErrorInfo),
}

/// How often, and for how long.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extent {
    pub(super) times: Option<u64>,
    /// Of those that it could fire for: from above 0 to 1.
    pub(super) share: Option<f64>,
    pub(super) seed: u64,
    pub(super) millis: Option<Millis>,
}

impl Publishes {
    /// Whether they include one, which may be on several channels at once.
    pub(super) fn include(&self, transport: Transport, channels: &[String]) -> bool {
        let channel_fits = match &self.channel {
            None => true,
            Some(pattern) => channels.iter().any(|channel| pattern.covers(channel)),
        };
        let transport_fits = match self.transport {
            None => true,
            Some(Transport::Rest) => matches!(transport, Transport::Rest | Transport::RestBatch),
            Some(wanted) => wanted == transport,
        };
        channel_fits && transport_fits
    }
}

impl Clients {
    pub(super) fn is_everybody(&self) -> bool {
        self.key.is_none() && self.client_id.is_none()
    }

    pub(super) fn include(&self, key: &KeyName, client_id: Option<&str>) -> bool {
        self.key.as_ref().is_none_or(|wanted| wanted == key)
            && self.client_id.as_deref().is_none_or(|wanted| client_id == Some(wanted))
    }
}
