//! What subscribers of a job's channel receive.

use serde::Serialize;

use super::clock::{Clock, Measured};
use super::log::{Life, Row};
use super::{Fix, Millis};
use crate::ids::JobId;

/// The longest `data` of a message, in bytes. Ably's limit for a whole message is 64 KiB.
pub const DATA_MAX: usize = 60 * 1024;

/// A message as Ably's REST interface takes it. The same row makes the same bytes, however often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// By it Ably recognises a retry: `{jobId}/{epoch}.{seq}`. A job id has no `/`, and no `:`, by which Ably numbers the
    /// messages of an array.
    pub id: String,
    /// The event.
    pub name: &'static str,
    /// JSON text.
    pub data: String,
    /// Always `json`.
    pub encoding: &'static str,
}

/// `[seq, effective time, lat, lng]`.
pub type Backfill = (u64, Millis, f64, f64);

/// The data of `location.updated`: a live fix in full, and the others of its message. It is also the first state that a
/// page is rendered with, without `backfill`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
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
    pub backfill: Vec<Backfill>,
}

impl Updated {
    /// One live fix by itself.
    pub fn of(life: &Life, seq: u64, fix: &Fix, measured: Measured, ts: Millis) -> Self {
        Self {
            job_id: life.job.clone(),
            epoch: life.epoch,
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
        }
    }
}

/// The data of `location.backfilled`: fixes that are all late, and move no marker.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Backfilled<'a> {
    job_id: &'a JobId,
    epoch: u64,
    from_seq: u64,
    seq: u64,
    ts: Millis,
    backfill: Vec<Backfill>,
}

impl Message {
    /// The message that stands for a post.
    ///
    /// # Errors
    /// Where the data cannot be serialised; with these types that does not happen.
    pub fn of(life: &Life, row: &Row) -> serde_json::Result<Self> {
        let (seq, from_seq, ts) = (row.seq, row.first_seq(), row.body.ts);
        let head = row.head();
        let backfill = row
            .fixes()
            .filter(|(seq, ..)| Some(*seq) != head)
            .map(|(seq, fix, measured)| (seq, measured.effective, fix.lat(), fix.lng()))
            .collect();
        let (name, data) = match head.and_then(|seq| Some((seq, row.fix(seq)?))) {
            Some((head_seq, (fix, measured))) => {
                let updated = Updated {
                    seq,
                    from_seq,
                    head_seq: Some(head_seq).filter(|head_seq| *head_seq != seq),
                    backfill,
                    ..Updated::of(life, head_seq, fix, measured, ts)
                };
                ("location.updated", serde_json::to_string(&updated)?)
            }
            None => {
                let backfilled =
                    Backfilled { job_id: &life.job, epoch: life.epoch, from_seq, seq, ts, backfill };
                ("location.backfilled", serde_json::to_string(&backfilled)?)
            }
        };
        Ok(Self { id: format!("{}/{}.{seq}", life.job, life.epoch), name, data, encoding: "json" })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::locations::log::Body;

    #[test]
    fn the_heads_own_seq_is_told_where_it_is_not_the_last() {
        let life = Life { job: JobId::parse("a.b").unwrap(), epoch: 9 };
        let fixes = json!([
            [8, 10.0, 0.0, null, null, null, null, null],
            [7, 20.0, 0.0, "id", 1.5, 2.5, 3.5, 4.5],
            [3, 30.0, 0.0, null, null, null, null, null],
        ]);
        let times = json!([
            {"fix": 1, "clock": "repaired", "capturedAt": 4, "effective": 4},
            {"fix": 2, "clock": "ahead", "capturedAt": 90_000, "effective": 3},
        ]);
        let body = json!({"ts": 5, "driver": "d", "live": 11, "fixes": fixes, "times": times});
        let body: Body = serde_json::from_value(body).unwrap();
        let message = Message::of(&life, &Row { seq: 12, cap: Some(8), body }).unwrap();
        assert_eq!((message.id.as_str(), message.name), ("a.b/9.12", "location.updated"));
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
}
