//! Revoking tokens, which takes them from clients that are connected, too (features.md, RSA17).

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::batch::partly_refused;
use super::error::{PublishError, Reported};

/// The most targets of a revocation.
pub const REVOCATION_TARGETS_MAX: usize = 100;

/// Which of a key's tokens are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Those of this client. A token that may assume any `clientId` is not among them.
    ClientId(String),
    /// JWTs with this `x-ably-revocation-key`.
    RevocationKey(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientId(id) => write!(f, "clientId:{id}"),
            Self::RevocationKey(key) => write!(f, "revocationKey:{key}"),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// As many targets as Ably takes at once: from 1 to [`REVOCATION_TARGETS_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Targets(Vec<Target>);

impl Targets {
    /// These targets, unless there are none or too many.
    pub fn new(targets: Vec<Target>) -> Option<Self> {
        (1..=REVOCATION_TARGETS_MAX).contains(&targets.len()).then_some(Self(targets))
    }

    /// The targets, in order.
    pub fn as_slice(&self) -> &[Target] {
        &self.0
    }
}

/// What is to be revoked. It names the time, so that a retry means no other tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revocation {
    /// Whose tokens.
    pub targets: Targets,
    /// Those that were issued before this, Unix milliseconds. Ably refuses a time in the future, and one more than an hour ago.
    #[serde(rename = "issuedBefore")]
    pub issued_before_ms: u64,
}

/// What became of one target's tokens.
pub type RevocationResult = Result<(), PublishError>;

impl Revocation {
    /// The body of the request.
    pub(super) fn body(&self) -> String {
        // Text and a number always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What became of each target, in their order: nothing where the answer does not say. `redact` takes our credentials out of a text
    /// that may echo them.
    pub(super) fn results(
        &self,
        answer: &[u8],
        redact: impl Fn(&str) -> String,
    ) -> Vec<Option<RevocationResult>> {
        let told = serde_json::from_slice(answer).ok().map(|Answer { results }| results);
        // Or it is as Ably answered before it counted successes.
        let told = told.or_else(|| serde_json::from_slice(answer).ok());
        let told = told.or_else(|| partly_refused(answer)).unwrap_or_default();
        let told: Vec<_> = told.into_iter().filter_map(Told::read).collect();
        let result = |target: &Target| {
            let name = target.to_string();
            let told = told.iter().find(|told| told.target == name)?;
            match told.error {
                Some(error) => Some(Err(Reported::of(error).into_error(&redact))),
                None => told.applies_at.map(|_| Ok(())),
            }
        };
        self.targets.as_slice().iter().map(result).collect()
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
}

/// What is told of one target.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    target: String,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    applies_at: Option<&'a RawValue>,
}

impl<'a> Told<'a> {
    fn read(json: &'a RawValue) -> Option<Self> {
        serde_json::from_str(json.get()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::ErrorClass;

    const DONE: &str = r#""issuedBefore":1700000000000,"appliesAt":1700000000000"#;

    fn revocation(targets: Vec<Target>) -> Revocation {
        Revocation { targets: Targets::new(targets).unwrap(), issued_before_ms: 1_700_000_000_000 }
    }

    type Short = Result<(), (ErrorClass, Option<u32>)>;

    /// Of the client `a` and the key `b`.
    fn results(answer: &str) -> Vec<Option<Short>> {
        let targets = vec![Target::ClientId("a".into()), Target::RevocationKey("b".into())];
        let results = revocation(targets).results(answer.as_bytes(), str::to_owned);
        let short = |result: RevocationResult| result.map_err(|error| (error.class, error.code));
        results.into_iter().map(|result| result.map(short)).collect()
    }

    #[test]
    fn a_body_is_what_ably_reads() {
        let targets = vec![Target::ClientId("auth0|a\"b".into()), Target::RevocationKey("job:7".into())];
        assert_eq!(
            revocation(targets).body(),
            r#"{"targets":["clientId:auth0|a\"b","revocationKey:job:7"],"issuedBefore":1700000000000}"#
        );
    }

    #[test]
    fn there_are_from_1_to_100_targets() {
        let many = |count| Targets::new(vec![Target::ClientId("a".into()); count]);
        assert_eq!([0, 101, 1_000].map(many), [None, None, None]);
        assert_eq!([1, 100].map(|count| many(count).unwrap().as_slice().len()), [1, 100]);
    }

    #[test]
    fn each_target_has_its_own_result_wherever_it_stands() {
        let refused = r#"{"code":40001,"statusCode":400,"message":"no"}"#;
        let (a, b) = (
            format!(r#"{{"target":"clientId:a",{DONE}}}"#),
            format!(r#"{{"target":"revocationKey:b","error":{refused}}}"#),
        );
        let expected = [Some(Ok(())), Some(Err((ErrorClass::BlamesMessage, Some(40001))))];
        for answer in [
            format!(r#"{{"successCount":1,"failureCount":1,"results":[{a},{b}]}}"#),
            format!(r#"{{"successCount":1,"failureCount":1,"results":[{b},{a}]}}"#),
            format!("[{a},{b}]"),
            format!(
                r#"{{"error":{{"code":40020,"statusCode":400,"message":"partly"}},"batchResponse":[{a},{b}]}}"#
            ),
        ] {
            assert_eq!(results(&answer), expected, "{answer}");
        }
        for (code, status, class) in [
            (40163, 401, ErrorClass::BlamesAccess),
            (42910, 429, ErrorClass::Throttled { retry_after: None }),
            (50000, 500, ErrorClass::Transient { retry_after: None }),
        ] {
            let error = format!(r#"{{"code":{code},"statusCode":{status},"message":"no"}}"#);
            let answer = format!(r#"{{"results":[{{"target":"clientId:a","error":{error}}}]}}"#);
            assert_eq!(results(&answer), [Some(Err((class, Some(code)))), None]);
        }
    }

    #[test]
    fn what_the_answer_does_not_say_is_not_guessed() {
        // A key is no client, whatever its name.
        let other = format!(r#"{{"results":[{{"target":"revocationKey:a",{DONE}}}]}}"#);
        let uncounted = format!(
            r#"{{"error":{{"code":40000,"statusCode":400}},"batchResponse":[{{"target":"clientId:a",{DONE}}}]}}"#
        );
        for odd in [
            "",
            "<html>",
            "null",
            "[]",
            "{}",
            "[null]",
            r#"{"results":"no"}"#,
            r#"{"results":[{}]}"#,
            r#"{"results":[{"target":7,"appliesAt":1}]}"#,
            r#"{"results":[{"target":"clientId:a"}]}"#,
            r#"{"results":[{"target":"clientId:a","appliesAt":null}]}"#,
            r#"{"successCount":2,"failureCount":0}"#,
            &other,
            &uncounted,
        ] {
            assert_eq!(results(odd), [None, None], "{odd}");
        }
        let one = format!(r#"{{"results":[7,{{"target":"revocationKey:b",{DONE}}},null]}}"#);
        assert_eq!(results(&one), [None, Some(Ok(()))]);
    }
}
