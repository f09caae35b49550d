use std::time::Duration;

use ably::rest::RETRY_AFTER_MAX;

use super::*;
use crate::locations::log::{Content, Pointers};

fn row(n: u64) -> Row {
    let accepted = r#"{"driver":"d","fixes":[[null,1,1,null,null,null,null,null]]}"#;
    let content = Content::Fixes(serde_json::from_str(accepted).unwrap());
    Row { n, epoch: 9, seq: n, ts: 0, pointers: Pointers { live: Some(n), ..Pointers::default() }, content }
}

fn transient(retry_after: Option<u64>) -> ErrorClass {
    ErrorClass::Transient { retry_after: retry_after.map(Duration::from_millis) }
}

fn with_rows(seqs: std::ops::RangeInclusive<u64>) -> Outbox {
    let mut outbox = Outbox::default();
    for seq in seqs {
        outbox.push(row(seq));
    }
    outbox
}

fn sent(outbox: &Outbox) -> u64 {
    outbox.position().sent
}

#[test]
fn an_empty_outbox_wants_nothing() {
    assert_eq!(Outbox::default().next(0), Next::Idle);
}

#[test]
fn a_row_goes_out_at_once_and_one_at_a_time() {
    let mut outbox = with_rows(1..=2);
    assert_eq!(outbox.next(100), Next::Publish(&row(1)));
    assert_eq!(outbox.position(), Position { sent: 0, infl: Some(1) });
    assert_eq!(outbox.next(1_000), Next::Idle, "the second waits for the first");
    outbox.published(1, 1_000);
    assert_eq!(outbox.next(1_000), Next::Publish(&row(2)));
}

