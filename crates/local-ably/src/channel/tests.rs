//! A channel's rules, without sockets: what is pushed into the queues is what clients would receive.

mod members;
mod past;

use std::collections::BTreeMap;

use ably::{Data, Message, Operations, Payload, PresenceAction, PresenceMessage};
use serde_json::Value;

use super::*;
use crate::credentials::ClientIdentity;
use crate::mailbox::Queue;
use crate::random;

const NOW: Millis = 1_700_000_000_000;
const ATTACHED: i64 = 11;
const PRESENCE: i64 = 14;
const MESSAGE: i64 = 15;
const SYNC: i64 = 16;

struct Client {
    mailbox: Arc<Mailbox>,
    queue: Queue,
}

impl Client {
    fn new() -> Self {
        Self::of(&random::text::<9>())
    }

    fn of(connection_id: &str) -> Self {
        let (mailbox, queue) = Mailbox::for_tests(connection_id);
        Self { mailbox, queue }
    }

    fn id(&self) -> &str {
        self.mailbox.connection_id()
    }

    fn attach(&self, channel: &mut Channel, change: impl FnOnce(&mut Attach)) -> Result<(), u32> {
        self.attach_with(channel, &Operations::All, NOW, change)
    }

    fn attach_with(
        &self,
        channel: &mut Channel,
        operations: &Operations,
        now: Millis,
        change: impl FnOnce(&mut Attach),
    ) -> Result<(), u32> {
        let mut request = Attach {
            channel: "a".into(),
            channel_serial: None,
            flags: Flags::default(),
            params: BTreeMap::new(),
        };
        change(&mut request);
        let name = ChannelName::parse(&request.channel).unwrap();
        channel.attach(&self.mailbox, &request, &name, Some(operations), now).map_err(|error| error.code)
    }

    fn attached(channel: &mut Channel) -> Self {
        let mut client = Self::new();
        client.attach(channel, |_| ()).unwrap();
        client.queue.frames();
        client
    }

    /// The frames since the last call.
    fn frames(&mut self) -> Vec<Value> {
        self.queue.frames()
    }

    /// The data of the messages since the last call.
    fn data(&mut self) -> Vec<String> {
        let frames = self.frames();
        let messages = frames.iter().filter(|frame| frame["action"] == MESSAGE);
        messages
            .flat_map(|frame| frame["messages"].as_array().unwrap())
            .map(|message| message["data"].as_str().unwrap().to_owned())
            .collect()
    }

    /// What became of members since the last call, as `action:clientId`.
    fn events(&mut self) -> Vec<String> {
        let frames = self.frames();
        let events = frames.iter().filter(|frame| frame["action"] == PRESENCE);
        events
            .flat_map(|frame| frame["presence"].as_array().unwrap())
            .map(|event| format!("{}:{}", event["action"], event["clientId"].as_str().unwrap()))
            .collect()
    }

    fn presence(&self, channel: &mut Channel, msg_serial: i64, message: PresenceMessage) -> Result<(), u32> {
        let frame_id = format!("{}:{msg_serial}", self.id());
        channel.presence(&self.mailbox, &frame_id, vec![message], NOW).map_err(|error| error.code)
    }
}

fn channel() -> Channel {
    Channel::new("a", Rules::default(), MEMBERS_MAX, &Arc::default(), NOW - 1)
}

fn text(data: &str) -> Message {
    let payload = Payload { data: Some(Data::Text(data.into())), encoding: None };
    Message { payload, ..Message::default() }
}

fn prepared(base_id: &str, connection_id: Option<&str>, messages: Vec<Message>) -> Prepared {
    prepare(messages, &Publisher { client: &ClientIdentity::Any, connection_id, base_id, size_max: 65_536 })
        .unwrap()
}

fn publish(channel: &mut Channel, data: &str, now: Millis) -> Published {
    channel.publish(prepared(&format!("id-{data}"), None, vec![text(data)]), now)
}

