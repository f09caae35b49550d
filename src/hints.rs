//! What a developer is told of a refusal: its cause in plain words, and what to set, call or change. Only where `DEV_HINTS` is `on`, which
//! no production has.
//!
//! The tables stand beside what they are about, so that nothing new is without its cure: `http::hint` beside the problems of requests,
//! `locations::job::hint` beside what a job's object refuses or notes. No hint has a secret, a user, a position, an id or a path in it.

use std::borrow::Cow;
use std::cell::RefCell;

/// So long the same is not said again, in milliseconds.
const AGAIN_MS: u64 = 30_000;
/// As many causes are known at once: of others the oldest is said anew.
const CAUSES_MAX: usize = 32;
/// So much of a text of the caller's is quoted, in characters.
const QUOTED_MAX: usize = 100;

/// Why something is refused, and what helps: both without a full stop at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// What is wrong.
    pub cause: Cow<'static, str>,
    /// What to set, call or change.
    pub cure: Cow<'static, str>,
}

impl Hint {
    /// A hint of these words.
    pub fn new(cause: impl Into<Cow<'static, str>>, cure: impl Into<Cow<'static, str>>) -> Self {
        Self { cause: cause.into(), cure: cure.into() }
    }
}

/// The hints of an isolate, or of an object. Each is said at first, and then with a count, once in a while.
#[derive(Debug, Default)]
pub struct Hints(RefCell<Vec<Said>>);

#[derive(Debug)]
struct Said {
    cause: Box<str>,
    at_ms: u64,
    /// How often it was met since, and not said.
    unsaid: u32,
}

impl Hints {
    /// Those of a set-up where there are any.
    pub fn of(are_on: bool) -> Option<Self> {
        are_on.then(Self::default)
    }

    /// The line of a hint about `what`, at a time in Unix milliseconds; nothing where the same cause was said a moment ago.
    pub fn line(&self, what: &str, hint: &Hint, now_ms: u64) -> Option<String> {
        let unsaid = self.unsaid(&hint.cause, now_ms)?;
        let times = match unsaid {
            0 => String::new(),
            1 => " (once more since)".to_owned(),
            _ => format!(" ({unsaid} times more since)"),
        };
        let Hint { cause, cure } = hint;
        Some(format!("Hint, {what}: {cause}. What to do: {cure}.{times}"))
    }

    /// How often a cause was met and not said, where it is to be said now.
    fn unsaid(&self, cause: &str, now_ms: u64) -> Option<u32> {
        let mut all = self.0.borrow_mut();
        if let Some(said) = all.iter_mut().find(|said| *said.cause == *cause) {
            // A clock that has gone back keeps nothing unsaid.
            if now_ms.abs_diff(said.at_ms) < AGAIN_MS {
                said.unsaid = said.unsaid.saturating_add(1);
                return None;
            }
            said.at_ms = now_ms;
            return Some(std::mem::take(&mut said.unsaid));
        }
        if all.len() >= CAUSES_MAX {
            all.remove(0);
        }
        all.push(Said { cause: cause.into(), at_ms: now_ms, unsaid: 0 });
        Some(0)
    }
}

/// A text of the caller's as it may stand in a line.
pub fn quoted(text: &str) -> String {
    text.escape_default().take(QUOTED_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_at_first_and_then_with_a_count_once_in_a_while() {
        let hints = Hints::of(true).unwrap();
        let hint = Hint::new("no session", "send one");
        let line = |now| hints.line("401", &hint, now);
        assert_eq!(line(1_000).as_deref(), Some("Hint, 401: no session. What to do: send one."));
        for now in [1_000, 1_100, 1_000 + AGAIN_MS - 1] {
            assert_eq!(line(now), None);
        }
        let other = Hint::new("no origin", "send one");
        assert!(hints.line("403", &other, 1_100).is_some(), "another cause is said at once");
        assert!(line(1_000 + AGAIN_MS).unwrap().ends_with("send one. (3 times more since)"));
        assert_eq!(line(1_000 + AGAIN_MS + 1), None);
        assert!(line(1_000 + 2 * AGAIN_MS).unwrap().ends_with("send one. (once more since)"));
        assert!(line(0).is_some(), "a clock that has gone back");
        assert!(Hints::of(false).is_none());
    }

    #[test]
    fn no_more_causes_are_kept_than_that() {
        let hints = Hints::default();
        let said = |n: usize| hints.line("", &Hint::new(n.to_string(), ""), 0).is_some();
        assert!((0..1_000).all(said));
        assert_eq!(hints.0.borrow().len(), CAUSES_MAX);
        assert!(!said(999) && said(0));
    }

    #[test]
    fn what_is_quoted_is_escaped_and_cut() {
        assert_eq!(quoted("http://a\n\u{1b}[1m\"é"), "http://a\\n\\u{1b}[1m\\\"\\u{e9}");
        assert_eq!(quoted(&"\n".repeat(500)).len(), QUOTED_MAX);
    }
}
