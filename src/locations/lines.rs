//! What a job's object says in the log. It names the job by a reference alone, and quotes nobody.

use std::fmt::Display;

use ably::rest::{ErrorClass, PublishError};
use serde::Serialize;

use super::Millis;
use super::log::{Cause, LogError};
use super::outbox::Verdict;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whether somebody has to act; else it may pass by itself.
    pub is_error: bool,
    /// The stable code of what has happened.
    pub code: &'static str,
    /// The whole line, in JSON.
    pub text: String,
}

/// Makes the lines of one object.
#[derive(Debug)]
pub struct Lines {
    reference: String,
}

#[derive(Serialize)]
struct Wire<'a, T> {
    level: &'a str,
    code: &'a str,
    r#ref: &'a str,
    #[serde(flatten)]
    more: T,
}

#[derive(Serialize)]
struct Fault {
    reason: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublishFailed<'a> {
    seq: u64,
    cause: Cause,
    next: &'a str,
    retry_at: Option<Millis>,
}

impl Lines {
    /// Lines with this reference: the object's id, which `GET /api/refs/{ref}` turns into the job.
    pub fn of(reference: String) -> Self {
        Self { reference }
    }

    /// A fault of ours.
    pub fn fault(&self, code: &'static str, reason: Option<&dyn Display>) -> Line {
        self.line(true, code, Fault { reason: reason.map(ToString::to_string) })
    }

    /// A storage that is not as it should be.
    pub fn storage(&self, error: &LogError) -> Line {
        self.fault(error.code(), Some(error))
    }

    /// A publish that Ably has not taken: an error where somebody has to act, or where the message is lost to subscribers. Ably's own
    /// words stay out: they name the channel.
    pub fn publish_failed(&self, seq: u64, error: &PublishError, verdict: Verdict) -> Line {
        let is_error = error.class == ErrorClass::BlamesAccess || matches!(verdict, Verdict::SetAside { .. });
        let (next, retry_at) = match verdict {
            Verdict::SetAside { .. } => ("SetAside", None),
            Verdict::Retry { at } => ("Retry", Some(at)),
            Verdict::Stale => ("Stale", None),
        };
        self.line(is_error, "publish_failed", PublishFailed { seq, cause: Cause::of(error), next, retry_at })
    }

    fn line(&self, is_error: bool, code: &'static str, more: impl Serialize) -> Line {
        let level = if is_error { "error" } else { "warn" };
        let text = serde_json::to_string(&Wire { level, code, r#ref: &self.reference, more });
        Line { is_error, code, text: text.unwrap_or_else(|_| code.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(line: &Line) -> Value {
        serde_json::from_str(&line.text).unwrap()
    }

    #[test]
    fn a_line_is_an_error_where_somebody_has_to_act() {
        let lines = Lines::of("a1".to_owned());
        let transient = ErrorClass::Transient { retry_after: None };
        for (class, verdict, is_error, next) in [
            (transient, Verdict::Retry { at: 7 }, false, "Retry"),
            (ErrorClass::BlamesAccess, Verdict::Retry { at: 7 }, true, "Retry"),
            (ErrorClass::BlamesMessage, Verdict::SetAside { first_n: 1 }, true, "SetAside"),
            (transient, Verdict::Stale, false, "Stale"),
        ] {
            let error = PublishError::new(class, Some(500), None, "dispatch:job:secret");
            let line = lines.publish_failed(3, &error, verdict);
            let level = if is_error { "error" } else { "warn" };
            let retry_at = (next == "Retry").then_some(7);
            let cause = json!({"class": class.name(), "status": 500, "code": null});
            let expected = json!({
                "level": level, "code": "publish_failed", "ref": "a1", "seq": 3, "cause": cause, "next": next, "retryAt": retry_at
            });
            assert_eq!((line.is_error, read(&line)), (is_error, expected));
        }
    }

    #[test]
    fn a_fault_has_the_code_of_its_kind() {
        let line = Lines::of("a1".to_owned()).storage(&LogError::Damaged("log.body"));
        let expected = json!({
            "level": "error", "code": "storage_damaged", "ref": "a1", "reason": "the log is damaged: log.body"
        });
        assert_eq!((line.code, read(&line)), ("storage_damaged", expected));
    }
}
