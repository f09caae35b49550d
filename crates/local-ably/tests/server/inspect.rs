//! The inspector: who may look inside, and what there is to see.

use std::time::Duration;

use local_ably::{Options, Plan};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::{Format, KEY, OTHER_KEY, SMALL_KEY, Server, answer, jwt, now};

const PATIENCE: Duration = Duration::from_secs(10);

/// A stream of snapshots.
struct Watch {
    response: Response,
    rest: Vec<u8>,
}

fn request(server: &Server, path: &str, body: &Value) -> RequestBuilder {
    let request = server.control(Method::POST, path).header("content-type", "application/json");
    request.body(body.to_string())
}

impl Watch {
    async fn open(server: &Server, query: Value) -> Self {
        let response = request(server, "/inspect", &query).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        Self { response, rest: Vec::new() }
    }

    async fn next(&mut self) -> Value {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return serde_json::from_slice(&line).unwrap();
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.unwrap().unwrap();
            self.rest.extend(chunk.expect("the stream has ended"));
        }
    }
}

/// One snapshot.
async fn look(server: &Server, query: Value) -> Value {
    Watch::open(server, query).await.next().await
}

/// One snapshot of the app that tests mostly use.
async fn look_at_app(server: &Server, mut query: Value) -> Value {
    query["app"] = "AbCdEf".into();
    look(server, query).await
}

async fn token(server: &Server, app: &str) -> String {
    let (status, body) = answer(request(server, "/inspect/token", &json!({"app": app}))).await;
    assert_eq!(status, 201, "{body}");
    body["token"].as_str().unwrap().to_owned()
}

const PAGE: &str = "agent=local-ably-page/1";

#[tokio::test]
async fn only_whoever_has_the_secret_looks_inside_and_says_so_in_json() {
    let server = Server::start().await;
    for path in ["/inspect", "/inspect/token"] {
        let anonymous =
            || server.anonymous(Method::POST, path).header("content-type", "application/json").body("{}");
        for authorization in ["", "Bearer ", "Bearer wrong", "Basic QWJD"] {
            let (status, body) = answer(anonymous().header("authorization", authorization)).await;
            assert_eq!((status.as_u16(), &body["error"]["code"]), (401, &json!(40101)), "{path}");
        }
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/x-msgpack"] {
            let request = server.control(Method::POST, path).header("content-type", content_type).body("{}");
            assert_eq!(answer(request).await.0, 415, "{path} {content_type}");
        }
        let (status, body) = answer(server.control(Method::GET, path)).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (405, &json!(40500)));
    }
    for body in ["", "null", r#"{"app":1}"#, r#"{"query":"x"}"#] {
        let request = server.control(Method::POST, "/inspect").header("content-type", "application/json");
        assert_eq!(answer(request.body(body)).await.0, 400, "{body}");
    }
}

#[tokio::test]
async fn hosts_and_origins_that_are_let_through_elsewhere_do_not_look_inside() {
    let server = Server::with(Options {
        allow_hosts: vec!["laptop.lan".into()],
        allow_origins: vec!["https://app.example".into()],
        ..Options::default()
    })
    .await;
    for (header, value, expected) in [
        ("host", "laptop.lan", 403),
        ("host", "evil.example", 403),
        ("origin", "https://app.example", 403),
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://127.0.0.1:3000", 200),
    ] {
        let response = request(&server, "/inspect", &json!({})).header(header, value).send().await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{header}: {value}");
    }
}