fn member(action: PresenceAction, client_id: &str) -> PresenceMessage {
    PresenceMessage {
        id: None,
        action,
        client_id: Some(client_id.into()),
        connection_id: None,
        payload: Payload::default(),
        timestamp: None,
        extras: None,
    }
}

#[test]
fn attached_tells_modes_and_always_a_channel_serial() {
    let mut channel = channel();
    let mut client = Client::new();
    client.attach(&mut channel, |_| ()).unwrap();
    let frames = client.frames();
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0]["action"], ATTACHED);
    let modes = (1 << 16) | (1 << 17) | (1 << 18) | (1 << 19) | (1 << 21);
    assert_eq!(frames[0]["flags"], modes);
    assert!(frames[0]["channelSerial"].is_string());
}

#[test]
fn the_effective_modes_are_what_is_requested_and_allowed() {
    let mut channel = channel();
    let subscribe = Operations::parse(&["subscribe"]).unwrap();
    let mut client = Client::new();
    client.attach_with(&mut channel, &subscribe, NOW, |_| ()).unwrap();
    assert_eq!(client.frames()[0]["flags"], (1 << 18) | (1 << 19));
    let publish = |attach: &mut Attach| attach.flags = Flags::from(Modes::PUBLISH);
    assert_eq!(client.attach_with(&mut channel, &subscribe, NOW, publish), Err(40160));
}

#[test]
fn a_message_reaches_those_who_subscribe_in_one_frame_with_ids_and_serials() {
    let mut channel = channel();
    let mut reader = Client::attached(&mut channel);
    let mut writer = Client::new();
    writer.attach(&mut channel, |attach| attach.flags = Flags::from(Modes::PUBLISH)).unwrap();
    writer.frames();
    let published = channel.publish(prepared("conn:7", Some("conn"), vec![text("x"), text("y")]), NOW);
    let frames = reader.frames();
    assert_eq!(frames.len(), 1);
    let frame = &frames[0];
    assert_eq!(frame["id"], "conn:7");
    assert_eq!(frame["connectionId"], "conn");
    assert_eq!(frame["timestamp"], NOW);
    for (index, serial) in published.serials.iter().enumerate() {
        let message = &frame["messages"][index];
        assert_eq!(message["id"], format!("conn:7:{index}"));
        assert_eq!(message["action"], 0);
        assert_eq!(message["serial"], *serial);
        assert_eq!(message["version"]["serial"], *serial);
        assert_eq!(*serial, format!("{}:{index:03}", frame["channelSerial"].as_str().unwrap()));
    }
    assert!(writer.frames().is_empty());
}

#[test]
fn a_double_gets_the_first_serials_and_is_not_delivered_for_two_minutes() {
    let mut channel = channel();
    let mut reader = Client::attached(&mut channel);
    let first = publish(&mut channel, "x", NOW);
    assert_eq!(publish(&mut channel, "x", NOW + 120_000), first);
    assert_eq!(reader.data(), ["x"]);
    assert_ne!(publish(&mut channel, "x", NOW + 120_001), first);
    assert_eq!(reader.data(), ["x"]);
}

#[test]
fn resuming_by_channel_serial_brings_all_that_was_missed_and_nothing_else() {
    let mut channel = channel();
    let mut reader = Client::attached(&mut channel);
    publish(&mut channel, "1", NOW);
    let seen = reader.frames()[0]["channelSerial"].as_str().unwrap().to_owned();
    channel.drop_mailbox(reader.mailbox.id(), NOW);
    publish(&mut channel, "2", NOW);
    publish(&mut channel, "3", NOW);

    let mut again = Client::of(reader.id());
    again.attach(&mut channel, |attach| attach.channel_serial = Some(seen.clone())).unwrap();
    let frames = again.frames();
    let flags = frames[0]["flags"].as_u64().unwrap();
    assert_eq!(flags & 0b111, 0b110, "RESUMED and HAS_BACKLOG");
    assert_eq!(frames[1]["messages"][0]["data"], "2");
    assert_eq!(frames[2]["messages"][0]["data"], "3");
    assert_eq!(frames.len(), 3);

    let latest = frames[2]["channelSerial"].as_str().unwrap().to_owned();
    let mut current = Client::new();
    current.attach(&mut channel, |attach| attach.channel_serial = Some(latest)).unwrap();
    let frames = current.frames();
    assert_eq!(frames[0]["flags"].as_u64().unwrap() & 0b111, 0b100, "RESUMED without a backlog");
    assert_eq!(frames.len(), 1);
}

