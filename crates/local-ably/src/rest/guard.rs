//! Who may speak to the server at all: a page from elsewhere that the developer's browser has open may not.
//!
//! A foreign page reaches a server on the laptop either across origins, which `Origin` shows, or under a name of its own that
//! resolves to the laptop, which `Host` shows.

use std::net::IpAddr;
use std::sync::Arc;

use ably::ErrorInfo;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::Response;

use super::call;

/// The hosts and origins that are let through besides loopback.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Guard {
    /// Lets through, besides loopback, these hosts (with or without a port) and exactly these origins.
    pub(crate) fn new(hosts: &[String], origins: &[String]) -> Self {
        let lower = |texts: &[String]| {
            texts.iter().map(|text| text.trim_end_matches('/').to_ascii_lowercase()).collect::<Vec<_>>()
        };
        Self { hosts: lower(hosts), origins: lower(origins) }
    }

    fn allows_host(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else { return false };
        if host.contains('@') {
            return false;
        }
        let name = authority.host().to_ascii_lowercase();
        is_loopback(&name)
            || self.hosts.iter().any(|allowed| *allowed == name || *allowed == host.to_ascii_lowercase())
    }

    /// Whether pages of an origin may read the answers.
    pub(crate) fn allows_origin(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        let origin = origin.to_ascii_lowercase();
        if self.origins.contains(&origin) {
            return true;
        }
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        let authority = host.and_then(|host| host.parse::<Authority>().ok());
        authority.is_some_and(|authority| !origin.contains('@') && is_loopback(authority.host()))
    }

    fn allows(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host_allowed = match (hosts.next().map(HeaderValue::to_str), hosts.next()) {
            (Some(Ok(host)), None) => self.allows_host(host),
            _ => false,
        };
        if !host_allowed || uri.authority().is_some_and(|authority| !self.allows_host(authority.as_str())) {
            return Err("the Host is not loopback: start the local Ably with --allow-host to serve it");
        }
        if !headers.get_all(header::ORIGIN).iter().all(|origin| self.allows_origin(origin)) {
            return Err("the Origin is not loopback: start the local Ably with --allow-origin to serve it");
        }
        Ok(())
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Refuses foreign hosts and origins, over HTTP and, before the upgrade, over WebSocket.
pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.allows(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(reason) => call::early_refusal(request.headers(), ErrorInfo::new(40300, 403, reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new(&["laptop.lan".into(), "10.0.0.5:8788".into()], &["https://app.example/".into()])
    }

    #[test]
    fn only_loopback_and_allowed_hosts_are_served() {
        for good in [
            "localhost",
            "LOCALHOST:8788",
            "127.0.0.1:8788",
            "127.1.2.3",
            "[::1]:8788",
            "laptop.lan",
            "laptop.lan:1",
            "10.0.0.5:8788",
        ] {
            assert!(guard().allows_host(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "localhost.evil.example",
            "evil.example:8788",
            "127.0.0.1.evil.example",
            "10.0.0.5",
            "0.0.0.0",
            "localhost@evil.example",
            "evil@localhost",
            "localhost ",
            "[::1",
        ] {
            assert!(!guard().allows_host(bad), "{bad}");
        }
    }

    #[test]
    fn only_loopback_and_allowed_origins_are_served() {
        let allows = |origin: &str| guard().allows_origin(&HeaderValue::from_str(origin).unwrap());
        for good in ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:1", "https://app.example"] {
            assert!(allows(good), "{good}");
        }
        for bad in [
            "null",
            "",
            "http://evil.example",
            "https://app.example.evil.example",
            "http://app.example",
            "http://localhost.evil.example",
            "http://localhost@evil.example",
            "file://",
            "http://",
        ] {
            assert!(!allows(bad), "{bad}");
        }
    }
}
