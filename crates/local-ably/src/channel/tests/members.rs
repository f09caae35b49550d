//! Who is present.

use super::*;

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
    assert!(channel.sync(&watcher.mailbox, "a"));
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
    channel.drop_mailbox(client.mailbox.id(), NOW);
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
    channel.detach(&client.mailbox, "a", NOW);
    assert!(watcher.frames().is_empty());
    channel.detach(&client.mailbox, "[?rewind=1]a", NOW);
    assert_eq!(watcher.events(), ["3:c"]);
}
