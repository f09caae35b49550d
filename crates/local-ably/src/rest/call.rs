//! One request and its answer: formats, credentials, errors in Ably's shape.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use ably::{ErrorInfo, Object, Secret};
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, Path, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use chrono::DateTime;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::auth::{Authorised, authorise};
use crate::channel::ChannelName;
use crate::clock::Millis;
use crate::credentials::{ClientIdentity, Credentials, no_credentials};
use crate::errors::{bad_request, not_found};
use crate::protocol::{Format, decode, encode};
use crate::server::Server;

/// The longest body, in bytes: Ably's limit for a batch.
pub(super) const BODY_MAX: usize = 2 << 20;
/// How long it may take to arrive.
pub(super) const BODY_WITHIN: Duration = Duration::from_secs(60);

/// A request, as every handler needs it.
pub(super) struct Call {
    headers: HeaderMap,
    query: HashMap<String, String>,
    body: Result<Bytes, ErrorInfo>,
    /// The format that the answer is to have.
    format: Format,
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let query = request.uri().query().unwrap_or_default();
        let query: HashMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let headers = request.headers().clone();
        let body = match timeout(BODY_WITHIN, Bytes::from_request(request, state)).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ErrorInfo::new(40009, 413, "the body is too long"))
            }
            Ok(Err(_)) => Err(bad_request("the body cannot be read")),
            Err(_) => Err(bad_request("the body did not arrive within a minute")),
        };
        let format = accepted(&headers, &query);
        Ok(Self { headers, query, body, format })
    }
}

/// Which format a client wants: of those that `Accept` names the first, else the one that the query names, else JSON.
fn accepted(headers: &HeaderMap, query: &HashMap<String, String>) -> Format {
    let asked = match query.get("format").map(String::as_str) {
        Some("msgpack") => Format::Msgpack,
        _ => Format::Json,
    };
    accepted_by_header(headers).unwrap_or(asked)
}

fn accepted_by_header(headers: &HeaderMap) -> Option<Format> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let names = |format: Format| accept.find(format.content_type());
    match (names(Format::Msgpack), names(Format::Json)) {
        (Some(msgpack), Some(json)) if msgpack < json => Some(Format::Msgpack),
        (_, Some(_)) => Some(Format::Json),
        (Some(_), None) => Some(Format::Msgpack),
        (None, None) => None,
    }
}

impl Call {
    /// A query parameter; an empty one is as good as none.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A header that is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty())
    }

    /// Whether the client asks for a media type by name.
    pub(super) fn accepts(&self, media_type: &str) -> bool {
        self.header("accept").is_some_and(|accept| accept.contains(media_type))
    }

    /// A query parameter that is a number.
    ///
    /// # Errors
    /// 40000.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, ErrorInfo> {
        let number = self.param(name).map(str::parse).transpose();
        number.map_err(|_| bad_request(format!("the parameter {name} is not a number")))
    }

    /// A parameter that is a time: milliseconds since 1970, or a date and time of RFC 3339.
    ///
    /// # Errors
    /// 40000.
    pub(super) fn time(&self, name: &str) -> Result<Option<Millis>, ErrorInfo> {
        let date = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis());
        match self.param(name).and_then(date) {
            Some(time) => Ok(Some(time)),
            None => self.number(name),
        }
    }

    /// The major version of the API that the client speaks, if it says so.
    pub(super) fn version(&self) -> Option<u32> {
        self.header("x-ably-version").or_else(|| self.param("v"))?.split('.').next()?.trim().parse().ok()
    }

    /// What the body is, without parameters and in lower case. JSON where nothing is said.
    pub(super) fn media_type(&self) -> String {
        let media_type = self.header("content-type").and_then(|text| text.split(';').next());
        media_type.unwrap_or("application/json").trim().to_ascii_lowercase()
    }

    /// The body as it came.
    ///
    /// # Errors
    /// 40009 where it is too long, 40000 where it did not arrive.
    pub(super) fn bytes(&self) -> Result<Bytes, ErrorInfo> {
        self.body.clone()
    }

    /// The body.
    ///
    /// # Errors
    /// 40009 where it is too long, 40000 where it is not what the Content-Type says.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, ErrorInfo> {
        let bytes = self.bytes()?;
        let format = match self.media_type().as_str() {
            "application/json" => Format::Json,
            "application/x-msgpack" => Format::Msgpack,
            _ => {
                return Err(bad_request(
                    "the Content-Type is neither application/json nor application/x-msgpack",
                ));
            }
        };
        decode(format, &bytes).map_err(|reason| bad_request(format!("the body cannot be read: {reason}")))
    }

    /// The body, which is an object: serde would read a struct from an array too.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub(super) fn read_object<T: DeserializeOwned>(&self) -> Result<T, ErrorInfo> {
        self.read().map(|Object(value)| value)
    }

    /// Who calls: by `Authorization`, or by `key` or `accessToken` in the query; narrowed by `X-Ably-ClientId`.
    ///
    /// # Errors
    /// Ably's for missing or bad credentials, 40102 for a clientId that they do not allow.
    pub(super) fn authorised(&self, server: &Server, now: Millis) -> Result<Authorised, ErrorInfo> {
        let credentials = self.credentials()?.ok_or_else(no_credentials)?;
        let mut authorised = authorise(server, &credentials, now)?;
        authorised.client = self.client(&authorised.client)?;
        Ok(authorised)
    }

    fn client(&self, client: &ClientIdentity) -> Result<ClientIdentity, ErrorInfo> {
        let Some(header) = self.headers.get("x-ably-clientid") else { return Ok(client.clone()) };
        let asked = STANDARD.decode(header.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let asked = asked.ok_or_else(|| bad_request("X-Ably-ClientId is not the base64 of a text"))?;
        client.narrowed(Some(&asked))
    }

    /// The credentials, if there are any.
    ///
    /// # Errors
    /// 40101 for an `Authorization` that cannot be read.
    pub(super) fn credentials(&self) -> Result<Option<Credentials>, ErrorInfo> {
        let Some(value) = self.headers.get(header::AUTHORIZATION) else {
            let token = self.param("accessToken").or_else(|| self.param("access_token"));
            let key = self.param("key").map(|key| Credentials::Key(Secret::new(key)));
            return Ok(key.or_else(|| token.map(|token| Credentials::Token(Secret::new(token)))));
        };
        let unreadable = || ErrorInfo::new(40101, 401, "the Authorization header cannot be read");
        let (scheme, text) =
            value.to_str().ok().and_then(|value| value.trim().split_once(' ')).ok_or_else(unreadable)?;
        let text = text.trim();
        if scheme.eq_ignore_ascii_case("basic") {
            let key = decode_text(text).ok_or_else(unreadable)?;
            return Ok(Some(Credentials::Key(Secret::new(key))));
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(unreadable());
        }
        // ably-js sends tokens in base64, others as they are; a token has a dot, which base64 has not.
        let token =
            if text.contains('.') { text.to_owned() } else { decode_text(text).unwrap_or(text.to_owned()) };
        Ok(Some(Credentials::Token(Secret::new(token))))
    }

    /// An answer with a body.
    pub(super) fn answer<T: Serialize>(&self, status: StatusCode, body: &T) -> Response {
        respond(self.format, status, body)
    }

    /// The answer to a call that may have gone wrong.
    pub(super) fn settle(&self, result: Result<Response, ErrorInfo>) -> Response {
        result.unwrap_or_else(|error| refusal(self.format, error))
    }
}

