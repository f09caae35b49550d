//! Which `clientId` somebody may use.

use ably::ErrorInfo;

use crate::errors::{foreign_client_id, incompatible_client_id};

/// The identity that credentials carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClientIdentity {
    /// None, and none may be assumed.
    Anonymous,
    /// Any may be assumed, each time anew (`*`).
    Any,
    /// This one and no other.
    Named(String),
}

impl ClientIdentity {
    /// The identity of a token from its `clientId`.
    pub(crate) fn of_token(client_id: Option<String>) -> Self {
        match client_id {
            None => Self::Anonymous,
            Some(id) if id.is_empty() => Self::Anonymous,
            Some(id) if id == "*" => Self::Any,
            Some(id) => Self::Named(id),
        }
    }

    /// The identity for a connection or request that asks for a `clientId` besides its credentials.
    ///
    /// # Errors
    /// 40102 where the credentials do not allow it.
    pub(crate) fn narrowed(&self, asked: Option<&str>) -> Result<Self, ErrorInfo> {
        match (self, asked.filter(|asked| !asked.is_empty())) {
            (_, None) => Ok(self.clone()),
            (Self::Any, Some("*")) => Ok(Self::Any),
            (Self::Any, Some(asked)) => Ok(Self::Named(asked.to_owned())),
            (Self::Named(mine), Some(asked)) if mine == asked => Ok(self.clone()),
            _ => Err(incompatible_client_id()),
        }
    }

    /// The `clientId` to stamp on something that was sent with this one.
    ///
    /// # Errors
    /// 40012 where the identity does not allow it.
    pub(crate) fn stamp(&self, sent: Option<String>) -> Result<Option<String>, ErrorInfo> {
        match (self, sent.filter(|sent| !sent.is_empty())) {
            (Self::Named(mine), None) => Ok(Some(mine.clone())),
            (_, None) => Ok(None),
            (Self::Named(mine), Some(sent)) if *mine == sent => Ok(Some(sent)),
            (Self::Any, Some(sent)) if sent != "*" => Ok(Some(sent)),
            _ => Err(foreign_client_id()),
        }
    }

    /// As `connectionDetails` shows it.
    pub(crate) fn shown(&self) -> Option<String> {
        match self {
            Self::Anonymous => None,
            Self::Any => Some("*".to_owned()),
            Self::Named(id) => Some(id.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str) -> ClientIdentity {
        ClientIdentity::Named(id.to_owned())
    }

    #[test]
    fn a_connection_gets_the_client_id_that_its_credentials_allow() {
        use ClientIdentity::{Anonymous, Any};
        for (credentials, asked, result) in [
            (Any, None, Some(Any)),
            (Any, Some(""), Some(Any)),
            (Any, Some("*"), Some(Any)),
            (Any, Some("x"), Some(named("x"))),
            (Anonymous, None, Some(Anonymous)),
            (Anonymous, Some("x"), None),
            (Anonymous, Some("*"), None),
            (named("x"), None, Some(named("x"))),
            (named("x"), Some("x"), Some(named("x"))),
            (named("x"), Some("y"), None),
            (named("x"), Some("*"), None),
        ] {
            assert_eq!(credentials.narrowed(asked).ok(), result, "{credentials:?} {asked:?}");
            if result.is_none() {
                assert_eq!(credentials.narrowed(asked).unwrap_err().code, 40102);
            }
        }
    }

    #[test]
    fn a_message_gets_the_client_id_that_its_publisher_may_use() {
        use ClientIdentity::{Anonymous, Any};
        let some = |id: &str| Some(id.to_owned());
        for (publisher, sent, result) in [
            (Any, None, Ok(None)),
            (Any, some("x"), Ok(some("x"))),
            (Any, some("*"), Err(40012)),
            (Anonymous, None, Ok(None)),
            (Anonymous, some("x"), Err(40012)),
            (named("x"), None, Ok(some("x"))),
            (named("x"), some(""), Ok(some("x"))),
            (named("x"), some("x"), Ok(some("x"))),
            (named("x"), some("y"), Err(40012)),
        ] {
            let stamped = publisher.stamp(sent.clone()).map_err(|error| error.code);
            assert_eq!(stamped, result, "{publisher:?} {sent:?}");
        }
    }
}
