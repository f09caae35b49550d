//! Which publishes are known again when they come twice.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::RESUMABLE;
use crate::channel::serial::Serial;
use crate::channel::timeline::Memory;
use crate::clock::Millis;

/// How many publishes are known at most.
const KNOWN_MAX: usize = 20_000;
/// What one takes in memory besides its key, roughly, in bytes.
const OVERHEAD: usize = 128;

/// The publishes of the last two minutes, by their keys.
#[derive(Debug)]
pub(super) struct Known {
    /// Where they are, and of how many messages.
    by_key: HashMap<Arc<str>, (Serial, usize)>,
    in_order: VecDeque<(Millis, Arc<str>)>,
    memory: Arc<Memory>,
}

impl Drop for Known {
    fn drop(&mut self) {
        self.memory.release(self.in_order.iter().map(|(_, key)| bytes(key)).sum());
    }
}

impl Known {
    pub(super) fn new(memory: Arc<Memory>) -> Self {
        Self { by_key: HashMap::new(), in_order: VecDeque::new(), memory }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.in_order.is_empty()
    }

    /// The serial of a publish, and of how many messages it was.
    pub(super) fn find(&self, key: &str) -> Option<(Serial, usize)> {
        self.by_key.get(key).copied()
    }

    /// Adds a publish that is not known yet.
    pub(super) fn add(&mut self, key: &str, serial: Serial, messages: usize, now: Millis) {
        let key: Arc<str> = key.into();
        self.memory.take(bytes(&key));
        self.by_key.insert(Arc::clone(&key), (serial, messages));
        self.in_order.push_back((now, key));
    }

    /// Forgets what is too old or too much.
    pub(super) fn trim(&mut self, now: Millis) {
        while let Some((known, key)) = self.in_order.front() {
            let too_old = now - known > RESUMABLE;
            let too_much =
                self.in_order.len() > KNOWN_MAX || (self.memory.is_short() && self.in_order.len() > 1);
            if !too_old && !too_much {
                break;
            }
            self.memory.release(bytes(key));
            self.by_key.remove(key);
            self.in_order.pop_front();
        }
    }
}

fn bytes(key: &str) -> usize {
    OVERHEAD + key.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(known: &mut Known, count: usize, now: Millis) {
        for index in 0..count {
            known.add(&format!("{now}-{index}"), Serial::first(now), 1, now);
            known.trim(now);
        }
    }

    #[test]
    fn what_is_known_is_bounded_by_time_and_number() {
        let mut known = Known::new(Arc::default());
        add(&mut known, KNOWN_MAX + 5, 0);
        assert_eq!((known.in_order.len(), known.by_key.len()), (KNOWN_MAX, KNOWN_MAX));
        assert!(known.find("0-4").is_none() && known.find("0-5").is_some());
        known.trim(RESUMABLE);
        assert!(!known.is_empty());
        known.trim(RESUMABLE + 1);
        assert!(known.is_empty() && known.by_key.is_empty());
    }

    #[test]
    fn what_is_known_counts_as_memory_and_makes_room_where_that_is_short() {
        let memory = Arc::<Memory>::default();
        let mut known = Known::new(Arc::clone(&memory));
        add(&mut known, 10, 0);
        memory.take(usize::MAX / 2);
        add(&mut known, 1, 1);
        assert!(known.find("0-9").is_none() && known.find("1-0").is_some());
        memory.release(usize::MAX / 2);
        drop(known);
        memory.take(1);
        memory.release(1);
        assert!(memory.is_empty());
    }
}
