//! `POST /apps` and `DELETE /apps/{app}`, and what apps and keys have apart.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, OTHER_KEY, SMALL_KEY, Server, answer, answer_in, jwt};

pub(crate) async fn make(server: &Server, spec: &Value) -> Value {
    let (status, app) = answer_in(Format::Json, server.anonymous(Method::POST, "/apps"), spec).await;
    assert_eq!(status, 201, "{app}");
    app
}

pub(crate) fn key(app: &Value, index: usize) -> &str {
    app["keys"][index]["keyStr"].as_str().unwrap()
}

/// The code that a request of a key is refused with, or 0.
async fn refused(server: &Server, key: &str, method: Method, path: &str) -> u64 {
    let body = if method == Method::POST { "{}" } else { "" };
    answer(server.request_by(key, method, path).body(body)).await.1["error"]["code"].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn an_app_is_provisioned_shares_nothing_and_is_removed_with_its_connections() {
    let server = Server::start().await;
    let spec = json!({
        "keys": [{}, {"capability": r#"{"a":["subscribe"]}"#}, {"revocableTokens": true}],
        "namespaces": [{"id": "persisted", "persisted": true}],
        "channels": [{"name": "persisted:p", "presence": [{"clientId": "f", "data": "x", "encoding": "no/such"}]}],
    });
    let request = server.anonymous(Method::POST, "/apps").header("content-type", "application/json");
    let (status, app) = answer(request.body(spec.to_string())).await;
    assert_eq!(status, 201);
    assert_eq!((&app["tls"], &app["port"]), (&json!(false), &json!(server.port())));
    assert_eq!(app["namespaces"], spec["namespaces"]);
    let keys = app["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 3);
    for key in keys {
        let whole = format!("{}:{}", key["keyName"].as_str().unwrap(), key["keySecret"].as_str().unwrap());
        assert_eq!(key["keyStr"], whole);
    }
    assert_eq!(
        (&keys[0]["capability"], &keys[1]["capability"]),
        (&json!(r#"{"*":["*"]}"#), &json!(r#"{"a":["subscribe"]}"#))
    );

    let basic = |method, path: &str| {
        let name = keys[0]["keyName"].as_str().unwrap();
        server.anonymous(method, path).basic_auth(name, keys[0]["keySecret"].as_str())
    };
    let (_, members) = answer(basic(Method::GET, "/channels/persisted%3Ap/presence")).await;
    assert_eq!((&members[0]["clientId"], &members[0]["encoding"]), (&json!("f"), &json!("no/such")));
    server.post("/channels/a/messages", &json!({})).await;
    assert_eq!(answer(basic(Method::GET, "/channels/a/messages")).await.1, json!([]));

    let query = format!("key={}", keys[0]["keyStr"].as_str().unwrap());
    let (mut socket, _) = server.connect_with(Format::Json, &query).await;
    let path = format!("/apps/{}", app["appId"].as_str().unwrap());
    assert_eq!(answer(server.request(Method::DELETE, &path)).await.0, 403);
    assert_eq!(answer(basic(Method::DELETE, &path)).await.0, 204);
    assert_eq!(socket.expect_error(6).await, (40400, 404));
    socket.expect_end().await;
    assert_eq!(answer(basic(Method::GET, "/channels/a/messages")).await.0, 401);
}

#[tokio::test]
async fn an_app_is_answered_as_every_sdk_looks_for_it_in_both_formats() {
    let server = Server::start().await;
    for format in BOTH {
        let spec = json!({
            "keys": [{}, {"revocableTokens": true}],
            "namespaces": [{"id": "pushenabled", "pushEnabled": true}],
            "channels": [{"name": "persisted:presence_fixtures", "presence": [
                {"clientId": "client_string", "data": "This is a string clientData payload"},
                {"clientId": "client_encoded", "data": "HO4cYSP8LbPYBPZPHQOtuA==", "encoding": "json/utf-8/cipher+aes-128-cbc/base64"},
            ]}],
        });
        let (status, app) = answer_in(format, server.anonymous(Method::POST, "/apps"), &spec).await;
        assert_eq!(status, 201);
        assert!(app["appId"].is_string() && app["accountId"].is_string());
        assert_eq!((&app["namespaces"], &app["channels"]), (&spec["namespaces"], &spec["channels"]));
        for record in app["keys"].as_array().unwrap() {
            let name = format!("{}.{}", app["appId"].as_str().unwrap(), record["id"].as_str().unwrap());
            assert_eq!(record["keyName"], name);
            let whole = format!("{name}:{}", record["value"].as_str().unwrap());
            assert_eq!(
                record["keyStr"], whole,
                "value is the secret: clients put their keys together from it"
            );
            assert_eq!(record["capability"], r#"{"*":["*"]}"#, "a text");
        }
        let path = "/channels/persisted%3Apresence_fixtures/presence";
        for (path, action) in [(path.to_owned(), 1), (format!("{path}/history"), 2)] {
            let (_, members) = answer(server.request_by(key(&app, 0), Method::GET, &path)).await;
            let members = members.as_array().unwrap();
            assert_eq!(members.len(), 2);
            assert!(members.iter().all(|member| member["action"] == action));
            assert_eq!(members[0]["connectionId"], members[1]["connectionId"]);
            let encoded = members.iter().find(|member| member["clientId"] == "client_encoded").unwrap();
            assert_eq!(encoded["data"], "HO4cYSP8LbPYBPZPHQOtuA==", "untouched");
            assert_eq!(encoded["encoding"], "json/utf-8/cipher+aes-128-cbc/base64");
        }
    }
}

#[tokio::test]
async fn each_key_may_do_what_its_own_capability_says() {
    let server = Server::start().await;
    let app = make(&server, &json!({"keys": [
        {"capability": r#"{"a":["publish"]}"#}, {"capability": r#"{"a":["history"],"b":["publish"]}"#}, {},
    ]}))
    .await;
    for (index, method, path, code) in [
        (0, Method::POST, "/channels/a/messages", 0),
        (0, Method::GET, "/channels/a/messages", 40160),
        (0, Method::POST, "/channels/b/messages", 40160),
        (1, Method::GET, "/channels/a/messages", 0),
        (1, Method::POST, "/channels/a/messages", 40160),
        (1, Method::POST, "/channels/b/messages", 0),
        (2, Method::POST, "/channels/c/messages", 0),
    ] {
        assert_eq!(refused(&server, key(&app, index), method, path).await, code, "{index} {path}");
    }
    assert_eq!(refused(&server, SMALL_KEY, Method::POST, "/channels/talk:1/messages").await, 0);
    assert_eq!(refused(&server, SMALL_KEY, Method::POST, "/channels/news/messages").await, 40160);
}

#[tokio::test]
async fn the_keys_of_an_app_share_its_channels_and_other_apps_share_nothing() {
    let server = Server::start().await;
    let app = make(&server, &json!({"keys": [{}, {}]})).await;
    let (mut same, _) = server.connect_with(Format::Json, &format!("key={}", key(&app, 1))).await;
    let (mut other, _) = server.connect(Format::Json).await;
    for socket in [&mut same, &mut other] {
        socket.attach("a").await;
    }
    answer(server.request_by(key(&app, 0), Method::POST, "/channels/a/messages").body(r#"{"data":"x"}"#))
        .await;
    assert_eq!(same.expect(15).await["messages"][0]["data"], "x");
    other.expect_nothing().await;
    other.presence("a", 0, json!({"action": 2, "clientId": "c"})).await;
    let (_, members) = answer(server.request_by(key(&app, 0), Method::GET, "/channels/a/presence")).await;
    assert_eq!(members, json!([]));
    for path in ["/channels/a/messages", "/channels/a/presence"] {
        assert_eq!(answer(server.request_by(OTHER_KEY, Method::GET, path)).await.1, json!([]), "{path}");
    }
}

#[tokio::test]
async fn a_token_is_good_in_the_app_of_its_key_alone() {
    let server = Server::start().await;
    let app = make(&server, &json!({})).await;
    let (name, _) = key(&app, 0).split_once(':').unwrap();
    let forged = jwt(&format!("{name}:{}", KEY.split_once(':').unwrap().1), &json!({}));
    let request = server.anonymous(Method::GET, "/channels/a/messages").bearer_auth(forged);
    assert_eq!(answer(request).await.1["error"]["code"], 40144);
    let unknown = jwt("Unknown.key:secret", &json!({}));
    let request = server.anonymous(Method::GET, "/channels/a/messages").bearer_auth(unknown);
    let (status, body) = answer(request).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (404, &json!(40400)));
    let path = format!("/keys/{name}/requestToken");
    assert_eq!(refused(&server, KEY, Method::POST, &path).await, 40101);
    assert_eq!(refused(&server, key(&app, 0), Method::POST, &path).await, 0);
}

#[tokio::test]
async fn only_the_first_key_itself_removes_its_app() {
    let server = Server::start().await;
    let (app, other) = (make(&server, &json!({"keys": [{}, {}]})).await, make(&server, &json!({})).await);
    let path = format!("/apps/{}", app["appId"].as_str().unwrap());
    for (wrong, code) in [(key(&app, 1), 40300), (key(&other, 0), 40300), (KEY, 40300)] {
        assert_eq!(refused(&server, wrong, Method::DELETE, &path).await, code);
    }
    let token = jwt(key(&app, 0), &json!({}));
    let (status, _) = answer(server.anonymous(Method::DELETE, &path).bearer_auth(token)).await;
    assert_eq!(status, 403);
    assert_eq!(answer(server.anonymous(Method::DELETE, &path)).await.0, 401);
    assert_eq!(answer(server.request_by(key(&app, 0), Method::DELETE, &path)).await.0, 204);
    assert_eq!(answer(server.request_by(key(&app, 0), Method::DELETE, &path)).await.0, 401);
    assert_eq!(refused(&server, key(&other, 0), Method::GET, "/channels/a/messages").await, 0);
}

#[tokio::test]
async fn an_app_may_ask_for_more_or_fewer_members_of_a_channel_than_200() {
    let server = Server::start().await;
    for format in BOTH {
        for (limits, max) in [
            (json!({"presence": {"maxMembers": 250}}), 250),
            (json!({"presence": {"maxMembers": 3}}), 3),
            (json!({"presence": {}, "another": 1}), 200),
            (Value::Null, 200),
        ] {
            let app = make(&server, &json!({"limits": limits})).await;
            let (mut socket, _) = server.connect_with(format, &format!("key={}", key(&app, 0))).await;
            socket.attach("a").await;
            let members: Vec<_> =
                (0..max).map(|index| json!({"action": 2, "clientId": format!("c{index}")})).collect();
            socket.send(json!({"action": 14, "channel": "a", "msgSerial": 0, "presence": members})).await;
            assert_eq!(socket.answer().await["action"], 1);
            let error = &socket.presence("a", 1, json!({"action": 2, "clientId": "more"})).await["error"];
            assert_eq!((&error["code"], &error["statusCode"]), (&json!(91003), &json!(400)));
            let text = format!("maximum number of {max} members exceeded");
            assert!(error["message"].as_str().unwrap().ends_with(&text), "{error}");
            let path = "/channels/a/presence?limit=1000";
            let (_, present) = answer(server.request_by(key(&app, 0), Method::GET, path)).await;
            assert_eq!(present.as_array().unwrap().len(), max);
        }
    }
}

#[tokio::test]
async fn a_specification_that_makes_no_sense_or_is_too_much_makes_nothing() {
    let server = Server::start().await;
    let member = json!({"clientId": "c"});
    for (spec, status, code) in [
        (json!([]), 400, 40000),
        (json!("x"), 400, 40000),
        (json!({"keys": 1}), 400, 40000),
        (json!({"keys": [{"capability": "nonsense"}]}), 400, 40000),
        (json!({"keys": [{"capability": "{}"}]}), 400, 40000),
        (json!({"keys": [{"capability": json!({"x".repeat(17_000): ["publish"]}).to_string()}]}), 400, 40000),
        (json!({"keys": vec![json!({}); 101]}), 400, 40000),
        (json!({"namespaces": vec![json!({"id": "n"}); 101]}), 400, 40000),
        (json!({"channels": vec![json!({"name": "c"}); 1_001]}), 400, 40000),
        (json!({"channels": [{"name": "c", "presence": vec![&member; 1_001]}]}), 400, 40000),
        (json!({"channels": [{"name": ":bad"}]}), 400, 40010),
        (json!({"channels": [{"name": "c", "presence": [{"data": "x"}]}]}), 400, 40000),
        (json!({"limits": "x".repeat(257 << 10)}), 413, 40009),
        (json!({"limits": {"presence": {"maxMembers": 1_001}}}), 400, 40000),
        (json!({"limits": {"presence": {"maxMembers": -1}}}), 400, 40000),
    ] {
        let (answered, body) = answer_in(Format::Json, server.anonymous(Method::POST, "/apps"), &spec).await;
        assert_eq!((answered, &body["error"]["code"]), (status, &json!(code)), "{:.100}", spec.to_string());
    }
    make(&server, &json!({"keys": null, "namespaces": null, "channels": null, "limits": {}, "unknown": 1}))
        .await;
}

#[tokio::test]
async fn members_of_a_specification_are_synced_from_one_connection_with_their_data_as_each_format_has_it() {
    let server = Server::start().await;
    let cipher = json!({"clientId": "secret", "data": "HO4cYSP8LbPYBPZPHQOtuA==", "encoding": "json/utf-8/cipher+aes-128-cbc/base64"});
    let members = json!([{"clientId": "text", "data": "x"}, {"clientId": "json", "data": "{\"a\":1}", "encoding": "json"}, cipher]);
    let app = make(&server, &json!({"channels": [{"name": "persisted:p", "presence": members}]})).await;
    for format in BOTH {
        let (mut socket, _) = server.connect_with(format, &format!("key={}", key(&app, 0))).await;
        assert_eq!(socket.attach("persisted:p").await["flags"].as_u64().unwrap() & 1, 1);
        let sync = socket.expect(16).await;
        let synced = sync["presence"].as_array().unwrap();
        assert_eq!(synced.len(), 3);
        for (member, sent) in
            members.as_array().unwrap().iter().map(|sent| {
                (synced.iter().find(|member| member["clientId"] == sent["clientId"]).unwrap(), sent)
            })
        {
            assert_eq!((&member["action"], &member["connectionId"]), (&json!(1), &synced[0]["connectionId"]));
            assert!(member["id"].is_string() && member["timestamp"].is_i64());
            if sent["clientId"] == "secret" && format == Format::Msgpack {
                assert_eq!(member["encoding"], "json/utf-8/cipher+aes-128-cbc", "bytes are bytes");
                assert!(member["data"].get("$bin").is_some());
            } else {
                assert_eq!((&member["data"], member.get("encoding")), (&sent["data"], sent.get("encoding")));
            }
        }
    }
}