#[test]
fn a_serial_that_is_too_old_or_unreadable_loses_continuity_by_90003() {
    let mut channel = channel();
    let mut reader = Client::attached(&mut channel);
    publish(&mut channel, "1", NOW);
    let old = reader.frames()[0]["channelSerial"].as_str().unwrap().to_owned();
    publish(&mut channel, "2", NOW + 1);
    publish(&mut channel, "3", NOW + 200_000);
    for serial in [old.as_str(), "nonsense", "99999999999999-000@x", &old.replace("0170", "0990")] {
        let mut client = Client::new();
        let lost = |attach: &mut Attach| attach.channel_serial = Some(serial.into());
        client.attach_with(&mut channel, &Operations::All, NOW + 200_000, lost).unwrap();
        let frames = client.frames();
        assert_eq!(frames.len(), 1, "{serial}");
        assert_eq!(frames[0]["error"]["code"], 90003, "{serial}");
        assert_eq!(frames[0]["flags"].as_u64().unwrap() & 0b111, 0, "{serial}");
    }
}

#[test]
fn a_quiet_channel_is_resumed_and_forgotten_only_after_two_minutes() {
    let mut channel = channel();
    let mut reader = Client::new();
    reader.attach(&mut channel, |_| ()).unwrap();
    let serial = reader.frames()[0]["channelSerial"].as_str().unwrap().to_owned();
    assert!(!channel.sweep(NOW + 1_000_000));
    channel.drop_mailbox(reader.mailbox.id(), NOW + 1_000_000);
    assert!(!channel.sweep(NOW + 1_120_000));
    let again = |attach: &mut Attach| attach.channel_serial = Some(serial);
    reader.attach_with(&mut channel, &Operations::All, NOW + 1_120_000, again).unwrap();
    assert!(reader.frames()[0].get("error").is_none());
    channel.drop_mailbox(reader.mailbox.id(), NOW + 1_120_000);
    assert!(channel.sweep(NOW + 1_240_001));
}

#[test]
fn rewind_counts_messages_or_time_and_yields_to_a_serial() {
    let mut channel = channel();
    publish(&mut channel, "1", NOW - 60_000);
    channel.publish(prepared("array", None, vec![text("2"), text("3")]), NOW - 10_000);
    publish(&mut channel, "4", NOW);
    for (rewind, limit, expected) in [
        ("2", None, vec!["3", "4"]),
        ("100", None, vec!["1", "2", "3", "4"]),
        ("0", None, vec![]),
        ("30s", None, vec!["2", "3", "4"]),
        ("2m", Some("1"), vec!["4"]),
    ] {
        let mut client = Client::new();
        client
            .attach(&mut channel, |attach| {
                attach.params.insert("rewind".into(), rewind.into());
                attach.params.extend(limit.map(|limit| ("rewindLimit".into(), limit.into())));
            })
            .unwrap();
        assert_eq!(client.data(), expected, "{rewind}");
        let rewinding = |attach: &mut Attach| {
            attach.flags = Flags::ATTACH_RESUME;
            attach.params.insert("rewind".into(), rewind.into());
        };
        client.attach(&mut channel, rewinding).unwrap();
        assert!(client.data().is_empty(), "in place, and with ATTACH_RESUME");
    }
    let mut bad = Client::new();
    let unparsable = |attach: &mut Attach| drop(attach.params.insert("rewind".into(), "soon".into()));
    assert_eq!(bad.attach(&mut channel, unparsable), Err(40000));
    assert!(bad.frames().is_empty());
}

