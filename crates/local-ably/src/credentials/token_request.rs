//! `requestToken`: from a TokenRequest to a token.

use std::collections::{HashSet, VecDeque};

use ably::{ErrorInfo, TokenDetails, TokenRequest};
use serde::Deserialize;
use serde_json::Value;

use super::capability::{nothing_in_common, read_capability};
use super::issued::TokenMint;
use super::key::KeyRecord;
use super::token::Claims;
use crate::clock::Millis;
use crate::errors::{bad_request, invalid_parameter};

/// How long a token lives that asks for nothing else.
const TTL_DEFAULT: Millis = 3_600_000;
/// How far a request's timestamp may be from the server's clock, either way.
const TIMESTAMP_WINDOW: Millis = 120_000;
/// How many nonces are remembered; beyond this the oldest go first.
const NONCES_MAX: usize = 100_000;
/// The longest `clientId`, in bytes. Ably names no limit; this one keeps tokens short enough to travel in a URL.
const CLIENT_ID_LENGTH_MAX: usize = 2_048;
/// The longest nonce. Ably names no limit; this one bounds memory.
const NONCE_LENGTH_MAX: usize = 256;

/// The body of `requestToken` as it arrives: SDKs send numbers as text, and leave out what they do not want.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct TokenParams {
    key_name: Option<String>,
    ttl: Option<Value>,
    capability: Option<Value>,
    client_id: Option<String>,
    timestamp: Option<Value>,
    nonce: Option<String>,
    mac: Option<String>,
}

/// The nonces of the requests that could still be replayed.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    seen: HashSet<String>,
    in_order: VecDeque<(Millis, String)>,
}

impl Nonces {
    /// Takes a nonce; false if it was used before.
    fn take(&mut self, nonce: &str, now: Millis) -> bool {
        // A request is good from two minutes before its timestamp until two minutes after.
        self.forget_until(now - 2 * TIMESTAMP_WINDOW);
        if !self.seen.insert(nonce.to_owned()) {
            return false;
        }
        self.in_order.push_back((now, nonce.to_owned()));
        if self.in_order.len() > NONCES_MAX
            && let Some((_, oldest)) = self.in_order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }

    fn forget_until(&mut self, moment: Millis) {
        let over = self.in_order.iter().take_while(|(taken, _)| *taken < moment).count();
        for (_, nonce) in self.in_order.drain(..over) {
            self.seen.remove(&nonce);
        }
    }
}

/// Issues a token for a request: signed, or unsigned by somebody who has shown the key itself (`has_key`).
///
/// # Errors
/// 40101 (signature), 40104 (timestamp), 40105 (nonce), 40003 (ttl), 40000 (anything else in it), 40160 (nothing in common).
pub(crate) fn issue(
    record: &KeyRecord,
    mint: &TokenMint,
    nonces: &mut Nonces,
    params: TokenParams,
    has_key: bool,
    now: Millis,
) -> Result<TokenDetails, ErrorInfo> {
    let name = record.key.name();
    if params.key_name.as_deref().is_some_and(|given| given != name.as_str()) {
        return Err(ErrorInfo::new(40101, 401, "the keyName is not the one in the path"));
    }
    let ttl = params.ttl.filter(|ttl| *ttl != "");
    let ttl =
        ttl.map(|ttl| whole_number(&ttl).ok_or_else(|| bad_ttl("is not a whole number"))).transpose()?;
    let capability_text = match params.capability {
        None => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(Value::String(text)) => Some(text),
        Some(object) => Some(object.to_string()),
    };
    let client_id = params.client_id.filter(|id| !id.is_empty());
    let timestamp = params.timestamp.map(|timestamp| read_timestamp(&timestamp)).transpose()?;
    // A line feed would let one field pass for another in the text that is signed. A capability is JSON, which may be laid out
    // in lines where nothing is signed.
    let signed_capability = capability_text.as_ref().filter(|_| params.mac.is_some());
    let fields = [client_id.as_ref(), params.nonce.as_ref(), signed_capability];
    if fields.into_iter().flatten().any(|text| text.chars().any(char::is_control)) {
        return Err(bad_request("a field holds a control character"));
    }
    if client_id.as_ref().is_some_and(|id| id.len() > CLIENT_ID_LENGTH_MAX) {
        return Err(bad_request(format!("a clientId has at most {CLIENT_ID_LENGTH_MAX} bytes")));
    }

    if let Some(mac) = params.mac {
        let request = TokenRequest {
            key_name: name.as_str().to_owned(),
            ttl,
            capability: capability_text.clone(),
            client_id: client_id.clone(),
            timestamp: timestamp.ok_or_else(|| bad_request("the timestamp is missing"))?,
            nonce: params.nonce.ok_or_else(|| bad_request("the nonce is missing"))?,
            mac,
        };
        if !request.is_signed_by(&record.key) {
            return Err(ErrorInfo::new(40101, 401, "the mac is not that of the request under the key"));
        }
        check_timestamp(request.timestamp, now)?;
        if !(16..=NONCE_LENGTH_MAX).contains(&request.nonce.chars().count()) {
            return Err(bad_request(format!(
                "the nonce has fewer than 16 or over {NONCE_LENGTH_MAX} characters"
            )));
        }
        if !nonces.take(&request.nonce, now) {
            return Err(ErrorInfo::new(40105, 401, "the nonce was used before"));
        }
    } else if !has_key {
        return Err(ErrorInfo::new(40101, 401, "the request is neither signed nor made with the key"));
    } else if let Some(timestamp) = timestamp {
        check_timestamp(timestamp, now)?;
    }

    let ttl = match ttl {
        None | Some(0) => TTL_DEFAULT,
        Some(ttl) if ttl < 0 => return Err(bad_ttl("is negative")),
        Some(ttl) if ttl > record.ttl_max() => return Err(bad_ttl("is longer than the key allows")),
        Some(ttl) => ttl,
    };
    let capability = match capability_text {
        None => record.capability.as_ref().clone(),
        Some(text) => read_capability(&text)?.intersect(&record.capability).ok_or_else(nothing_in_common)?,
    };
    let claims =
        Claims { issued: now, expires: now + ttl, capability: None, client_id, revocation_key: None };
    Ok(TokenDetails {
        token: mint.make(name, &claims, &capability),
        key_name: name.as_str().to_owned(),
        issued: claims.issued,
        expires: claims.expires,
        capability: capability.as_given(),
        client_id: claims.client_id,
    })
}

