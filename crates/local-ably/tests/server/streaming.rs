//! `GET /sse` and `GET /event-stream`.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{BOTH, Format, KEY, REVOCABLE_KEY, SMALL_KEY, Server, answer, bin, in_millis, jwt};

const PATIENCE: Duration = Duration::from_secs(10);

/// A server-sent event, or a comment, whose kind is `:`.
#[derive(Debug, Clone, Default, PartialEq)]
struct Event {
    kind: String,
    id: String,
    data: String,
}

impl Event {
    fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }

    fn data(&self) -> Value {
        self.json()["data"].clone()
    }
}

struct Stream {
    response: Response,
    text: String,
    events: VecDeque<Event>,
}

impl Stream {
    async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new(), events: VecDeque::new() }
    }

    /// The next event within a time; nothing at the end.
    async fn next_within(&mut self, patience: Duration) -> Option<Event> {
        while self.events.is_empty() {
            let chunk = timeout(patience, self.response.chunk()).await.expect("no event came").unwrap()?;
            self.text += std::str::from_utf8(&chunk).unwrap();
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let mut read = Event::default();
                for line in event.split('\n') {
                    match line.split_once(": ").unwrap_or((line, "")) {
                        ("event", kind) => read.kind = kind.to_owned(),
                        ("id", id) => read.id = id.to_owned(),
                        ("data", data) => read.data += data,
                        (":keepalive", "") => read.kind = ":".to_owned(),
                        other => panic!("{other:?} in {event:?}"),
                    }
                }
                self.events.push_back(read);
                self.text = rest.to_owned();
            }
        }
        self.events.pop_front()
    }

    /// The next event, which is of a kind.
    async fn expect(&mut self, kind: &str) -> Event {
        let event = self.next_within(PATIENCE).await.expect("the stream has ended");
        assert_eq!(event.kind, kind, "{event:?}");
        event
    }

    async fn expect_error(&mut self) -> (u64, u64) {
        let error = self.expect("error").await.json();
        (error["code"].as_u64().unwrap(), error["statusCode"].as_u64().unwrap())
    }

    async fn expect_end(&mut self) {
        let event = self.next_within(PATIENCE).await;
        assert!(event.is_none(), "{event:?}");
    }
}

async fn listen(server: &Server, query: &str) -> Stream {
    Stream::open(server.request(Method::GET, &format!("/sse?v=1.2&{query}"))).await
}

#[tokio::test]
async fn messages_are_events_with_an_id_and_carry_their_channel() {
    let server = Server::start().await;
    let paths = ["/sse?channels=a:b&v=1.2", "/event-stream?channel=a%3Ab&v=1.2"];
    for path in paths {
        let request = server.request(Method::GET, path).header("accept", "text/event-stream");
        let mut stream = Stream::open(request).await;
        let (mut publisher, connected) = server.connect(Format::Msgpack).await;
        for data in [json!("text"), bin(&[0, 255])] {
            publisher.publish("a:b", 0, json!({"name": "n", "clientId": "c", "data": data})).await;
            publisher = server.connect(Format::Msgpack).await.0;
        }
        let text = stream.expect("message").await;
        assert!(!text.id.is_empty());
        let message = text.json();
        assert_eq!((&message["channel"], &message["data"]), (&json!("a:b"), &json!("text")));
        assert_eq!((&message["name"], &message["clientId"]), (&json!("n"), &json!("c")));
        assert_eq!(message["connectionId"], connected["connectionId"]);
        assert!(message["id"].is_string() && message["timestamp"].is_i64());
        let bytes = stream.expect("message").await.json();
        assert_eq!((&bytes["data"], &bytes["encoding"]), (&json!("AP8="), &json!("base64")));
    }
}

#[tokio::test]
async fn whoever_does_not_ask_for_server_sent_events_gets_a_line_of_json_each() {
    let server = Server::start().await;
    let mut response = server.request(Method::GET, "/event-stream?channels=a&v=1.2").send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"application/x-ndjson".parse().unwrap())
    );
    server.publish("a", &json!({"data": "1"})).await;
    let chunk = timeout(PATIENCE, response.chunk()).await.unwrap().unwrap().unwrap();
    let text = std::str::from_utf8(&chunk).unwrap();
    let event: Value = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
    assert_eq!((&event["event"], &event["data"]["data"]), (&json!("message"), &json!("1")));
    assert!(event["id"].is_string() && event["data"]["channel"] == "a");
}

