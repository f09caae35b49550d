//! What was published on a channel, and who came and went, bounded by time, by count and by size.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use ably::{Annotation, ErrorInfo, Message, MessageAction, PresenceMessage, Version};
use serde_json::Value;

use super::change::{Change, Changed};
use super::history::{self, HistoryQuery, Page};
use super::rules::Rules;
use super::serial::Serial;
use super::timeline::{self, Memory, Publication, Timeline};
use super::{Prepared, Published, summary};
use crate::clock::Millis;
use crate::errors::{bad_request, not_found};
use crate::protocol::{Action, Frame};
use crate::random;

/// How long a double is known, and how far back a client may resume.
const RESUMABLE: Millis = 120_000;
/// How many publishes are known again when they come twice.
const KNOWN_MAX: usize = 20_000;
/// What an item takes besides its contents, roughly, in bytes.
const ITEM_OVERHEAD: usize = 512;
/// The most messages that a rewind brings.
pub(super) const REWIND_MESSAGES_MAX: usize = 100;

impl Publication<Message> {
    /// The frame that brings it to an attachment.
    pub(super) fn frame(&self, channel: &str) -> Frame {
        Frame { messages: Some(self.items.clone()), ..self.envelope(Action::Message, channel) }
    }

    /// Its messages after one of them, if there are any.
    fn after(&self, index: usize) -> Option<Self> {
        let items: Vec<Message> = self.items.iter().skip(index + 1).cloned().collect();
        (!items.is_empty()).then(|| Self { items, revised: BTreeMap::new(), ..self.clone() })
    }

    /// Its last messages as they are by now.
    fn last(&self, count: usize) -> Self {
        let surplus = self.items.len().saturating_sub(count);
        let items = self.current().skip(surplus).map(|(_, message)| message.clone()).collect();
        Self { items, revised: BTreeMap::new(), ..self.clone() }
    }
}

impl Publication<Annotation> {
    /// The frame that brings it to an attachment.
    pub(super) fn frame(&self, channel: &str) -> Frame {
        Frame { annotations: Some(self.items.clone()), ..self.envelope(Action::Annotation, channel) }
    }
}

