//! The limits of a plan, over real sockets; the figures themselves are tested with a clock that is moved.

use std::sync::Arc;

use local_ably::{Options, Plan};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, Server, Socket, answer, at_once};

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
    let answers = at_once((0..200).map(|_| server.anonymous(Method::GET, "/time").send())).await;
    let refused: Vec<_> =
        answers.into_iter().map(Result::unwrap).filter(|answer| answer.status() != 200).collect();
    assert!(!refused.is_empty(), "every request was served");
    for refused in &refused {
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["x-ably-errorcode"]),
            (429, &"42918".parse().unwrap())
        );
    }
    let metric = metric(&server, "apiRequests.maxRate").await;
    assert!(metric["admitted"].as_i64() >= Some(50) && metric["refused"] == refused.len(), "{metric}");
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
    while sockets.len() < 200 {
        sockets.push(connect_in_time(&server).await);
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
    connect_in_time(&server).await;
}

/// Connects as soon as the rate of new connections allows it.
async fn connect_in_time(server: &Server) -> (Socket, Value) {
    loop {
        let mut socket = server.open(Format::Json, &format!("key={KEY}")).await;
        let frame = socket.receive().await;
        if frame["action"] == 4 {
            return (socket, frame);
        }
        assert_eq!(frame["error"]["code"], 80021, "{frame}");
    }
}

#[tokio::test]
async fn connections_beyond_the_rate_of_new_ones_are_refused_and_those_that_resume_are_not() {
    let server = start(Plan::Free).await;
    let (_, connected) = server.connect(Format::Json).await;
    let resume = connected["connectionDetails"]["connectionKey"].as_str().unwrap();
    let server = Arc::new(server);
    let open = |server: Arc<Server>| async move {
        let mut socket = server.open(Format::Json, &format!("key={KEY}")).await;
        let frame = socket.receive().await;
        (socket, frame)
    };
    let sockets = at_once((0..150).map(|_| open(Arc::clone(&server)))).await;
    let (taken, refused): (Vec<_>, Vec<_>) = sockets.into_iter().partition(|(_, frame)| frame["action"] == 4);
    assert!(taken.len() >= 41 && !refused.is_empty(), "{} were taken", taken.len());
    let all = refused.len();
    for (mut socket, frame) in refused {
        let error = &frame["error"];
        assert_eq!((&frame["action"], &error["code"]), (&json!(9), &json!(80021)));
        assert_eq!(error["statusCode"], 429);
        socket.expect_end().await;
    }
    let (_, resumed) = server.connect_with(Format::Json, &format!("key={KEY}&resume={resume}")).await;
    assert_eq!(resumed["connectionId"], connected["connectionId"]);
    assert_eq!(metric(&server, "connections.maxRate").await["refused"], all);
}

#[tokio::test]
async fn channels_beyond_the_rate_of_new_ones_are_detached_and_clients_may_try_again() {
    let server = start(Plan::Free).await;
    let (mut socket, _) = server.connect(Format::Json).await;
    for index in 0..150 {
        socket.send(json!({"action": 10, "channel": index.to_string()})).await;
    }
    let mut attached = 0;
    let mut refused = Vec::new();
    for index in 0..150 {
        let frame = socket.receive().await;
        assert_eq!(frame["channel"], index.to_string());
        if frame["action"] == 11 {
            attached += 1;
            continue;
        }
        assert_eq!((&frame["action"], &frame["error"]["code"]), (&json!(13), &json!(90021)), "{frame}");
        assert_eq!(frame["error"]["statusCode"], 429);
        refused.push(frame["channel"].as_str().unwrap().to_owned());
    }
    assert!(attached >= 42 && !refused.is_empty(), "{attached}");
    loop {
        socket.send(json!({"action": 10, "channel": refused[0]})).await;
        let frame = socket.receive().await;
        if frame["action"] == 11 {
            break;
        }
        assert_eq!(frame["error"]["code"], 90021);
    }
    assert_eq!(socket.attach("0").await["channel"], "0", "a channel that is there is not made again");
    let channels: Vec<_> = (0..100).map(|index| format!("rest-{index}")).collect();
    let (_, results) = server.post("/messages", &json!([{"channels": channels, "messages": {}}])).await;
    let results = results[0]["results"].as_array().unwrap();
    assert!(results.iter().any(|result| result["error"]["code"] == 90021), "{results:?}");
}