#[test]
fn at_most_forty_a_second_leave() {
    let mut outbox = with_rows(1..=64);
    let mut leaving = Vec::new();
    let mut now = 0;
    while now < 1_000 {
        match outbox.next(now) {
            Next::Publish(row) => {
                let seq = row.n;
                leaving.push(now);
                outbox.published(seq, now);
            }
            Next::Wait { until } => now = until,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(leaving.len(), 40);
}

#[test]
fn a_failed_message_goes_out_again_after_a_growing_while() {
    let mut outbox = with_rows(1..=2);
    let failure = transient(None);
    let mut now = 0;
    let mut waits = Vec::new();
    for _ in 0..12 {
        assert_eq!(outbox.next(now), Next::Publish(&row(1)));
        let Verdict::Retry { at } = outbox.failed(1, failure, now, 1.0) else { panic!("not retried") };
        assert_eq!(outbox.next(at - 1), Next::Wait { until: at });
        waits.push(at - now);
        now = at;
    }
    assert_eq!(
        waits,
        [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000, 60_000]
    );

    assert_eq!(outbox.next(now), Next::Publish(&row(1)));
    outbox.published(1, now);
    now += 1_000;
    assert_eq!(outbox.next(now), Next::Publish(&row(2)));
    assert_eq!(
        outbox.failed(2, failure, now, 1.0),
        Verdict::Retry { at: now + 500 },
        "success starts afresh"
    );
}

#[test]
fn chance_shortens_a_wait_by_half_at_most() {
    for (jitter, wait) in [(0.0, 250), (0.5, 375), (1.0, 500), (-7.0, 250), (7.0, 500), (f64::NAN, 500)] {
        let mut outbox = with_rows(1..=1);
        let Next::Publish(_) = outbox.next(0) else { panic!("nothing to publish") };
        let verdict = outbox.failed(1, transient(None), 0, jitter);
        assert_eq!(verdict, Verdict::Retry { at: wait }, "{jitter}");
    }
}

#[test]
fn each_kind_of_failure_waits_in_its_own_way() {
    for (failure, wait) in [
        (transient(Some(7_000)), 10_500),
        (transient(Some(10)), 500),
        (ErrorClass::Throttled { retry_after: Some(RETRY_AFTER_MAX) }, 900_000),
        (ErrorClass::BlamesAccess, 5_000),
        (ErrorClass::Unknown, 600_000),
    ] {
        let mut outbox = with_rows(1..=2);
        let Next::Publish(_) = outbox.next(0) else { panic!("nothing to publish") };
        assert_eq!(outbox.failed(1, failure, 0, 1.0), Verdict::Retry { at: wait }, "{failure:?}");
        assert_eq!(outbox.next(wait), Next::Publish(&row(1)), "the order is kept: {failure:?}");
    }
}

#[test]
fn what_ably_asks_everybody_to_wait_is_waited_and_then_not_by_all_for_as_long() {
    let failure = transient(Some(60_000));
    let wait = |jitter| {
        let mut outbox = with_rows(1..=1);
        let Next::Publish(_) = outbox.next(0) else { panic!("nothing to publish") };
        match outbox.failed(1, failure, 0, jitter) {
            Verdict::Retry { at } => at,
            verdict => panic!("{verdict:?}"),
        }
    };
    let waits = [0.0, 0.1, 0.5, 1.0].map(wait);
    assert_eq!(waits, [60_000, 63_000, 75_000, 90_000]);
}

#[test]
fn a_message_that_is_refused_for_no_known_reason_is_held_twice_and_then_set_aside() {
    let mut outbox = with_rows(1..=2);
    let mut now = 0;
    for _ in 0..2 {
        assert_eq!(outbox.next(now), Next::Publish(&row(1)));
        assert_eq!(outbox.failed(1, ErrorClass::Unknown, now, 1.0), Verdict::Retry { at: now + 600_000 });
        now += 600_000;
    }
    assert_eq!(outbox.next(now), Next::Publish(&row(1)));
    assert_eq!(outbox.failed(1, ErrorClass::Unknown, now, 1.0), Verdict::SetAside { first_n: 1 });
    now += 25;
    assert_eq!(outbox.next(now), Next::Publish(&row(2)));
    assert_eq!(
        outbox.failed(2, ErrorClass::Unknown, now, 1.0),
        Verdict::Retry { at: now + 600_000 },
        "each message by itself"
    );
}

#[test]
fn a_message_that_is_to_blame_is_set_aside_and_the_next_goes_on() {
    let mut outbox = with_rows(1..=2);
    let Next::Publish(_) = outbox.next(0) else { panic!("nothing to publish") };
    assert_eq!(outbox.failed(1, ErrorClass::BlamesMessage, 0, 1.0), Verdict::SetAside { first_n: 1 });
    assert_eq!(outbox.next(25), Next::Publish(&row(2)));
    assert_eq!(sent(&outbox), 1);
}

#[test]
fn news_of_what_is_not_in_flight_changes_nothing() {
    let mut outbox = with_rows(1..=2);
    outbox.published(1, 0);
    assert_eq!(outbox.failed(1, ErrorClass::BlamesMessage, 0, 1.0), Verdict::Stale);
    assert_eq!(sent(&outbox), 0);
    let Next::Publish(_) = outbox.next(0) else { panic!("nothing to publish") };
    outbox.published(2, 0);
    assert_eq!(outbox.failed(2, ErrorClass::BlamesMessage, 0, 1.0), Verdict::Stale);
    assert_eq!(outbox.position(), Position { sent: 0, infl: Some(1) });
}

#[test]
fn a_position_is_written_down_by_the_next_row_or_after_some_quiet() {
    let mut outbox = with_rows(1..=1);
    let Next::Publish(_) = outbox.next(0) else { panic!("nothing to publish") };
    outbox.published(1, 10);
    assert_eq!(outbox.next(10), Next::Wait { until: 5_010 });
    outbox.push(row(2));
    let Next::Publish(_) = outbox.next(25) else { panic!("nothing to publish") };
    assert_eq!(outbox.failed(2, ErrorClass::BlamesAccess, 25, 1.0), Verdict::Retry { at: 5_025 });
    assert_eq!(outbox.next(25), Next::Wait { until: 5_025 }, "the row has carried the position away");
    outbox.not_before = 50;
    let Next::Publish(_) = outbox.next(50) else { panic!("nothing to publish") };
    outbox.published(2, 50);
    assert_eq!(outbox.next(5_010), Next::Wait { until: 5_050 });
    assert_eq!(outbox.next(5_050), Next::Confirm(Position { sent: 2, infl: None }));
    outbox.confirmed();
    assert_eq!(outbox.next(5_050), Next::Idle);
}

#[test]
fn a_long_queue_notes_how_far_it_has_come_though_there_is_no_quiet() {
    let mut outbox = with_rows(1..=64);
    let mut now = 0;
    let mut noted = Vec::new();
    // Each message takes a second.
    while sent(&outbox) < 64 {
        match outbox.next(now) {
            Next::Publish(row) => {
                let seq = row.n;
                now += 1_000;
                outbox.published(seq, now);
            }
            Next::Confirm(position) => {
                noted.push((now, position.sent));
                outbox.confirmed();
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(noted, [(31_000, 31), (62_000, 62)]);
}

#[test]
fn a_position_is_written_down_while_the_next_message_is_held() {
    let mut outbox = with_rows(1..=2);
    let Next::Publish(_) = outbox.next(0) else { panic!("nothing to publish") };
    outbox.published(1, 0);
    let Next::Publish(_) = outbox.next(25) else { panic!("nothing to publish") };
    assert_eq!(outbox.failed(2, ErrorClass::Unknown, 25, 1.0), Verdict::Retry { at: 600_025 });
    assert_eq!(outbox.next(25), Next::Wait { until: 5_000 });
    assert_eq!(outbox.next(5_000), Next::Confirm(Position { sent: 1, infl: None }));
    outbox.confirmed();
    assert_eq!(outbox.next(5_000), Next::Wait { until: 600_025 });
}

#[test]
fn a_clock_that_goes_back_makes_nothing_wait_longer() {
    const HOUR: Millis = 3_600_000;
    let mut outbox = with_rows(1..=2);
    let Next::Publish(_) = outbox.next(HOUR) else { panic!("nothing to publish") };
    outbox.published(1, HOUR);
    assert_eq!(outbox.next(10), Next::Wait { until: 10 + SPACING });
    let Next::Publish(_) = outbox.next(10 + SPACING) else { panic!("nothing to publish") };
    assert_eq!(
        outbox.failed(2, ErrorClass::BlamesAccess, 20, 1.0),
        Verdict::Retry { at: 5_020 },
        "a wait that begins after the step is not shortened by it"
    );
    assert_eq!(
        outbox.next(0),
        Next::Wait { until: 10 + QUIET - 15 - 20 },
        "the position is noted after as much quiet as ever"
    );
}

#[test]
fn memory_is_bounded_and_the_rest_comes_from_the_log() {
    let total = u64::from(ROWS_MAX) * 2 + 10;
    let mut outbox = with_rows(1..=total);
    let mut published = Vec::new();
    let mut now = 0;
    while published.len() < total as usize {
        assert!(outbox.rows.len() <= ROWS_MAX as usize);
        now += SPACING;
        match outbox.next(now) {
            Next::Publish(row) => {
                let seq = row.n;
                published.push(seq);
                outbox.published(seq, now);
            }
            Next::Read { after } => {
                let last = total.min(after + u64::from(ROWS_MAX));
                outbox.refill((after + 1..=last).map(row).collect());
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(published, (1..=total).collect::<Vec<_>>());
}

#[test]
fn after_a_sleep_it_goes_on_where_it_had_come_to() {
    let mut outbox = Outbox::resume(Position { sent: 5, infl: Some(6) }, 7);
    assert_eq!(outbox.next(0), Next::Read { after: 5 });
    outbox.refill(vec![row(6), row(7)]);
    assert_eq!(outbox.next(0), Next::Publish(&row(6)));

    let mut outbox = Outbox::resume(Position { sent: 7, infl: None }, 7);
    assert_eq!(outbox.next(0), Next::Idle);
    outbox.push(row(8));
    assert_eq!(outbox.next(0), Next::Publish(&row(8)));
}

#[test]
fn a_row_added_after_a_sleep_waits_behind_those_in_the_log() {
    let mut outbox = Outbox::resume(Position { sent: 5, infl: None }, 7);
    outbox.push(row(8));
    assert_eq!(outbox.next(0), Next::Read { after: 5 });
    outbox.refill(vec![row(6), row(7), row(8)]);
    assert_eq!(outbox.next(0), Next::Publish(&row(6)));
}
