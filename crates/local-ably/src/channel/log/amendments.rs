//! What becomes of messages that were published: versions of them, annotations, and the sums of those.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ably::{Annotation, ErrorInfo, Message, MessageAction};
use serde_json::Value;

use super::{ITEM_OVERHEAD, Log, bytes_of_message, bytes_of_value, id_len};
use crate::channel::change::{Change, Changed};
use crate::channel::history::{self, Page};
use crate::channel::serial::Serial;
use crate::channel::summary;
use crate::channel::timeline::{self, Publication};
use crate::clock::Millis;
use crate::errors::not_found;
use crate::random;

impl Log {
    /// A message as it is by now.
    ///
    /// # Errors
    /// 40400 for a serial that no message has here.
    pub(in crate::channel) fn message(&self, serial: &str) -> Result<&Message, ErrorInfo> {
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
    pub(in crate::channel) fn change(
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

    /// An append as an update with the whole message, for those who want no increments; anything else as it is. Nothing where a
    /// later version has come since: that one says it all, and Ably leaves out what is out of date, too.
    pub(in crate::channel) fn in_full(
        &self,
        publication: &Arc<Publication<Message>>,
    ) -> Option<Arc<Publication<Message>>> {
        let [append] = publication.items.as_slice() else { return Some(Arc::clone(publication)) };
        if append.action != Some(MessageAction::Append) {
            return Some(Arc::clone(publication));
        }
        let whole = self.find(append.serial.as_deref()?)?;
        let items = vec![whole.clone()];
        (whole.version == append.version)
            .then(|| Arc::new(Publication { items, ..publication.as_ref().clone() }))
    }

    fn revise(&mut self, serial: &str, message: Message) {
        if let Some((place, index)) = Serial::parse_item(serial, &self.series) {
            self.messages.revise(place, index, message, bytes_of_message);
        }
    }

    /// The versions of a message that are still known, oldest first. Of appends in a row there is the last alone: Ably stores no
    /// version for each (docs, "Updates, deletes and appends"). The message as it was first has no `version` here, by which clients
    /// know it.
    ///
    /// # Errors
    /// 40400 for a serial that no message has here.
    pub(in crate::channel) fn versions(
        &self,
        serial: &str,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Message>, ErrorInfo> {
        self.message(serial)?;
        let of_it = self.messages.iter().flat_map(|publication| &publication.items);
        let of_it = of_it.filter(|message| message.serial.as_deref() == Some(serial));
        let mut versions = Vec::<(String, Message)>::new();
        let mut after_append = false;
        for message in of_it.filter(|message| message.action != Some(MessageAction::Summary)) {
            let is_append = message.action == Some(MessageAction::Append);
            let before = versions.last().map(|(_, version)| version);
            let mut whole = Changed::whole_of(message, before.unwrap_or(&Message::default()));
            if is_append && after_append {
                versions.pop();
            }
            if whole.action == Some(MessageAction::Create) {
                whole.version = None;
            }
            let version = message.version.as_ref().and_then(|version| version.serial.clone());
            versions.push((version.unwrap_or_default(), whole));
            after_append = is_append;
        }
        Ok(history::cut(versions.into_iter(), true, cursor, limit, Message::size))
    }

    /// Adds annotations, whose messages are known. Answers what is sent to those who want annotations, and what to all subscribers:
    /// the sum of all annotations of each message.
    pub(in crate::channel) fn annotate(
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
            .map(|annotation| {
                let extras = annotation.extras.as_ref().map_or(0, bytes_of_value);
                ITEM_OVERHEAD + annotation.size() + extras + id_len(&annotation.id)
            })
            .sum();
        let publication = Arc::new(publication);
        self.annotations.push(Arc::clone(&publication));
        let about: BTreeSet<String> =
            publication.items.iter().filter_map(|item| item.message_serial.clone()).collect();
        let summaries = self.sum_up(&about, now);
        (publication, summaries)
    }

    /// Sums up the annotations of messages, by their serials.
    fn sum_up(&mut self, about: &BTreeSet<String>, now: Millis) -> Vec<Arc<Publication<Message>>> {
        // One look at all annotations, however many messages they are about.
        let mut by_message = BTreeMap::<&str, Vec<&Annotation>>::new();
        for annotation in self.annotations.iter().flat_map(|publication| &publication.items) {
            if let Some(serial) =
                annotation.message_serial.as_deref().filter(|serial| about.contains(*serial))
            {
                by_message.entry(serial).or_default().push(annotation);
            }
        }
        let sums: Vec<(String, Value)> = by_message
            .into_iter()
            .map(|(serial, of_it)| (serial.to_owned(), summary::summarise(of_it.into_iter())))
            .collect();
        // Whoever resumes needs the last sum of each alone.
        self.messages.remove(|publication| {
            let is_old = |message: &Message| {
                let serial = message.serial.as_deref();
                message.action == Some(MessageAction::Summary)
                    && serial.is_some_and(|serial| about.contains(serial))
            };
            publication.amends && publication.items.iter().all(is_old)
        });
        sums.into_iter().filter_map(|(serial, sum)| self.keep_sum(&serial, sum, now)).collect()
    }

    /// Gives a message its sum. Answers what subscribers are sent.
    fn keep_sum(&mut self, serial: &str, sum: Value, now: Millis) -> Option<Arc<Publication<Message>>> {
        let before = self.find(serial)?.clone();
        let id = random::text::<9>();
        let live = Message {
            id: Some(format!("{id}:0")),
            action: Some(MessageAction::Summary),
            serial: Some(serial.to_owned()),
            name: before.name.clone(),
            timestamp: before.timestamp,
            version: before.version.clone(),
            annotations: Some(sum.clone()),
            ..Message::default()
        };
        self.revise(serial, Message { annotations: Some(sum), ..before });
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
    pub(in crate::channel) fn annotations(
        &self,
        serial: &str,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Annotation>, ErrorInfo> {
        self.message(serial)?;
        let page = history::cut(self.annotations_of(serial), true, cursor, limit, |item| item.size());
        Ok(Page { items: page.items.into_iter().cloned().collect(), next: page.next })
    }
}
