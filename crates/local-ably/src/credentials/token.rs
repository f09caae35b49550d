//! What tokens of every kind say, and why one is refused.

use ably::{Capability, ErrorInfo, KeyName};

use crate::clock::Millis;

/// When a token was issued, when it ends, and what it can be revoked by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenFacts {
    /// The key that issued it.
    pub(crate) key: KeyName,
    pub(crate) issued: Millis,
    pub(crate) expires: Millis,
    /// Its own `clientId`, whatever a connection makes of it.
    pub(crate) client_id: Option<String>,
    pub(crate) revocation_key: Option<String>,
}

/// The claims of a token, of either kind, whose signature holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claims {
    pub(crate) issued: Millis,
    pub(crate) expires: Millis,
    /// Nothing stands for the whole key.
    pub(crate) capability: Option<Capability>,
    pub(crate) client_id: Option<String>,
    pub(crate) revocation_key: Option<String>,
}

/// A token whose time is over.
pub(crate) fn expired() -> ErrorInfo {
    ErrorInfo::new(40142, 401, "the token has expired")
}

/// A text that is no token of any app here.
pub(crate) fn no_token() -> ErrorInfo {
    ErrorInfo::new(40101, 401, "invalid credentials: the text is no token of an app of this server")
}

/// What may be a token of an app here, which this server cannot read: as a rule one that it issued before it was started again.
pub(crate) fn unknown_token() -> ErrorInfo {
    ErrorInfo::new(40143, 401, "token unrecognized: the server that runs did not issue it")
}
