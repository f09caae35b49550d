//! What was published on a channel, and who came and went, bounded by time, by count and by size.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use ably::{ErrorInfo, Message, MessageAction, PresenceMessage, Version};

use super::history::{self, HistoryQuery, Page};
use super::serial::Serial;
use super::timeline::{self, Memory, Publication, Timeline};
use super::{Prepared, Published};
use crate::clock::Millis;
use crate::errors::bad_request;
use crate::protocol::{Action, Frame};
use crate::random;

/// How long messages are kept, and for how long a double is known.
const KEPT: Millis = 120_000;
/// How many publishes are known again when they come twice.
const KNOWN_MAX: usize = 20_000;
/// What an item takes besides its contents, roughly, in bytes.
const ITEM_OVERHEAD: usize = 512;
/// The most messages that a rewind brings.
pub(super) const REWIND_MESSAGES_MAX: usize = 100;

impl Publication<Message> {
    /// The frame that brings it to an attachment.
    pub(super) fn frame(&self, channel: &str) -> Frame {
        Frame {
            id: Some(self.id.clone()),
            connection_id: self.connection_id.clone(),
            channel_serial: Some(self.channel_serial.clone()),
            timestamp: Some(self.timestamp),
            messages: Some(self.items.clone()),
            ..Frame::on(Action::Message, channel)
        }
    }

    /// Without its first so many messages.
    fn without_first(&self, count: usize) -> Self {
        Self { items: self.items.iter().skip(count).cloned().collect(), ..self.clone() }
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

/// A log.
#[derive(Debug)]
pub(super) struct Log {
    /// Tells this log's serials from those of another server, or of an earlier channel of the same name.
    series: String,
    /// The first serial, before anything happened.
    first: Serial,
    last: Serial,
    messages: Timeline<Message>,
    presence: Timeline<PresenceMessage>,
    /// The publishes of the last two minutes by their keys: where they are, and of how many messages.
    known: HashMap<String, (Serial, usize)>,
    known_in_order: VecDeque<(Millis, String)>,
}

impl Log {
    pub(super) fn new(memory: Arc<Memory>, now: Millis) -> Self {
        let first = Serial::first(now);
        Self {
            series: random::text::<6>(),
            first,
            last: first,
            messages: Timeline::new(KEPT, Arc::clone(&memory)),
            presence: Timeline::new(KEPT, memory),
            known: HashMap::new(),
            known_in_order: VecDeque::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.presence.is_empty() && self.known.is_empty()
    }

    /// The serial of what happened last.
    pub(super) fn last_serial(&self) -> String {
        self.last.in_series(&self.series)
    }

    /// What a publish of the same key came to, if there was one within two minutes.
    pub(super) fn duplicate_of(&mut self, key: &str, now: Millis) -> Option<Published> {
        self.trim(now);
        let (serial, count) = *self.known.get(key)?;
        Some(Published { id: key.to_owned(), serials: self.serials(serial, count) })
    }

    /// The serials of the messages of a publish.
    fn serials(&self, serial: Serial, count: usize) -> Vec<String> {
        let channel_serial = serial.in_series(&self.series);
        (0..count).map(|index| timeline::place(&channel_serial, index)).collect()
    }

    /// Adds a publish.
    pub(super) fn append(
        &mut self,
        prepared: Prepared,
        now: Millis,
    ) -> (Arc<Publication<Message>>, Published) {
        self.last = self.last.next(now);
        let (id, connection_id, mut messages, size) = prepared.into_parts();
        let serials = self.serials(self.last, messages.len());
        let mut bytes = size;
        for (message, serial) in messages.iter_mut().zip(&serials) {
            message.timestamp = Some(now);
            message.action = Some(MessageAction::Create);
            message.version =
                Some(Version { serial: Some(serial.clone()), timestamp: Some(now), client_id: None });
            message.serial = Some(serial.clone());
            bytes += ITEM_OVERHEAD + message.id.as_ref().map_or(0, String::len);
            bytes += message.payload.encoding.as_ref().map_or(0, String::len);
        }
        let publication = Arc::new(Publication {
            id: id.clone(),
            serial: self.last,
            channel_serial: self.last_serial(),
            connection_id,
            timestamp: now,
            items: messages,
            bytes,
        });
        self.messages.push(Arc::clone(&publication));
        self.known.insert(id.clone(), (self.last, serials.len()));
        self.known_in_order.push_back((now, id.clone()));
        self.trim(now);
        (publication, Published { id, serials })
    }

    /// Adds that members entered, were updated or left. Answers the serial of the event.
    pub(super) fn append_presence(
        &mut self,
        frame_id: &str,
        events: &[PresenceMessage],
        now: Millis,
    ) -> String {
        self.last = self.last.next(now);
        let bytes = |event: &PresenceMessage| {
            let encoding = event.payload.encoding.as_ref().map_or(0, String::len);
            ITEM_OVERHEAD + event.size() + event.id.as_ref().map_or(0, String::len) + encoding
        };
        self.presence.push(Arc::new(Publication {
            id: frame_id.to_owned(),
            serial: self.last,
            channel_serial: self.last_serial(),
            connection_id: None,
            timestamp: now,
            items: events.to_vec(),
            bytes: events.iter().map(bytes).sum(),
        }));
        self.last_serial()
    }

    /// Forgets what is too old or too much.
    pub(super) fn trim(&mut self, now: Millis) {
        self.messages.trim(now);
        self.presence.trim(now);
        let many = self.known_in_order.len().saturating_sub(KNOWN_MAX);
        let expired = self.known_in_order.iter().take_while(|(known, _)| now - known > KEPT).count();
        for (_, key) in self.known_in_order.drain(..many.max(expired)) {
            self.known.remove(&key);
        }
    }

    /// All that was published after a serial, or nothing where that cannot be told.
    pub(super) fn since(&mut self, serial: &str, now: Millis) -> Option<Vec<Arc<Publication<Message>>>> {
        self.trim(now);
        let serial = Serial::parse(serial, &self.series)?;
        if serial < self.messages.floor().unwrap_or(self.first) || serial > self.last {
            return None;
        }
        Some(self.messages.iter().filter(|publication| publication.serial > serial).cloned().collect())
    }

    /// The last messages, oldest first.
    pub(super) fn rewind(&mut self, rewind: Rewind, now: Millis) -> Vec<Arc<Publication<Message>>> {
        self.trim(now);
        let (mut wanted, since) = match rewind.by {
            RewindBy::Messages(count) => (count.min(rewind.limit), Millis::MIN),
            RewindBy::Time(span) => (rewind.limit, now - span),
        };
        let mut found = Vec::new();
        for publication in self.messages.iter().rev() {
            if wanted == 0 || publication.timestamp < since {
                break;
            }
            let count = publication.items.len();
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
        Ok(history::page(&self.messages, query, self.until(query)?, now))
    }

    /// Who came and went, newest first unless asked otherwise.
    pub(super) fn presence_history(
        &self,
        query: &HistoryQuery,
        now: Millis,
    ) -> Result<Page<PresenceMessage>, ErrorInfo> {
        Ok(history::page(&self.presence, query, self.until(query)?, now))
    }

    fn until(&self, query: &HistoryQuery) -> Result<Option<Serial>, ErrorInfo> {
        let unreadable = || bad_request("the position in the history cannot be read");
        let until = query.until_serial.as_deref();
        until.map(|serial| Serial::parse(serial, &self.series).ok_or_else(unreadable)).transpose()
    }
}
