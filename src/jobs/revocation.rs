//! What was issued to whoever has left is revoked at Ably: until Ably has confirmed that, or it has become pointless.

use ably::rest::{PublishError, REVOCATION_TARGETS_MAX, RevocationResult, Target, Targets};
use serde::{Deserialize, Serialize};

use super::registration::{Change, Event};
use crate::ids::{JobId, UserId};
use crate::objects::backoff::ACCESS;
use crate::objects::{Cause, Millis};

/// After so long nothing that was issued before lives any more, and Ably takes no revocation of it either.
const POINTLESS_AFTER: Millis = 3_600_000;

/// A TokenRequest is exchanged within two minutes, or never; a little more, for clocks.
const EXCHANGED: Millis = 125_000;

/// So long the event that closes a job may take before what was issued is revoked: those who are cut off should have heard why.
const EVENT_FIRST: Millis = 300;

/// Whose tokens are revoked: all that were issued before a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revocation {
    /// Whose, whatever jobs they are for.
    pub users: Vec<UserId>,
    /// Those that are for this job alone, whosever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// Before when they were issued, Unix milliseconds.
    pub issued_before: Millis,
    /// When Ably is to be asked next, Unix milliseconds.
    #[serde(skip)]
    pub due: Millis,
    /// How often it was asked in vain.
    #[serde(skip)]
    pub failures: u32,
}

impl Revocation {
    /// What a change at `now` asks for, in as many parts as it takes. Those who may have a TokenRequest that is not exchanged yet are
    /// revoked again once it cannot be any more.
    pub fn of(change: &Change, job: &JobId, now: Millis, requests: &TokenRequests) -> Vec<Self> {
        let waits = matches!(change.event, Some(Event::Closed(_)));
        let due = if waits { now + EVENT_FIRST } else { now };
        let mut key = change.all_left.then(|| job.clone());
        let mut parts: Vec<Self> = Vec::new();
        let part =
            |users: &[UserId], job| Self { users: users.to_vec(), job, issued_before: now, due, failures: 0 };
        let leaving: Vec<UserId> = change.left.iter().chain(&change.gated).cloned().collect();
        // One less, since the job is a target too.
        for users in leaving.chunks(REVOCATION_TARGETS_MAX - 1) {
            parts.push(part(users, key.take()));
        }
        if key.is_some() {
            parts.push(part(&[], key));
        }
        let later: Vec<UserId> = leaving.into_iter().filter(|user| requests.may_have(user, now)).collect();
        // At a whole second: no token that is issued from then on is before it.
        let issued_before = (now + EXCHANGED + 999) / 1_000 * 1_000;
        let again = |users: &[UserId]| Self { issued_before, due: issued_before, ..part(users, None) };
        parts.extend(later.chunks(REVOCATION_TARGETS_MAX).map(again));
        parts
    }

    /// As Ably is asked; nothing where nobody is meant.
    pub fn asked(&self) -> Option<ably::rest::Revocation> {
        let key = self.job.iter().map(|job| Target::RevocationKey(revocation_key(job)));
        let users = self.users.iter().map(|user| Target::ClientId(user.to_string()));
        let targets = Targets::new(key.chain(users).collect())?;
        let issued_before_ms = u64::try_from(self.issued_before).unwrap_or_default();
        Some(ably::rest::Revocation { targets, issued_before_ms })
    }

    /// Notes that Ably has not confirmed it; `jitter` is random, from 0 to 1.
    pub fn failed(&mut self, now: Millis, jitter: f64) {
        self.due = now + ACCESS.delay(self.failures, jitter);
        self.failures = self.failures.saturating_add(1);
    }

    /// Whether it is over, whatever Ably says.
    pub fn is_pointless(&self, now: Millis) -> bool {
        now >= self.issued_before + POINTLESS_AFTER
    }
}

/// Who may have a TokenRequest that is not exchanged yet. It is known in memory alone: of those that were given out before the object has
/// woken nothing is, so for as long as one may be exchanged everybody may have one.
#[derive(Debug, Default)]
pub struct TokenRequests {
    /// Whether there are none at all.
    are_off: bool,
    known_since: Option<Millis>,
    given: Vec<(UserId, Millis)>,
}

impl TokenRequests {
    /// With `are_on` false nobody is ever given one.
    pub fn new(are_on: bool) -> Self {
        Self { are_off: !are_on, ..Self::default() }
    }

    /// Notes that the object is awake.
    pub fn awake(&mut self, now: Millis) {
        self.known_since.get_or_insert(now);
    }

    /// Notes that somebody is given one.
    pub fn give(&mut self, user: &UserId, now: Millis) {
        self.given.retain(|(other, at)| other != user && now < at + EXCHANGED);
        self.given.push((user.clone(), now));
    }

    fn may_have(&self, user: &UserId, now: Millis) -> bool {
        let is_unknown = self.known_since.is_none_or(|since| now < since + EXCHANGED);
        let was_given = || self.given.iter().any(|(other, at)| other == user && now < at + EXCHANGED);
        !self.are_off && (is_unknown || was_given())
    }
}

/// What a token carries that is for one job alone.
pub fn revocation_key(job: &JobId) -> String {
    format!("job:{job}")
}

