//! `POST /keys/{key}/revokeTokens`.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{
    BOTH, Format, KEY, OTHER_KEY, REVOCABLE_KEY, Server, Socket, answer, answer_in, jwt, now,
};

const PATH: &str = "/keys/AbCdEf.revocable/revokeTokens";

fn revoker(server: &Server) -> RequestBuilder {
    server.request_by(REVOCABLE_KEY, Method::POST, PATH)
}

async fn revoke(server: &Server, body: &Value) -> Value {
    let (status, body) = answer_in(Format::Json, revoker(server), body).await;
    assert_eq!(status, 201, "{body}");
    body
}

/// The code that a token is refused with over REST, or 0.
async fn refused(server: &Server, token: &str) -> u64 {
    let request = server.anonymous(Method::GET, "/channels/a/messages").bearer_auth(token);
    answer(request).await.1["error"]["code"].as_u64().unwrap_or(0)
}

fn token(claims: &Value) -> String {
    jwt(REVOCABLE_KEY, claims)
}

async fn connect(server: &Server, format: Format, token: &str) -> Socket {
    server.connect_with(format, &format!("access_token={token}")).await.0
}

#[tokio::test]
async fn live_connections_are_cut_by_40141_within_a_second_by_client_id_and_by_revocation_key() {
    for format in BOTH {
        let server = Server::start().await;
        let by_client = token(&json!({"x-ably-clientId": "x"}));
        let by_key = token(&json!({"x-ably-clientId": "y", "x-ably-revocation-key": "job:7"}));
        let mut cut = [connect(&server, format, &by_client).await, connect(&server, format, &by_key).await];
        let stays = [
            token(&json!({"x-ably-clientId": "job:7", "x-ably-revocation-key": "x"})),
            token(&json!({})),
            jwt(KEY, &json!({"x-ably-clientId": "x"})),
        ];
        let mut left = Vec::new();
        for token in &stays {
            left.push(connect(&server, format, token).await);
        }
        let asked = Instant::now();
        let body = json!({"targets": ["clientId:x", "revocationKey:job:7"]});
        let (status, answered) = answer_in(format, revoker(&server), &body).await;
        assert_eq!(
            (status, &answered["successCount"], &answered["failureCount"]),
            (201, &json!(2), &json!(0))
        );
        for socket in &mut cut {
            assert_eq!(socket.expect_error(6).await, (40141, 401));
            socket.expect_end().await;
        }
        assert!(asked.elapsed() < Duration::from_secs(1));
        for socket in &mut left {
            socket.expect_nothing().await;
        }
    }
}

#[tokio::test]
async fn older_tokens_are_refused_by_40141_everywhere_and_newer_ones_are_not() {
    let server = Server::start().await;
    let (_, issued) = answer_in(
        Format::Json,
        server.request_by(REVOCABLE_KEY, Method::POST, "/keys/AbCdEf.revocable/requestToken"),
        &json!({"clientId": "x"}),
    )
    .await;
    let issued = issued["token"].as_str().unwrap();
    let old = token(&json!({"x-ably-clientId": "x"}));
    for token in [issued, &old] {
        assert_eq!(refused(&server, token).await, 0);
    }
    revoke(&server, &json!({"targets": ["clientId:x"]})).await;
    for token in [issued, &old] {
        assert_eq!(refused(&server, token).await, 40141);
        let mut socket = server.open(Format::Json, &format!("access_token={token}")).await;
        assert_eq!(socket.expect_error(9).await, (40141, 401));
        socket.expect_end().await;
    }
    let newer = json!({"x-ably-clientId": "x", "iat": now() / 1000 + 1});
    assert_eq!(refused(&server, &token(&newer)).await, 0);
}

#[tokio::test]
async fn a_connection_that_was_cut_goes_on_with_a_new_token_and_not_with_the_old() {
    let server = Server::start().await;
    let old = token(&json!({"x-ably-clientId": "x"}));
    let (mut socket, first) = server.connect_with(Format::Json, &format!("access_token={old}")).await;
    revoke(&server, &json!({"targets": ["clientId:x"]})).await;
    assert_eq!(socket.expect_error(6).await, (40141, 401));
    let key = first["connectionDetails"]["connectionKey"].as_str().unwrap();
    let mut refused = server.open(Format::Json, &format!("access_token={old}&resume={key}")).await;
    assert_eq!(refused.expect_error(9).await, (40141, 401));
    let new = token(&json!({"x-ably-clientId": "x", "iat": now() / 1000 + 1}));
    let (_socket, again) =
        server.connect_with(Format::Json, &format!("access_token={new}&resume={key}")).await;
    assert_eq!(again["connectionId"], first["connectionId"]);
}

