//! Who is asking: the verified session, and why there is none.

use thiserror::Error;

use super::beside::Beside;
use super::role::Role;
use crate::ids::{IdError, JobId, UserId};

/// The longest session token, in bytes, and so the bound of its header, payload and claims.
pub(super) const SESSION_TOKEN_MAX: usize = 8 * 1024;
/// The most jobs that a session may list.
pub const SESSION_JOBS_MAX: usize = 50;
/// How far the clock of a session's issuer may be ahead of ours, in seconds.
pub(super) const LEEWAY_SECONDS: u64 = 5;

/// A session that has been verified: everything here is vouched for by whoever holds `SESSION_SECRET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// `sub`: the user, who is also the Ably `clientId`.
    pub user: UserId,
    /// `role`.
    pub role: Role,
    /// `jobs`: the jobs in which this user takes part, each once, at most 50.
    pub jobs: Vec<JobId>,
    /// `exp`: when the session ends, Unix seconds. At that second it has ended.
    pub expires_at: u64,
    /// What another room works out from all that, so that it does so once.
    pub beside: Beside,
}

/// Why a request has no session. A message names the rule and never quotes the caller.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[cfg_attr(test, derive(strum::EnumIter))]
pub enum SessionError {
    /// Neither a Bearer token nor, where one is configured, a session cookie.
    #[error("there is no session: send it as `Authorization: Bearer` or in the session cookie")]
    Missing,
    /// A query parameter that looks like a JWT.
    #[error("a session token in a query ends up in logs and histories: send it as `Authorization: Bearer`")]
    InQuery,
    /// Two session cookies that differ: one of them may have been planted.
    #[error("there are two session cookies with different values: clear the one that does not belong here")]
    AmbiguousCookie,
    /// A cookie alone does not say that the user's own page sent a request that changes something.
    #[error(
        "a request that changes something and relies on the session cookie needs an `Origin` that is allowed"
    )]
    Origin,
    /// Over 8 KB.
    #[error("a session token is at most {SESSION_TOKEN_MAX} bytes")]
    TooLong,
    /// Not three base64url parts, or a header that is not the JSON of a JWT header.
    #[error("a session token is a JWT: three base64url parts without padding, separated by dots")]
    Malformed,
    /// A `crit` or `b64` header: it would change what the signature means.
    #[error("a session token with a `crit` or `b64` header is not accepted")]
    Extension,
    /// Signed by anything but HS256.
    #[error("a session token is signed with HS256")]
    Algorithm,
    /// Signed by somebody else, or changed since.
    #[error("the signature of the session token is not valid")]
    Signature,
    /// A payload that is not a JSON object, names a claim twice, or has a time that no clock shows.
    #[error("the claims of a session are a JSON object, each named once, with times in Unix seconds")]
    Claims,
    /// `iss` is not the configured one.
    #[error("`iss` of the session is not the issuer that is configured")]
    Issuer,
    /// `aud` does not have the configured audience.
    #[error("`aud` of the session does not have the audience that is configured")]
    Audience,
    /// `sub` is missing or not a user id.
    #[error("`sub` of the session: {}", IdError::User)]
    Subject,
    /// `role` is missing or unknown.
    #[error("`role` of the session is one of {}", Role::names())]
    Role,
    /// `jobs` is something else than a list of job ids.
    #[error("`jobs` of the session is a list of at most {SESSION_JOBS_MAX} job ids: {}", IdError::Job)]
    Jobs,
    /// `exp` is missing, or not a whole number.
    #[error("`exp` of the session is required, as a whole number of Unix seconds")]
    Expiry,
    /// `exp` is in milliseconds.
    #[error("`exp` of the session is in seconds; this one is far in the future, as milliseconds are")]
    ExpiryInMilliseconds,
    /// `exp` is further ahead than sessions may last.
    #[error("`exp` of the session is at most {max_hours} hours ahead")]
    ExpiryTooFar {
        /// The configured limit.
        max_hours: u64,
    },
    /// `nbf` or `iat` is no time before `exp`, so that the session is never valid.
    #[error("`nbf` and `iat` of the session, where present, are Unix seconds before `exp`")]
    NeverValid,
    /// `nbf` or `iat` is in the future. Waiting helps, and so does a clock that is right.
    #[error("the session is not valid yet: `nbf` or `iat` is in the future")]
    NotYetValid,
    /// Expired so recently that it can be renewed.
    #[error("the session has expired: renew it")]
    Expired,
    /// Expired too long ago to be renewed.
    #[error("the session has ended: sign in again")]
    Ended,
}

impl SessionError {
    /// The HTTP status: 401 where the same user can come back with a session that is good, 403 where not, 400 for a request
    /// that no session makes good.
    pub fn status(&self) -> u16 {
        match self {
            Self::InQuery => 400,
            Self::Missing | Self::NotYetValid | Self::Expired => 401,
            _ => 403,
        }
    }

    /// A name for programs, which stays the same.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Missing => "session_missing",
            Self::InQuery => "session_in_query",
            Self::AmbiguousCookie => "session_cookie_ambiguous",
            Self::Origin => "origin_not_allowed",
            Self::TooLong => "session_too_long",
            Self::Malformed => "session_malformed",
            Self::Extension => "session_extension",
            Self::Algorithm => "session_algorithm",
            Self::Signature => "session_signature",
            Self::Claims => "session_claims",
            Self::Issuer => "session_issuer",
            Self::Audience => "session_audience",
            Self::Subject => "session_subject",
            Self::Role => "session_role",
            Self::Jobs => "session_jobs",
            Self::Expiry => "session_exp",
            Self::ExpiryInMilliseconds => "session_exp_milliseconds",
            Self::ExpiryTooFar { .. } => "session_exp_too_far",
            Self::NeverValid => "session_never_valid",
            Self::NotYetValid => "session_not_yet_valid",
            Self::Expired => "session_expired",
            Self::Ended => "session_ended",
        }
    }
}
