//! Things that happened on a channel, in order, bounded by time, by count and by size.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::serial::Serial;
use crate::clock::Millis;

/// How many publications a timeline keeps.
const PUBLICATIONS_MAX: usize = 10_000;
/// The most that a timeline keeps, in bytes.
const BYTES_MAX: usize = 16 << 20;
/// The most that all channels together remember, in bytes, beyond what happened last on each.
const TOTAL_BYTES_MAX: usize = 256 << 20;

/// How much all channels remember together.
#[derive(Debug, Default)]
pub(crate) struct Memory(AtomicUsize);

impl Memory {
    /// Whether more is remembered than should be.
    pub(super) fn is_short(&self) -> bool {
        self.0.load(Ordering::Relaxed) > TOTAL_BYTES_MAX
    }

    /// Notes that so many bytes more are remembered.
    pub(super) fn take(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes that so many bytes are forgotten.
    pub(super) fn release(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// Messages, or presence messages, that one frame or request brought.
#[derive(Debug, Clone)]
pub(super) struct Publication<T> {
    pub(super) id: String,
    pub(super) serial: Serial,
    pub(super) channel_serial: String,
    pub(super) connection_id: Option<String>,
    pub(super) timestamp: Millis,
    pub(super) items: Vec<T>,
    /// What some items have become since, by their index.
    pub(super) revised: BTreeMap<usize, T>,
    /// It says something about earlier items, so that those who look back see it in them.
    pub(super) amends: bool,
    /// What it takes in memory, roughly.
    pub(super) bytes: usize,
}

impl<T> Publication<T> {
    /// What the items are by now, each with its index.
    pub(super) fn current(&self) -> impl DoubleEndedIterator<Item = (usize, &T)> {
        self.items.iter().enumerate().map(|(index, item)| (index, self.revised.get(&index).unwrap_or(item)))
    }

    /// The place of an item: `<channelSerial>:<3-digit index>`. Places sort as text in the order in which things happened.
    pub(super) fn place(&self, index: usize) -> String {
        place(&self.channel_serial, index)
    }
}

/// The place of an item in a publication.
pub(super) fn place(channel_serial: &str, index: usize) -> String {
    format!("{channel_serial}:{index:03}")
}

/// A timeline.
#[derive(Debug)]
pub(super) struct Timeline<T> {
    publications: VecDeque<Arc<Publication<T>>>,
    /// How long each is kept.
    kept: Millis,
    bytes: usize,
    memory: Arc<Memory>,
    /// The last publication that is no longer there.
    floor: Option<Serial>,
}

impl<T> Drop for Timeline<T> {
    fn drop(&mut self) {
        self.memory.release(self.bytes);
    }
}

impl<T> Timeline<T> {
    pub(super) fn new(kept: Millis, memory: Arc<Memory>) -> Self {
        Self { publications: VecDeque::new(), kept, bytes: 0, memory, floor: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.publications.is_empty()
    }

    /// How long things are kept.
    pub(super) fn kept(&self) -> Millis {
        self.kept
    }

    /// The last publication that was forgotten: whoever has seen nothing after an earlier one has lost something.
    pub(super) fn floor(&self) -> Option<Serial> {
        self.floor
    }

    /// What there is, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Publication<T>>> {
        self.publications.iter()
    }

    /// The publication of a serial, if it is still there.
    pub(super) fn find(&self, serial: Serial) -> Option<&Arc<Publication<T>>> {
        self.publications.get(self.index_of(serial)?)
    }

    fn index_of(&self, serial: Serial) -> Option<usize> {
        self.publications.binary_search_by_key(&serial, |publication| publication.serial).ok()
    }

    /// Notes what an item of a publication has become. `size` says what an item takes in memory.
    pub(super) fn revise(&mut self, serial: Serial, index: usize, item: T, size: impl Fn(&T) -> usize)
    where
        T: Clone,
    {
        let found = self.index_of(serial).and_then(|found| self.publications.get_mut(found));
        let Some(publication) = found.map(Arc::make_mut) else { return };
        let grown = size(&item);
        let shrunk = publication.revised.insert(index, item).as_ref().map_or(0, size);
        publication.bytes = publication.bytes + grown - shrunk;
        self.bytes = self.bytes + grown - shrunk;
        self.memory.take(grown);
        self.memory.release(shrunk);
    }

    /// Takes out what something later has made worthless.
    pub(super) fn remove(&mut self, worthless: impl Fn(&Publication<T>) -> bool) {
        let (bytes, memory) = (&mut self.bytes, &self.memory);
        self.publications.retain(|publication| {
            let keep = !worthless(publication);
            if !keep {
                *bytes -= publication.bytes;
                memory.release(publication.bytes);
            }
            keep
        });
    }

    /// Adds what has just happened.
    pub(super) fn push(&mut self, publication: Arc<Publication<T>>) {
        self.bytes += publication.bytes;
        self.memory.take(publication.bytes);
        let now = publication.timestamp;
        self.publications.push_back(publication);
        self.trim(now);
    }

    /// Forgets what is too old or too much.
    pub(super) fn trim(&mut self, now: Millis) {
        while let Some(oldest) = self.publications.front() {
            let too_old = now - oldest.timestamp > self.kept;
            let too_much = self.publications.len() > PUBLICATIONS_MAX
                || self.bytes > BYTES_MAX
                || (self.memory.is_short() && self.publications.len() > 1);
            if !too_old && !too_much {
                break;
            }
            self.floor = Some(oldest.serial);
            self.bytes -= oldest.bytes;
            self.memory.release(oldest.bytes);
            self.publications.pop_front();
        }
    }
}
