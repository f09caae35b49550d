//! A channel's rules, without sockets: what is pushed into the queues is what clients would receive.

use std::collections::BTreeMap;

use ably::{Data, Message, Operations, Payload, PresenceAction, PresenceMessage};
use serde_json::Value;

use super::*;
use crate::app::Connection;
use crate::auth::ClientIdentity;
use crate::connection::Queue;
use crate::protocol::Format;

const NOW: Millis = 1_700_000_000_000;
const ATTACHED: i64 = 11;
const PRESENCE: i64 = 14;
const MESSAGE: i64 = 15;
const SYNC: i64 = 16;

struct Client {
    socket: Arc<Socket>,
    queue: Queue,
}

impl Client {
    fn new() -> Self {
        Self::of(Connection::new())
    }

    fn of(connection: Arc<Connection>) -> Self {
        let (socket, queue) = Socket::for_tests(connection, Format::Json);
        Self { socket, queue }
    }

    fn id(&self) -> &str {
        self.socket.connection().id()
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
        channel.attach(&self.socket, &request, &name, Some(operations), now).map_err(|error| error.code)
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
        channel.presence(&self.socket, &frame_id, vec![message], NOW).map_err(|error| error.code)
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
    channel.drop_socket(reader.socket.id(), NOW);
    publish(&mut channel, "2", NOW);
    publish(&mut channel, "3", NOW);

    let mut again = Client::of(Arc::clone(reader.socket.connection()));
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
    channel.drop_socket(reader.socket.id(), NOW + 1_000_000);
    assert!(!channel.sweep(NOW + 1_120_000));
    let again = |attach: &mut Attach| attach.channel_serial = Some(serial);
    reader.attach_with(&mut channel, &Operations::All, NOW + 1_120_000, again).unwrap();
    assert!(reader.frames()[0].get("error").is_none());
    channel.drop_socket(reader.socket.id(), NOW + 1_120_000);
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
    assert!(channel.detach(&client.socket, "a", NOW));
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
    assert!(channel.reauthorise(&client.socket, "a", Some(&publish_only), NOW));
    publish(&mut channel, "1", NOW);
    assert!(client.frames().is_empty());
    assert!(channel.reauthorise(&client.socket, "a", Some(&Operations::All), NOW));
    publish(&mut channel, "2", NOW);
    assert_eq!(client.data(), ["2"]);
    assert!(!channel.reauthorise(&client.socket, "a", None, NOW));
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
    channel.detach(&client.socket, "a", NOW + 9_000_000);
    channel.touch(NOW + 9_100_000);
    assert!(channel.is_active(NOW + 9_220_000));
    assert!(!channel.is_active(NOW + 9_220_001));
}

#[test]
fn members_enter_update_and_leave_and_a_leave_carries_the_last_data() {
    let mut channel = channel();
    let mut watcher = Client::attached(&mut channel);
    let client = Client::attached(&mut channel);
    let mut enter = member(PresenceAction::Enter, "c");
    enter.payload.data = Some(Data::Text("d".into()));
    client.presence(&mut channel, 0, enter).unwrap();
    client.presence(&mut channel, 1, member(PresenceAction::Leave, "c")).unwrap();
    let frames = watcher.frames();
    let id = client.id();
    assert_eq!(frames[0]["presence"][0]["id"], format!("{id}:0:0"));
    assert_eq!(frames[0]["presence"][0]["connectionId"], id);
    assert_eq!(frames[0]["presence"][0]["timestamp"], NOW);
    assert_eq!(frames[1]["presence"][0]["action"], 3);
    assert_eq!(frames[1]["presence"][0]["data"], "d");
    client.presence(&mut channel, 2, member(PresenceAction::Leave, "c")).unwrap();
    assert!(watcher.frames().is_empty(), "leaving when absent is no news");
    client.presence(&mut channel, 3, member(PresenceAction::Update, "c")).unwrap();
    assert_eq!(watcher.events(), ["2:c"], "an update of somebody absent enters");
}

#[test]
fn entering_again_under_the_same_id_is_no_news() {
    let mut channel = channel();
    let mut client = Client::attached(&mut channel);
    client.presence(&mut channel, 0, member(PresenceAction::Enter, "c")).unwrap();
    assert_eq!(client.events(), ["2:c"]);
    let id = Some(format!("{}:0:0", client.id()));
    client.presence(&mut channel, 1, PresenceMessage { id, ..member(PresenceAction::Enter, "c") }).unwrap();
    assert!(client.frames().is_empty());
}

#[test]
fn presence_goes_to_those_who_asked_and_always_to_the_own_connection() {
    let mut channel = channel();
    let only = |modes: Modes| move |attach: &mut Attach| attach.flags = Flags::from(modes);
    let mut own = Client::new();
    own.attach(&mut channel, only(Modes::PRESENCE)).unwrap();
    let mut asked = Client::new();
    asked.attach(&mut channel, only(Modes::PRESENCE_SUBSCRIBE)).unwrap();
    let mut other = Client::new();
    other.attach(&mut channel, only(Modes::SUBSCRIBE)).unwrap();
    own.presence(&mut channel, 0, member(PresenceAction::Enter, "c")).unwrap();
    assert_eq!((own.events().len(), asked.events().len(), other.events().len()), (1, 1, 0));
}

#[test]
fn presence_needs_an_attachment_with_its_mode() {
    let mut channel = channel();
    let client = Client::new();
    let enter = || member(PresenceAction::Enter, "c");
    assert_eq!(client.presence(&mut channel, 0, enter()), Err(90001));
    client.attach(&mut channel, |attach| attach.flags = Flags::from(Modes::SUBSCRIBE)).unwrap();
    assert_eq!(client.presence(&mut channel, 0, enter()), Err(40165));
}

#[test]
fn members_are_synced_after_attached_in_pages_that_end() {
    let mut channel = channel();
    let client = Client::attached(&mut channel);
    for index in 0..150 {
        client.presence(&mut channel, index, member(PresenceAction::Enter, &format!("c{index}"))).unwrap();
    }
    let mut watcher = Client::new();
    watcher.attach(&mut channel, |_| ()).unwrap();
    let frames = watcher.frames();
    assert_eq!(frames[0]["flags"].as_u64().unwrap() & 1, 1, "HAS_PRESENCE");
    assert_eq!(frames.len(), 3);
    let serials: Vec<_> = frames[1..]
        .iter()
        .map(|frame| frame["channelSerial"].as_str().unwrap().split_once(':').unwrap())
        .collect();
    assert_eq!(serials[0].0, serials[1].0);
    assert!(serials[0].0.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')));
    assert_eq!((serials[0].1, serials[1].1), ("1", ""));
    let members: Vec<_> =
        frames[1..].iter().flat_map(|frame| frame["presence"].as_array().unwrap()).collect();
    assert_eq!(members.len(), 150);
    assert!(members.iter().all(|member| member["action"] == 1));
    assert!(channel.sync(&watcher.socket, "a"));
    assert!(watcher.frames().iter().all(|frame| frame["action"] == SYNC && frame["presence"].is_array()));
}

#[test]
fn a_channel_has_200_members() {
    let mut channel = channel();
    let client = Client::attached(&mut channel);
    for index in 0..200 {
        client.presence(&mut channel, index, member(PresenceAction::Enter, &index.to_string())).unwrap();
    }
    assert_eq!(client.presence(&mut channel, 200, member(PresenceAction::Enter, "more")), Err(91003));
    client.presence(&mut channel, 201, member(PresenceAction::Update, "7")).unwrap();
    client.presence(&mut channel, 202, member(PresenceAction::Leave, "7")).unwrap();
    client.presence(&mut channel, 203, member(PresenceAction::Enter, "more")).unwrap();
}

#[test]
fn a_lost_sockets_members_stay_and_leave_under_an_id_that_is_not_the_connections() {
    let mut channel = channel();
    let mut watcher = Client::attached(&mut channel);
    let client = Client::attached(&mut channel);
    client.presence(&mut channel, 0, member(PresenceAction::Enter, "c")).unwrap();
    channel.drop_socket(client.socket.id(), NOW);
    assert_eq!(watcher.events(), ["2:c"]);
    assert_eq!(channel.present(&MemberFilter::default()).len(), 1);
    channel.leave_all(client.id(), NOW + 15_000);
    let left = &watcher.frames()[0]["presence"][0];
    assert_eq!(left["action"], 3);
    assert_eq!(left["timestamp"], NOW + 15_000);
    assert!(!left["id"].as_str().unwrap().starts_with(client.id()));
}

#[test]
fn detaching_leaves_with_the_last_attachment() {
    let mut channel = channel();
    let mut watcher = Client::attached(&mut channel);
    let client = Client::attached(&mut channel);
    client.attach(&mut channel, |attach| attach.channel = "[?rewind=1]a".into()).unwrap();
    client.presence(&mut channel, 0, member(PresenceAction::Enter, "c")).unwrap();
    watcher.frames();
    channel.detach(&client.socket, "a", NOW);
    assert!(watcher.frames().is_empty());
    channel.detach(&client.socket, "[?rewind=1]a", NOW);
    assert_eq!(watcher.events(), ["3:c"]);
}

#[test]
fn history_is_read_either_way_in_pages_and_up_to_a_serial() {
    let mut channel = channel();
    for (index, data) in ["1", "2", "3", "4"].into_iter().enumerate() {
        publish(&mut channel, data, NOW + index as Millis);
    }
    let query =
        HistoryQuery { start: None, end: None, forwards: false, until_serial: None, limit: 3, cursor: None };
    let read = |query: &HistoryQuery| {
        let page = channel.history(query, NOW + 10).unwrap();
        let data = page.items.iter().map(|message| match &message.payload.data {
            Some(Data::Text(text)) => text.clone(),
            other => panic!("{other:?}"),
        });
        (data.collect::<Vec<_>>(), page.next)
    };
    let (data, next) = read(&query);
    assert_eq!(data, ["4", "3", "2"]);
    assert_eq!(read(&HistoryQuery { cursor: next, ..query.clone() }), (vec!["1".into()], None));
    let (data, next) = read(&HistoryQuery { forwards: true, ..query.clone() });
    assert_eq!(data, ["1", "2", "3"]);
    let rest = HistoryQuery { forwards: true, cursor: next, ..query.clone() };
    assert_eq!(read(&rest), (vec!["4".into()], None));
    let between = HistoryQuery { start: Some(NOW + 1), end: Some(NOW + 2), ..query.clone() };
    assert_eq!(read(&between), (vec!["3".into(), "2".into()], None));
    let serial = channel.history(&between, NOW + 10).unwrap().items[0].serial.clone();
    let until = HistoryQuery { until_serial: serial, ..query.clone() };
    assert_eq!(read(&until), (vec!["3".into(), "2".into(), "1".into()], None));
    let unreadable = HistoryQuery { until_serial: Some("x".into()), ..query };
    assert_eq!(channel.history(&unreadable, NOW).unwrap_err().code, 40000);
}

#[test]
fn who_came_and_went_is_kept_and_read_like_messages() {
    let mut channel = channel();
    let client = Client::attached(&mut channel);
    channel.add_fixtures("fixtures", vec![member(PresenceAction::Present, "f")], NOW);
    for (serial, action) in
        [PresenceAction::Enter, PresenceAction::Update, PresenceAction::Leave].into_iter().enumerate()
    {
        client.presence(&mut channel, serial as i64, member(action, "c")).unwrap();
    }
    let query =
        HistoryQuery { start: None, end: None, forwards: true, until_serial: None, limit: 3, cursor: None };
    let read = |query: &HistoryQuery| {
        let page = channel.presence_history(query, NOW + 1).unwrap();
        let events = page
            .items
            .iter()
            .map(|event| format!("{}:{}", u8::from(event.action), event.client_id.as_deref().unwrap()));
        (events.collect::<Vec<_>>(), page.next)
    };
    let (events, next) = read(&query);
    assert_eq!(events, ["2:f", "2:c", "4:c"]);
    assert_eq!(read(&HistoryQuery { cursor: next, ..query.clone() }), (vec!["3:c".into()], None));
    let until = HistoryQuery { until_serial: Some("x".into()), ..query.clone() };
    assert_eq!(channel.presence_history(&until, NOW).unwrap_err().code, 40000);
    assert!(channel.presence_history(&query, NOW + 120_001).unwrap().items.is_empty());
}

#[test]
fn the_log_is_bounded_by_time_by_count_and_by_size() {
    let mut channel = channel();
    for index in 0..10_050 {
        publish(&mut channel, &index.to_string(), NOW);
    }
    let pages = |channel: &Channel, now| {
        let mut query = HistoryQuery {
            start: None,
            end: None,
            forwards: false,
            until_serial: None,
            limit: usize::MAX,
            cursor: None,
        };
        let mut pages = Vec::new();
        loop {
            let page = channel.history(&query, now).unwrap();
            pages.push(page.items.len());
            query.cursor = page.next;
            if query.cursor.is_none() {
                return pages;
            }
        }
    };
    let count = |channel: &Channel, now| pages(channel, now).iter().sum::<usize>();
    assert_eq!(count(&channel, NOW), 10_000);
    assert_eq!(count(&channel, NOW + 120_001), 0);
    let big = "x".repeat(60_000);
    for index in 0..400 {
        channel.publish(prepared(&format!("big-{index}"), None, vec![text(&big)]), NOW);
    }
    assert_eq!(count(&channel, NOW), (16 << 20) / (60_000 + 512 + "big-399:0".len()));
    // A page ends with the item that fills it.
    assert_eq!(pages(&channel, NOW).first(), Some(&(2usize << 20).div_ceil(60_000)));
    channel.sweep(NOW + 120_001);
    assert_eq!(count(&channel, NOW), 0);
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
