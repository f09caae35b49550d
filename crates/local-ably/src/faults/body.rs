//! Faults as they are asked for: one flat JSON object, read into what it means.

use ably::{ChannelPattern, ErrorInfo, KeyName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::spec::{Blow, Clients, Effect, Extent, PartRefusal, Publishes, Refusal, Spec, Transport};
use crate::clock::Millis;
use crate::errors::bad_request;

/// The longest that a fault may hold something up, in milliseconds.
pub(super) const HOLD_MAX: Millis = 600_000;
/// The longest that a fault may be in force, in milliseconds.
const FOR_MAX: Millis = 24 * 3_600_000;
const TIMES_MAX: u64 = 1_000_000_000;
const TEXT_MAX: usize = 500;
const RETRY_AFTER_MAX: u32 = 86_400;

/// How a fault came in, and how it is told again.
#[derive(Debug, Default, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_ms: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<By>,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    for_ms: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<Transport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Error,
    Hang,
    Reset,
    Truncate,
    Slow,
    RefuseKey,
    RefuseConnections,
    DropConnections,
    ExpireTokens,
}

/// How a connection is refused or dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum By {
    Reset,
    Http,
    Disconnected,
    Error,
}

impl Body {
    /// The body as JSON, in which only what was given stands.
    pub(super) fn as_given(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        }
    }

    /// What is asked for.
    ///
    /// # Errors
    /// 40000 for a value out of range, or a field that the kind of fault does not have.
    pub(super) fn read(mut self) -> Result<(Spec, Extent), ErrorInfo> {
        let kind = self.kind.take().ok_or_else(|| bad_request("a fault has a kind"))?;
        let spec = match kind {
            Kind::Error if self.transport == Some(Transport::RestPart) => {
                self.transport = None;
                if self.retry_after.is_some() {
                    return Err(bad_request("a part of a batch has no headers, and so no retryAfter"));
                }
                let stored = self.stored.take().unwrap_or(false);
                let error = self.error(None, "the local Ably was told to refuse this part")?;
                Spec::RefusePart { channel: self.channel()?, refusal: PartRefusal { error, stored } }
            }
            Kind::Error => {
                let retry_after = in_range("retryAfter", self.retry_after.take(), 0..=RETRY_AFTER_MAX)?;
                let stored = self.stored.take().unwrap_or(false);
                let error = self.error(None, "the local Ably was told to answer this")?;
                Spec::Publish { of: self.publishes()?, effect: Effect::Answer { error, retry_after, stored } }
            }
            Kind::Hang => {
                let millis = in_range("holdMs", self.hold_ms.take(), 1..=HOLD_MAX)?.unwrap_or(HOLD_MAX);
                let stored = self.stored.take().unwrap_or(false);
                Spec::Publish { of: self.publishes()?, effect: Effect::Hold { millis, stored } }
            }
            Kind::Reset => {
                let stored = self.stored.take().unwrap_or(false);
                Spec::Publish { of: self.publishes()?, effect: Effect::Reset { stored } }
            }
            Kind::Truncate => Spec::Publish { of: self.publishes()?, effect: Effect::Truncate },
            Kind::Slow => {
                let millis = in_range("holdMs", self.hold_ms.take(), 1..=HOLD_MAX)?;
                let millis = millis.ok_or_else(|| bad_request("slow needs holdMs"))?;
                Spec::Publish { of: self.publishes()?, effect: Effect::Dribble { millis } }
            }
            Kind::RefuseKey => Spec::RefuseKey {
                key: self.key()?,
                error: self.error(Some(40101), "the local Ably was told to refuse the key")?,
            },
            Kind::RefuseConnections => {
                let by = self.by.take().unwrap_or(By::Reset);
                let mut error = || self.error(Some(80003), "the local Ably was told to refuse connections");
                let refusal = match by {
                    By::Reset => Refusal::Reset,
                    By::Http => Refusal::Http(error()?),
                    By::Disconnected => Refusal::Disconnected(error()?),
                    By::Error => Refusal::Failed(error()?),
                };
                Spec::RefuseConnections { of: self.clients()?, refusal }
            }
            Kind::DropConnections => {
                let blow = match self.by.take().unwrap_or(By::Reset) {
                    By::Reset => Blow::Reset,
                    By::Disconnected => {
                        let message = "the local Ably was told to drop the connection";
                        Blow::Disconnected(self.error(Some(80003), message)?)
                    }
                    By::Http | By::Error => {
                        return Err(bad_request("connections are dropped by reset or by disconnected"));
                    }
                };
                Spec::DropConnections { of: self.clients()?, blow }
            }
            Kind::ExpireTokens => Spec::ExpireTokens { of: self.clients()? },
        };
        let lasts = !matches!(kind, Kind::DropConnections | Kind::ExpireTokens);
        let extent = if lasts { self.extent()? } else { Extent::default() };
        // All that the kind has was taken.
        if let Some(field) = self.as_given().keys().next() {
            let kind = serde_json::to_value(kind).unwrap_or_default();
            return Err(bad_request(format!("a fault of kind {kind} has no {field}")));
        }
        Ok((spec, extent))
    }

    fn error(&mut self, default: Option<u32>, message: &str) -> Result<ErrorInfo, ErrorInfo> {
        let status = in_range("status", self.status.take(), 400..=599)?;
        let code = in_range("code", self.code.take(), 10_000..=99_999)?.or(default);
        let (code, status) = match (code, status) {
            (Some(code), status) => (code, status.unwrap_or_else(|| status_of(code))),
            (None, Some(status)) => (code_of(status), status),
            (None, None) => (50000, 500),
        };
        Ok(ErrorInfo::new(code, status, text("message", self.message.take())?.as_deref().unwrap_or(message)))
    }

    fn publishes(&mut self) -> Result<Publishes, ErrorInfo> {
        if self.transport == Some(Transport::RestPart) {
            return Err(bad_request("a part of a batch can be refused by an error, and meet nothing else"));
        }
        Ok(Publishes { channel: self.channel()?, transport: self.transport.take() })
    }

    fn channel(&mut self) -> Result<Option<ChannelPattern>, ErrorInfo> {
        let channel = text("channel", self.channel.take())?.map(|channel| {
            ChannelPattern::parse(&channel).map_err(|error| bad_request(format!("channel: {error}")))
        });
        channel.transpose()
    }

    fn key(&mut self) -> Result<Option<KeyName>, ErrorInfo> {
        let key = self.key.take().map(|key| {
            // A whole key has a secret, which is not to be told again.
            KeyName::parse(key)
                .map_err(|_| bad_request("key is the name of one, appId.keyId, without its secret"))
        });
        key.transpose()
    }

    fn clients(&mut self) -> Result<Clients, ErrorInfo> {
        Ok(Clients { key: self.key()?, client_id: text("clientId", self.client_id.take())? })
    }

    fn extent(&mut self) -> Result<Extent, ErrorInfo> {
        let times = in_range("times", self.times.take(), 1..=TIMES_MAX)?;
        let share = self.share.take();
        if share.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            return Err(bad_request("share is above 0 and at most 1"));
        }
        let seed = self.seed.take();
        if seed.is_some() && share.is_none() {
            return Err(bad_request("a seed needs a share"));
        }
        let millis = in_range("forMs", self.for_ms.take(), 1..=FOR_MAX)?;
        Ok(Extent { times, share, seed: seed.unwrap_or(0), millis })
    }
}