#[test]
fn attaching_again_changes_the_attachment_in_place() {
    let mut channel = channel();
    let mut client = Client::attached(&mut channel);
    publish(&mut channel, "1", NOW);
    client.frames();
    client
        .attach(&mut channel, |attach| {
            attach.flags = Flags::ATTACH_RESUME;
            attach.params.insert("modes".into(), "subscribe".into());
            attach.params.insert("rewind".into(), "1".into());
        })
        .unwrap();
    let frames = client.frames();
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0]["flags"], (1 << 18) | 0b100);
    assert_eq!(frames[0]["params"]["modes"], "subscribe");
    assert_eq!(channel.occupancy().publishers, 0);
}

#[test]
fn two_names_of_one_channel_are_two_attachments() {
    let mut channel = channel();
    let mut client = Client::attached(&mut channel);
    publish(&mut channel, "1", NOW);
    client.frames();
    client.attach(&mut channel, |attach| attach.channel = "[?rewind=1]a".into()).unwrap();
    assert_eq!(client.data(), ["1"]);
    publish(&mut channel, "2", NOW);
    let names: Vec<_> = client.frames().iter().map(|frame| frame["channel"].clone()).collect();
    assert_eq!(names, ["[?rewind=1]a", "a"]);
    assert!(channel.detach(&client.mailbox, "a", NOW));
    publish(&mut channel, "3", NOW);
    assert_eq!(client.frames()[0]["channel"], "[?rewind=1]a");
}

#[test]
fn new_credentials_widen_and_narrow_without_another_attach() {
    let mut channel = channel();
    let mut client = Client::new();
    let subscribe = Operations::parse(&["subscribe"]).unwrap();
    client.attach_with(&mut channel, &subscribe, NOW, |_| ()).unwrap();
    client.frames();
    let publish_only = Operations::parse(&["publish"]).unwrap();
    assert!(channel.reauthorise(&client.mailbox, "a", Some(&publish_only), NOW));
    publish(&mut channel, "1", NOW);
    assert!(client.frames().is_empty());
    assert!(channel.reauthorise(&client.mailbox, "a", Some(&Operations::All), NOW));
    publish(&mut channel, "2", NOW);
    assert_eq!(client.data(), ["2"]);
    assert!(!channel.reauthorise(&client.mailbox, "a", None, NOW));
    let frames = client.frames();
    assert_eq!((&frames[0]["action"], &frames[0]["error"]["code"]), (&9.into(), &40160.into()));
    assert_eq!(frames[0]["channel"], "a");
    assert_eq!(channel.occupancy().connections, 0);
}

#[test]
fn a_channel_is_active_while_it_is_used_and_for_two_minutes_after() {
    let mut channel = channel();
    assert!(channel.is_active(NOW + 119_999));
    assert!(!channel.is_active(NOW + 120_000));
    publish(&mut channel, "1", NOW + 1_000_000);
    assert!(channel.is_active(NOW + 1_120_000));
    assert!(!channel.is_active(NOW + 1_120_001));
    let client = Client::attached(&mut channel);
    assert!(channel.is_active(NOW + 9_000_000));
    channel.detach(&client.mailbox, "a", NOW + 9_000_000);
    channel.touch(NOW + 9_100_000);
    assert!(channel.is_active(NOW + 9_220_000));
    assert!(!channel.is_active(NOW + 9_220_001));
}

#[test]
fn occupancy_counts_connections_by_what_they_may_do() {
    let mut channel = channel();
    let client = Client::attached(&mut channel);
    client.attach(&mut channel, |attach| attach.channel = "[?rewind=1]a".into()).unwrap();
    let reader = Client::new();
    reader.attach(&mut channel, |attach| attach.flags = Flags::from(Modes::SUBSCRIBE)).unwrap();
    client.presence(&mut channel, 0, member(PresenceAction::Enter, "c")).unwrap();
    assert_eq!(
        channel.occupancy(),
        Occupancy {
            connections: 2,
            publishers: 1,
            subscribers: 2,
            presence_connections: 1,
            presence_members: 1,
            presence_subscribers: 1,
        }
    );
}
