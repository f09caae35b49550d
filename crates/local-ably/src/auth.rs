//! From credentials to an authorised identity: by key, by Ably JWT, by issued token.

use std::sync::Arc;

use ably::{Capability, ErrorInfo, Key, KeyName, Operation, Operations};

use crate::app::App;
use crate::clock::Millis;
use crate::credentials::{
    ClientIdentity, Credentials, Envelope, TokenFacts, UnverifiedJwt, app_id, expired, no_token,
    nothing_in_common, revoked, unknown_key, unknown_token,
};
use crate::errors::{not_allowed, not_found};
use crate::mailbox::Holder;
use crate::server::Server;

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

impl Authorised {
    /// Refuses an operation that the capability does not allow.
    pub(crate) fn require(&self, channel: &str, operation: Operation) -> Result<(), ErrorInfo> {
        if self.capability.allows(channel, operation) { Ok(()) } else { Err(not_allowed(channel, operation)) }
    }

    /// By whom a socket is used that is opened with this, under a `clientId`.
    pub(crate) fn holder(&self, client_id: Option<String>) -> Holder {
        Holder {
            key: self.key.clone(),
            client_id,
            capability: Arc::clone(&self.capability),
            expires: self.token.as_ref().map(|token| token.expires),
        }
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
    server: &Server,
    credentials: &Credentials,
    now: Millis,
) -> Result<Authorised, ErrorInfo> {
    let authorised = identify(server, credentials, now)?;
    let token = match (credentials, &authorised.token) {
        (Credentials::Token(text), Some(facts)) => Some((text, facts)),
        _ => None,
    };
    server.faults().check(&authorised.key, &authorised.client, token, now)?;
    Ok(authorised)
}

/// Whose credentials these are, whatever faults there may be for them.
///
/// # Errors
/// As [`authorise`].
pub(crate) fn identify(
    server: &Server,
    credentials: &Credentials,
    now: Millis,
) -> Result<Authorised, ErrorInfo> {
    let authorised = match credentials {
        Credentials::Key(key) => by_key(server, key.expose())?,
        Credentials::Token(token) => by_token(server, token.expose(), now)?,
    };
    server.apps().note_use(&authorised.app);
    Ok(authorised)
}

fn by_key(server: &Server, text: &str) -> Result<Authorised, ErrorInfo> {
    let invalid = |message| ErrorInfo::new(40101, 401, message);
    // The words of Ably, which users and their tests know it by.
    let no_app = || invalid("unable to handle request; no application id found in request");
    let given = Key::parse(text).map_err(|_| no_app())?;
    let app = server.apps().get(given.name().app_id()).ok_or_else(no_app)?;
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

fn by_token(server: &Server, text: &str, now: Millis) -> Result<Authorised, ErrorInfo> {
    let Some(envelope) = Envelope::parse(text)? else { return by_ably_token(server, text, now) };
    let mut authorised = by_ably_token(server, envelope.token(), now)?;
    if let Some(token) = &mut authorised.token {
        envelope.limit(token, now)?;
    }
    Ok(authorised)
}

/// Who has a token that stands alone: an Ably JWT, or one that `requestToken` issued.
fn by_ably_token(server: &Server, text: &str, now: Millis) -> Result<Authorised, ErrorInfo> {
    let no_app = || not_found("no such app");
    // A JWT has three parts, an issued token two: `appId.…`.
    let (app, record, claims) = match text.split('.').count() {
        3 => {
            let jwt = UnverifiedJwt::parse(text)?;
            let app = server.apps().get(jwt.key_name().app_id()).ok_or_else(no_app)?;
            let record = app.key(jwt.key_name()).ok_or_else(unknown_key)?;
            let claims = jwt.verify(record.key.secret(), record.ttl_max(), now)?;
            (app, record, claims)
        }
        ..3 => {
            // Another token cures what is unknown here, so that clients go on by themselves. What cannot be a token of an app
            // of this server is a mistake that its user is to see.
            let app = app_id(text).and_then(|id| server.apps().get(id)).ok_or_else(no_token)?;
            let (key_name, claims) = server.mint().open(text).ok_or_else(unknown_token)?;
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
