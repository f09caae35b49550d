//! Ably JWTs, read and checked by the server itself: unlike what JWT libraries take, `iat` and `exp` may be fractional.

use ably::{ErrorInfo, KeyName, Secret};
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

use super::capability::read_capability;
use super::token::{Claims, expired};
use crate::clock::Millis;
use crate::errors::invalid_parameter;

/// How far ahead of the server's clock an `iat` may be.
const ISSUED_AHEAD_MAX: Millis = 60_000;
/// Longer texts are refused unread; Ably advises to stay under 8 KB.
pub(super) const JWT_LENGTH_MAX: usize = 64 * 1024;

const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Clients match the one or the other of these phrases, which are Ably's.
const WRONG_SIGNATURE: &str = "Error verifying JWT; err = invalid signature: signature verification failed";

/// A JWT of the right form, whose signature nobody has checked yet.
pub(crate) struct UnverifiedJwt {
    key_name: KeyName,
    /// Header and claims as signed.
    signed: String,
    signature: Vec<u8>,
    claims: Map<String, Value>,
}

/// 40144, with what is wrong with the JWT.
pub(super) fn malformed(reason: &str) -> ErrorInfo {
    ErrorInfo::new(40144, 401, format!("invalid JWT: {reason}"))
}

/// A part that is an object: the header, or the claims.
///
/// # Errors
/// 40144.
pub(super) fn part(text: &str) -> Result<Map<String, Value>, ErrorInfo> {
    let bytes = BASE64URL.decode(text).map_err(|_| malformed("a part is not base64url"))?;
    serde_json::from_slice(&bytes).map_err(|_| malformed("a part is not a JSON object"))
}

/// A claim in seconds, as milliseconds.
///
/// # Errors
/// 40144 where it is missing, or no number.
#[allow(clippy::cast_possible_truncation)] // Out of range it saturates: such a token is expired, or lives too long.
pub(super) fn moment(claims: &Map<String, Value>, claim: &str) -> Result<Millis, ErrorInfo> {
    claims
        .get(claim)
        .and_then(Value::as_f64)
        .map(|seconds| (seconds * 1000.0).round() as Millis)
        .ok_or_else(|| malformed(&format!("its {claim} is not a number")))
}

