//! `GET /sse` and `GET /event-stream`: channels as a stream of events.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;

use ably::ErrorInfo;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Map, Value, json};

use super::Call;
use crate::auth::identify;
use crate::clock::now;
use crate::connection::{Event, EventStream, StreamRequest};
use crate::errors::bad_request;
use crate::faults::Refusal;
use crate::server::Server;
use crate::wire::Line;

/// How events are written.
#[derive(Debug, Clone, Copy)]
struct Style {
    /// As server-sent events, or as one JSON object a line.
    sse: bool,
    /// A message with all that belongs to it, or its data alone.
    enveloped: bool,
    /// That nothing happens is an event, not a comment.
    heartbeats: bool,
}

/// Server-sent events.
pub(super) async fn sse(
    State(server): State<Arc<Server>>,
    ConnectInfo(line): ConnectInfo<Line>,
    call: Call,
) -> Response {
    call.settle(open(&server, &call, line, true))
}

/// Server-sent events for whoever asks for them, else lines of JSON.
pub(super) async fn event_stream(
    State(server): State<Arc<Server>>,
    ConnectInfo(line): ConnectInfo<Line>,
    call: Call,
) -> Response {
    let sse = call.accepts("text/event-stream");
    call.settle(open(&server, &call, line, sse))
}

fn open(server: &Arc<Server>, call: &Call, line: Line, sse: bool) -> Result<Response, ErrorInfo> {
    let now = now();
    let refusal = server.faults().on_connect(now, || {
        let credentials = call.credentials().ok()??;
        let authorised = identify(server, &credentials, now).ok()?;
        Some((authorised.key, authorised.client.shown()))
    });
    let refusal = refusal.map(|firing| {
        firing.count();
        firing.what().clone()
    });
    match refusal {
        Some(Refusal::Reset) => {
            line.reset();
            // Not a byte of it is sent.
            return Ok(().into_response());
        }
        // A client gives up on an answer like this, and comes back after a stream that has ended.
        Some(Refusal::Http(error) | Refusal::Failed(error)) => return Err(error),
        Some(Refusal::Disconnected(_)) | None => {}
    }
    let caller = call.authorised(server, now)?;
    let style = Style {
        sse,
        enveloped: flag(call, "enveloped")?.unwrap_or(true),
        heartbeats: flag(call, "heartbeats")?.unwrap_or(false),
    };
    if let Some(Refusal::Disconnected(error)) = refusal {
        let only = stream::iter([Ok::<_, Infallible>(style.write(Event::Error(error)))]);
        return Ok(answer(style, Body::from_stream(only)));
    }
    let request = StreamRequest {
        channels: channels(call),
        rewind: call.param("rewind").map(str::to_owned),
        // A browser that reconnects says it in a header.
        last_event: call.param("lastEvent").or_else(|| call.header("last-event-id")).map(str::to_owned),
    };
    let pieces =
        EventStream::open(server, caller, line, &request, now)?.start(move |event| style.write(event));
    let pieces = stream::unfold(pieces, |mut pieces| async move {
        let piece = pieces.recv().await?;
        Some((Ok::<_, Infallible>(piece), pieces))
    });
    Ok(answer(style, Body::from_stream(pieces)))
}

fn answer(style: Style, body: Body) -> Response {
    let media_type = if style.sse { "text/event-stream" } else { "application/x-ndjson" };
    let headers = [(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "no-store")];
    (headers, body).into_response()
}

/// The channels that a client names, each once.
fn channels(call: &Call) -> Vec<String> {
    let separator = call.param("separator").unwrap_or(",");
    let names = call.param("channels").or_else(|| call.param("channel")).unwrap_or_default();
    let mut seen = HashSet::new();
    let names = names.split(separator).filter(|name| seen.insert(*name));
    let names: Vec<_> = names.map(str::to_owned).collect();
    if names == [""] { Vec::new() } else { names }
}

