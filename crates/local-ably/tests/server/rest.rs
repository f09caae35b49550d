use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{BOTH, Format, KEY, OTHER_KEY, Server, answer, answer_in, bin, fields, jwt, now};

#[tokio::test]
async fn time_is_an_array_of_milliseconds_without_credentials() {
    let server = Server::start().await;
    let before = now();
    let (status, body) = answer(server.anonymous(Method::GET, "/time")).await;
    assert_eq!(status, 200);
    assert!((before..=now()).contains(&body[0].as_i64().unwrap()));
}

#[tokio::test]
async fn answers_have_the_format_and_exactly_the_content_type_asked_for() {
    let server = Server::start().await;
    for format in BOTH {
        for (path, status) in [("/time", 200), ("/channels/a/messages", 200), ("/nowhere", 404)] {
            let response =
                server.request(Method::GET, path).header("accept", format.media_type()).send().await.unwrap();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers()["content-type"], format.media_type());
            let body = format.read(&response.bytes().await.unwrap());
            let message = body["error"]["message"].as_str().unwrap_or_default();
            assert!(status != 404 || message.starts_with("Could not find"), "{message}");
        }
    }
    let both = "application/x-msgpack, application/json";
    let response = server.request(Method::GET, "/time").header("accept", both).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/x-msgpack");
}

#[tokio::test]
async fn an_error_has_ablys_body_and_headers() {
    let server = Server::start().await;
    for format in BOTH {
        let request =
            server.anonymous(Method::GET, "/channels/a/messages").header("accept", format.media_type());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["x-ably-errorcode"], "40101");
        assert!(response.headers().contains_key("x-ably-errormessage"));
        let body = format.read(&response.bytes().await.unwrap());
        assert_eq!((&body["error"]["code"], &body["error"]["statusCode"]), (&json!(40101), &json!(401)));
        assert_eq!(body["error"]["href"], "https://help.ably.io/error/40101");
        assert!(body["error"]["message"].is_string());
    }
    let (status, body) = answer(server.anonymous(Method::PATCH, "/time")).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (405, &json!(40500)));
    let (status, body) = server.get("/no/such/path").await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (404, &json!(40400)));
    assert!(body["error"]["message"].as_str().unwrap().contains("Could not find path"));
}

