//! Tokens that `requestToken` issues.
//!
//! A token carries its own claims, signed with a secret that lives as long as the process: `appId.` and the base64url of MAC and
//! claims. So the server keeps nothing for each, however many are asked for.

use ably::{Capability, KeyName};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::token::Claims;
use crate::clock::Millis;
use crate::random;

const MAC_LENGTH: usize = 32;

/// The id of the app that a text with the form of a token names, whoever made it.
pub(crate) fn app_id(text: &str) -> Option<&str> {
    let (app_id, sealed) = text.split_once('.')?;
    let is_base64url = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (!sealed.is_empty() && sealed.chars().all(is_base64url)).then_some(app_id)
}

/// Makes tokens, and reads those that it made.
pub(crate) struct TokenMint {
    secret: [u8; 32],
}

#[derive(Serialize, Deserialize)]
struct Contents {
    key_name: KeyName,
    issued: Millis,
    expires: Millis,
    capability: String,
    client_id: Option<String>,
    /// Two tokens are never the same text.
    nonce: String,
}

impl TokenMint {
    /// A mint with a secret of its own.
    pub(crate) fn new() -> Self {
        Self { secret: random::bytes() }
    }

    /// Makes a token. Its capability is the one that the token has, never none.
    pub(crate) fn make(&self, key_name: &KeyName, claims: &Claims, capability: &Capability) -> String {
        let contents = Contents {
            key_name: key_name.clone(),
            issued: claims.issued,
            expires: claims.expires,
            capability: capability.as_given(),
            client_id: claims.client_id.clone(),
            nonce: random::text::<6>(),
        };
        // Texts and numbers always serialise.
        let contents = serde_json::to_vec(&contents).unwrap_or_default();
        let mut sealed =
            self.mac(&contents).map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default();
        sealed.extend(contents);
        format!("{}.{}", key_name.app_id(), URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Reads a token; nothing for a text that this mint did not make.
    pub(crate) fn open(&self, token: &str) -> Option<(KeyName, Claims)> {
        let (app_id, sealed) = token.split_once('.')?;
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (mac, contents) = sealed.split_at_checked(MAC_LENGTH)?;
        self.mac(contents)?.verify_slice(mac).ok()?;
        let contents: Contents = serde_json::from_slice(contents).ok()?;
        if contents.key_name.app_id() != app_id {
            return None;
        }
        let claims = Claims {
            issued: contents.issued,
            expires: contents.expires,
            capability: Some(Capability::parse(&contents.capability).ok()?),
            client_id: contents.client_id,
            // A TokenRequest names none.
            revocation_key: None,
        };
        Some((contents.key_name, claims))
    }

    fn mac(&self, contents: &[u8]) -> Option<Hmac<Sha256>> {
        // HMAC takes a key of any length, so this is always there.
        let mac = Hmac::<Sha256>::new_from_slice(&self.secret).ok()?;
        Some(mac.chain_update(contents))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_token_is_an_app_and_base64url() {
        assert_eq!(app_id("app.A-z_09"), Some("app"));
        for text in ["", "app", ".", "app.", "app.a b", "app.a+b", "app.é", "app.a.b"] {
            assert_eq!(app_id(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_mint_that_made_a_token_reads_it() {
        let mint = TokenMint::new();
        let key_name = KeyName::parse("app.key").unwrap();
        let capability = Capability::everything();
        let claims = Claims {
            issued: 1,
            expires: 2,
            capability: Some(capability.clone()),
            client_id: None,
            revocation_key: None,
        };
        let token = mint.make(&key_name, &claims, &capability);
        assert_eq!(mint.open(&token), Some((key_name, claims)));
        assert_eq!(TokenMint::new().open(&token), None);
        let (_, sealed) = token.split_once('.').unwrap();
        for text in [
            "",
            "app.",
            "app.AAAA",
            token.trim_end_matches(|c: char| c.is_alphanumeric()),
            &format!("other.{sealed}"),
        ] {
            assert_eq!(mint.open(text), None, "{text}");
        }
    }
}
