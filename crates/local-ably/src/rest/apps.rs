//! `POST /apps` and `DELETE /apps/{app}`: apps of one's own, as the SDKs' test suites make them.

use std::sync::Arc;

use ably::{ErrorInfo, Key, KeyName, PresenceMessage};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Call;
use crate::app::{APPS_MAX, App, KEYS_MAX, Namespace};
use crate::auth::authorise;
use crate::channel::{ChannelName, MEMBERS_MAX, Rules};
use crate::clock::now;
use crate::credentials::{Credentials, KeyRecord, no_credentials, read_capability};
use crate::errors::bad_request;
use crate::lock::lock;
use crate::random;
use crate::server::Server;

/// How many namespaces an app may have.
const NAMESPACES_MAX: usize = 100;
/// The longest specification, in bytes: what it brings is kept as long as the app.
pub(super) const SPEC_MAX: usize = 256 << 10;
/// How many channels an app may begin with.
const CHANNELS_MAX: usize = 1_000;
/// How many members all channels of a specification may have.
const FIXTURES_MAX: usize = 1_000;
/// How many members an app may ask that a channel of it may have.
const MEMBERS_MAX_MAX: usize = 1_000;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AppSpec {
    limits: Option<LimitsSpec>,
    keys: Option<Vec<KeySpec>>,
    /// Told again as they came: there is more in them than this server knows.
    namespaces: Option<Vec<Value>>,
    /// Told again as they came, like the namespaces.
    channels: Option<Vec<Value>>,
}

