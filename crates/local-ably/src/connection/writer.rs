//! The task that writes what is in a mailbox to its WebSocket.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, timeout, timeout_at};

use crate::mailbox::{Item, Mailbox, Queue};
use crate::protocol::{Action, Frame, SharedFrame};

/// How long a socket has to take the last frames and the close.
const CLOSING_MAX: Duration = Duration::from_secs(2);

/// Writes what is in the queue, a HEARTBEAT whenever there has been nothing for a while, and a ping as often at all times.
pub(super) async fn write(
    mailbox: &Mailbox,
    mut queue: Queue,
    mut sink: SplitSink<WebSocket, Message>,
    heartbeat: Duration,
) {
    let written = async {
        let mut idle_at = Instant::now() + heartbeat;
        let mut ping_at = idle_at;
        loop {
            let next = timeout_at(idle_at.min(ping_at), mailbox.take(&mut queue)).await;
            match next {
                Err(_) if Instant::now() < idle_at => {}
                Err(_) => {
                    let frame = SharedFrame::from(Frame::new(Action::Heartbeat));
                    sink.feed(mailbox.encoded(&frame)).await?;
                    idle_at = Instant::now() + heartbeat;
                }
                Ok(Item::Message(message)) => {
                    sink.feed(message).await?;
                    // What else waits leaves in the same write.
                    while let Some(item) = mailbox.take_ready(&mut queue) {
                        match item {
                            Item::Message(message) => {
                                sink.feed(message).await?;
                                // There may be thousands: others have their turn between them.
                                consume_budget().await;
                            }
                            Item::End => return sink.flush().await,
                        }
                    }
                    idle_at = Instant::now() + heartbeat;
                }
                Ok(Item::End) => return Ok(()),
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
        result = written => if result.is_err() { mailbox.cut().cancel() },
        () = mailbox.cut().cancelled() => {}
    }
    // The peer may be gone already; there is nobody to tell.
    let _ = timeout(CLOSING_MAX, close(&mut sink)).await;
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
