//! HTTP on each TCP connection.
//!
//! As `axum::serve` does it, but for the names of headers, which it has no setting for.

use std::pin::pin;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::wire::{Listener, Wire};

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
    // The SDK for PHP finds the next page by the text "Link:", and ignores "link:".
    let connection =
        http1::Builder::new().title_case_headers(true).serve_connection(TokioIo::new(wire), service);
    let mut connection = pin!(connection.with_upgrades());
    if shutdown.run_until_cancelled(connection.as_mut()).await.is_none() {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}
