//! What holds whatever happens.

use std::collections::BTreeSet;

use ably::rest::{BATCH_BYTES_MAX, BATCH_CHANNELS_MAX};
use proptest::prelude::*;
use serde_json::Value;

use super::super::*;
use super::{NOW, TRANSIENT, WINDOW, error, publisher};

/// What a game does next.
#[derive(Debug, Clone)]
enum Move {
    HandOver { channel: u8, large: bool },
    End { flight: u8, how: u8, mask: u32 },
    Pass(u16),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => (0..12_u8, prop::bool::weighted(0.1)).prop_map(|(channel, large)| Move::HandOver { channel, large }),
        3 => (any::<u8>(), 0..8_u8, any::<u32>()).prop_map(|(flight, how, mask)| Move::End { flight, how, mask }),
        2 => (0..400_u16).prop_map(Move::Pass),
        1 => (0..30_000_u16).prop_map(Move::Pass),
    ];
    prop::collection::vec(one, 1..120)
}

/// The messages in a request: the channel of each, and the reply that its body names.
fn messages_in(content: &Content) -> Vec<(String, u32)> {
    let reply = |body: &Value| body["id"].as_str().unwrap().parse().unwrap();
    match content {
        Content::One { channel, body } => {
            vec![(channel.clone(), reply(&serde_json::from_str(body.as_str()).unwrap()))]
        }
        Content::Many(batch) => {
            let specs: Vec<Value> = serde_json::from_str(&batch.body()).unwrap();
            let replies = specs.iter().map(|spec| reply(&spec["messages"][0]));
            batch.channels().iter().cloned().zip(replies).collect()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens: each hand-over is answered once, and as published only where Ably has it; no channel is in two requests; nothing
    /// leaves too soon, too large, or beside a probe.
    #[test]
    fn the_promises_hold(moves in moves()) {
        let mut publisher = publisher();
        let (mut now, mut replies, mut last_left) = (NOW, 0_u32, None::<Millis>);
        let mut open: BTreeSet<u32> = BTreeSet::new();
        let mut under_way: Vec<(u64, Vec<(String, u32)>)> = Vec::new();
        let mut taken_by_ably: BTreeSet<u32> = BTreeSet::new();
        for step in moves {
            match step {
                Move::HandOver { channel, large } => {
                    replies += 1;
                    let channel = format!("c{channel}");
                    let padding = if large { 60_000 } else { 10 };
                    let body = PublishBody::from_stored(format!(r#"{{"id":"{replies}","data":"{}"}}"#, "x".repeat(padding)));
                    open.insert(replies);
                    publisher.take(HandedOver { channel, body, reply: replies }, now);
                }
                Move::End { flight, how, mask } if !under_way.is_empty() => {
                    let (ticket, messages) = under_way.swap_remove(usize::from(flight) % under_way.len());
                    let mut taken = Vec::new();
                    let result = match how {
                        0 => Err(error(ErrorClass::BlamesAccess, 401, 40_101)),
                        1 => Err(error(TRANSIENT, 503, 50_003)),
                        2 => Err(error(ErrorClass::Throttled { retry_after: None }, 429, 42_918)),
                        3 => Err(error(ErrorClass::BlamesMessage, 400, 40_000)),
                        _ => Ok(messages.iter().enumerate().map(|(place, (_, reply))| match mask >> (2 * place) & 3 {
                            0 => None,
                            1 => Some(Err(error(ErrorClass::BlamesMessage, 400, 40_009))),
                            _ => { taken.push(*reply); Some(Ok(())) }
                        }).collect()),
                    };
                    taken_by_ably.extend(taken);
                    publisher.ended(ticket, result, now, 0.5);
                }
                Move::End { .. } => {}
                Move::Pass(time) => now += Millis::from(time),
            }
            loop {
                let probes = publisher.closed().map_or(0, |(trouble, _)| {
                    publisher.flights.iter().filter(|flight| flight.left_at >= trouble.noted_at).count()
                });
                let Next::Send(Request { ticket, content }) = publisher.next(now) else { break };
                prop_assert!(last_left.is_none_or(|left| now >= left + WINDOW));
                last_left = Some(now);
                prop_assert_eq!(probes, 0, "there is one probe at a time");
                if let Content::Many(batch) = &content {
                    prop_assert!(batch.body().len() <= BATCH_BYTES_MAX);
                }
                let messages = messages_in(&content);
                prop_assert!((1..=BATCH_CHANNELS_MAX).contains(&messages.len()));
                for (channel, _) in &messages {
                    prop_assert!(!under_way.iter().flat_map(|(_, messages)| messages).any(|(other, _)| other == channel));
                }
                under_way.push((ticket, messages));
                prop_assert!(under_way.len() <= FLIGHTS_MAX);
            }
            for (reply, outcome) in publisher.answers() {
                prop_assert!(open.remove(&reply), "answered twice, or never asked");
                prop_assert_eq!(outcome == Outcome::Published, taken_by_ably.contains(&reply));
            }
            prop_assert!(publisher.bytes <= QUEUE_MAX);
            let bytes: usize = publisher.queue.iter().map(|waiting| waiting.handed_over.body.as_str().len()).sum();
            prop_assert_eq!(bytes, publisher.bytes);
        }
        // In the end, once Ably takes everything, nobody is left without an answer.
        for _ in 0..1_000 {
            for (ticket, messages) in std::mem::take(&mut under_way) {
                publisher.ended(ticket, Ok(messages.iter().map(|_| Some(Ok(()))).collect()), now, 0.5);
            }
            now += 1_000;
            while let Next::Send(Request { ticket, content }) = publisher.next(now) {
                under_way.push((ticket, messages_in(&content)));
            }
            for (reply, _) in publisher.answers() {
                open.remove(&reply);
            }
            if open.is_empty() {
                break;
            }
        }
        prop_assert!(open.is_empty(), "{open:?}");
        prop_assert!(publisher.busy.is_empty() && publisher.flights.is_empty());
    }
}
