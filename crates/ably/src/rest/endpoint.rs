//! Where the REST API is: one origin, or Ably's own with its fallbacks.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use thiserror::Error;

/// Why a text is not an [`Endpoint`]. The message names the rule and quotes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// No host name or address, or a port that is none.
    #[error(
        "an endpoint names a host, such as https://main.realtime.ably.net: letters, digits, `-` and `.`, or an address, \
         and perhaps a port from 1 to 65535"
    )]
    Host,
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
///
/// The grammar is so narrow that every URL parser reads in it what was checked, and that it needs none here: on wasm the
/// `url` crate costs 88 KB compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Cow<'static, str>);

impl Endpoint {
    /// Parses an origin. A `/` at its end is accepted, and capitals become small.
    ///
    /// # Errors
    /// [`EndpointError`], which names the rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let text = text.to_ascii_lowercase();
        let origin = text.strip_suffix('/').unwrap_or(&text);
        let (scheme, authority) = origin.split_once("://").ok_or(EndpointError::Scheme)?;
        if !matches!(scheme, "https" | "http") {
            return Err(EndpointError::Scheme);
        }
        if authority.contains('@') {
            return Err(EndpointError::UserInfo);
        }
        if authority.contains(['/', '?', '#']) {
            return Err(EndpointError::MoreThanOrigin);
        }
        if !is_loopback(authority)? && scheme == "http" {
            return Err(EndpointError::PlainHttp);
        }
        Ok(Self(origin.to_owned().into()))
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

/// Whether `host`, `host:port`, `[address]` or `[address]:port` is this machine.
fn is_loopback(authority: &str) -> Result<bool, EndpointError> {
    let (loopback, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (address, port) = bracketed.split_once(']').ok_or(EndpointError::Host)?;
            let address: Ipv6Addr = address.parse().map_err(|_| EndpointError::Host)?;
            (address.is_loopback(), port)
        }
        None => {
            let (name, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            let label = |label: &str| {
                !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            };
            if !name.split('.').all(label) {
                return Err(EndpointError::Host);
            }
            // Short and octal addresses are no `Ipv4Addr`, so what parsers make of them does not matter.
            let address = name.parse::<Ipv4Addr>();
            (name == "localhost" || address.is_ok_and(|address| address.is_loopback()), port)
        }
    };
    let valid = match port.strip_prefix(':') {
        Some(port) => {
            port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
        }
        None => port.is_empty(),
    };
    if valid { Ok(loopback) } else { Err(EndpointError::Host) }
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn https_goes_anywhere_and_http_to_loopback() {
        for (text, origin) in [
            ("https://main.realtime.ably.net", "https://main.realtime.ably.net"),
            ("https://main.realtime.ably.net/", "https://main.realtime.ably.net"),
            ("https://main.realtime.ably.net:443", "https://main.realtime.ably.net:443"),
            ("HTTPS://Example.COM:8443", "https://example.com:8443"),
            ("https://10.0.0.1", "https://10.0.0.1"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
            ("https://localhost", "https://localhost"),
            ("http://127.0.0.1:8788", "http://127.0.0.1:8788"),
            ("http://127.9.8.7", "http://127.9.8.7"),
            ("http://[::1]:8788", "http://[::1]:8788"),
            ("http://localhost:8788/", "http://localhost:8788"),
        ] {
            assert_eq!(Endpoint::parse(text).map(|e| e.to_string()), Ok(origin.into()), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_rule() {
        use EndpointError::{Host, MoreThanOrigin, PlainHttp, Scheme, UserInfo};
        for (text, error) in [
            ("", Scheme),
            ("main.realtime.ably.net", Scheme),
            ("//main.realtime.ably.net", Scheme),
            ("localhost:8788", Scheme),
            ("https:a", Scheme),
            ("https:\\\\a", Scheme),
            (" https://a", Scheme),
            ("ftp://a", Scheme),
            ("wss://a", Scheme),
            ("://a", Scheme),
            ("https://", Scheme),
            ("https:///", Host),
            ("https://a b", Host),
            ("https://a\n", Host),
            ("https://a\t.example", Host),
            ("https://a%00", Host),
            ("https://é.example", Host),
            ("https://a_b.example", Host),
            ("https://a..example", Host),
            ("https://a.", Host),
            ("https://:8443", Host),
            ("https://a:", Host),
            ("https://a:0", Host),
            ("https://a:99999", Host),
            ("https://a:+1", Host),
            ("https://a:1:2", Host),
            ("https://::1", Host),
            ("https://[::1", Host),
            ("https://[::1]8443", Host),
            ("https://[127.0.0.1]", Host),
            ("https://[fe80::1%25eth0]", Host),
            ("http://127.0.0.1\\", Host),
            ("http://a.example", PlainHttp),
            ("http://10.0.0.1", PlainHttp),
            ("http://0.0.0.0", PlainHttp),
            ("http://128.0.0.1", PlainHttp),
            ("http://127.1", PlainHttp),
            ("http://0177.0.0.1", PlainHttp),
            ("http://2130706433", PlainHttp),
            ("http://[::]", PlainHttp),
            ("http://[::ffff:127.0.0.1]", PlainHttp),
            ("http://localhost.example", PlainHttp),
            ("http://127.0.0.1.example", PlainHttp),
            ("http://a.localhost", PlainHttp),
            ("http://127.0.0.1@a.example", UserInfo),
            ("http://127.0.0.1\\@a.example", UserInfo),
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

    fn part() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "0177.0.0.1",
            "localhost",
            "[::1]",
            "[::",
            "1",
            "]",
            "a.example",
            "xn--a",
            "-",
            ".",
            ":",
            "8788",
            "@",
            "/",
            "?",
            "#",
            "\\",
            "%2e",
            "%",
            "é",
            "。",
            " ",
            "\t",
        ])
    }

    proptest! {
        #[test]
        fn parsers_agree_with_what_was_checked(scheme in "https?://", parts in prop::collection::vec(part(), 1..5)) {
            let text = scheme + &parts.concat();
            if let Ok(endpoint) = Endpoint::parse(&text)
                && let Ok(url) = url::Url::parse(endpoint.as_str())
            {
                prop_assert_eq!(url.path(), "/");
                prop_assert_eq!((url.username(), url.password(), url.query(), url.fragment()), ("", None, None, None));
                let authority = endpoint.as_str().split_once("://").unwrap().1;
                let host = url.host().unwrap();
                let loopback = match &host {
                    url::Host::Domain(name) => *name == "localhost",
                    url::Host::Ipv4(address) => address.is_loopback(),
                    url::Host::Ipv6(address) => address.is_loopback(),
                };
                prop_assert!(url.scheme() == "https" || loopback);
                if matches!(host, url::Host::Domain(_)) {
                    prop_assert!(authority.starts_with(&host.to_string()), "{} {}", authority, host);
                }
            }
        }
    }
}
