//! RFC 9457 problem details.

use serde::Serialize;

use super::answer::Answer;

/// Problems' types start with this. What follows is stable, and is documented in the README.
pub const TYPE_PREFIX: &str = "urn:towline:problem:";

/// A problem: what went wrong, explained to whoever can change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable name, as in the last part of `type`.
    pub name: &'static str,
    /// What the name means, the same at each occurrence.
    pub title: &'static str,
    /// What went wrong this time; it quotes nothing that the caller sent.
    pub detail: Option<String>,
    /// The stable code of what exactly is wrong, where the name alone does not tell what to mend.
    pub reason: Option<&'static str>,
    /// The field of the body that is to blame, if one is.
    pub field: Option<&'static str>,
    /// When to try again, in seconds.
    pub retry_after: Option<u32>,
}

#[derive(Serialize)]
struct Wire<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl Problem {
    /// A problem that is explained by its title.
    pub const fn new(status: u16, name: &'static str, title: &'static str) -> Self {
        Self { status, name, title, reason: None, detail: None, field: None, retry_after: None }
    }

    /// With what exactly is wrong.
    #[must_use]
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// With what went wrong this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// With the field to blame.
    #[must_use]
    pub fn field(mut self, field: Option<&'static str>) -> Self {
        self.field = field;
        self
    }

    /// With the time to wait.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let body = serde_json::to_string(&Wire {
            r#type: format!("{TYPE_PREFIX}{}", problem.name),
            title: problem.title,
            status: problem.status,
            reason: problem.reason,
            detail: problem.detail.as_deref(),
            field: problem.field,
        });
        let mut answer = Self::new(problem.status, "application/problem+json", body.unwrap_or_default());
        answer.code = Some(problem.name);
        match problem.retry_after {
            Some(seconds) => answer.with("retry-after", seconds.to_string()),
            None => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_the_rfc() {
        let answer = Answer::from(
            Problem::new(503, "unavailable", "Try again").detail("soon").field(Some("lat")).retry_after(2),
        );
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.header("retry-after"), Some("2"));
        assert_eq!(answer.code, Some("unavailable"));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&answer.body).unwrap(),
            serde_json::json!({
                "type": "urn:towline:problem:unavailable", "title": "Try again", "status": 503, "detail": "soon", "field": "lat"
            })
        );
    }
}
