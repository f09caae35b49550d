//! From credentials to an authorised identity: by key, by Ably JWT, by issued token.

mod embedded;
mod identity;
mod issued;
mod jwt;
mod revocation;
mod token_request;

use std::sync::Arc;

use ably::{Capability, CapabilityError, ErrorInfo, Key, KeyName, Operation, Operations, Secret};

use crate::app::{App, Apps};
use crate::clock::Millis;
use crate::errors::{bad_request, not_allowed, not_found};

use embedded::Envelope;
pub(crate) use identity::ClientIdentity;
pub(crate) use issued::TokenMint;
pub(crate) use revocation::{Revocation, Revocations, Target, revoked};
pub(crate) use token_request::{Nonces, issue};

/// What a request or a connection proves itself by.
#[derive(Debug, Clone)]
pub(crate) enum Credentials {
    /// A whole key.
    Key(Secret),
    /// An Ably JWT, a token that `requestToken` issued, or another JWT that carries either.
    Token(Secret),
}

/// Who somebody is, and what they may do.
#[derive(Debug, Clone)]
pub(crate) struct Authorised {
    pub(crate) app: Arc<App>,
    /// The key that was shown, or that issued the token.
    pub(crate) key: KeyName,
    pub(crate) capability: Arc<Capability>,
    pub(crate) client: ClientIdentity,
    /// What is known of the token; nothing for a key, which never expires.
    pub(crate) token: Option<TokenFacts>,
}

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

impl Authorised {
    /// Refuses an operation that the capability does not allow.
    pub(crate) fn require(&self, channel: &str, operation: Operation) -> Result<(), ErrorInfo> {
        if self.capability.allows(channel, operation) { Ok(()) } else { Err(not_allowed(channel, operation)) }
    }

    /// All that is allowed on a channel.
    pub(crate) fn operations_on(&self, channel: &str) -> Option<Operations> {
        self.capability.operations_on(channel)
    }
}

/// Checks credentials.
///
/// # Errors
/// Ably's: 40101 and 40400 for keys and tokens; 40005, 40141–40144, 40003 and 40160 for tokens; whatever a fault is to answer.
pub(crate) fn authorise(
    apps: &Apps,
    mint: &TokenMint,
    credentials: &Credentials,
    now: Millis,
) -> Result<Authorised, ErrorInfo> {
    let authorised = identify(apps, mint, credentials, now)?;
    apps.faults().check(&authorised, credentials, now)?;
    Ok(authorised)
}

/// Whose credentials these are, whatever faults there may be for them.
///
/// # Errors
/// As [`authorise`].
pub(crate) fn identify(
    apps: &Apps,
    mint: &TokenMint,
    credentials: &Credentials,
    now: Millis,
) -> Result<Authorised, ErrorInfo> {
    let authorised = match credentials {
        Credentials::Key(key) => by_key(apps, key.expose())?,
        Credentials::Token(token) => by_token(apps, mint, token.expose(), now)?,
    };
    apps.note_use(&authorised.app);
    Ok(authorised)
}

/// The longest capability, in bytes. Ably names no limit; this one bounds the work of comparing two.
const CAPABILITY_LENGTH_MAX: usize = 16 * 1024;

/// Reads what somebody asks for.
///
/// # Errors
/// 40000; 40160 where it asks for nothing (Ably's FAQ on that code).
pub(crate) fn read_capability(text: &str) -> Result<Capability, ErrorInfo> {
    if text.len() > CAPABILITY_LENGTH_MAX {
        return Err(bad_request(format!("a capability has at most {CAPABILITY_LENGTH_MAX} bytes")));
    }
    let capability = Capability::parse(text).map_err(|error| match error {
        CapabilityError::Empty => nothing_in_common(),
        error => bad_request(error.to_string()),
    })?;
    if capability.grants().any(|(pattern, _)| pattern.as_str().chars().any(char::is_control)) {
        return Err(bad_request("a channel of a capability holds a control character"));
    }
    Ok(capability)
}

/// No credentials at all.
pub(crate) fn no_credentials() -> ErrorInfo {
    ErrorInfo::new(40101, 401, "no credentials: send a key or a token")
}

