//! What people show who they are by, and what it says: keys, Ably JWTs, issued tokens, and the identities that they carry. Which apps
//! there are is not known here.

mod capability;
mod embedded;
mod identity;
mod issued;
mod jwt;
mod key;
mod revocation;
mod token;
mod token_request;

use ably::{ErrorInfo, Secret};

pub(crate) use capability::{nothing_in_common, read_capability};
pub(crate) use embedded::Envelope;
pub(crate) use identity::ClientIdentity;
pub(crate) use issued::{TokenMint, app_id};
pub(crate) use jwt::UnverifiedJwt;
pub(crate) use key::{KeyRecord, unknown_key};
pub(crate) use revocation::{Revocation, Revocations, Target, revoked};
pub(crate) use token::{Claims, TokenFacts, expired, no_token, unknown_token};
pub(crate) use token_request::{Nonces, issue};

/// What a request or a connection proves itself by.
#[derive(Debug, Clone)]
pub(crate) enum Credentials {
    /// A whole key.
    Key(Secret),
    /// An Ably JWT, a token that `requestToken` issued, or another JWT that carries either.
    Token(Secret),
}

/// No credentials at all.
pub(crate) fn no_credentials() -> ErrorInfo {
    ErrorInfo::new(40101, 401, "no credentials: send a key or a token")
}
