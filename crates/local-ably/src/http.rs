//! HTTP on each TCP connection.
//!
//! As `axum::serve` does it, but for the names of headers, and for connections on which nothing goes on: it has no settings for
//! them.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::wire::{Listener, Wire};

/// How long the head of a request may take, from when the connection is open or the answer before it written: so long an idle
/// connection is kept.
const HEAD_MAX: Duration = Duration::from_secs(60);

/// Answers all requests, until the server is to end and the connections that there are have had their last answers.
pub(crate) async fn serve(mut listener: Listener, router: Router, shutdown: CancellationToken) {
    let connections = TaskTracker::new();
    while let Some(wire) = shutdown.run_until_cancelled(listener.accept()).await {
        connections.spawn(answer(wire, router.clone(), shutdown.clone()));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Answers the requests of one connection. What breaks it off is its client's affair.
async fn answer(wire: Wire, router: Router, shutdown: CancellationToken) {
    let line = wire.line().clone();
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(line.clone()));
        router.call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_MAX);
    // The SDK for PHP finds the next page by the text "Link:", and ignores "link:".
    http.title_case_headers(true);
    let mut connection = pin!(http.serve_connection(TokioIo::new(wire), service).with_upgrades());
    if shutdown.run_until_cancelled(connection.as_mut()).await.is_none() {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::Instant;

    use super::*;

    /// How long a connection stays open on which so much is sent.
    async fn open_for(sent: &[u8]) -> Duration {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let server = tokio::spawn(serve(Listener::new(listener), Router::new(), shutdown.clone()));
        let started = Instant::now();
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(sent).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        let open = started.elapsed();
        shutdown.cancel();
        server.await.unwrap();
        open
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_no_request_comes_or_none_is_finished_is_closed() {
        for sent in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
            let open = open_for(sent.as_bytes()).await;
            assert!((HEAD_MAX..2 * HEAD_MAX).contains(&open), "{sent:?}: {open:?}");
        }
    }
}
