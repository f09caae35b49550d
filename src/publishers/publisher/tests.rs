use std::time::Duration;

use super::*;
use crate::objects::Class;

mod promises;

const NOW: Millis = 1_700_000_000_000;
const WINDOW: Millis = 80;
const TRANSIENT: ErrorClass = ErrorClass::Transient { retry_after: None };

type Tested = Publisher<u32>;

fn publisher() -> Tested {
    Publisher::new(Pace { window: WINDOW })
}

fn message(channel: &str, reply: u32) -> HandedOver<u32> {
    HandedOver {
        channel: channel.to_owned(),
        body: PublishBody::from_stored(format!(r#"{{"id":"{reply}"}}"#)),
        reply,
    }
}

fn error(class: ErrorClass, status: u16, code: u32) -> PublishError {
    PublishError::new(class, Some(status), Some(code), "why")
}

fn failed(class: Class, status: u16, code: u32, wait: Option<Millis>) -> Outcome {
    Outcome::Failed { cause: Cause { class, status: Some(status), code: Some(code) }, wait }
}

/// The request that leaves now, and the channels in it.
fn sent(publisher: &mut Tested, now: Millis) -> (u64, Vec<String>) {
    match publisher.next(now) {
        Next::Send(Request { ticket, content: Content::One { channel, .. } }) => (ticket, vec![channel]),
        Next::Send(Request { ticket, content: Content::Many(batch) }) => (ticket, batch.channels().to_vec()),
        other => panic!("{other:?}"),
    }
}

/// One message of `a` leaves; then `b` and `c` leave together.
fn two_requests() -> (Tested, u64, u64) {
    let mut publisher = publisher();
    publisher.take(message("a", 1), NOW);
    let (first, channels) = sent(&mut publisher, NOW);
    assert_eq!(channels, ["a"]);
    publisher.take(message("b", 2), NOW);
    publisher.take(message("c", 3), NOW + 10);
    let (second, channels) = sent(&mut publisher, NOW + WINDOW);
    assert_eq!(channels, ["b", "c"]);
    (publisher, first, second)
}

#[test]
fn the_first_leaves_at_once_and_what_comes_within_the_window_gathers() {
    let mut publisher = publisher();
    assert_eq!(publisher.next(NOW), Next::Idle);
    publisher.take(message("a", 1), NOW);
    sent(&mut publisher, NOW);
    publisher.take(message("b", 2), NOW + 1);
    assert_eq!(publisher.next(NOW + 1), Next::Wait { until: NOW + WINDOW });
    publisher.take(message("c", 3), NOW + 79);
    assert_eq!(publisher.next(NOW + 79), Next::Wait { until: NOW + WINDOW });
    assert_eq!(sent(&mut publisher, NOW + WINDOW).1, ["b", "c"]);
    // After the window nothing waits for more.
    publisher.take(message("d", 4), NOW + 200);
    assert_eq!(sent(&mut publisher, NOW + 200).1, ["d"]);
    assert_eq!(publisher.next(NOW + 200), Next::Idle);
}

#[test]
fn a_clock_that_goes_back_holds_nothing_up() {
    let mut publisher = publisher();
    publisher.take(message("a", 1), NOW);
    sent(&mut publisher, NOW);
    publisher.take(message("b", 2), NOW - 3_600_000);
    assert_eq!(publisher.next(NOW - 3_600_000), Next::Wait { until: NOW - 3_600_000 + WINDOW });
    assert_eq!(sent(&mut publisher, NOW - 3_600_000 + WINDOW).1, ["b"]);
}

#[test]
fn each_job_is_told_what_became_of_its_own_message() {
    let (mut publisher, first, second) = two_requests();
    let refused = error(ErrorClass::BlamesMessage, 400, 40_012);
    publisher.ended(second, Ok(vec![Some(Ok(())), Some(Err(refused))]), NOW + 100, 0.5);
    publisher.ended(first, Ok(vec![Some(Ok(()))]), NOW + 100, 0.5);
    assert_eq!(
        publisher.answers(),
        [(2, Outcome::Published), (3, failed(Class::Message, 400, 40_012, None)), (1, Outcome::Published)]
    );
    assert!(publisher.answers().is_empty());
    assert_eq!(publisher.next(NOW + 500), Next::Idle);
}

#[test]
fn what_is_not_told_of_is_handed_over_again() {
    let (mut publisher, _, second) = two_requests();
    publisher.ended(second, Ok(vec![Some(Ok(())), None]), NOW + 100, 0.5);
    assert_eq!(publisher.answers(), [(2, Outcome::Published), (3, UNANSWERED)]);
}

#[test]
fn a_job_is_in_one_request_at_a_time() {
    let mut publisher = publisher();
    publisher.take(message("a", 1), NOW);
    let (first, _) = sent(&mut publisher, NOW);
    // Its object has slept, or waited for too long.
    publisher.take(message("a", 2), NOW + 100);
    assert_eq!(publisher.next(NOW + 100), Next::Wait { until: NOW + 4_600 });
    publisher.take(message("b", 3), NOW + 100);
    assert_eq!(sent(&mut publisher, NOW + 100).1, ["b"]);
    // Only the newest that it has handed over counts.
    publisher.take(message("a", 4), NOW + 110);
    assert_eq!(publisher.answers(), [(2, UNANSWERED)]);
    publisher.ended(first, Ok(vec![Some(Ok(()))]), NOW + 200, 0.5);
    assert_eq!(publisher.answers(), [(1, Outcome::Published)]);
    let Next::Send(Request { content: Content::One { body, .. }, .. }) = publisher.next(NOW + 200) else {
        panic!()
    };
    assert_eq!(body, message("a", 4).body);
}

#[test]
fn four_requests_are_under_way_at_most() {
    let mut publisher = publisher();
    let mut now = NOW;
    let mut tickets = Vec::new();
    for reply in 0..4 {
        publisher.take(message(&format!("c{reply}"), reply), now);
        tickets.push(sent(&mut publisher, now).0);
        now += WINDOW;
    }
    publisher.take(message("d", 9), now);
    assert_eq!(publisher.next(now), Next::Wait { until: now + 4_500 });
    publisher.ended(tickets[2], Ok(vec![Some(Ok(()))]), now, 0.5);
    assert_eq!(sent(&mut publisher, now).1, ["d"]);
}

#[test]
fn a_request_that_is_refused_as_a_whole_blames_no_message() {
    for refusal in [
        error(ErrorClass::BlamesMessage, 400, 40_000),
        error(ErrorClass::BlamesMessage, 413, 40_009),
        error(ErrorClass::Unknown, 400, 40_199),
    ] {
        let (mut publisher, _, second) = two_requests();
        publisher.ended(second, Err(refusal.clone()), NOW + 100, 0.5);
        assert!(publisher.answers().is_empty());
        // Each by itself, in their order and at the same pace; and before what comes later.
        publisher.take(message("d", 4), NOW + 100);
        publisher.take(message("e", 5), NOW + 100);
        let (b, channels) = sent(&mut publisher, NOW + 160);
        assert_eq!(channels, ["b"]);
        assert_eq!(publisher.next(NOW + 160), Next::Wait { until: NOW + 240 });
        let (c, channels) = sent(&mut publisher, NOW + 240);
        assert_eq!(channels, ["c"]);
        assert_eq!(sent(&mut publisher, NOW + 320).1, ["d", "e"]);
        // Now it is the message that is meant.
        publisher.ended(b, Err(refusal.clone()), NOW + 330, 0.5);
        publisher.ended(c, Ok(vec![Some(Ok(()))]), NOW + 330, 0.5);
        let cause = Cause::of(&refusal);
        let answers = [(2, Outcome::Failed { cause, wait: None }), (3, Outcome::Published)];
        assert_eq!(publisher.answers(), answers);
    }
}

#[test]
fn an_answer_that_tells_of_no_message_is_asked_for_again_one_by_one() {
    let (mut publisher, _, second) = two_requests();
    publisher.ended(second, Ok(vec![None, None]), NOW + 100, 0.5);
    assert!(publisher.answers().is_empty());
    // What its job has handed over since takes the place of what was in the request.
    publisher.take(message("c", 4), NOW + 110);
    assert_eq!(publisher.answers(), [(3, UNANSWERED)]);
    assert_eq!(sent(&mut publisher, NOW + 160).1, ["b"]);
    assert_eq!(sent(&mut publisher, NOW + 240).1, ["c"]);
}

#[test]
fn what_a_job_hands_over_while_its_request_is_under_way_stands_for_what_is_sent_again() {
    let (mut publisher, _, second) = two_requests();
    publisher.take(message("c", 4), NOW + 90);
    publisher.ended(second, Err(error(ErrorClass::BlamesMessage, 400, 40_000)), NOW + 100, 0.5);
    assert_eq!(publisher.answers(), [(3, UNANSWERED)]);
    assert_eq!(sent(&mut publisher, NOW + 160).1, ["b"]);
    assert_eq!(sent(&mut publisher, NOW + 240).1, ["c"]);
}

#[test]
fn a_key_that_is_refused_is_tried_by_one_request_for_all() {
    let (mut publisher, first, second) = two_requests();
    let refusal = error(ErrorClass::BlamesAccess, 401, 40_101);
    publisher.take(message("d", 4), NOW + 90);
    publisher.ended(second, Err(refusal.clone()), NOW + 100, 0.0);
    // Those in it, and those that wait: from 1 to 2 s, the same for all.
    let told = failed(Class::Access, 401, 40_101, Some(1_000));
    assert_eq!(publisher.answers(), [(2, told), (3, told), (4, told)]);
    // What was under way beside it meets the same, and that is no second time.
    publisher.ended(first, Err(refusal.clone()), NOW + 200, 0.0);
    assert_eq!(publisher.answers(), [(1, failed(Class::Access, 401, 40_101, Some(900)))]);
    publisher.take(message("a", 5), NOW + 700);
    assert_eq!(publisher.answers(), [(5, failed(Class::Access, 401, 40_101, Some(400)))]);
    assert_eq!(publisher.next(NOW + 700), Next::Idle);
    // Then all come at once, and one request finds out.
    for (channel, reply) in [("a", 6), ("b", 7)] {
        publisher.take(message(channel, reply), NOW + 1_100);
    }
    let (probe, _) = sent(&mut publisher, NOW + 1_100);
    publisher.take(message("c", 8), NOW + 1_200);
    assert_eq!(
        publisher.next(NOW + 1_200),
        Next::Wait { until: NOW + 5_700 },
        "nothing leaves before the probe is back"
    );
    publisher.ended(probe, Err(refusal), NOW + 1_300, 0.0);
    let told = failed(Class::Access, 401, 40_101, Some(2_000));
    assert_eq!(publisher.answers(), [(6, told), (7, told), (8, told)]);
    publisher.take(message("c", 9), NOW + 3_300);
    let (probe, _) = sent(&mut publisher, NOW + 3_300);
    publisher.ended(probe, Ok(vec![Some(Ok(()))]), NOW + 3_400, 0.0);
    assert_eq!(publisher.answers(), [(9, Outcome::Published)]);
    publisher.take(message("d", 10), NOW + 3_400);
    sent(&mut publisher, NOW + 3_400);
}

#[test]
fn what_left_before_a_refusal_does_not_say_that_it_is_over() {
    let throttled = ErrorClass::Throttled { retry_after: Some(Duration::from_secs(7)) };
    for of_the_first in [
        Ok(vec![Some(Ok(()))]),
        Err(error(ErrorClass::BlamesMessage, 400, 40_012)),
        Err(error(ErrorClass::Throttled { retry_after: None }, 429, 42_913)),
    ] {
        let (mut publisher, first, second) = two_requests();
        publisher.ended(second, Err(error(throttled, 429, 42_918)), NOW + 100, 0.0);
        publisher.ended(first, of_the_first, NOW + 200, 0.0);
        publisher.answers();
        publisher.take(message("d", 4), NOW + 1_100);
        assert_eq!(publisher.answers(), [(4, failed(Class::Throttled, 429, 42_918, Some(6_000)))]);
    }
}

#[test]
fn once_a_request_goes_well_all_is_as_it_was() {
    let refusal = || error(ErrorClass::BlamesAccess, 401, 40_101);
    for well in [Ok(vec![Some(Ok(()))]), Err(error(ErrorClass::BlamesMessage, 400, 40_012))] {
        let (mut publisher, first, second) = two_requests();
        publisher.ended(second, Err(refusal()), NOW + 100, 0.0);
        publisher.ended(first, Err(refusal()), NOW + 200, 0.0);
        publisher.take(message("d", 4), NOW + 1_100);
        let (probe, _) = sent(&mut publisher, NOW + 1_100);
        publisher.ended(probe, well, NOW + 1_200, 0.0);
        publisher.answers();
        // Several requests at once, and a refusal is the first again.
        publisher.take(message("e", 5), NOW + 1_200);
        sent(&mut publisher, NOW + 1_200);
        publisher.take(message("f", 6), NOW + 1_300);
        let (last, _) = sent(&mut publisher, NOW + 1_300);
        publisher.ended(last, Err(refusal()), NOW + 1_400, 0.0);
        assert_eq!(publisher.answers(), [(6, failed(Class::Access, 401, 40_101, None))]);
    }
}

#[test]
fn a_probe_whose_messages_are_blamed_has_gone_through() {
    let (mut publisher, first, second) = two_requests();
    for ticket in [second, first] {
        publisher.ended(ticket, Err(error(ErrorClass::BlamesAccess, 401, 40_101)), NOW + 100, 0.0);
    }
    publisher.take(message("d", 4), NOW + 1_100);
    publisher.take(message("e", 5), NOW + 1_100);
    let (probe, channels) = sent(&mut publisher, NOW + 1_100);
    assert_eq!(channels, ["d", "e"]);
    publisher.ended(probe, Err(error(ErrorClass::BlamesMessage, 400, 40_000)), NOW + 1_110, 0.0);
    // The second does not wait for the first.
    assert_eq!(sent(&mut publisher, NOW + 1_180).1, ["d"]);
    assert_eq!(sent(&mut publisher, NOW + 1_260).1, ["e"]);
}

#[test]
fn a_channel_that_alone_is_refused_stops_no_other() {
    let (mut publisher, first, _) = two_requests();
    publisher.ended(first, Err(error(ErrorClass::BlamesAccess, 403, 40_300)), NOW + 100, 0.5);
    assert_eq!(publisher.answers(), [(1, failed(Class::Access, 403, 40_300, None))]);
    publisher.take(message("d", 4), NOW + 160);
    let (next, _) = sent(&mut publisher, NOW + 160);
    // The next is refused as well: now it is the key.
    publisher.ended(next, Err(error(ErrorClass::BlamesAccess, 401, 40_101)), NOW + 170, 0.0);
    assert_eq!(publisher.answers(), [(4, failed(Class::Access, 401, 40_101, Some(2_000)))]);
    publisher.take(message("e", 5), NOW + 270);
    assert_eq!(publisher.answers(), [(5, failed(Class::Access, 401, 40_101, Some(1_900)))]);
}

#[test]
fn what_left_before_a_refusal_neither_opens_nor_holds_up_what_is_closed() {
    let (mut publisher, first, second) = two_requests();
    publisher.ended(second, Err(error(ErrorClass::BlamesAccess, 401, 40_101)), NOW + 100, 0.0);
    publisher.answers();
    // The first still hangs, and the probe leaves all the same.
    publisher.take(message("d", 4), NOW + 1_100);
    let (probe, _) = sent(&mut publisher, NOW + 1_100);
    publisher.ended(first, Err(error(TRANSIENT, 503, 50_003)), NOW + 1_150, 0.0);
    publisher.take(message("e", 5), NOW + 1_200);
    assert_eq!(publisher.next(NOW + 1_200), Next::Wait { until: NOW + 5_700 });
    // What waits for the probe for too long is held for what that is to find out.
    assert_eq!(publisher.next(NOW + 5_700), Next::Idle);
    assert_eq!(publisher.answers().last(), Some(&(5, failed(Class::Access, 401, 40_101, None))));
    publisher.ended(probe, Err(error(ErrorClass::BlamesAccess, 401, 40_101)), NOW + 5_800, 0.0);
    assert_eq!(publisher.answers(), [(4, failed(Class::Access, 401, 40_101, Some(2_000)))]);
}

#[test]
fn what_is_sent_by_itself_waits_for_its_turn_however_long() {
    let mut publisher = Publisher::new(Pace { window: 2_000 });
    for (channel, reply) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        publisher.take(message(channel, reply), NOW);
    }
    let (all, channels) = sent(&mut publisher, NOW);
    assert_eq!(channels.len(), 4);
    publisher.ended(all, Err(error(ErrorClass::BlamesMessage, 400, 40_000)), NOW + 10, 0.5);
    for (nth, channel) in (1..).zip(["a", "b", "c", "d"]) {
        let (one, channels) = sent(&mut publisher, NOW + 2_000 * nth);
        assert_eq!(channels, [channel]);
        publisher.ended(one, Ok(vec![Some(Ok(()))]), NOW + 2_000 * nth + 10, 0.5);
    }
    assert_eq!(publisher.answers().len(), 4);
}

#[test]
fn when_ably_takes_no_more_all_wait_for_the_same_time() {
    let throttled = ErrorClass::Throttled { retry_after: Some(Duration::from_secs(7)) };
    let (mut publisher, _, second) = two_requests();
    publisher.take(message("d", 4), NOW + 90);
    publisher.ended(second, Err(error(throttled, 429, 42_918)), NOW + 100, 0.0);
    let told = failed(Class::Throttled, 429, 42_918, Some(7_000));
    assert_eq!(publisher.answers(), [(2, told), (3, told), (4, told)]);
}

#[test]
fn one_request_that_is_lost_stops_no_other_and_the_second_does() {
    let (mut publisher, first, second) = two_requests();
    publisher.take(message("d", 4), NOW + 90);
    publisher.ended(second, Err(error(TRANSIENT, 503, 50_003)), NOW + 100, 0.0);
    let told = failed(Class::Transient, 503, 50_003, Some(250));
    assert_eq!(publisher.answers(), [(2, told), (3, told)]);
    let (third, channels) = sent(&mut publisher, NOW + 160);
    assert_eq!(channels, ["d"]);
    // It left before the first was known to be lost.
    publisher.ended(first, Err(error(TRANSIENT, 503, 50_003)), NOW + 170, 0.0);
    assert_eq!(publisher.answers(), [(1, failed(Class::Transient, 503, 50_003, None))]);
    publisher.take(message("e", 5), NOW + 180);
    publisher.ended(third, Err(error(TRANSIENT, 503, 50_003)), NOW + 190, 0.0);
    let told = failed(Class::Transient, 503, 50_003, Some(500));
    assert_eq!(publisher.answers(), [(4, told), (5, told)]);
    publisher.take(message("e", 6), NOW + 690);
    let (probe, _) = sent(&mut publisher, NOW + 690);
    publisher.ended(probe, Ok(vec![Some(Ok(()))]), NOW + 700, 0.0);
    assert_eq!(publisher.answers(), [(6, Outcome::Published)]);
}

#[test]
fn what_one_channel_alone_meets_stops_no_other() {
    for (class, status, code, told) in [
        (ErrorClass::BlamesAccess, 401, 40_160, Class::Access),
        (ErrorClass::Throttled { retry_after: None }, 429, 42_913, Class::Throttled),
        (ErrorClass::BlamesMessage, 400, 40_009, Class::Message),
        (ErrorClass::Unknown, 400, 40_199, Class::Unknown),
    ] {
        let (mut publisher, first, _) = two_requests();
        publisher.ended(first, Err(error(class, status, code)), NOW + 100, 0.5);
        assert_eq!(publisher.answers(), [(1, failed(told, status, code, None))]);
        publisher.take(message("d", 4), NOW + 160);
        sent(&mut publisher, NOW + 160);
    }
}

#[test]
fn a_wait_that_ably_asks_of_one_channel_reaches_its_job() {
    let (mut publisher, _, second) = two_requests();
    let throttled = ErrorClass::Throttled { retry_after: Some(Duration::from_secs(7)) };
    let results = vec![Some(Ok(())), Some(Err(error(throttled, 429, 42_913)))];
    publisher.ended(second, Ok(results), NOW + 100, 0.0);
    assert_eq!(publisher.answers()[1], (3, failed(Class::Throttled, 429, 42_913, Some(7_000))));
}

#[test]
fn no_more_than_eight_megabytes_wait() {
    let mut publisher = publisher();
    let large = |channel: &str, reply| HandedOver {
        body: PublishBody::from_stored("x".repeat(64 * 1024)),
        ..message(channel, reply)
    };
    publisher.take(message("first", 0), NOW);
    let (ticket, _) = sent(&mut publisher, NOW);
    for reply in 1..=128 {
        publisher.take(large(&format!("c{reply}"), reply), NOW);
    }
    assert!(publisher.answers().is_empty());
    publisher.take(message("one more", 200), NOW);
    assert_eq!(publisher.answers(), [(200, Outcome::Busy)]);
    // What takes another's place needs none.
    publisher.take(large("c1", 201), NOW);
    assert_eq!(publisher.answers(), [(1, UNANSWERED)]);
    // 2 MiB leave at once.
    let (_, channels) = sent(&mut publisher, NOW + WINDOW);
    assert_eq!(channels.len(), 31);
    publisher.take(message("one more", 202), NOW + WINDOW);
    publisher.ended(ticket, Ok(vec![Some(Ok(()))]), NOW + WINDOW, 0.5);
    assert_eq!(publisher.answers(), [(0, Outcome::Published)]);
}

#[test]
fn what_has_waited_for_too_long_does_not_leave() {
    let mut publisher = publisher();
    for reply in 0..4 {
        publisher.take(message(&format!("c{reply}"), reply), NOW);
        sent(&mut publisher, NOW + WINDOW * Millis::from(reply));
    }
    publisher.take(message("d", 4), NOW + 1_000);
    publisher.take(message("e", 5), NOW + 1_001);
    assert_eq!(publisher.next(NOW + 1_001), Next::Wait { until: NOW + 5_500 });
    assert_eq!(publisher.next(NOW + 5_500), Next::Wait { until: NOW + 5_501 });
    assert_eq!(publisher.answers(), [(4, UNANSWERED)]);
}
