//! `heartbeats=bounce`: PINGs that the client's own code has to answer.
//!
//! A browser answers the pings of WebSocket by itself, also for a page that it has suspended. So a client may ask for a PING at each
//! heartbeat, which it answers by a PONG with the same id; one that has not answered by the next heartbeat is gone, whatever its
//! browser says (specification, RTN23c; ably-js, `heartbeats=bounce`).

use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::{Action, Frame};
use crate::random;

/// The PINGs of one socket.
#[derive(Debug)]
pub(super) struct Bounce {
    interval: Duration,
    next_at: Instant,
    /// The id of the PING that has no answer yet.
    awaited: Option<String>,
}

impl Bounce {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, next_at: Instant::now() + interval, awaited: None }
    }

    /// When the next heartbeat is.
    pub(super) fn next_at(&self) -> Instant {
        self.next_at
    }

    /// The PING to send at a heartbeat; nothing where the one before has no answer.
    pub(super) fn beat(&mut self) -> Option<Frame> {
        if self.awaited.is_some() {
            return None;
        }
        self.next_at = Instant::now() + self.interval;
        let id = random::text::<6>();
        self.awaited = Some(id.clone());
        Some(Frame { id: Some(id), ..Frame::new(Action::Ping) })
    }

    /// Takes a PONG; one that answers no PING changes nothing.
    pub(super) fn answered(&mut self, id: Option<&str>) {
        if self.awaited.as_deref() == id {
            self.awaited = None;
        }
    }
}
