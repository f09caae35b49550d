use super::*;

#[test]
fn it_is_armed_once_and_left_to_go_off() {
    let mut alarm = Alarm::default();
    assert_eq!(alarm.arm(None, None, 0), None, "nothing is due");
    assert_eq!(alarm.arm(Some(0), None, 100), Some(8_100));
    for now in [100, 1_100, 8_099] {
        assert_eq!(alarm.arm(Some(now), None, now), None);
    }
    alarm.went_off(8_100);
    assert_eq!(alarm.arm(Some(0), None, 8_100), Some(16_100));
    alarm.went_off(16_100);
    assert_eq!(alarm.arm(None, None, 16_100), None);
}

#[test]
fn what_waits_longer_than_a_timer_may_is_waited_for_by_the_alarm() {
    let mut alarm = Alarm::default();
    assert_eq!(
        alarm.arm(Some(1_000), None, 0),
        Some(8_000),
        "a timer does it, and the alarm if the object dies"
    );
    assert_eq!(alarm.arm(Some(3_000), None, 1_000), Some(3_000), "sooner than it would go off");
    alarm.went_off(3_000);
    assert_eq!(alarm.arm(Some(300_000), None, 3_000), Some(300_000));
    assert_eq!(alarm.arm(Some(3_000), None, 3_000), Some(11_000), "the wait is over before its time");
}

#[test]
fn one_that_does_not_come_is_armed_again() {
    let mut alarm = Alarm::default();
    assert_eq!(alarm.arm(Some(0), None, 0), Some(8_000));
    assert_eq!(alarm.arm(Some(0), None, 68_000), None);
    assert_eq!(alarm.arm(Some(0), None, 68_001), Some(76_001));
    assert_eq!(alarm.arm(Some(0), None, 1_000), Some(9_000), "our clock has gone back");
}

#[test]
fn a_job_is_quiet_when_no_post_has_come_for_a_while() {
    let mut alarm = Alarm::default();
    assert!(alarm.went_off(5));
    alarm.posted(10_000);
    for (now, is_quiet) in [(10_000, false), (13_999, false), (14_000, true), (9_000, true)] {
        assert_eq!(alarm.went_off(now), is_quiet, "{now}");
    }
}

#[test]
fn what_is_due_in_days_is_armed_once_and_again_whenever_it_has_gone_off() {
    let mut alarm = Alarm::default();
    let end = Some(1_000_000);
    assert_eq!(alarm.arm(None, end, 0), None, "whoever slept left it armed");
    alarm.stands_anew();
    assert_eq!(alarm.arm(None, end, 0), Some(1_000_000));
    assert_eq!(alarm.arm(None, end, 5), None);
    assert_eq!(alarm.arm(Some(0), end, 10), Some(8_010), "something waits");
    assert_eq!(alarm.arm(None, end, 20), None);
    alarm.went_off(8_010);
    assert_eq!(alarm.arm(None, end, 8_010), Some(1_000_000));
    alarm.stands_anew();
    assert_eq!(alarm.arm(None, Some(500_000), 9_000), Some(500_000), "it ends sooner now");
    // One that has just woken, and sets it in the place of the one that was set for its end.
    assert_eq!(Alarm::default().arm(Some(600_000), Some(500_000), 9_000), Some(500_000));
    assert_eq!(Alarm::default().arm(Some(0), Some(10_000), 9_000), Some(10_000));
    assert_eq!(Alarm::default().arm(Some(0), Some(8_000), 9_000), Some(17_000), "it did not go off in time");
}
