use super::*;
use crate::ids::UserId;
use crate::locations::Sender;
use crate::locations::post::Entry;

/// 2026-11-28T00:00:00Z.
const NOW: Millis = 1_795_824_000_000;
const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;
const YEAR: Millis = 365 * DAY;
const WEEKS_1024: Millis = 7_168 * DAY;
const SINCE_1970: Millis = 978_307_200_000;

/// What becomes of these times, sent together at this time of the phone's: how long ago each was measured, and what is
/// notable; nothing where it is too old.
fn measured(sent_at: Option<Millis>, times: &[Millis]) -> Vec<Option<(Millis, Option<Clock>)>> {
    let fixes: Vec<_> =
        times.iter().map(|at| serde_json::json!({"lat": 1, "lng": 2, "capturedAt": at})).collect();
    let body = serde_json::json!({"locations": fixes, "sentAt": sent_at}).to_string();
    let post = Post::parse(body.as_bytes(), Sender::Driver(&UserId::parse("d").unwrap()), None).unwrap();
    let clocks = Clocks::of(&post, NOW, DAY);
    let measure = |entry: &Entry| match entry {
        Entry::Fix(fix) => {
            clocks.measure(fix).ok().map(|measured| (NOW - measured.effective, measured.clock))
        }
        Entry::Bad(rejection) => panic!("{rejection}"),
    };
    post.entries.iter().map(measure).collect()
}

fn one(sent_at: Option<Millis>, time: Millis) -> Option<(Millis, Option<Clock>)> {
    measured(sent_at, &[time]).pop().unwrap()
}

const AHEAD: Option<Clock> = Some(Clock::Ahead);
const REPAIRED: Option<Clock> = Some(Clock::Repaired);

#[test]
fn a_right_time_is_believed() {
    for sent_at in [None, Some(NOW), Some(NOW - 30_000), Some(NOW + 30_000)] {
        for ago in [0, 1, MINUTE, HOUR, DAY] {
            assert_eq!(one(sent_at, NOW - ago), Some((ago, None)), "{ago} {sent_at:?}");
        }
        assert_eq!(one(sent_at, NOW + 30_000), Some((0, None)), "not after its acceptance");
        assert_eq!(one(sent_at, NOW - DAY - 1), None);
    }
}

#[test]
fn a_time_ahead_counts_from_its_acceptance() {
    for ahead in [30_001, 90_000, 2 * HOUR, 8 * YEAR, 543 * YEAR, 7_000 * YEAR] {
        assert_eq!(one(None, NOW + ahead), Some((0, AHEAD)), "{ahead}");
    }
}

#[test]
fn the_backlog_of_a_clock_ahead_stays_one() {
    let fast = |ago| NOW + 2 * HOUR - ago;
    assert_eq!(
        measured(None, &[fast(MINUTE), fast(0), fast(HOUR), fast(3 * HOUR)]),
        [Some((MINUTE, AHEAD)), Some((0, AHEAD)), Some((HOUR, AHEAD)), Some((HOUR, None))],
        "what is not ahead is believed"
    );
    let days = |days, ago| NOW + days * DAY - ago;
    assert_eq!(
        measured(None, &[days(3, 0), days(3, DAY), days(3, DAY + 1), days(3, DAY + HOUR)]),
        [Some((0, AHEAD)), Some((DAY, AHEAD)), None, None],
        "and is too old in its turn"
    );
}

#[test]
fn one_time_that_is_far_ahead_makes_no_other_too_old() {
    for far in [26 * HOUR, 8 * YEAR, 543 * YEAR] {
        let fast = |ago| NOW + 40_000 - ago;
        assert_eq!(
            measured(None, &[fast(0), fast(1_000), NOW + far, fast(2_000), NOW]),
            [Some((0, AHEAD)), Some((1_000, AHEAD)), Some((0, AHEAD)), Some((2_000, AHEAD)), Some((0, None))],
            "{far}"
        );
    }
}

