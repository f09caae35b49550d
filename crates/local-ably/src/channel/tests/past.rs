//! What is remembered, and read again.

use super::*;

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
