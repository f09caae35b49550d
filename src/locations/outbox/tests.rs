use std::time::Duration;

use ably::rest::{ErrorClass, RETRY_AFTER_MAX};

use super::failing::STORAGE_WAIT;
use super::*;
use crate::locations::log::{Content, Pointers, Ready};
use crate::objects::{Cause, Class, Failure};

const SPACING: Millis = 25;

fn row_of(n: u64, fixes: u64) -> Row {
    let fix = "[null,1,1,null,null,null,null,null]";
    let fixes = vec![fix; fixes as usize].join(",");
    let accepted = format!(r#"{{"driver":"d","fixes":[{fixes}]}}"#);
    let content = Content::Fixes(serde_json::from_str(&accepted).unwrap());
    let pointers = Pointers { live: Some(n), ..Pointers::default() };
    Row { n, epoch: 9, seq: n, ts: 1_700_000_000_000, pointers, content }
}

fn row(n: u64) -> Row {
    row_of(n, 1)
}

fn transient(retry_after: Option<u64>) -> ErrorClass {
    ErrorClass::Transient { retry_after: retry_after.map(Duration::from_millis) }
}

/// Adds a row as a job does.
fn push(outbox: &mut Outbox, row: Row, now: Millis) {
    let position = outbox.position_with(row.n, now);
    outbox.push(row, position);
}

/// An outbox of rows that came while it was not free, so that none leaves by itself.
fn with_rows(ns: RangeInclusive<u64>) -> Outbox {
    let mut outbox = Outbox { not_before: 1, ..Outbox::default() };
    ns.for_each(|n| push(&mut outbox, row(n), 0));
    outbox.not_before = 0;
    outbox
}

/// The places of the message that leaves now, once all that comes before is done.
fn leave(outbox: &mut Outbox, now: Millis) -> (u64, u64) {
    loop {
        match outbox.next(now) {
            Next::Publish(rows) => {
                let places = (rows.first().unwrap().first_n(), rows.last().unwrap().n);
                outbox.leaves(0, SPACING, now);
                return places;
            }
            Next::Save(_) => outbox.saved(),
            other => panic!("{other:?}"),
        }
    }
}

fn fail(outbox: &mut Outbox, class: ErrorClass, now: Millis) -> Verdict {
    let name = match class {
        ErrorClass::BlamesMessage => Class::Message,
        ErrorClass::BlamesAccess => Class::Access,
        ErrorClass::Unknown => Class::Unknown,
        ErrorClass::Throttled { .. } => Class::Throttled,
        ErrorClass::Transient { .. } => Class::Transient,
    };
    let verdict = outbox.failed(
        Failure { cause: Cause { class: name, code: None, status: None }, class, wait: None },
        now,
        1.0,
    );
    if verdict == Verdict::SetAside {
        outbox.given_up();
    }
    verdict
}

fn retry_at(verdict: Verdict) -> Millis {
    let Verdict::Retry { at, .. } = verdict else { panic!("{verdict:?}") };
    at
}

#[test]
fn an_empty_outbox_wants_nothing() {
    let mut outbox = Outbox::default();
    assert_eq!(outbox.next(0), Next::Idle);
    assert_eq!((outbox.due(), outbox.state()), (None, State::Idle));
}

#[test]
fn a_row_that_can_leave_at_once_says_so_itself_and_costs_no_other_write() {
    let mut outbox = Outbox::default();
    assert_eq!(outbox.position_with(1, 100), Position { sent: 0, infl: Some(1) });
    push(&mut outbox, row(1), 100);
    assert_eq!(outbox.next(100), Next::Publish(&[row(1)]));
    outbox.leaves(0, SPACING, 100);
    assert_eq!((outbox.waiting(), outbox.in_flight(), outbox.state()), (1, 1, State::Sending));
    assert_eq!(outbox.position_with(2, 1_000), Position { sent: 0, infl: Some(1) }, "one is in flight");
    push(&mut outbox, row(2), 1_000);
    assert_eq!(outbox.next(1_000), Next::Idle, "the second waits for the first");
    outbox.published(1_000);
    assert_eq!(outbox.next(1_000), Next::Publish(&[row(2)]), "by itself");
}

#[test]
fn the_end_of_a_message_is_written_down_unless_whoever_wakes_knows_it() {
    let mut outbox = Outbox::default();
    push(&mut outbox, row(1), 0);
    leave(&mut outbox, 0);
    push(&mut outbox, row(2), 10);
    outbox.published(50);
    assert!(matches!(outbox.next(50), Next::Publish(_)), "one row after all ends that are written down");
    outbox.leaves(0, SPACING, 50);

    // It sleeps, and wakes to what is on disk; more comes before the second has left again.
    let mut woken = Outbox::resume(Position { sent: 0, infl: Some(1) }, 2, &[]);
    woken.refill(vec![row(1), row(2)]);
    assert_eq!(leave(&mut woken, 0), (1, 1));
    push(&mut woken, row(3), 10);
    push(&mut woken, row(4), 20);
    woken.published(50);
    assert_eq!(leave(&mut woken, 50), (2, 2));
    woken.published(100);
    assert_eq!(woken.next(100), Next::Save(Position { sent: 2, infl: Some(4) }), "two rows");
}

#[test]
fn what_gathers_in_flight_leaves_as_one() {
    let mut outbox = Outbox::default();
    push(&mut outbox, row(1), 0);
    assert_eq!(leave(&mut outbox, 0), (1, 1));
    (2..=9).for_each(|n| push(&mut outbox, row(n), 10));
    outbox.published(50);
    assert_eq!(leave(&mut outbox, 50), (2, 9));
    push(&mut outbox, row(10), 60);
    outbox.published(100);
    assert_eq!(leave(&mut outbox, 100), (10, 10));
}

#[test]
fn a_message_ends_where_a_life_ends_and_before_what_is_no_fix() {
    let mut outbox = Outbox { not_before: 1, ..Outbox::default() };
    let text = String::new;
    let ready = Ready { channel: text(), name: text(), id: text(), data: text() };
    for row in [
        row(1),
        row(2),
        Row { epoch: 10, ..row(3) },
        Row { content: Content::Message(ready), epoch: 10, ..row(4) },
        Row { epoch: 10, ..row(5) },
    ] {
        push(&mut outbox, row, 0);
    }
    for (index, places) in [(1, 2), (3, 3), (4, 4), (5, 5)].into_iter().enumerate() {
        let now = 100 * (index as Millis + 1);
        assert_eq!(leave(&mut outbox, now), places);
        outbox.published(now);
    }
}

#[test]
fn a_message_is_as_long_as_may_be_and_is_read_as_far_as_that() {
    let mut outbox = Outbox { not_before: 1, ..Outbox::default() };
    let last = 20_000;
    (1..=last).filter(|n| n % 10 == 0).for_each(|n| push(&mut outbox, row_of(n, 10), 0));
    assert!(outbox.kept <= KEPT_MAX + 10, "{}", outbox.kept);
    let mut from = 1;
    let mut now = 1;
    while from <= last {
        let (first, end) = loop {
            match outbox.next(now) {
                Next::Read { after } => {
                    let rows =
                        (after / 10 + 1..=last / 10).take(ROWS_MAX as usize).map(|n| row_of(10 * n, 10));
                    outbox.refill(rows.collect());
                }
                Next::Save(_) => outbox.saved(),
                Next::Wait { until } => now = until,
                Next::Publish(rows) => {
                    let bytes = |row: &Row| event::bytes_of(row);
                    let length: usize = rows.iter().map(bytes).sum();
                    let places = (rows[0].first_n(), rows[rows.len() - 1].n);
                    assert!(length <= event::DATA_MAX);
                    assert!(
                        places.1 == last || length + bytes(&row_of(last, 10)) > event::DATA_MAX,
                        "{length}"
                    );
                    break places;
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(first, from);
        outbox.leaves(0, SPACING, now);
        outbox.published(now);
        from = end + 1;
    }
    assert_eq!(outbox.waiting(), 0);
}

#[test]
fn at_most_forty_a_second_and_eight_hundred_kib_leave() {
    for (bytes, leave_a_second) in [(100, 40), (61_440, 14)] {
        let mut outbox = Outbox::default();
        let (mut now, mut leaving) = (0, 0);
        while now < 1_000 {
            push(&mut outbox, row(leaving + 1), now);
            loop {
                match outbox.next(now) {
                    Next::Publish(_) => break,
                    Next::Save(_) => outbox.saved(),
                    Next::Wait { until } => now = until,
                    other => panic!("{other:?}"),
                }
            }
            if now < 1_000 {
                leaving += 1;
            }
            outbox.leaves(bytes, SPACING, now);
            outbox.published(now);
        }
        assert_eq!(leaving, leave_a_second, "{bytes}");
    }
}

#[test]
fn a_failed_message_goes_out_again_as_it_was_after_a_growing_while() {
    let mut outbox = with_rows(1..=1);
    let mut now = 0;
    let mut waits = Vec::new();
    for failures in 0..9 {
        assert_eq!(leave(&mut outbox, now), (1, 1), "though others have come");
        push(&mut outbox, row(2 + failures), now);
        let at = retry_at(fail(&mut outbox, transient(None), now));
        assert_eq!(outbox.next(at - 1), Next::Wait { until: at });
        assert_eq!((outbox.state(), outbox.due()), (State::Backoff, Some(at)));
        waits.push(at - now);
        now = at;
    }
    assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);

    assert_eq!(leave(&mut outbox, now), (1, 1));
    assert!(outbox.published(now).is_some(), "the trouble is over");
    now += 1_000;
    assert_eq!(leave(&mut outbox, now), (2, 10));
    assert_eq!(retry_at(fail(&mut outbox, transient(None), now)), now + 500, "success starts afresh");
}

#[test]
fn chance_shortens_a_wait_by_half_at_most() {
    for (jitter, wait) in [(0.0, 250), (0.5, 375), (1.0, 500), (-7.0, 250), (7.0, 500), (f64::NAN, 500)] {
        let mut outbox = with_rows(1..=1);
        leave(&mut outbox, 0);
        let verdict =
            outbox.failed(Failure { cause: Cause::DAMAGED, class: transient(None), wait: None }, 0, jitter);
        assert_eq!(verdict, Verdict::Retry { at: wait, news: Some(News::Begins) }, "{jitter}");
    }
}

#[test]
fn each_kind_of_failure_waits_in_its_own_way() {
    for (failure, wait, state) in [
        (transient(Some(7_000)), 10_500, State::Backoff),
        (transient(Some(10)), 500, State::Backoff),
        (ErrorClass::Throttled { retry_after: Some(RETRY_AFTER_MAX) }, 900_000, State::Backoff),
        (ErrorClass::BlamesAccess, 2_000, State::Held),
        (ErrorClass::Unknown, 660_000, State::Held),
    ] {
        let mut outbox = with_rows(1..=2);
        leave(&mut outbox, 0);
        assert_eq!(retry_at(fail(&mut outbox, failure, 0)), wait, "{failure:?}");
        assert_eq!(outbox.state(), state, "{failure:?}");
        assert_eq!(leave(&mut outbox, wait), (1, 2), "the order is kept: {failure:?}");
    }
}

#[test]
fn what_nobody_mends_is_tried_every_five_minutes() {
    let mut outbox = with_rows(1..=1);
    let mut now = 0;
    for _ in 0..20 {
        leave(&mut outbox, now);
        let at = retry_at(fail(&mut outbox, ErrorClass::BlamesAccess, now));
        assert!(at - now <= 300_000);
        now = at;
    }
    assert_eq!(outbox.trouble().unwrap().failures, 20);
}

#[test]
fn what_ably_asks_everybody_to_wait_is_waited_and_then_not_by_all_for_as_long() {
    let wait = |jitter| {
        let mut outbox = with_rows(1..=1);
        leave(&mut outbox, 0);
        retry_at(outbox.failed(
            Failure { cause: Cause::DAMAGED, class: transient(Some(60_000)), wait: None },
            0,
            jitter,
        ))
    };
    assert_eq!([0.0, 0.1, 0.5, 1.0].map(wait), [60_000, 63_000, 75_000, 90_000]);
}

#[test]
fn a_failure_is_news_where_it_is_of_another_kind() {
    let mut outbox = with_rows(1..=1);
    let mut now = 0;
    for (class, is_new) in [
        (transient(None), true),
        (ErrorClass::Throttled { retry_after: None }, false),
        (ErrorClass::BlamesAccess, true),
        (ErrorClass::BlamesAccess, false),
        (transient(None), true),
    ] {
        leave(&mut outbox, now);
        let Verdict::Retry { at, news } = fail(&mut outbox, class, now) else { panic!("given up") };
        assert_eq!(news.is_some(), is_new, "{class:?}");
        now = at;
    }
}

#[test]
fn what_should_have_passed_is_news_after_a_minute_and_once() {
    let mut outbox = with_rows(1..=1);
    let mut news = Vec::new();
    for at in [5_000, 30_000, 62_999, 65_000, 100_000, 200_000] {
        leave(&mut outbox, at);
        let Verdict::Retry { news: told, .. } = fail(&mut outbox, transient(None), at) else {
            panic!("given up")
        };
        news.extend(told.map(|told| (at, told)));
    }
    assert_eq!(news, [(5_000, News::Begins), (65_000, News::Lasts { since: 5_000 })]);
    leave(&mut outbox, 300_000);
    let trouble = outbox.published(300_000).unwrap();
    assert_eq!((trouble.since, trouble.is_told), (5_000, true));
}

#[test]
fn a_message_that_is_refused_for_no_known_reason_is_held_twice_and_then_set_aside() {
    let mut outbox = with_rows(1..=1);
    let mut now = 0;
    for _ in 0..2 {
        leave(&mut outbox, now);
        now = retry_at(fail(&mut outbox, ErrorClass::Unknown, now));
    }
    push(&mut outbox, row(2), now);
    assert_eq!(leave(&mut outbox, now), (1, 1));
    assert_eq!(fail(&mut outbox, ErrorClass::Unknown, now), Verdict::SetAside);
    assert_eq!(outbox.position(), Position { sent: 1, infl: None });
    now += 25;
    assert_eq!(leave(&mut outbox, now), (2, 2));
    assert_eq!(retry_at(fail(&mut outbox, ErrorClass::Unknown, now)), now + 660_000, "each by itself");
}

#[test]
fn a_message_that_is_to_blame_is_set_aside_and_the_next_goes_on() {
    let mut outbox = Outbox::default();
    push(&mut outbox, row(1), 0);
    leave(&mut outbox, 0);
    push(&mut outbox, row(2), 0);
    assert_eq!(fail(&mut outbox, ErrorClass::BlamesMessage, 0), Verdict::SetAside);
    assert_eq!(leave(&mut outbox, 25), (2, 2));
}

#[test]
fn news_of_nothing_changes_nothing() {
    let mut outbox = with_rows(1..=2);
    assert_eq!(outbox.published(0), None);
    assert_eq!((outbox.position(), outbox.waiting()), (Position::default(), 2));
}

#[test]
fn a_position_is_unsaved_until_it_is_written_down() {
    let mut outbox = Outbox::default();
    push(&mut outbox, row(1), 0);
    assert_eq!(outbox.unsaved(), None);
    leave(&mut outbox, 0);
    outbox.published(10);
    assert_eq!((outbox.unsaved(), outbox.due()), (Some(Position { sent: 1, infl: None }), Some(25)));
    push(&mut outbox, row(2), 1_000);
    assert_eq!(outbox.unsaved(), None, "the row has carried it away");
    leave(&mut outbox, 1_000);
    outbox.published(1_010);
    assert!(outbox.unsaved().is_some());
    outbox.saved();
    assert_eq!((outbox.unsaved(), outbox.due()), (None, None));
    assert_eq!(outbox.next(2_000), Next::Idle);
}

#[test]
fn what_was_in_flight_goes_out_again_with_the_same_end() {
    let mut outbox = Outbox::resume(Position { sent: 5, infl: Some(7) }, 9, &[]);
    assert_eq!(outbox.next(0), Next::Read { after: 5 });
    outbox.refill((6..=9).map(row).collect());
    assert_eq!(leave(&mut outbox, 0), (6, 7));
    outbox.published(0);
    assert_eq!(leave(&mut outbox, 25), (8, 8), "it may have left by itself");
    outbox.published(25);
    assert_eq!(outbox.next(50), Next::Save(Position { sent: 8, infl: Some(9) }), "one message lies between");

    // Where nothing is written of an end, the first row may have left by itself.
    let mut outbox = Outbox::resume(Position { sent: 5, infl: None }, 9, &[]);
    assert_eq!(outbox.next(0), Next::Read { after: 5 });
    outbox.refill((6..=9).map(row).collect());
    assert_eq!(leave(&mut outbox, 0), (6, 6));
    outbox.published(0);
    assert_eq!(leave(&mut outbox, 25), (7, 9));

    let mut outbox = Outbox::resume(Position { sent: 7, infl: Some(7) }, 7, &[]);
    assert_eq!(outbox.next(0), Next::Idle);
    assert_eq!(outbox.position().infl, None, "it had arrived");
}

#[test]
fn a_wait_outlasts_a_sleep() {
    let cause = Cause { class: Class::Access, code: Some(40101), status: Some(401) };
    let trouble = Trouble { cause, until: 5_000, failures: 4, held: 1, since: 900, is_told: true };
    let position = Position { sent: 0, infl: Some(1) };
    let mut outbox = Outbox::resume(position, 1, &[(0, Task::Publish(trouble.clone()))]);
    assert_eq!(outbox.next(1_000), Next::Wait { until: 5_000 });
    assert_eq!((outbox.trouble(), outbox.state()), (Some(&trouble), State::Held));
    outbox.refill(vec![row(1)]);
    leave(&mut outbox, 5_000);
    assert_eq!(retry_at(fail(&mut outbox, ErrorClass::BlamesAccess, 5_000)), 37_000, "it goes on growing");
}

#[test]
fn where_our_clock_has_gone_back_nothing_takes_longer() {
    let mut outbox = with_rows(1..=1);
    leave(&mut outbox, 100_000);
    let at = retry_at(fail(&mut outbox, transient(None), 100_000));
    assert_eq!(outbox.next(40_000), Next::Wait { until: 40_000 + at - 100_000 });

    let trouble =
        Trouble { cause: Cause::DAMAGED, until: 3_600_000, failures: 4, held: 0, since: 0, is_told: false };
    let mut outbox = Outbox::resume(Position::default(), 1, &[(0, Task::Publish(trouble))]);
    assert_eq!(outbox.next(1_000), Next::Wait { until: 901_000 }, "also while it was asleep");
}

#[test]
fn what_cannot_be_given_up_goes_out_again() {
    let mut outbox = with_rows(1..=2);
    leave(&mut outbox, 0);
    assert_eq!(
        outbox.failed(
            Failure { cause: Cause::DAMAGED, class: ErrorClass::BlamesMessage, wait: None },
            0,
            1.0
        ),
        Verdict::SetAside
    );
    assert_eq!(outbox.position_given_up(), Position { sent: 2, infl: None });
    outbox.not_given_up(0);
    assert_eq!(outbox.next(0), Next::Wait { until: STORAGE_WAIT });
    assert_eq!(leave(&mut outbox, STORAGE_WAIT), (1, 2));
}

#[test]
fn another_trouble_is_waited_for_from_its_own_beginning() {
    let mut outbox = with_rows(1..=1);
    let mut now = 0;
    for _ in 0..8 {
        leave(&mut outbox, now);
        now = retry_at(fail(&mut outbox, transient(None), now));
    }
    leave(&mut outbox, now);
    assert_eq!(retry_at(fail(&mut outbox, ErrorClass::BlamesAccess, now)), now + 2_000);
}

#[test]
fn what_is_asked_for_again_leaves_after_what_waits_and_once() {
    let mut outbox = with_rows(1..=2);
    let resend = Resend { task: 7, first_n: 7, last_n: 8 };
    outbox.resend(resend);
    assert_eq!(leave(&mut outbox, 0), (1, 2));
    outbox.published(0);
    outbox.saved();
    assert!(outbox.resends(7) && !outbox.resends(8));
    assert_eq!(outbox.next(25), Next::Resend(resend));
    outbox.leaves(0, SPACING, 25);
    assert_eq!((outbox.resending(), outbox.in_flight()), (Some(resend), 0));
    let at = retry_at(fail(&mut outbox, transient(None), 25));
    push(&mut outbox, row(3), 30);
    assert_eq!(leave(&mut outbox, at), (3, 3));
    outbox.published(at);
    assert_eq!(outbox.next(at + 25), Next::Resend(resend));
    outbox.leaves(0, SPACING, at + 25);
    outbox.published(at + 25);
    assert_eq!(outbox.next(at + 50), Next::Idle);
    assert_eq!(outbox.position().sent, 3);

    for class in [ErrorClass::BlamesMessage, ErrorClass::Unknown] {
        outbox.resend(resend);
        assert_eq!(outbox.next(at + 100), Next::Resend(resend));
        outbox.leaves(0, SPACING, at + 75);
        assert_eq!(fail(&mut outbox, class, at + 75), Verdict::SetAside, "it holds up nothing: {class:?}");
        assert_eq!(outbox.next(at + 200), Next::Idle);
        assert_eq!(outbox.position().sent, 3);
    }
}

#[test]
fn what_is_damaged_or_gone_holds_up_nothing() {
    let damaged = |n| Row { content: Content::Damaged, ..row(n) };
    let mut outbox = Outbox::resume(Position { sent: 2, infl: Some(9) }, 20, &[]);
    assert_eq!(outbox.next(0), Next::Read { after: 2 });
    // 3 and 4 are gone, 5 to 7 are damaged, from 13 on there is nothing.
    outbox.refill(vec![damaged(7), row(8), row(9), damaged(11), row(12)]);
    let mut passed = Vec::new();
    let mut left = Vec::new();
    let mut now = 0;
    loop {
        match outbox.next(now) {
            Next::PassOver(places) => {
                outbox.passed_over(&places);
                passed.push(places);
            }
            Next::Publish(rows) => {
                left.push((rows[0].n, rows[rows.len() - 1].n));
                outbox.leaves(0, SPACING, now);
                outbox.published(now);
            }
            Next::Read { .. } => outbox.refill(Vec::new()),
            Next::Save(_) => outbox.saved(),
            Next::Wait { until } => now = until,
            Next::Idle => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((passed, left), (vec![3..=7, 10..=11, 13..=20], vec![(8, 9), (12, 12)]));
}

#[test]
fn a_message_that_has_been_damaged_in_the_middle_leaves_as_far_as_it_goes() {
    let mut outbox = Outbox::resume(Position { sent: 0, infl: Some(3) }, 3, &[]);
    outbox.refill(vec![row(1), Row { content: Content::Damaged, ..row(2) }, row(3)]);
    assert_eq!(leave(&mut outbox, 0), (1, 1));
    outbox.published(0);
    assert_eq!(outbox.next(25), Next::PassOver(2..=2));
    outbox.passed_over(&(2..=2));
    assert_eq!(leave(&mut outbox, 25), (3, 3));
}
