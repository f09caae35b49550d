//! What a job's object says in the log. It names the job by a reference alone, and quotes nobody.

use std::fmt::Display;

use serde::Serialize;

use super::Millis;
use super::job::Notice;
use super::log::{Cause, LogError};

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How bad it is.
    pub level: Level,
    /// The stable code of what has happened.
    pub code: &'static str,
    /// The whole line, in JSON.
    pub text: String,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It has passed.
    Info,
    /// It may pass by itself.
    Warn,
    /// Somebody has to act.
    Error,
}

/// Makes the lines of one object.
#[derive(Debug)]
pub struct Lines {
    reference: String,
}

#[derive(Serialize)]
struct Wire<'a, T> {
    level: Level,
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
struct Publish<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    next: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<Millis>,
}

impl Lines {
    /// Lines with this reference: the object's id, which `GET /api/refs/{ref}` turns into the job.
    pub fn of(reference: String) -> Self {
        Self { reference }
    }

    /// A fault of ours.
    pub fn fault(&self, code: &'static str, reason: Option<&dyn Display>) -> Line {
        self.line(Level::Error, code, Fault { reason: reason.map(ToString::to_string) })
    }

    /// A storage that is not as it should be.
    pub fn storage(&self, error: &LogError) -> Line {
        self.fault(error.code(), Some(error))
    }

    /// What whoever runs the service should know: an error where somebody has to act, or where a message is lost to subscribers.
    /// Ably's own words stay out: they name the channel.
    pub fn notice(&self, notice: Notice) -> Line {
        let (level, code, publish) = match notice {
            Notice::Waits { n, cause, retry_at } => {
                let level = if cause.holds() { Level::Error } else { Level::Warn };
                let publish =
                    Publish { n: Some(n), cause: Some(cause), next: "Retry", retry_at: Some(retry_at) };
                (level, "publish_failed", publish)
            }
            Notice::GivenUp { n, cause } => {
                let publish = Publish { n: Some(n), cause: Some(cause), next: "SetAside", retry_at: None };
                (Level::Error, "publish_failed", publish)
            }
            Notice::Resumed => {
                let publish = Publish { n: None, cause: None, next: "Publish", retry_at: None };
                (Level::Info, "publish_resumed", publish)
            }
        };
        self.line(level, code, publish)
    }

    fn line(&self, level: Level, code: &'static str, more: impl Serialize) -> Line {
        let text = serde_json::to_string(&Wire { level, code, r#ref: &self.reference, more });
        Line { level, code, text: text.unwrap_or_else(|_| code.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::locations::log::Class;

    fn read(line: &Line) -> Value {
        serde_json::from_str(&line.text).unwrap()
    }

    #[test]
    fn a_line_is_an_error_where_somebody_has_to_act() {
        let lines = Lines::of("a1".to_owned());
        let cause = |class| Cause { class, status: Some(500), code: None };
        let waits = |class| Notice::Waits { n: 3, cause: cause(class), retry_at: 7 };
        for (notice, expected) in [
            (
                waits(Class::Transient),
                json!({
                    "level": "warn", "code": "publish_failed", "ref": "a1", "n": 3, "next": "Retry", "retryAt": 7,
                    "cause": {"class": "transient", "status": 500, "code": null},
                }),
            ),
            (
                waits(Class::Access),
                json!({
                    "level": "error", "code": "publish_failed", "ref": "a1", "n": 3, "next": "Retry", "retryAt": 7,
                    "cause": {"class": "access", "status": 500, "code": null},
                }),
            ),
            (
                Notice::GivenUp { n: 3, cause: cause(Class::Message) },
                json!({
                    "level": "error", "code": "publish_failed", "ref": "a1", "n": 3, "next": "SetAside",
                    "cause": {"class": "message", "status": 500, "code": null},
                }),
            ),
            (
                Notice::Resumed,
                json!({"level": "info", "code": "publish_resumed", "ref": "a1", "next": "Publish"}),
            ),
        ] {
            assert_eq!(read(&lines.notice(notice)), expected);
        }
    }

    #[test]
    fn a_fault_has_the_code_of_its_kind() {
        let line = Lines::of("a1".to_owned()).storage(&LogError::Damaged("log.body"));
        let expected = json!({
            "level": "error", "code": "storage_damaged", "ref": "a1", "reason": "the log is damaged: log.body"
        });
        assert_eq!((line.level, line.code, read(&line)), (Level::Error, "storage_damaged", expected));
    }
}
