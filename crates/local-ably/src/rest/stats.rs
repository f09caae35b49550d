//! `/stats`: this server keeps no statistics, and says so in Ably's form.

use std::sync::Arc;

use ably::{ErrorInfo, Operation};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Call;
use super::paging::{forwards, limit, paged};
use crate::channel::Page;
use crate::clock::{Millis, now};
use crate::errors::bad_request;
use crate::server::Server;

/// How an interval is named, to the minute; the name of a longer one ends after its hour, day or month (features.md, TS12a).
const INTERVAL: &[u8] = b"0000-00-00:00:00";
const INTERVAL_LENGTHS: [usize; 4] =
    ["0000-00".len(), "0000-00-00".len(), "0000-00-00:00".len(), INTERVAL.len()];

/// No statistics, for whoever may read them.
pub(super) async fn read(State(server): State<Arc<Server>>, call: Call) -> Response {
    call.settle(none(&server, &call))
}

fn none(server: &Server, call: &Call) -> Result<Response, ErrorInfo> {
    let caller = call.authorised(server, now())?;
    if !caller.capability.grants().any(|(_, operations)| operations.allow(Operation::Stats)) {
        return Err(ErrorInfo::new(40160, 401, "the capability does not allow stats"));
    }
    let limit = limit(call)?;
    forwards(call)?;
    let (start, end) = (moment(call, "start")?, moment(call, "end")?);
    // Names of intervals are in order of time as texts.
    let turned = match (start, end) {
        (Some(Moment::At(start)), Some(Moment::At(end))) => start > end,
        (Some(Moment::Interval(start)), Some(Moment::Interval(end))) => {
            start > end && !start.starts_with(end)
        }
        _ => false,
    };
    if turned {
        return Err(bad_request("start is later than end"));
    }
    if !matches!(call.param("unit"), None | Some("minute" | "hour" | "day" | "month")) {
        return Err(bad_request("unit is minute, hour, day or month"));
    }
    Ok(paged(call, "stats", limit, &Page::<()> { items: Vec::new(), next: None }))
}

/// When statistics are to begin or end.
enum Moment<'a> {
    At(Millis),
    /// In an interval, by its name.
    Interval(&'a str),
}

/// A time, or the name of an interval.
fn moment<'a>(call: &'a Call, name: &str) -> Result<Option<Moment<'a>>, ErrorInfo> {
    let Some(text) = call.param(name) else {
        return Ok(None);
    };
    let alike = |(have, form): (u8, &u8)| if *form == b'0' { have.is_ascii_digit() } else { have == *form };
    if INTERVAL_LENGTHS.contains(&text.len()) && text.bytes().zip(INTERVAL).all(alike) {
        return Ok(Some(Moment::Interval(text)));
    }
    Ok(call.time(name)?.map(Moment::At))
}

/// Takes the statistics that a client makes up for its app, and forgets them.
pub(super) async fn write(State(server): State<Arc<Server>>, call: Call) -> Response {
    call.settle(call.authorised(&server, now()).map(|_| call.answer::<[(); 0]>(StatusCode::CREATED, &[])))
}
