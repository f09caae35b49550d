//! What a client asks for when it connects.

use std::collections::HashMap;

use ably::Secret;

use crate::clock::Millis;
use crate::credentials::Credentials;
use crate::protocol::{Format, Shape};

/// How long a connection may be silent unless the client asks for something else; then it hears a HEARTBEAT.
const IDLE_DEFAULT: Millis = 15_000;
const IDLE_MIN: Millis = 5_000;
const IDLE_MAX: Millis = 1_800_000;
const PRESENCE_TTL_MIN: Millis = 1_000;

/// The query of a WebSocket handshake. What is not known is ignored.
#[derive(Debug)]
pub(crate) struct ConnectRequest {
    pub(super) credentials: Option<Credentials>,
    pub(super) format: Format,
    pub(super) shape: Shape,
    pub(super) client_id: Option<String>,
    pub(super) echo: bool,
    /// What the client says that it is: its libraries and their versions.
    pub(super) agent: Option<String>,
    /// The key of a connection to go on with.
    pub(super) resume: Option<String>,
    /// `maxIdleInterval`.
    pub(super) idle: Millis,
    /// Whether heartbeats are to be PINGs, which the client answers (`heartbeats=bounce`).
    pub(super) bounce: bool,
    /// `remainPresentFor`.
    pub(super) presence_ttl: Option<Millis>,
}

impl ConnectRequest {
    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// The `clientId` that is asked for.
    pub(crate) fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// Reads the query of the URL.
    pub(crate) fn parse(query: &str) -> Self {
        let mut given: HashMap<String, String> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let mut take = |name: &str| given.remove(name);
        let millis = |text: Option<String>| text.and_then(|text| text.parse::<Millis>().ok());
        let token = take("access_token").or_else(|| take("accessToken"));
        let credentials = match take("key") {
            Some(key) => Some(Credentials::Key(Secret::new(key))),
            None => token.map(|token| Credentials::Token(Secret::new(token))),
        };
        let presence_ttl = millis(take("remainPresentFor"));
        Self {
            credentials,
            format: match take("format").as_deref() {
                Some("msgpack") => Format::Msgpack,
                _ => Format::Json,
            },
            shape: Shape::of(take("v").and_then(|version| version.split('.').next()?.parse().ok())),
            client_id: take("clientId"),
            agent: take("agent"),
            echo: take("echo").as_deref() != Some("false"),
            resume: take("resume").or_else(|| take("recover")),
            idle: millis(take("heartbeatInterval"))
                .map_or(IDLE_DEFAULT, |asked| asked.clamp(IDLE_MIN, IDLE_MAX)),
            bounce: take("heartbeats").as_deref() == Some("bounce"),
            presence_ttl: presence_ttl.map(|asked| asked.clamp(PRESENCE_TTL_MIN, crate::protocol::STATE_TTL)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_has_its_default() {
        let request = ConnectRequest::parse("v=6&agent=x&heartbeats=true&rnd=1&clientId=");
        assert!(request.credentials.is_none() && request.client_id.is_none() && request.resume.is_none());
        assert_eq!((request.format, request.echo, request.idle), (Format::Json, true, 15_000));
    }

    #[test]
    fn a_token_comes_by_either_name_and_a_key_before_it() {
        let token = |query| match ConnectRequest::parse(query).credentials {
            Some(Credentials::Token(token)) => token.expose().to_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(token("access_token=a.b"), "a.b");
        assert_eq!(token("accessToken=a.b"), "a.b");
        let both = ConnectRequest::parse("access_token=a&key=a.b:c");
        assert!(matches!(both.credentials, Some(Credentials::Key(_))));
    }

    #[test]
    fn intervals_are_kept_within_their_bounds() {
        assert_eq!(ConnectRequest::parse("heartbeatInterval=1").idle, 5_000);
        assert_eq!(ConnectRequest::parse("heartbeatInterval=99999999").idle, 1_800_000);
        assert_eq!(ConnectRequest::parse("heartbeatInterval=x").idle, 15_000);
        assert_eq!(ConnectRequest::parse("remainPresentFor=0").presence_ttl, Some(1_000));
    }
}
