//! The token itself.

#[cfg(test)]
mod tests;

use std::rc::Rc;

use ably::token::TTL_MAX_REVOCABLE_SECONDS;
use ably::{ErrorInfo, JwtClaims, Key, PreparedJwt, TokenRequest};

use super::params::{Format, TTL_MIN_MS, TokenParams};
use super::policy::{Granted, Policy};
use crate::ids::JobId;
use crate::sessions::{Session, SessionError};

/// How long a token lives unless the client asks for less or the session ends before, in seconds. Short, since a token that was
/// issued outlasts whatever changes about its user, unless it is revoked.
pub const TOKEN_LIFETIME_SECONDS: u64 = 15 * 60;

/// The longest JWT, in bytes: it travels in headers and URLs.
pub(super) const TOKEN_MAX: usize = 8 * 1024;

/// Ably takes a TokenRequest until this long after its timestamp, in milliseconds, and the token's life begins only then.
const EXCHANGE_WINDOW_MS: u64 = 120_000;

// A key with revocable tokens takes none that lives longer.
const _: () = assert!(TOKEN_LIFETIME_SECONDS <= TTL_MAX_REVOCABLE_SECONDS);

/// A token, in the form that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issued {
    /// An Ably JWT, to be sent as `application/jwt`.
    Jwt(String),
    /// A signed TokenRequest, to be sent as JSON. It has no place for a revocation key: it can be revoked by `clientId` only.
    TokenRequest(TokenRequest),
}

/// Issues a token for a verified session, at a time in Unix milliseconds.
///
/// The client decides nothing: identity and capability come from session and policy. It may ask for less: one job, a shorter life.
/// The life is 15 minutes, and ends with the session at the latest: a JWT's at `exp`, however near; a TokenRequest's 120 s before,
/// which is how long it may take until it is exchanged. `nonce` makes at least 16 characters that were never used before; it
/// is called for a TokenRequest only.
///
/// # Errors
/// 403/40102 for another `clientId`; 403/40160 where nothing is granted; 403/40300 for a JWT over 8 KB; 401/40100 where the session
/// has no life left that would be of use, so that the client renews it.
pub fn issue(
    key: &Key,
    policy: &'static Policy,
    session: &Session,
    params: &TokenParams,
    now_ms: u64,
    nonce: impl FnOnce() -> String,
) -> Result<Issued, ErrorInfo> {
    if params.client_id.as_ref().is_some_and(|id| id != session.user.as_str()) {
        return Err(ErrorInfo::new(40102, 403, "`clientId` is not the user of the session: leave it out"));
    }
    let ready = match &params.job {
        // Neither policy nor key changes while this build runs: so a session that asks again gets the same.
        None => session.beside.get_or_make(|| Ready::new(key, policy, session, None))?,
        Some(job) => Rc::new(Ready::new(key, policy, session, Some(job))?),
    };
    let wanted_ms = params.ttl_ms.unwrap_or(u64::MAX).min(TOKEN_LIFETIME_SECONDS * 1000);
    match params.format {
        Format::Jwt => jwt(session, &ready.jwt, wanted_ms / 1000, now_ms / 1000),
        Format::TokenRequest => token_request(key, session, &ready.granted, wanted_ms, now_ms, nonce),
    }
}

/// What is the same in all tokens of a session.
struct Ready {
    granted: Granted,
    jwt: PreparedJwt,
}

impl Ready {
    fn new(
        key: &Key,
        policy: &'static Policy,
        session: &Session,
        job: Option<&JobId>,
    ) -> Result<Self, ErrorInfo> {
        let granted = policy.grant(session, job)?;
        let revocation_key = granted.job.as_ref().map(|job| format!("job:{job}"));
        let claims = JwtClaims {
            capability: &granted.capability,
            client_id: Some(session.user.as_str()),
            revocation_key: revocation_key.as_deref(),
        };
        let jwt = claims.prepare(key);
        let jwt = jwt.ok_or_else(|| ErrorInfo::new(50000, 500, "the token could not be signed"))?;
        Ok(Self { granted, jwt })
    }
}

/// `lifetime` and `now` are in seconds.
fn jwt(session: &Session, prepared: &PreparedJwt, lifetime: u64, now: u64) -> Result<Issued, ErrorInfo> {
    let expires_at = now.saturating_add(lifetime).min(session.expires_at);
    if expires_at <= now {
        return Err(SessionError::Expired.into());
    }
    // `iat` is not backdated: a token renewed just after a revocation would count as revoked.
    let token = prepared.sign(now, expires_at);
    if token.len() > TOKEN_MAX {
        return Err(ErrorInfo::new(
            40300,
            403,
            format!(
                "a token for all jobs of the session would be over {TOKEN_MAX} bytes: pass `jobId` to get one for that job"
            ),
        ));
    }
    Ok(Issued::Jwt(token))
}

fn token_request(
    key: &Key,
    session: &Session,
    granted: &Granted,
    wanted_ms: u64,
    now_ms: u64,
    nonce: impl FnOnce() -> String,
) -> Result<Issued, ErrorInfo> {
    let left_ms = session.expires_at.saturating_mul(1000).saturating_sub(now_ms);
    let ttl_ms = wanted_ms.min(left_ms.saturating_sub(EXCHANGE_WINDOW_MS));
    if ttl_ms < TTL_MIN_MS {
        return Err(ErrorInfo::new(
            40100,
            401,
            "the session ends too soon for a TokenRequest, which may be exchanged up to two minutes later: renew it",
        ));
    }
    let milliseconds = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    let request = TokenRequest {
        key_name: key.name().to_string(),
        ttl: Some(milliseconds(ttl_ms)),
        capability: Some(granted.capability.to_string()),
        client_id: Some(session.user.to_string()),
        timestamp: milliseconds(now_ms),
        nonce: nonce(),
        mac: String::new(),
    };
    Ok(Issued::TokenRequest(request.signed(key)))
}
