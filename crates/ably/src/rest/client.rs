//! The client itself.

use std::error;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest_shim::{BODY_MAX, Client, Error, Response, redirect};

use super::batch::{Batch, BatchResult, is_partly_refused};
use super::endpoint::{Endpoint, Hosts};
use super::error::{PublishError, Refusal};
use super::fallback::Memory;
use super::message::PublishBody;
use super::revocation::{Revocation, RevocationResult};
use crate::key::{Key, Secret};

/// The protocol that this client speaks (features.md, CSV2).
const PROTOCOL_VERSION: &str = "6";
/// All but RFC 3986's unreserved characters, so that a channel's name is one segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The clock and the dice that the client needs.
pub trait Surroundings {
    /// Unix milliseconds.
    fn now_ms(&self) -> u64;
    /// A number that is uniform over its whole range.
    fn random(&self) -> u32;
}

/// How long a publish may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For one host, from the start of the request until the last byte of the answer's body (TO3l4).
    pub attempt: Duration,
    /// For all hosts together (TO3l6).
    pub total: Duration,
}

impl Default for Timeouts {
    /// Ably's own: 10 s for a host, 15 s in all.
    fn default() -> Self {
        Self { attempt: Duration::from_secs(10), total: Duration::from_secs(15) }
    }
}

/// Publishes, and revokes tokens, over Ably's REST API. One client serves any number of channels at once; for order on one channel, its caller
/// keeps one publish of that channel in flight.
#[derive(Debug)]
pub struct RestClient<S> {
    http: Client,
    hosts: Hosts,
    key: Key,
    /// `Basic …`, ready to send.
    authorization: Secret,
    timeouts: Timeouts,
    memory: Memory,
    surroundings: S,
}

/// What Ably has refused, and the body in which it said so, if all of it arrived and it is not too long.
struct Refused {
    error: PublishError,
    body: Option<Vec<u8>>,
}

/// What one host made of a request.
enum Attempt {
    /// Ably has answered, for better or worse: with a body, if it is not too long.
    Answered(Result<Option<Vec<u8>>, Refused>),
    /// Another host may do better: unreachable, too slow, 500 to 504, or an error of the CDN's (RSC15l).
    Unavailable(PublishError),
}

impl<S: Surroundings> RestClient<S> {
    /// A client that authenticates with a key. Redirects are not followed and no proxy is used: what is called is what is
    /// configured.
    ///
    /// # Errors
    /// Where the HTTP client cannot be set up, which its platform decides.
    pub fn new(hosts: Hosts, key: Key, timeouts: Timeouts, surroundings: S) -> Result<Self, Error> {
        let http = Client::builder().redirect(redirect::Policy::none()).no_proxy().build()?;
        let authorization = Secret::new(format!("Basic {}", STANDARD.encode(key.expose().expose())));
        Ok(Self { http, hosts, key, authorization, timeouts, memory: Memory::default(), surroundings })
    }

    /// Publishes to a channel and waits for Ably to have stored it, trying other hosts as far as time allows. Any 2xx means
    /// stored, whatever else the answer says, once all of it is there.
    ///
    /// A retry is safe: whoever sends the same body again within two minutes, its messages having ids, publishes once.
    ///
    /// # Errors
    /// [`PublishError`], whose class says what to do with the message. Of several hosts it is the last one's.
    pub async fn publish(&self, channel: &str, body: &PublishBody) -> Result<(), PublishError> {
        // URL parsers resolve `.` and `..` even where they are percent-encoded, so no such channel can be reached.
        if matches!(channel, "" | "." | "..") {
            return Err(PublishError::refused(40010, "no channel is named by nothing, `.` or `..`"));
        }
        let path = format!("/channels/{}/messages", utf8_percent_encode(channel, SEGMENT));
        self.send(&path, body.as_str()).await.map(drop).map_err(|refused| refused.error)
    }

    /// Publishes to several channels by one request, and says what became of each channel's messages, in the order of the batch: nothing
    /// where Ably's answer does not say. Other hosts are tried as for [`publish`](Self::publish), and a retry is as safe.
    ///
    /// # Errors
    /// [`PublishError`], where the request failed as a whole. It blames no message then, whatever its class says.
    pub async fn publish_batch(&self, batch: &Batch) -> Result<Vec<Option<BatchResult>>, PublishError> {
        let answer = self.send_parts("/messages", &batch.body()).await?;
        Ok(batch.results(&answer, |text| self.redacted(text)))
    }

