//! A publish over a WebSocket that a fault holds up, and what waits for it.

use std::collections::VecDeque;
use std::future;

use ably::Annotation;
use tokio_util::sync::CancellationToken;

use crate::clock::{Millis, now, wait};
use crate::protocol::{Command, Publish};
use crate::socket::Answer;

/// A publish that is held up, and what waits behind it.
#[derive(Debug)]
pub(super) struct Holding {
    pub(super) held: Held,
    pub(super) until: Millis,
    pub(super) released: CancellationToken,
    /// Frames that are to be answered after it, with their bytes.
    pub(super) waiting: VecDeque<(Command, usize)>,
    /// The bytes of all that waits.
    pub(super) bytes: usize,
}

/// At what point a publish is held up.
#[derive(Debug)]
pub(super) enum Held {
    /// Before it is published.
    Publish(Publishing),
    /// Before it is answered.
    Answer(Option<i64>, Answer),
}

/// What is published.
#[derive(Debug)]
pub(super) enum Publishing {
    Messages(Publish),
    Annotations { channel: String, msg_serial: Option<i64>, annotations: Vec<Annotation> },
}

impl Publishing {
    pub(super) fn channel(&self) -> &str {
        match self {
            Self::Messages(publish) => &publish.channel,
            Self::Annotations { channel, .. } => channel,
        }
    }

    pub(super) fn msg_serial(&self) -> Option<i64> {
        match self {
            Self::Messages(publish) => publish.msg_serial,
            Self::Annotations { msg_serial, .. } => *msg_serial,
        }
    }
}

/// Done when what is held up may go on; never where nothing is.
pub(super) async fn released(holding: Option<&Holding>) {
    let Some(holding) = holding else { return future::pending().await };
    tokio::select! {
        () = tokio::time::sleep(wait(now(), holding.until)) => {}
        () = holding.released.cancelled() => {}
    }
}
