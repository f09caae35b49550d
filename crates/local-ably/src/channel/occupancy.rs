//! How many connections a channel has and what they may do, and who wants to be told.

use ably::{Data, ErrorInfo, Message, MessageAction, Payload};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::clock::Millis;
use crate::errors::bad_request;
use crate::protocol::{Action, Frame};
use crate::random;

/// How long a change waits for others, unless something begins or ends with it.
const DEBOUNCE: Millis = 5_000;

/// How many of each there are (Ably docs, "Occupancy").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Occupancy {
    pub(super) connections: usize,
    pub(super) publishers: usize,
    pub(super) subscribers: usize,
    pub(super) presence_connections: usize,
    pub(super) presence_members: usize,
    pub(super) presence_subscribers: usize,
}

/// A category: the name that `occupancy=metrics.<category>` knows it by, and its count.
type Category = (&'static str, fn(&Occupancy) -> usize);

const CATEGORIES: [Category; 6] = [
    ("connections", |occupancy| occupancy.connections),
    ("publishers", |occupancy| occupancy.publishers),
    ("subscribers", |occupancy| occupancy.subscribers),
    ("presenceConnections", |occupancy| occupancy.presence_connections),
    ("presenceMembers", |occupancy| occupancy.presence_members),
    ("presenceSubscribers", |occupancy| occupancy.presence_subscribers),
];

/// What an attachment wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metrics {
    All,
    /// One of [`CATEGORIES`], by its index.
    One(usize),
}

impl Metrics {
    /// Reads `metrics` or `metrics.<category>`.
    ///
    /// # Errors
    /// 40000.
    pub(super) fn parse(text: &str) -> Result<Self, ErrorInfo> {
        if text == "metrics" {
            return Ok(Self::All);
        }
        let category = text.strip_prefix("metrics.");
        let known = CATEGORIES.iter().position(|(name, _)| Some(*name) == category);
        known.map(Self::One).ok_or_else(|| bad_request("occupancy is metrics or metrics.<category>"))
    }

    /// The counts that are wanted, by name.
    fn counts(self, occupancy: &Occupancy) -> impl Iterator<Item = (&'static str, usize)> {
        let wanted = CATEGORIES.iter().enumerate().filter(move |(index, _)| match self {
            Self::All => true,
            Self::One(only) => only == *index,
        });
        wanted.map(|(_, (name, count))| (*name, count(occupancy)))
    }
}

/// What an attachment was told, and when it is to be told again.
#[derive(Debug)]
pub(super) struct Watch {
    metrics: Metrics,
    told: Option<Occupancy>,
    due: Option<Millis>,
}

impl Watch {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics, told: None, due: None }
    }

    /// The frame to send now, if any: at first, where a count becomes or leaves 0, and when a change has waited for long enough.
    pub(super) fn look(&mut self, occupancy: Occupancy, sent_name: &str, now: Millis) -> Option<Frame> {
        if let Some(told) = &self.told {
            let changes = self.metrics.counts(told).zip(self.metrics.counts(&occupancy));
            let changes: Vec<_> = changes.filter(|((_, before), (_, after))| before != after).collect();
            if changes.is_empty() {
                self.due = None;
                return None;
            }
            let turns = changes.iter().any(|((_, before), (_, after))| *before == 0 || *after == 0);
            let due = *self.due.get_or_insert(now + DEBOUNCE);
            if !turns && now < due {
                return None;
            }
        }
        self.told = Some(occupancy);
        self.due = None;
        Some(self.frame(&occupancy, sent_name, now))
    }

    /// Whether a change waits.
    pub(super) fn is_due(&self, now: Millis) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    fn frame(&self, occupancy: &Occupancy, sent_name: &str, now: Millis) -> Frame {
        let metrics: Map<String, Value> = self
            .metrics
            .counts(occupancy)
            .map(|(name, count)| (name.to_owned(), Value::from(count)))
            .collect();
        let id = random::text::<9>();
        let message = Message {
            id: Some(format!("{id}:0")),
            name: Some("[meta]occupancy".to_owned()),
            payload: Payload {
                data: Some(Data::Text(json!({"metrics": metrics}).to_string())),
                encoding: Some("json".to_owned()),
            },
            timestamp: Some(now),
            action: Some(MessageAction::Meta),
            ..Message::default()
        };
        // Without a channelSerial: it is no part of what a client may resume from.
        Frame {
            id: Some(id),
            timestamp: Some(now),
            messages: Some(vec![message]),
            ..Frame::on(Action::Message, sent_name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(connections: usize, publishers: usize) -> Occupancy {
        Occupancy { connections, publishers, ..Occupancy::default() }
    }

    fn told(watch: &mut Watch, occupancy: Occupancy, now: Millis) -> Option<String> {
        let frame = watch.look(occupancy, "a", now)?;
        match frame.messages?.pop()?.payload.data {
            Some(Data::Text(text)) => Some(text),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn counts_are_told_at_first_then_at_once_where_they_touch_zero_else_after_five_seconds() {
        let mut watch = Watch::new(Metrics::All);
        assert!(told(&mut watch, of(1, 1), 0).is_some());
        assert_eq!(told(&mut watch, of(1, 1), 1), None);
        assert_eq!(told(&mut watch, of(2, 1), 1_000), None);
        assert_eq!(told(&mut watch, of(3, 1), 2_000), None);
        assert!(!watch.is_due(5_999) && watch.is_due(6_000));
        assert!(told(&mut watch, of(3, 1), 6_000).unwrap().contains(r#""connections":3"#));
        assert!(told(&mut watch, of(3, 0), 6_001).is_some(), "none is left");
        assert!(told(&mut watch, of(3, 1), 6_002).is_some(), "the first is there");
    }

    #[test]
    fn a_change_that_is_taken_back_is_not_told() {
        let mut watch = Watch::new(Metrics::All);
        told(&mut watch, of(1, 1), 0);
        assert_eq!(told(&mut watch, of(2, 1), 1), None);
        assert_eq!(told(&mut watch, of(1, 1), 2), None);
        assert!(!watch.is_due(10_000));
    }

    #[test]
    fn one_category_is_told_alone_and_only_when_it_changes() {
        let mut watch = Watch::new(Metrics::parse("metrics.publishers").unwrap());
        assert_eq!(told(&mut watch, of(1, 0), 0).as_deref(), Some(r#"{"metrics":{"publishers":0}}"#));
        assert_eq!(told(&mut watch, of(0, 0), 1), None);
        assert_eq!(told(&mut watch, of(1, 2), 2).as_deref(), Some(r#"{"metrics":{"publishers":2}}"#));
        for bad in ["", "metric", "metrics.", "metrics.nonsense", "metrics.publishers "] {
            assert_eq!(Metrics::parse(bad).unwrap_err().code, 40000, "{bad}");
        }
    }
}
