//! What every request of a publisher would meet: when it is noted, whom it concerns, and how long nobody tries.

use ably::rest::PublishError;

use super::{Publisher, Waiting};
use crate::objects::backoff::wait;
use crate::objects::{Cause, Class, Millis};
use crate::publishers::Outcome;

/// Why the last request has failed, whatever was in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble {
    pub(super) cause: Cause,
    /// How many have failed in a row.
    pub(super) failures: u32,
    pub(super) noted_at: Millis,
    /// When the next request may find out whether it is over. Nothing where that is not waited for.
    pub(super) closed_until: Option<Millis>,
}

impl<T> Publisher<T> {
    /// Notes that a request that left then has met nothing that every other would meet. Of what was noted after it had left, and is
    /// waited for, that says nothing.
    pub(super) fn went_through(&mut self, left_at: Millis) {
        self.trouble =
            self.trouble.filter(|trouble| trouble.closed_until.is_some() && left_at < trouble.noted_at);
    }

    /// Notes that a request has failed for what every other would meet as well.
    pub(super) fn failed(
        &mut self,
        error: &PublishError,
        messages: Vec<Waiting<T>>,
        left_at: Millis,
        now: Millis,
        jitter: f64,
    ) {
        let cause = Cause::of(error);
        // Requests that were under way together meet the same thing once; and what left before it was closed does not open it.
        let is_same = |before: &Trouble| !before.cause.is_other_trouble(cause);
        let known = self
            .trouble
            .filter(|before| left_at < before.noted_at && (is_same(before) || before.closed_until.is_some()));
        let is_one = messages.len() == 1;
        let trouble = known.unwrap_or_else(|| {
            let failures = self.trouble.filter(is_same).map_or(0, |before| before.failures);
            // A request may be lost for what no other meets, and one channel alone be refused.
            let may_be_alone = cause.class == Class::Transient || is_one && cause.class == Class::Access;
            let is_closed = failures > 0 || !may_be_alone;
            let closed_until = is_closed.then(|| now + wait(error.class, failures, jitter));
            Trouble { cause, failures: failures.saturating_add(1), noted_at: now, closed_until }
        });
        self.trouble = Some(trouble);
        // One job alone decides by itself.
        let shared = trouble.closed_until.or_else(|| (!is_one).then(|| now + wait(error.class, 0, jitter)));
        let outcome = Outcome::Failed { cause, wait: shared.map(|until| (until - now).max(1)) };
        let mut answer = |message: Waiting<T>| self.answers.push((message.handed_over.reply, outcome));
        messages.into_iter().for_each(&mut answer);
        if trouble.closed_until.is_some() {
            self.queue.drain(..).for_each(answer);
            self.bytes = 0;
        }
    }

    /// The trouble that is waited for, and how long.
    pub(super) fn closed(&self) -> Option<(Trouble, Millis)> {
        let trouble = self.trouble?;
        Some((trouble, trouble.closed_until?))
    }
}
