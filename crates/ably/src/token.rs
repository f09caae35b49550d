//! Tokens: the TokenRequest that an SDK exchanges with Ably, the Ably JWT that needs no exchange, and TokenDetails.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::capability::Capability;
use crate::key::Key;

/// The longest lifetime of a token, in seconds, unless its key has revocable tokens.
pub const TTL_MAX_SECONDS: u64 = 24 * 3600;
/// The longest lifetime of a token of a key with revocable tokens, in seconds.
pub const TTL_MAX_REVOCABLE_SECONDS: u64 = 3600;

/// A signed request for a token (features.md, TE1–TE6). Field order and names are the wire's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRequest {
    /// The key that signs it, `appId.keyId`.
    pub key_name: String,
    /// Requested lifetime in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    /// Requested capability as JSON text. **Left out, the token inherits the whole key.**
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<String>,
    /// The identity of whoever will use the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// When it was made, Unix milliseconds. Ably accepts two minutes either way.
    pub timestamp: i64,
    /// At least 16 characters, used once.
    pub nonce: String,
    /// Padded standard base64 of the HMAC-SHA256 of [`sign_text`](Self::sign_text) under the key's secret.
    #[serde(default)]
    pub mac: String,
}

impl TokenRequest {
    /// What the MAC covers: six lines, each ended by a line feed, an omitted value being an empty line.
    pub fn sign_text(&self) -> String {
        let ttl = self.ttl.map(|ttl| ttl.to_string()).unwrap_or_default();
        let capability = self.capability.as_deref().unwrap_or_default();
        let client_id = self.client_id.as_deref().unwrap_or_default();
        format!("{}\n{ttl}\n{capability}\n{client_id}\n{}\n{}\n", self.key_name, self.timestamp, self.nonce)
    }

    /// Fills in `mac`.
    pub fn signed(mut self, key: &Key) -> Self {
        self.mac = self
            .expected_mac(key)
            .map(|mac| STANDARD.encode(mac.finalize().into_bytes()))
            .unwrap_or_default();
        self
    }

    /// Whether `mac` is this key's, compared in constant time.
    pub fn is_signed_by(&self, key: &Key) -> bool {
        match (self.expected_mac(key), STANDARD.decode(&self.mac)) {
            (Some(mac), Ok(given)) => mac.verify_slice(&given).is_ok(),
            _ => false,
        }
    }

    fn expected_mac(&self, key: &Key) -> Option<Hmac<Sha256>> {
        Some(mac(key)?.chain_update(self.sign_text()))
    }
}

/// A token and what it is good for, as `requestToken` answers (features.md, TD1–TD6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenDetails {
    /// The token itself.
    pub token: String,
    /// The key that issued it.
    pub key_name: String,
    /// Unix milliseconds. ably-js refuses details without it.
    pub issued: i64,
    /// Unix milliseconds.
    pub expires: i64,
    /// The capability as JSON text.
    pub capability: String,
    /// The identity that the token carries, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// HMAC-SHA256 under the key's secret. HMAC takes one of any length, so it is always there.
fn mac(key: &Key) -> Option<Hmac<Sha256>> {
    Hmac::new_from_slice(key.secret().expose().as_bytes()).ok()
}

/// What an Ably JWT says beside its times (Ably docs, "Ably JWT"). It is a token by itself: no call to Ably issues it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtClaims<'a> {
    /// What the token allows. Never left out: a JWT without it inherits the whole key.
    pub capability: &'a Capability,
    /// The identity that the token carries, if any.
    pub client_id: Option<&'a str>,
    /// What `revokeTokens` can name besides the `clientId`.
    pub revocation_key: Option<&'a str>,
}

#[derive(Serialize)]
struct Header<'a> {
    typ: &'static str,
    alg: &'static str,
    kid: &'a str,
}

#[derive(Serialize)]
struct WireClaims<'a> {
    #[serde(rename = "x-ably-capability")]
    capability: String,
    #[serde(rename = "x-ably-clientId", skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(rename = "x-ably-revocation-key", skip_serializing_if = "Option::is_none")]
    revocation_key: Option<&'a str>,
}

impl JwtClaims<'_> {
    /// Prepares tokens of these claims, signed with a key: HS256, unpadded base64url, `kid` being the key's name.
    ///
    /// None where the claims cannot be written as JSON, which with these types does not happen.
    pub fn prepare(&self, key: &Key) -> Option<PreparedJwt> {
        let header = Header { typ: "JWT", alg: "HS256", kid: key.name().as_str() };
        let mut claims = serde_json::to_string(&WireClaims {
            capability: self.capability.to_string(),
            client_id: self.client_id,
            revocation_key: self.revocation_key,
        })
        .ok()?;
        // The times come last. Spaces, which JSON does not count, fill up what comes before them to whole groups of base64's three bytes:
        // so its text and its MAC are the beginning of those of each token.
        claims.pop();
        claims.push(',');
        while !claims.len().is_multiple_of(3) {
            claims.push(' ');
        }
        let header = URL_SAFE_NO_PAD.encode(serde_json::to_string(&header).ok()?);
        let text = [&header, ".", &URL_SAFE_NO_PAD.encode(claims)].concat();
        let mac = mac(key)?.chain_update(&text);
        Some(PreparedJwt { text, mac })
    }
}