impl<T> Publication<T> {
    fn envelope(&self, action: Action, channel: &str) -> Frame {
        Frame {
            id: Some(self.id.clone()),
            connection_id: self.connection_id.clone(),
            channel_serial: Some(self.channel_serial.clone()),
            timestamp: Some(self.timestamp),
            ..Frame::on(action, channel)
        }
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

/// What a client missed.
#[derive(Debug)]
pub(super) enum Missed {
    Messages(Arc<Publication<Message>>),
    Annotations(Arc<Publication<Annotation>>),
}

impl Missed {
    fn serial(&self) -> Serial {
        match self {
            Self::Messages(publication) => publication.serial,
            Self::Annotations(publication) => publication.serial,
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
    /// The publishes of the last two minutes by their keys: where they are, and of how many messages.
    known: HashMap<String, (Serial, usize)>,
    known_in_order: VecDeque<(Millis, String)>,
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
            known: HashMap::new(),
            known_in_order: VecDeque::new(),
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
        let (serial, count) = *self.known.get(key)?;
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
        self.known.insert(id.clone(), (self.last, serials.len()));
        self.known_in_order.push_back((now, id.clone()));
        self.trim(now);
        (publication, Published { id, serials })
    }

    fn keep_messages(&mut self, mut publication: Publication<Message>) -> Arc<Publication<Message>> {
        publication.bytes = publication.items.iter().map(bytes_of_message).sum();
        let publication = Arc::new(publication);
        self.messages.push(Arc::clone(&publication));
        publication
    }

    /// A message as it is by now.
    ///
    /// # Errors
    /// 40400 for a serial that no message has here.
    pub(super) fn message(&self, serial: &str) -> Result<&Message, ErrorInfo> {
        self.find(serial).ok_or_else(|| not_found("the channel has no message of this serial"))
    }

    fn find(&self, serial: &str) -> Option<&Message> {
        let (place, index) = Serial::parse_item(serial, &self.series)?;
        let publication = self.messages.find(place).filter(|publication| !publication.amends)?;
        publication.revised.get(&index).or_else(|| publication.items.get(index))
    }

    /// Gives a message a new version. Answers what subscribers are sent, and the serial of the version.
    ///
    /// # Errors
    /// 40400 for a serial that no message has here, and those of [`Change::apply`].
    pub(super) fn change(
        &mut self,
        change: Change,
        now: Millis,
    ) -> Result<(Arc<Publication<Message>>, String), ErrorInfo> {
        let before = self.message(&change.serial)?.clone();
        let (serial, base_id) = (change.serial.clone(), change.base_id.clone());
        let connection_id = change.connection_id.clone();
        let version = timeline::place(&self.last.next(now).in_series(&self.series), 0);
        let Changed { whole, live } = change.apply(&before, &version, now)?;
        let publication = self.next(&base_id, connection_id, vec![live], now);
        self.revise(&serial, whole);
        Ok((self.keep_messages(Publication { amends: true, ..publication }), version))
    }

    fn revise(&mut self, serial: &str, message: Message) {
        if let Some((place, index)) = Serial::parse_item(serial, &self.series) {
            self.messages.revise(place, index, message, bytes_of_message);
        }
    }

    /// The versions of a message that are still known, oldest first.
    ///
    /// # Errors
    /// 40400 for a serial that no message has here.
    pub(super) fn versions(
        &self,
        serial: &str,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Message>, ErrorInfo> {
        self.message(serial)?;
        let of_it = self.messages.iter().flat_map(|publication| &publication.items);
        let of_it = of_it.filter(|message| message.serial.as_deref() == Some(serial));
        let mut versions = Vec::<(String, Message)>::new();
        for message in of_it.filter(|message| message.action != Some(MessageAction::Summary)) {
            let before = versions.last().map(|(_, version)| version.clone()).unwrap_or_default();
            let version = message.version.as_ref().and_then(|version| version.serial.clone());
            versions.push((version.unwrap_or_default(), Changed::whole_of(message, &before)));
        }
        Ok(history::cut(versions.into_iter(), true, cursor, limit))
    }

    /// Adds annotations, whose messages are known. Answers what is sent to those who want annotations, and what to all subscribers:
    /// the sum of all annotations of each message.
    pub(super) fn annotate(
        &mut self,
        base_id: &str,
        connection_id: Option<&str>,
        annotations: Vec<Annotation>,
        now: Millis,
    ) -> (Arc<Publication<Annotation>>, Vec<Arc<Publication<Message>>>) {
        let mut publication = self.next(base_id, connection_id.map(str::to_owned), annotations, now);
        let serials = self.serials(publication.serial, publication.items.len());
        for (index, (annotation, serial)) in publication.items.iter_mut().zip(serials).enumerate() {
            annotation.id = Some(format!("{base_id}:{index}"));
            annotation.serial = Some(serial);
            annotation.timestamp = Some(now);
            annotation.connection_id = connection_id.map(str::to_owned);
        }
        publication.bytes = publication
            .items
            .iter()
            .map(|annotation| ITEM_OVERHEAD + annotation.size() + id_len(&annotation.id))
            .sum();
        let publication = Arc::new(publication);
        self.annotations.push(Arc::clone(&publication));
        let mut about: Vec<&String> =
            publication.items.iter().filter_map(|item| item.message_serial.as_ref()).collect();
        about.sort();
        about.dedup();
        let summaries = about.into_iter().filter_map(|serial| self.sum_up(serial, now)).collect();
        (publication, summaries)
    }

    fn sum_up(&mut self, serial: &str, now: Millis) -> Option<Arc<Publication<Message>>> {
        let annotations = Some(summary::summarise(self.annotations_of(serial).map(|(_, item)| item)));
        let before = self.find(serial)?.clone();
        let id = random::text::<9>();
        let live = Message {
            id: Some(format!("{id}:0")),
            action: Some(MessageAction::Summary),
            serial: Some(serial.to_owned()),
            name: before.name.clone(),
            timestamp: before.timestamp,
            version: before.version.clone(),
            annotations: annotations.clone(),
            ..Message::default()
        };
        self.revise(serial, Message { annotations, ..before });
        // Whoever resumes needs the last sum alone.
        self.messages.remove(|publication| {
            let of_it = |message: &Message| {
                message.action == Some(MessageAction::Summary) && message.serial.as_deref() == Some(serial)
            };
            publication.amends && publication.items.iter().all(of_it)
        });
        let publication = self.next(&id, None, vec![live], now);
        Some(self.keep_messages(Publication { amends: true, ..publication }))
    }

    fn annotations_of<'a>(&'a self, serial: &'a str) -> impl Iterator<Item = (String, &'a Annotation)> + 'a {
        self.annotations
            .iter()
            .flat_map(|publication| publication.items.iter())
            .filter(move |annotation| annotation.message_serial.as_deref() == Some(serial))
            .map(|annotation| (annotation.serial.clone().unwrap_or_default(), annotation))
    }

    /// The annotations of a message, oldest first.
    ///
    /// # Errors
    /// 40400 for a serial that no message has here.
    pub(super) fn annotations(
        &self,
        serial: &str,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Annotation>, ErrorInfo> {
        self.message(serial)?;
        let page = history::cut(self.annotations_of(serial), true, cursor, limit);
        Ok(Page { items: page.items.into_iter().cloned().collect(), next: page.next })
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
            .map(|event| ITEM_OVERHEAD + event.size() + id_len(&event.id) + id_len(&event.payload.encoding))
            .sum();
        self.presence.push(Arc::new(publication));
        self.last_serial()
    }

    /// Forgets what is too old or too much.
    pub(super) fn trim(&mut self, now: Millis) {
        self.messages.trim(now);
        self.presence.trim(now);
        self.annotations.trim(now);
        let many = self.known_in_order.len().saturating_sub(KNOWN_MAX);
        let expired = self.known_in_order.iter().take_while(|(known, _)| now - known > RESUMABLE).count();
        for (_, key) in self.known_in_order.drain(..many.max(expired)) {
            self.known.remove(&key);
        }
    }

    /// Whether a text is a serial of this log.
    pub(super) fn has_series_of(&self, serial: &str) -> bool {
        Serial::parse(serial, &self.series).is_some()
    }

    /// All messages and annotations that came after a serial, be it that of one message among several, or nothing where that
    /// cannot be told or is too long ago.
    pub(super) fn since(&mut self, text: &str, now: Millis) -> Option<Vec<Missed>> {
        self.trim(now);
        let serial = Serial::parse(text, &self.series)?;
        let floor = self.messages.floor().max(self.annotations.floor()).unwrap_or(self.first);
        if serial < floor || serial > self.last {
            return None;
        }
        let messages = self.messages.iter().filter(|publication| publication.serial > serial);
        let annotations = self.annotations.iter().filter(|publication| publication.serial > serial);
        let rest = Serial::parse_item(text, &self.series)
            .and_then(|(place, index)| self.messages.find(place)?.after(index))
            .map(Arc::new);
        let mut missed: Vec<_> = rest.into_iter().chain(messages.cloned()).map(Missed::Messages).collect();
        missed.extend(annotations.cloned().map(Missed::Annotations));
        missed.sort_by_key(Missed::serial);
        let too_old = |missed: &Missed| {
            let at = match missed {
                Missed::Messages(publication) => publication.timestamp,
                Missed::Annotations(publication) => publication.timestamp,
            };
            now - at > RESUMABLE
        };
        if missed.first().is_some_and(too_old) { None } else { Some(missed) }
    }

    /// The last messages as they are by now, oldest first.
    pub(super) fn rewind(&mut self, rewind: Rewind, now: Millis) -> Vec<Missed> {
        self.trim(now);
        let (mut wanted, since) = match rewind.by {
            RewindBy::Messages(count) => (count.min(rewind.limit), Millis::MIN),
            RewindBy::Time(span) => (rewind.limit, now - span),
        };
        let mut found = Vec::new();
        for publication in self.messages.iter().rev().filter(|publication| !publication.amends) {
            if wanted == 0 || publication.timestamp < since {
                break;
            }
            found.push(Missed::Messages(Arc::new(publication.last(wanted))));
            wanted = wanted.saturating_sub(publication.items.len());
        }
        found.reverse();
        found
    }

    /// Past messages as they are by now, newest first unless asked otherwise.
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

/// Whether a message is for those who are there, and for nobody who looks back or resumes.
fn is_ephemeral(message: &Message) -> bool {
    let extras = message.extras.as_ref();
    extras.and_then(|extras| extras.get("ephemeral")).and_then(Value::as_bool).unwrap_or(false)
}

fn id_len(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

/// What a message takes in memory, roughly.
fn bytes_of_message(message: &Message) -> usize {
    let version = message.version.as_ref().map_or(0, Version::size);
    let summary = message.annotations.as_ref().map_or(0, |summary| summary.to_string().len());
    ITEM_OVERHEAD
        + message.size()
        + version
        + summary
        + id_len(&message.id)
        + id_len(&message.payload.encoding)
}
