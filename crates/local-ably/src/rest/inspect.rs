//! `/inspect`: what the page at `/` shows besides what the protocol tells it, for whoever has the secret that is printed at start.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ably::{Capability, ErrorInfo, Secret};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{Call, call, control};
use crate::app::App;
use crate::clock::{Millis, now};
use crate::credentials::Claims;
use crate::errors::not_found;
use crate::inspect::{Means, Subject, WATCHERS_MAX};
use crate::server::Server;
use crate::snapshot::{Query, snapshot};

/// How often there is a snapshot.
const EVERY: Duration = Duration::from_secs(1);
/// How long whoever looks on may take to read one; then they are dropped.
const SLOW_MAX: Duration = Duration::from_secs(10);
/// How long a token of the page lives. It asks for another in time.
const TOKEN_TTL: Millis = 3_600_000;
/// What the page may do over the protocol.
const PAGE_CAPABILITY: &str = r#"{"[*]*":["subscribe","annotation-subscribe"]}"#;

/// The routes, behind the checks of the control endpoint.
pub(super) fn router(secret: Secret) -> Router<Arc<Server>> {
    let routes = Router::new()
        .route("/inspect", post(watch))
        .route("/inspect/token", post(token))
        .method_not_allowed_fallback(call::unknown_method);
    control::guarded(routes, secret)
}

/// A snapshot a second, each a line of JSON.
async fn watch(State(server): State<Arc<Server>>, call: Call) -> Response {
    let watching = call.read::<Query>().and_then(|query| {
        let place = server.inspector().watcher().ok_or_else(|| {
            ErrorInfo::new(42910, 429, format!("{WATCHERS_MAX} look on already: close a page, and try again"))
        })?;
        Ok((query, place))
    });
    let (query, place) = match watching {
        Ok(watching) => watching,
        Err(error) => return call.settle(Err(error)),
    };
    let (lines, body) = mpsc::channel(1);
    let tasks = server.tasks().clone();
    tasks.spawn(async move {
        write(&server, &query, lines).await;
        drop(place);
    });
    let body = stream::unfold(body, |mut body| async { Some((body.recv().await?, body)) });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Body::from_stream(body)).into_response()
}

/// Writes snapshots until nobody reads them any more, or not fast enough.
async fn write(server: &Server, query: &Query, lines: mpsc::Sender<Result<Bytes, Infallible>>) {
    let mut known = 0;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = lines.closed() => return,
            () = server.shutdown().cancelled() => return,
        }
        let (snapshot, total) = snapshot(server, query, known, now());
        known = total;
        if !matches!(timeout(SLOW_MAX, lines.send(Ok(format!("{snapshot}\n").into()))).await, Ok(Ok(()))) {
            return;
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    app: String,
}

/// A token by which the page may read an app's channels over the protocol, and do nothing else.
async fn token(State(server): State<Arc<Server>>, call: Call) -> Response {
    call.settle(make_token(&server, &call))
}

fn make_token(server: &Server, call: &Call) -> Result<Response, ErrorInfo> {
    let body: TokenBody = call.read()?;
    let app = server.apps().get(&body.app).ok_or_else(|| not_found("no such app"))?;
    let nothing = || ErrorInfo::new(40160, 401, "no key of this app may subscribe, so the page cannot");
    let (key, capability) = readable(&app).ok_or_else(nothing)?;
    let now = now();
    let claims = Claims {
        issued: now,
        expires: now + TOKEN_TTL,
        capability: Some(capability.clone()),
        client_id: None,
        revocation_key: None,
    };
    let token = server.mint().make(&key, &claims, &capability);
    Ok(call.answer(StatusCode::CREATED, &json!({"token": token, "expires": claims.expires})))
}

/// The key of an app by which most can be read, and what that is.
fn readable(app: &App) -> Option<(ably::KeyName, Capability)> {
    let wanted = Capability::parse(PAGE_CAPABILITY).ok()?;
    let readable = app
        .keys()
        .iter()
        .filter_map(|record| Some((record.key.name().clone(), wanted.intersect(&record.capability)?)));
    // The first that may read everything, or else the one that may read the most channels.
    readable.max_by_key(|(_, capability)| (*capability == wanted, capability.grants().count()))
}

/// Counts the requests over REST, and notes those that were refused.
pub(super) async fn note(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    // Of a connection that brings many requests at once, each would be answered at once.
    yield_now().await;
    let path = request.uri().path();
    // The page's own, and those of whoever makes faults, are not what people look for.
    if path.starts_with("/page/") || path.starts_with("/inspect") || path.starts_with("/control") {
        return next.run(request).await;
    }
    if path != "/" {
        server.inspector().count_request();
    }
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let origin = request.headers().get(header::ORIGIN).cloned();
    let response = next.run(request).await;
    if let Some(error) = call::noted_error(&response) {
        // The query is left out: it may hold a key.
        let mut described = format!("{method} {}", uri.path());
        if let Some(origin) = origin {
            described += &format!(" from {}", String::from_utf8_lossy(origin.as_bytes()));
        }
        let subject = Subject { request: Some(described), ..Subject::default() };
        server.inspector().refusals().note(Means::Http, subject, &error, now());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_does_not_read_is_dropped_and_nothing_is_kept_for_them() {
        let server = Server::new(([127, 0, 0, 1], 0).into(), None);
        let (lines, mut body) = mpsc::channel(1);
        let started = tokio::time::Instant::now();
        write(&server, &Query::default(), lines).await;
        assert!(started.elapsed() >= SLOW_MAX);
        assert!(body.recv().await.is_some(), "the one that waited");
        assert!(body.recv().await.is_none());
    }
}
