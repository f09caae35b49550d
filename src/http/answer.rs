//! What the service answers, before it becomes a response of the runtime.

use std::borrow::Cow;

/// The header that names the request.
pub const REQUEST_ID: &str = "x-request-id";

/// An answer: status, headers and text. Adapters turn it into a response and change nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers in the order given; names in lower case.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body; empty for none.
    pub body: String,
    /// Whether its body comes bit by bit, from elsewhere.
    pub is_stream: bool,
    /// What went wrong, as a stable name for the log; nothing for a success.
    pub code: Option<&'static str>,
}

impl Answer {
    /// An answer with a body of some media type.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<String>) -> Self {
        let headers = vec![("content-type", content_type.into())];
        Self { status, headers, body: body.into(), is_stream: false, code: None }
    }

    /// An answer whose body is JSON already.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, "application/json", body)
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), is_stream: false, code: None }
    }

    /// An answer whose body is server-sent events.
    pub fn events() -> Self {
        Self { is_stream: true, ..Self::new(200, "text/event-stream", "") }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same answer, of which caches are told that it depends on this header of the request as well.
    #[must_use]
    pub fn varying(mut self, by: &'static str) -> Self {
        match self.headers.iter_mut().find(|(name, _)| *name == "vary") {
            Some((_, value)) => {
                let value = value.to_mut();
                value.push_str(", ");
                value.push_str(by);
                self
            }
            None => self.with("vary", by),
        }
    }

    /// The headers as two texts, of names and values in turn, each on a line of its own: those whose values stand in the program, which
    /// are the same in many answers and derive from no request, and all others.
    pub fn headers_text(&self) -> (String, String) {
        let (mut fixed, mut own) = (String::with_capacity(128), String::with_capacity(64));
        for (name, value) in &self.headers {
            let text = if matches!(value, Cow::Borrowed(_)) { &mut fixed } else { &mut own };
            for line in [name, value.as_ref()] {
                text.push_str(line);
                text.push('\n');
            }
        }
        (fixed, own)
    }

    /// The first header of a name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_ref())
    }
}
