//! What keys and tokens are refused with, over both transports, and which channels and operations a capability covers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    BOTH, Format, KEY, SMALL_KEY, Server, answer, answer_in, in_millis, jwt, now, signed_jwt,
};

/// A JWT with a header and claims of any kind, whose signature is good.
fn signed(header: &Value, claims: &Value) -> String {
    signed_jwt(KEY, header, claims)
}

fn header() -> Value {
    json!({"typ": "JWT", "alg": "HS256", "kid": "AbCdEf.root"})
}

/// A token is refused by this code and status: by ERROR and the end of the socket, and by REST, body and headers.
async fn is_refused(server: &Server, token: &str, code: u64, status: u64, what: &str) {
    for format in BOTH {
        let query = format!("access_token={}", token.replace(' ', "%20"));
        let mut socket = server.open(format, &query).await;
        assert_eq!(socket.expect_error(9).await, (code, status), "{what}");
        socket.expect_end().await;
    }
    for bearer in [token.to_owned(), STANDARD.encode(token)] {
        let response =
            server.anonymous(Method::GET, "/channels/a/messages").bearer_auth(bearer).send().await.unwrap();
        assert_eq!(u64::from(response.status().as_u16()), status, "{what}");
        assert_eq!(response.headers()["x-ably-errorcode"], code.to_string(), "{what}");
        let body: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        assert_eq!((&body["error"]["code"], &body["error"]["statusCode"]), (&json!(code), &json!(status)));
    }
}

#[tokio::test]
async fn a_malformed_jwt_or_one_of_another_algorithm_is_40144_and_401() {
    let server = Server::start().await;
    let claims = json!({"iat": now() / 1000, "exp": now() / 1000 + 60});
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        signed(&header(), &claims)
    };
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        signed(&header(), &claims)
    };
    let headed = |name: &str, value: Value| {
        let mut header = header();
        header[name] = value;
        signed(&header, &claims)
    };
    for (what, token) in [
        ("no kid", signed(&json!({"alg": "HS256"}), &claims)),
        ("a kid that is no key's name", headed("kid", json!("nonsense"))),
        ("no algorithm", signed(&json!({"kid": "AbCdEf.root"}), &claims)),
        ("none", headed("alg", json!("none"))),
        ("another algorithm", headed("alg", json!("HS512"))),
        ("no iat", without("iat")),
        ("no exp", without("exp")),
        ("an exp that is text", with("exp", json!("soon"))),
        ("an empty capability", with("x-ably-capability", json!("{}"))),
        ("a capability that is no text", with("x-ably-capability", json!({"*": ["*"]}))),
        ("a capability that is nonsense", with("x-ably-capability", json!("nonsense"))),
        ("a revocation key that is no text", with("x-ably-revocation-key", json!(["a"]))),
        ("an empty revocation key", with("x-ably-revocation-key", json!(""))),
        ("a bad signature", jwt("AbCdEf.root:wrong", &json!({}))),
        ("an iat over a minute ahead", with("iat", in_millis(75_000))),
        ("three parts of nonsense", "a.b.c".to_owned()),
    ] {
        is_refused(&server, &token, 40144, 401, what).await;
    }
}

#[tokio::test]
async fn a_jwt_that_is_expired_lives_too_long_or_is_of_no_key_has_a_code_of_its_own() {
    let server = Server::start().await;
    let (iat, day) = (now() / 1000, 86_400);
    for (what, token, code, status) in [
        ("expired by a moment", jwt(KEY, &json!({"exp": in_millis(-1)})), 40142, 401),
        ("over a day", jwt(KEY, &json!({"iat": iat, "exp": iat + day + 1})), 40003, 400),
        ("an unknown app", jwt("NoSuch.root:x", &json!({})), 40400, 404),
        ("an unknown key", jwt("AbCdEf.nosuch:x", &json!({})), 40400, 401),
        ("a token of another server", "AbCdEf.AAAA".to_owned(), 40143, 401),
    ] {
        is_refused(&server, &token, code, status, what).await;
    }
    for claims in [
        json!({"iat": iat, "exp": iat + day}),
        json!({"iat": in_millis(45_000), "exp": in_millis(60_500)}),
        json!({"iat": in_millis(-500), "exp": in_millis(20_250)}),
    ] {
        server.connect_with(Format::Json, &format!("access_token={}", jwt(KEY, &claims))).await;
    }
}

