//! Tokens that are no longer good although they have not expired.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ably::{ErrorInfo, KeyName};

use super::token::TokenFacts;
use crate::clock::Millis;
use crate::errors::bad_request;

/// How long a token of a key with revocable tokens lives at most, so for how long a revocation is of any effect.
const TOKENS_LIVE: Millis = 3_600_000;
/// How many targets an app may have revoked, and how often each, at a time.
const TARGETS_MAX: usize = 10_000;
const REVOCATIONS_MAX: usize = 100;
/// The longest target, in bytes. Ably names no limit; this one bounds memory.
const TARGET_LENGTH_MAX: usize = 2_048;

/// Which of a key's tokens a revocation is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// Those with this `clientId` of their own; a token that may assume any is not among them.
    ClientId(String),
    /// JWTs with this `x-ably-revocation-key`.
    RevocationKey(String),
}

impl Target {
    /// Reads a target, `clientId:x` or `revocationKey:y`.
    ///
    /// # Errors
    /// 40000; 40001, as Ably has it, where it is neither.
    pub(crate) fn parse(text: &str) -> Result<Self, ErrorInfo> {
        if text.len() > TARGET_LENGTH_MAX {
            return Err(bad_request(format!("a target has at most {TARGET_LENGTH_MAX} bytes")));
        }
        match text.split_once(':') {
            Some(("clientId", value)) if !value.is_empty() => Ok(Self::ClientId(value.to_owned())),
            Some(("revocationKey", value)) if !value.is_empty() => Ok(Self::RevocationKey(value.to_owned())),
            _ => Err(ErrorInfo::new(40001, 400, "a target is clientId:… or revocationKey:…")),
        }
    }
}

/// One revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Revocation {
    /// Tokens issued before this are meant.
    pub(crate) issued_before: Millis,
    /// From when on they are refused.
    pub(crate) applies_at: Millis,
}

/// The revocations of an app's keys.
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    by_target: HashMap<(KeyName, Target), Vec<Revocation>>,
}

impl Revocations {
    /// Revokes tokens of a key.
    ///
    /// # Errors
    /// 42910 where there are as many revocations as there may be.
    pub(crate) fn revoke(
        &mut self,
        key: &KeyName,
        target: Target,
        revocation: Revocation,
    ) -> Result<(), ErrorInfo> {
        let too_many = || ErrorInfo::new(42910, 429, "too many revocations are in effect: try again later");
        let targets = self.by_target.len();
        let revocations = match self.by_target.entry((key.clone(), target)) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(_) if targets >= TARGETS_MAX => return Err(too_many()),
            Entry::Vacant(new) => new.insert(Vec::new()),
        };
        // One that is for fewer tokens and applies no sooner adds nothing.
        let covers = |one: &Revocation, other: &Revocation| {
            one.issued_before >= other.issued_before && one.applies_at <= other.applies_at
        };
        if !revocations.iter().any(|there| covers(there, &revocation)) {
            revocations.retain(|there| !covers(&revocation, there));
            if revocations.len() >= REVOCATIONS_MAX {
                return Err(too_many());
            }
            revocations.push(revocation);
        }
        Ok(())
    }

    /// From when on a token is refused, if it is revoked.
    pub(crate) fn apply_at(&self, token: &TokenFacts) -> Option<Millis> {
        if self.by_target.is_empty() {
            return None;
        }
        let client_id = token.client_id.clone().map(Target::ClientId);
        let revocation_key = token.revocation_key.clone().map(Target::RevocationKey);
        [client_id, revocation_key]
            .into_iter()
            .flatten()
            .filter_map(|target| self.by_target.get(&(token.key.clone(), target)))
            .flatten()
            .filter(|revocation| token.issued < revocation.issued_before)
            .map(|revocation| revocation.applies_at)
            .min()
    }

    /// Forgets revocations of tokens that have all expired.
    pub(crate) fn sweep(&mut self, now: Millis) {
        self.by_target.retain(|_, revocations| {
            revocations.retain(|revocation| now <= revocation.issued_before + TOKENS_LIVE);
            !revocations.is_empty()
        });
    }
}