fn bad_ttl(reason: &str) -> ErrorInfo {
    invalid_parameter(format!("the ttl {reason}"))
}

/// A number without a fraction, which some write with one.
fn whole_number(value: &Value) -> Option<i64> {
    // Within this range a float is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[allow(clippy::cast_possible_truncation)]
    let of_float = |float: f64| (float.fract() == 0.0 && float.abs() < EXACT).then_some(float as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(of_float))
}

fn read_timestamp(value: &Value) -> Result<Millis, ErrorInfo> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => whole_number(other),
    }
    .ok_or_else(|| bad_request("the timestamp is not a number of milliseconds"))
}

fn check_timestamp(timestamp: Millis, now: Millis) -> Result<(), ErrorInfo> {
    if timestamp.abs_diff(now) > TIMESTAMP_WINDOW.unsigned_abs() {
        return Err(ErrorInfo::new(
            40104,
            401,
            "the timestamp is not within two minutes of the server's clock",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ably::{Capability, Key};
    use serde_json::json;

    use super::*;

    const NOW: Millis = 1_700_000_000_000;

    struct Desk {
        record: KeyRecord,
        mint: TokenMint,
        nonces: Nonces,
    }

    impl Desk {
        fn new(capability: &str) -> Self {
            let record = KeyRecord {
                key: Key::parse("AbCdEf.GhIjKl:mySecretKey0123456789").unwrap(),
                capability: Arc::new(Capability::parse(capability).unwrap()),
                revocable: false,
            };
            Self { record, mint: TokenMint::new(), nonces: Nonces::default() }
        }

        fn ask(&mut self, body: Value, has_key: bool) -> Result<TokenDetails, u32> {
            let params = serde_json::from_value(body).unwrap();
            issue(&self.record, &self.mint, &mut self.nonces, params, has_key, NOW)
                .map_err(|error| error.code)
        }
    }

    fn signed(change: impl FnOnce(&mut TokenRequest)) -> Value {
        let mut request = TokenRequest {
            key_name: "AbCdEf.GhIjKl".into(),
            ttl: None,
            capability: None,
            client_id: None,
            timestamp: NOW,
            nonce: "0123456789abcdef".into(),
            mac: String::new(),
        };
        change(&mut request);
        let key = Key::parse("AbCdEf.GhIjKl:mySecretKey0123456789").unwrap();
        serde_json::to_value(request.signed(&key)).unwrap()
    }

    #[test]
    fn the_contracts_golden_vector_is_accepted() {
        let mut desk = Desk::new(r#"{"*":["*"]}"#);
        let body = json!({
            "keyName": "AbCdEf.GhIjKl", "timestamp": NOW.to_string(), "nonce": "0123456789abcdef",
            "mac": "RBkG0pCRT38JpQJF1GRPYSPy9cpjfqQl2ncv8uq+HwE=",
        });
        let details = desk.ask(body, false).unwrap();
        assert_eq!((details.issued, details.expires), (NOW, NOW + 3_600_000));
        assert_eq!(details.capability, r#"{"*":["*"]}"#);
    }

    #[test]
    fn a_nonce_serves_once() {
        let mut desk = Desk::new(r#"{"*":["*"]}"#);
        assert!(desk.ask(signed(|_| ()), false).is_ok());
        assert_eq!(desk.ask(signed(|_| ()), false), Err(40105));
        assert!(desk.ask(signed(|request| request.nonce = "fedcba9876543210".into()), false).is_ok());
    }

    #[test]
    fn a_nonce_is_remembered_as_long_as_its_request_is_good() {
        let mut nonces = Nonces::default();
        assert!(nonces.take("n", NOW));
        assert!(!nonces.take("n", NOW + 240_000));
        assert!(nonces.take("n", NOW + 240_001));
    }

    #[test]
    fn a_timestamp_is_within_two_minutes_either_way() {
        for (timestamp, result) in [
            (NOW - 120_000, None),
            (NOW + 120_000, None),
            (NOW - 120_001, Some(40104)),
            (NOW + 120_001, Some(40104)),
        ] {
            let mut desk = Desk::new(r#"{"*":["*"]}"#);
            let asked = desk.ask(signed(|request| request.timestamp = timestamp), false);
            assert_eq!(asked.err(), result, "{timestamp}");
        }
    }

    #[test]
    fn a_mac_that_does_not_fit_is_refused() {
        let mut desk = Desk::new(r#"{"*":["*"]}"#);
        let mut body = signed(|_| ());
        body["clientId"] = json!("mallory");
        assert_eq!(desk.ask(body, false), Err(40101));
        assert_eq!(desk.ask(json!({"timestamp": NOW, "nonce": "0123456789abcdef"}), false), Err(40101));
        assert_eq!(desk.ask(json!({"keyName": "other.key"}), true), Err(40101));
    }

    #[test]
    fn whoever_has_the_key_need_not_sign() {
        let mut desk = Desk::new(r#"{"*":["*"]}"#);
        assert!(desk.ask(json!({}), true).is_ok());
        assert!(desk.ask(json!({"ttl": null, "capability": "", "clientId": "x"}), true).is_ok());
    }

    #[test]
    fn a_ttl_is_a_number_from_0_to_a_day() {
        let mut desk = Desk::new(r#"{"*":["*"]}"#);
        for (ttl, result) in [
            (json!(1), None),
            (json!(86_400_000), None),
            (json!(86_400_001), Some(40003)),
            (json!(-1), Some(40003)),
            (json!("soon"), Some(40003)),
            (json!("60000"), Some(40003)),
            (json!(60_000.5), Some(40003)),
            (json!(1e300), Some(40003)),
            (json!({"key": "value"}), Some(40003)),
            (json!([60_000]), Some(40003)),
            (json!(true), Some(40003)),
            (json!(60_000.0), None),
            (json!(""), None),
        ] {
            assert_eq!(desk.ask(json!({"ttl": ttl}), true).err(), result, "{ttl}");
        }
        desk.record.revocable = true;
        assert_eq!(desk.ask(json!({"ttl": 3_600_001}), true), Err(40003));
    }

    #[test]
    fn a_token_gets_what_it_asks_for_and_the_key_has_in_the_order_asked() {
        let mut desk = Desk::new(r#"{"a":["publish","subscribe"],"b":["history"]}"#);
        let ask = |capability: Value| json!({"capability": capability});
        let given = desk.ask(ask(json!(r#"{"a":["subscribe","publish","presence"]}"#)), true).unwrap();
        assert_eq!(given.capability, r#"{"a":["subscribe","publish"]}"#);
        assert_eq!(desk.ask(ask(json!({"b": ["*"]})), true).unwrap().capability, r#"{"b":["history"]}"#);
        assert_eq!(desk.ask(ask(json!(r#"{"c":["subscribe"]}"#)), true), Err(40160));
        assert_eq!(desk.ask(ask(json!({})), true), Err(40160), "what asks for nothing gets nothing");
        for bad in [r#"{"a":[]}"#, r#"{"a":["fly"]}"#, r#"{"a":["*","publish"]}"#, "nonsense"] {
            assert_eq!(desk.ask(ask(json!(bad)), true), Err(40000), "{bad}");
        }
    }

    #[test]
    fn control_characters_are_refused_in_every_field_that_is_signed() {
        let mut desk = Desk::new(r#"{"*":["*"]}"#);
        for control in ['\n', '\r', '\0', '\t', '\u{7f}', '\u{85}'] {
            let client_id = format!("a{control}b");
            assert_eq!(desk.ask(json!({"clientId": client_id}), true), Err(40000), "{control:?}");
            for request in [
                signed(|request| request.client_id = Some(client_id.clone())),
                signed(|request| request.nonce = format!("0123456789abcdef{control}")),
                signed(|request| request.capability = Some(format!("{{{control}\"a\":[\"publish\"]}}"))),
            ] {
                assert_eq!(desk.ask(request, false), Err(40000), "{control:?}");
            }
        }
        assert_eq!(desk.ask(json!({"capability": {"a\nb": ["publish"]}}), true), Err(40000));
        assert!(desk.ask(json!({"capability": "{\n  \"a\": [\"publish\"]\n}"}), true).is_ok());
    }

    #[test]
    fn what_goes_into_a_token_is_bounded() {
        let mut desk = Desk::new(r#"{"*":["*"]}"#);
        assert_eq!(desk.ask(json!({"clientId": "x".repeat(2_049)}), true), Err(40000));
        assert!(desk.ask(json!({"clientId": "x".repeat(2_048)}), true).is_ok());
        let resource = "x".repeat(16 * 1024);
        assert_eq!(desk.ask(json!({"capability": {resource: ["publish"]}}), true), Err(40000));
    }
}
