//! What the service answers, before it becomes a response of the runtime.

use ably::ErrorInfo;

/// An answer: status, headers and text. Adapters turn it into a response and change nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers in the order given; names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: String,
    /// What went wrong, as a stable name for the log; nothing for a success.
    pub code: Option<&'static str>,
}

impl Answer {
    /// An answer with a body of some media type.
    pub fn new(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body: body.into(),
            code: None,
        }
    }

    /// An answer in JSON.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "application/json", body)
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), code: None }
    }

    /// An error in Ably's shape.
    ///
    /// The content type is exactly `application/json`, else ably-js on Node ignores the body; the code is in a header too, else
    /// ably-js in a browser does.
    pub fn ably_error(error: ErrorInfo, code: &'static str) -> Self {
        let (status, ably_code) = (error.status_code, error.code.to_string());
        let body = serde_json::to_string(&error.into_body()).unwrap_or_default();
        Self { code: Some(code), ..Self::json(status, body) }.with("x-ably-errorcode", ably_code)
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The first header of a name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_str())
    }
}