/// All of a JWT but its times, so that a token that is issued again and again costs what is new in it.
pub struct PreparedJwt {
    text: String,
    /// It has taken in the key and `text`. Whoever has it can sign what begins with that: so it is as secret as a key.
    mac: Hmac<Sha256>,
}

impl PreparedJwt {
    /// The token that is issued at one time and expires at another, in Unix seconds.
    pub fn sign(&self, issued_at: u64, expires_at: u64) -> String {
        let times = URL_SAFE_NO_PAD.encode(format!("\"iat\":{issued_at},\"exp\":{expires_at}}}"));
        let mac = self.mac.clone().chain_update(&times).finalize().into_bytes();
        [&self.text, &times, ".", &URL_SAFE_NO_PAD.encode(mac)].concat()
    }
}

impl fmt::Debug for PreparedJwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PreparedJwt(…)")
    }
}

#[cfg(test)]
mod tests {
    use jwt_compact::alg::{Hs256, Hs256Key};
    use jwt_compact::{AlgorithmExt, UntrustedToken};

    use super::*;

    fn key() -> Key {
        Key::parse("AbCdEf.GhIjKl:mySecretKey0123456789").unwrap()
    }

    fn bare_request() -> TokenRequest {
        TokenRequest {
            key_name: "AbCdEf.GhIjKl".into(),
            ttl: None,
            capability: None,
            client_id: None,
            timestamp: 1_700_000_000_000,
            nonce: "0123456789abcdef".into(),
            mac: String::new(),
        }
    }

    const CAPABILITY: &str = r#"{"[meta]log":["subscribe"],"driver:7":["presence","publish"],"job:42:location":["history","subscribe"]}"#;

    #[test]
    fn the_mac_equals_ablys_golden_vectors() {
        let full = TokenRequest {
            ttl: Some(3_600_000),
            capability: Some(CAPABILITY.into()),
            client_id: Some("user-123".into()),
            ..bare_request()
        };
        assert_eq!(full.signed(&key()).mac, "NjZ0LmvhG8B0SKsuGJMl5rRo+p/dRI1/bi9mG+NZaaw=");
        assert_eq!(bare_request().signed(&key()).mac, "RBkG0pCRT38JpQJF1GRPYSPy9cpjfqQl2ncv8uq+HwE=");
    }

    #[test]
    fn a_mac_covers_every_field() {
        let signed = bare_request().signed(&key());
        assert!(signed.is_signed_by(&key()));
        let other = Key::parse("AbCdEf.GhIjKl:another").unwrap();
        assert!(!signed.is_signed_by(&other));
        for changed in [
            TokenRequest { ttl: Some(1), ..signed.clone() },
            TokenRequest { capability: Some("{}".into()), ..signed.clone() },
            TokenRequest { client_id: Some("x".into()), ..signed.clone() },
            TokenRequest { timestamp: 1, ..signed.clone() },
            TokenRequest { nonce: "0".into(), ..signed.clone() },
            TokenRequest { key_name: "a.b".into(), ..signed.clone() },
            TokenRequest { mac: String::new(), ..signed.clone() },
            TokenRequest { mac: "%".into(), ..signed.clone() },
        ] {
            assert!(!changed.is_signed_by(&key()), "{changed:?}");
        }
    }

    fn claims(capability: &Capability) -> JwtClaims<'_> {
        JwtClaims { capability, client_id: Some("user-123"), revocation_key: Some("job:1") }
    }

    #[test]
    fn a_jwt_has_ablys_header_and_claims() {
        let capability = Capability::parse(r#"{"b":["subscribe","publish"],"a":["*"]}"#).unwrap();
        let jwt = claims(&capability).prepare(&key()).unwrap().sign(1_700_000_000, 1_700_000_900);
        let parts: Vec<serde_json::Value> = jwt
            .split('.')
            .take(2)
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        assert_eq!(parts[0], serde_json::json!({"alg": "HS256", "typ": "JWT", "kid": "AbCdEf.GhIjKl"}));
        assert_eq!(
            parts[1],
            serde_json::json!({
                "iat": 1_700_000_000, "exp": 1_700_000_900, "x-ably-clientId": "user-123",
                "x-ably-revocation-key": "job:1",
                "x-ably-capability": r#"{"a":["*"],"b":["publish","subscribe"]}"#,
            })
        );
    }

    #[test]
    fn another_library_takes_it_whatever_its_length_and_with_that_key_alone() {
        for length in 1..=9 {
            let user = "ü".repeat(length);
            let capability = Capability::parse(r#"{"a":["subscribe"]}"#).unwrap();
            let claims = JwtClaims { client_id: Some(&user), revocation_key: None, ..claims(&capability) };
            let prepared = claims.prepare(&key()).unwrap();
            for (iat, exp) in [(1, 2), (1_700_000_000, 1_700_000_900), (4_000_000_000, 4_000_000_001)] {
                let jwt = prepared.sign(iat, exp);
                let check = |secret: &[u8]| {
                    let untrusted = UntrustedToken::new(&jwt).unwrap();
                    Hs256.validator::<serde_json::Value>(&Hs256Key::new(secret)).validate(&untrusted)
                };
                assert!(check(b"mySecretKey0123456788").is_err());
                let claims = serde_json::to_value(check(b"mySecretKey0123456789").unwrap().claims()).unwrap();
                assert_eq!(claims["x-ably-clientId"], user);
            }
        }
    }
}
