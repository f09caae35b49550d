//! The limits of a plan, over real sockets; the figures themselves are tested with a clock that is moved.

use local_ably::{Options, Plan};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Format, KEY, Server, answer};

async fn start(plan: Plan) -> Server {
    Server::with(Options { limits: Some(plan), ..Options::default() }).await
}

/// What `/control/limits` says of a metric.
async fn metric(server: &Server, name: &str) -> Value {
    let (status, report) = answer(server.control(Method::GET, "/control/limits")).await;
    assert_eq!(status, 200);
    let metrics = report["metrics"].as_array().unwrap();
    metrics.iter().find(|metric| metric["metric"] == name).unwrap_or_else(|| panic!("{report}")).clone()
}

fn messages(count: usize, data: &str) -> Value {
    (0..count).map(|_| json!({"data": data})).collect()
}

// A publish of more than a second's worth is taken once and paid off over the next seconds, however slow the test is.

#[tokio::test]
async fn a_channel_takes_50_messages_a_second_over_rest_and_no_more() {
    let server = start(Plan::Pro).await;
    assert_eq!(server.post("/channels/a/messages", &messages(500, "")).await.0, 201);
    let (status, body) = server.post("/channels/a/messages", &json!({})).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (429, &json!(42913)));
    assert_eq!(server.post("/channels/b/messages", &messages(50, "")).await.0, 201);
    let metric = metric(&server, "channel.maxRate").await;
    assert_eq!((&metric["permitted"], &metric["perMs"]), (&json!(50), &json!(1000)));
    assert_eq!((&metric["admitted"], &metric["refused"]), (&json!(550), &json!(1)));
}

#[tokio::test]
async fn a_channel_takes_a_mebibyte_a_second() {
    let server = start(Plan::Pro).await;
    let large = messages(1, &"x".repeat(250_000));
    let mut codes = Vec::new();
    while codes.last() != Some(&Some(42914)) && codes.len() < 500 {
        let (_, body) = server.post("/channels/a/messages", &large).await;
        codes.push(body["error"]["code"].as_i64());
    }
    assert!(codes.len() > 4 && codes[..4].iter().all(Option::is_none), "{codes:?}");
    assert_eq!(codes.last(), Some(&Some(42914)));
}

#[tokio::test]
async fn a_connection_publishes_50_messages_a_second_and_stays_open() {
    let server = start(Plan::Pro).await;
    let (mut socket, connected) = server.connect(Format::Json).await;
    assert_eq!(connected["connectionDetails"]["maxInboundRate"], 50);
    socket.send(json!({"action": 15, "channel": "a", "msgSerial": 0, "messages": messages(500, "")})).await;
    assert_eq!(socket.answer().await["action"], 1);
    let nack = socket.publish("b", 1, json!({})).await;
    assert_eq!((&nack["action"], &nack["msgSerial"]), (&json!(2), &json!(1)));
    assert_eq!((&nack["error"]["code"], &nack["error"]["statusCode"]), (&json!(42911), &json!(429)));
    socket.expect_nothing().await;
    let (mut other, _) = server.connect(Format::Json).await;
    assert_eq!(other.publish("b", 0, json!({})).await["action"], 1);
    assert_eq!(other.publish("a", 1, json!({})).await["error"]["code"], 42913, "its channel has had enough");
}

#[tokio::test]
async fn the_account_counts_what_is_received_as_well() {
    let server = start(Plan::Free).await;
    let mut readers = Vec::new();
    for _ in 0..40 {
        let (mut socket, _) = server.connect(Format::Json).await;
        socket.attach("a").await;
        readers.push(socket);
    }
    assert_eq!(server.post("/channels/a/messages", &messages(100, "")).await.0, 201);
    let (status, body) = server.post("/channels/b/messages", &json!({})).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (429, &json!(42917)));
    assert_eq!(metric(&server, "messages.maxRate").await["admitted"], 100 * 41);
}