fn decode_text(base64: &str) -> Option<String> {
    let bytes = STANDARD.decode(base64).or_else(|_| URL_SAFE.decode(base64)).ok()?;
    String::from_utf8(bytes).ok()
}

/// The canonical channel of a path.
///
/// # Errors
/// 40010 where it is not a name.
pub(super) fn channel_of(path: Result<Path<String>, PathRejection>) -> Result<ChannelName, ErrorInfo> {
    let Path(name) = path.map_err(not_text)?;
    ChannelName::parse(&name)
}

/// 40010: the path cannot be read, because what it names is not UTF-8.
pub(super) fn not_text(_: PathRejection) -> ErrorInfo {
    ErrorInfo::new(40010, 400, "the channel name is not text in UTF-8")
}

/// An answer in a format, with exactly its Content-Type.
fn respond(format: Format, status: StatusCode, body: &impl Serialize) -> Response {
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()))];
    (status, headers, Body::from(encode(format, body))).into_response()
}

/// A refusal in Ably's shape, to a request of which only the headers were read.
pub(super) fn early_refusal(headers: &HeaderMap, error: ErrorInfo) -> Response {
    refusal(accepted_by_header(headers).unwrap_or(Format::Json), error)
}

/// A refusal in Ably's shape: in the body, and in headers for those who cannot read bodies.
fn refusal(format: Format, error: ErrorInfo) -> Response {
    let status = StatusCode::from_u16(error.status_code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    note_error(respond(format, status, &error.clone().into_body()), &error)
}

/// The errors of a token that was good once, or may have been: another cures them. It does not cure a JWT that is
/// made wrongly, 40144, of which the SDK for Java is to tell.
const STALE: Range<u32> = 40140..40144;

/// Tells an error in an answer's headers.
///
/// `stale` is what makes the SDK for Java get another token. No scheme that browsers know is offered: they would ask people
/// for a name and a password.
pub(super) fn note_error(mut response: Response, error: &ErrorInfo) -> Response {
    let message: String =
        error.message.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect();
    let headers = response.headers_mut();
    headers.insert("x-ably-errorcode", HeaderValue::from(error.code));
    if let Ok(message) = HeaderValue::from_str(&message) {
        headers.insert("x-ably-errormessage", message);
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        let challenge = if STALE.contains(&error.code) {
            r#"X-Ably-Token realm="ably", stale=true"#
        } else {
            r#"X-Ably-Token realm="ably""#
        };
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}

/// The error that an answer's headers tell, if they tell one.
pub(super) fn noted_error(response: &Response) -> Option<ErrorInfo> {
    let header = |name: &str| response.headers().get(name)?.to_str().ok();
    let code = header("x-ably-errorcode")?.parse().ok()?;
    Some(ErrorInfo::new(code, response.status().as_u16(), header("x-ably-errormessage").unwrap_or_default()))
}

/// No such path. Clients match these words, which are Ably's.
pub(super) async fn unknown_path(call: Call) -> Response {
    call.settle(Err(not_found("Could not find path")))
}

/// No such method at this path.
pub(super) async fn unknown_method(call: Call) -> Response {
    call.settle(Err(method_not_allowed()))
}

pub(super) fn method_not_allowed() -> ErrorInfo {
    ErrorInfo::new(40500, 405, "the path does not have this method")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_not_waited_for_for_ever() {
        let body = futures_util::stream::pending::<Result<Bytes, std::convert::Infallible>>();
        let Ok(call) = Call::from_request(Request::new(Body::from_stream(body)), &()).await;
        assert_eq!(call.bytes().map_err(|error| error.code), Err(40000));
    }
}
