//! What was published on a channel during the last two minutes, bounded by count and by size.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ably::{ErrorInfo, Message, MessageAction, Version};

use super::serial::Serial;
use super::{Prepared, Published};
use crate::clock::Millis;
use crate::errors::bad_request;
use crate::protocol::{Action, Frame};
use crate::random;

/// How long messages are kept, and for how long a double is known.
const KEPT: Millis = 120_000;
/// How many publishes a channel keeps.
const PUBLICATIONS_MAX: usize = 10_000;
/// How many publishes are known again when they come twice.
const KNOWN_MAX: usize = 20_000;
/// The most that a channel keeps, in bytes.
const BYTES_MAX: usize = 16 << 20;
/// The most that all channels together keep, in bytes, beyond the last publish of each.
const TOTAL_BYTES_MAX: usize = 256 << 20;
/// What a message takes besides its contents, roughly, in bytes.
const MESSAGE_OVERHEAD: usize = 512;
/// The most messages that a rewind brings.
pub(super) const REWIND_MESSAGES_MAX: usize = 100;

/// How much all logs hold together.
#[derive(Debug, Default)]
pub(crate) struct Memory(AtomicUsize);

impl Memory {
    fn is_short(&self) -> bool {
        self.0.load(Ordering::Relaxed) > TOTAL_BYTES_MAX
    }
}

/// Messages that were published together.
#[derive(Debug, Clone)]
pub(super) struct Publication {
    id: String,
    serial: Serial,
    channel_serial: String,
    connection_id: Option<String>,
    timestamp: Millis,
    messages: Vec<Message>,
    bytes: usize,
}

impl Publication {
    pub(super) fn connection_id(&self) -> Option<&str> {
        self.connection_id.as_deref()
    }

    /// The frame that brings it to an attachment.
    pub(super) fn frame(&self, channel: &str) -> Frame {
        Frame {
            id: Some(self.id.clone()),
            connection_id: self.connection_id.clone(),
            channel_serial: Some(self.channel_serial.clone()),
            timestamp: Some(self.timestamp),
            messages: Some(self.messages.clone()),
            ..Frame::on(Action::Message, channel)
        }
    }

    /// Without its first so many messages.
    fn without_first(&self, count: usize) -> Self {
        Self { messages: self.messages.iter().skip(count).cloned().collect(), ..self.clone() }
    }
}

/// How far a new attachment looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rewind {
    pub(super) by: RewindBy,
    /// The most messages.
    pub(super) limit: usize,
}

/// What a rewind counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RewindBy {
    Messages(usize),
    Time(Millis),
}

/// A question about the past.
#[derive(Debug, Clone)]
pub(crate) struct HistoryQuery {
    pub(crate) start: Option<Millis>,
    pub(crate) end: Option<Millis>,
    pub(crate) forwards: bool,
    /// Up to the publish of this serial, which is included.
    pub(crate) until_serial: Option<String>,
    pub(crate) limit: usize,
    /// The serial of the message that the page before ended with.
    pub(crate) cursor: Option<String>,
}

/// Some of what was asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Where the next page begins, if there is more.
    pub(crate) next: Option<String>,
}

/// A log.
#[derive(Debug)]
pub(super) struct Log {
    /// Tells this log's serials from those of another server, or of an earlier channel of the same name.
    series: String,
    last: Serial,
    /// The last publish that is no longer there: whoever resumes from before it has lost something.
    floor: Serial,
    publications: VecDeque<Arc<Publication>>,
    bytes: usize,
    memory: Arc<Memory>,
    /// The publishes of the last two minutes by their keys: where they are, and of how many messages.
    known: HashMap<String, (Serial, usize)>,
    known_in_order: VecDeque<(Millis, String)>,
}

