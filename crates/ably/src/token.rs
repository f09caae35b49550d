//! Tokens: the TokenRequest that an SDK exchanges with Ably, the Ably JWT that needs no exchange, and TokenDetails.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt, Claims, CreationError, Header};
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
        // HMAC takes a key of any length, so this is always there.
        let mac = Hmac::<Sha256>::new_from_slice(key.secret().expose().as_bytes()).ok()?;
        Some(mac.chain_update(self.sign_text()))
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

/// The claims of an Ably JWT (Ably docs, "Ably JWT"). It is a token by itself: no call to Ably issues it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtClaims<'a> {
    /// Unix seconds.
    pub issued_at: u64,
    /// Unix seconds.
    pub expires_at: u64,
    /// What the token allows. Never left out: a JWT without it inherits the whole key.
    pub capability: &'a Capability,
    /// The identity that the token carries, if any.
    pub client_id: Option<&'a str>,
    /// What `revokeTokens` can name besides the `clientId`.
    pub revocation_key: Option<&'a str>,
}

#[derive(Serialize)]
struct WireClaims<'a> {
    iat: u64,
    exp: u64,
    #[serde(rename = "x-ably-capability")]
    capability: String,
    #[serde(rename = "x-ably-clientId", skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(rename = "x-ably-revocation-key", skip_serializing_if = "Option::is_none")]
    revocation_key: Option<&'a str>,
}

impl JwtClaims<'_> {
    /// Signs the claims with a key, HS256, unpadded base64url, `kid` being the key's name.
    ///
    /// # Errors
    /// [`CreationError`] where the claims cannot be serialised; with these types that does not happen.
    pub fn sign(&self, key: &Key) -> Result<String, CreationError> {
        let header = Header::empty().with_token_type("JWT").with_key_id(key.name().as_str());
        let claims = Claims::new(WireClaims {
            iat: self.issued_at,
            exp: self.expires_at,
            capability: self.capability.to_string(),
            client_id: self.client_id,
            revocation_key: self.revocation_key,
        });
        Hs256.token(&header, &claims, &Hs256Key::new(key.secret().expose().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

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

    #[test]
    fn a_jwt_has_ablys_header_and_claims() {
        let claims = JwtClaims {
            issued_at: 1_700_000_000,
            expires_at: 1_700_000_900,
            capability: &Capability::parse(r#"{"b":["subscribe","publish"],"a":["*"]}"#).unwrap(),
            client_id: Some("user-123"),
            revocation_key: Some("job:1"),
        };
        let jwt = claims.sign(&key()).unwrap();
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
}
