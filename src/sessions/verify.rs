//! From a session token to a [`Session`].
//!
//! jwt-compact checks the form and the signature, for HS256 alone: the algorithm is ours to choose, not the token's. What it lets
//! through is checked here: it ignores extensions that a header calls critical, takes fractions for times, bounds nothing, and
//! its `nbf` check can panic at the end of the calendar. `kid`, `jku` and `x5u` are never followed: there are one or two keys,
//! and they are ours.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use ably::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt, Empty, UntrustedToken, ValidationError};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use thiserror::Error;

use super::beside::Beside;
use super::cache::Cache;
use super::role::Role;
use super::session::{LEEWAY_SECONDS, SESSION_JOBS_MAX, SESSION_TOKEN_MAX, Session, SessionError};
use crate::ids::{JobId, UserId};

/// The shortest session secret, in bytes: HS256's own output (RFC 7518, 3.2).
const SECRET_MIN: usize = 32;
/// The year 5138 in seconds, and 1973 in milliseconds.
const MILLISECONDS_FROM: u64 = 100_000_000_000;

/// What makes a session acceptable.
#[derive(Debug, Clone)]
pub struct SessionRules {
    /// `SESSION_SECRET`: its UTF-8 bytes are the HMAC key.
    pub secret: Secret,
    /// `SESSION_SECRET_PREVIOUS`: accepted too, so that keys rotate without a gap.
    pub previous_secret: Option<Secret>,
    /// The `iss` that a session must have.
    pub issuer: Option<String>,
    /// The audience that must be, or be among, a session's `aud`.
    pub audience: Option<String>,
    /// How far ahead `exp` may be, in hours (`SESSION_MAX_HOURS`).
    pub max_hours: u64,
    /// For how many seconds after `exp` a session can still be renewed, so that the answer is 401 rather than 403
    /// (`SESSION_RENEWAL_SECONDS`). May be 0.
    pub renewal_seconds: u64,
}

/// Why rules are refused. A message names the variable and never its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RulesError {
    /// A secret that can be guessed.
    #[error("SESSION_SECRET is shorter than {SECRET_MIN} bytes")]
    ShortSecret,
    /// The same of the previous one.
    #[error("SESSION_SECRET_PREVIOUS is shorter than {SECRET_MIN} bytes")]
    ShortPreviousSecret,
}

/// Verifies session tokens.
pub struct Verifier {
    /// The current key and, if there is one, the previous.
    keys: Vec<Hs256Key>,
    rules: SessionRules,
    cache: Cache,
}

/// What a token says for good: all of it was checked but whether its time is now.
#[derive(Debug)]
pub(super) struct Verified {
    session: Rc<Session>,
    /// `exp` is the session's own. This is the later of `nbf` and `iat`, Unix seconds, where there is one.
    not_before: Option<f64>,
}

/// Header fields besides those that jwt-compact reads.
type Extensions = BTreeMap<String, IgnoredAny>;

/// The claims that we read, as they came. Deriving makes a claim that is named twice an error. `null` is an absent claim, but not
/// as a time: jwt-compact has refused a `null` for `exp`, `nbf` or `iat` by then.
#[derive(Deserialize)]
struct WireClaims {
    iss: Option<Value>,
    aud: Option<Value>,
    sub: Option<Value>,
    role: Option<Value>,
    jobs: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    iat: Option<Value>,
}

