//! What of the past is sent to a client: what it missed since a serial, or what its rewind asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use ably::{Annotation, Message};

use super::{Log, RESUMABLE};
use crate::channel::serial::Serial;
use crate::channel::timeline::Publication;
use crate::clock::Millis;

/// The most messages that a rewind brings.
pub(in crate::channel) const REWIND_MESSAGES_MAX: usize = 100;

/// How far a new attachment looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::channel) struct Rewind {
    pub(in crate::channel) by: RewindBy,
    /// The most messages.
    pub(in crate::channel) limit: usize,
}

/// What a rewind counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::channel) enum RewindBy {
    Messages(usize),
    Time(Millis),
}

/// What a client missed.
#[derive(Debug)]
pub(in crate::channel) enum Missed {
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

impl Publication<Message> {
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

impl Log {
    /// Whether a text is a serial of this log.
    pub(in crate::channel) fn has_series_of(&self, serial: &str) -> bool {
        Serial::parse(serial, &self.series).is_some()
    }

    /// All messages and annotations that came after a serial, be it that of one message among several, or nothing where that
    /// cannot be told or is too long ago.
    pub(in crate::channel) fn since(&mut self, text: &str, now: Millis) -> Option<Vec<Missed>> {
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
    pub(in crate::channel) fn rewind(&mut self, rewind: Rewind, now: Millis) -> Vec<Missed> {
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
}