/// A token that was revoked.
pub(crate) fn revoked() -> ErrorInfo {
    ErrorInfo::new(40141, 401, "the token has been revoked")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = 1_700_000_000_000;

    fn key(name: &str) -> KeyName {
        KeyName::parse(name).unwrap()
    }

    fn token(client_id: Option<&str>, revocation_key: Option<&str>, issued: Millis) -> TokenFacts {
        TokenFacts {
            key: key("app.key"),
            issued,
            expires: issued + 1,
            client_id: client_id.map(str::to_owned),
            revocation_key: revocation_key.map(str::to_owned),
        }
    }

    fn revoked_at(target: &str) -> Revocations {
        let mut revocations = Revocations::default();
        let revocation = Revocation { issued_before: NOW, applies_at: NOW };
        revocations.revoke(&key("app.key"), Target::parse(target).unwrap(), revocation).unwrap();
        revocations
    }

    #[test]
    fn a_target_is_a_client_id_or_a_revocation_key_whatever_its_text() {
        assert_eq!(Target::parse("clientId:a:b c"), Ok(Target::ClientId("a:b c".into())));
        assert_eq!(Target::parse("revocationKey:job:7"), Ok(Target::RevocationKey("job:7".into())));
        let long = format!("clientId:{}", "x".repeat(TARGET_LENGTH_MAX));
        for bad in ["", "x", "clientId", "clientId:", "revocationKey:", "clientid:a", "channel:a", ":"] {
            assert_eq!(Target::parse(bad).map_err(|error| error.code), Err(40001), "{bad}");
        }
        assert_eq!(Target::parse(&long).map_err(|error| error.code), Err(40000));
    }

    #[test]
    fn a_revocation_is_for_older_tokens_of_its_key_and_target_alone() {
        let by_client = revoked_at("clientId:x");
        let by_key = revoked_at("revocationKey:x");
        for (token, client_hit, key_hit) in [
            (token(Some("x"), None, NOW - 1), true, false),
            (token(None, Some("x"), NOW - 1), false, true),
            (token(Some("x"), Some("x"), NOW - 1), true, true),
            (token(Some("x"), Some("x"), NOW), false, false),
            (token(Some("*"), None, NOW - 1), false, false),
            (token(None, None, NOW - 1), false, false),
            (TokenFacts { key: key("app.other"), ..token(Some("x"), Some("x"), NOW - 1) }, false, false),
        ] {
            assert_eq!(by_client.apply_at(&token), client_hit.then_some(NOW), "{token:?}");
            assert_eq!(by_key.apply_at(&token), key_hit.then_some(NOW), "{token:?}");
        }
    }

    #[test]
    fn the_soonest_of_several_revocations_counts_and_a_later_one_puts_none_off() {
        let mut revocations = Revocations::default();
        let mut revoke = |issued_before, applies_at| {
            let revocation = Revocation { issued_before, applies_at };
            revocations.revoke(&key("app.key"), Target::ClientId("x".into()), revocation).unwrap();
        };
        revoke(NOW, NOW + 30_000);
        revoke(NOW + 10, NOW + 30_010);
        revoke(NOW + 5, NOW + 40_000);
        revoke(NOW - 1_000, NOW);
        assert_eq!(revocations.by_target.values().map(Vec::len).sum::<usize>(), 3);
        for (issued, applies_at) in [
            (NOW - 1_001, Some(NOW)),
            (NOW - 1_000, Some(NOW + 30_000)),
            (NOW, Some(NOW + 30_010)),
            (NOW + 10, None),
        ] {
            assert_eq!(revocations.apply_at(&token(Some("x"), None, issued)), applies_at, "{issued}");
        }
    }

    #[test]
    fn a_revocation_is_forgotten_when_its_tokens_have_expired_and_their_number_is_bounded() {
        let mut revocations = revoked_at("clientId:x");
        revocations.sweep(NOW + TOKENS_LIVE);
        assert!(revocations.apply_at(&token(Some("x"), None, NOW - 1)).is_some());
        revocations.sweep(NOW + TOKENS_LIVE + 1);
        assert!(revocations.by_target.is_empty());
        let revocation = Revocation { issued_before: NOW, applies_at: NOW };
        let mut revoke = |target: String, revocation| {
            let revoked = revocations.revoke(&key("app.key"), Target::ClientId(target), revocation);
            revoked.map_err(|error| error.code)
        };
        for index in 0..TARGETS_MAX {
            assert_eq!(revoke(index.to_string(), revocation), Ok(()));
        }
        assert_eq!(revoke("x".into(), revocation), Err(42910));
        let later = |millis| Revocation { issued_before: NOW + millis, applies_at: NOW + millis };
        for millis in 1..REVOCATIONS_MAX as Millis {
            assert_eq!(revoke("0".into(), later(millis)), Ok(()));
        }
        assert_eq!(revoke("0".into(), later(1_000)), Err(42910));
    }
}
