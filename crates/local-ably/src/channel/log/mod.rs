//! What was published on a channel, and who came and went, bounded by time, by count and by size.

mod amendments;
mod known;
mod replay;

use std::collections::BTreeMap;
use std::sync::Arc;

use ably::{Annotation, ErrorInfo, Message, MessageAction, PresenceMessage, Version};
use serde_json::Value;

use super::history::{self, HistoryQuery, Page};
use super::rules::Rules;
use super::serial::Serial;
use super::timeline::{self, Memory, Publication, Timeline};
use super::{Prepared, Published};
use crate::clock::Millis;
use crate::errors::bad_request;
use crate::protocol::{Action, Frame};
use crate::random;

use known::Known;
pub(super) use replay::{Missed, REWIND_MESSAGES_MAX, Rewind, RewindBy};

/// How long a double is known, and how far back a client may resume.
const RESUMABLE: Millis = 120_000;
/// What an item takes besides its contents, roughly, in bytes.
const ITEM_OVERHEAD: usize = 512;
/// What a value of JSON takes, or the name of a field, besides its text.
const VALUE_OVERHEAD: usize = 32;

impl Publication<Message> {
    /// The frame that brings it to an attachment.
    pub(super) fn frame(&self, channel: &str) -> Frame {
        Frame { messages: Some(self.items.clone()), ..self.envelope(channel) }
    }

    /// The frame without its messages.
    pub(super) fn envelope(&self, channel: &str) -> Frame {
        self.envelope_of(Action::Message, channel)
    }
}

impl Publication<Annotation> {
    /// The frame that brings it to an attachment.
    pub(super) fn frame(&self, channel: &str) -> Frame {
        Frame { annotations: Some(self.items.clone()), ..self.envelope_of(Action::Annotation, channel) }
    }
}

impl<T> Publication<T> {
    fn envelope_of(&self, action: Action, channel: &str) -> Frame {
        Frame {
            id: Some(self.id.clone()),
            connection_id: self.connection_id.clone(),
            channel_serial: Some(self.channel_serial.clone()),
            timestamp: Some(self.timestamp),
            ..Frame::on(action, channel)
        }
    }
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
    annotations: Timeline<Annotation>,
    known: Known,
}