#[tokio::test]
async fn what_cannot_be_a_token_of_an_app_is_40101_and_one_whose_record_is_gone_40143() {
    let server = Server::start().await;
    for (text, code) in [
        ("nonsense", 40101),
        ("Sdnurv_some_invalid_token_nkds9r7", 40101),
        ("invalid-token", 40101),
        ("invalid token", 40101),
        ("abcdef.nonsense", 40101),
        ("NoSuch.AAAA", 40101),
        (".AAAA", 40101),
        ("AbCdEf", 40101),
        ("AbCdEf.", 40101),
        ("AbCdEf.no token", 40101),
        ("AbCdEf.root:secret", 40101),
        ("AbCdEf.unheard-of", 40143),
    ] {
        is_refused(&server, text, code, 401, text).await;
        for path in ["/sse", "/event-stream"] {
            let query = format!("channels=a&accessToken={}", text.replace(' ', "%20"));
            let request = server.anonymous(Method::GET, &format!("{path}?{query}"));
            let (status, body) = answer(request.header("accept", "text/event-stream")).await;
            assert_eq!((status.as_u16(), &body["error"]["code"]), (401, &json!(code)), "{path} {text}");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_not_known_has_the_same_codes_over_rest() {
    let server = Server::start().await;
    for format in BOTH {
        for (key, code) in [
            ("NoSuch.root:secret", 40101),
            ("AbCdEf.root:wrong", 40101),
            ("AbCdEf.nosuch:secret", 40400),
            ("AbCdEf.root:", 40101),
        ] {
            let request = server.request_by(key, Method::GET, "/channels/a/messages");
            let (status, body) = answer_in(format, request, &json!(null)).await;
            assert_eq!((status, &body["error"]["code"]), (401, &json!(code)), "{key}");
            assert_eq!(body["error"]["statusCode"], 401);
        }
    }
}

#[tokio::test]
async fn who_cannot_be_let_in_is_told_so_in_the_words_of_ably() {
    let server = Server::start().await;
    let token = jwt(KEY, &json!({"x-ably-clientId": "a"}));
    for (query, message) in [
        ("key=this.is:wrong".to_owned(), "unable to handle request; no application id found in request"),
        ("key=nonsense".to_owned(), "unable to handle request; no application id found in request"),
        (format!("access_token={token}&clientId=b"), "invalid clientId for credentials"),
    ] {
        for format in BOTH {
            let frame = server.open(format, &query).await.expect(9).await;
            assert_eq!(frame["error"]["message"], message, "{query}");
        }
    }
}

#[tokio::test]
async fn wildcards_of_a_capability_stand_for_whole_segments() {
    let server = Server::start().await;
    for (pattern, allowed, refused) in [
        ("foo", vec!["foo"], vec!["foo:bar", "fo", "[meta]foo"]),
        ("foo*", vec!["foo*"], vec!["foobar", "foo", "foo:bar"]),
        ("foo:*", vec!["foo:a", "foo:a:b", "foo:a:b:c"], vec!["foo", "foobar", "fo:a"]),
        ("foo:*:baz", vec!["foo:a:baz"], vec!["foo:baz", "foo:a:b:baz", "foo:a"]),
        ("*:b", vec!["a:b"], vec!["b", "a:a:b"]),
        ("*", vec!["foo", "foo:a", "a:b:c"], vec!["[meta]foo", "[queue]foo"]),
        ("[meta]*", vec!["[meta]foo"], vec!["foo"]),
        ("[*]*", vec!["foo", "foo:a", "[meta]foo"], vec![]),
    ] {
        let (mut socket, _) = server.connect_able(Format::Json, &json!({pattern: ["publish"]})).await;
        let mut msg_serials = 0..;
        for (names, code) in [(allowed, 0), (refused, 40160)] {
            for name in names {
                // `[queue]` is no qualifier that a channel can have here.
                let code = if name.starts_with("[queue]") { 40010 } else { code };
                let answer = socket.publish(name, msg_serials.next().unwrap(), json!({})).await;
                assert_eq!(answer["error"]["code"].as_u64().unwrap_or(0), code, "{pattern} {name}");
            }
        }
    }
}

#[tokio::test]
async fn a_token_request_is_answered_in_both_formats_and_its_numbers_may_be_text() {
    let server = Server::start().await;
    for format in BOTH {
        for (ttl, expected) in [(json!(null), 3_600_000), (json!(60_000), 60_000), (json!(60_000.0), 60_000)]
        {
            let body = json!({
                "keyName": "AbCdEf.root", "ttl": ttl, "timestamp": now().to_string(), "capability": null,
                "clientId": null, "nonce": "0123456789abcdef",
            });
            let request = server.request(Method::POST, "/keys/AbCdEf.root/requestToken");
            let (status, details) = answer_in(format, request, &body).await;
            assert_eq!(status, 201, "{details}");
            let fields: Vec<_> = details.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(fields, ["capability", "expires", "issued", "keyName", "token"]);
            let lifetime = details["expires"].as_i64().unwrap() - details["issued"].as_i64().unwrap();
            assert_eq!((lifetime, &details["keyName"]), (expected, &json!("AbCdEf.root")));
            assert!(details["token"].as_str().unwrap().starts_with("AbCdEf."));
        }
    }
}

#[tokio::test]
async fn a_token_that_asks_for_no_capability_has_its_keys_in_the_keys_order() {
    let server = Server::start().await;
    let path = "/keys/AbCdEf.small/requestToken";
    for (asked, given) in [
        (json!(null), crate::harness::SMALL_CAPABILITY),
        (json!(""), crate::harness::SMALL_CAPABILITY),
        (
            json!(r#"{"talk:a":["presence","subscribe","publish"]}"#),
            r#"{"talk:a":["presence","subscribe","publish"]}"#,
        ),
        (json!(r#"{"talk:a":["*"]}"#), r#"{"talk:a":["publish","subscribe","presence"]}"#),
    ] {
        let request = server.request_by(SMALL_KEY, Method::POST, path);
        let (_, details) = answer_in(Format::Json, request, &json!({"capability": asked})).await;
        assert_eq!(details["capability"], given, "{asked}");
    }
}

#[tokio::test]
async fn a_key_with_a_client_id_by_header_publishes_as_that_one_and_as_no_other() {
    let server = Server::start().await;
    for format in BOTH {
        let post = |header: &str, body: Value| {
            let request = server.request(Method::POST, &format!("/channels/{}/messages", format.name()));
            let header = STANDARD.encode(header);
            async move { answer_in(format, request.header("x-ably-clientid", header), &body).await }
        };
        assert_eq!(post("é", json!({"name": "stamped"})).await.0, 201);
        assert_eq!(post("é", json!({"name": "same", "clientId": "é"})).await.0, 201);
        let (status, body) = post("é", json!({"clientId": "other"})).await;
        assert_eq!((status, &body["error"]["code"]), (400, &json!(40012)));
        assert_eq!(post("*", json!({"name": "any", "clientId": "other"})).await.0, 201);
        let (_, history) =
            server.get(&format!("/channels/{}/messages?direction=forwards", format.name())).await;
        let clients: Vec<_> =
            history.as_array().unwrap().iter().map(|message| &message["clientId"]).collect();
        assert_eq!(clients, ["é", "é", "other"]);
    }
}

#[tokio::test]
async fn a_request_without_credentials_is_40101_and_one_by_a_scheme_that_is_none_too() {
    let server = Server::start().await;
    for authorization in [None, Some("Digest x"), Some("Basic"), Some("Basic !"), Some("Bearer")] {
        let mut request = server.anonymous(Method::GET, "/channels/a/messages");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let (status, body) = answer(request).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (401, &json!(40101)), "{authorization:?}");
    }
}
