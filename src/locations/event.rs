//! What subscribers of a job's channel receive.

use ably::rest::PublishMessage;
use serde::Serialize;

use super::clock::{Clock, Measured};
use super::log::{Content, Kept, Ready, Row};
use super::{Fix, Millis};
use crate::ids::JobId;
use crate::jobs::vitals::Pulse;

/// `[seq, effective time, lat, lng]`.
pub type Backfill = (u64, Millis, f64, f64);

/// The data of `location.updated`: a live fix in full, and the others of its message. It is also the first state that a
/// page is rendered with, without `backfill` and with its age.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "LocationUpdated"))]
pub struct Updated {
    /// The job.
    pub job_id: JobId,
    /// Which life of the job's sequence.
    pub epoch: u64,
    /// The last seq that the message stands for.
    pub seq: u64,
    /// The first seq that the message stands for.
    pub from_seq: u64,
    /// The seq of the fix that follows, where it is not `seq`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_seq: Option<u64>,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lng: f64,
    /// Metres a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// Degrees clockwise from north.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heading: Option<f64>,
    /// Metres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Metres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub altitude: Option<f64>,
    /// When the fix was accepted, Unix milliseconds.
    pub ts: Millis,
    /// When it was measured as well as can be known, Unix milliseconds: no later than `ts`.
    pub captured_at: Millis,
    /// There where that is not what the phone said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// The other fixes of the message, by seq.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(test, schemars(schema_with = "schema::backfills"))]
    pub backfill: Vec<Backfill>,
    /// Our clock when this was said, Unix milliseconds; in a first state alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Millis>,
    /// How long ago the fix was measured by that clock, and 0 where that would be in the future, after our clock has gone back; in a
    /// first state alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<Millis>,
    /// Of the driver's phone; in a first state alone.
    #[serde(flatten)]
    pub pulse: Pulse,
}

impl Updated {
    /// One live fix by itself.
    pub fn of(job: &JobId, epoch: u64, seq: u64, fix: &Fix, measured: Measured, ts: Millis) -> Self {
        Self {
            job_id: job.clone(),
            epoch,
            seq,
            from_seq: seq,
            head_seq: None,
            lat: fix.lat(),
            lng: fix.lng(),
            speed: fix.speed(),
            heading: fix.heading(),
            accuracy: fix.accuracy(),
            altitude: fix.altitude(),
            ts,
            captured_at: measured.effective,
            clock: measured.clock,
            backfill: Vec::new(),
            now: None,
            age_ms: None,
            pulse: Pulse::default(),
        }
    }

    /// The same as a first state, told at `now`, with what is known of the driver's phone.
    pub fn told_at(self, now: Millis, pulse: Pulse) -> Self {
        Self { now: Some(now), age_ms: Some((now - self.captured_at).max(0)), pulse, ..self }
    }
}

/// The data of `location.backfilled`: fixes that are all late, and move no marker.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "LocationBackfilled"))]
pub(crate) struct Backfilled<'a> {
    job_id: &'a JobId,
    epoch: u64,
    from_seq: u64,
    seq: u64,
    ts: Millis,
    #[cfg_attr(test, schemars(schema_with = "schema::backfills"))]
    backfill: Vec<Backfill>,
}

#[cfg(test)]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    /// A tuple that may grow at its end.
    struct Backfill;

    impl JsonSchema for Backfill {
        fn schema_name() -> Cow<'static, str> {
            "Backfill".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "A late fix, or one that left with others: its seq, its effective time in Unix milliseconds, and its \
                    `lat` and `lng`. More may stand at the end.",
                "type": "array",
                "minItems": 4,
                "prefixItems": [
                    {"title": "seq", "type": "integer", "minimum": 1},
                    {"title": "capturedAt", "type": "integer"},
                    {"title": "lat", "type": "number"},
                    {"title": "lng", "type": "number"},
                ],
            })
        }
    }

    pub(super) fn backfills(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": generator.subschema_for::<Backfill>()})
    }
}

fn backfill(Kept { seq, fix, measured, .. }: Kept<'_>) -> Backfill {
    (seq, measured.effective, fix.lat(), fix.lng())
}

/// The channel on which a job's events come.
pub fn channel(job: &JobId) -> String {
    format!("dispatch:job:{job}")
}

/// The most bytes of data in one message. Ably's limit is 64 KiB for data, name and id together.
pub const DATA_MAX: usize = 60 * 1024 - HEAD_MAX;

/// The most bytes that the data takes beside its backfill.
const HEAD_MAX: usize = 1_024;

/// How many bytes the fixes of a row take at most, in the data of a message.
pub fn bytes_of(row: &Row) -> usize {
    let bytes = |kept| serde_json::to_string(&backfill(kept)).map_or(0, |text| text.len() + 1);
    row.fixes().map(bytes).sum()
}

/// How a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// In its turn.
    InTurn,
    /// Long after its turn, when others have been shown: it moves no marker.
    Again,
}