impl Log {
    pub(super) fn new(rules: Rules, memory: &Arc<Memory>, now: Millis) -> Self {
        let first = Serial::first(now);
        Self {
            series: random::text::<6>(),
            first,
            last: first,
            messages: Timeline::new(rules.kept(), Arc::clone(memory)),
            presence: Timeline::new(rules.kept(), Arc::clone(memory)),
            annotations: Timeline::new(rules.kept(), Arc::clone(memory)),
            known: Known::new(Arc::clone(memory)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
            && self.presence.is_empty()
            && self.annotations.is_empty()
            && self.known.is_empty()
    }

    /// The serial of what happened last.
    pub(super) fn last_serial(&self) -> String {
        self.last.in_series(&self.series)
    }

    /// What a publish of the same key came to, if there was one within two minutes.
    pub(super) fn duplicate_of(&mut self, key: &str, now: Millis) -> Option<Published> {
        self.trim(now);
        let (serial, count) = self.known.find(key)?;
        Some(Published { id: key.to_owned(), serials: self.serials(serial, count) })
    }

    /// The serials of the items of a publication.
    fn serials(&self, serial: Serial, count: usize) -> Vec<String> {
        let channel_serial = serial.in_series(&self.series);
        (0..count).map(|index| timeline::place(&channel_serial, index)).collect()
    }

    /// Makes the next publication.
    fn next<T>(
        &mut self,
        id: &str,
        connection_id: Option<String>,
        items: Vec<T>,
        now: Millis,
    ) -> Publication<T> {
        self.last = self.last.next(now);
        Publication {
            id: id.to_owned(),
            serial: self.last,
            channel_serial: self.last_serial(),
            connection_id,
            timestamp: now,
            items,
            revised: BTreeMap::new(),
            amends: false,
            bytes: 0,
        }
    }

    /// Adds a publish. One of ephemeral messages alone is only numbered.
    pub(super) fn append(
        &mut self,
        prepared: Prepared,
        now: Millis,
    ) -> (Arc<Publication<Message>>, Published) {
        let (id, connection_id, messages) = prepared.into_parts();
        let mut publication = self.next(&id, connection_id, messages, now);
        let serials = self.serials(publication.serial, publication.items.len());
        for (message, serial) in publication.items.iter_mut().zip(&serials) {
            message.timestamp = Some(now);
            message.action = Some(MessageAction::Create);
            message.version =
                Some(Version { serial: Some(serial.clone()), timestamp: Some(now), ..Version::default() });
            message.serial = Some(serial.clone());
        }
        let publication = if publication.items.iter().all(is_ephemeral) {
            Arc::new(publication)
        } else {
            self.keep_messages(publication)
        };
        self.known.add(&id, self.last, serials.len(), now);
        self.trim(now);
        (publication, Published { id, serials })
    }

    fn keep_messages(&mut self, mut publication: Publication<Message>) -> Arc<Publication<Message>> {
        publication.bytes = publication.items.iter().map(bytes_of_message).sum();
        let publication = Arc::new(publication);
        self.messages.push(Arc::clone(&publication));
        publication
    }

    /// Adds that members entered, were updated or left. Answers the serial of the event.
    pub(super) fn append_presence(
        &mut self,
        frame_id: &str,
        events: &[PresenceMessage],
        now: Millis,
    ) -> String {
        let mut publication = self.next(frame_id, None, events.to_vec(), now);
        publication.bytes = events
            .iter()
            .map(|event| {
                ITEM_OVERHEAD
                    + event.size()
                    + event.extras.as_ref().map_or(0, bytes_of_value)
                    + id_len(&event.id)
                    + id_len(&event.payload.encoding)
            })
            .sum();
        self.presence.push(Arc::new(publication));
        self.last_serial()
    }

    /// Forgets what is too old or too much.
    pub(super) fn trim(&mut self, now: Millis) {
        self.messages.trim(now);
        self.presence.trim(now);
        self.annotations.trim(now);
        self.known.trim(now);
    }

    /// Past messages as they are by now, newest first unless asked otherwise.
    pub(super) fn history(&self, query: &HistoryQuery, now: Millis) -> Result<Page<Message>, ErrorInfo> {
        Ok(history::page(&self.messages, query, self.until(query)?, now, Message::size))
    }

    /// Who came and went, newest first unless asked otherwise.
    pub(super) fn presence_history(
        &self,
        query: &HistoryQuery,
        now: Millis,
    ) -> Result<Page<PresenceMessage>, ErrorInfo> {
        Ok(history::page(&self.presence, query, self.until(query)?, now, PresenceMessage::size))
    }

    fn until(&self, query: &HistoryQuery) -> Result<Option<Serial>, ErrorInfo> {
        let unreadable = || bad_request("the position in the history cannot be read");
        let until = query.until_serial.as_deref();
        until.map(|serial| Serial::parse(serial, &self.series).ok_or_else(unreadable)).transpose()
    }
}

/// Whether a message is for those who are there, and for nobody who looks back or resumes.
fn is_ephemeral(message: &Message) -> bool {
    let extras = message.extras.as_ref();
    extras.and_then(|extras| extras.get("ephemeral")).and_then(Value::as_bool).unwrap_or(false)
}

fn id_len(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

/// What JSON takes in memory, roughly: for each value so much, besides its text.
fn bytes_of_value(value: &Value) -> usize {
    VALUE_OVERHEAD
        + match value {
            Value::Array(items) => items.iter().map(bytes_of_value).sum(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| VALUE_OVERHEAD + name.len() + bytes_of_value(value)).sum()
            }
            Value::String(text) => text.len(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

/// What a message takes in memory, roughly.
fn bytes_of_message(message: &Message) -> usize {
    let version = message.version.as_ref();
    let values = [&message.extras, &message.annotations, version.map_or(&None, |version| &version.metadata)];
    ITEM_OVERHEAD
        + message.size()
        + version.map_or(0, Version::size)
        + values.into_iter().flatten().map(bytes_of_value).sum::<usize>()
        + id_len(&message.id)
        + id_len(&message.payload.encoding)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_room_that_json_takes_is_counted_by_its_values() {
        let of = |extras: Value| bytes_of_message(&Message { extras: Some(extras), ..Message::default() });
        assert!(of(json!({"headers": {"a": "b"}})) < ITEM_OVERHEAD + 300);
        let zeros = json!(vec![0; 10_000]);
        assert!(of(zeros) >= 10_000 * size_of::<Value>());
    }
}
