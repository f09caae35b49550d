//! What an object says in the log. It names itself by a reference alone, and quotes nobody.

use std::fmt::Display;

use serde::Serialize;

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
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It has passed.
    Info,
    /// It may pass by itself.
    Warn,
    /// Somebody has to act.
    #[default]
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

impl Lines {
    /// Lines with this reference: the object's id, which `GET /api/refs/{ref}` turns into the job.
    pub fn of(reference: String) -> Self {
        Self { reference }
    }

    /// A fault of ours.
    pub fn fault(&self, code: &'static str, reason: Option<&dyn Display>) -> Line {
        self.line(Level::Error, code, Fault { reason: reason.map(ToString::to_string) })
    }

    /// What has gone wrong and passes by itself.
    pub fn warning(&self, code: &'static str, reason: &dyn Display) -> Line {
        self.line(Level::Warn, code, Fault { reason: Some(reason.to_string()) })
    }

    /// A line with these fields.
    pub fn line(&self, level: Level, code: &'static str, more: impl Serialize) -> Line {
        let text = serde_json::to_string(&Wire { level, code, r#ref: &self.reference, more });
        Line { level, code, text: text.unwrap_or_else(|_| code.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fault_has_the_code_of_its_kind() {
        let line = Lines::of("a1".to_owned()).fault("storage_damaged", Some(&"the log is damaged: log.body"));
        let expected = json!({
            "level": "error", "code": "storage_damaged", "ref": "a1", "reason": "the log is damaged: log.body"
        });
        assert_eq!((line.level, line.code), (Level::Error, "storage_damaged"));
        assert_eq!(serde_json::from_str(&line.text).ok(), Some(expected));
    }
}
