use ably::Message;

use super::*;
use crate::protocol::{self, Command};

const NOW: Millis = 1_700_000_000_000;

fn limits(plan: &str) -> Limits {
    Limits::new(Some(plan.parse().unwrap()), NOW)
}

fn publish(channel: &str, messages: usize, bytes: usize) -> Publish<'_> {
    Publish { app: "app", channel, messages, bytes }
}

/// A frame that is to publish so many messages.
fn publishing(messages: usize) -> Command {
    let messages = vec![Message::default(); messages];
    Command::Publish(protocol::Publish { channel: "a".into(), msg_serial: None, messages, force_nack: false })
}

fn nobody() -> usize {
    0
}

fn count(limits: &Limits, metric: Metric) -> (i64, i64) {
    let report = limits.report();
    let found = report.metrics.iter().find(|report| report.metric == metric.name()).unwrap();
    (found.admitted, found.refused)
}

/// How many of a thing are allowed at a moment, and the code of the refusal.
fn until_refused(mut once: impl FnMut() -> Result<(), ErrorInfo>) -> (usize, u32, u16) {
    for done in 0..3_000_000 {
        if let Err(error) = once() {
            return (done, error.code, error.status_code);
        }
    }
    panic!("nothing is refused");
}

#[test]
fn without_a_plan_nothing_is_limited() {
    let limits = Limits::new(None, NOW);
    for _ in 0..1_000 {
        limits.publish(&publish("a", 1_000, 1 << 20), || 1_000, NOW).unwrap();
        limits.request(NOW).unwrap();
        limits.token_request(NOW).unwrap();
        limits.inflow(NOW).publish(1_000, NOW).unwrap();
        limits.inflow(NOW).frame(&publishing(1_000), NOW).unwrap();
        limits.channel(NOW).unwrap();
    }
    limits.connect(false, || panic!("nobody counts"), || Ok(()), NOW).unwrap();
    assert!(limits.outflow(NOW).is_none());
    assert_eq!((limits.message_size(), limits.inbound_rate(), limits.outbound_rate()), (65_536, 250, 100));
}

#[test]
fn a_channel_takes_50_messages_a_second_and_other_channels_as_many() {
    let limits = limits("pro");
    let one = || limits.publish(&publish("a", 1, 10), nobody, NOW);
    assert_eq!(until_refused(one), (50, 42913, 429));
    limits.publish(&publish("b", 1, 10), nobody, NOW).unwrap();
    limits.publish(&Publish { app: "other", ..publish("a", 1, 10) }, nobody, NOW).unwrap();
    limits.publish(&publish("a", 1, 10), nobody, NOW + 20).unwrap();
    assert_eq!(limits.publish(&publish("a", 1, 10), nobody, NOW + 20).unwrap_err().code, 42913);
    assert_eq!(count(&limits, Metric::ChannelMessages), (53, 2));
}

#[test]
fn a_channel_takes_a_mebibyte_a_second() {
    let limits = limits("free");
    let large = || limits.publish(&publish("a", 1, 64 << 10), nobody, NOW);
    assert_eq!(until_refused(large), (16, 42914, 429));
    limits.publish(&publish("a", 1, 64 << 10), nobody, NOW + 63).unwrap();
    assert_eq!(count(&limits, Metric::ChannelBytes), (17 << 16, 1 << 16));
}

#[test]
fn the_account_counts_what_is_published_and_what_is_received_on_all_channels() {
    for (plan, rate) in [("free", 500), ("standard", 2_500), ("pro", 10_000)] {
        let limits = limits(plan);
        let mut channel = 0;
        let next = || {
            channel += 1;
            limits.publish(&publish(&channel.to_string(), 1, 1), || 4, NOW)
        };
        assert_eq!(until_refused(next), (rate / 5, 42917, 429), "{plan}");
        assert_eq!(count(&limits, Metric::Messages), (i64::try_from(rate).unwrap(), 1));
    }
}

#[test]
fn a_publish_that_is_refused_counts_for_nothing() {
    let limits = limits("free");
    for channel in 0..10 {
        limits.publish(&publish(&channel.to_string(), 50, 1), nobody, NOW).unwrap();
    }
    assert_eq!(limits.publish(&publish("new", 1, 1), nobody, NOW).unwrap_err().code, 42917);
    for _ in 0..50 {
        assert_eq!(limits.publish(&publish("0", 1, 1), nobody, NOW).unwrap_err().code, 42913);
    }
    // A fifth of a second later the account has 100 again, and so has the channel that was refused.
    limits.publish(&publish("new", 50, 1), nobody, NOW + 200).unwrap();
}

