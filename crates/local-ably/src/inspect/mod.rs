//! What is noted for those who look on: what was refused, how many requests there were, and who is the page itself.

mod refusals;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::Millis;
pub(crate) use refusals::{Means, Refusals, Subject};

/// How many may look on at a time.
pub(crate) const WATCHERS_MAX: usize = 8;

/// By what a client of the page is known: the beginning of its `agent`.
const PAGE_AGENT: &str = "local-ably-page/";

/// What the inspector itself keeps.
#[derive(Debug)]
pub(crate) struct Inspector {
    refusals: Refusals,
    requests: AtomicU64,
    watchers: Arc<Semaphore>,
    started: Millis,
}

impl Inspector {
    pub(crate) fn new(now: Millis) -> Self {
        Self {
            refusals: Refusals::default(),
            requests: AtomicU64::new(0),
            watchers: Arc::new(Semaphore::new(WATCHERS_MAX)),
            started: now,
        }
    }

    /// What was refused of late.
    pub(crate) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// When the server started.
    pub(crate) fn started(&self) -> Millis {
        self.started
    }

    /// How many requests over REST there have been.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Counts a request over REST.
    pub(crate) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A place for somebody who looks on, which is free again when this is dropped; nothing where all are taken.
    pub(crate) fn watcher(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.watchers).try_acquire_owned().ok()
    }
}

/// Whether a client is the page, by what it says that it is. Whoever says so falsely hides from nobody but their own developer.
pub(crate) fn is_page(agent: Option<&str>) -> bool {
    agent.is_some_and(|agent| agent.starts_with(PAGE_AGENT))
}

/// A text that somebody else made up, cut to a length in bytes.
pub(crate) fn cut(text: &str, length: usize) -> String {
    if text.len() <= length {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(length);
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("häh", 3), "hä…");
        assert_eq!(cut("häh", 2), "h…");
        assert_eq!(cut("häh", 4), "häh");
    }

    #[test]
    fn there_is_room_for_a_few_and_again_when_one_goes() {
        let inspector = Inspector::new(0);
        let mut all: Vec<_> = (0..WATCHERS_MAX).map(|_| inspector.watcher().unwrap()).collect();
        assert!(inspector.watcher().is_none());
        all.pop();
        assert!(inspector.watcher().is_some());
    }
}