#[tokio::test]
async fn a_token_that_may_assume_any_client_id_is_not_revoked_by_the_one_it_assumed() {
    let server = Server::start().await;
    let any = token(&json!({"x-ably-clientId": "*"}));
    let (mut socket, _) = server.connect_with(Format::Json, &format!("access_token={any}&clientId=x")).await;
    revoke(&server, &json!({"targets": ["clientId:x"]})).await;
    socket.expect_nothing().await;
    revoke(&server, &json!({"targets": ["clientId:*"]})).await;
    assert_eq!(socket.expect_error(6).await, (40141, 401));
}

#[tokio::test]
async fn issued_before_spares_the_tokens_since_and_lies_within_the_last_hour() {
    let server = Server::start().await;
    let moment = now() - 600_000;
    let older = token(&json!({"x-ably-clientId": "x", "iat": moment / 1000 - 1, "exp": now() / 1000 + 60}));
    let since = token(&json!({"x-ably-clientId": "x", "iat": moment / 1000 + 1, "exp": now() / 1000 + 60}));
    let (mut cut, mut left) =
        (connect(&server, Format::Json, &older).await, connect(&server, Format::Json, &since).await);
    let body = revoke(&server, &json!({"targets": ["clientId:x"], "issuedBefore": moment})).await;
    assert_eq!(body["results"][0]["issuedBefore"], moment);
    assert_eq!(cut.expect_error(6).await, (40141, 401));
    left.expect_nothing().await;
    assert_eq!((refused(&server, &older).await, refused(&server, &since).await), (40141, 0));
    for (bad, code) in [
        (json!(now() + 60_000), 40003),
        (json!(now() - 3_660_000), 40003),
        (json!(i64::MAX), 40003),
        (json!(i64::MIN), 40003),
        (json!("yesterday"), 40000),
        (json!(1.5), 40000),
    ] {
        let body = json!({"targets": ["clientId:y"], "issuedBefore": bad});
        let (status, answered) = answer_in(Format::Json, revoker(&server), &body).await;
        assert_eq!((status, &answered["error"]["code"]), (400, &json!(code)), "{bad}");
    }
}

#[tokio::test]
async fn with_a_margin_clients_are_asked_for_a_token_now_and_cut_after_30_seconds() {
    let server = Server::start().await;
    let old = token(&json!({"x-ably-clientId": "x"}));
    let mut stubborn = connect(&server, Format::Json, &old).await;
    let mut willing = connect(&server, Format::Msgpack, &old).await;
    let asked = Instant::now();
    let before = now();
    let body = revoke(&server, &json!({"targets": ["clientId:x"], "allowReauthMargin": true})).await;
    let applies_at = body["results"][0]["appliesAt"].as_i64().unwrap();
    assert!(before + 30_000 < applies_at && applies_at <= now() + 30_001, "{before} {applies_at}");
    for socket in [&mut stubborn, &mut willing] {
        assert_eq!(socket.expect(17).await, json!({"action": 17}));
    }
    assert_eq!(refused(&server, &old).await, 0, "until then the token is good");
    let new = token(&json!({"x-ably-clientId": "x", "iat": now() / 1000 + 1}));
    willing.send(json!({"action": 17, "auth": {"accessToken": new}})).await;
    willing.expect(4).await;
    // The old token again is no answer, and is not asked for a second time.
    stubborn.send(json!({"action": 17, "auth": {"accessToken": old}})).await;
    stubborn.expect(4).await;
    let cut = loop {
        let frame = stubborn.next_within(Duration::from_secs(35)).await.unwrap();
        if frame["action"] != 0 {
            break frame;
        }
    };
    assert_eq!((&cut["action"], &cut["error"]["code"]), (&json!(6), &json!(40141)));
    assert!(asked.elapsed() >= Duration::from_millis(29_500));
    assert_eq!(refused(&server, &old).await, 40141);
    willing.send(json!({"action": 0, "id": "still there"})).await;
    while willing.expect(0).await["id"] != "still there" {}
}