#[tokio::test]
async fn a_connection_is_shown_with_its_identity_capability_modes_and_the_end_of_its_token() {
    let server = Server::start().await;
    let exp = now() / 1000 + 600;
    let capability = json!({"talk": ["publish", "presence"]}).to_string();
    let token = jwt(KEY, &json!({"exp": exp, "x-ably-capability": capability, "x-ably-clientId": "ann"}));
    let query = format!("access_token={token}&echo=false&agent=test-sdk%2F1.2");
    let (mut ann, connected) = server.connect_with(Format::Msgpack, &query).await;
    ann.attach("talk").await;
    let snapshot = look_at_app(&server, json!({"channel": "talk"})).await;
    let seat = json!({
        "channel": "talk",
        "params": {},
        "modes": ["presence", "publish"],
        "denied": ["subscribe", "presence_subscribe", "annotation_publish"],
        "subscribes": false,
    });
    let connection = &snapshot["app"]["connections"]["shown"][0];
    for (field, value) in [
        ("id", connected["connectionId"].clone()),
        ("clientId", "ann".into()),
        ("key", "AbCdEf.root".into()),
        ("agent", "test-sdk/1.2".into()),
        ("capability", json!({"talk": ["publish", "presence"]})),
        ("expires", (exp * 1000).into()),
        ("format", "application/x-msgpack".into()),
        ("echo", false.into()),
        ("page", false.into()),
        ("lost", Value::Null),
        ("received", 1.into()),
        ("sent", 2.into()),
        ("attached", json!({"total": 1, "shown": [seat]})),
    ] {
        assert_eq!(connection[field], value, "{field}: {connection}");
    }
    let attached = &snapshot["app"]["channel"]["attached"];
    assert_eq!(attached["total"], 1);
    assert_eq!(attached["shown"][0]["clientId"], "ann");
    assert_eq!(attached["shown"][0]["connectionId"], connected["connectionId"]);
    assert_eq!(attached["shown"][0]["denied"], seat["denied"]);

    ann.lose();
    let mut watch = Watch::open(&server, json!({"app": "AbCdEf"})).await;
    loop {
        let connections = watch.next().await["app"]["connections"].clone();
        if connections["lost"] == 1 {
            assert_eq!(connections["connected"], 0);
            let left = connections["shown"][0]["resumableFor"].as_i64().unwrap();
            assert!((1..=120_000).contains(&left), "{left}");
            return;
        }
    }
}

#[tokio::test]
async fn what_is_published_delivered_and_entered_is_counted_for_its_channel_and_app_alone() {
    let server = Server::start().await;
    let (mut one, _) = server.connect_with(Format::Json, &format!("key={KEY}&clientId=one")).await;
    let (mut two, _) = server.connect(Format::Json).await;
    one.attach("talk").await;
    two.attach("talk").await;
    one.publish("talk", 0, json!({"name": "a"})).await;
    server.post("/channels/talk/messages", &json!([{"name": "b"}, {"name": "c"}])).await;
    server.post("/channels/other/messages", &json!({"name": "d"})).await;
    one.presence("talk", 1, json!({"action": 2})).await;
    let snapshot = look_at_app(&server, json!({})).await;
    let channels = &snapshot["app"]["channels"];
    assert_eq!((&channels["total"], &channels["matching"]), (&json!(2), &json!(2)));
    let traffic = |of: &Value| {
        ["published", "delivered", "presence"].map(|field| of["traffic"][field].as_u64().unwrap())
    };
    assert_eq!((&channels["shown"][0]["name"], traffic(&channels["shown"][0])), (&json!("other"), [1, 0, 0]));
    assert_eq!((&channels["shown"][1]["name"], traffic(&channels["shown"][1])), (&json!("talk"), [3, 6, 1]));
    assert_eq!((&channels["shown"][1]["attached"], &channels["shown"][1]["members"]), (&json!(2), &json!(1)));
    assert_eq!(traffic(&snapshot["app"]), [4, 6, 1]);
    assert_eq!(snapshot["requests"], 2, "over REST");
    let other = look(&server, json!({"app": "GhIjKl"})).await;
    assert_eq!(traffic(&other["app"]), [0, 0, 0]);
    assert_eq!(other["apps"], json!(["AbCdEf", "GhIjKl"]));
}

