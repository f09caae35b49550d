//! What becomes of a publish over REST that a fault meets, be it of messages, of a change to one, or of annotations.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::time::timeout;

use super::call::{BODY_WITHIN, early_refusal};
use super::one_or_many::OneOrMany;
use super::publish::{BATCH_PUBLISHES_MAX, BATCH_SPECS_MAX};
use crate::channel::ChannelName;
use crate::clock::now;
use crate::faults::{Effect, Transport, held};
use crate::protocol::{Format, decode};
use crate::server::Server;
use crate::wire::Line;

/// Publishes, unless a fault is to meet the publish.
pub(super) async fn publishes(
    State(server): State<Arc<Server>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
    next: Next,
) -> Response {
    if !server.faults().concern_publishes() {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let path = Path::<HashMap<String, String>>::from_request_parts(&mut parts, &()).await;
    let named = path.ok().and_then(|Path(mut names)| names.remove("channel"));
    // Only of a body that has arrived is it noticed when its client goes.
    let body = whole(&parts, body).await;
    let channels = match (named, &body) {
        (Some(name), _) => vec![name],
        (None, Ok(body)) => channels_of_batch(body),
        (None, Err(_)) => Vec::new(),
    };
    let names = channels.iter().filter_map(|name| ChannelName::parse(name).ok());
    let channels: Vec<_> = names.map(|name| name.canonical().to_owned()).collect();
    let is_batch = channels.iter().any(|channel| Some(channel) != channels.first());
    let transport = if is_batch { Transport::RestBatch } else { Transport::Rest };
    let body = match body {
        Ok(bytes) => Body::from(bytes),
        // One that is too long, or broke off, is so for the handler too.
        Err(reason) => Body::from_stream(stream::iter([Err::<Bytes, _>(reason)])),
    };
    let request = Request::from_parts(parts, body);
    let now = now();
    let Some(firing) = server.faults().on_publish(transport, &channels, now) else {
        return next.run(request).await;
    };
    let headers = request.headers().clone();
    match firing.what().clone() {
        Effect::Answer { error, retry_after, stored } => {
            if stored {
                // Whatever became of it, this is what its publisher is told.
                let _ = next.run(request).await;
            }
            firing.count();
            let mut response = early_refusal(&headers, error);
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
        Effect::Hold { millis, stored } => {
            let until = now.saturating_add(millis);
            if stored {
                let response = next.run(request).await;
                firing.count();
                held(until, &firing.released(), server.shutdown()).await;
                return response;
            }
            firing.count();
            held(until, &firing.released(), server.shutdown()).await;
            next.run(request).await
        }
        Effect::Reset { stored } => {
            if stored {
                let _ = next.run(request).await;
            }
            line.reset();
            firing.count();
            // Not a byte of it is sent.
            ().into_response()
        }
        Effect::Truncate => {
            let response = next.run(request).await;
            firing.count();
            truncated(response).await
        }
        Effect::Dribble { millis } => {
            let response = next.run(request).await;
            firing.count();
            dribbling(response, Duration::from_millis(u64::try_from(millis).unwrap_or(0))).await
        }
    }
}

/// A body once it has arrived, within the limit that holds for it.
async fn whole(parts: &Parts, body: Body) -> Result<Bytes, String> {
    let mut request = Request::new(body);
    *request.extensions_mut() = parts.extensions.clone();
    let body =
        timeout(BODY_WITHIN, Bytes::from_request(request, &())).await.map_err(|late| late.to_string())?;
    body.map_err(|rejection| rejection.to_string())
}

/// A spec of a batch, as far as faults care.
#[derive(Deserialize)]
struct BatchChannels {
    channels: OneOrMany<String, BATCH_PUBLISHES_MAX>,
}

/// The channels that a batch names, in whichever format; none where it is no batch.
fn channels_of_batch(body: &[u8]) -> Vec<String> {
    let formats = [Format::Json, Format::Msgpack].into_iter();
    let specs = formats
        .filter_map(|format| decode::<OneOrMany<BatchChannels, BATCH_SPECS_MAX>>(format, body).ok())
        .next();
    let specs = specs.map(OneOrMany::into_vec).unwrap_or_default();
    specs.into_iter().flat_map(|spec| spec.channels.into_vec()).collect()
}

/// An answer's head, with its length, and its body, which is in memory.
async fn taken_apart(response: Response) -> (axum::http::response::Parts, Bytes) {
    let (mut parts, body) = response.into_parts();
    // The handler's bodies are whole and bounded: this neither fails nor waits.
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    (parts, bytes)
}

/// An answer that says how long it is, and then breaks off half way.
async fn truncated(response: Response) -> Response {
    let (parts, bytes) = taken_apart(response).await;
    let half = bytes.slice(..bytes.len() / 2);
    let body = stream::unfold(Some(half), |half| async move {
        match half {
            Some(half) => Some((Ok(half), None)),
            None => {
                // What there is leaves first: an error right away would keep it back.
                tokio::task::yield_now().await;
                Some((Err("the local Ably was told to break off"), None))
            }
        }
    });
    Response::from_parts(parts, Body::from_stream(body))
}

/// An answer whose head comes at once, and whose body byte by byte over a time.
async fn dribbling(response: Response, over: Duration) -> Response {
    let (parts, bytes) = taken_apart(response).await;
    let pause = over / u32::try_from(bytes.len()).unwrap_or(u32::MAX).max(1);
    let body = stream::unfold(bytes, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let next = left.split_to(1);
        Some((Ok::<_, Infallible>(next), left))
    });
    Response::from_parts(parts, Body::from_stream(body))
}