#[tokio::test]
async fn a_later_revocation_with_a_margin_does_not_put_an_earlier_one_off() {
    let server = Server::start().await;
    let old = token(&json!({"x-ably-clientId": "x"}));
    revoke(&server, &json!({"targets": ["clientId:x"]})).await;
    revoke(&server, &json!({"targets": ["clientId:x"], "allowReauthMargin": true})).await;
    assert_eq!(refused(&server, &old).await, 40141);
    let other = token(&json!({"x-ably-clientId": "y"}));
    revoke(&server, &json!({"targets": ["clientId:y"], "allowReauthMargin": true})).await;
    assert_eq!(refused(&server, &other).await, 0);
    revoke(&server, &json!({"targets": ["clientId:y"]})).await;
    assert_eq!(refused(&server, &other).await, 40141);
}

#[tokio::test]
async fn only_the_issuing_key_itself_revokes_and_only_if_its_tokens_are_revocable() {
    let server = Server::start().await;
    let body = json!({"targets": ["clientId:x"]});
    let post = |request: RequestBuilder| answer_in(Format::Json, request, &body);
    for (request, status, code) in [
        (server.anonymous(Method::POST, PATH), 401, 40101),
        (server.anonymous(Method::POST, PATH).bearer_auth(token(&json!({}))), 401, 40162),
        (server.request_by(KEY, Method::POST, PATH), 401, 40101),
        (server.request_by(OTHER_KEY, Method::POST, PATH), 401, 40101),
        (server.request_by("AbCdEf.revocable:wrong", Method::POST, PATH), 401, 40101),
        (server.request_by(KEY, Method::POST, "/keys/AbCdEf.root/revokeTokens"), 401, 40163),
        (server.request_by(KEY, Method::POST, "/keys/AbCdEf.nosuch/revokeTokens"), 404, 40400),
        (server.request_by(KEY, Method::POST, "/keys/nonsense/revokeTokens"), 404, 40400),
    ] {
        let (answered, body) = post(request).await;
        assert_eq!((answered, body["error"]["code"].as_u64()), (status, Some(code)));
    }
}

#[tokio::test]
async fn there_are_from_1_to_100_targets_and_a_bad_one_fails_alone() {
    let server = Server::start().await;
    for format in BOTH {
        let targets = json!({"targets": ["clientId:x", "invalidType:abc", "clientId:", "x".repeat(5_000)]});
        let (status, body) = answer_in(format, revoker(&server), &targets).await;
        assert_eq!((status, &body["successCount"], &body["failureCount"]), (201, &json!(1), &json!(3)));
        assert_eq!(
            (&body["results"][0]["target"], body["results"][0].get("error")),
            (&json!("clientId:x"), None)
        );
        let failed = &body["results"][1];
        assert_eq!(
            (&failed["target"], &failed["error"]["code"], &failed["error"]["statusCode"]),
            (&json!("invalidType:abc"), &json!(40001), &json!(400))
        );
        assert!(failed.get("issuedBefore").is_none());
    }
    let many = |count: usize| json!({"targets": vec!["clientId:x"; count]});
    for (body, expected) in [
        (many(100), 201),
        (many(101), 400),
        (many(0), 400),
        (json!({}), 400),
        (json!({"targets": "clientId:x"}), 400),
        (json!({"targets": [7]}), 400),
        (json!([]), 400),
        (json!({"targets": ["clientId:x"], "allowReauthMargin": "yes"}), 400),
    ] {
        let (status, _) = answer_in(Format::Json, revoker(&server), &body).await;
        assert_eq!(status, expected, "{:.100}", body.to_string());
    }
}

#[tokio::test]
async fn tokens_of_a_key_with_revocable_tokens_live_an_hour_at_most() {
    let server = Server::start().await;
    assert_eq!(refused(&server, &token(&json!({"exp": now() / 1000 + 3_590}))).await, 0);
    assert_eq!(refused(&server, &token(&json!({"exp": now() / 1000 + 3_700}))).await, 40003);
    let path = "/keys/AbCdEf.revocable/requestToken";
    for (ttl, status) in [(3_600_000, 201), (3_600_001, 400)] {
        let request = server.request_by(REVOCABLE_KEY, Method::POST, path);
        let (answered, body) = answer_in(Format::Json, request, &json!({"ttl": ttl})).await;
        assert_eq!(answered, status);
        if status == 400 {
            assert_eq!(body["error"]["code"], 40003);
        }
    }
}