fn by_key(apps: &Apps, text: &str) -> Result<Authorised, ErrorInfo> {
    let invalid = |message| ErrorInfo::new(40101, 401, message);
    // The words of Ably, which users and their tests know it by.
    let no_app = || invalid("unable to handle request; no application id found in request");
    let given = Key::parse(text).map_err(|_| no_app())?;
    let app = apps.get(given.name().app_id()).ok_or_else(no_app)?;
    let known = app.key(given.name()).ok_or_else(unknown_key)?;
    if known.key.secret() != given.secret() {
        return Err(invalid("invalid credentials: the key's secret is wrong"));
    }
    Ok(Authorised {
        key: known.key.name().clone(),
        capability: Arc::clone(&known.capability),
        client: ClientIdentity::Any,
        token: None,
        app,
    })
}

fn unknown_key() -> ErrorInfo {
    ErrorInfo::new(40400, 401, "the app has no such key")
}

fn by_token(apps: &Apps, mint: &TokenMint, text: &str, now: Millis) -> Result<Authorised, ErrorInfo> {
    let Some(envelope) = Envelope::parse(text)? else { return by_ably_token(apps, mint, text, now) };
    let mut authorised = by_ably_token(apps, mint, envelope.token(), now)?;
    if let Some(token) = &mut authorised.token {
        envelope.limit(token, now)?;
    }
    Ok(authorised)
}

/// Who has a token that stands alone: an Ably JWT, or one that `requestToken` issued.
fn by_ably_token(apps: &Apps, mint: &TokenMint, text: &str, now: Millis) -> Result<Authorised, ErrorInfo> {
    let no_app = || not_found("no such app");
    // A JWT has three parts, an issued token two: `appId.…`.
    let (app, record, claims) = match text.split('.').count() {
        3 => {
            let jwt = jwt::UnverifiedJwt::parse(text)?;
            let app = apps.get(jwt.key_name().app_id()).ok_or_else(no_app)?;
            let record = app.key(jwt.key_name()).ok_or_else(unknown_key)?;
            let claims = jwt.verify(record.key.secret(), record.ttl_max(), now)?;
            (app, record, claims)
        }
        ..3 => {
            // Another token cures what is unknown here, so that clients go on by themselves. What cannot be a token of an app
            // of this server is a mistake that its user is to see.
            let app = issued::app_id(text).and_then(|id| apps.get(id)).ok_or_else(no_token)?;
            let (key_name, claims) = mint.open(text).ok_or_else(unknown_token)?;
            if claims.expires <= now {
                return Err(expired());
            }
            let record = app.key(&key_name).ok_or_else(unknown_key)?;
            (app, record, claims)
        }
        _ => {
            return Err(ErrorInfo::new(40005, 400, "invalid accessToken in request: it has no token's form"));
        }
    };
    let capability = match &claims.capability {
        None => Arc::clone(&record.capability),
        Some(asked) => Arc::new(asked.intersect(&record.capability).ok_or_else(nothing_in_common)?),
    };
    let token = TokenFacts {
        key: record.key.name().clone(),
        issued: claims.issued,
        expires: claims.expires,
        client_id: claims.client_id.clone(),
        revocation_key: claims.revocation_key,
    };
    if app.revocations().apply_at(&token).is_some_and(|at| at <= now) {
        return Err(revoked());
    }
    Ok(Authorised {
        key: record.key.name().clone(),
        capability,
        client: ClientIdentity::of_token(claims.client_id),
        token: Some(token),
        app,
    })
}

/// A token whose time is over.
pub(crate) fn expired() -> ErrorInfo {
    ErrorInfo::new(40142, 401, "the token has expired")
}

/// A text that is no token of any app here.
fn no_token() -> ErrorInfo {
    ErrorInfo::new(40101, 401, "invalid credentials: the text is no token of an app of this server")
}

/// What may be a token of an app here, which this server cannot read: as a rule one that it issued before it was started again.
fn unknown_token() -> ErrorInfo {
    ErrorInfo::new(40143, 401, "token unrecognized: the server that runs did not issue it")
}

fn nothing_in_common() -> ErrorInfo {
    ErrorInfo::new(40160, 401, "the capability asked for and the key's have nothing in common")
}