fn flag(call: &Call, name: &str) -> Result<Option<bool>, ErrorInfo> {
    match call.param(name) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(bad_request(format!("{name} is true or false"))),
    }
}

impl Style {
    fn write(self, event: Event) -> Bytes {
        let (kind, id, data) = match event {
            Event::Item { kind, id, data } => (kind, Some(id), Some(self.data(data))),
            Event::Error(error) => ("error", None, Some(json!(error))),
            Event::Keepalive if self.heartbeats => ("heartbeat", None, None),
            Event::Keepalive if self.sse => return Bytes::from_static(b":keepalive\n\n"),
            Event::Keepalive => return Bytes::from_static(b"\n"),
        };
        let text = if self.sse { sse_event(kind, id, data) } else { line(kind, id, data) };
        text.into()
    }

    /// What an event carries: the message, or the message's own data.
    fn data(self, mut item: Map<String, Value>) -> Value {
        if self.enveloped { item.into() } else { item.remove("data").unwrap_or_default() }
    }
}

fn sse_event(kind: &str, id: Option<String>, data: Option<Value>) -> String {
    let data = match data {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
    };
    let mut event = String::new();
    if let Some(id) = id {
        event += &format!("id: {id}\n");
    }
    event += &format!("event: {kind}\n");
    // An event without any data is not dispatched, so there is always a line of it.
    for line in data.replace("\r\n", "\n").split(['\n', '\r']) {
        event += &format!("data: {line}\n");
    }
    event + "\n"
}

fn line(kind: &str, id: Option<String>, data: Option<Value>) -> String {
    let mut object = Map::new();
    object.insert("event".to_owned(), kind.into());
    object.extend(data.map(|data| ("data".to_owned(), data)));
    object.extend(id.map(|id| ("id".to_owned(), id.into())));
    Value::from(object).to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(style: Style, event: Event) -> String {
        String::from_utf8(style.write(event).to_vec()).unwrap()
    }

    fn message(data: &Value) -> Event {
        let data = json!({"name": "n", "data": data, "channel": "a"}).as_object().unwrap().clone();
        Event::Item { kind: "message", id: "1".into(), data }
    }

    const SSE: Style = Style { sse: true, enveloped: true, heartbeats: false };

    #[test]
    fn an_event_has_id_kind_and_a_line_of_json() {
        let text = written(SSE, message(&json!("a\nb")));
        assert_eq!(
            text,
            "id: 1\nevent: message\ndata: {\"channel\":\"a\",\"data\":\"a\\nb\",\"name\":\"n\"}\n\n"
        );
        let error = written(SSE, Event::Error(ErrorInfo { href: None, ..ErrorInfo::new(40142, 401, "x") }));
        assert_eq!(error, "event: error\ndata: {\"code\":40142,\"message\":\"x\",\"statusCode\":401}\n\n");
    }

    #[test]
    fn data_alone_may_have_several_lines_and_makes_no_other_field() {
        let style = Style { enveloped: false, ..SSE };
        for (data, lines) in [
            (json!("x"), "data: x\n"),
            (json!("a\nid: 2\r\nretry: 1\rb"), "data: a\ndata: id: 2\ndata: retry: 1\ndata: b\n"),
            (json!(""), "data: \n"),
            (Value::Null, "data: \n"),
        ] {
            assert_eq!(written(style, message(&data)), format!("id: 1\nevent: message\n{lines}\n"));
        }
    }

    #[test]
    fn silence_is_a_comment_an_event_or_an_empty_line() {
        assert_eq!(written(SSE, Event::Keepalive), ":keepalive\n\n");
        assert_eq!(
            written(Style { heartbeats: true, ..SSE }, Event::Keepalive),
            "event: heartbeat\ndata: \n\n"
        );
        assert_eq!(written(Style { sse: false, ..SSE }, Event::Keepalive), "\n");
        let lines = Style { sse: false, heartbeats: true, ..SSE };
        assert_eq!(written(lines, Event::Keepalive), "{\"event\":\"heartbeat\"}\n");
    }
}
