//! The bodies that a REST publish may have besides messages in JSON and in MessagePack.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Format, Server, answer};

const FORM: &str = "application/x-www-form-urlencoded";

async fn publish(
    server: &Server,
    query: &str,
    media_type: &str,
    body: impl Into<reqwest::Body>,
) -> (u16, Value) {
    let request = server
        .request(Method::POST, &format!("/channels/a/messages{query}"))
        .header("content-type", media_type)
        .body(body);
    let (status, body) = answer(request).await;
    (status.as_u16(), body)
}

/// The last message on the channel, without what Ably gives it.
async fn last(server: &Server) -> Value {
    let (_, history) = server.get("/channels/a/messages?limit=1").await;
    let mut message = history[0].clone();
    for field in ["action", "serial", "timestamp", "version"] {
        message.as_object_mut().unwrap().remove(field).unwrap();
    }
    message
}

#[tokio::test]
async fn a_form_has_the_fields_of_one_message() {
    let server = Server::start().await;
    let form = "id=i&name=a+name&data=1%20%2B%201&clientId=c&extras=%7B%22headers%22%3A%7B%22k%22%3A%22v%22%7D%7D&x=y";
    let (status, body) = publish(&server, "", FORM, form).await;
    assert_eq!((status, &body["channel"]), (201, &json!("a")));
    assert_eq!(
        last(&server).await,
        json!({"id": "i", "name": "a name", "data": "1 + 1", "clientId": "c", "extras": {"headers": {"k": "v"}}})
    );
    publish(&server, "", FORM, "data=%7B%7D&encoding=json").await;
    assert_eq!(
        (&last(&server).await["data"], &last(&server).await["encoding"]),
        (&json!("{}"), &json!("json"))
    );
    for bad in ["", r#"{"data": "JSON without its type"}"#, "data=x&extras=%7B"] {
        let (status, body) = publish(&server, "", FORM, bad).await;
        assert_eq!((status, &body["error"]["code"]), (400, &json!(40000)), "{bad}");
    }
}

#[tokio::test]
async fn an_unenveloped_body_is_the_data_of_one_message() {
    let server = Server::start().await;
    let query = "?enveloped=false";
    publish(&server, &format!("{query}&messageId=i&name=n&clientId=c"), "text/plain; charset=utf-8", "{é}")
        .await;
    assert_eq!(last(&server).await, json!({"id": "i", "name": "n", "clientId": "c", "data": "{é}"}));
    publish(&server, &format!("{query}&messageId=j"), "application/json", "{\"a\": [1]}").await;
    assert_eq!(last(&server).await, json!({"id": "j", "data": "{\"a\": [1]}", "encoding": "json"}));
    publish(&server, &format!("{query}&messageId=k"), "application/octet-stream", vec![0, 255]).await;
    assert_eq!(last(&server).await, json!({"id": "k", "data": "AP8=", "encoding": "base64"}));
    publish(&server, &format!("{query}&messageId=l&encoding=utf-8"), "application/octet-stream", "x").await;
    assert_eq!(last(&server).await, json!({"id": "l", "data": "eA==", "encoding": "utf-8/base64"}));
    for (media_type, body) in [("application/x-msgpack", vec![0x80]), ("text/plain", vec![0xff])] {
        let (status, body) = publish(&server, query, media_type, body).await;
        assert_eq!((status, &body["error"]["code"]), (400, &json!(40000)), "{media_type}");
    }
}

#[tokio::test]
async fn an_unenveloped_publish_has_the_rest_in_headers() {
    let server = Server::start().await;
    let (_socket, connected) = server.connect(Format::Json).await;
    let request = server
        .request(Method::POST, "/channels/a/messages?enveloped=false&name=not+this")
        .header("content-type", "text/plain")
        .header("x-ably-messageid", "i")
        .header("x-ably-name", "n")
        .header("x-ably-encoding", "json")
        .header("x-ably-clientid", STANDARD.encode("ü"))
        .header("x-ably-connectionkey", connected["connectionDetails"]["connectionKey"].as_str().unwrap());
    let (status, _) = answer(request.body("[]")).await;
    assert_eq!(status, 201);
    let id = &connected["connectionId"];
    assert_eq!(
        last(&server).await,
        json!({"id": "i", "name": "n", "clientId": "ü", "data": "[]", "encoding": "json", "connectionId": id})
    );
}
