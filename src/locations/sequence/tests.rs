use super::*;
use crate::locations::clock::Clock;

const NOW: Millis = 1_000_000_000;
const HOUR: Millis = 3_600_000;
const YEAR: Millis = 365 * 24 * HOUR;

fn driver(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// A fix that says this and was accepted at `at`; ahead where it is.
fn said(driver: &UserId, captured_at: Millis, at: Millis) -> Mark<'_> {
    let clock = Some(Clock::Ahead).filter(|_| captured_at - at > TOLERANCE);
    let measured = Measured { effective: captured_at.min(at), captured_at, clock };
    Mark { n: 1, driver, at, offset: None, said: Some(captured_at), measured }
}

/// The same, sent by a clock that is behind ours by `offset`, the time under way included.
fn sent(driver: &UserId, captured_at: Millis, offset: Millis, at: Millis) -> Mark<'_> {
    let mark = Mark { offset: Some(offset), ..said(driver, captured_at, at) };
    if offset.abs() <= TOLERANCE {
        return mark;
    }
    let repaired = captured_at + offset;
    let clock = Some(Clock::Repaired);
    Mark { measured: Measured { effective: repaired.min(at), captured_at: repaired, clock }, ..mark }
}

/// Whether the last of these is late after the others, which are live.
fn late(fixes: &[Mark<'_>]) -> bool {
    let mut markers = Markers::default();
    let (last, before) = fixes.split_last().unwrap();
    for fix in before {
        let ahead = markers.ahead;
        markers.follow(*fix);
        if fix.driver != last.driver {
            markers.ahead = ahead;
        }
    }
    markers.hold_back(last)
}

#[test]
fn a_fix_is_live_unless_it_was_measured_before_the_last_live_one() {
    let [d, e] = ["d", "e"].map(driver);
    for other in [&d, &e] {
        let last = said(&d, NOW - 5_000, NOW);
        assert!(!late(&[last, said(other, NOW - 5_000, NOW + 1_000)]), "a tie goes to the later one");
        assert!(!late(&[last, said(other, NOW - 4_999, NOW + 1_000)]));
        assert!(late(&[last, said(other, NOW - 5_001, NOW + 1_000)]));
    }
}

#[test]
fn a_wrong_clock_holds_no_right_one_back() {
    let [d, e] = ["d", "e"].map(driver);
    for lead in [30_001, 90_000, HOUR, 8 * YEAR] {
        for other in [&d, &e] {
            for ago in [0, 1_000, 60_000] {
                let at = NOW + 1_000;
                assert!(!late(&[said(&d, NOW + lead, NOW), said(other, at - ago, at)]), "{lead} {ago}");
            }
            assert!(
                !late(&[said(&d, NOW + lead, NOW), said(other, NOW + 11_000, NOW + 1_000)]),
                "10 s ahead"
            );
        }
    }
}

#[test]
fn what_took_over_a_minute_moves_nothing_back_behind_any_live_fix() {
    let [d, e] = ["d", "e"].map(driver);
    let wrong = said(&d, NOW + 8 * YEAR, NOW);
    assert!(late(&[wrong, said(&e, NOW - 1, NOW + 60_000)]));
    assert!(!late(&[wrong, said(&e, NOW, NOW + 60_001)]));
    let backlog = [said(&e, NOW - 10 * HOUR, NOW - 9 * HOUR), wrong, said(&e, NOW - HOUR, NOW + 1)];
    assert!(late(&backlog));
}

#[test]
fn the_backlog_of_a_clock_ahead_moves_nothing_back_either() {
    let [d, e] = ["d", "e"].map(driver);
    for lead in [HOUR, 72 * HOUR, 8 * YEAR] {
        // The newest of its post is a duplicate: it was live before.
        let newest = said(&d, NOW + lead, NOW);
        for (ago, is_late) in [(61_000, true), (2 * HOUR, true)] {
            let mut older = said(&d, NOW + lead - ago, NOW + 1);
            older.measured.effective = NOW + 1 - ago;
            assert_eq!(late(&[newest, older]), is_late, "{lead} {ago}");
            assert!(late(&[said(&e, NOW - 60_000, NOW), older]), "{lead} {ago}: behind another's");
        }
    }
}

#[test]
fn right_clocks_are_held_by_right_ones_whatever_came_between() {
    let [d, e] = ["d", "e"].map(driver);
    let between = said(&e, NOW + YEAR, NOW + 1);
    assert!(late(&[said(&d, NOW, NOW), between, said(&d, NOW - 1, NOW + 2)]));
    assert!(!late(&[said(&d, NOW, NOW), between, said(&d, NOW, NOW + 2)]));
}

#[test]
fn times_a_little_ahead_are_ordered_by_the_phones_own_clock() {
    let [d, e] = ["d", "e"].map(driver);
    let last = said(&d, NOW + 20_000, NOW);
    assert!(late(&[last, said(&d, NOW + 19_999, NOW + 10_000)]));
    assert!(!late(&[last, said(&d, NOW + 20_000, NOW + 10_000)]));
    assert!(!late(&[last, said(&e, NOW + 19_999, NOW + 10_000)]), "another phone's clock is another");
}

#[test]
fn a_clock_ahead_holds_back_what_it_measured_before() {
    let [d, e] = ["d", "e"].map(driver);
    for lead in [90_000, HOUR, 8 * YEAR] {
        let last = said(&d, NOW + lead, NOW);
        assert!(late(&[last, said(&d, NOW + lead - 1, NOW + 30_000)]), "{lead}");
        assert!(!late(&[last, said(&d, NOW + lead, NOW + 30_000)]), "{lead}");
        assert!(!late(&[last, said(&e, NOW + lead - 1, NOW + 30_000)]), "another driver's clock: {lead}");
        assert!(late(&[last, said(&e, NOW, NOW + 1), said(&d, NOW + lead - 1, NOW + 2)]), "{lead}");
    }
}

#[test]
fn a_clock_that_steps_back_while_it_is_ahead_does_not_freeze_the_marker() {
    let d = driver("d");
    let last = said(&d, NOW + 2 * HOUR, NOW);
    assert!(late(&[last, said(&d, NOW + 2 * HOUR - 59_000, NOW + 1_000)]));
    assert!(!late(&[last, said(&d, NOW + 2 * HOUR - 59_001, NOW + 1_000)]));
    assert!(!late(&[said(&d, NOW + 8 * YEAR, NOW), said(&d, NOW + 90_000, NOW + 1_000)]));
}

#[test]
fn when_our_own_clock_has_gone_back_it_holds_nothing_back() {
    let d = driver("d");
    for back in [30_001, HOUR, 3 * 24 * HOUR] {
        assert!(!late(&[said(&d, NOW + back, NOW + back), said(&d, NOW, NOW)]), "{back}");
        let ahead = said(&d, NOW + back + HOUR, NOW + back);
        assert!(!late(&[ahead, said(&d, NOW + back + HOUR - 1, NOW)]), "{back}");
    }
    assert!(
        late(&[said(&d, NOW + 30_000, NOW + 30_000), said(&d, NOW, NOW)]),
        "by so little, it is waited for"
    );
}

#[test]
fn a_clock_that_sent_at_tells_of_orders_its_own_fixes() {
    let [d, e] = ["d", "e"].map(driver);
    for wrong in [HOUR, -HOUR, 3 * YEAR, -3 * YEAR] {
        // Under way for 20 s: it seems to be measured so much later than it was.
        let slow = sent(&d, NOW - wrong, wrong + 20_000, NOW + 20_000);
        let next = |by| sent(by, NOW + 1_000 - wrong, wrong, NOW + 21_000);
        assert!(!late(&[slow, next(&d)]), "{wrong}");
        assert!(late(&[slow, next(&e)]), "{wrong}: another phone's");
        let overtaken = sent(&d, NOW - 1 - wrong, wrong + 25_000, NOW + 24_999);
        assert!(late(&[slow, overtaken]), "{wrong}");
    }
}

#[test]
fn a_clock_that_is_a_little_fast_and_says_so_orders_its_own_fixes_too() {
    let d = driver("d");
    for fast in [1_000, 20_000, 30_000] {
        let last = sent(&d, NOW + fast, -fast, NOW);
        // Measured before, and come when the time that it says has passed.
        assert!(late(&[last, sent(&d, NOW + fast - 500, -fast, NOW + 40_000)]), "{fast}");
        assert!(!late(&[last, sent(&d, NOW + fast, -fast, NOW + 40_000)]), "{fast}");
    }
}

#[test]
fn a_clock_at_the_edge_of_what_is_right_enough_freezes_no_marker() {
    let d = driver("d");
    // 29 s slow: the first took 2 s, so it is mended, and the second is not.
    let first = sent(&d, NOW - 29_000, 31_000, NOW + 2_000);
    assert!(!late(&[first, sent(&d, NOW - 28_000, 29_500, NOW + 1_500)]));
    // A clock that was set right is another one.
    let fast = sent(&d, NOW + 45_000, -45_000, NOW);
    assert!(!late(&[fast, sent(&d, NOW + 1_000, 0, NOW + 1_000)]));
}

#[test]
fn of_clocks_ahead_the_last_minutes_are_remembered_and_sixteen_drivers() {
    let drivers: Vec<UserId> = (0..20).map(|n| driver(&format!("d{n}"))).collect();
    let ahead = |at| Ahead { captured_at: at + HOUR, at };
    let mut kept = Vec::new();
    for (n, whose) in drivers.iter().enumerate() {
        kept = ahead_after(&kept, whose, Some(ahead(NOW + n as Millis)), NOW + n as Millis);
    }
    let names: Vec<&UserId> = kept.iter().map(|(whose, _)| whose).collect();
    assert_eq!(names, drivers[4..].iter().collect::<Vec<_>>());
    let [first, second] = [&drivers[4], &drivers[5]];
    kept = ahead_after(&kept, first, Some(ahead(NOW + 100)), NOW + 100);
    assert_eq!((kept.len(), kept.last()), (16, Some(&(first.clone(), ahead(NOW + 100)))));
    assert_eq!(ahead_after(&kept, second, None, NOW + 60_100).len(), 1, "all others are older than a minute");
    assert_eq!(ahead_after(&kept, second, None, NOW + 60_101), []);
    assert_eq!(ahead_after(&kept, second, None, NOW - HOUR), [], "or from after our clock's present");
}