impl Drop for Log {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Log {
    pub(super) fn new(memory: Arc<Memory>, now: Millis) -> Self {
        let first = Serial::first(now);
        Self {
            series: random::text::<6>(),
            last: first,
            floor: first,
            publications: VecDeque::new(),
            bytes: 0,
            memory,
            known: HashMap::new(),
            known_in_order: VecDeque::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.publications.is_empty() && self.known.is_empty()
    }

    /// The serial of the last publish.
    pub(super) fn last_serial(&self) -> String {
        self.last.in_series(&self.series)
    }

    /// What a publish of the same key came to, if there was one within two minutes.
    pub(super) fn duplicate_of(&mut self, key: &str, now: Millis) -> Option<Published> {
        self.trim(now);
        let (serial, count) = *self.known.get(key)?;
        Some(Published { id: key.to_owned(), serials: self.serials(serial, count).collect() })
    }

    /// The serials of the messages of a publish.
    fn serials(&self, serial: Serial, count: usize) -> impl Iterator<Item = String> {
        let channel_serial = serial.in_series(&self.series);
        (0..count).map(move |index| format!("{channel_serial}:{index:03}"))
    }

    /// Adds a publish.
    pub(super) fn append(&mut self, prepared: Prepared, now: Millis) -> (Arc<Publication>, Published) {
        self.last = self.last.next(now);
        let channel_serial = self.last.in_series(&self.series);
        let (id, connection_id, mut messages, size) = prepared.into_parts();
        let serials: Vec<String> = self.serials(self.last, messages.len()).collect();
        let mut bytes = size;
        for (message, serial) in messages.iter_mut().zip(&serials) {
            message.timestamp = Some(now);
            message.action = Some(MessageAction::Create);
            message.version =
                Some(Version { serial: Some(serial.clone()), timestamp: Some(now), client_id: None });
            message.serial = Some(serial.clone());
            bytes += MESSAGE_OVERHEAD + message.id.as_ref().map_or(0, String::len);
            bytes += message.payload.encoding.as_ref().map_or(0, String::len);
        }
        let publication = Arc::new(Publication {
            id: id.clone(),
            serial: self.last,
            channel_serial,
            connection_id,
            timestamp: now,
            messages,
            bytes,
        });
        self.publications.push_back(Arc::clone(&publication));
        self.bytes += bytes;
        self.memory.0.fetch_add(bytes, Ordering::Relaxed);
        self.known.insert(id.clone(), (self.last, serials.len()));
        self.known_in_order.push_back((now, id.clone()));
        self.trim(now);
        (publication, Published { id, serials })
    }

    /// Forgets what is too old or too much.
    pub(super) fn trim(&mut self, now: Millis) {
        while let Some(oldest) = self.publications.front() {
            let too_old = now - oldest.timestamp > KEPT;
            let too_much = self.publications.len() > PUBLICATIONS_MAX
                || self.bytes > BYTES_MAX
                || (self.memory.is_short() && self.publications.len() > 1);
            if !too_old && !too_much {
                break;
            }
            self.floor = oldest.serial;
            self.bytes -= oldest.bytes;
            self.memory.0.fetch_sub(oldest.bytes, Ordering::Relaxed);
            self.publications.pop_front();
        }
        let many = self.known_in_order.len().saturating_sub(KNOWN_MAX);
        let expired = self.known_in_order.iter().take_while(|(known, _)| now - known > KEPT).count();
        for (_, key) in self.known_in_order.drain(..many.max(expired)) {
            self.known.remove(&key);
        }
    }

    /// All that was published after a serial, or nothing where that cannot be told.
    pub(super) fn since(&mut self, serial: &str, now: Millis) -> Option<Vec<Arc<Publication>>> {
        self.trim(now);
        let serial = Serial::parse(serial, &self.series)?;
        if serial < self.floor || serial > self.last {
            return None;
        }
        Some(self.publications.iter().filter(|publication| publication.serial > serial).cloned().collect())
    }

    /// The last messages, oldest first.
    pub(super) fn rewind(&mut self, rewind: Rewind, now: Millis) -> Vec<Arc<Publication>> {
        self.trim(now);
        let (mut wanted, since) = match rewind.by {
            RewindBy::Messages(count) => (count.min(rewind.limit), Millis::MIN),
            RewindBy::Time(span) => (rewind.limit, now - span),
        };
        let mut found = Vec::new();
        for publication in self.publications.iter().rev() {
            if wanted == 0 || publication.timestamp < since {
                break;
            }
            let count = publication.messages.len();
            found.push(match count.saturating_sub(wanted) {
                0 => Arc::clone(publication),
                surplus => Arc::new(publication.without_first(surplus)),
            });
            wanted = wanted.saturating_sub(count);
        }
        found.reverse();
        found
    }

    /// Past messages, newest first unless asked otherwise.
    pub(super) fn history(&self, query: &HistoryQuery, now: Millis) -> Result<Page<Message>, ErrorInfo> {
        let unreadable = || bad_request("the position in the history cannot be read");
        let until = match &query.until_serial {
            None => None,
            Some(serial) => Some(Serial::parse(serial, &self.series).ok_or_else(unreadable)?),
        };
        let start = query.start.unwrap_or(Millis::MIN).max(now - KEPT);
        let end = query.end.unwrap_or(Millis::MAX);
        let matches = self
            .publications
            .iter()
            .filter(|publication| (start..=end).contains(&publication.timestamp))
            .filter(|publication| until.is_none_or(|until| publication.serial <= until))
            .flat_map(|publication| &publication.messages);
        let mut in_order: Vec<&Message> = matches.collect();
        if !query.forwards {
            in_order.reverse();
        }
        // A page begins after the message whose serial the page before ended with; serials sort as text.
        let cursor = query.cursor.as_deref();
        let beyond = |message: &&Message| match (cursor, message.serial.as_deref()) {
            (Some(cursor), Some(serial)) if query.forwards => serial > cursor,
            (Some(cursor), Some(serial)) => serial < cursor,
            _ => true,
        };
        let mut rest = in_order.into_iter().filter(beyond).peekable();
        let items: Vec<Message> = rest.by_ref().take(query.limit).cloned().collect();
        let next = rest.peek().and(items.last()).and_then(|last| last.serial.clone());
        Ok(Page { items, next })
    }
}
