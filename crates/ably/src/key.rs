//! An Ably API key: `appId.keyId:secret`.

use std::fmt;

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use thiserror::Error;

/// A text that must not be seen: its `Debug` is redacted, and it is compared in constant time.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself. Call this where it is used, never where it is passed on.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl PartialEq for Secret {
    /// Compares MACs under a fixed key rather than the texts, by a comparison that takes the same time wherever they
    /// differ.
    fn eq(&self, other: &Self) -> bool {
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(b"towline secret comparison") else { return false };
        let mine = mac.clone().chain_update(&self.0).finalize();
        let theirs = mac.chain_update(&other.0).finalize();
        mine == theirs
    }
}

impl Eq for Secret {}

/// Why a text is not an Ably key. It never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// There is no `:` between name and secret.
    #[error("an Ably key is appId.keyId:secret")]
    NoSecret,
    /// The part before `:` is not `appId.keyId`.
    #[error("the name of an Ably key is appId.keyId, of the characters A-Z a-z 0-9 _ -")]
    Name,
    /// The secret is empty, or has a character that ably-js refuses.
    #[error("the secret of an Ably key is printable ASCII without `:`, `.` and blanks")]
    Secret,
}

/// The public part of a key: `appId.keyId`. It is a JWT's `kid` and a TokenRequest's `keyName`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName {
    text: String,
    dot: usize,
}

impl KeyName {
    /// Parses `appId.keyId`.
    ///
    /// # Errors
    /// [`KeyError::Name`] where it is something else.
    pub fn parse(text: impl Into<String>) -> Result<Self, KeyError> {
        let text = text.into();
        let part = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        };
        match text.split_once('.') {
            Some((app, key)) if part(app) && part(key) => {
                let dot = app.len();
                Ok(Self { text, dot })
            }
            _ => Err(KeyError::Name),
        }
    }

    /// The whole name, `appId.keyId`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The app's id, the part before the dot.
    pub fn app_id(&self) -> &str {
        self.text.get(..self.dot).unwrap_or_default()
    }

    /// The key's id within the app, the part after the dot.
    pub fn key_id(&self) -> &str {
        self.text.get(self.dot + 1..).unwrap_or_default()
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for KeyName {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::parse(text)
    }
}

impl From<KeyName> for String {
    fn from(name: KeyName) -> String {
        name.text
    }
}

/// An API key. Its secret signs tokens and authenticates REST calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    name: KeyName,
    secret: Secret,
}

impl Key {
    /// Puts a key together from its two parts.
    ///
    /// # Errors
    /// [`KeyError::Secret`] where the secret is not one that every SDK accepts.
    pub fn new(name: KeyName, secret: impl Into<String>) -> Result<Self, KeyError> {
        let secret = secret.into();
        let valid =
            !secret.is_empty() && secret.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b':' | b'.'));
        if valid { Ok(Self { name, secret: Secret::new(secret) }) } else { Err(KeyError::Secret) }
    }

    /// Parses `appId.keyId:secret`.
    ///
    /// # Errors
    /// [`KeyError`], which names the part that is wrong and quotes nothing.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, secret) = text.split_once(':').ok_or(KeyError::NoSecret)?;
        Self::new(KeyName::parse(name)?, secret)
    }

    /// The public part.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The secret part, whose UTF-8 bytes are the HMAC key.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The whole key, `appId.keyId:secret`, as HTTP Basic authentication carries it.
    pub fn expose(&self) -> Secret {
        Secret::new(format!("{}:{}", self.name, self.secret.expose()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_three_parts() {
        let key = Key::parse("AbCdEf.GhIjKl:mySecretKey0123456789").unwrap();
        assert_eq!(key.name().as_str(), "AbCdEf.GhIjKl");
        assert_eq!(key.name().app_id(), "AbCdEf");
        assert_eq!(key.name().key_id(), "GhIjKl");
        assert_eq!(key.secret().expose(), "mySecretKey0123456789");
        assert_eq!(key.expose().expose(), "AbCdEf.GhIjKl:mySecretKey0123456789");
    }

    #[test]
    fn what_an_sdk_would_refuse_is_no_key() {
        for (text, error) in [
            ("", KeyError::NoSecret),
            ("a.b", KeyError::NoSecret),
            ("ab:c", KeyError::Name),
            (".b:c", KeyError::Name),
            ("a.:c", KeyError::Name),
            ("a.b.c:d", KeyError::Name),
            ("a b.c:d", KeyError::Name),
            ("a.b:", KeyError::Secret),
            ("a.b:c:d", KeyError::Secret),
            ("a.b:c.d", KeyError::Secret),
            ("a.b:c d", KeyError::Secret),
            ("a.b:c\n", KeyError::Secret),
        ] {
            assert_eq!(Key::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", Key::parse("a.b:hushhush").unwrap());
        assert!(!shown.contains("hush"), "{shown}");
    }

    #[test]
    fn secrets_are_equal_only_when_all_of_them_is() {
        assert_eq!(Secret::new("abc"), Secret::new("abc"));
        assert_ne!(Secret::new("abc"), Secret::new("abd"));
        assert_ne!(Secret::new("abc"), Secret::new("abcd"));
        assert_ne!(Secret::new(""), Secret::new("a"));
    }
}
