use ably::{Key, TokenRequest};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, SMALL_KEY, Server, answer, answer_in, in_millis, jwt, now};

const PATH: &str = "/keys/AbCdEf.root/requestToken";

fn signed(change: impl FnOnce(&mut TokenRequest)) -> Value {
    let mut request = TokenRequest {
        key_name: "AbCdEf.root".into(),
        ttl: None,
        capability: None,
        client_id: Some("bob".into()),
        timestamp: now(),
        nonce: format!("nonce-{:016}", rand::random::<u64>()),
        mac: String::new(),
    };
    change(&mut request);
    serde_json::to_value(request.signed(&Key::parse(KEY).unwrap())).unwrap()
}

async fn ask(server: &Server, body: &Value) -> (u16, Value) {
    let request = server.anonymous(Method::POST, PATH).header("content-type", "application/json");
    let (status, body) = answer(request.body(body.to_string())).await;
    (status.as_u16(), body)
}

#[tokio::test]
async fn a_signed_request_is_exchanged_once_for_a_token_that_connects() {
    let server = Server::start().await;
    let request = signed(|request| request.ttl = Some(60_000));
    let (status, details) = ask(&server, &request).await;
    assert_eq!(status, 201);
    assert_eq!((&details["keyName"], &details["clientId"]), (&json!("AbCdEf.root"), &json!("bob")));
    assert_eq!(details["expires"].as_i64().unwrap() - details["issued"].as_i64().unwrap(), 60_000);
    assert_eq!(details["capability"], r#"{"[*]*":["*"]}"#);
    let (status, error) = ask(&server, &request).await;
    assert_eq!((status, &error["error"]["code"]), (401, &json!(40105)));
    for format in BOTH {
        let query = format!("access_token={}", details["token"].as_str().unwrap());
        let (_socket, connected) = server.connect_with(format, &query).await;
        assert_eq!(connected["connectionDetails"]["clientId"], "bob");
    }
}

#[tokio::test]
async fn requests_that_do_not_hold_are_refused_with_their_codes() {
    let server = Server::start().await;
    let mut forged = signed(|_| ());
    forged["clientId"] = json!("mallory");
    for (request, code, status) in [
        (forged, 40101, 401),
        (signed(|request| request.timestamp -= 121_000), 40104, 401),
        (signed(|request| request.ttl = Some(-1)), 40003, 400),
        (signed(|request| request.ttl = Some(86_400_001)), 40003, 400),
        (signed(|request| request.capability = Some("nonsense".into())), 40000, 400),
        (signed(|request| request.capability = Some("{}".into())), 40160, 401),
        (signed(|request| request.capability = Some(r#"{"a":[]}"#.into())), 40000, 400),
        (signed(|request| request.capability = Some(r#"{"a":["*","publish"]}"#.into())), 40000, 400),
        (signed(|request| request.nonce = "short".into()), 40000, 400),
        (signed(|request| request.nonce = "x".repeat(300)), 40000, 400),
        (signed(|request| request.timestamp += 121_000), 40104, 401),
        (signed(|request| request.client_id = Some("a\nb".into())), 40000, 400),
        (signed(|request| request.nonce = "0123456789abcdef\u{0}".into()), 40000, 400),
        (signed(|request| request.client_id = Some("x".repeat(3_000))), 40000, 400),
        (signed(|request| request.key_name = "AbCdEf.small".into()), 40101, 401),
        (json!({"ttl": "soon"}), 40003, 400),
        (json!({"clientId": 7}), 40000, 400),
        (json!({"timestamp": "noon"}), 40000, 400),
        (json!([]), 40000, 400),
        (json!("x"), 40000, 400),
        (json!({}), 40101, 401),
    ] {
        let (answered, body) = ask(&server, &request).await;
        assert_eq!((answered, body["error"]["code"].as_u64()), (status, Some(code)), "{request}");
    }
    let (status, body) = server.post("/keys/AbCdEf.nokey/requestToken", &json!({})).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (404, &json!(40400)));
}

#[tokio::test]
async fn with_the_key_itself_no_signature_is_needed_and_the_capability_is_intersected() {
    let server = Server::start().await;
    let (status, details) =
        server.post(PATH, &json!({"capability": r#"{"a":["subscribe","publish"]}"#})).await;
    assert_eq!(status, 201);
    assert_eq!(details["capability"], r#"{"a":["subscribe","publish"]}"#, "in the order asked for");
    assert!(details.get("clientId").is_none());
    let small = |body: Value| {
        let (name, secret) = SMALL_KEY.split_once(':').unwrap();
        answer(
            server
                .anonymous(Method::POST, "/keys/AbCdEf.small/requestToken")
                .basic_auth(name, Some(secret))
                .header("content-type", "application/json")
                .body(body.to_string()),
        )
    };
    let (_, details) = small(json!({"capability": r#"{"talk:1":["subscribe","history"]}"#})).await;
    assert_eq!(details["capability"], r#"{"talk:1":["subscribe"]}"#);
    let (status, error) = small(json!({"capability": r#"{"other":["subscribe"]}"#})).await;
    assert_eq!((status.as_u16(), &error["error"]["code"]), (401, &json!(40160)));
}

#[tokio::test]
async fn operations_keep_the_order_asked_for_where_several_resources_of_the_key_meet_one() {
    let server = Server::start().await;
    let key = json!({"keys": [{"capability": r#"{"a:*":["publish"],"a:b":["presence","publish"]}"#}]});
    let (status, app) = server.post("/apps", &key).await;
    assert_eq!(status, 201);
    let key = app["keys"][0]["keyStr"].as_str().unwrap();
    let path = format!("/keys/{}/requestToken", app["keys"][0]["keyName"].as_str().unwrap());
    let ask = |capability: &str| {
        let body = json!({ "capability": capability }).to_string();
        answer(
            server.request_by(key, Method::POST, &path).header("content-type", "application/json").body(body),
        )
    };
    for capability in [
        r#"{"a:*":["publish"],"a:b":["presence","publish"]}"#,
        r#"{"a:*":["publish"],"a:b":["publish","presence"]}"#,
    ] {
        let (status, details) = ask(capability).await;
        assert_eq!((status.as_u16(), &details["capability"]), (201, &json!(capability)));
    }
    let (_, details) = ask(r#"{"*":["*"]}"#).await;
    assert_eq!(
        details["capability"], r#"{"a:*":["publish"],"a:b":["presence","publish"]}"#,
        "the key's order"
    );
}

#[tokio::test]
async fn another_key_or_a_token_cannot_issue_unsigned() {
    let server = Server::start().await;
    let (status, body) = server.post("/keys/AbCdEf.small/requestToken", &json!({})).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (401, &json!(40101)));
    let request = server.anonymous(Method::POST, PATH).bearer_auth(jwt(KEY, &json!({})));
    let (status, body) = answer(request.body("{}")).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (401, &json!(40162)));
}

#[tokio::test]
async fn a_ttl_of_one_millisecond_really_expires() {
    let server = Server::start().await;
    let (_, details) = server.post(PATH, &json!({"ttl": 1})).await;
    let token = details["token"].as_str().unwrap();
    while now() < details["expires"].as_i64().unwrap() {
        tokio::task::yield_now().await;
    }
    let (status, body) =
        answer(server.anonymous(Method::GET, "/channels/a/messages").bearer_auth(token)).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (401, &json!(40142)));
}

#[tokio::test]
async fn a_jwt_is_taken_over_rest_as_it_is_and_in_base64() {
    use base64::Engine;
    let server = Server::start().await;
    let token = jwt(KEY, &json!({"iat": in_millis(-1_500), "exp": in_millis(20_000)}));
    let encoded = base64::engine::general_purpose::STANDARD.encode(&token);
    for bearer in [&token, &encoded] {
        let (status, _) =
            answer(server.anonymous(Method::GET, "/channels/a/messages").bearer_auth(bearer)).await;
        assert_eq!(status, 200);
    }
    let path = format!("/channels/a/messages?accessToken={token}");
    assert_eq!(answer(server.anonymous(Method::GET, &path)).await.0, 200);
}

#[tokio::test]
async fn a_tokens_capability_is_cut_to_its_keys() {
    let server = Server::start().await;
    let all = jwt(SMALL_KEY, &json!({"x-ably-capability": r#"{"*":["*"]}"#}));
    let (mut socket, _) = server.connect_with(Format::Json, &format!("access_token={all}")).await;
    socket.attach("news").await;
    assert_eq!(socket.publish("news", 0, json!({})).await["error"]["code"], 40160);
    let nothing = jwt(SMALL_KEY, &json!({"x-ably-capability": r#"{"other":["*"]}"#}));
    let mut socket = server.open(Format::Json, &format!("access_token={nothing}")).await;
    assert_eq!(socket.expect_error(9).await, (40160, 401));
}

/// Another one's JWT around a token. Nobody here can check its signature.
fn foreign_jwt(header: &Value, claims: &Value) -> String {
    use base64::Engine;
    let encode = |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2lnbmVkIGVsc2V3aGVyZQ", encode(header), encode(claims))
}

#[tokio::test]
async fn a_foreign_jwt_may_carry_a_token_in_its_header_or_among_its_claims() {
    let server = Server::start().await;
    let (_, details) = server.post(PATH, &json!({"clientId": "bob", "ttl": 120_000})).await;
    let issued = details["token"].as_str().unwrap().to_owned();
    let signed = jwt(KEY, &json!({"x-ably-clientId": "bob"}));
    let exp = in_millis(60_000);
    for carried in [issued, signed] {
        let encrypted = foreign_jwt(&json!({"alg": "dir", "x-ably-token": &carried}), &json!({}));
        for token in [
            foreign_jwt(&json!({"alg": "HS256", "x-ably-token": &carried}), &json!({ "exp": exp })),
            foreign_jwt(&json!({"alg": "RS256"}), &json!({"exp": exp, "x-ably-token": &carried})),
            format!("{encrypted}.aXY.dGFn"),
        ] {
            let path = "/channels/a/messages";
            assert_eq!(
                answer(server.anonymous(Method::GET, path).bearer_auth(&token)).await.0,
                200,
                "{token}"
            );
            for format in BOTH {
                let (_socket, connected) =
                    server.connect_with(format, &format!("access_token={token}")).await;
                assert_eq!(connected["connectionDetails"]["clientId"], "bob");
            }
        }
    }
}

#[tokio::test]
async fn a_foreign_jwt_ends_no_later_than_the_token_that_it_carries() {
    let server = Server::start().await;
    let (_, details) = server.post(PATH, &json!({"ttl": 60_000})).await;
    let header = json!({"alg": "HS256", "x-ably-token": details["token"]});
    for (claims, code) in [
        (json!({"exp": in_millis(120_000)}), 40144),
        (json!({"exp": in_millis(-1_000)}), 40142),
        (json!({"exp": "soon"}), 40144),
    ] {
        let token = foreign_jwt(&header, &claims);
        let mut socket = server.open(Format::Json, &format!("access_token={token}")).await;
        assert_eq!(socket.expect_error(9).await, (code, 401), "{claims}");
    }
    let token = foreign_jwt(&header, &json!({"exp": in_millis(1_500)}));
    let (mut socket, _) = server.connect_with(Format::Json, &format!("access_token={token}")).await;
    assert_eq!(socket.expect_error(6).await, (40142, 401));
    let nothing = foreign_jwt(&json!({"alg": "HS256", "x-ably-token": "nonsense"}), &json!({}));
    let mut socket = server.open(Format::Json, &format!("access_token={nothing}")).await;
    assert_eq!(socket.expect_error(9).await, (40101, 401));
}

#[tokio::test]
async fn a_signed_request_is_taken_in_both_formats_and_its_timestamp_may_be_text() {
    let server = Server::start().await;
    for format in BOTH {
        for as_text in [false, true] {
            let mut request = signed(|request| {
                request.ttl = Some(1_000);
                request.capability = Some(r#"{"b":["subscribe","publish"], "a":["history"]}"#.into());
            });
            if as_text {
                request["timestamp"] = request["timestamp"].to_string().into();
            }
            let (status, details) = answer_in(format, server.anonymous(Method::POST, PATH), &request).await;
            assert_eq!(status, 201, "{details}");
            let capability: Value = serde_json::from_str(details["capability"].as_str().unwrap()).unwrap();
            assert_eq!(capability, json!({"a": ["history"], "b": ["subscribe", "publish"]}));
            let (status, again) = answer_in(format, server.anonymous(Method::POST, PATH), &request).await;
            assert_eq!((status, &again["error"]["code"]), (401, &json!(40105)), "a nonce serves once");
        }
    }
}
