use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, OTHER_KEY, Server, in_millis, jwt};

fn auth(token: &str) -> Value {
    json!({"action": 17, "auth": {"accessToken": token}})
}

#[tokio::test]
async fn at_its_expiry_a_token_disconnects_by_40142_and_another_resumes() {
    let server = Server::start().await;
    for format in BOTH {
        let token = jwt(KEY, &json!({"exp": in_millis(1_200)}));
        let (mut socket, first) = server.connect_with(format, &format!("access_token={token}")).await;
        assert_eq!(socket.expect_error(6).await, (40142, 401));
        assert_eq!(socket.expect_close().await, Some(1000));
        let key = first["connectionDetails"]["connectionKey"].as_str().unwrap();
        let token = jwt(KEY, &json!({}));
        let (_socket, second) =
            server.connect_with(format, &format!("access_token={token}&resume={key}")).await;
        assert_eq!(second["connectionId"], first["connectionId"]);
    }
}

#[tokio::test]
async fn a_client_is_asked_for_a_token_30_seconds_before_expiry() {
    let server = Server::start().await;
    for format in BOTH {
        let token = jwt(KEY, &json!({"exp": in_millis(31_000)}));
        let (mut socket, connected) = server.connect_with(format, &format!("access_token={token}")).await;
        let prompt = socket.expect(17).await;
        assert_eq!(prompt, json!({"action": 17}));
        socket.send(auth(&jwt(KEY, &json!({})))).await;
        let again = socket.expect(4).await;
        assert_eq!(again["connectionId"], connected["connectionId"]);
        assert_eq!(
            again["connectionDetails"]["connectionKey"], connected["connectionDetails"]["connectionKey"],
            "a re-authorisation never rotates the key"
        );
    }
}

#[tokio::test]
async fn a_token_that_lives_shorter_than_the_prompt_gets_none() {
    let server = Server::start().await;
    let token = jwt(KEY, &json!({"exp": in_millis(1_500)}));
    let (mut socket, _) = server.connect_with(Format::Json, &format!("access_token={token}")).await;
    socket.expect(6).await;
}

#[tokio::test]
async fn a_renewed_token_outlives_the_one_before() {
    let server = Server::start().await;
    let token = jwt(KEY, &json!({"exp": in_millis(1_000)}));
    let (mut socket, _) = server.connect_with(Format::Json, &format!("access_token={token}")).await;
    socket.send(auth(&jwt(KEY, &json!({})))).await;
    socket.expect(4).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    socket.expect_nothing().await;
}

#[tokio::test]
async fn a_smaller_capability_fails_channels_left_with_nothing_and_refuses_the_rest() {
    let server = Server::start().await;
    for format in BOTH {
        let able = |capability: Value| jwt(KEY, &json!({"x-ably-capability": capability.to_string()}));
        let before = json!({"a": ["subscribe", "publish"], "b": ["subscribe"]});
        let (mut socket, _) = server.connect_able(format, &before).await;
        socket.attach("a").await;
        socket.attach("b").await;
        socket.send(auth(&able(json!({"a": ["subscribe"]})))).await;
        socket.expect(4).await;
        let error = socket.expect(9).await;
        assert_eq!((&error["channel"], &error["error"]["code"]), (&json!("b"), &json!(40160)));
        assert_eq!(socket.publish("a", 0, json!({})).await["error"]["code"], 40160);
        server.post("/channels/b/messages", &json!({})).await;
        server.post("/channels/a/messages", &json!({"data": "still"})).await;
        assert_eq!(socket.expect(15).await["channel"], "a");
    }
}

#[tokio::test]
async fn a_larger_capability_counts_without_another_attach() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect_able(Format::Json, &json!({"a": ["publish"]})).await;
    socket.attach("a").await;
    server.post("/channels/a/messages", &json!({"data": "unseen"})).await;
    socket.send(auth(&jwt(KEY, &json!({})))).await;
    socket.expect(4).await;
    server.post("/channels/a/messages", &json!({"data": "seen"})).await;
    assert_eq!(socket.expect(15).await["messages"][0]["data"], "seen");
}

