//! The queue of frames towards one socket, and the task that writes them.
//!
//! Whoever publishes only puts frames into queues, so nobody waits for a slow reader: a queue that grows too long cuts its socket,
//! whose client resumes when it can.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use tokio::sync::mpsc;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::protocol::{Action, Format, Frame, Shape, SharedFrame};

/// How many frames may wait for one socket: more than a channel remembers, all of which a client may have missed.
const FRAMES_MAX: usize = 25_000;
/// How many bytes may wait for one socket: more than a channel remembers, in base64.
const BYTES_MAX: usize = 32 << 20;
/// How long a socket has to take the last frames and the close.
const CLOSING_MAX: Duration = Duration::from_secs(2);

/// What waits to be written.
#[derive(Debug)]
enum Item {
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
        let message = frame.encoded(self.format, self.shape);
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

    /// Takes the next frame; nothing where none will come.
    pub(super) async fn take(&self, Queue(items): &mut Queue) -> Option<Message> {
        match items.recv().await? {
            Item::Message(message) => {
                self.taken(&message);
                Some(message)
            }
            Item::End => None,
        }
    }

    /// How many frames wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.frames.load(Ordering::Relaxed)
    }

    fn taken(&self, message: &Message) {
        self.frames.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(length(message), Ordering::Relaxed);
    }

    /// Writes what is in the queue, a HEARTBEAT whenever there has been nothing for a while, and a ping as often at all times.
    pub(super) async fn write(
        &self,
        Queue(mut items): Queue,
        mut sink: SplitSink<WebSocket, Message>,
        heartbeat: Duration,
    ) {
        let written = async {
            let mut idle_at = Instant::now() + heartbeat;
            let mut ping_at = idle_at;
            loop {
                let next = timeout_at(idle_at.min(ping_at), items.recv()).await;
                match next {
                    Err(_) if Instant::now() < idle_at => {}
                    Err(_) => {
                        let frame = SharedFrame::from(Frame::new(Action::Heartbeat));
                        sink.feed(frame.encoded(self.format, self.shape)).await?;
                        idle_at = Instant::now() + heartbeat;
                    }
                    Ok(Some(Item::Message(message))) => {
                        self.taken(&message);
                        sink.feed(message).await?;
                        // What else waits leaves in the same write.
                        while let Ok(item) = items.try_recv() {
                            match item {
                                Item::Message(message) => {
                                    self.taken(&message);
                                    sink.feed(message).await?;
                                    // There may be thousands: others have their turn between them.
                                    consume_budget().await;
                                }
                                Item::End => return sink.flush().await,
                            }
                        }
                        idle_at = Instant::now() + heartbeat;
                    }
                    Ok(Some(Item::End) | None) => return Ok(()),
                }
                // Answered by every WebSocket client itself: so a peer that is gone shows by its silence, and one that only
                // listens does not.
                if Instant::now() >= ping_at {
                    sink.feed(Message::Ping(Vec::new().into())).await?;
                    ping_at = Instant::now() + heartbeat;
                }
                sink.flush().await?;
            }
        };
        tokio::select! {
            // Who cannot be written to any more is gone.
            result = written => if result.is_err() { self.cut.cancel() },
            () = self.cut.cancelled() => {}
        }
        // The peer may be gone already; there is nobody to tell.
        let _ = timeout(CLOSING_MAX, close(&mut sink)).await;
    }
}

/// Closes a socket as one that ends by plan. The code matters: the Java SDK takes the close that names none for a failure for good.
///
/// # Errors
/// That of a peer that is gone.
pub(super) async fn close(sink: &mut SplitSink<WebSocket, Message>) -> Result<(), axum::Error> {
    let frame = CloseFrame { code: close_code::NORMAL, reason: "".into() };
    sink.send(Message::Close(Some(frame))).await?;
    sink.close().await
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
