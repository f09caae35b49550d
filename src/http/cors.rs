//! Cross-origin requests (the Fetch standard, "CORS protocol").

use super::answer::Answer;
use crate::config::{Origins, Pages};

/// The request headers that a page may send: what ably-js and a driver's web app need, and what tracing in the page adds to every
/// request (W3C Trace Context and Baggage, and Sentry).
const REQUEST_HEADERS: [&str; 16] = [
    "authorization",
    "content-type",
    "content-encoding",
    "accept",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "towline-user",
    "x-ably-version",
    "x-ably-clientid",
    "ably-agent",
    "baggage",
    "sentry-trace",
    "traceparent",
    "tracestate",
];
/// The answer headers that a page may read. Without the first, ably-js takes a final 403 for a network error and retries for ever.
const EXPOSED_HEADERS: &str = "x-ably-errorcode, x-request-id, retry-after, link, etag";
/// How long a browser may keep a preflight's answer, in seconds: two hours, the most that Chromium honours.
const PREFLIGHT_MAX_AGE: &str = "7200";

/// Which pages may do what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cors {
    origins: Origins,
    /// The names of the request headers, separated by commas.
    request_headers: String,
}

impl Cors {
    /// Lets these pages in.
    pub fn new(pages: &Pages) -> Self {
        let more = pages.headers.names().filter(|name| !REQUEST_HEADERS.contains(name));
        let names: Vec<&str> = REQUEST_HEADERS.into_iter().chain(more).collect();
        Self { origins: pages.origins.clone(), request_headers: names.join(", ") }
    }

    /// Whether a page may send a request header, by its name in lower case, as preflights have it.
    pub fn lets_in(&self, header: &str) -> bool {
        self.request_headers.split(", ").any(|name| name == header)
    }

    /// Adds to an answer what lets a listed page read it, and tells caches that it depends on the origin.
    pub fn share(&self, mut answer: Answer, origin: Option<&str>) -> Answer {
        if self.origins.as_slice().is_empty() {
            return answer;
        }
        answer = answer.varying("Origin");
        match origin.filter(|origin| self.origins.contain(origin)) {
            Some(origin) => answer
                .with("access-control-allow-origin", origin.to_owned())
                .with("access-control-allow-credentials", "true")
                .with("access-control-expose-headers", EXPOSED_HEADERS),
            None => answer,
        }
    }

    /// Answers `OPTIONS`. A page that is not listed gets no permission, and its browser says so.
    pub fn preflight(&self, origin: Option<&str>, methods: &str) -> Answer {
        let answer = Answer::empty(204);
        match origin.filter(|origin| self.origins.contain(origin)) {
            Some(_) => answer
                .with("access-control-allow-methods", methods.to_owned())
                .with("access-control-allow-headers", self.request_headers.clone())
                .with("access-control-max-age", PREFLIGHT_MAX_AGE),
            None => answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{RequestHeaders, RequestHeadersError};

    fn cors(origins: &str, headers: &str) -> Cors {
        Cors::new(&Pages {
            origins: Origins::parse(origins).unwrap(),
            headers: RequestHeaders::parse(headers).unwrap(),
        })
    }

    #[test]
    fn headers_are_listed_by_their_names() {
        let page = Some("https://a.example");
        let preflight =
            cors("https://a.example", "X-Datadog-Trace-Id, x-b3-traceid  Traceparent").preflight(page, "GET");
        let allowed = preflight.header("access-control-allow-headers").unwrap();
        assert!(
            allowed.ends_with(", traceparent, tracestate, x-datadog-trace-id, x-b3-traceid"),
            "{allowed}"
        );
        assert_eq!(RequestHeaders::parse(" , "), Ok(RequestHeaders::default()));
        for bad in ["*", "x-*", "a:b", "a;b", "é", "a\"b", "x-a, (b)", "a\nb"] {
            assert_eq!(RequestHeaders::parse(bad), Err(RequestHeadersError), "{bad}");
        }
    }

    #[test]
    fn only_a_listed_origin_is_let_in_and_every_answer_varies_by_it() {
        let cors = cors("https://a.example", "");
        let shared = cors.share(Answer::empty(403), Some("https://a.example"));
        assert_eq!(shared.header("access-control-allow-origin"), Some("https://a.example"));
        assert_eq!(shared.header("access-control-allow-credentials"), Some("true"));
        assert!(shared.header("access-control-expose-headers").unwrap().contains("x-ably-errorcode"));
        for other in [
            None,
            Some("https://b.example"),
            Some("null"),
            Some("https://a.example.evil"),
            Some("https://A.example"),
        ] {
            let refused = cors.share(Answer::empty(200), other);
            assert_eq!(refused.header("access-control-allow-origin"), None, "{other:?}");
            assert_eq!(refused.header("vary"), Some("Origin"));
        }
        let varied = cors.share(Answer::empty(200).varying("Accept"), None);
        assert_eq!(varied.headers, [("vary", "Accept, Origin".into())]);
    }

    #[test]
    fn without_a_list_there_is_no_cors() {
        let answer = cors("", "").share(Answer::empty(200), Some("https://a.example"));
        assert_eq!(answer.headers, []);
        let preflight = cors("", "X-Mine").preflight(Some("https://a.example"), "GET");
        assert_eq!(preflight.header("access-control-allow-methods"), None);
    }
}