fn in_range<T: PartialOrd + std::fmt::Display>(
    name: &str,
    value: Option<T>,
    range: std::ops::RangeInclusive<T>,
) -> Result<Option<T>, ErrorInfo> {
    match value {
        Some(value) if !range.contains(&value) => {
            Err(bad_request(format!("{name} is from {} to {}", range.start(), range.end())))
        }
        value => Ok(value),
    }
}

fn text(name: &str, value: Option<String>) -> Result<Option<String>, ErrorInfo> {
    match value {
        Some(value) if value.is_empty() || value.len() > TEXT_MAX => {
            Err(bad_request(format!("{name} has from 1 to {TEXT_MAX} bytes")))
        }
        value => Ok(value),
    }
}

/// The status that goes with a code, unless another is asked for.
fn status_of(code: u32) -> u16 {
    match code {
        40111 | 40114 | 40115 => 403,
        // For credentials, which is where this matters, it has the status of those.
        40400 => 401,
        80_000..=89_999 => 503,
        // All codes fit.
        _ => u16::try_from(code / 100).ok().filter(|status| (400..=599).contains(status)).unwrap_or(500),
    }
}

/// The code that goes with a status, unless another is asked for.
fn code_of(status: u16) -> u32 {
    match status {
        400 => 40000,
        401 => 40101,
        429 => 42910,
        500 => 50000,
        502 => 50210,
        503 => 50310,
        504 => 50003,
        other => u32::from(other) * 100,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<(Spec, Extent), String> {
        let body: Body = serde_json::from_value(body.clone()).map_err(|error| error.to_string())?;
        body.read().map_err(|error| {
            assert_eq!(error.code, 40000);
            error.message
        })
    }

    fn effect(body: &Value) -> Effect {
        match read(body) {
            Ok((Spec::Publish { effect, .. }, _)) => effect,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn code_and_status_follow_from_each_other() {
        for (body, code, status) in [
            (json!({"kind": "error"}), 50000, 500),
            (json!({"kind": "error", "status": 503}), 50310, 503),
            (json!({"kind": "error", "status": 429}), 42910, 429),
            (json!({"kind": "error", "status": 404}), 40400, 404),
            (json!({"kind": "error", "code": 40009}), 40009, 400),
            (json!({"kind": "error", "code": 40111}), 40111, 403),
            (json!({"kind": "error", "code": 40160, "status": 418}), 40160, 418),
            (json!({"kind": "error", "code": 80003}), 80003, 503),
            (json!({"kind": "error", "code": 10000}), 10000, 500),
        ] {
            let Effect::Answer { error, .. } = effect(&body) else { panic!("{body}") };
            assert_eq!((error.code, error.status_code), (code, status), "{body}");
        }
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        assert_eq!(effect(&json!({"kind": "hang"})), Effect::Hold { millis: HOLD_MAX, stored: false });
        assert_eq!(effect(&json!({"kind": "reset", "stored": true})), Effect::Reset { stored: true });
        let (spec, extent) = read(&json!({"kind": "refuse-key"})).unwrap();
        assert!(matches!(spec, Spec::RefuseKey { key: None, error } if error.code == 40101));
        assert!(extent.times.is_none() && extent.share.is_none() && extent.millis.is_none());
        let (spec, _) = read(&json!({"kind": "refuse-connections"})).unwrap();
        assert!(matches!(spec, Spec::RefuseConnections { refusal: Refusal::Reset, of } if of.is_everybody()));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (body, reason) in [
            (json!({}), "kind"),
            (json!({"kind": "fly"}), "fly"),
            (json!({"kind": "error", "sttaus": 500}), "sttaus"),
            (json!({"kind": "error", "status": 200}), "status"),
            (json!({"kind": "error", "status": 600}), "status"),
            (json!({"kind": "error", "code": 7}), "code"),
            (json!({"kind": "error", "retryAfter": 86_401}), "retryAfter"),
            (json!({"kind": "error", "retryAfter": -1}), "-1"),
            (json!({"kind": "error", "message": "x".repeat(501)}), "message"),
            (json!({"kind": "error", "times": 0}), "times"),
            (json!({"kind": "error", "share": 0}), "share"),
            (json!({"kind": "error", "share": 1.1}), "share"),
            (json!({"kind": "error", "seed": 1}), "seed"),
            (json!({"kind": "error", "forMs": 0}), "forMs"),
            (json!({"kind": "error", "channel": ""}), "channel"),
            (json!({"kind": "error", "transport": "carrier pigeon"}), "carrier pigeon"),
            (json!({"kind": "error", "transport": "rest-part", "retryAfter": 1}), "retryAfter"),
            (json!({"kind": "reset", "transport": "rest-part"}), "a part of a batch"),
            (json!({"kind": "error", "key": "a.b"}), "no key"),
            (json!({"kind": "hang", "holdMs": HOLD_MAX + 1}), "holdMs"),
            (json!({"kind": "hang", "status": 500}), "no status"),
            (json!({"kind": "slow"}), "holdMs"),
            (json!({"kind": "truncate", "stored": false}), "no stored"),
            (json!({"kind": "refuse-key", "key": "a.b:secret"}), "without its secret"),
            (json!({"kind": "refuse-key", "channel": "a"}), "no channel"),
            (json!({"kind": "refuse-connections", "code": 40101}), "no code"),
            (json!({"kind": "drop-connections", "by": "http"}), "dropped by"),
            (json!({"kind": "drop-connections", "times": 1}), "no times"),
            (json!({"kind": "expire-tokens", "forMs": 1}), "no forMs"),
            (json!([]), "kind"),
            (json!("error"), "error"),
        ] {
            let error = read(&body).unwrap_err();
            assert!(error.contains(reason), "{body}: {error}");
        }
    }

    #[test]
    fn publishes_are_told_apart_by_channel_and_transport() {
        let of = |body: Value| match read(&body) {
            Ok((Spec::Publish { of, .. }, _)) => of,
            other => panic!("{other:?}"),
        };
        let jobs = of(json!({"kind": "reset", "channel": "job:*"}));
        let on = |channels: &[&str]| channels.iter().map(|channel| (*channel).to_owned()).collect::<Vec<_>>();
        assert!(jobs.include(Transport::Rest, &on(&["job:1"])));
        assert!(jobs.include(Transport::Rest, &on(&["other", "job:1"])));
        assert!(!jobs.include(Transport::Rest, &on(&["other"])) && !jobs.include(Transport::Rest, &[]));
        let rest = of(json!({"kind": "reset", "transport": "rest"}));
        assert!(rest.include(Transport::Rest, &[]) && !rest.include(Transport::Realtime, &on(&["a"])));
        let batches = of(json!({"kind": "reset", "transport": "rest-batch", "channel": "job:*"}));
        assert!(batches.include(Transport::RestBatch, &on(&["other", "job:1"])));
        assert!(!batches.include(Transport::RestBatch, &on(&["other", "another"])));
        assert!(!batches.include(Transport::Rest, &on(&["job:1"])));
        for as_ever in [&jobs, &rest] {
            assert!(as_ever.include(Transport::RestBatch, &on(&["other", "job:1"])));
        }
    }
}
