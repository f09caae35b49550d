//! How an event is written.

use serde::Serialize;

use super::mark::Mark;
use crate::ids::JobId;
use crate::objects::Millis;

/// A comment, which no client takes for anything: a write that shows whether the client is still there.
pub const HEARTBEAT: &str = ": \n\n";

/// After so many milliseconds a client that was cut off is to come again.
const RETRY: Millis = 2_000;

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "StreamEnd"))]
pub enum End {
    /// The session has.
    Expired,
    /// Whoever reads takes no part in the job any more.
    Removed,
    /// They were its driver, and another one is.
    Reassigned,
    /// The job has ended.
    Closed,
    /// What is written is not taken.
    Slow,
    /// The same user has opened another one, and has as many as they may.
    Replaced,
}

/// Why a reader has to begin anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "ResyncReason"))]
pub enum Resync {
    /// They say that they are where they cannot go on: it is not kept any more, or it never was, or it is not theirs.
    NotKept,
    /// What they say is the id of no event.
    NotAnId,
    /// They take too long.
    Slow,
}

/// How the first event of a stream begins: with when to come again.
pub fn opening() -> String {
    format!("retry: {RETRY}\n")
}

/// An event. A client keeps the last id that it was given, so one without an id leaves it where it was.
pub fn event(name: &str, id: Option<Mark>, data: &str) -> String {
    let mut text = String::with_capacity(64 + name.len() + data.len());
    if let Some(id) = id {
        text.push_str(&format!("id: {id}\n"));
    }
    text.push_str(&format!("event: {name}\n"));
    for line in data.split(['\r', '\n']) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text
}

/// The last event of a stream.
pub fn end(reason: End) -> String {
    #[derive(Serialize)]
    struct Data {
        reason: End,
    }
    event("end", None, &json(&Data { reason }))
}

/// That a gate has opened, or is there no more: the `state` that follows says what there is to see.
pub fn gate_opened(job: &JobId, ts: Millis) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Data<'a> {
        job_id: &'a JobId,
        ts: Millis,
    }
    event("gate.opened", None, &json(&Data { job_id: job, ts }))
}

/// That whoever reads has to begin anew: by the `state` that follows.
pub fn resync(reason: Resync, now: Millis) -> String {
    #[derive(Serialize)]
    struct Data {
        reason: Resync,
        now: Millis,
    }
    event("resync", None, &json(&Data { reason, now }))
}

/// With these types it is always written.
fn json(data: &impl Serialize) -> String {
    serde_json::to_string(data).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_its_lines() {
        let id = Mark::parse("9.1.2");
        assert_eq!(event("a.b", id, "{}"), "id: 9.1.2\nevent: a.b\ndata: {}\n\n");
        assert_eq!(event("a", None, "1\n2\r3"), "event: a\ndata: 1\ndata: 2\ndata: 3\n\n");
        assert_eq!(end(End::Replaced), "event: end\ndata: {\"reason\":\"replaced\"}\n\n");
        assert_eq!(
            resync(Resync::NotAnId, 7),
            "event: resync\ndata: {\"reason\":\"not_an_id\",\"now\":7}\n\n"
        );
    }
}
