//! Publishing to several channels by one request (features.md, RSC22).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{PublishError, Reported};
use super::message::PublishBody;

/// The most channels of a batch.
pub const BATCH_CHANNELS_MAX: usize = 100;
/// The longest body of a batch, in bytes.
pub const BATCH_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The code of a batch of which something has failed, as Ably answered it before it counted successes.
const PARTLY_REFUSED: u32 = 40_020;

/// Publishes to several channels at once. What is for one channel is stored or refused by itself, under a dedupe key of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    channels: Vec<String>,
    /// The JSON of the specs, separated by commas.
    specs: String,
}

impl Batch {
    /// Adds what is to be published to one more channel, if Ably takes that much at once. Says whether it was added.
    #[must_use]
    pub fn add(&mut self, channel: &str, body: &PublishBody) -> bool {
        // Text always serialises.
        let name = serde_json::to_string(channel).unwrap_or_default();
        let body = body.as_str();
        // What a body holds is one message or an array of them.
        let (before, after) = if body.trim_start().starts_with('[') { ("", "") } else { ("[", "]") };
        let separator = if self.specs.is_empty() { "" } else { "," };
        let spec = [separator, r#"{"channels":["#, &name, r#"],"messages":"#, before, body, after, "}"];
        let length = self.specs.len() + spec.iter().map(|part| part.len()).sum::<usize>() + "[]".len();
        if self.channels.len() == BATCH_CHANNELS_MAX || length > BATCH_BYTES_MAX {
            return false;
        }
        self.specs.extend(spec);
        self.channels.push(channel.to_owned());
        true
    }

    /// The channels, in order.
    pub fn channels(&self) -> &[String] {
        &self.channels
    }

    /// The body of the request.
    pub fn body(&self) -> String {
        format!("[{}]", self.specs)
    }

    /// What became of each channel's messages, in their order: nothing where the answer does not say. `redact` takes our credentials
    /// out of a text that may echo them.
    pub(super) fn results(&self, answer: &[u8], redact: impl Fn(&str) -> String) -> Vec<Option<BatchResult>> {
        let specs = serde_json::from_slice::<Vec<&RawValue>>(answer).ok();
        let specs = specs.or_else(|| partly_refused(answer));
        // Otherwise it may be what is answered to one spec.
        let specs =
            specs.or_else(|| serde_json::from_slice(answer).ok().map(|one| vec![one])).unwrap_or_default();
        let result = |(place, channel): (usize, &String)| {
            let spec = Told::read(specs.get(place)?)?;
            let told = match spec.results {
                Some(results) => {
                    results.into_iter().filter_map(Told::read).find(|told| told.is_of(channel))?
                }
                None => Some(spec).filter(|spec| spec.is_of(channel))?,
            };
            match told.error {
                Some(error) => Some(Err(Reported::of(error).into_error(&redact))),
                None => told.message_id.map(|_| Ok(())),
            }
        };
        self.channels.iter().enumerate().map(result).collect()
    }
}

/// What is told of a spec, or of one channel of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    /// Of each channel.
    #[serde(borrow)]
    results: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    channel: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    message_id: Option<&'a RawValue>,
}

impl<'a> Told<'a> {
    fn read(json: &'a RawValue) -> Option<Self> {
        serde_json::from_str(json.get()).ok()
    }

    fn is_of(&self, channel: &str) -> bool {
        self.channel
            .is_some_and(|name| serde_json::from_str(name.get()).is_ok_and(|name: String| name == channel))
    }
}

/// An answer of a batch that was carried out in part, as it was before successes were counted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PartlyRefused<'a> {
    #[serde(borrow)]
    batch_response: Vec<&'a RawValue>,
}

/// What became of one channel's messages.
pub type BatchResult = Result<(), PublishError>;

/// Whether an answer is of a batch that was carried out in part: its parts say what became of them.
pub(super) fn is_partly_refused(answer: &[u8]) -> bool {
    partly_refused(answer).is_some()
}

