//! Ably's error shape.

use serde::{Deserialize, Serialize};

/// An error as Ably's REST and realtime protocols carry it (features.md, TI1–TI5).
///
/// ably-js drops a whole frame whose error lacks a numeric `code` or `statusCode`, so neither is optional.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorInfo {
    /// Ably's own code, such as 40160. The first three digits are those of an HTTP status.
    pub code: u32,
    /// The HTTP status that goes with it.
    pub status_code: u16,
    /// What went wrong, for a developer.
    pub message: String,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub href: Option<String>,
}

/// The body of an error answer: `{"error": {…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error itself.
    pub error: ErrorInfo,
}

impl ErrorInfo {
    /// An error with Ably's help page for its code.
    pub fn new(code: u32, status_code: u16, message: impl Into<String>) -> Self {
        let href = Some(format!("https://help.ably.io/error/{code}"));
        Self { code, status_code, message: message.into(), href }
    }

    /// The error as the body of an answer.
    pub fn into_body(self) -> ErrorBody {
        ErrorBody { error: self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_four_fields_that_every_sdk_reads() {
        let body = serde_json::to_value(ErrorInfo::new(40160, 401, "no").into_body()).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"error": {
                "code": 40160, "statusCode": 401, "message": "no", "href": "https://help.ably.io/error/40160"
            }})
        );
    }
}
