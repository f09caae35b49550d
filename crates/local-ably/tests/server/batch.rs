//! Several requests in one: `POST /messages` and `GET /presence`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{BOTH, Format, REVOCABLE_KEY, SMALL_KEY, Server, answer, bin};

async fn data(server: &Server, channel: &str) -> Vec<Value> {
    let (_, body) = server.get(&format!("/channels/{channel}/messages?direction=forwards")).await;
    body.as_array().unwrap().iter().map(|message| message["data"].clone()).collect()
}

#[tokio::test]
async fn a_batch_of_specs_is_answered_by_an_array_of_results_in_both_formats() {
    for format in BOTH {
        let server = Server::start().await;
        let specs = json!([
            {"channels": ["a", "b:c"], "messages": [{"data": "1"}, {"name": "n", "data": "2"}]},
            {"channels": ["a"], "messages": [{"data": "3"}]},
        ]);
        let (status, body) = server.post_in(format, "/messages", &specs).await;
        assert_eq!(status, 201);
        let counts: Vec<_> =
            body.as_array().unwrap().iter().map(|one| (&one["successCount"], &one["failureCount"])).collect();
        assert_eq!(counts, [(&json!(2), &json!(0)), (&json!(1), &json!(0))]);
        let first = &body[0]["results"];
        assert_eq!((&first[0]["channel"], &first[1]["channel"]), (&json!("a"), &json!("b:c")));
        assert_eq!(first[0]["serials"].as_array().unwrap().len(), 2);
        assert!(first[0].get("error").is_none());
        assert_eq!(data(&server, "a").await, ["1", "2", "3"]);
        assert_eq!(data(&server, "b%3Ac").await, ["1", "2"]);
        let (_, history) = server.get("/channels/a/messages?direction=forwards").await;
        let base = first[0]["messageId"].as_str().unwrap();
        assert_eq!(history[1]["id"], format!("{base}:1"));
        assert_eq!(history[1]["serial"], first[0]["serials"][1]);
        assert!(base.ends_with(":0"), "of the form of a realtime publish's");
    }
}

#[tokio::test]
async fn channels_may_be_one_text_and_messages_one_object_and_the_body_one_spec() {
    for format in BOTH {
        let server = Server::start().await;
        for body in [
            json!({"channels": "a", "messages": {"data": "x"}}),
            json!({"channels": ["a"], "messages": {"data": "x"}}),
            json!([{"channels": "a", "messages": [{"data": "x"}]}]),
        ] {
            let (status, body) = server.post_in(format, "/messages", &body).await;
            assert_eq!((status, &body[0]["successCount"]), (201, &json!(1)));
        }
        assert_eq!(data(&server, "a").await, ["x", "x", "x"]);
    }
}

#[tokio::test]
async fn what_fails_on_one_channel_fails_there_alone() {
    let server = Server::start().await;
    let specs = json!([
        {"channels": ["talk:1", "news", ":bad", "talk:2"], "messages": {"data": "x"}},
        {"channels": ["talk:1"], "messages": {"data": "x".repeat(70_000)}},
        {"channels": ["talk:1"], "messages": [{"id": "a:0"}, {"id": "b:1"}]},
        {"channels": ["talk:1"], "messages": {"data": "last"}},
    ]);
    let request = server.request_by(SMALL_KEY, Method::POST, "/messages");
    let (status, body) = answer(request.body(specs.to_string())).await;
    assert_eq!(status, 201);
    let codes: Vec<Vec<_>> = body
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            one["results"].as_array().unwrap().iter().map(|result| result["error"]["code"].as_u64()).collect()
        })
        .collect();
    assert_eq!(
        codes,
        [vec![None, Some(40160), Some(40010), None], vec![Some(40009)], vec![Some(40031)], vec![None]]
    );
    assert_eq!((&body[0]["successCount"], &body[0]["failureCount"]), (&json!(2), &json!(2)));
    assert_eq!(body[0]["results"][1]["error"]["statusCode"], 401);
    assert!(body[0]["results"][1].get("messageId").is_none());
    assert_eq!(data(&server, "talk%3A1").await, ["x", "last"]);
}

