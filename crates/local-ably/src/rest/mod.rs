//! The HTTP side: one handler for each endpoint, and what they have in common.

mod apps;
mod batch;
mod body;
mod call;
mod channels;
mod control;
mod enumeration;
mod events;
mod guard;
mod inspect;
mod message;
mod metering;
mod misbehave;
mod one_or_many;
mod page;
mod paging;
mod presence;
mod publish;
mod realtime;
mod revocation;
mod stats;
mod time;
mod tokens;

use std::sync::Arc;

use ably::Secret;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method, request};
use axum::middleware;
use axum::routing::{any, delete, get, patch, post};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::server::Server;

use call::{BODY_MAX, Call};
pub(crate) use guard::Guard;

/// All routes, behind the checks of `Host` and `Origin`. Those of `/control` and `/inspect` are for whoever has the
/// secret.
pub(crate) fn router(server: Arc<Server>, guard: Arc<Guard>, control: Secret) -> Router {
    let publishes = middleware::from_fn_with_state(Arc::clone(&server), misbehave::publishes);
    Router::new()
        .route("/", get(realtime::connect))
        .route("/comet/{*path}", any(realtime::comet))
        .route("/time", get(time::time))
        .route("/channels", get(enumeration::list))
        .route("/channels/{channel}", get(channels::status))
        .route(
            "/channels/{channel}/messages",
            post(publish::publish).layer(publishes.clone()).get(channels::messages),
        )
        // The older path, which the Ruby SDK still publishes to.
        .route("/channels/{channel}/publish", post(publish::publish).layer(publishes.clone()))
        .route(
            "/channels/{channel}/messages/{serial}",
            patch(message::change).layer(publishes.clone()).get(message::read),
        )
        // The older path, by which the Java SDK still deletes.
        .route("/channels/{channel}/messages/{serial}/delete", post(message::remove).layer(publishes.clone()))
        .route("/channels/{channel}/messages/{serial}/versions", get(message::versions))
        .route(
            "/channels/{channel}/messages/{serial}/annotations",
            post(message::annotate).layer(publishes.clone()).get(message::annotations),
        )
        .route("/channels/{channel}/history", get(channels::history))
        .route("/channels/{channel}/presence", get(channels::presence))
        .route("/channels/{channel}/presence/history", get(channels::presence_history))
        .route("/messages", post(publish::publish_batch).layer(publishes))
        .route("/presence", get(presence::batch))
        .route("/sse", get(events::sse))
        .route("/event-stream", get(events::event_stream))
        .route("/stats", get(stats::read).post(stats::write))
        .route("/keys/{key}/requestToken", post(tokens::request_token).fallback(tokens::unknown_method))
        .route("/keys/{key}/revokeTokens", post(revocation::revoke_tokens).fallback(tokens::unknown_method))
        .route("/apps", post(apps::create).layer(DefaultBodyLimit::max(apps::SPEC_MAX)))
        .route("/apps/{app}", delete(apps::remove))
        .fallback(call::unknown_path)
        .method_not_allowed_fallback(call::unknown_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&server), metering::check))
        .merge(control::router(control.clone()))
        .merge(inspect::router(control))
        .merge(page::router())
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(cors(Arc::clone(&guard)))
        .layer(middleware::from_fn_with_state(guard, guard::check))
        .layer(middleware::from_fn_with_state(Arc::clone(&server), inspect::note))
        .with_state(server)
}

/// What browsers need to read an answer, errors included. Only origins that the guard lets through get here.
fn cors(guard: Arc<Guard>) -> CorsLayer {
    let header = HeaderName::from_static;
    let allowed = move |origin: &HeaderValue, _: &request::Parts| guard.allows_origin(origin);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header("authorization"),
            header("content-type"),
            header("accept"),
            header("x-ably-version"),
            header("ably-agent"),
            header("x-ably-clientid"),
            header("last-event-id"),
        ])
        .expose_headers([header("link"), header("x-ably-errorcode"), header("x-ably-errormessage")])
}