#[tokio::test]
async fn a_connection_that_publishes_twenty_times_too_much_is_ended() {
    let server = start(Plan::Pro).await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        for serial in 0..5 {
            let frame =
                json!({"action": 15, "channel": "a", "msgSerial": serial, "messages": messages(1_000, "")});
            // The server may have ended it by now.
            let _ = socket.try_send(frame).await;
        }
        let mut last = socket.receive().await;
        while last["action"] == 1 || last["action"] == 2 {
            last = socket.receive().await;
        }
        let error = &last["error"];
        assert_eq!(
            (&last["action"], &error["code"], &error["statusCode"]),
            (&json!(9), &json!(42921), &json!(429))
        );
        socket.expect_end().await;
    }
}

#[tokio::test]
async fn a_connection_that_sends_too_many_frames_is_ended() {
    let server = start(Plan::Pro).await;
    let (mut socket, _) = server.connect(Format::Json).await;
    for _ in 0..10_000 {
        // An action that asks for nothing has no answer that would have to be read.
        if socket.try_send(json!({"action": 99})).await.is_err() {
            break;
        }
    }
    assert_eq!(socket.expect_error(9).await, (42924, 429));
    socket.expect_end().await;
}

#[tokio::test]
async fn a_connection_that_receives_too_much_loses_messages_and_is_told_on_which_channel() {
    let server = start(Plan::Pro).await;
    for format in BOTH {
        let (full, quiet) = (format!("full-{}", format.name()), format!("quiet-{}", format.name()));
        let (mut member, _) = server.connect_with(format, &format!("key={KEY}&clientId=me")).await;
        member.attach(&quiet).await;
        assert_eq!(member.presence(&quiet, 0, json!({"action": 2})).await["action"], 1);
        let (mut reader, connected) = server.connect(format).await;
        assert_eq!(connected["connectionDetails"]["maxOutboundRate"], 50);
        reader.attach(&full).await;
        let params = json!({"modes": "subscribe,presence_subscribe"});
        reader.attach_with(json!({"channel": quiet, "params": params})).await;
        reader.expect(16).await;
        let path = |channel: &str| format!("/channels/{channel}/messages");
        assert_eq!(server.post(&path(&full), &messages(500, "")).await.0, 201);
        assert_eq!(reader.expect(15).await["messages"].as_array().unwrap().len(), 500);
        for _ in 0..3 {
            assert_eq!(server.post(&path(&quiet), &json!({"data": "lost"})).await.0, 201);
        }
        let told = reader.expect(11).await;
        assert_eq!((&told["channel"], &told["params"]), (&json!(quiet), &params));
        let error = &told["error"];
        assert_eq!((&error["code"], &error["statusCode"]), (&json!(80020), &json!(400)));
        let flags = told["flags"].as_u64().unwrap();
        assert_eq!(flags & 0b111, 0b001, "who is present, nothing missed that comes, no continuity");
        assert_eq!(flags >> 16, 0b1100, "the modes are the same");
        let sync = reader.expect(16).await;
        assert_eq!(sync["presence"][0]["clientId"], "me");
        reader.expect_nothing().await;
        // Nobody else loses anything, and the history has it all.
        assert_eq!(member.expect(15).await["messages"][0]["data"], "lost");
        let (_, history) = server.get_in(format, &path(&quiet)).await;
        assert_eq!(history.as_array().unwrap().len(), 3);
    }
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
