//! The queue of frames towards one socket.
//!
//! Whoever publishes only puts frames into queues, so nobody waits for a slow reader: a queue that grows too long cuts its socket,
//! whose client resumes when it can.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::ws::Message;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::protocol::{Format, Shape, SharedFrame};

/// How many frames may wait for one socket: more than a channel remembers, all of which a client may have missed.
const FRAMES_MAX: usize = 25_000;
/// How many bytes may wait for one socket: more than a channel remembers, in base64.
const BYTES_MAX: usize = 32 << 20;

/// What waits to be written.
#[derive(Debug)]
pub(crate) enum Item {
    /// A frame.
    Message(Message),
    /// Nothing comes after this.
    End,
}

/// The end of the queue that frames are put into.
#[derive(Debug)]
pub(super) struct Outbox {
    format: Format,
    shape: Shape,
    items: mpsc::UnboundedSender<Item>,
    frames: AtomicUsize,
    bytes: AtomicUsize,
    /// Cancelled when the socket is to be dropped at once.
    cut: CancellationToken,
}

/// The end of the queue that frames are taken from.
#[derive(Debug)]
pub(crate) struct Queue(mpsc::UnboundedReceiver<Item>);

impl Outbox {
    pub(super) fn new(format: Format, shape: Shape) -> (Self, Queue) {
        let (items, queue) = mpsc::unbounded_channel();
        let outbox = Self {
            format,
            shape,
            items,
            frames: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            cut: CancellationToken::new(),
        };
        (outbox, Queue(queue))
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Puts a frame into the queue.
    pub(super) fn push(&self, frame: &SharedFrame) {
        if self.cut.is_cancelled() {
            return;
        }
        let message = self.encoded(frame);
        let frames = self.frames.fetch_add(1, Ordering::Relaxed);
        let bytes = self.bytes.fetch_add(length(&message), Ordering::Relaxed);
        if frames >= FRAMES_MAX || bytes >= BYTES_MAX {
            self.cut.cancel();
        }
        // Where the writer has ended nobody is there to read.
        let _ = self.items.send(Item::Message(message));
    }

    /// Lets the writer close the socket once all before this is written.
    pub(super) fn end(&self) {
        let _ = self.items.send(Item::End);
    }

    /// Done when the socket is to be dropped at once.
    pub(super) fn cut(&self) -> &CancellationToken {
        &self.cut
    }

    /// Takes what comes next, once it is there.
    pub(super) async fn take(&self, Queue(items): &mut Queue) -> Item {
        // Where the other end is gone nothing comes either.
        self.taken(items.recv().await.unwrap_or(Item::End))
    }

    /// Takes what comes next, if it is there already.
    pub(super) fn take_ready(&self, Queue(items): &mut Queue) -> Option<Item> {
        items.try_recv().ok().map(|item| self.taken(item))
    }

    /// How many frames wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.frames.load(Ordering::Relaxed)
    }

    /// A frame as it is written here.
    pub(super) fn encoded(&self, frame: &SharedFrame) -> Message {
        frame.encoded(self.format, self.shape)
    }

    fn taken(&self, item: Item) -> Item {
        if let Item::Message(message) = &item {
            self.frames.fetch_sub(1, Ordering::Relaxed);
            self.bytes.fetch_sub(length(message), Ordering::Relaxed);
        }
        item
    }
}

fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.as_str().len(),
        Message::Binary(bytes) => bytes.len(),
        _ => 0,
    }
}

#[cfg(test)]
impl Queue {
    /// The frames that wait, as JSON.
    pub(crate) fn frames(&mut self) -> Vec<serde_json::Value> {
        let mut frames = Vec::new();
        while let Ok(item) = self.0.try_recv() {
            if let Item::Message(Message::Text(text)) = item {
                frames.push(serde_json::from_str(text.as_str()).unwrap());
            }
        }
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Action, Frame};

    #[test]
    fn a_queue_that_nobody_reads_cuts_its_socket_and_grows_no_further() {
        let (outbox, queue) = Outbox::new(Format::Json, Shape::Current);
        let frame = SharedFrame::from(Frame::new(Action::Heartbeat));
        for _ in 0..FRAMES_MAX {
            outbox.push(&frame);
        }
        assert!(!outbox.cut().is_cancelled());
        for _ in 0..FRAMES_MAX {
            outbox.push(&frame);
        }
        assert!(outbox.cut().is_cancelled());
        assert_eq!(queue.0.len(), FRAMES_MAX + 1);
    }
}
