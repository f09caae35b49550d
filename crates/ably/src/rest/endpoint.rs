//! Where the REST API is: one origin, or Ably's own with its fallbacks.

use std::borrow::Cow;
use std::fmt;

use thiserror::Error;
use url::{Host, Url};

/// Why a text is not an [`Endpoint`]. The message names the rule and quotes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// Not an absolute URL with a host, or one with characters that a parser would drop.
    #[error("an endpoint is a URL such as https://main.realtime.ably.net, without blanks and backslashes")]
    NotUrl,
    /// Neither https nor http.
    #[error("an endpoint begins with https://, or with http:// for a loopback address")]
    Scheme,
    /// http to another machine.
    #[error("http:// reaches loopback addresses only (127.0.0.0/8, [::1], localhost): use https://")]
    PlainHttp,
    /// A user or password in it.
    #[error("an endpoint holds no user and no password: the key is a setting of its own")]
    UserInfo,
    /// More than an origin.
    #[error("an endpoint ends after its host and port, without a path, a query or a fragment")]
    MoreThanOrigin,
}

/// The origin of a REST API: scheme, host and port. It is https, except to a loopback address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Cow<'static, str>);

impl Endpoint {
    /// Parses an origin. A `/` at its end is accepted.
    ///
    /// # Errors
    /// [`EndpointError`], which names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        // The parser drops tabs and line breaks, and reads `\` as `/`: what a person sees would not be what is called.
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(EndpointError::NotUrl);
        }
        let url = Url::parse(text).map_err(|_| EndpointError::NotUrl)?;
        let host = url.host().ok_or(EndpointError::NotUrl)?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&host) => {}
            "http" => return Err(EndpointError::PlainHttp),
            _ => return Err(EndpointError::Scheme),
        }
        // The parser drops an empty user, hence the look at the text.
        if text.contains('@') {
            return Err(EndpointError::UserInfo);
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(EndpointError::MoreThanOrigin);
        }
        Ok(Self(url.origin().ascii_serialization().into()))
    }

    /// The origin, such as `https://main.realtime.ably.net`, without a `/` at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// A primary endpoint and those that stand in for it.
#[derive(Debug, Clone)]
pub struct Hosts {
    pub(super) primary: Endpoint,
    pub(super) fallbacks: Vec<Endpoint>,
}

impl Hosts {
    /// Ably's own (features.md, REC1a and REC2c1).
    pub fn ably() -> Self {
        let endpoint = |text| Endpoint(Cow::Borrowed(text));
        Self {
            primary: endpoint("https://main.realtime.ably.net"),
            fallbacks: [
                "https://main.a.fallback.ably-realtime.com",
                "https://main.b.fallback.ably-realtime.com",
                "https://main.c.fallback.ably-realtime.com",
                "https://main.d.fallback.ably-realtime.com",
                "https://main.e.fallback.ably-realtime.com",
            ]
            .map(endpoint)
            .into(),
        }
    }

    /// One endpoint that nothing stands in for, as a custom host is (REC2c2).
    pub fn only(primary: Endpoint) -> Self {
        Self { primary, fallbacks: Vec::new() }
    }

    /// An endpoint with fallbacks of its own (REC2a2).
    pub fn with_fallbacks(primary: Endpoint, fallbacks: Vec<Endpoint>) -> Self {
        Self { primary, fallbacks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_goes_anywhere_and_http_to_loopback() {
        for (text, origin) in [
            ("https://main.realtime.ably.net", "https://main.realtime.ably.net"),
            ("https://main.realtime.ably.net/", "https://main.realtime.ably.net"),
            ("https://main.realtime.ably.net:443", "https://main.realtime.ably.net"),
            ("HTTPS://Example.COM:8443", "https://example.com:8443"),
            ("https://10.0.0.1", "https://10.0.0.1"),
            ("http://127.0.0.1:8788", "http://127.0.0.1:8788"),
            ("http://127.9.8.7", "http://127.9.8.7"),
            // What the parser makes of a short address is what is called.
            ("http://127.1:80", "http://127.0.0.1"),
            ("http://[::1]:8788", "http://[::1]:8788"),
            ("http://localhost:8788/", "http://localhost:8788"),
        ] {
            assert_eq!(Endpoint::parse(text).map(|e| e.to_string()), Ok(origin.into()), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_rule() {
        use EndpointError::{MoreThanOrigin, NotUrl, PlainHttp, Scheme, UserInfo};
        for (text, error) in [
            ("", NotUrl),
            ("main.realtime.ably.net", NotUrl),
            ("//main.realtime.ably.net", NotUrl),
            ("https://", NotUrl),
            ("https://a b", NotUrl),
            (" https://a", NotUrl),
            ("https://a\n", NotUrl),
            ("https://a\t.example", NotUrl),
            ("https:\\\\a", NotUrl),
            ("http://127.0.0.1\\@a.example", NotUrl),
            ("https://a:99999", NotUrl),
            ("https://a%00", NotUrl),
            ("localhost:8788", NotUrl),
            ("ftp://a", Scheme),
            ("wss://a", Scheme),
            ("http://a.example", PlainHttp),
            ("http://10.0.0.1", PlainHttp),
            ("http://0.0.0.0", PlainHttp),
            ("http://128.0.0.1", PlainHttp),
            ("http://[::]", PlainHttp),
            ("http://[::ffff:127.0.0.1]", PlainHttp),
            ("http://localhost.example", PlainHttp),
            ("http://127.0.0.1.example", PlainHttp),
            ("http://a.localhost", PlainHttp),
            ("http://localhost.", PlainHttp),
            ("http://127.0.0.1@a.example", PlainHttp),
            ("https://user@a", UserInfo),
            ("https://user:pass@a", UserInfo),
            ("https://@a", UserInfo),
            ("https://a/b", MoreThanOrigin),
            ("https://a//", MoreThanOrigin),
            ("https://a?", MoreThanOrigin),
            ("https://a/?b=c", MoreThanOrigin),
            ("https://a#", MoreThanOrigin),
        ] {
            assert_eq!(Endpoint::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn ablys_own_hosts_are_endpoints() {
        let hosts = Hosts::ably();
        assert_eq!(hosts.fallbacks.len(), 5);
        for endpoint in [hosts.primary].iter().chain(&hosts.fallbacks) {
            assert_eq!(Endpoint::parse(endpoint.as_str()).as_ref(), Ok(endpoint));
        }
    }
}