#[tokio::test]
async fn each_spec_is_removed_as_a_double_by_its_own_ids() {
    let server = Server::start().await;
    let spec = |base: &str| json!({"channels": ["a", "b"], "messages": [{"id": format!("{base}:0")}, {"id": format!("{base}:1")}]});
    let (_, first) = server.post("/messages", &json!([spec("x"), spec("y")])).await;
    let (status, second) = server.post("/messages", &json!([spec("y"), spec("z"), spec("x")])).await;
    assert_eq!(status, 201);
    assert_eq!((&second[0], &second[2]), (&first[1], &first[0]));
    for channel in ["a", "b"] {
        assert_eq!(data(&server, channel).await.len(), 6);
    }
}

#[tokio::test]
async fn a_spec_reaches_subscribers_whole_with_its_bytes() {
    let server = Server::start().await;
    let (mut reader, _) = server.connect(Format::Msgpack).await;
    reader.attach("a").await;
    let spec = json!({"channels": ["a"], "messages": [{"data": bin(&[0, 255])}, {"data": "2"}]});
    server.post_in(Format::Msgpack, "/messages", &json!([spec])).await;
    let frame = reader.expect(15).await;
    assert_eq!(frame["messages"].as_array().unwrap().len(), 2);
    assert_eq!(frame["messages"][0]["data"], bin(&[0, 255]));
}

#[tokio::test]
async fn a_batch_that_is_none_or_too_much_is_refused_whole() {
    let server = Server::start().await;
    let channels = |count: usize| (0..count).map(|index| format!("c{index}")).collect::<Vec<_>>();
    let message = json!({"data": "x"});
    for (body, code) in [
        (json!([]), 40000),
        (json!({}), 40000),
        (json!("text"), 40000),
        (json!([{"channels": [], "messages": message}]), 40000),
        (json!([{"channels": ["a"], "messages": []}]), 40000),
        (json!([{"channels": ["a"]}]), 40000),
        (json!([{"messages": message}]), 40000),
        (json!([{"channels": [7], "messages": message}]), 40000),
        (json!([{"channels": ["a"], "messages": {"name": 7}}]), 40000),
        (json!([{"channels": channels(101), "messages": message}]), 40000),
        (
            json!([{"channels": channels(60), "messages": message}, {"channels": channels(101)[60..], "messages": message}]),
            40000,
        ),
        (json!([{"channels": ["a"], "messages": vec![&message; 1_001]}]), 40000),
        (json!([{"channels": vec!["a"; 10_001], "messages": message}]), 40000),
        (json!([{"channels": ["a"], "messages": message}, {"channels": ["a"]}]), 40000),
    ] {
        let (status, answered) = server.post("/messages", &body).await;
        assert_eq!(
            (status.as_u16(), &answered["error"]["code"]),
            (400, &json!(code)),
            "{:.100}",
            body.to_string()
        );
    }
    assert!(data(&server, "a").await.is_empty());
    let most = json!([{"channels": channels(100), "messages": vec![json!({}); 10]}]);
    let (status, answered) = server.post("/messages", &most).await;
    assert_eq!((status.as_u16(), &answered[0]["successCount"]), (201, &json!(100)));
    let most = json!([{"channels": ["a"], "messages": vec![json!({}); 1_000]}]);
    assert_eq!(server.post("/messages", &most).await.0, 201);
    let (status, answered) =
        answer(server.request(Method::POST, "/messages").body(vec![b' '; (2 << 20) + 1])).await;
    assert_eq!((status.as_u16(), &answered["error"]["code"]), (413, &json!(40009)));
    let (status, _) = answer(server.anonymous(Method::POST, "/messages").body("[]")).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn version_2_gets_flat_results_and_40020_where_one_failed() {
    let server = Server::start().await;
    let post = |version: &'static str, channels: Value| {
        let body = json!({"channels": channels, "messages": {"data": "x"}}).to_string();
        let request = server.request_by(SMALL_KEY, Method::POST, "/messages");
        answer(request.header("x-ably-version", version).body(body))
    };
    for version in ["2", "1.2"] {
        let (status, body) = post(version, json!(["talk:1", "talk:2"])).await;
        assert_eq!(status, 201);
        assert_eq!((&body[0]["channel"], &body[1]["channel"]), (&json!("talk:1"), &json!("talk:2")));
        assert!(body[0]["messageId"].is_string());
        let (status, body) = post(version, json!(["talk:1", "news"])).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (400, &json!(40020)));
        assert!(body["batchResponse"][0]["messageId"].is_string());
        assert_eq!(body["batchResponse"][1]["error"]["code"], 40160);
    }
    for version in ["3", "6", "nonsense"] {
        assert_eq!(post(version, json!(["talk:1", "news"])).await.1[0]["failureCount"], 1);
    }
}

