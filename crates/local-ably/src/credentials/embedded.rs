//! Somebody else's JWT that carries an Ably token, for systems that have JWTs of their own.
//!
//! The token stands under `x-ably-token`: in the header of a JWS or of a JWE, or among the claims of a JWS. It is an Ably token or an
//! Ably JWT. Of the JWT around it nothing is checked but its expiry: nobody here has the secret that it is signed or encrypted with
//! (ably/docs, pages/docs/auth/token, "Embedded Token JWT").

use ably::{ErrorInfo, Secret};
use serde_json::Value;

use super::jwt::{JWT_LENGTH_MAX, malformed, moment, part};
use super::token::{TokenFacts, expired};
use crate::clock::Millis;

const CLAIM: &str = "x-ably-token";
/// How much later than the token the JWT around it may expire: its `exp` has whole seconds.
const ROUNDING: Millis = 1_000;

/// What is read of the JWT around a token.
pub(crate) struct Envelope {
    token: Secret,
    /// Its `exp`, where it can be read and is there.
    expires: Option<Millis>,
}

impl Envelope {
    /// Reads a JWT that carries a token; nothing for any other text.
    ///
    /// # Errors
    /// 40144 where what it carries is no text, or its `exp` no number.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, ErrorInfo> {
        if text.len() > JWT_LENGTH_MAX {
            return Ok(None);
        }
        let mut parts = text.split('.');
        let (Some(header), Some(second)) = (parts.next(), parts.next()) else { return Ok(None) };
        let (is_signed, is_encrypted) = match parts.count() {
            1 => (true, false),
            3 => (false, true),
            _ => return Ok(None),
        };
        // Whether the text is a JWT at all is for others to say.
        let Ok(header) = part(header) else { return Ok(None) };
        let claims = if is_signed { part(second).ok() } else { None };
        let in_claims = || claims.as_ref().and_then(|claims| claims.get(CLAIM));
        let token = match header.get(CLAIM).or_else(in_claims) {
            None if is_encrypted => {
                return Err(malformed("an encrypted one has no x-ably-token in its header"));
            }
            None => return Ok(None),
            Some(Value::String(token)) => Secret::new(token.clone()),
            Some(_) => return Err(malformed("its x-ably-token is not a text")),
        };
        let exp = claims.as_ref().filter(|claims| claims.contains_key("exp"));
        Ok(Some(Self { token, expires: exp.map(|claims| moment(claims, "exp")).transpose()? }))
    }

    /// The token that it carries.
    pub(crate) fn token(&self) -> &str {
        self.token.expose()
    }

    /// Lets what is known of the token end with the JWT around it.
    ///
    /// # Errors
    /// 40142 once that has expired, 40144 where it would outlive the token.
    pub(crate) fn limit(&self, token: &mut TokenFacts, now: Millis) -> Result<(), ErrorInfo> {
        let Some(expires) = self.expires else { return Ok(()) };
        if expires <= now {
            return Err(expired());
        }
        if expires > token.expires.saturating_add(ROUNDING) {
            return Err(malformed("it expires later than the token that it carries"));
        }
        token.expires = token.expires.min(expires);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    const NOW: Millis = 1_700_000_000_000;

    fn jws(header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", encode(header), encode(claims))
    }

    fn read(text: &str) -> Result<Option<String>, u32> {
        Envelope::parse(text)
            .map(|found| found.map(|envelope| envelope.token().to_owned()))
            .map_err(|error| error.code)
    }

    #[test]
    fn a_token_is_found_in_the_header_or_among_the_claims_and_the_header_wins() {
        let found = |token: &str| Ok(Some(token.to_owned()));
        assert_eq!(read(&jws(&json!({"x-ably-token": "a.b"}), &json!({}))), found("a.b"));
        assert_eq!(read(&jws(&json!({}), &json!({"x-ably-token": "a.b"}))), found("a.b"));
        assert_eq!(
            read(&jws(&json!({"x-ably-token": "a.b"}), &json!({"x-ably-token": "c.d"}))),
            found("a.b")
        );
        let jwe = |header: Value| format!("{}.a.b.c.d", URL_SAFE_NO_PAD.encode(header.to_string()));
        assert_eq!(read(&jwe(json!({"alg": "dir", "x-ably-token": "a.b"}))), found("a.b"));
        assert_eq!(read(&jwe(json!({"alg": "dir"}))), Err(40144));
    }

    #[test]
    fn what_carries_no_token_is_left_to_others() {
        for text in ["", "a", "a.b", "a.b.c", "a.b.c.d", "a.b.c.d.e", "a.b.c.d.e.f"] {
            assert_eq!(read(text), Ok(None), "{text}");
        }
        assert_eq!(read(&jws(&json!({"alg": "HS256"}), &json!({"exp": 1}))), Ok(None));
        assert_eq!(read(&jws(&json!({"x-ably-token": 5}), &json!({}))), Err(40144));
        assert_eq!(read(&jws(&json!({"x-ably-token": "a.b"}), &json!({"exp": "soon"}))), Err(40144));
    }

    #[test]
    fn the_token_ends_with_the_jwt_around_it_which_may_not_outlive_it() {
        let limited = |exp: Option<f64>| {
            let claims = exp.map_or(json!({}), |exp| json!({"exp": exp}));
            let envelope = Envelope::parse(&jws(&json!({"x-ably-token": "a.b"}), &claims)).unwrap().unwrap();
            let mut token = TokenFacts {
                key: ably::KeyName::parse("app.key").unwrap(),
                issued: NOW,
                expires: NOW + 60_000,
                client_id: None,
                revocation_key: None,
            };
            envelope.limit(&mut token, NOW).map(|()| token.expires - NOW).map_err(|error| error.code)
        };
        let seconds = 1_700_000_000.0;
        assert_eq!(limited(None), Ok(60_000));
        assert_eq!(limited(Some(seconds + 5.0)), Ok(5_000));
        assert_eq!(limited(Some(seconds + 61.0)), Ok(60_000));
        assert_eq!(limited(Some(seconds + 62.0)), Err(40144));
        assert_eq!(limited(Some(seconds)), Err(40142));
    }
}