/// The message that rows stand for, and its channel; nothing where this build does not know what they are. The rows are of one post
/// each and follow each other in one life, or it is one row. The same rows make the same bytes, however often.
///
/// # Errors
/// Where the data cannot be serialised; with these types that does not happen.
pub fn message(
    job: &JobId,
    rows: &[Row],
    sending: Sending,
) -> serde_json::Result<Option<(String, PublishMessage)>> {
    let Some(last) = rows.last() else { return Ok(None) };
    Ok(match &last.content {
        Content::Fixes(_) => {
            let from_seq = rows.first().map_or(last.seq, Row::first_seq);
            let (name, data) = of_fixes(job, rows, last, from_seq, sending, |_| true)?;
            // A job id has no `/`, and no `:`, by which Ably numbers the messages of an array.
            Some((channel(job), message_of(format!("{job}/{}.{}", last.epoch, last.seq), name, data)))
        }
        Content::Message(ready) => Some(as_it_is(ready)),
        Content::Life | Content::Unknown | Content::Damaged => None,
    })
}

/// A message that was made ready, and its channel.
pub fn as_it_is(ready: &Ready) -> (String, PublishMessage) {
    (ready.channel.clone(), message_of(ready.id.clone(), &ready.name, ready.data.clone()))
}

fn message_of(id: String, name: &str, data: String) -> PublishMessage {
    PublishMessage { id, name: name.to_owned(), data, encoding: Some("json".to_owned()) }
}

/// The name and the data of the event that stands for a post, to whoever may see some of its fixes only. The others are counted, so that
/// nobody looks for them, and nothing else is said of them.
///
/// # Errors
/// As [`message`].
pub fn part(
    job: &JobId,
    row: &Row,
    from_seq: u64,
    is_shown: impl Fn(&Kept<'_>) -> bool,
) -> serde_json::Result<(&'static str, String)> {
    of_fixes(job, std::slice::from_ref(row), row, from_seq, Sending::InTurn, is_shown)
}

/// The name and the data of the event that stands for posts, of which one is the last, with those of their fixes that are shown.
fn of_fixes(
    job: &JobId,
    rows: &[Row],
    last: &Row,
    from_seq: u64,
    sending: Sending,
    is_shown: impl Fn(&Kept<'_>) -> bool,
) -> serde_json::Result<(&'static str, String)> {
    let (seq, ts, epoch) = (last.seq, last.ts, last.epoch);
    let newest = || rows.iter().rev().find_map(|row| Some((row.head()?, row.ts)));
    let head = (sending == Sending::InTurn).then(newest).flatten().filter(|(head, _)| is_shown(head));
    let others = rows.iter().flat_map(Row::fixes).filter(is_shown);
    let others = others.filter(|kept| head.is_none_or(|(head, _)| head.n != kept.n));
    let backfill = others.map(backfill).collect();
    Ok(match head {
        Some((head, ts)) => {
            let updated = Updated {
                seq,
                from_seq,
                head_seq: Some(head.seq).filter(|head_seq| *head_seq != seq),
                backfill,
                ..Updated::of(job, epoch, head.seq, head.fix, head.measured, ts)
            };
            ("location.updated", serde_json::to_string(&updated)?)
        }
        None => {
            let backfilled = Backfilled { job_id: job, epoch, from_seq, seq, ts, backfill };
            ("location.backfilled", serde_json::to_string(&backfilled)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::locations::log::{Pointers, Ready};

    fn row(content: Content) -> Row {
        let pointers = Pointers { live: Some(21), ..Pointers::default() };
        Row { n: 22, epoch: 9, seq: 12, ts: 5, pointers, content }
    }

    #[test]
    fn the_heads_own_seq_is_told_where_it_is_not_the_last() {
        let accepted = r#"{"driver":"d",
            "fixes":[[8,10,0,null,null,null,null,null],[7,20,0,"id",1.5,2.5,3.5,4.5],[3,30,0,null,null,null,null,null]],
            "times":[
                {"fix":1,"clock":"repaired","capturedAt":4,"effective":4},
                {"fix":2,"clock":"ahead","capturedAt":90000,"effective":3}
            ]}"#;
        let row = row(Content::Fixes(serde_json::from_str(accepted).unwrap()));
        let (channel, message) =
            message(&JobId::parse("a.b").unwrap(), &[row], Sending::InTurn).unwrap().unwrap();
        assert_eq!(channel, "dispatch:job:a.b");
        assert_eq!((message.id.as_str(), message.name.as_str()), ("a.b/9.12", "location.updated"));
        assert_eq!(
            serde_json::from_str::<Value>(&message.data).unwrap(),
            json!({
                "jobId": "a.b", "epoch": 9, "seq": 12, "fromSeq": 10, "headSeq": 11, "lat": 20.0, "lng": 0.0,
                "speed": 1.5, "heading": 2.5, "accuracy": 3.5, "altitude": 4.5, "ts": 5, "capturedAt": 4,
                "clock": "repaired",
                "backfill": [[10, 5, 10.0, 0.0], [12, 3, 30.0, 0.0]],
            })
        );
    }

    #[test]
    fn a_message_that_is_ready_is_sent_as_it_is() {
        let texts = ["notifications:user:ann", "an.event", "an/id", r#"{"a":1}"#];
        let [channel, name, id, data] = texts.map(str::to_owned);
        let row = row(Content::Message(Ready { channel, name, id, data }));
        let (channel, message) =
            message(&JobId::parse("a.b").unwrap(), &[row], Sending::InTurn).unwrap().unwrap();
        assert_eq!([&channel, &message.name, &message.id, &message.data], texts.each_ref());
    }

    #[test]
    fn positions_come_where_the_policy_thinks_they_do() {
        let pattern = policy::JOB_CHANNEL.replace("{jobId}", "a.b");
        assert_eq!(channel(&JobId::parse("a.b").unwrap()), pattern);
    }
}