#[test]
fn a_sent_at_that_cannot_be_of_the_same_clock_spoils_no_right_time() {
    for no_time in [0, 1, -62_135_596_800_000, NOW - 30 * YEAR, NOW - 2 * HOUR] {
        assert_eq!(one(Some(no_time), NOW - HOUR), Some((HOUR, None)), "{no_time}");
    }
}

#[test]
fn sent_at_mends_whatever_the_phone_says() {
    for wrong in [30_001, HOUR, 20 * HOUR, 3 * DAY, WEEKS_1024, SINCE_1970, 30 * YEAR] {
        for wrong in [wrong, -wrong] {
            let phone = NOW + wrong;
            for ago in [0, MINUTE, 2 * HOUR, DAY] {
                assert_eq!(one(Some(phone), phone - ago), Some((ago, REPAIRED)), "{wrong} {ago}");
            }
            assert_eq!(one(Some(phone), phone - DAY - 1), None, "{wrong}");
        }
    }
}

#[test]
fn a_fix_from_after_its_own_sending_is_ahead_all_the_same() {
    for phone in [NOW, NOW - HOUR, NOW + HOUR] {
        let fixes = [phone + 8 * YEAR, phone + 8 * YEAR - MINUTE, phone - MINUTE];
        let last = (MINUTE, if phone == NOW { None } else { REPAIRED });
        assert_eq!(measured(Some(phone), &fixes), [Some((0, AHEAD)), Some((MINUTE, AHEAD)), Some(last)]);
    }
}

#[test]
fn a_gps_that_counts_its_weeks_again_is_read_on() {
    for ago in [-30_000, 0, MINUTE, DAY] {
        let expected = Some((ago.max(0), REPAIRED));
        assert_eq!(one(None, NOW - WEEKS_1024 - ago), expected, "{ago}");
        assert_eq!(one(Some(NOW), NOW - WEEKS_1024 - ago), expected, "the phone's own clock is right: {ago}");
        assert_eq!(one(Some(NOW - HOUR), NOW - WEEKS_1024 - ago), expected, "or is not: {ago}");
    }
    assert_eq!(one(None, NOW - WEEKS_1024 - DAY - 1), None);
    assert_eq!(one(None, NOW - WEEKS_1024 + 30_001), None);
    assert_eq!(one(None, NOW - 2 * WEEKS_1024), None);
}

#[test]
fn times_from_2001_are_read_from_there() {
    for ago in [-30_000, 0, MINUTE, DAY] {
        let expected = Some((ago.max(0), REPAIRED));
        assert_eq!(one(None, NOW - SINCE_1970 - ago), expected, "milliseconds, {ago}");
        assert_eq!(one(None, (NOW - SINCE_1970 - ago) / 1_000), expected, "seconds, {ago}");
    }
    assert_eq!(one(None, NOW - SINCE_1970 - DAY - 1), None);
    assert_eq!(one(None, (NOW - SINCE_1970 - DAY) / 1_000 - 1), None);
    assert_eq!(one(None, (NOW - SINCE_1970 + 31_000) / 1_000), None);
}

#[test]
fn seconds_from_2001_are_told_by_sent_at_too() {
    let seconds = |ago: Millis| (NOW - SINCE_1970 - ago) / 1_000;
    for slow in [0, HOUR] {
        assert_eq!(
            measured(Some(seconds(slow)), &[seconds(slow), seconds(slow + MINUTE), NOW - 1]),
            [Some((0, REPAIRED)), Some((MINUTE, REPAIRED)), Some((1, None))],
            "{slow}"
        );
    }
}

#[test]
fn a_fix_without_a_time_is_of_now() {
    let driver = UserId::parse("d").unwrap();
    for body in [r#"{"lat":1,"lng":2}"#, r#"{"lat":1,"lng":2,"sentAt":0}"#] {
        let post = Post::parse(body.as_bytes(), Sender::Driver(&driver), None).unwrap();
        let [Entry::Fix(fix)] = &post.entries[..] else { panic!("no fix") };
        let measured = Clocks::of(&post, NOW, DAY).measure(fix);
        assert_eq!(measured, Ok(Measured { effective: NOW, captured_at: NOW, clock: None }));
    }
}
