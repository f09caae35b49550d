//! `GET /channels`: which channels are in use.

use std::sync::Arc;

use ably::{ErrorInfo, Operation};
use axum::extract::State;
use axum::response::Response;

use super::Call;
use super::channels::details;
use super::paging::{limit, paged};
use crate::channel::Page;
use crate::clock::now;
use crate::errors::bad_request;
use crate::lock::lock;
use crate::server::Server;

/// The first version of the API that answers with names alone, unless it is asked for more.
const NAMES_SINCE: u32 = 3;
/// What stands for all channels in a capability.
const ALL: &str = "*";

/// The channels in use, in the order of their names, a page at a time.
pub(super) async fn list(State(server): State<Arc<Server>>, call: Call) -> Response {
    call.settle(read(&server, &call))
}

fn read(server: &Server, call: &Call) -> Result<Response, ErrorInfo> {
    let now = now();
    let caller = call.authorised(server, now)?;
    caller.require(ALL, Operation::ChannelMetadata)?;
    let limit = limit(call)?;
    let in_full = match call.param("by") {
        None => call.version().is_some_and(|version| version < NAMES_SINCE),
        Some("id") => false,
        Some("value") => true,
        Some(_) => return Err(bad_request("by is id or value")),
    };
    let (prefix, after) = (call.param("prefix").unwrap_or_default(), call.param("cursor"));
    // The lock on all channels goes before one is taken on any.
    let mut channels = caller.app.channels().all();
    channels.retain(|(name, _)| name.starts_with(prefix) && after.is_none_or(|after| name.as_str() > after));
    channels.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let mut active = channels.iter().filter(|(_, channel)| lock(channel).is_active(now));
    let page: Vec<_> = active.by_ref().take(limit).collect();
    let next = active.next().and(page.last()).map(|(name, _)| name.clone());
    Ok(if in_full {
        let items = page.into_iter().map(|(name, channel)| details(name, &lock(channel), now)).collect();
        paged(call, "channels", limit, &Page { items, next })
    } else {
        let items = page.into_iter().map(|(name, _)| name).collect();
        paged(call, "channels", limit, &Page { items, next })
    })
}
