//! The shapes in which routes tell a problem.

use std::fmt::Write;

use ably::ErrorInfo;
use serde_json::Value;

use super::answer::Answer;
use super::problem::{Facts, Problem};

/// Problems' types start with this. What follows is the name, which is stable, and is documented in the README.
const TYPE_PREFIX: &str = "urn:towline:problem:";

/// How the callers of a route read what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// RFC 9457 problem details.
    Details,
    /// Ably's error, which its SDKs read from an `authUrl`.
    Ably,
}

impl Shape {
    /// The answer that tells a problem.
    pub(super) fn answer(self, problem: &Problem) -> Answer {
        let mut facts = problem.facts();
        let (code, header) = (facts.name, facts.header.take());
        let mut answer = match self {
            Self::Details => details(facts, problem),
            Self::Ably => ably_error(problem, facts),
        };
        answer.code = Some(code);
        answer.headers.extend(header);
        answer
    }
}

fn details(facts: Facts, problem: &Problem) -> Answer {
    let mut body = object([
        ("type", format!("{TYPE_PREFIX}{}", facts.name).into()),
        ("title", facts.title.into()),
        ("status", facts.status.into()),
        ("reason", facts.reason.into()),
        ("detail", facts.detail.into()),
        ("field", facts.field.into()),
    ]);
    // What there is instead stands beside what is wrong, as extension members (RFC 9457, 3.2).
    if let Problem::OtherVersion { current: Some((_, job)) } = problem
        && let Some(members) = job.strip_prefix('{')
    {
        body.pop();
        body.push(',');
        body.push_str(members);
    }
    Answer::new(facts.status, "application/problem+json", body)
}

/// The content type is exactly `application/json`, else ably-js on Node ignores the body; the code is in a header too, else ably-js
/// in a browser does.
fn ably_error(problem: &Problem, facts: Facts) -> Answer {
    let error = error_info(problem, facts);
    let (status, code) = (error.status_code, error.code.to_string());
    let error = object([
        ("code", error.code.into()),
        ("statusCode", error.status_code.into()),
        ("message", error.message.into()),
        ("href", error.href.into()),
    ]);
    Answer::json(status, format!(r#"{{"error":{error}}}"#)).with("x-ably-errorcode", code)
}

/// A problem in Ably's words: the generic code of its status, where it has none of its own.
fn error_info(problem: &Problem, facts: Facts) -> ErrorInfo {
    let message = match problem {
        Problem::Token(error) => return error.clone(),
        Problem::Session(error) => return error.clone().into(),
        Problem::Misconfigured => facts.name.to_owned(),
        Problem::ContentEncoding => "a body is sent without Content-Encoding".to_owned(),
        Problem::TooLarge => "the parameters of a token are at most 64 KiB long".to_owned(),
        Problem::Incomplete => "the parameters of the token broke off".to_owned(),
        _ => facts.detail.unwrap_or_else(|| facts.title.to_owned()),
    };
    let code = match facts.status {
        status @ (401 | 403 | 404 | 405) => u32::from(status) * 100,
        413 => 40009,
        429 => 42910,
        status if status < 500 => 40000,
        _ => 50000,
    };
    ErrorInfo::new(code, facts.status, message)
}

/// A JSON object with its members in this order, less those that are null. It is put together here because it cannot fail so: an
/// error must not end in another.
fn object<const N: usize>(members: [(&str, Value); N]) -> String {
    let mut text = String::from("{");
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        let comma = if text.len() > 1 { "," } else { "" };
        // Writing to a String does not fail.
        let _ = write!(text, r#"{comma}"{name}":{value}"#);
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::IdError;
    use crate::locations::fix::{Field, Reason, Rejection};
    use crate::locations::post::PostError;

    #[test]
    fn a_problem_has_the_members_of_the_rfc() {
        let answer = Shape::Details.answer(&Problem::Unavailable);
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.header("retry-after"), Some("2"));
        assert_eq!(answer.code, Some("unavailable"));
        assert_eq!(
            serde_json::from_str::<Value>(&answer.body).unwrap(),
            serde_json::json!({
                "type": "urn:towline:problem:unavailable", "status": 503,
                "title": "It cannot be reached just now: try again, a retry repeats nothing",
            })
        );
        let fix = Problem::Post(PostError::Invalid(Rejection::of(Field::Lat, Reason::Required)));
        let body = Shape::Details.answer(&fix).body;
        let start = r#"{"type":"urn:towline:problem:invalid_fix","title":"The fix is not valid","status":400,"reason":"required","detail":""#;
        assert!(body.starts_with(start) && body.ends_with(r#"","field":"lat"}"#), "{body}");
    }

    #[test]
    fn ablys_shape_is_what_its_crate_says() {
        for problem in [
            Problem::Misconfigured,
            Problem::Token(ErrorInfo::new(40160, 403, "a \"quoted\" word")),
            Problem::IdempotencyKey(IdError::Fix),
            Problem::TooLarge,
        ] {
            let said = serde_json::to_string(&error_info(&problem, problem.facts()).into_body()).unwrap();
            assert_eq!(Shape::Ably.answer(&problem).body, said);
        }
    }
}
