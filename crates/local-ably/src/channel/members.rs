//! Who is present on a channel.

use std::collections::BTreeMap;

use ably::{ErrorInfo, PresenceAction, PresenceMessage};

use super::MemberFilter;
use crate::clock::Millis;

/// The most members of a channel, unless its app says otherwise: Ably has the same limit in every package.
pub(crate) const MEMBERS_MAX: usize = 200;

/// The members of a channel, by connection and clientId. Fixtures of a provisioned app count, and may exceed the limit.
#[derive(Debug)]
pub(super) struct Members {
    by_key: BTreeMap<(String, String), PresenceMessage>,
    max: usize,
}

impl Members {
    /// Nobody yet, and later at most so many.
    pub(super) fn new(max: usize) -> Self {
        Self { by_key: BTreeMap::new(), max }
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Applies what a connection sent: all of it or, with an error, none. Answers the events to announce.
    ///
    /// # Errors
    /// 91003 where there would be too many members.
    pub(super) fn apply(
        &mut self,
        connection_id: &str,
        frame_id: &str,
        messages: Vec<PresenceMessage>,
        now: Millis,
    ) -> Result<Vec<PresenceMessage>, ErrorInfo> {
        let key_of = |message: &PresenceMessage| {
            (connection_id.to_owned(), message.client_id.clone().unwrap_or_default())
        };
        let mut there_after = BTreeMap::new();
        for message in &messages {
            there_after.insert(key_of(message), message.action != PresenceAction::Leave);
        }
        let new = there_after.iter().filter(|(key, there)| **there && !self.by_key.contains_key(key)).count();
        let gone =
            there_after.iter().filter(|(key, there)| !**there && self.by_key.contains_key(key)).count();
        if new > 0 && self.by_key.len() + new > self.max + gone {
            let max = self.max;
            return Err(ErrorInfo::new(
                91003,
                400,
                format!(
                    "Unable to enter member to presence channel; maximum number of {max} members exceeded"
                ),
            ));
        }
        let mut events = Vec::new();
        for (index, message) in messages.into_iter().enumerate() {
            let key = key_of(&message);
            let before = self.by_key.get(&key);
            // A client enters its members again after every ATTACHED, under the ids they have: that is no news.
            if message.id.is_some() && before.is_some_and(|member| member.id == message.id) {
                continue;
            }
            let mut event = PresenceMessage {
                id: message.id.clone().or_else(|| Some(format!("{frame_id}:{index}"))),
                connection_id: Some(connection_id.to_owned()),
                timestamp: Some(now),
                ..message
            };
            if event.action == PresenceAction::Leave {
                let Some(member) = self.by_key.remove(&key) else { continue };
                if event.payload.data.is_none() {
                    event.payload = member.payload;
                }
            } else {
                event.action = if before.is_some() { PresenceAction::Update } else { PresenceAction::Enter };
                self.by_key.insert(key, event.clone());
            }
            events.push(event);
        }
        Ok(events)
    }

    /// Takes out all members of a connection. Answers the events to announce.
    pub(super) fn leave_all(
        &mut self,
        connection_id: &str,
        frame_id: &str,
        now: Millis,
    ) -> Vec<PresenceMessage> {
        let (left, stay) = std::mem::take(&mut self.by_key)
            .into_iter()
            .partition(|((connection, _), _)| connection == connection_id);
        self.by_key = stay;
        let left: BTreeMap<_, _> = left;
        left.into_values()
            .enumerate()
            .map(|(index, member)| PresenceMessage {
                id: Some(format!("{frame_id}:{index}")),
                action: PresenceAction::Leave,
                timestamp: Some(now),
                ..member
            })
            .collect()
    }

    /// Adds members that never leave. Answers the events, as if they had entered.
    pub(super) fn add_fixtures(
        &mut self,
        connection_id: &str,
        members: Vec<PresenceMessage>,
        now: Millis,
    ) -> Vec<PresenceMessage> {
        let mut events = Vec::new();
        for (index, member) in members.into_iter().enumerate() {
            let key = (connection_id.to_owned(), member.client_id.clone().unwrap_or_default());
            let member = PresenceMessage {
                id: Some(format!("{connection_id}:0:{index}")),
                connection_id: Some(connection_id.to_owned()),
                action: PresenceAction::Enter,
                timestamp: Some(now),
                ..member
            };
            events.push(member.clone());
            self.by_key.insert(key, member);
        }
        events
    }

    /// The members that a filter lets through, as present.
    pub(super) fn present<'a>(
        &'a self,
        filter: &'a MemberFilter,
    ) -> impl Iterator<Item = PresenceMessage> + 'a {
        let wanted = |filter: &Option<String>, id: &str| filter.as_deref().is_none_or(|wanted| wanted == id);
        self.by_key
            .iter()
            .filter(move |((connection, client), _)| {
                wanted(&filter.connection_id, connection) && wanted(&filter.client_id, client)
            })
            .map(|(_, member)| PresenceMessage { action: PresenceAction::Present, ..member.clone() })
    }
}