#[tokio::test]
async fn a_refusal_is_told_once_with_code_reason_and_whom_it_met() {
    let server = Server::start().await;
    let mut watch = Watch::open(&server, json!({"app": "AbCdEf"})).await;
    let none = watch.next().await;
    assert_eq!(none["refusals"], json!({"total": 0, "shown": []}));

    let query = format!("key={SMALL_KEY}&clientId=ann");
    let (mut small, connected) = server.connect_with(Format::Json, &query).await;
    small.publish("news", 0, json!({"name": "x"})).await;
    small.send(json!({"action": 10, "channel": "secrets"})).await;
    small.expect(9).await;
    let mut stranger = server.open(Format::Json, "key=AbCdEf.root:sesame&clientId=eve&agent=thief").await;
    stranger.expect(9).await;
    server.anonymous(Method::GET, "/channels/talk/messages?key=AbCdEf.root:sesame").send().await.unwrap();
    let foreign = server.anonymous(Method::GET, "/time").header("origin", "https://evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    // What meets another app is no concern of this one.
    let (mut other, _) = server.connect_with(Format::Json, &format!("key={OTHER_KEY}")).await;
    other.publish(":", 0, json!({"name": "x"})).await;

    let mut news = Vec::new();
    while news.len() < 5 {
        news.extend(watch.next().await["refusals"]["shown"].as_array().unwrap().clone());
    }
    assert!(watch.next().await["refusals"]["shown"].as_array().unwrap().is_empty());
    let told = |index: usize, fields: &[&str]| {
        Value::from_iter(fields.iter().map(|field| ((*field).to_owned(), news[index][field].clone())))
    };
    let who = ["means", "code", "status", "app", "key", "connectionId", "clientId", "channel"];
    let small = |means: &str, channel: &str| {
        json!({
            "means": means, "code": 40160, "status": 401, "app": "AbCdEf", "key": "AbCdEf.small",
            "connectionId": connected["connectionId"], "clientId": "ann", "channel": channel,
        })
    };
    assert_eq!(told(0, &who), small("nack", "news"));
    assert_eq!(told(1, &who), small("error", "secrets"));
    assert_eq!(
        told(2, &["means", "code", "key", "clientId", "request"]),
        json!({"means": "connect", "code": 40101, "key": "AbCdEf.root", "clientId": "eve", "request": "thief"})
    );
    assert_eq!(
        told(3, &["means", "code", "request"]),
        json!({"means": "http", "code": 40101, "request": "GET /channels/talk/messages"})
    );
    assert_eq!(
        told(4, &["means", "code", "request"]),
        json!({"means": "http", "code": 40300, "request": "GET /time from https://evil.example"})
    );
    let all = serde_json::to_string(&news).unwrap();
    assert!(!all.contains("sesame") && !all.contains("another0123456789"), "{all}");
}

#[tokio::test]
async fn no_secret_is_ever_shown() {
    let server = Server::start().await;
    let (mut client, connected) = server.connect(Format::Json).await;
    client.attach("talk").await;
    let all = look_at_app(&server, json!({"channel": "talk"})).await.to_string();
    let connection_key = connected["connectionDetails"]["connectionKey"].as_str().unwrap();
    for secret in ["secret0123456789", "another0123456789", server.control_secret(), connection_key] {
        assert!(!all.contains(secret), "{all}");
    }
}

#[tokio::test]
async fn the_page_reads_by_a_token_that_may_do_nothing_else() {
    let server = Server::start().await;
    let query = format!("access_token={}&{PAGE}", token(&server, "AbCdEf").await);
    let (mut page, _) = server.connect_with(Format::Json, &query).await;
    page.attach("talk").await;
    server.post("/channels/talk/messages", &json!({"name": "x"})).await;
    assert_eq!(page.expect(15).await["messages"][0]["name"], "x");
    for answer in [
        page.publish("talk", 0, json!({"name": "y"})).await,
        page.presence("talk", 1, json!({"action": 2, "clientId": "page"})).await,
    ] {
        assert_eq!((&answer["action"], &answer["error"]["code"]), (&json!(2), &json!(40160)));
    }
    let (status, _) = answer(request(&server, "/inspect/token", &json!({"app": "nobody"}))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_page_is_marked_and_leaves_no_trace_in_what_others_see_and_in_the_rates() {
    let server = Server::start().await;
    let (mut client, _) = server.connect(Format::Json).await;
    client.attach_with(json!({"channel": "talk", "params": {"occupancy": "metrics"}})).await;
    client.expect(15).await;
    let query = format!("access_token={}&{PAGE}", token(&server, "AbCdEf").await);
    let (mut page, connected) = server.connect_with(Format::Json, &query).await;
    page.attach("talk").await;
    client.expect_nothing().await;
    server.post("/channels/talk/messages", &json!({"name": "x"})).await;
    let (_, status) = server.get("/channels/talk").await;
    assert_eq!(status["status"]["occupancy"]["metrics"]["subscribers"], 1);

    let snapshot = look_at_app(&server, json!({"channel": "talk"})).await;
    let connections = &snapshot["app"]["connections"];
    assert_eq!((&connections["connected"], &connections["lost"]), (&json!(1), &json!(0)));
    let marked = connections["shown"].as_array().unwrap().iter().filter(|shown| shown["page"] == true);
    let marked: Vec<_> = marked.map(|shown| &shown["id"]).collect();
    assert_eq!(marked, [&connected["connectionId"]]);
    let channel = &snapshot["app"]["channels"]["shown"][0];
    assert_eq!((&channel["attached"], &channel["traffic"]["delivered"]), (&json!(1), &json!(1)));
    let seats = snapshot["app"]["channel"]["attached"]["shown"].as_array().unwrap();
    assert_eq!(seats.iter().filter(|seat| seat["page"] == true).count(), 1);
}

#[tokio::test]
async fn what_is_shown_is_bounded_and_a_filter_finds_the_rest() {
    let server = Server::start().await;
    let specs: Vec<_> = (0..3)
        .map(|hundred| {
            let channels: Vec<_> = (0..100).map(|one| format!("many:{:03}", hundred * 100 + one)).collect();
            json!({"channels": channels, "messages": [{"name": "x"}]})
        })
        .collect();
    for spec in specs {
        assert_eq!(server.post("/messages", &spec).await.0, 201);
    }
    let channels = look_at_app(&server, json!({})).await["app"]["channels"].clone();
    assert_eq!((&channels["total"], &channels["matching"]), (&json!(300), &json!(300)));
    assert_eq!(channels["shown"].as_array().unwrap().len(), 200);
    let channels = look_at_app(&server, json!({"filter": "MANY:29"})).await["app"]["channels"].clone();
    assert_eq!((&channels["total"], &channels["matching"]), (&json!(300), &json!(10)));
    assert_eq!(channels["shown"][9]["name"], "many:299");
}

#[tokio::test]
async fn a_filter_finds_connections_by_what_is_known_of_them() {
    let server = Server::start().await;
    // Names so long that no random id holds one by chance.
    let query = format!("key={KEY}&clientId=Ann-of-the-filter&agent=sdk-number-one");
    let (mut ann, connected) = server.connect_with(Format::Json, &query).await;
    ann.attach("dispatch:7").await;
    let (_bob, _) = server.connect_with(Format::Json, &format!("key={SMALL_KEY}&clientId=bob")).await;
    let id = connected["connectionId"].as_str().unwrap();
    for filter in [id, "ann-of-the-filter", "SDK-number-one", "dispatch:7", "AbCdEf.root"] {
        let connections = look_at_app(&server, json!({"filter": filter})).await["app"]["connections"].clone();
        assert_eq!((&connections["connected"], &connections["matching"]), (&json!(2), &json!(1)), "{filter}");
        assert_eq!(connections["shown"][0]["id"], id, "{filter}");
    }
}

#[tokio::test]
async fn a_few_look_on_at_a_time_and_one_who_goes_makes_room() {
    let server = Server::start().await;
    let mut watching = Vec::new();
    for _ in 0..8 {
        let mut watch = Watch::open(&server, json!({})).await;
        watch.next().await;
        watching.push(watch);
    }
    let (status, body) = answer(request(&server, "/inspect", &json!({}))).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (429, &json!(42910)));
    watching.pop();
    let free = async {
        while request(&server, "/inspect", &json!({})).send().await.unwrap().status() != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, free).await.unwrap();
}

#[tokio::test]
async fn a_stream_ends_with_the_server() {
    let server = Server::start().await;
    let mut watch = Watch::open(&server, json!({})).await;
    watch.next().await;
    server.shutdown().await;
    while let Ok(Some(_)) = timeout(PATIENCE, watch.response.chunk()).await.unwrap() {}
}

#[tokio::test]
async fn the_parameters_of_an_attachment_are_shown() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect_with(Format::Json, &format!("key={KEY}")).await;
    socket
        .attach_with(json!({"channel": "talk", "params": {"delta": "vcdiff", "rewind": 5, "own": "x"}}))
        .await;
    let snapshot = look_at_app(&server, json!({"channel": "talk"})).await;
    let params = json!({"delta": "vcdiff", "rewind": "5"});
    assert_eq!(snapshot["app"]["channel"]["attached"]["shown"][0]["params"], params);
    assert_eq!(snapshot["app"]["connections"]["shown"][0]["attached"]["shown"][0]["params"], params);
}

#[tokio::test]
async fn the_limits_stand_in_the_snapshot_with_how_much_there_has_been() {
    let server = Server::with(Options { limits: Some(Plan::Free), ..Options::default() }).await;
    let (_one, _) = server.connect_with(Format::Json, &format!("key={KEY}")).await;
    // Of another app: the limits are those of all together.
    let (_other, _) = server.connect_with(Format::Json, &format!("key={OTHER_KEY}")).await;
    let _page = server.connect_with(Format::Json, &format!("key={KEY}&{PAGE}")).await;
    let snapshot = look_at_app(&server, json!({})).await;
    assert_eq!(snapshot["limits"]["plan"], "free");
    assert_eq!(snapshot["connected"], 2, "without the page's own");
    let metrics = snapshot["limits"]["metrics"].as_array().unwrap();
    let made = metrics.iter().find(|metric| metric["metric"] == "connections.maxRate").unwrap();
    assert_eq!((&made["refused"], &made["code"]), (&0.into(), &80021.into()));
    assert!(made["admitted"].as_u64() >= Some(2), "{made}");

    let unlimited = look(&Server::start().await, json!({})).await;
    assert_eq!(unlimited["limits"]["plan"], Value::Null);
    assert_eq!(unlimited["limits"]["metrics"], json!([]));
}