#[tokio::test]
async fn version_2_gets_counted_results_where_it_asks_for_them_by_name() {
    let server = Server::start().await;
    let ask = |method: Method, path: &str, body: &Value| {
        let request = server.request_by(REVOCABLE_KEY, method, path);
        answer(request.header("x-ably-version", "2").body(body.to_string()))
    };
    for (query, is_counted) in
        [("newBatchResponse=true", true), ("newBatchResponse=false", false), ("", false)]
    {
        let specs = json!([{"channels": ["a", ":bad"], "messages": {"data": "x"}}]);
        let (status, published) = ask(Method::POST, &format!("/messages?{query}"), &specs).await;
        let presence = format!("/presence?channels=a&{query}");
        let (_, present) = ask(Method::GET, &presence, &json!(null)).await;
        let path = format!("/keys/AbCdEf.revocable/revokeTokens?{query}");
        let (_, revoked) = ask(Method::POST, &path, &json!({"targets": ["clientId:nobody"]})).await;
        let counts = |body: &Value| (body["successCount"].as_u64(), body["failureCount"].as_u64());
        if is_counted {
            assert_eq!((status.as_u16(), counts(&published[0])), (201, (Some(1), Some(1))));
            assert_eq!((counts(&present), counts(&revoked)), ((Some(1), Some(0)), (Some(1), Some(0))));
        } else {
            assert_eq!((status.as_u16(), &published["error"]["code"]), (400, &json!(40020)));
            assert_eq!(
                (&present[0]["channel"], &revoked[0]["target"]),
                (&json!("a"), &json!("clientId:nobody"))
            );
        }
    }
}

#[tokio::test]
async fn batch_presence_separates_channels_as_it_is_told_to() {
    let server = Server::start().await;
    let (status, body) = server.get("/presence?channels=a,b%7Cc&separator=%7C").await;
    assert_eq!(status, 200);
    assert_eq!(
        (&body["results"][0]["channel"], &body["results"][1]["channel"]),
        (&json!("a,b"), &json!("c"))
    );
}

#[tokio::test]
async fn batch_presence_tells_who_is_on_each_channel_or_why_not() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Json).await;
    for (serial, channel) in ["talk:1", "talk:2", "other"].into_iter().enumerate() {
        socket.attach(channel).await;
        socket.presence(channel, serial as u64, json!({"action": 2, "clientId": "c", "data": channel})).await;
    }
    for format in BOTH {
        let request = server
            .request_by(SMALL_KEY, Method::GET, "/presence?channels=talk%3A1,talk:2,other,:bad,talk:empty")
            .header("accept", format.media_type());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let body = format.read(&response.bytes().await.unwrap());
        assert_eq!((&body["successCount"], &body["failureCount"]), (&json!(3), &json!(2)));
        let results = body["results"].as_array().unwrap();
        let members = |index: usize| results[index]["presence"].as_array().unwrap();
        assert_eq!((&members(0)[0]["data"], &members(1)[0]["data"]), (&json!("talk:1"), &json!("talk:2")));
        assert_eq!(members(0)[0]["action"], 1);
        assert!(members(4).is_empty());
        assert_eq!(
            (&results[2]["channel"], &results[2]["error"]["code"], &results[3]["error"]["code"]),
            (&json!("other"), &json!(40160), &json!(40010))
        );
        assert!(results[2].get("presence").is_none());
    }
}

#[tokio::test]
async fn batch_presence_names_from_1_to_100_channels() {
    let server = Server::start().await;
    let names = |count: usize| vec!["a"; count].join(",");
    for (query, status) in [
        (String::new(), 400),
        ("channels=".to_owned(), 400),
        (format!("channels={}", names(101)), 400),
        (format!("channels={}", names(100)), 200),
    ] {
        assert_eq!(server.get(&format!("/presence?{query}")).await.0.as_u16(), status);
    }
}
