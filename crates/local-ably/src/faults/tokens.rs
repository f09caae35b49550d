//! Tokens that are told to be over before their time.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::BuildHasher;

use ably::{ErrorInfo, KeyName, Secret};

use super::spec::Clients;
use crate::clock::Millis;
use crate::credentials::{ClientIdentity, expired};

const SECOND: Millis = 1_000;
/// How many tokens are remembered that were issued a moment ago.
const SEEN_MAX: usize = 10_000;

/// Which tokens are over.
///
/// The `iat` of a JWT is most often a whole second, so it does not tell a token of just before from the one that replaces it.
/// Of the tokens of that one second those are over that have been seen before.
#[derive(Debug, Default)]
pub(super) struct SeenTokens {
    /// The hashes of tokens that were issued lately, with the moment of issue.
    recent: VecDeque<(Millis, u64)>,
    hasher: RandomState,
    /// By the id of the fault.
    over: BTreeMap<u64, Over>,
}

#[derive(Debug)]
struct Over {
    of: Clients,
    /// Those issued before this are over.
    issued_before: Millis,
    /// And so are these.
    seen: HashSet<u64>,
}

impl SeenTokens {
    /// From now on the tokens that there are, are over.
    pub(super) fn expire(&mut self, id: u64, of: Clients, now: Millis) {
        let issued_before = now - now.rem_euclid(SECOND);
        let seen = self.recent.iter().map(|(_, hash)| *hash).collect();
        self.over.insert(id, Over { of, issued_before, seen });
    }

    /// Takes that back.
    pub(super) fn unexpire(&mut self, id: u64) {
        self.over.remove(&id);
    }

    /// Refuses a token that is over, and remembers one that is not.
    ///
    /// # Errors
    /// 40142.
    pub(super) fn check(
        &mut self,
        token: &Secret,
        issued: Millis,
        key: &KeyName,
        client: &ClientIdentity,
        now: Millis,
    ) -> Result<(), ErrorInfo> {
        let hash = self.hasher.hash_one(token.expose());
        let client_id = client.shown();
        let is_over = |over: &Over| {
            (issued < over.issued_before || over.seen.contains(&hash))
                && over.of.include(key, client_id.as_deref())
        };
        if self.over.values().any(is_over) {
            return Err(expired());
        }
        self.remember(hash, issued, now);
        Ok(())
    }

    fn remember(&mut self, hash: u64, issued: Millis, now: Millis) {
        let lately = now - SECOND;
        while self.recent.front().is_some_and(|(issued, _)| *issued < lately) || self.recent.len() >= SEEN_MAX
        {
            self.recent.pop_front();
        }
        if issued >= lately && !self.recent.iter().any(|(_, known)| *known == hash) {
            self.recent.push_back((issued, hash));
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.over.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half a second after a whole one.
    const NOW: Millis = 1_700_000_000_500;
    const THIS_SECOND: Millis = 1_700_000_000_000;

    fn check(
        seen: &mut SeenTokens,
        token: &str,
        issued: Millis,
        client: &str,
        now: Millis,
    ) -> Result<(), u32> {
        let key = KeyName::parse("app.key").unwrap();
        let client = ClientIdentity::Named(client.to_owned());
        seen.check(&Secret::new(token), issued, &key, &client, now).map_err(|error| error.code)
    }

    #[test]
    fn tokens_of_before_are_over_and_the_ones_that_replace_them_are_not() {
        let mut seen = SeenTokens::default();
        check(&mut seen, "old", THIS_SECOND - 60_000, "x", NOW).unwrap();
        check(&mut seen, "fresh", THIS_SECOND, "x", NOW).unwrap();
        seen.expire(1, Clients::default(), NOW);
        assert_eq!(check(&mut seen, "old", THIS_SECOND - 60_000, "x", NOW + 1), Err(40142));
        assert_eq!(check(&mut seen, "never seen", THIS_SECOND - 1, "x", NOW + 1), Err(40142));
        assert_eq!(check(&mut seen, "fresh", THIS_SECOND, "x", NOW + 1), Err(40142));
        assert_eq!(check(&mut seen, "its successor", THIS_SECOND, "x", NOW + 1), Ok(()));
        seen.unexpire(1);
        assert_eq!(check(&mut seen, "old", THIS_SECOND - 60_000, "x", NOW + 2), Ok(()));
    }

    #[test]
    fn only_the_tokens_of_those_who_are_meant_are_over() {
        let mut seen = SeenTokens::default();
        let of = Clients { key: None, client_id: Some("x".to_owned()) };
        seen.expire(1, of, NOW);
        assert_eq!(check(&mut seen, "a", 0, "x", NOW), Err(40142));
        assert_eq!(check(&mut seen, "b", 0, "y", NOW), Ok(()));
    }

    #[test]
    fn what_is_remembered_is_bounded_by_time_and_number() {
        let mut seen = SeenTokens::default();
        for token in 0..SEEN_MAX + 10 {
            seen.remember(token as u64, NOW, NOW);
        }
        assert_eq!(seen.recent.len(), SEEN_MAX);
        seen.remember(0, NOW + 5_000, NOW + 5_000);
        assert_eq!(seen.recent.len(), 1);
    }
}