pub(super) fn partly_refused(answer: &[u8]) -> Option<Vec<&RawValue>> {
    let code = Reported::of_body(answer)?.code;
    let answer: PartlyRefused<'_> = serde_json::from_slice(answer).ok()?;
    (code == Some(PARTLY_REFUSED)).then_some(answer.batch_response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::ErrorClass;

    fn batch(channels: &[&str]) -> Batch {
        let mut batch = Batch::default();
        for channel in channels {
            assert!(
                batch.add(channel, &PublishBody::from_stored(format!(r#"{{"id":"{}"}}"#, channel.len())))
            );
        }
        batch
    }

    type Short = Result<(), (ErrorClass, Option<u32>)>;

    fn results(channels: &[&str], answer: &str) -> Vec<Option<Short>> {
        let results = batch(channels).results(answer.as_bytes(), str::to_owned);
        let short = |result: BatchResult| result.map_err(|error| (error.class, error.code));
        results.into_iter().map(|result| result.map(short)).collect()
    }

    #[test]
    fn a_body_is_an_array_of_specs() {
        let mut batch = batch(&["a", "b\"c"]);
        assert!(batch.add("d", &PublishBody::from_stored(r#"[{"id":"x:0"},{"id":"x:1"}]"#)));
        assert_eq!(
            batch.body(),
            r#"[{"channels":["a"],"messages":[{"id":"1"}]},{"channels":["b\"c"],"messages":[{"id":"3"}]},{"channels":["d"],"messages":[{"id":"x:0"},{"id":"x:1"}]}]"#
        );
        assert_eq!(batch.channels(), ["a", "b\"c", "d"]);
    }

    #[test]
    fn no_more_is_added_than_ably_takes() {
        let mut many = Batch::default();
        let small = PublishBody::from_stored("{}");
        let added = (0..200).take_while(|n| many.add(&format!("c{n}"), &small)).count();
        assert_eq!(added, BATCH_CHANNELS_MAX);

        let mut large = Batch::default();
        let body = PublishBody::from_stored("x".repeat(60_000));
        let added = (0..200).take_while(|n| large.add(&format!("c{n}"), &body)).count();
        assert_eq!(added, BATCH_BYTES_MAX / 60_000);
        // To the byte.
        let left = BATCH_BYTES_MAX - large.body().len();
        let frame = r#",{"channels":["d"],"messages":[]}"#.len();
        assert!(!large.clone().add("d", &PublishBody::from_stored("x".repeat(left - frame + 1))));
        assert!(large.add("d", &PublishBody::from_stored("x".repeat(left - frame))));
        assert_eq!(large.body().len(), BATCH_BYTES_MAX);
    }

    #[test]
    fn each_channel_has_the_result_of_its_own_spec() {
        let answer = r#"[
            {"successCount":1,"failureCount":0,"results":[{"channel":"a","messageId":"1","serials":["s"]}]},
            {"successCount":0,"failureCount":1,"results":[{"channel":"b","error":{"code":40160,"statusCode":401,"message":"no"}}]},
            {"successCount":0,"failureCount":1,"results":[{"channel":"c","error":{"code":40009,"statusCode":413,"message":"no"}}]},
            {"successCount":0,"failureCount":1,"results":[{"channel":"d","error":{"code":42913,"statusCode":429,"message":"no"}}]},
            {"successCount":0,"failureCount":1,"results":[{"channel":"e","error":{"code":50000,"statusCode":500,"message":"no"}}]}
        ]"#;
        assert_eq!(
            results(&["a", "b", "c", "d", "e"], answer),
            [
                Some(Ok(())),
                Some(Err((ErrorClass::BlamesAccess, Some(40160)))),
                Some(Err((ErrorClass::BlamesMessage, Some(40009)))),
                Some(Err((ErrorClass::Throttled { retry_after: None }, Some(42913)))),
                Some(Err((ErrorClass::Transient { retry_after: None }, Some(50000)))),
            ]
        );
    }

    #[test]
    fn older_shapes_and_one_spec_are_read_too() {
        let flat = r#"[{"channel":"a","messageId":"1"},{"channel":"b","messageId":"2"}]"#;
        assert_eq!(results(&["a", "b"], flat), [Some(Ok(())), Some(Ok(()))]);
        let partly = r#"{"error":{"code":40020,"statusCode":400,"message":"partly"},
            "batchResponse":[{"channel":"a","messageId":"1"},{"channel":"b","error":{"code":40010,"statusCode":400}}]}"#;
        assert!(is_partly_refused(partly.as_bytes()));
        assert_eq!(
            results(&["a", "b"], partly),
            [Some(Ok(())), Some(Err((ErrorClass::BlamesMessage, Some(40010))))]
        );
        let one = r#"{"successCount":1,"failureCount":0,"results":[{"channel":"a","messageId":"1"}]}"#;
        assert_eq!(results(&["a"], one), [Some(Ok(()))]);
        assert_eq!(results(&["a"], r#"{"channel":"a","messageId":"1"}"#), [Some(Ok(()))]);
    }

    #[test]
    fn what_the_answer_does_not_say_is_not_guessed() {
        let spec = |channel: &str| format!(r#"{{"results":[{{"channel":"{channel}","messageId":"1"}}]}}"#);
        // In another order, fewer, of other channels, or in no shape that is known.
        assert_eq!(results(&["a", "b"], &format!("[{},{}]", spec("b"), spec("a"))), [None, None]);
        assert_eq!(results(&["a", "b"], &format!("[{}]", spec("a"))), [Some(Ok(())), None]);
        assert_eq!(
            results(&["a", "b"], &format!("[{{\"results\":[]}},{}]", spec("b"))),
            [None, Some(Ok(()))]
        );
        for odd in [
            "",
            "<html>",
            "null",
            "[]",
            "{}",
            "[null]",
            r#"{"results":"no"}"#,
            r#"[{"results":[{}]}]"#,
            r#"[{"channel":"a"}]"#,
        ] {
            assert_eq!(results(&["a"], odd), [None], "{odd}");
        }
        let other = r#"{"error":{"code":40000,"statusCode":400},"batchResponse":[{"channel":"a"}]}"#;
        assert!(!is_partly_refused(other.as_bytes()));
        assert_eq!(results(&["a"], other), [None]);
    }
}
