//! Lists that come a page at a time, and the `Link` headers that lead from page to page.

use ably::ErrorInfo;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use super::Call;
use crate::channel::{HistoryQuery, Page};
use crate::errors::{bad_request, invalid_parameter};

/// How many items a page has unless the client asks for something else, and at most.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;

/// The parameters that a link repeats. Whatever else a query holds, credentials above all, stays out of it.
const REPEATED: [&str; 12] = [
    "by",
    "clientId",
    "connectionId",
    "direction",
    "end",
    "format",
    "fromSerial",
    "from_serial",
    "prefix",
    "start",
    "unit",
    "v",
];

/// How many items a page is to have.
///
/// # Errors
/// 40003 out of range, 40000 for no number.
pub(super) fn limit(call: &Call) -> Result<usize, ErrorInfo> {
    match call.number("limit")? {
        None => Ok(LIMIT_DEFAULT),
        Some(limit @ 1..=LIMIT_MAX) => Ok(limit),
        Some(_) => Err(invalid_parameter(format!("limit is from 1 to {LIMIT_MAX}"))),
    }
}

/// Whether the oldest items are to come first.
///
/// # Errors
/// 40000 for any other direction.
pub(super) fn forwards(call: &Call) -> Result<bool, ErrorInfo> {
    match call.param("direction") {
        None | Some("backwards") => Ok(false),
        Some("forwards") => Ok(true),
        Some(_) => Err(bad_request("direction is forwards or backwards")),
    }
}

/// What a client asks of the past.
///
/// # Errors
/// 40003 for the limit, 40000 for anything else that makes no sense.
pub(super) fn history_query(call: &Call) -> Result<HistoryQuery, ErrorInfo> {
    let query = HistoryQuery {
        start: call.time("start")?,
        end: call.time("end")?,
        forwards: forwards(call)?,
        until_serial: call.param("from_serial").or_else(|| call.param("fromSerial")).map(str::to_owned),
        limit: limit(call)?,
        cursor: call.param("cursor").map(str::to_owned),
    };
    if let (Some(start), Some(end)) = (query.start, query.end)
        && start > end
    {
        return Err(bad_request("start is later than end"));
    }
    Ok(query)
}

/// A page of the list at the end of a path, which `word` is: one header for each link, as SDKs expect.
pub(super) fn paged<T: Serialize>(call: &Call, word: &str, limit: usize, page: &Page<T>) -> Response {
    let mut response = call.answer(StatusCode::OK, &page.items);
    let links = [
        Some(("first", query(call, limit, None))),
        Some(("current", query(call, limit, call.param("cursor")))),
        page.next.as_deref().map(|next| ("next", query(call, limit, Some(next)))),
    ];
    for (rel, query) in links.into_iter().flatten() {
        if let Ok(link) = HeaderValue::from_str(&format!("<./{word}?{query}>; rel=\"{rel}\"")) {
            response.headers_mut().append(header::LINK, link);
        }
    }
    response
}

/// The query for a page of the same list. It is never empty: ably-js passes over a link without parameters.
fn query(call: &Call, limit: usize, cursor: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(REPEATED.iter().filter_map(|name| Some((name, call.param(name)?))));
    query.append_pair("limit", &limit.to_string());
    query.extend_pairs(cursor.map(|cursor| ("cursor", cursor)));
    // ably-js takes `+` for itself, not for a blank.
    query.finish().replace('+', "%20")
}
