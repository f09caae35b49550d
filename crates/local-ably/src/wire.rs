//! TCP connections that can be broken off on demand, as a network breaks them and no polite server does.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};

/// What stands for no bound on what is still written.
const UNBOUNDED: usize = usize::MAX;
/// How long a peer may take none of what waits for it: an answer that nobody reads is not kept for ever.
const STALL_MAX: Duration = Duration::from_secs(60);

/// A listener whose connections can be broken off.
pub(crate) struct Listener(TcpListener);

/// A TCP connection.
pub(crate) struct Wire {
    stream: TcpStream,
    line: Line,
    /// Runs out where the peer takes nothing any more.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// A hold on a TCP connection, for those who are to break it off.
#[derive(Debug, Clone)]
pub(crate) struct Line(Arc<State>);

#[derive(Debug)]
struct State {
    peer: SocketAddr,
    /// How many bytes are still written; then writing fails.
    left: AtomicUsize,
    /// Whether the connection ends by a reset.
    reset: AtomicBool,
}

impl Listener {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self(listener)
    }

    /// The next connection. Where none can be taken just now, it waits until one can.
    pub(crate) async fn accept(&mut self) -> Wire {
        // axum's knows which errors are of one connection, and which of the whole machine.
        let (stream, peer) = axum::serve::Listener::accept(&mut self.0).await;
        // Frames are small and answers awaited: none is to wait for the next. Without it the connection is only slower.
        let _ = stream.set_nodelay(true);
        let state = State { peer, left: AtomicUsize::new(UNBOUNDED), reset: AtomicBool::new(false) };
        Wire { stream, line: Line(Arc::new(state)), stalled: None }
    }
}

impl Wire {
    /// A hold on the connection.
    pub(crate) fn line(&self) -> &Line {
        &self.line
    }

    /// Passes on what became of a write, unless nothing has been taken for too long.
    fn unless_stalled<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALL_MAX)));
        match stalled.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Line {
    /// Who is at the other end.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.0.peer
    }

    /// Nothing more is written, and the connection ends by a TCP reset as soon as its owner next writes or drops it.
    pub(crate) fn reset(&self) {
        self.0.reset.store(true, Ordering::Release);
        self.break_after(0);
    }

    /// So many bytes more are written, and then the connection breaks.
    pub(crate) fn break_after(&self, bytes: usize) {
        self.0.left.fetch_min(bytes, Ordering::AcqRel);
    }

    fn left(&self) -> usize {
        self.0.left.load(Ordering::Acquire)
    }
}

fn broken() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionAborted)
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let left = self.line.left();
        if left == UNBOUNDED {
            let written = Pin::new(&mut self.stream).poll_write(cx, buf);
            return self.unless_stalled(written, cx);
        }
        if left == 0 {
            return Poll::Ready(Err(broken()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, buf.get(..left).unwrap_or(buf));
        if let Poll::Ready(Ok(written)) = written {
            self.line.break_after(left - written.min(left));
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.line.left() == UNBOUNDED {
            let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
            return self.unless_stalled(written, cx);
        }
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
        self.poll_write(cx, first)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A FIN ahead of the reset would look like a regular end.
        if self.line.0.reset.load(Ordering::Acquire) {
            return Poll::Ready(Err(broken()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.line.0.reset.load(Ordering::Acquire) {
            // Closing then discards what waits and sends RST. Where the option cannot be set, the peer sees a plain end.
            let _ = self.stream.set_zero_linger();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_any_more_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut wire = Listener::new(listener).accept().await;
        let started = Instant::now();
        let result = async {
            loop {
                wire.write_all(&[0; 1 << 16]).await?;
            }
        };
        let result: io::Result<()> = result.await;
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() >= STALL_MAX);
    }
}
