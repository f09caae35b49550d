//! The token itself.

#[cfg(test)]
mod tests;

use std::rc::Rc;

use ably::token::TTL_MAX_REVOCABLE_SECONDS;
use ably::{ErrorInfo, JwtClaims, Key, PreparedJwt, TokenRequest};

use super::params::{Format, TTL_MIN_MS, TokenParams};
use super::policy::{Granted, Policy, Refusal};
use crate::ids::JobId;
use crate::jobs::revocation::revocation_key;
use crate::jobs::{Admission, JobRegistry, Standing};
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

/// A token for a verified session, as far as session and policy decide.
///
/// The client decides nothing: identity and capability come from session and policy. It may ask for less: some jobs, a shorter life.
/// Where the registry alone decides, it may name any job, and has of it what the job's object says.
/// The life is 15 minutes, and ends with the session at the latest: a JWT's at `exp`, however near; a TokenRequest's 120 s before,
/// which is how long it may take until it is exchanged.
pub struct Draft {
    policy: &'static Policy,
    session: Rc<Session>,
    params: TokenParams,
    /// Those of the jobs that the client names which may be in it, where it names any.
    named: Option<Vec<JobId>>,
    ready: Rc<Ready>,
}

impl Draft {
    /// What a session gets at a time in Unix milliseconds, as far as the registry does not decide that alone.
    ///
    /// # Errors
    /// 403/40102 for another `clientId`; 403/40160 where nothing is granted, or nothing of what is asked for is in the session; 401/40100
    /// where the session has no life left that would be of use, so that the client renews it.
    pub fn new(
        key: &Key,
        policy: &'static Policy,
        session: Rc<Session>,
        params: TokenParams,
        registry: JobRegistry,
        now_ms: u64,
    ) -> Result<Self, ErrorInfo> {
        if params.client_id.as_ref().is_some_and(|id| id != session.user.as_str()) {
            return Err(ErrorInfo::new(
                40102,
                403,
                "`clientId` is not the user of the session: leave it out",
            ));
        }
        let named = params.jobs.as_deref();
        let jobs = match named {
            Some(named) if registry.alone_lets_in(session.role) => named,
            Some(_) | None => session.jobs.as_slice(),
        };
        let make = || Ready::new(key, &session, policy.grant(&session, jobs, named)?);
        let ready = match named {
            // Neither policy nor key changes while this build runs: so a session that asks again gets the same.
            None => session.beside.get_or_make(make)?,
            Some(_) => Rc::new(make()?),
        };
        let named = named.map(|named| named.iter().filter(|job| jobs.contains(job)).cloned().collect());
        let draft = Self { policy, session, params, named, ready };
        draft.life(draft.session_ends_ms(), now_ms)?;
        Ok(draft)
    }

    /// What the client has asked for.
    pub fn params(&self) -> &TokenParams {
        &self.params
    }

    /// The jobs whose channels it has because the session or the client names them, each of which is to be asked for its word.
    pub fn jobs(&self) -> &[JobId] {
        if !self.policy.names_jobs(self.session.role) {
            return &[];
        }
        self.named.as_deref().unwrap_or(&self.session.jobs)
    }

    /// Issues all of it. `nonce` makes at least 16 characters that were never used before; it is called for a TokenRequest only.
    ///
    /// # Errors
    /// 401/40100 where the session has no life left that would be of use; 403/40300 for a JWT over 8 KB.
    pub fn issue(&self, key: &Key, now_ms: u64, nonce: impl FnOnce() -> String) -> Result<Issued, ErrorInfo> {
        self.sign(key, &self.ready, self.session_ends_ms(), now_ms, nonce)
    }