#[tokio::test]
async fn an_unauthorised_answer_says_whether_another_token_would_do() {
    let server = Server::start().await;
    for (token, code, stale) in [
        (jwt(KEY, &json!({"exp": 1})), "40142", true),
        ("AbCdEf.unheard-of".to_owned(), "40143", true),
        (jwt("AbCdEf.root:wrong", &json!({})), "40144", false),
        (jwt(KEY, &json!({"x-ably-capability": r#"{"b":["*"]}"#})), "40160", false),
    ] {
        let request = server.anonymous(Method::GET, "/channels/a/messages").bearer_auth(token);
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["x-ably-errorcode"]),
            (401, &code.parse().unwrap())
        );
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        assert!(
            challenge.starts_with("X-Ably-Token "),
            "no scheme that makes a browser ask for a password: {challenge}"
        );
        assert_eq!(challenge.contains("stale"), stale, "{code}: {challenge}");
    }
    let refused = server.request(Method::GET, "/channels/a/messages?limit=0").send().await.unwrap();
    assert_eq!(refused.status(), 400);
    assert!(!refused.headers().contains_key("www-authenticate"));
}

#[tokio::test]
async fn names_of_headers_begin_with_capitals_as_in_ablys_answers() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    let authorization = STANDARD.encode(KEY);
    let request = format!(
        "GET /channels/a/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {authorization}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    for header in ["Content-Type: application/json\r\n", "Link: <./messages?"] {
        assert!(answer.contains(header), "{answer}");
    }
}

#[tokio::test]
async fn a_key_that_is_not_there_is_not_found_whatever_the_method() {
    let server = Server::start().await;
    for word in ["requestToken", "revokeTokens"] {
        for (key, status, code) in
            [("AbCdEf.nokey", 404, 40400), ("nonsense", 404, 40400), ("AbCdEf.root", 405, 40500)]
        {
            let (answered, body) = answer(server.request(Method::GET, &format!("/keys/{key}/{word}"))).await;
            assert_eq!((answered.as_u16(), &body["error"]["code"]), (status, &json!(code)), "{key} {word}");
        }
    }
}

#[tokio::test]
async fn the_time_lies_between_what_was_done_before_and_what_is_done_after() {
    let server = Server::start().await;
    let publish = || async {
        let request = server.request(Method::POST, "/channels/a/messages");
        assert_eq!(answer(request.header("content-type", "application/json").body("{}")).await.0, 201);
    };
    let mut bounds = Vec::new();
    for _ in 0..20 {
        publish().await;
        bounds.push(server.get("/time").await.1[0].as_i64().unwrap());
    }
    publish().await;
    let (_, history) = server.get("/channels/a/messages?direction=forwards").await;
    let sent: Vec<_> =
        history.as_array().unwrap().iter().map(|message| message["timestamp"].as_i64().unwrap()).collect();
    for (bound, around) in bounds.iter().zip(sent.windows(2)) {
        assert!(around[0] < *bound && *bound < around[1], "{bound} {around:?}");
    }
}

#[tokio::test]
async fn one_message_and_an_array_are_published_in_both_formats() {
    let server = Server::start().await;
    let (mut reader, _) = server.connect(Format::Json).await;
    reader.attach("a:b").await;
    for format in BOTH {
        for body in [json!({"name": "n", "data": "1"}), json!([{"name": "n", "data": "1"}, {"data": "2"}])] {
            let request = server
                .request(Method::POST, "/channels/a%3Ab/messages")
                .header("content-type", format.media_type())
                .header("accept", format.media_type());
            let response = request.body(format.write(&body)).send().await.unwrap();
            assert_eq!(response.status(), 201);
            let published = format.read(&response.bytes().await.unwrap());
            let frame = reader.expect(15).await;
            assert_eq!(published["channel"], "a:b");
            assert_eq!(published["messageId"], frame["id"]);
            let count = published["serials"].as_array().unwrap().len();
            assert_eq!(count, body.as_array().map_or(1, Vec::len));
            for (index, message) in frame["messages"].as_array().unwrap().iter().enumerate() {
                assert_eq!(message["serial"], published["serials"][index]);
                assert_eq!(message["id"], format!("{}:{index}", frame["id"].as_str().unwrap()));
                assert!(message.get("connectionId").is_none());
            }
        }
    }
}

#[tokio::test]
async fn raw_data_becomes_json_text_and_bytes_stay_bytes() {
    let server = Server::start().await;
    server.post("/channels/a/messages", &json!({"data": {"a": [1, null]}})).await;
    let request =
        server.request(Method::POST, "/channels/a/messages").header("content-type", "application/x-msgpack");
    let body = Format::Msgpack.write(&json!({"data": bin(&[0, 255])}));
    assert_eq!(request.body(body).send().await.unwrap().status(), 201);
    let (_, history) = server.get("/channels/a/history").await;
    assert_eq!((&history[0]["data"], &history[0]["encoding"]), (&json!("AP8="), &json!("base64")));
    assert_eq!((&history[1]["data"], &history[1]["encoding"]), (&json!("{\"a\":[1,null]}"), &json!("json")));
}

#[tokio::test]
async fn a_publish_sent_again_is_answered_the_same_and_delivered_once() {
    let server = Server::start().await;
    let one = json!({"id": "any id", "data": "1"});
    let array = json!([{"id": "b:0"}, {"id": "b:1"}]);
    for body in [one, array] {
        let first = server.post("/channels/a/messages", &body).await;
        assert_eq!(first.0, 201);
        assert_eq!(server.post("/channels/a/messages", &body).await, first);
    }
    assert_eq!(server.get("/channels/a/messages").await.1.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_bad_publish_is_refused_whole() {
    let server = Server::start().await;
    for (body, code) in [
        (json!([{"id": "b:0"}, {"id": "c:1"}]), 40031),
        (json!([{"id": "b:0"}, {}]), 40031),
        (json!([{"data": "x".repeat(40_000)}, {"data": "x".repeat(40_000)}]), 40009),
        (json!([]), 40000),
        (json!("text"), 40000),
        (json!({"name": 7}), 40000),
        (json!({"clientId": "*"}), 40012),
        (json!({"connectionKey": "no!key"}), 40006),
    ] {
        let (status, answer) = server.post("/channels/a/messages", &body).await;
        assert_eq!((status.as_u16(), &answer["error"]["code"]), (400, &json!(code)), "{body}");
    }
    let (status, answer) = server.post("/channels/%3Aa/messages", &json!({})).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (400, &json!(40010)));
    assert_eq!(server.get("/channels/a/messages").await.1, json!([]));
}

#[tokio::test]
async fn a_body_that_is_too_long_or_of_another_type_is_refused() {
    let server = Server::start().await;
    let request = server.request(Method::POST, "/channels/a/messages");
    let (status, body) = answer(request.body(vec![b' '; (2 << 20) + 1])).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (413, &json!(40009)));
    let request = server.request(Method::POST, "/channels/a/messages").header("content-type", "text/plain");
    let (status, body) = answer(request.body("{}")).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (400, &json!(40000)));
}

