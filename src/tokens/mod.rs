//! The first job: a signed-in user gets an Ably token that carries exactly what their role and jobs allow.
//!
//! A verified [`Session`](crate::sessions::Session) goes through three steps, each of which parses into a type that the next one takes:
//!
//! 1. [`TokenParams::parse`] reads what the client asks for, none of which is believed.
//! 2. [`Draft::new`] is what the [`Policy`] grants to that session, and nothing more.
//! 3. [`Draft::issue_admitted`] signs what is left of it by the word of each job, or [`Draft::issue`] all of it, where nobody is asked.
//!
//! A [`Question`] is whether a token would allow something, and what says so.
//!
//! Every refusal becomes an [`ably::ErrorInfo`], the shape that Ably's SDKs read. Its status decides what ably-js does with an
//! `authUrl`: after 401 it keeps trying, since the session can be renewed; after 403 the connection is FAILED.
//!
//! | status | code | when |
//! |---|---|---|
//! | 400 | 40000 | a session token in the query |
//! | 400 | 40003 | a parameter that is malformed, contradicts itself, or carries a session token |
//! | 401 | 40100 | no session; one that has expired and can be renewed; one that is too close to its end, or not yet valid |
//! | 403 | 40300 | a session that is refused for good; a token that would be too long |
//! | 403 | 40102 | a `clientId` other than the session's user |
//! | 403 | 40160 | foreign jobs alone, or such as refuse the user; nothing to grant; `service` |
//! | 429 | 42910 | too many jobs asked for in which the user takes no part |
//!
//! A 401 never has code 40102 or 40171, which ably-js takes as final, nor 4014x, which it takes for a fault of an Ably token.

mod explain;
mod issue;
mod params;
mod policy;

use ably::ErrorInfo;

use crate::sessions::SessionError;

pub use explain::{DecidedBy, Explanation, Finding, Pending, Question, Rule};
pub use issue::{Draft, Issued, TOKEN_LIFETIME_SECONDS};
pub use params::{Format, TokenParams};
pub use policy::{Granted, Policy, Refusal, Ruling};

impl From<SessionError> for ErrorInfo {
    /// The generic code of the status: Ably's narrower ones are about its own tokens, and ably-js acts on some of them.
    fn from(error: SessionError) -> Self {
        let status = error.status();
        Self::new(u32::from(status) * 100, status, error.to_string())
    }
}