#[tokio::test]
async fn another_identity_or_app_is_40102_and_each_kind_of_bad_token_has_its_own_code() {
    let server = Server::start().await;
    for (token, error) in [
        (jwt(KEY, &json!({"x-ably-clientId": "y"})), (40102, 401)),
        (jwt(KEY, &json!({})), (40102, 401)),
        (jwt(OTHER_KEY, &json!({"x-ably-clientId": "x"})), (40102, 401)),
        (jwt("AbCdEf.root:wrong", &json!({"x-ably-clientId": "x"})), (40101, 401)),
        ("nonsense".to_owned(), (40101, 401)),
        ("AbCdEf.never.was.a.token".to_owned(), (40005, 400)),
        (jwt(KEY, &json!({"x-ably-clientId": "x", "exp": 1})), (40142, 401)),
    ] {
        let first = jwt(KEY, &json!({"x-ably-clientId": "x"}));
        let (mut socket, _) = server.connect_with(Format::Json, &format!("access_token={first}")).await;
        socket.send(auth(&token)).await;
        assert_eq!(socket.expect_error(9).await, error, "{token}");
        socket.expect_end().await;
    }
}

#[tokio::test]
async fn a_client_with_a_key_may_go_on_with_a_token() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Json).await;
    socket.send(auth(&jwt(KEY, &json!({})))).await;
    assert!(socket.expect(4).await["connectionDetails"].get("clientId").is_none());
    assert_eq!(socket.publish("a", 0, json!({"clientId": "x"})).await["error"]["code"], 40012);
}

#[tokio::test]
async fn refusals_have_the_words_of_ably_that_clients_match() {
    let server = Server::start().await;
    let says = |frame: &Value, text: &str| {
        let message = frame["error"]["message"].as_str().unwrap().to_lowercase();
        assert!(message.contains(text), "{frame}");
    };
    let (mut socket, _) = server.connect_able(Format::Json, &json!({"a": ["subscribe"]})).await;
    socket.attach("a").await;
    says(&socket.publish("a", 0, json!({})).await, "permission denied");
    socket.send(json!({"action": 10, "channel": "b"})).await;
    says(&socket.expect(9).await, "channel denied access");
    let capability = json!({"b": ["subscribe"]}).to_string();
    socket.send(auth(&jwt(KEY, &json!({"x-ably-capability": capability})))).await;
    socket.expect(4).await;
    says(&socket.expect(9).await, "channel denied access");
    for (token, text) in [
        (jwt("AbCdEf.root:wrong", &json!({})), "error verifying jwt; err = invalid signature"),
        (jwt("AbCdEf.root:wrong", &json!({})), "signature verification failed"),
        ("AbCdEf.never.was.a.token".to_owned(), "invalid accesstoken"),
        (jwt(KEY, &json!({"exp": 1})), "expire"),
    ] {
        let mut socket = server.open(Format::Json, &format!("access_token={token}")).await;
        says(&socket.expect(9).await, text);
    }
}