    /// Revokes tokens that this client's own key has issued, and says what became of each target, in their order: nothing where Ably's
    /// answer does not say. Other hosts are tried as for [`publish`](Self::publish), and a retry revokes nothing more.
    ///
    /// It does not keep anyone from a new token: whoever issues them has to refuse those first.
    ///
    /// # Errors
    /// [`PublishError`], where the request failed as a whole. One that blames the message blames the revocation: its time is over an
    /// hour ago, say. 40163 and 40164 are a key whose tokens cannot be revoked, 40121 an app.
    pub async fn revoke(
        &self,
        revocation: &Revocation,
    ) -> Result<Vec<Option<RevocationResult>>, PublishError> {
        let path = format!("/keys/{}/revokeTokens", self.key.name());
        let answer = self.send_parts(&path, &revocation.body()).await?;
        Ok(revocation.results(&answer, |text| self.redacted(text)))
    }

    /// Posts what is carried out part by part, and answers what is said of the parts.
    async fn send_parts(&self, path: &str, body: &str) -> Result<Vec<u8>, PublishError> {
        match self.send(path, body).await {
            Ok(answer) => Ok(answer.unwrap_or_default()),
            Err(Refused { body: Some(body), .. }) if is_partly_refused(&body) => Ok(body),
            Err(Refused { error, .. }) => Err(error),
        }
    }

    /// Posts a body to a path of the API, trying other hosts as far as time allows.
    async fn send(&self, path: &str, body: &str) -> Result<Option<Vec<u8>>, Refused> {
        let start = self.surroundings.now_ms();
        let mut route = self.memory.route(&self.hosts, start);
        let mut error = PublishError::transport(None, "no time to try a host");
        while let Some(choice) = route.next(|| self.surroundings.random()) {
            let Some(endpoint) = choice.endpoint(&self.hosts) else { continue };
            let spent = Duration::from_millis(self.surroundings.now_ms().saturating_sub(start));
            let left = self.timeouts.total.saturating_sub(spent);
            if left.is_zero() {
                break;
            }
            match self.attempt(endpoint, path, body, left.min(self.timeouts.attempt)).await {
                Attempt::Answered(result) => {
                    self.memory.worked(choice, self.surroundings.now_ms());
                    return result;
                }
                Attempt::Unavailable(why) => {
                    self.memory.failed(choice);
                    error = why;
                }
            }
        }
        Err(Refused { error, body: None })
    }

    async fn attempt(&self, endpoint: &Endpoint, path: &str, body: &str, timeout: Duration) -> Attempt {
        let request = self
            .http
            .post(format!("{endpoint}{path}"))
            .header("authorization", self.authorization.expose())
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .header("x-ably-version", PROTOCOL_VERSION)
            .body(body.to_owned())
            .timeout(timeout);
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Attempt::Unavailable(transport(None, error)),
        };
        let status = response.status().as_u16();
        let body = read(&mut response).await;
        if (200..300).contains(&status) {
            return match body {
                Ok(body) => Attempt::Answered(Ok(body)),
                // It is stored, if this was Ably. A retry costs nothing, and a message that was not stored is lost without.
                Err(error) => Attempt::Unavailable(transport(Some(status), error)),
            };
        }
        let from_cdn = status >= 400
            && header(&response, "server").is_some_and(|server| server.eq_ignore_ascii_case("cloudfront"));
        let refusal = Refusal {
            status,
            header_code: header(&response, "x-ably-errorcode"),
            header_message: header(&response, "x-ably-errormessage"),
            retry_after: header(&response, "retry-after"),
            from_cdn,
            body: body.ok().flatten(),
        };
        let kept = refusal.body.clone();
        let error = refusal.into_error(self.surroundings.now_ms(), |text| self.redacted(text));
        if from_cdn || (500..=504).contains(&status) {
            Attempt::Unavailable(error)
        } else {
            Attempt::Answered(Err(Refused { error, body: kept }))
        }
    }

    /// A text without our credentials, which a server may echo.
    fn redacted(&self, text: &str) -> String {
        let encoded = self.authorization.expose().trim_start_matches("Basic ");
        text.replace(self.key.secret().expose(), "(secret)").replace(encoded, "(key)")
    }
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).and_then(|value| value.to_str().ok().map(str::to_owned))
}

/// The whole body; none where it is longer than [`BODY_MAX`], of which the rest is left unread.
async fn read(response: &mut Response) -> Result<Option<Vec<u8>>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > BODY_MAX {
            return Ok(None);
        }
    }
    Ok(Some(body))
}

fn transport(status: Option<u16>, error: Error) -> PublishError {
    if error.is_timeout() {
        return PublishError::transport(status, "no whole answer in time");
    }
    // The URL names a channel, and the cause is at the end of the chain.
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut source = error::Error::source(&error);
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    PublishError::transport(status, &reason)
}
