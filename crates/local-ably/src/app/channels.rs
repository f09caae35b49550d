//! The channels of an app, made when first used and forgotten when long idle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ably::ErrorInfo;

use super::Namespace;
use crate::channel::{Channel, ChannelRef, Memory, Rules, Traffic};
use crate::clock::Millis;
use crate::limits::Limits;
use crate::lock::lock;

/// How many channels an app may have at a time.
const CHANNELS_MAX: usize = 10_000;

/// The channels of an app.
#[derive(Debug)]
pub(crate) struct Channels {
    by_name: HashMap<String, ChannelRef>,
    namespaces: Vec<Namespace>,
    /// How many members a channel may have.
    members_max: usize,
    memory: Arc<Memory>,
    /// What has gone over channels that are forgotten.
    retired: Traffic,
}

impl Channels {
    pub(crate) fn new(namespaces: Vec<Namespace>, members_max: usize, memory: Arc<Memory>) -> Self {
        Self { by_name: HashMap::new(), namespaces, members_max, memory, retired: Traffic::default() }
    }

    /// The rules of a channel: those of the namespace that its name begins with, up to the first `:`.
    fn rules_of(&self, name: &str) -> Rules {
        let id = name.split(':').next().unwrap_or_default();
        let namespace = self.namespaces.iter().find(|namespace| namespace.id == id);
        namespace.map(|namespace| namespace.rules).unwrap_or_default()
    }

    /// The channel of a canonical name, if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<ChannelRef> {
        self.by_name.get(name).cloned()
    }

    /// The channel of a canonical name.
    ///
    /// # Errors
    /// 40114 where there are as many as there may be, 90021 where too many are made.
    pub(crate) fn get_or_make(
        &mut self,
        name: &str,
        limits: &Limits,
        now: Millis,
    ) -> Result<ChannelRef, ErrorInfo> {
        if let Some(channel) = self.get(name) {
            return Ok(channel);
        }
        if self.by_name.len() >= CHANNELS_MAX {
            let message = format!("the app has {CHANNELS_MAX} channels, and may not have more");
            return Err(ErrorInfo::new(40114, 403, message));
        }
        limits.channel(now)?;
        let channel = Arc::new(Mutex::new(Channel::new(
            name,
            self.rules_of(name),
            self.members_max,
            &self.memory,
            now,
        )));
        self.by_name.insert(name.to_owned(), Arc::clone(&channel));
        Ok(channel)
    }

    /// Lets each channel do what is due by time, and forgets those that nobody has used for long.
    pub(crate) fn sweep(&mut self, now: Millis) {
        let retired = &mut self.retired;
        self.by_name.retain(|_, channel| {
            // Whoever else holds the channel got it from here, so with one holder nobody can be about to attach.
            let held = Arc::strong_count(channel) > 1;
            let mut channel = lock(channel);
            let stays = !channel.sweep(now) || held;
            if !stays {
                *retired = *retired + channel.traffic();
            }
            stays
        });
    }

    /// All channels.
    pub(crate) fn all(&self) -> Vec<(String, ChannelRef)> {
        self.by_name.iter().map(|(name, channel)| (name.clone(), Arc::clone(channel))).collect()
    }

    /// What has gone over channels that are forgotten.
    pub(crate) fn retired(&self) -> Traffic {
        self.retired
    }
}

#[cfg(test)]
mod tests {
    use ably::{Data, Message, Payload};

    use super::*;
    use crate::channel::{HistoryQuery, MEMBERS_MAX, Publisher, prepare};
    use crate::credentials::ClientIdentity;

    const NOW: Millis = 1_700_000_000_000;
    const MINUTE: Millis = 60_000;
    const DAY: Millis = 24 * 60 * MINUTE;

    fn namespace(id: &str, persisted: bool, mutable: bool) -> Namespace {
        Namespace { id: id.to_owned(), rules: Rules { persisted, mutable } }
    }

    fn publish(channels: &mut Channels, name: &str, data: &str, now: Millis) {
        let payload = Payload { data: Some(Data::Text(data.to_owned())), encoding: None };
        let publisher = Publisher {
            client: &ClientIdentity::Any,
            connection_id: None,
            base_id: &format!("{name}-{data}"),
            size_max: 65_536,
        };
        let prepared = prepare(vec![Message { payload, ..Message::default() }], &publisher).unwrap();
        lock(&channels.get_or_make(name, &Limits::new(None, NOW), now).unwrap()).publish(prepared, now);
    }

    /// How many messages the history of a channel holds, or nothing where the channel is forgotten.
    fn held(channels: &Channels, name: &str, now: Millis) -> Option<usize> {
        let query = HistoryQuery {
            start: None,
            end: None,
            forwards: true,
            until_serial: None,
            limit: 100,
            cursor: None,
        };
        channels.get(name).map(|channel| lock(&channel).history(&query, now).unwrap().items.len())
    }

    #[test]
    fn a_namespace_keeps_messages_for_a_day_where_it_is_persisted_and_else_for_two_minutes() {
        let namespaces = vec![
            namespace("kept", true, false),
            namespace("edited", false, true),
            namespace("plain", false, false),
        ];
        let mut channels = Channels::new(namespaces, MEMBERS_MAX, Arc::default());
        let long = ["kept", "kept:a", "edited:a"];
        let short = ["plain", "plain:a", "keptnot", "other:kept"];
        for name in long.into_iter().chain(short) {
            publish(&mut channels, name, "first", NOW);
            publish(&mut channels, name, "second", NOW + MINUTE);
        }
        for (after, in_long, in_short) in [
            (2 * MINUTE, Some(2), Some(2)),
            (2 * MINUTE + 1, Some(2), Some(1)),
            (3 * MINUTE + 1, Some(2), None),
            (DAY, Some(2), None),
            (DAY + 1, Some(1), None),
            (DAY + MINUTE + 1, None, None),
        ] {
            channels.sweep(NOW + after);
            for name in long {
                assert_eq!(held(&channels, name, NOW + after), in_long, "{name} after {after} ms");
            }
            for name in short {
                assert_eq!(held(&channels, name, NOW + after), in_short, "{name} after {after} ms");
            }
        }
    }
}