#[tokio::test]
async fn who_comes_and_goes_are_events_too() {
    let server = Server::start().await;
    for format in BOTH {
        let mut stream = listen(&server, "channels=p").await;
        let (mut socket, _) = server.connect(format).await;
        socket.attach("p").await;
        for (serial, action) in [2, 4, 3].into_iter().enumerate() {
            let message = json!({"action": action, "clientId": "c", "data": "d"});
            socket.presence("p", serial as u64, message).await;
            let event = stream.expect("presence").await.json();
            assert_eq!((&event["action"], &event["clientId"]), (&json!(action), &json!("c")));
            assert_eq!((&event["channel"], &event["data"]), (&json!("p"), &json!("d")));
        }
    }
}

#[tokio::test]
async fn channels_are_separated_by_commas_or_by_what_the_client_says() {
    let server = Server::start().await;
    for (query, names) in [
        ("channels=a,b", ["a", "b"]),
        ("channel=a,b", ["a", "b"]),
        ("channels=fo%2Co%7Cba%2Cr&separator=%7C", ["fo,o", "ba,r"]),
        ("channels=[%3Frewind%3D1]c,d,d", ["c", "d"]),
    ] {
        let mut stream = listen(&server, query).await;
        for name in names {
            server.publish(&name.replace(',', "%2C"), &json!({"data": "x"})).await;
            assert_eq!(stream.expect("message").await.json()["channel"], name, "{query}");
        }
    }
}

#[tokio::test]
async fn a_stream_goes_on_after_the_last_event_on_all_its_channels() {
    let server = Server::start().await;
    for by_header in [false, true] {
        let mut stream = listen(&server, "channels=a,b,c").await;
        server.publish("a", &json!({"data": "1"})).await;
        server.publish("b", &json!({"data": "2"})).await;
        assert_eq!(stream.expect("message").await.data(), "1");
        let seen = stream.expect("message").await;
        assert_eq!(seen.data(), "2");
        drop(stream);
        server.publish("a", &json!({"data": "3"})).await;
        server.publish("c", &json!({"data": "4"})).await;
        // A browser that reconnects asks by a header, and for the same rewind.
        let mut again = if by_header {
            let request = server.request(Method::GET, "/sse?v=1.2&channels=a,b,c&rewind=5");
            Stream::open(request.header("last-event-id", &seen.id)).await
        } else {
            listen(&server, &format!("channels=c,b,a&rewind=5&lastEvent={}", seen.id)).await
        };
        let mut missed = vec![again.expect("message").await.data(), again.expect("message").await.data()];
        missed.sort_by_key(Value::to_string);
        assert_eq!(missed, ["3", "4"]);
        server.publish("b", &json!({"data": "5"})).await;
        assert_eq!(again.expect("message").await.data(), "5");
    }
}

#[tokio::test]
async fn a_stream_goes_on_in_the_midst_of_messages_that_were_published_together() {
    let server = Server::start().await;
    let mut stream = listen(&server, "channels=a").await;
    server.post("/channels/a/messages", &json!([{"data": "1"}, {"data": "2"}, {"data": "3"}])).await;
    server.publish("a", &json!({"data": "4"})).await;
    let mut ids = Vec::new();
    for expected in ["1", "2", "3", "4"] {
        let event = stream.expect("message").await;
        assert_eq!(event.data(), expected);
        ids.push(event.id);
    }
    for (seen, rest) in ids.iter().zip([vec!["2", "3", "4"], vec!["3", "4"], vec!["4"], vec![]]) {
        let mut again = listen(&server, &format!("channels=a&lastEvent={seen}")).await;
        for (index, expected) in rest.iter().enumerate() {
            let event = again.expect("message").await;
            assert_eq!(event.data(), *expected);
            assert_eq!(event.id, ids[4 - rest.len() + index], "an event keeps its id");
        }
        server.publish("b", &json!({"data": "unheard"})).await;
        assert!(again.events.is_empty());
    }
}

