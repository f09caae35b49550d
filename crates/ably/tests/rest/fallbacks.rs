//! Several servers: which is asked, in which order, and for how long.

use std::time::Duration;

use ably::rest::{Hosts, PublishError, RestClient, Timeouts};

use crate::server::{Act, Clock, PATIENT, Server, TRANSIENT, body, bounded, client, created, http, refused};

/// A primary and three fallbacks, and how often each has been asked.
struct Cluster {
    servers: Vec<Server>,
    client: RestClient<Clock>,
    clock: Clock,
}

impl Cluster {
    async fn start<const N: usize>(timeouts: Timeouts, scripts: [Vec<Act>; N]) -> Self {
        let clock = Clock::default();
        let mut servers = Vec::new();
        for script in scripts {
            servers.push(Server::start(&clock, script).await);
        }
        let mut endpoints = servers.iter().map(|server| server.endpoint.clone());
        let hosts = Hosts::with_fallbacks(endpoints.next().unwrap(), endpoints.collect());
        Self { client: client(hosts, timeouts, &clock), servers, clock }
    }

    async fn publish(&self) -> Result<(), PublishError> {
        bounded(self.client.publish("c", &body())).await
    }

    fn asked(&self) -> Vec<usize> {
        self.servers.iter().map(|server| server.requests().len()).collect()
    }
}

#[tokio::test]
async fn a_fallback_stands_in_where_the_contract_says_so() {
    let cloudfront = |status: &str| Act::Say(http(status, "Server: CloudFront\r\n", "<html>"));
    for (primary, timeouts) in [
        (refused(500, 50000), PATIENT),
        (refused(501, 50100), PATIENT),
        (refused(502, 50210), PATIENT),
        (refused(503, 50310), PATIENT),
        (refused(504, 50410), PATIENT),
        (cloudfront("403 Forbidden"), PATIENT),
        (cloudfront("400 Bad Request"), PATIENT),
        (Act::Reset, PATIENT),
        (Act::Say("HTTP/1.1 201 Created\r\ncontent-length: 9\r\n\r\n{".into()), PATIENT),
        (Act::SayAndHang(String::new()), Timeouts { attempt: Duration::from_secs(1), ..PATIENT }),
    ] {
        let cluster = Cluster::start(timeouts, [vec![primary.clone()], vec![created()]]).await;
        assert!(cluster.publish().await.is_ok(), "{primary:?}");
        assert_eq!(cluster.asked(), [1, 1]);
        let sent: Vec<_> = cluster
            .servers
            .iter()
            .map(|server| server.requests()[0].split_once("\r\n\r\n").unwrap().1.to_owned())
            .collect();
        assert_eq!(sent[0], sent[1], "the same bytes");
    }
}

#[tokio::test]
async fn no_fallback_second_guesses_an_answer() {
    for primary in [
        refused(400, 40000),
        refused(401, 40101),
        refused(404, 40400),
        refused(429, 42910),
        refused(505, 50500),
        Act::Say(http("302 Away", "location: /\r\n", "")),
        Act::Say(http("302 Away", "Server: CloudFront\r\n", "")),
    ] {
        let cluster = Cluster::start(PATIENT, [vec![primary], vec![created()]]).await;
        assert!(cluster.publish().await.is_err());
        assert_eq!(cluster.asked(), [1, 0]);
    }
}

#[tokio::test]
async fn three_hosts_are_tried_and_the_last_one_is_quoted() {
    let down = |code| vec![refused(503, code)];
    let cluster = Cluster::start(PATIENT, [down(50001), down(50002), down(50003), down(50004)]).await;
    let error = cluster.publish().await.unwrap_err();
    let asked = cluster.asked();
    assert_eq!((asked[0], asked.iter().sum()), (1, 3));
    assert!(asked.iter().all(|count| *count <= 1), "{asked:?}");
    assert_eq!((error.class, error.status), (TRANSIENT, Some(503)));
    assert_ne!(error.code, Some(50001));
}

#[tokio::test]
async fn the_time_in_all_is_kept() {
    let slow = |seconds| {
        let Act::Say(text) = refused(500, 50000) else { panic!() };
        vec![Act::After(Duration::from_secs(seconds), text)]
    };
    let timeouts = Timeouts { total: Duration::from_secs(15), ..PATIENT };
    let cluster = Cluster::start(timeouts, [slow(8), slow(7), slow(7)]).await;
    assert_eq!(cluster.publish().await.unwrap_err().status, Some(500));
    assert_eq!(cluster.asked().iter().sum::<usize>(), 2, "none is asked when the 15 s are over");

    // What is left is all that the next host gets: with 100 ms left it cannot hang for 20 s.
    let timeouts = Timeouts { total: Duration::from_millis(8_100), ..PATIENT };
    let cluster = Cluster::start(timeouts, [slow(8), vec![Act::SayAndHang(String::new())]]).await;
    let error = tokio::time::timeout(Duration::from_secs(15), cluster.publish()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("in time"), "{error}");
}

#[tokio::test]
async fn a_working_fallback_is_remembered_for_ten_minutes() {
    let cluster = Cluster::start(PATIENT, [vec![refused(503, 50310), created()], vec![created()]]).await;
    cluster.publish().await.unwrap();
    cluster.clock.pass(Duration::from_secs(599));
    cluster.publish().await.unwrap();
    assert_eq!(cluster.asked(), [1, 2]);
    cluster.clock.pass(Duration::from_secs(1));
    cluster.publish().await.unwrap();
    assert_eq!(cluster.asked(), [2, 2]);
}

#[tokio::test]
async fn a_remembered_fallback_that_fails_gives_way_to_the_primary() {
    let cluster =
        Cluster::start(PATIENT, [vec![refused(503, 50310), created()], vec![created(), Act::Reset]]).await;
    cluster.publish().await.unwrap();
    cluster.publish().await.unwrap();
    assert_eq!(cluster.asked(), [2, 2]);
    cluster.publish().await.unwrap();
    assert_eq!(cluster.asked(), [3, 2], "it has been forgotten");
}