#[tokio::test]
async fn a_re_authorised_client_is_told_its_connection_as_at_first_and_stays_attached() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let token = || jwt(KEY, &json!({"x-ably-clientId": "x"}));
        let (mut socket, first) = server.connect_with(format, &format!("access_token={}", token())).await;
        socket.attach(channel).await;
        socket.presence(channel, 0, json!({"action": 2})).await;
        for _ in 0..2 {
            socket.send(auth(&token())).await;
            let again = loop {
                let frame = socket.receive().await;
                if frame["action"] != 14 {
                    break frame;
                }
            };
            assert_eq!(again, first, "CONNECTED, same id and same key");
        }
        server.post(&format!("/channels/{channel}/messages"), &json!({"data": "x"})).await;
        assert_eq!(socket.expect(15).await["messages"][0]["data"], "x");
        assert_eq!(server.get(&format!("/channels/{channel}/presence")).await.1.as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_was_asked_for_and_refused_is_allowed_as_soon_as_the_capability_grows() {
    let server = Server::start().await;
    let able = |operations: &[&str]| {
        jwt(KEY, &json!({"x-ably-clientId": "x", "x-ably-capability": json!({"a": operations}).to_string()}))
    };
    for format in BOTH {
        let query = format!("access_token={}", able(&["subscribe"]));
        let (mut socket, _) = server.connect_with(format, &query).await;
        socket.attach_with(json!({"channel": "a", "params": {"modes": "publish,presence,subscribe"}})).await;
        let mut serial = 0;
        for (operations, publishing, entering) in [
            (vec!["subscribe"], 40160, 40160),
            (vec!["subscribe", "publish"], 0, 40160),
            (vec!["subscribe", "presence"], 40160, 0),
            (vec!["*"], 0, 0),
            (vec!["history", "subscribe"], 40160, 40160),
        ] {
            socket.send(auth(&able(&operations))).await;
            while socket.receive().await["action"] != 4 {}
            let published = socket.publish("a", serial, json!({})).await;
            let entered = socket.presence("a", serial + 1, json!({"action": 2})).await;
            serial += 2;
            for (answer, code) in [(published, publishing), (entered, entering)] {
                assert_eq!(answer["error"]["code"].as_u64().unwrap_or(0), code, "{operations:?}");
                if code != 0 {
                    assert_eq!((&answer["error"]["statusCode"], &answer["count"]), (&json!(401), &json!(1)));
                }
            }
        }
    }
}

#[tokio::test]
async fn a_mode_that_was_never_asked_for_stays_40165_however_the_capability_grows() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect_able(format, &json!({"a": ["subscribe"]})).await;
        socket.attach_with(json!({"channel": "a", "flags": 1 << 18})).await;
        socket.send(auth(&jwt(KEY, &json!({})))).await;
        socket.expect(4).await;
        let nack = socket.publish("a", 0, json!({})).await;
        assert_eq!((&nack["error"]["code"], &nack["error"]["statusCode"]), (&json!(40165), &json!(401)));
    }
}

#[tokio::test]
async fn a_channel_left_with_nothing_fails_by_40160_and_its_members_leave() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut watcher, _) = server.connect(format).await;
        watcher.attach("a").await;
        let token =
            |capability: &str| jwt(KEY, &json!({"x-ably-clientId": "x", "x-ably-capability": capability}));
        let (mut socket, _) =
            server.connect_with(format, &format!("access_token={}", token(r#"{"*":["*"]}"#))).await;
        socket.attach("a").await;
        socket.presence("a", 0, json!({"action": 2})).await;
        assert_eq!(watcher.expect(14).await["presence"][0]["action"], 2);
        socket.send(auth(&token(r#"{"b":["subscribe"]}"#))).await;
        let error = loop {
            let frame = socket.receive().await;
            if frame["action"] == 9 {
                break frame;
            }
        };
        assert_eq!(
            (&error["channel"], &error["error"]["code"], &error["error"]["statusCode"]),
            (&json!("a"), &json!(40160), &json!(401))
        );
        assert_eq!(watcher.expect(14).await["presence"][0]["action"], 3);
        socket.attach("b").await;
    }
}

#[tokio::test]
async fn an_auth_frame_without_a_token_fails_the_connection_by_40101() {
    let server = Server::start().await;
    for format in BOTH {
        for frame in [
            json!({}),
            json!({"auth": null}),
            json!({"auth": {}}),
            json!({"auth": {"accessToken": null}}),
            json!({"auth": {"accessToken": ""}}),
        ] {
            let (mut socket, _) = server.connect(format).await;
            let mut frame = frame;
            frame["action"] = 17.into();
            socket.send(frame.clone()).await;
            assert_eq!(socket.expect_error(9).await, (40101, 401), "{frame}");
            socket.expect_end().await;
        }
    }
}

#[tokio::test]
async fn who_may_no_longer_subscribe_hears_nothing_until_allowed_again() {
    let server = Server::start().await;
    for format in BOTH {
        let able = |operation: &str| {
            jwt(KEY, &json!({"x-ably-capability": json!({"*": ["publish", operation]}).to_string()}))
        };
        let channel = format.name();
        let path = format!("/channels/{channel}/messages");
        let (mut socket, _) =
            server.connect_with(format, &format!("access_token={}", able("subscribe"))).await;
        socket.attach(channel).await;
        for (operation, heard) in [("history", false), ("subscribe", true)] {
            socket.send(auth(&able(operation))).await;
            socket.expect(4).await;
            server.post(&path, &json!({"data": operation})).await;
            if heard {
                assert_eq!(socket.expect(15).await["messages"][0]["data"], operation);
            }
            socket.expect_nothing().await;
        }
    }
}