#[tokio::test]
async fn requests_beyond_the_rate_are_refused_and_the_control_endpoint_is_not() {
    let server = start(Plan::Free).await;
    let mut refused = None;
    for _ in 0..500 {
        let response = server.anonymous(Method::GET, "/time").send().await.unwrap();
        if response.status() != 200 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.expect("every request was served");
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["x-ably-errorcode"]),
        (429, &"42918".parse().unwrap())
    );
    let metric = metric(&server, "apiRequests.maxRate").await;
    assert!(metric["admitted"].as_i64() >= Some(50) && metric["refused"] == 1, "{metric}");
}

#[tokio::test]
async fn token_requests_have_a_rate_of_their_own() {
    let server = start(Plan::Free).await;
    let mut codes = Vec::new();
    while codes.last() != Some(&Some(42910)) && codes.len() < 500 {
        let (_, body) = server.post("/keys/AbCdEf.root/requestToken", &json!({})).await;
        codes.push(body["error"]["code"].as_i64());
    }
    assert!(codes.len() > 50 && codes[..50].iter().all(Option::is_none), "{codes:?}");
    assert_eq!(codes.last(), Some(&Some(42910)));
    assert_eq!(metric(&server, "apiRequests.maxRate").await["admitted"], 0);
}

#[tokio::test]
async fn a_connection_too_many_is_refused_and_one_that_resumes_is_not() {
    let server = start(Plan::Free).await;
    let mut sockets = Vec::new();
    for _ in 0..200 {
        sockets.push(server.connect(Format::Json).await);
    }
    let mut refused = server.open(Format::Json, &format!("key={KEY}")).await;
    assert_eq!(refused.expect_error(9).await, (40111, 403));
    refused.expect_end().await;
    let (_, connected) = &sockets[0];
    let resume = connected["connectionDetails"]["connectionKey"].as_str().unwrap();
    let (_, resumed) = server.connect_with(Format::Json, &format!("key={KEY}&resume={resume}")).await;
    assert_eq!(resumed["connectionId"], connected["connectionId"]);
    let (mut leaving, _) = sockets.pop().unwrap();
    leaving.send(json!({"action": 7})).await;
    leaving.expect(8).await;
    leaving.expect_end().await;
    server.connect(Format::Json).await;
}

#[tokio::test]
async fn messages_may_be_as_long_as_the_plan_has_it() {
    for (plan, limit) in [(Some(Plan::Free), 65_536), (Some(Plan::Pro), 262_144), (None, 65_536)] {
        let server = Server::with(Options { limits: plan, ..Options::default() }).await;
        let (mut socket, connected) = server.connect(Format::Json).await;
        assert_eq!(connected["connectionDetails"]["maxMessageSize"], limit);
        assert_eq!(socket.publish("a", 0, json!({"data": "x".repeat(limit)})).await["action"], 1);
        assert_eq!(
            socket.publish("a", 1, json!({"data": "x".repeat(limit + 1)})).await["error"]["code"],
            40009
        );
        assert_eq!(server.post("/channels/b/messages", &json!({"data": "x".repeat(limit)})).await.0, 201);
        let (_, body) = server.post("/channels/b/messages", &json!({"data": "x".repeat(limit + 1)})).await;
        assert_eq!(body["error"]["code"], 40009);
    }
}

#[tokio::test]
async fn without_a_plan_nothing_is_refused_and_the_report_says_so() {
    let server = Server::start().await;
    for _ in 0..5 {
        assert_eq!(server.post("/channels/a/messages", &messages(1_000, "")).await.0, 201);
    }
    let (_, report) = answer(server.control(Method::GET, "/control/limits")).await;
    assert_eq!(report, json!({"plan": null, "maxMessageSize": 65_536, "metrics": []}));
}

#[tokio::test]
async fn a_batch_is_limited_channel_by_channel() {
    let server = start(Plan::Pro).await;
    assert_eq!(server.post("/channels/busy/messages", &messages(500, "")).await.0, 201);
    let batch = json!([{"channels": ["busy", "quiet"], "messages": {"name": "x"}}]);
    let (_, results) = server.post("/messages", &batch).await;
    let results = &results[0]["results"];
    assert_eq!((&results[0]["channel"], &results[0]["error"]["code"]), (&json!("busy"), &json!(42913)));
    assert_eq!(results[1]["channel"], "quiet");
    assert!(results[1]["messageId"].is_string());
}
