//! Cross-origin requests (the Fetch standard, "CORS protocol").

use thiserror::Error;

use super::answer::Answer;

/// The request headers that a page may send: what ably-js and a driver's web app need, and what tracing in the page adds to every
/// request (W3C Trace Context and Baggage, and Sentry).
const REQUEST_HEADERS: [&str; 12] = [
    "authorization",
    "content-type",
    "content-encoding",
    "accept",
    "idempotency-key",
    "x-ably-version",
    "x-ably-clientid",
    "ably-agent",
    "baggage",
    "sentry-trace",
    "traceparent",
    "tracestate",
];
/// The answer headers that a page may read. Without the first, ably-js takes a final 403 for a network error and retries for ever.
const EXPOSED_HEADERS: &str = "x-ably-errorcode, x-request-id, retry-after";
/// How long a browser may keep a preflight's answer, in seconds: two hours, the most that Chromium honours.
const PREFLIGHT_MAX_AGE: &str = "7200";

/// Why a text is not a list of origins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "origins are listed exactly as browsers send them: scheme://host or scheme://host:port, in lower case, without path; no `*` and no `null`"
)]
pub struct OriginsError;

/// The origins whose pages may call the service: an exact list, and none by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Parses origins separated by commas or blanks.
    ///
    /// # Errors
    /// [`OriginsError`] where one of them is not an origin as browsers write it, since it would never match.
    pub fn parse(list: &str) -> Result<Self, OriginsError> {
        let origins = list.split([',', ' ']).filter(|origin| !origin.is_empty());
        origins
            .map(|origin| is_origin(origin).then(|| origin.to_owned()).ok_or(OriginsError))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether an origin is in the list.
    pub fn contain(&self, origin: &str) -> bool {
        self.0.iter().any(|listed| listed == origin)
    }

    /// The origins themselves.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

/// Why a text is not a list of headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("headers are listed by their names, separated by commas or blanks; no `*`")]
pub struct RequestHeadersError;

/// Request headers that pages may send besides those that every page may.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestHeaders(Vec<String>);

impl RequestHeaders {
    /// Parses names separated by commas or blanks.
    ///
    /// # Errors
    /// [`RequestHeadersError`] where one of them is not a header's name (RFC 9110, 5.1), or is `*`, which is none in a request
    /// with credentials.
    pub fn parse(list: &str) -> Result<Self, RequestHeadersError> {
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'+-.^_`|~".contains(&b);
        let names = list.split([',', ' ']).filter(|name| !name.is_empty());
        names
            .map(|name| {
                name.bytes().all(is_token).then(|| name.to_ascii_lowercase()).ok_or(RequestHeadersError)
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Which pages may do what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cors {
    origins: Origins,
    /// The names of the request headers, separated by commas.
    request_headers: String,
}

impl Cors {
    /// Lets pages of these origins in, with these headers besides those that every page may send.
    pub fn new(origins: Origins, more: &RequestHeaders) -> Self {
        let more = more.0.iter().map(String::as_str).filter(|name| !REQUEST_HEADERS.contains(name));
        let names: Vec<&str> = REQUEST_HEADERS.into_iter().chain(more).collect();
        Self { origins, request_headers: names.join(", ") }
    }

    /// The origins that are let in.
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Adds to an answer what lets a listed page read it, and tells caches that it depends on the origin.
    pub fn share(&self, mut answer: Answer, origin: Option<&str>) -> Answer {
        if self.origins.0.is_empty() {
            return answer;
        }
        answer = answer.with("vary", "Origin");
        match origin.filter(|origin| self.origins.contain(origin)) {
            Some(origin) => answer
                .with("access-control-allow-origin", origin)
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
                .with("access-control-allow-methods", methods)
                .with("access-control-allow-headers", self.request_headers.as_str())
                .with("access-control-max-age", PREFLIGHT_MAX_AGE),
            None => answer,
        }
    }
}

fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let scheme_is_valid = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.'));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let host_is_valid = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']').is_some_and(|inner| {
            inner.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b':')) && !inner.is_empty()
        }),
        None => {
            !host.is_empty()
                && host.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'))
        }
    };
    // A browser leaves out the default port, so an entry that names it would never match.
    let default_port = match scheme {
        "https" => "443",
        "http" => "80",
        _ => "",
    };
    let port_is_valid = port.is_none_or(|port| {
        port != default_port
            && !port.starts_with('0')
            && port.parse::<u16>().is_ok()
            && port.bytes().all(|b| b.is_ascii_digit())
    });
    scheme_is_valid && host_is_valid && port_is_valid
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &str, headers: &str) -> Cors {
        Cors::new(Origins::parse(origins).unwrap(), &RequestHeaders::parse(headers).unwrap())
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
    fn origins_are_listed_as_browsers_send_them() {
        let origins = Origins::parse(
            "https://app.example.com, http://localhost:3000 capacitor://localhost,http://[::1]:3000",
        )
        .unwrap();
        assert_eq!(origins.as_slice().len(), 4);
        assert_eq!(Origins::parse(" ").unwrap(), Origins::default());
        for bad in [
            "*",
            "null",
            "app.example.com",
            "https://",
            "https://App.example.com",
            "https://app.example.com/",
            "https://*.example.com",
            "https://app.example.com:443",
            "http://a:80",
            "https://a:0",
            "https://a:99999",
            "https://a:+1",
            "https://a?b",
            "https://user@a",
            "https://é.com",
            "://a",
            "1a://b",
            "http://[]",
            "http://[g]",
        ] {
            assert_eq!(Origins::parse(bad), Err(OriginsError), "{bad}");
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
    }

    #[test]
    fn without_a_list_there_is_no_cors() {
        let answer = cors("", "").share(Answer::empty(200), Some("https://a.example"));
        assert_eq!(answer.headers, []);
        let preflight = cors("", "X-Mine").preflight(Some("https://a.example"), "GET");
        assert_eq!(preflight.header("access-control-allow-methods"), None);
    }
}