/// Without the sessions that it has verified, whose tokens are secrets.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Verifier {
    /// Takes the rules.
    ///
    /// # Errors
    /// [`RulesError`], a mistake of whoever configures the service.
    pub fn new(rules: SessionRules) -> Result<Self, RulesError> {
        let long_enough = |secret: &Secret| secret.expose().len() >= SECRET_MIN;
        if !long_enough(&rules.secret) {
            return Err(RulesError::ShortSecret);
        }
        if !rules.previous_secret.as_ref().is_none_or(long_enough) {
            return Err(RulesError::ShortPreviousSecret);
        }
        let secrets = std::iter::once(&rules.secret).chain(&rules.previous_secret);
        let keys = secrets.map(|secret| Hs256Key::new(secret.expose().as_bytes())).collect();
        Ok(Self { keys, rules, cache: Cache::default() })
    }

    /// Verifies a session token at a time, given in Unix milliseconds. The result is known at once: HS256 needs no key but those
    /// that are configured.
    ///
    /// Whatever makes a session unacceptable for good is reported before its having expired: a session is only worth renewing
    /// if nothing else is wrong with it.
    ///
    /// # Errors
    /// [`SessionError`], which knows its status.
    pub fn verify(&self, token: &str, now_ms: u64) -> Result<Rc<Session>, SessionError> {
        let now = now_ms / 1000;
        if let Some(verified) = self.cache.get(token) {
            self.check_time(&verified, now)?;
            return Ok(Rc::clone(&verified.session));
        }
        let verified = Rc::new(self.read(token)?);
        self.check_time(&verified, now)?;
        self.cache.put(token, &verified);
        Ok(Rc::clone(&verified.session))
    }

    /// Checks all of a token but whether its time is now.
    fn read(&self, token: &str) -> Result<Verified, SessionError> {
        if token.len() > SESSION_TOKEN_MAX {
            return Err(SessionError::TooLong);
        }
        let untrusted = UntrustedToken::<Extensions>::try_from(token).map_err(|_| SessionError::Malformed)?;
        let extensions = &untrusted.header().other_fields;
        if extensions.contains_key("crit") || extensions.contains_key("b64") {
            return Err(SessionError::Extension);
        }
        self.check_signature(&untrusted)?;
        let claims = read_claims(token).ok_or(SessionError::Claims)?;

        if let Some(issuer) = &self.rules.issuer
            && claims.iss.as_ref().and_then(Value::as_str) != Some(issuer)
        {
            return Err(SessionError::Issuer);
        }
        if let Some(audience) = &self.rules.audience
            && !claims.aud.is_some_and(|aud| has_audience(&aud, audience))
        {
            return Err(SessionError::Audience);
        }
        let Some(Value::String(sub)) = claims.sub else { return Err(SessionError::Subject) };
        let user = UserId::parse(sub).map_err(|_| SessionError::Subject)?;
        let role = claims.role.as_ref().and_then(Value::as_str);
        let role = role.and_then(Role::parse).ok_or(SessionError::Role)?;
        let jobs = claims.jobs.map_or(Ok(Vec::new()), read_jobs)?;
        let (expires_at, not_before) = read_times(claims.exp, &[claims.nbf, claims.iat])?;
        let session = Session { user, role, jobs, expires_at, beside: Beside::default() };
        Ok(Verified { session: Rc::new(session), not_before })
    }

    fn check_signature(&self, token: &UntrustedToken<'_, Extensions>) -> Result<(), SessionError> {
        for key in &self.keys {
            return match Hs256.validator::<Empty>(key).validate(token) {
                Ok(_) => Ok(()),
                Err(ValidationError::InvalidSignature) => continue,
                Err(ValidationError::AlgorithmMismatch { .. }) => Err(SessionError::Algorithm),
                Err(ValidationError::MalformedClaims(_)) => Err(SessionError::Claims),
                Err(_) => Err(SessionError::Signature),
            };
        }
        Err(SessionError::Signature)
    }

    /// Checks whether it is a session's time, at `now` in Unix seconds.
    fn check_time(&self, verified: &Verified, now: u64) -> Result<(), SessionError> {
        let exp = verified.session.expires_at;
        let max_hours = self.rules.max_hours;
        if exp > now.saturating_add(max_hours.saturating_mul(3600)).saturating_add(LEEWAY_SECONDS) {
            return Err(SessionError::ExpiryTooFar { max_hours });
        }
        if verified.not_before.is_some_and(|time| time > now.saturating_add(LEEWAY_SECONDS) as f64) {
            return Err(SessionError::NotYetValid);
        }
        // No leeway here: a token never outlives the session, so one more second would give a token that is already dead.
        if now >= exp.saturating_add(self.rules.renewal_seconds) {
            Err(SessionError::Ended)
        } else if now >= exp {
            Err(SessionError::Expired)
        } else {
            Ok(())
        }
    }
}

/// Reads `exp` and the times before which the session is not valid: `exp`, and the latest of those.
fn read_times(exp: Option<Value>, not_before: &[Option<Value>]) -> Result<(u64, Option<f64>), SessionError> {
    let exp = exp.as_ref().and_then(Value::as_u64).ok_or(SessionError::Expiry)?;
    if exp >= MILLISECONDS_FROM {
        return Err(SessionError::ExpiryInMilliseconds);
    }
    let mut latest: Option<f64> = None;
    for time in not_before.iter().flatten() {
        // Fractions are common here (RFC 7519, "NumericDate"), and a fraction of a second decides nothing.
        let time = time.as_f64().filter(|time| *time < exp as f64).ok_or(SessionError::NeverValid)?;
        latest = Some(latest.map_or(time, |latest| latest.max(time)));
    }
    Ok((exp, latest))
}

/// Reads the payload once more, after its signature was verified: jwt-compact keeps neither the types of the times nor the
/// claims that it knows.
fn read_claims(token: &str) -> Option<WireClaims> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// `aud` is one audience or a list of them (RFC 7519, 4.1.3).
fn has_audience(aud: &Value, audience: &str) -> bool {
    match aud {
        Value::String(one) => one == audience,
        Value::Array(some) => {
            some.iter().all(Value::is_string) && some.iter().any(|one| one.as_str() == Some(audience))
        }
        _ => false,
    }
}

/// One bad entry refuses the session: a job that is dropped in silence is a user who wonders why they see nothing.
fn read_jobs(jobs: Value) -> Result<Vec<JobId>, SessionError> {
    let Value::Array(entries) = jobs else { return Err(SessionError::Jobs) };
    if entries.len() > SESSION_JOBS_MAX {
        return Err(SessionError::Jobs);
    }
    let mut jobs = Vec::with_capacity(entries.len());
    for entry in entries {
        let Value::String(text) = entry else { return Err(SessionError::Jobs) };
        let job = JobId::parse(text).map_err(|_| SessionError::Jobs)?;
        if !jobs.contains(&job) {
            jobs.push(job);
        }
    }
    Ok(jobs)
}