#[tokio::test]
async fn a_publisher_by_rest_is_stamped_and_checked() {
    let server = Server::start().await;
    let publish = |request: reqwest::RequestBuilder, body: Value| {
        answer(request.header("content-type", "application/json").body(body.to_string()))
    };
    let by_key = || server.request(Method::POST, "/channels/a/messages");
    let header = STANDARD.encode("rest");
    assert_eq!(publish(by_key().header("x-ably-clientid", &header), json!({})).await.0, 201);
    let token = jwt(KEY, &json!({"x-ably-clientId": "x"}));
    let by_token = || server.anonymous(Method::POST, "/channels/a/messages").bearer_auth(&token);
    assert_eq!(publish(by_token(), json!({})).await.0, 201);
    let (status, body) = publish(by_token(), json!({"clientId": "y"})).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (400, &json!(40012)));
    let (status, body) = publish(by_token().header("x-ably-clientid", &header), json!({})).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (401, &json!(40102)));
    let (_, history) = server.get("/channels/a/messages?direction=forwards").await;
    assert_eq!((&history[0]["clientId"], &history[1]["clientId"]), (&json!("rest"), &json!("x")));
}

#[tokio::test]
async fn a_connection_key_publishes_for_that_connection() {
    let server = Server::start().await;
    let (_socket, connected) = server.connect(Format::Json).await;
    let key = &connected["connectionDetails"]["connectionKey"];
    server.post("/channels/a/messages", &json!({"connectionKey": key})).await;
    let (_, history) = server.get("/channels/a/messages").await;
    assert_eq!(history[0]["connectionId"], connected["connectionId"]);
    assert!(history[0].get("connectionKey").is_none());
}