    /// Issues what is left of it by what is said of each of its [jobs](Self::jobs), in their order. The token has the channels of those
    /// that admit the user, and outlives none of them. A job that ends too soon for that is left out: else it would end the others too.
    ///
    /// # Errors
    /// As [`issue`](Self::issue), and 403/40160 where all jobs that were asked for refuse the user, as for foreign ones; or where nothing
    /// is left.
    pub fn issue_admitted(
        &self,
        key: &Key,
        admissions: &[Admission],
        now_ms: u64,
        nonce: impl FnOnce() -> String,
    ) -> Result<Issued, ErrorInfo> {
        if self.are_all_refused(admissions) {
            return Err(Refusal::ForeignJob.into());
        }
        let mut left = Vec::new();
        let mut ends_ms = self.session_ends_ms();
        for (job, admission) in self.jobs().iter().zip(admissions) {
            let until_ms = admission.until.map_or(u64::MAX, |until| u64::try_from(until).unwrap_or_default());
            match admission.standing {
                Standing::Admitted if self.life(until_ms, now_ms).is_ok() => {
                    left.push(job);
                    ends_ms = ends_ms.min(until_ms);
                }
                Standing::Admitted
                | Standing::Waiting
                | Standing::Gated
                | Standing::Refused
                | Standing::Foreign => {}
            }
        }
        if left.len() == self.jobs().len() {
            return self.sign(key, &self.ready, ends_ms, now_ms, nonce);
        }
        let ready = Ready::new(key, &self.session, self.policy.grant_of(&self.session, &left)?)?;
        self.sign(key, &ready, ends_ms, now_ms, nonce)
    }

    /// Whether none of the jobs that were asked for is left: that is said at once.
    pub fn are_all_refused(&self, admissions: &[Admission]) -> bool {
        self.params.jobs.is_some() && admissions.iter().all(|said| said.standing.is_refusal())
    }

    fn sign(
        &self,
        key: &Key,
        ready: &Ready,
        ends_ms: u64,
        now_ms: u64,
        nonce: impl FnOnce() -> String,
    ) -> Result<Issued, ErrorInfo> {
        let life_ms = self.life(ends_ms, now_ms)?;
        match self.params.format {
            Format::Jwt => jwt(&ready.jwt, now_ms / 1000, life_ms / 1000),
            Format::TokenRequest => {
                Ok(token_request(key, &self.session, &ready.granted, life_ms, now_ms, nonce()))
            }
        }
    }

    fn session_ends_ms(&self) -> u64 {
        self.session.expires_at.saturating_mul(1000)
    }

    /// How long a token lives that is issued now and has ended by then, in milliseconds.
    ///
    /// # Errors
    /// What a session is told that ends then, where that is too soon.
    fn life(&self, ends_ms: u64, now_ms: u64) -> Result<u64, ErrorInfo> {
        let wanted_ms = self.params.ttl_ms.unwrap_or(u64::MAX).min(TOKEN_LIFETIME_SECONDS * 1000);
        match self.params.format {
            // Its times are whole seconds.
            Format::Jwt => match (ends_ms / 1000).saturating_sub(now_ms / 1000) {
                0 => Err(SessionError::Expired.into()),
                left => Ok(left.min(wanted_ms / 1000) * 1000),
            },
            Format::TokenRequest => {
                let left_ms = ends_ms.saturating_sub(now_ms).saturating_sub(EXCHANGE_WINDOW_MS);
                if left_ms < TTL_MIN_MS {
                    return Err(ErrorInfo::new(
                        40100,
                        401,
                        "the session ends too soon for a TokenRequest, which may be exchanged up to two minutes later: renew it",
                    ));
                }
                Ok(left_ms.min(wanted_ms))
            }
        }
    }
}

/// What is the same in all tokens of a session.
struct Ready {
    granted: Granted,
    jwt: PreparedJwt,
}

impl Ready {
    fn new(key: &Key, session: &Session, granted: Granted) -> Result<Self, ErrorInfo> {
        let revocation_key = granted.job.as_ref().map(revocation_key);
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

/// `now` and `life` are in seconds.
fn jwt(prepared: &PreparedJwt, now: u64, life: u64) -> Result<Issued, ErrorInfo> {
    // `iat` is not backdated: a token renewed just after a revocation would count as revoked.
    let token = prepared.sign(now, now.saturating_add(life));
    if token.len() > TOKEN_MAX {
        return Err(ErrorInfo::new(
            40300,
            403,
            format!(
                "a token for all these jobs would be over {TOKEN_MAX} bytes: pass `jobId` to get one for some of them"
            ),
        ));
    }
    Ok(Issued::Jwt(token))
}

fn token_request(
    key: &Key,
    session: &Session,
    granted: &Granted,
    ttl_ms: u64,
    now_ms: u64,
    nonce: String,
) -> Issued {
    let milliseconds = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    let request = TokenRequest {
        key_name: key.name().to_string(),
        ttl: Some(milliseconds(ttl_ms)),
        capability: Some(granted.capability.to_string()),
        client_id: Some(session.user.to_string()),
        timestamp: milliseconds(now_ms),
        nonce,
        mac: String::new(),
    };
    Issued::TokenRequest(request.signed(key))
}