/// What has become of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All that was meant is revoked.
    Revoked,
    /// The key's tokens cannot be revoked: they live until they expire.
    NotRevocable,
    /// Ably has not confirmed all of it.
    Failed(Cause),
}

/// Ably's codes for a key, or an app, whose tokens are not revocable (ably.com/docs/platform/errors/codes).
const NOT_REVOCABLE: [u32; 3] = [40121, 40163, 40164];

impl Outcome {
    /// What Ably's answer comes to.
    pub fn of(answer: &Result<Vec<Option<RevocationResult>>, PublishError>) -> Self {
        let of_error = |error: &PublishError| match error.code {
            Some(code) if NOT_REVOCABLE.contains(&code) => Self::NotRevocable,
            _ => Self::Failed(Cause::of(error)),
        };
        let results = match answer {
            Ok(results) => results,
            Err(error) => return of_error(error),
        };
        let not_revoked = results.iter().find_map(|result| match result {
            Some(Ok(())) => None,
            Some(Err(error)) => Some(of_error(error)),
            None => Some(Self::Failed(Cause::UNANSWERED)),
        });
        not_revoked.unwrap_or(Self::Revoked)
    }
}

#[cfg(test)]
mod tests {
    use ably::rest::ErrorClass;

    use super::*;

    fn change(left: usize, all_left: bool, event: Option<Event>) -> Change {
        let left = (0..left).map(|n| UserId::parse(format!("u{n}")).unwrap()).collect();
        Change { begins: false, event, left, gated: Vec::new(), all_left }
    }

    fn parts(left: usize, all_left: bool) -> Vec<(usize, bool)> {
        let job = JobId::parse("j").unwrap();
        let parts = Revocation::of(&change(left, all_left, None), &job, 5, &TokenRequests::new(false));
        parts.iter().map(|part| (part.users.len(), part.job.is_some())).collect()
    }

    #[test]
    fn ably_is_asked_in_parts_that_it_takes() {
        assert_eq!(parts(0, false), []);
        assert_eq!(parts(0, true), [(0, true)]);
        assert_eq!(parts(99, true), [(99, true)]);
        assert_eq!(parts(200, true), [(99, true), (99, false), (2, false)]);
        let job = JobId::parse("j").unwrap();
        let none = TokenRequests::new(false);
        for part in Revocation::of(&change(200, true, None), &job, 5, &none) {
            let asked = part.asked().unwrap();
            assert_eq!(asked.issued_before_ms, 5);
            assert!(asked.targets.as_slice().len() <= 100);
        }
        let asked = Revocation::of(&change(1, true, None), &job, 5, &none).remove(0).asked().unwrap();
        let targets: Vec<String> = asked.targets.as_slice().iter().map(ToString::to_string).collect();
        assert_eq!(targets, ["revocationKey:job:j", "clientId:u0"]);
    }

    #[test]
    fn who_may_have_a_token_request_is_revoked_again_when_it_cannot_be_exchanged_any_more() {
        let again = |requests: &TokenRequests, now| {
            let job = JobId::parse("j").unwrap();
            let mut parts = Revocation::of(&change(2, false, None), &job, now, requests);
            assert_eq!((parts.remove(0).users.len(), parts.len() < 2), (2, true));
            let names = |part: Revocation| {
                assert_eq!(
                    (part.issued_before, part.due, part.job),
                    ((now + EXCHANGED + 999) / 1_000 * 1_000, part.issued_before, None)
                );
                part.users.iter().map(ToString::to_string).collect::<Vec<_>>()
            };
            parts.pop().map(names).unwrap_or_default()
        };
        let mut requests = TokenRequests::new(true);
        requests.awake(1_000);
        assert_eq!(again(&requests, 1_000), ["u0", "u1"], "what was given out before is not known");
        let known = 1_000 + EXCHANGED;
        assert_eq!(again(&requests, known), [""; 0]);
        requests.give(&UserId::parse("u1").unwrap(), known);
        assert_eq!(again(&requests, known + EXCHANGED - 1), ["u1"]);
        assert_eq!(again(&requests, known + EXCHANGED), [""; 0]);
        let mut off = TokenRequests::new(false);
        off.awake(1_000);
        assert_eq!(again(&off, 1_000), [""; 0]);
    }

    #[test]
    fn all_of_it_has_to_be_confirmed() {
        let error = |code| PublishError::new(ErrorClass::BlamesAccess, Some(401), Some(code), "no");
        let outcome = |results| Outcome::of(&Ok(results));
        assert_eq!(outcome(vec![Some(Ok(())), Some(Ok(()))]), Outcome::Revoked);
        assert_eq!(outcome(vec![Some(Ok(())), None]), Outcome::Failed(Cause::UNANSWERED));
        assert_eq!(outcome(vec![Some(Err(error(40163))), Some(Ok(()))]), Outcome::NotRevocable);
        for code in [40121, 40163, 40164] {
            assert_eq!(Outcome::of(&Err(error(code))), Outcome::NotRevocable);
        }
        assert!(matches!(Outcome::of(&Err(error(40003))), Outcome::Failed(_)));
    }
}