#[test]
fn requests_are_limited_by_the_second_and_by_the_hour() {
    for (plan, second, hour) in [("free", 50, 25_000), ("standard", 362, 521_000), ("pro", 1_447, 2_083_300)]
    {
        let limits = limits(plan);
        assert_eq!(until_refused(|| limits.request(NOW)), (second, 42918, 429), "{plan}");
        let hourly = || limits.0.as_ref().unwrap().state().hourly_requests.clone();
        let mut left = hourly();
        left.take(hour - i64::try_from(second).unwrap(), NOW);
        limits.0.as_ref().unwrap().state().hourly_requests = left;
        let error = limits.request(NOW).unwrap_err();
        assert_eq!((error.code, error.status_code), (40115, 403), "{plan}");
        limits.request(NOW + 1_000).unwrap();
    }
}

#[test]
fn token_requests_are_limited_by_the_second_and_by_the_hour_and_are_no_requests() {
    for (plan, second, hour) in [("free", 50, 60_000), ("standard", 250, 360_000), ("pro", 500, 720_000)] {
        let limits = limits(plan);
        assert_eq!(until_refused(|| limits.token_request(NOW)), (second, 42910, 429), "{plan}");
        limits.request(NOW).unwrap();
        let rest = hour - i64::try_from(second).unwrap();
        limits.0.as_ref().unwrap().state().hourly_token_requests.take(rest, NOW);
        let error = limits.token_request(NOW).unwrap_err();
        assert_eq!((error.code, error.status_code), (40115, 403), "{plan}");
        limits.token_request(NOW + 1_000).unwrap();
    }
}

#[test]
fn so_many_connections_may_be_open_and_those_that_resume_are_none_too_many() {
    for (plan, connections) in [("free", 200), ("standard", 10_000), ("pro", 50_000)] {
        let limits = limits(plan);
        let open = |resumes, live| limits.connect(resumes, || live, || Ok(()), NOW);
        open(false, connections - 1).unwrap();
        let error = open(false, connections).unwrap_err();
        assert_eq!((error.code, error.status_code), (40111, 403), "{plan}");
        open(true, connections).unwrap();
        assert_eq!(count(&limits, Metric::Connections), (1, 1));
    }
}

#[test]
fn so_many_connections_and_channels_may_be_made_in_a_second() {
    for (plan, rate) in [("free", 42), ("standard", 250), ("pro", 500)] {
        let limits = limits(plan);
        let open = |resumes, now| limits.connect(resumes, || 0, || Ok(()), now);
        assert_eq!(until_refused(|| open(false, NOW)), (rate, 80021, 429), "{plan}");
        open(true, NOW).unwrap();
        open(false, NOW + 1_000).unwrap();
        assert_eq!(until_refused(|| limits.channel(NOW)), (rate, 90021, 429), "{plan}");
        limits.channel(NOW + 1_000).unwrap();
    }
}

#[test]
fn a_connection_publishes_50_messages_a_second() {
    let limits = limits("pro");
    let mut inflow = limits.inflow(NOW);
    assert_eq!(until_refused(|| inflow.publish(1, NOW)), (50, 42911, 429));
    inflow.publish(25, NOW + 500).unwrap();
    limits.inflow(NOW).publish(50, NOW).unwrap();
}

#[test]
fn a_connection_ends_that_tries_to_publish_20_times_as_much_or_sends_2000_frames_a_second() {
    let limits = limits("pro");
    let mut inflow = limits.inflow(NOW);
    assert_eq!(until_refused(|| inflow.frame(&publishing(100), NOW)), (10, 42921, 429));
    let mut inflow = limits.inflow(NOW);
    assert_eq!(until_refused(|| inflow.frame(&publishing(1), NOW)), (1_000, 42921, 429));
    let mut inflow = limits.inflow(NOW);
    let heartbeat = || Command::Heartbeat { id: None };
    assert_eq!(until_refused(|| inflow.frame(&heartbeat(), NOW)), (2_000, 42924, 429));
    inflow.frame(&heartbeat(), NOW + 1).unwrap();
    assert_eq!(count(&limits, Metric::Frames), (3_013, 1));
}

#[test]
fn a_connection_receives_50_messages_a_second() {
    let limits = limits("pro");
    let outflow = limits.outflow(NOW).unwrap();
    assert_eq!(until_refused(|| outflow.deliver(1, NOW)), (50, 80020, 400));
    outflow.deliver(25, NOW + 500).unwrap();
    limits.outflow(NOW).unwrap().deliver(50, NOW).unwrap();
    assert_eq!(count(&limits, Metric::Outbound), (125, 1));
}

#[test]
fn channels_without_recent_publishes_are_forgotten() {
    let limits = limits("pro");
    for channel in 0..100 {
        limits.publish(&publish(&channel.to_string(), 1, 1), nobody, NOW).unwrap();
    }
    let known = || limits.0.as_ref().unwrap().state().channels.len();
    limits.sweep(NOW + 1);
    assert_eq!(known(), 100);
    limits.sweep(NOW + 1_000);
    assert_eq!(known(), 0);
}

#[test]
fn only_pro_has_long_messages() {
    assert_eq!(
        ["free", "standard", "pro"].map(|plan| limits(plan).message_size()),
        [65_536, 65_536, 262_144]
    );
}