/// What an app may have more or less of than others.
#[derive(Default, Deserialize)]
#[serde(default)]
struct LimitsSpec {
    presence: Option<PresenceLimitsSpec>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PresenceLimitsSpec {
    /// How many members a channel may have.
    max_members: Option<usize>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KeySpec {
    capability: Option<String>,
    revocable_tokens: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NamespaceSpec {
    id: String,
    persisted: Option<bool>,
    mutable_messages: Option<bool>,
}

#[derive(Deserialize)]
struct ChannelSpec {
    name: String,
    presence: Option<Vec<FixtureSpec>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FixtureSpec {
    client_id: String,
    data: Option<Value>,
    encoding: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AppBody {
    app_id: String,
    account_id: &'static str,
    keys: Vec<KeyBody>,
    namespaces: Vec<Value>,
    channels: Vec<Value>,
    endpoint: String,
    port: u16,
    tls: bool,
}

/// A key, as clients read it: whole in `keyStr`, or put together from the app's id, `id` and `value`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyBody {
    id: String,
    key_name: String,
    key_secret: String,
    key_str: String,
    value: String,
    capability: String,
    revocable_tokens: bool,
}

/// Makes an app.
pub(super) async fn create(State(server): State<Arc<Server>>, call: Call) -> Response {
    call.settle(make(&server, &call))
}

fn make(server: &Server, call: &Call) -> Result<Response, ErrorInfo> {
    let now = now();
    let spec: AppSpec = call.read_object()?;
    let at_most = |what: &str, max: usize| bad_request(format!("an app has at most {max} {what}"));
    let asked = spec.keys.filter(|keys| !keys.is_empty()).unwrap_or_else(|| vec![KeySpec::default()]);
    if asked.len() > KEYS_MAX {
        return Err(at_most("keys", KEYS_MAX));
    }
    let namespaces_told = spec.namespaces.unwrap_or_default();
    if namespaces_told.len() > NAMESPACES_MAX {
        return Err(at_most("namespaces", NAMESPACES_MAX));
    }
    let channels_told = spec.channels.unwrap_or_default();
    if channels_told.len() > CHANNELS_MAX {
        return Err(at_most("channels to begin with", CHANNELS_MAX));
    }
    let channels = channels_told.iter().map(channel).collect::<Result<Vec<_>, _>>()?;
    if channels.iter().map(|(_, members)| members.len()).sum::<usize>() > FIXTURES_MAX {
        return Err(at_most("members to begin with", FIXTURES_MAX));
    }
    let presence_limits = spec.limits.unwrap_or_default().presence.unwrap_or_default();
    let members_max = presence_limits.max_members.unwrap_or(MEMBERS_MAX);
    if members_max > MEMBERS_MAX_MAX {
        return Err(bad_request(format!("limits.presence.maxMembers is at most {MEMBERS_MAX_MAX}")));
    }
    let app_id = random::text::<6>();
    let keys = asked.into_iter().map(|key| new_key(&app_id, &key)).collect::<Result<Vec<_>, _>>()?;
    let namespaces = namespaces_told.iter().map(namespace).collect::<Result<Vec<_>, _>>()?;
    let app = Arc::new(App::new(&app_id, keys, namespaces, members_max, server.memory()));
    let connection_id = random::text::<9>();
    for (name, members) in channels {
        let channel = app.channel(name.canonical(), server.limits(), now)?;
        lock(&channel).add_fixtures(&connection_id, members, now);
    }
    let keys = app.keys().iter().map(|record| key_body(record)).collect();
    if !server.apps().provision(app) {
        let message =
            format!("there are {APPS_MAX} apps, and none without a connection that could make room");
        return Err(ErrorInfo::new(42910, 429, message));
    }
    let address = server.address();
    let body = AppBody {
        app_id,
        account_id: "local",
        keys,
        namespaces: namespaces_told,
        channels: channels_told,
        endpoint: if address.ip().is_unspecified() {
            "localhost".to_owned()
        } else {
            address.ip().to_string()
        },
        port: address.port(),
        tls: false,
    };
    Ok(call.answer(StatusCode::CREATED, &body))
}

fn channel(spec: &Value) -> Result<(ChannelName, Vec<PresenceMessage>), ErrorInfo> {
    let spec = ChannelSpec::deserialize(spec).map_err(|error| bad_request(format!("a channel: {error}")))?;
    let members = spec.presence.unwrap_or_default().into_iter().map(fixture).collect::<Result<_, _>>()?;
    Ok((ChannelName::parse(&spec.name)?, members))
}

fn namespace(spec: &Value) -> Result<Namespace, ErrorInfo> {
    let spec =
        NamespaceSpec::deserialize(spec).map_err(|error| bad_request(format!("a namespace: {error}")))?;
    let rules =
        Rules { persisted: spec.persisted.unwrap_or(false), mutable: spec.mutable_messages.unwrap_or(false) };
    Ok(Namespace { id: spec.id, rules })
}

fn new_key(app_id: &str, spec: &KeySpec) -> Result<KeyRecord, ErrorInfo> {
    let broken = |error: ably::KeyError| ErrorInfo::new(50000, 500, error.to_string());
    let name = KeyName::parse(format!("{app_id}.{}", random::text::<6>())).map_err(broken)?;
    let text = spec.capability.as_deref().unwrap_or(r#"{"*":["*"]}"#);
    let capability = read_capability(text).map_err(|error| bad_request(error.message))?;
    Ok(KeyRecord {
        key: Key::new(name, random::text::<24>()).map_err(broken)?,
        capability: Arc::new(capability),
        revocable: spec.revocable_tokens.unwrap_or(false),
    })
}

fn key_body(record: &KeyRecord) -> KeyBody {
    let secret = record.key.secret().expose().to_owned();
    KeyBody {
        id: record.key.name().key_id().to_owned(),
        key_name: record.key.name().to_string(),
        key_secret: secret.clone(),
        key_str: record.key.expose().expose().to_owned(),
        value: secret,
        capability: record.capability.as_given(),
        revocable_tokens: record.revocable,
    }
}

/// A member as a client would have entered it, its data untouched.
fn fixture(spec: FixtureSpec) -> Result<PresenceMessage, ErrorInfo> {
    let message = serde_json::json!({
        "action": 1, "clientId": spec.client_id, "data": spec.data, "encoding": spec.encoding,
    });
    serde_json::from_value(message).map_err(|error| bad_request(error.to_string()))
}

/// Removes an app and all it has, for whoever has its first key.
pub(super) async fn remove(
    State(server): State<Arc<Server>>,
    app: Result<Path<String>, PathRejection>,
    call: Call,
) -> Response {
    call.settle(delete(&server, app, &call))
}

fn delete(
    server: &Server,
    app: Result<Path<String>, PathRejection>,
    call: &Call,
) -> Result<Response, ErrorInfo> {
    let credentials = call.credentials()?.ok_or_else(no_credentials)?;
    let caller = authorise(server, &credentials, now())?;
    let first = caller.app.keys().first().map(|record| record.key.name());
    let is_own = app.is_ok_and(|Path(id)| id == caller.app.id());
    if !is_own || first != Some(&caller.key) || !matches!(credentials, Credentials::Key(_)) {
        return Err(ErrorInfo::new(40300, 403, "only the first key of an app removes it"));
    }
    server.apps().remove(caller.app.id());
    Ok(StatusCode::NO_CONTENT.into_response())
}
