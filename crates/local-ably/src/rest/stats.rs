//! `/stats`: this server keeps no statistics, and says so in Ably's form.

use std::sync::Arc;

use ably::{ErrorInfo, Operation};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Call;
use super::paging::{history_query, paged};
use crate::channel::Page;
use crate::clock::now;
use crate::errors::bad_request;
use crate::server::Server;

/// No statistics, for whoever may read them.
pub(super) async fn read(State(server): State<Arc<Server>>, call: Call) -> Response {
    call.settle(none(&server, &call))
}

fn none(server: &Server, call: &Call) -> Result<Response, ErrorInfo> {
    let caller = call.authorised(server, now())?;
    if !caller.capability.grants().any(|(_, operations)| operations.allow(Operation::Stats)) {
        return Err(ErrorInfo::new(40160, 401, "the capability does not allow stats"));
    }
    let query = history_query(call)?;
    if !matches!(call.param("unit"), None | Some("minute" | "hour" | "day" | "month")) {
        return Err(bad_request("unit is minute, hour, day or month"));
    }
    Ok(paged(call, "stats", query.limit, &Page::<()> { items: Vec::new(), next: None }))
}

/// Takes the statistics that SDKs' suites make up for their apps, and forgets them.
pub(super) async fn write(State(server): State<Arc<Server>>, call: Call) -> Response {
    call.settle(call.authorised(&server, now()).map(|_| call.answer::<[(); 0]>(StatusCode::CREATED, &[])))
}