#[tokio::test]
async fn a_last_event_that_is_unknown_is_told_by_an_error_and_the_stream_goes_on() {
    let server = Server::start().await;
    server.publish("a", &json!({"data": "before"})).await;
    for last in ["nonsense", "00000000000001-000@x", ",,,"] {
        let mut stream = listen(&server, &format!("channels=a&lastEvent={last}")).await;
        assert_eq!(stream.expect_error().await, (90003, 404));
        server.publish("a", &json!({"data": "after"})).await;
        let event = stream.expect("message").await;
        assert_eq!(event.data(), "after");
        let mut again = listen(&server, &format!("channels=a&lastEvent={}", event.id)).await;
        server.publish("a", &json!({"data": "and on"})).await;
        assert_eq!(again.expect("message").await.data(), "and on");
    }
}

#[tokio::test]
async fn rewind_brings_the_last_messages_first() {
    let server = Server::start().await;
    for data in ["1", "2", "3"] {
        server.publish("a", &json!({"data": data})).await;
    }
    for (rewind, expected) in [("1", vec!["3"]), ("2", vec!["2", "3"]), ("1m", vec!["1", "2", "3"])] {
        let mut stream = listen(&server, &format!("channels=a&rewind={rewind}")).await;
        for data in expected {
            assert_eq!(stream.expect("message").await.data(), data, "{rewind}");
        }
    }
}