impl UnverifiedJwt {
    /// Reads a JWT.
    ///
    /// # Errors
    /// 40144 where its form, its algorithm or its `kid` is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, ErrorInfo> {
        if text.len() > JWT_LENGTH_MAX {
            return Err(malformed("it is too long"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or_else(|| malformed("it has no three parts"))?;
        let (header, claims) = signed.split_once('.').ok_or_else(|| malformed("it has no three parts"))?;
        let header = part(header)?;
        if header.get("alg").and_then(Value::as_str) != Some("HS256") {
            return Err(malformed("its algorithm is not HS256"));
        }
        let key_name = header
            .get("kid")
            .and_then(Value::as_str)
            .and_then(|kid| KeyName::parse(kid).ok())
            .ok_or_else(|| malformed("its kid is not the name of a key"))?;
        Ok(Self {
            key_name,
            signed: signed.to_owned(),
            signature: BASE64URL.decode(signature).map_err(|_| malformed("a part is not base64url"))?,
            claims: part(claims)?,
        })
    }

    /// The key that it says signed it.
    pub(crate) fn key_name(&self) -> &KeyName {
        &self.key_name
    }

    /// Checks signature, times and claims.
    ///
    /// # Errors
    /// 40144 for the signature and for bad claims, 40142 once expired, 40003 where it lives longer than `ttl_max`.
    pub(crate) fn verify(&self, secret: &Secret, ttl_max: Millis, now: Millis) -> Result<Claims, ErrorInfo> {
        let mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
            .map_err(|_| malformed("its signature cannot be checked"))?;
        mac.chain_update(&self.signed)
            .verify_slice(&self.signature)
            .map_err(|_| malformed(WRONG_SIGNATURE))?;
        let issued = moment(&self.claims, "iat")?;
        let expires = moment(&self.claims, "exp")?;
        if expires <= now {
            return Err(expired());
        }
        if issued > now.saturating_add(ISSUED_AHEAD_MAX) {
            return Err(malformed("its iat is in the future"));
        }
        if expires.saturating_sub(issued) > ttl_max {
            return Err(invalid_parameter(format!("the token lives longer than {ttl_max} ms")));
        }
        let capability = self
            .text("x-ably-capability")?
            .map(|text| read_capability(text).map_err(|error| malformed(&error.message)))
            .transpose()?;
        let revocation_key = self.text("x-ably-revocation-key")?.map(str::to_owned);
        if revocation_key.as_deref().is_some_and(str::is_empty) {
            return Err(malformed("its revocation key is empty"));
        }
        let client_id = self.text("x-ably-clientId")?.map(str::to_owned);
        Ok(Claims { issued, expires, capability, client_id, revocation_key })
    }

    fn text(&self, claim: &str) -> Result<Option<&str>, ErrorInfo> {
        match self.claims.get(claim) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(malformed(&format!("its {claim} is not a text"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use ably::{Capability, JwtClaims, Key};
    use serde_json::json;

    use super::*;

    const NOW: Millis = 1_700_000_000_000;
    const DAY: Millis = 24 * 3_600_000;

    fn key() -> Key {
        Key::parse("AbCdEf.GhIjKl:mySecretKey0123456789").unwrap()
    }

    fn sign(header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let mac = Hmac::<Sha256>::new_from_slice(key().secret().expose().as_bytes()).unwrap();
        let mac = mac.chain_update(&signed).finalize().into_bytes();
        format!("{signed}.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(mac))
    }

    fn encode(value: &Value) -> String {
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
    }

    fn header() -> Value {
        json!({"typ": "JWT", "alg": "HS256", "kid": "AbCdEf.GhIjKl"})
    }

    fn check(text: &str) -> Result<Claims, u32> {
        UnverifiedJwt::parse(text)
            .and_then(|jwt| jwt.verify(key().secret(), DAY, NOW))
            .map_err(|error| error.code)
    }

    fn check_claims(claims: &Value) -> Result<Claims, u32> {
        check(&sign(&header(), claims))
    }

    #[test]
    fn what_the_service_signs_is_accepted() {
        let capability = Capability::parse(r#"{"a":["subscribe"]}"#).unwrap();
        let claims =
            JwtClaims { capability: &capability, client_id: Some("u"), revocation_key: Some("job:1") };
        let text = claims.prepare(&key()).unwrap().sign(1_700_000_000, 1_700_000_900);
        let claims = check(&text).unwrap();
        assert_eq!(claims.capability, Some(capability));
        assert_eq!(
            (claims.client_id.as_deref(), claims.revocation_key.as_deref()),
            (Some("u"), Some("job:1"))
        );
        assert_eq!((claims.issued, claims.expires), (NOW, NOW + 900_000));
    }

    #[test]
    fn times_may_be_fractional() {
        let claims = check_claims(&json!({"iat": 1_699_999_999.5, "exp": 1_700_000_000.001})).unwrap();
        assert_eq!((claims.issued, claims.expires), (NOW - 500, NOW + 1));
    }

    #[test]
    fn expiry_has_no_grace() {
        assert_eq!(check_claims(&json!({"iat": 1_699_999_990, "exp": 1_700_000_000})), Err(40142));
        assert_eq!(check_claims(&json!({"iat": 0, "exp": -1e300})), Err(40142));
    }

    #[test]
    fn a_token_may_be_issued_a_minute_ahead() {
        assert!(check_claims(&json!({"iat": 1_700_000_060, "exp": 1_700_000_100})).is_ok());
        assert_eq!(check_claims(&json!({"iat": 1_700_000_061, "exp": 1_700_000_100})), Err(40144));
    }

    #[test]
    fn a_token_lives_a_day_at_most() {
        assert!(check_claims(&json!({"iat": 1_700_000_000, "exp": 1_700_086_400})).is_ok());
        assert_eq!(check_claims(&json!({"iat": 1_700_000_000, "exp": 1_700_086_401})), Err(40003));
        assert_eq!(check_claims(&json!({"iat": 1_700_000_000, "exp": 1e300})), Err(40003));
    }

    #[test]
    fn bad_claims_are_malformed() {
        for (claim, value) in [
            ("iat", Value::Null),
            ("iat", json!("1700000000")),
            ("exp", Value::Null),
            ("x-ably-capability", json!("")),
            ("x-ably-capability", json!("{}")),
            ("x-ably-capability", json!("nonsense")),
            ("x-ably-capability", json!({"a": ["subscribe"]})),
            ("x-ably-capability", json!("{\"a\":[\"fly\"]}")),
            ("x-ably-capability", json!("{\"a\\n\":[\"subscribe\"]}")),
            ("x-ably-clientId", json!(7)),
            ("x-ably-revocation-key", json!("")),
            ("x-ably-revocation-key", json!(["a"])),
        ] {
            let mut claims = json!({"iat": 1_700_000_000, "exp": 1_700_000_100});
            claims[claim] = value.clone();
            assert_eq!(check_claims(&claims), Err(40144), "{claim} {value}");
        }
    }

    #[test]
    fn another_form_algorithm_or_kid_is_malformed() {
        let claims = json!({"iat": 1_700_000_000, "exp": 1_700_000_100});
        for header in [
            json!({}),
            json!({"alg": "HS256"}),
            json!({"alg": "none", "kid": "AbCdEf.GhIjKl"}),
            json!({"alg": "HS512", "kid": "AbCdEf.GhIjKl"}),
            json!({"alg": "HS256", "kid": "nonsense"}),
            json!({"alg": "HS256", "kid": 1}),
        ] {
            assert_eq!(check(&sign(&header, &claims)), Err(40144), "{header}");
        }
        for text in ["", ".", "..", "...", "a.b.c", "e30.e30.e30"] {
            assert_eq!(check(text), Err(40144), "{text}");
        }
    }

    #[test]
    fn a_changed_token_has_a_bad_signature() {
        let good = sign(&header(), &json!({"iat": 1_700_000_000, "exp": 1_700_000_100}));
        let (signed, _) = good.rsplit_once('.').unwrap();
        assert_eq!(check(&format!("{signed}.")), Err(40144));
        let longer = sign(&header(), &json!({"iat": 1_700_000_000, "exp": 1_700_000_200}));
        let (_, signature) = longer.rsplit_once('.').unwrap();
        assert_eq!(check(&format!("{signed}.{signature}")), Err(40144));
    }
}