#[tokio::test]
async fn each_endpoint_needs_its_own_operation() {
    let server = Server::start().await;
    let endpoints = [
        (Method::POST, "/channels/a/messages", "publish", 201),
        (Method::GET, "/channels/a/messages", "history", 200),
        (Method::GET, "/channels/a/history", "history", 200),
        (Method::GET, "/channels/a/presence", "subscribe", 200),
        (Method::GET, "/channels/a/presence/history", "history", 200),
        (Method::GET, "/stats", "stats", 200),
        (Method::GET, "/channels/a", "channel-metadata", 200),
    ];
    for (method, path, operation, status) in endpoints {
        for granted in ["publish", "history", "subscribe", "channel-metadata", "presence", "stats"] {
            let token = jwt(KEY, &json!({"x-ably-capability": json!({"a": [granted]}).to_string()}));
            let request = server.anonymous(method.clone(), path).bearer_auth(token);
            let body = if method == Method::POST { "{}" } else { "" };
            let (answered, body) = answer(request.body(body)).await;
            if granted == operation {
                assert_eq!(answered.as_u16(), status, "{path} with {granted}");
            } else {
                assert_eq!(
                    (answered.as_u16(), &body["error"]["code"]),
                    (401, &json!(40160)),
                    "{path} {granted}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_channels_status_counts_who_is_there() {
    let server = Server::start().await;
    let (status, body) = server.get("/channels/a").await;
    assert_eq!((status.as_u16(), &body["status"]["isActive"]), (200, &json!(true)), "by being asked for");
    assert_eq!(body["status"]["occupancy"]["metrics"]["connections"], 0);
    let (mut socket, _) = server.connect(Format::Json).await;
    socket.attach("a").await;
    let (_, body) = server.get("/channels/a").await;
    assert_eq!((&body["channelId"], &body["name"]), (&json!("a"), &json!("a")));
    assert_eq!(body["status"]["isActive"], true);
    let metrics = &body["status"]["occupancy"]["metrics"];
    assert_eq!((&metrics["connections"], &metrics["presenceMembers"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn a_publish_is_answered_by_channel_message_id_and_serials_alone() {
    let server = Server::start().await;
    for format in BOTH {
        for (body, id) in [
            (json!({"data": "1"}), None),
            (json!([{"data": "1"}]), None),
            (json!({"id": format!("{}-own", format.name())}), Some(format!("{}-own", format.name()))),
            (
                json!([{"id": format!("{}:0", format.name())}, {"id": format!("{}:1", format.name())}]),
                Some(format.name().into()),
            ),
        ] {
            let (status, published) = server.post_in(format, "/channels/a%3Ab/messages", &body).await;
            assert_eq!((status, fields(&published)), (201, vec!["channel", "messageId", "serials"]));
            assert_eq!(published["channel"], "a:b");
            if let Some(id) = id {
                assert_eq!(published["messageId"], id);
            }
        }
    }
}

#[tokio::test]
async fn what_rest_publishes_is_of_no_connection_and_the_history_tells_it_as_it_went_live() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut reader, _) = server.connect(format).await;
        reader.attach(channel).await;
        let path = format!("/channels/{channel}/messages");
        server.post_in(format, &path, &json!({"name": "n", "data": "d", "clientId": "c"})).await;
        let frame = reader.expect(15).await;
        assert_eq!(fields(&frame), ["action", "channel", "channelSerial", "id", "messages", "timestamp"]);
        assert!(!frame["id"].as_str().unwrap().is_empty());
        for path in [path.clone(), format!("/channels/{channel}/history")] {
            let (status, history) = server.get_in(format, &path).await;
            assert_eq!((status, &history), (200, &frame["messages"]), "{path}");
        }
    }
}

#[tokio::test]
async fn what_browsers_add_to_a_query_is_ignored() {
    let server = Server::start().await;
    for format in BOTH {
        let request = server.request(Method::POST, "/channels/a/messages?rnd=0123&envelope=json&unknown=1");
        let (status, published) = answer_in(format, request, &json!({"data": "x"})).await;
        assert_eq!(
            (status, fields(&published)),
            (201, vec!["channel", "messageId", "serials"]),
            "no envelope"
        );
        let (status, history) = server.get_in(format, "/channels/a/messages?rnd=1&envelope=json").await;
        assert!(status == 200 && history.is_array());
    }
}

#[tokio::test]
async fn a_channels_status_has_exactly_ablys_shape() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect_with(format, &format!("key={KEY}&clientId=c")).await;
        let channel = format!("a:{}", format.name());
        socket.attach(&channel).await;
        socket.presence(&channel, 0, json!({"action": 2})).await;
        let (mut reader, _) = server.connect(format).await;
        reader.attach_with(json!({"channel": channel, "params": {"modes": "subscribe"}})).await;
        let (status, body) = server.get_in(format, &format!("/channels/a%3A{}", format.name())).await;
        assert_eq!(status, 200);
        let metrics = json!({
            "connections": 2, "publishers": 1, "subscribers": 2, "presenceConnections": 1, "presenceMembers": 1,
            "presenceSubscribers": 1,
        });
        let status = json!({"isActive": true, "occupancy": {"metrics": metrics}});
        assert_eq!(body, json!({"channelId": channel, "name": channel, "status": status}));
    }
}

#[tokio::test]
async fn a_connection_key_that_is_not_known_in_the_app_is_40006_and_nothing_is_stored() {
    let server = Server::start().await;
    let (_elsewhere, other) = server.connect_with(Format::Json, &format!("key={OTHER_KEY}")).await;
    let (mut closed, gone) = server.connect(Format::Json).await;
    closed.send(json!({"action": 7})).await;
    closed.expect(8).await;
    for format in BOTH {
        for key in [
            json!("nonsense"),
            json!("a!b"),
            other["connectionDetails"]["connectionKey"].clone(),
            gone["connectionDetails"]["connectionKey"].clone(),
        ] {
            let body = json!({"data": "x", "connectionKey": key});
            let (status, body) = server.post_in(format, "/channels/a/messages", &body).await;
            assert_eq!(
                (status, &body["error"]["code"], &body["error"]["statusCode"]),
                (400, &json!(40006), &json!(400))
            );
        }
        assert_eq!(server.get("/channels/a/messages").await.1, json!([]));
    }
}

#[tokio::test]
async fn a_connection_key_makes_the_publish_the_connections_own() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut deaf, connected) = server.connect_with(format, &format!("key={KEY}&echo=false")).await;
        let (mut reader, _) = server.connect(format).await;
        deaf.attach(channel).await;
        reader.attach(channel).await;
        let body = json!({"data": "x", "connectionKey": connected["connectionDetails"]["connectionKey"]});
        assert_eq!(server.post_in(format, &format!("/channels/{channel}/messages"), &body).await.0, 201);
        let frame = reader.expect(15).await;
        assert_eq!(
            (&frame["connectionId"], &frame["messages"][0]["connectionId"]),
            (&connected["connectionId"], &connected["connectionId"])
        );
        assert!(frame["messages"][0].get("connectionKey").is_none());
        deaf.expect_nothing().await;
    }
}