#[tokio::test]
async fn without_an_envelope_an_event_is_the_data_alone() {
    let server = Server::start().await;
    let mut stream = listen(&server, "channels=a&enveloped=false").await;
    for (sent, data) in [
        (json!({"data": "text"}), "text"),
        (json!({"data": {"a": 1}}), "{\"a\":1}"),
        (json!({"data": "AP8=", "encoding": "base64"}), "AP8="),
        (json!({"name": "only"}), ""),
    ] {
        server.post("/channels/a/messages", &sent).await;
        let event = stream.expect("message").await;
        assert_eq!(event.data, data);
        assert!(!event.id.is_empty());
    }
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive_by_comments_or_where_asked_for_by_events() {
    let server = Server::start().await;
    let (mut comments, mut events) =
        tokio::join!(listen(&server, "channels=a"), listen(&server, "channels=a&heartbeats=true"));
    let patience = Duration::from_secs(25);
    let (comment, event) = tokio::join!(comments.next_within(patience), events.next_within(patience));
    assert_eq!(comment.unwrap().kind, ":");
    assert_eq!(event.unwrap().kind, "heartbeat");
}

#[tokio::test]
async fn at_its_expiry_a_token_ends_the_stream_by_an_error_event() {
    let server = Server::start().await;
    let token = jwt(KEY, &json!({"exp": in_millis(1_200)}));
    let mut stream =
        Stream::open(server.anonymous(Method::GET, &format!("/sse?channels=a&accessToken={token}"))).await;
    assert_eq!(stream.expect_error().await, (40142, 401));
    stream.expect_end().await;
}

#[tokio::test]
async fn a_token_that_is_revoked_ends_the_stream_by_an_error_event() {
    let server = Server::start().await;
    let token = jwt(REVOCABLE_KEY, &json!({"x-ably-clientId": "x"}));
    let mut stream = Stream::open(server.anonymous(Method::GET, "/sse?channels=a").bearer_auth(token)).await;
    let request = server.request_by(REVOCABLE_KEY, Method::POST, "/keys/AbCdEf.revocable/revokeTokens");
    assert_eq!(answer(request.body(r#"{"targets":["clientId:x"]}"#)).await.0, 201);
    assert_eq!(stream.expect_error().await, (40141, 401));
    stream.expect_end().await;
}

#[tokio::test]
async fn a_stream_that_cannot_begin_is_an_ordinary_error() {
    let server = Server::start().await;
    let expired = jwt(KEY, &json!({"exp": in_millis(-1_000)}));
    let many = (0..201).map(|index| format!("c{index}")).collect::<Vec<_>>().join(",");
    for (query, status, code) in [
        ("channels=a".to_owned(), 401, 40101),
        ("channels=a&key=AbCdEf.root:wrong".to_owned(), 401, 40101),
        (format!("channels=a&accessToken={expired}"), 401, 40142),
        (format!("channels=a&key={SMALL_KEY}"), 401, 40160),
        (format!("channels=news,a&key={SMALL_KEY}"), 401, 40160),
        (format!("channels=%3Abad&key={KEY}"), 400, 40010),
        (format!("channels=a,,b&key={KEY}"), 400, 40010),
        (format!("channels=a&rewind=some&key={KEY}"), 400, 40000),
        (format!("channels=a&enveloped=maybe&key={KEY}"), 400, 40000),
        (format!("key={KEY}"), 400, 40000),
        (format!("channels=&key={KEY}"), 400, 40000),
        (format!("channels={many}&key={KEY}"), 400, 90010),
    ] {
        for path in ["/sse", "/event-stream"] {
            let request = server.anonymous(Method::GET, &format!("{path}?{query}"));
            let response = request.header("accept", "text/event-stream").send().await.unwrap();
            assert_eq!(response.status().as_u16(), status, "{query:.80}");
            assert_eq!(response.headers()["content-type"], "application/json");
            assert_eq!(response.headers()["x-ably-errorcode"], code.to_string());
            let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
            assert_eq!(body["error"]["code"], code, "{query:.80}");
        }
    }
    let (_, status) = server.get("/channels/news").await;
    let connections = &status["status"]["occupancy"]["metrics"]["connections"];
    assert_eq!(connections, 0, "what was refused in part is attached to nothing");
}

/// How many connections a channel has, once that is as expected.
async fn await_connections(server: &Server, channel: &str, expected: u64) {
    let reached = async {
        loop {
            let (_, body) = server.get(&format!("/channels/{channel}")).await;
            let metrics = &body["status"]["occupancy"]["metrics"];
            if metrics["connections"] == expected && metrics["subscribers"] == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, reached).await.expect("the number of connections");
}

#[tokio::test]
async fn a_stream_is_a_connection_as_long_as_its_client_is_there() {
    let server = Server::start().await;
    let stream = listen(&server, "channels=a,b").await;
    await_connections(&server, "a", 1).await;
    await_connections(&server, "b", 1).await;
    drop(stream);
    await_connections(&server, "a", 0).await;
    await_connections(&server, "b", 0).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_others_go_on() {
    let server = Server::start().await;
    let slow = listen(&server, "channels=a").await;
    let mut reader = listen(&server, "channels=a").await;
    let data = "x".repeat(60_000);
    // More than the sockets and the queue hold.
    for _ in 0..700 {
        server.publish("a", &json!({"data": &data})).await;
        assert_eq!(reader.expect("message").await.data().as_str().unwrap().len(), data.len());
    }
    await_connections(&server, "a", 1).await;
    drop(slow);
}

#[tokio::test]
async fn a_stream_ends_with_its_app_and_with_the_server() {
    let server = Server::start().await;
    let (_, app) = answer(server.anonymous(Method::POST, "/apps").body("{}")).await;
    let key = app["keys"][0]["keyStr"].as_str().unwrap();
    let mut of_app = Stream::open(server.anonymous(Method::GET, &format!("/sse?channels=a&key={key}"))).await;
    let mut of_other = listen(&server, "channels=a").await;
    let path = format!("/apps/{}", app["appId"].as_str().unwrap());
    assert_eq!(answer(server.request_by(key, Method::DELETE, &path)).await.0, 204);
    assert_eq!(of_app.expect_error().await, (40400, 404));
    of_app.expect_end().await;
    let (ended, ()) = tokio::join!(of_other.expect_error(), server.shutdown());
    assert_eq!(ended, (80003, 503));
}

#[tokio::test]
async fn pages_of_other_origins_read_no_stream() {
    let server = Server::start().await;
    let path = format!("/sse?channels=a&key={KEY}");
    let with = |origin: &'static str| server.anonymous(Method::GET, &path).header("origin", origin);
    assert_eq!(with("http://evil.example").send().await.unwrap().status(), 403);
    let response = with("http://localhost:3000").send().await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "http://localhost:3000");
}
