use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, Server, bin, jwt};

async fn member(server: &Server, format: Format, client_id: &str) -> crate::harness::Socket {
    let (mut socket, _) = server.connect_with(format, &format!("key={KEY}&clientId={client_id}")).await;
    socket.attach("a").await;
    socket
}

#[tokio::test]
async fn enter_update_and_leave_reach_everybody_and_rest() {
    for format in BOTH {
        let server = Server::start().await;
        let (mut watcher, _) = server.connect(format).await;
        watcher.attach("a").await;
        let mut socket = member(&server, format, "c").await;
        for (serial, action, data) in [(0, 2, Some("1")), (1, 4, Some("2")), (2, 3, None)] {
            let ack = socket.presence("a", serial, json!({"action": action, "data": data})).await;
            assert_eq!((&ack["action"], &ack["count"]), (&json!(1), &json!(1)));
            let frame = watcher.expect(14).await;
            let event = &frame["presence"][0];
            assert_eq!((&event["action"], &event["clientId"]), (&json!(action), &json!("c")));
            assert_eq!(event["data"], data.unwrap_or("2"), "a leave carries the last data");
            assert!(event["id"].as_str().unwrap().ends_with(&format!(":{serial}:0")));
            assert!(event["connectionId"].is_string() && event["timestamp"].is_i64());
            let (_, members) = server.get("/channels/a/presence").await;
            let members = members.as_array().unwrap().clone();
            assert_eq!(members.len(), usize::from(action != 3));
            assert!(members.iter().all(|member| member["action"] == 1));
        }
    }
}

#[tokio::test]
async fn entering_twice_is_an_update() {
    let server = Server::start().await;
    let mut socket = member(&server, Format::Json, "c").await;
    for (serial, action) in [(0, 2), (1, 4)] {
        socket
            .send(json!({"action": 14, "channel": "a", "msgSerial": serial, "presence": [{"action": 2}]}))
            .await;
        let frames = [socket.receive().await, socket.receive().await];
        let event = frames.iter().find(|frame| frame["action"] == 14).unwrap();
        assert_eq!(event["presence"][0]["action"], action);
    }
}

#[tokio::test]
async fn whoever_attaches_gets_the_members_by_sync_and_may_ask_again() {
    let server = Server::start().await;
    for format in BOTH {
        let mut socket = member(&server, format, format.name()).await;
        socket
            .presence(
                "a",
                0,
                json!({"action": 2, "data": bin_or_base64(format), "encoding": encoding(format)}),
            )
            .await;
        let (mut watcher, _) = server.connect(format).await;
        let attached = watcher.attach("a").await;
        assert_eq!(attached["flags"].as_u64().unwrap() & 1, 1, "HAS_PRESENCE");
        let sync = watcher.expect(16).await;
        let own =
            sync["presence"].as_array().unwrap().iter().find(|m| m["clientId"] == format.name()).unwrap();
        assert_eq!((&own["action"], &own["data"]), (&json!(1), &bin_or_base64(format)));
        assert!(own["id"].is_string() && own["connectionId"].is_string() && own["timestamp"].is_i64());
        watcher.send(json!({"action": 16, "channel": "a"})).await;
        assert_eq!(watcher.expect(16).await["presence"], sync["presence"]);
        watcher.attach("empty").await;
        watcher.send(json!({"action": 16, "channel": "empty"})).await;
        assert_eq!(watcher.expect(16).await["presence"], json!([]), "without presence get() would hang");
    }
}

fn bin_or_base64(format: Format) -> Value {
    if format == Format::Json { json!("AP8=") } else { bin(&[0, 255]) }
}

fn encoding(format: Format) -> Value {
    if format == Format::Json { json!("base64") } else { Value::Null }
}

#[tokio::test]
async fn presence_needs_an_identity_of_ones_own() {
    let server = Server::start().await;
    let named = jwt(KEY, &json!({"x-ably-clientId": "x"}));
    let anonymous = jwt(KEY, &json!({}));
    for (query, client_id, code) in [
        (format!("key={KEY}"), Value::Null, Some(91000)),
        (format!("key={KEY}"), json!("anybody"), None),
        (format!("access_token={anonymous}"), Value::Null, Some(91000)),
        (format!("access_token={anonymous}"), json!("x"), Some(40012)),
        (format!("access_token={named}"), json!("y"), Some(40012)),
        (format!("access_token={named}"), Value::Null, None),
    ] {
        let (mut socket, _) = server.connect_with(Format::Json, &query).await;
        socket.attach(&format!("p{code:?}")).await;
        let answer =
            socket.presence(&format!("p{code:?}"), 0, json!({"action": 2, "clientId": client_id})).await;
        assert_eq!(answer["error"]["code"].as_u64(), code, "{query} {client_id}");
    }
}

#[tokio::test]
async fn a_member_of_another_connection_cannot_be_entered() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut socket, connected) = server.connect(format).await;
        socket.attach(channel).await;
        let enter = |connection: &Value| json!({"action": 2, "clientId": "c", "connectionId": connection});
        let nack = socket.presence(channel, 0, enter(&json!("another"))).await;
        assert_eq!((&nack["action"], &nack["error"]["code"]), (&json!(2), &json!(40006)));
        assert_eq!(nack["error"]["message"], "Malformed message; mismatched connectionId");
        let path = format!("/channels/{channel}/presence");
        assert_eq!(server.get(&path).await.1, json!([]));
        let ack = socket.presence(channel, 1, enter(&connected["connectionId"])).await;
        assert_eq!(ack["action"], 1);
        assert_eq!(server.get(&path).await.1[0]["connectionId"], connected["connectionId"]);
    }
}

#[tokio::test]
async fn presence_needs_an_attached_channel() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect_with(Format::Json, &format!("key={KEY}&clientId=c")).await;
    let nack = socket.presence("a", 0, json!({"action": 2})).await;
    assert_eq!((&nack["error"]["code"], &nack["error"]["statusCode"]), (&json!(90001), &json!(404)));
}

#[tokio::test]
async fn close_and_detach_leave_at_once() {
    let server = Server::start().await;
    let (mut watcher, _) = server.connect(Format::Json).await;
    watcher.attach("a").await;
    for end in [json!({"action": 7}), json!({"action": 12, "channel": "a"})] {
        let mut socket = member(&server, Format::Json, "c").await;
        socket.presence("a", 0, json!({"action": 2})).await;
        watcher.expect(14).await;
        socket.send(end).await;
        assert_eq!(watcher.expect(14).await["presence"][0]["action"], 3);
    }
}

#[tokio::test]
async fn by_the_time_of_closed_the_members_have_left() {
    let server = Server::start().await;
    let mut socket = member(&server, Format::Json, "c").await;
    socket.presence("a", 0, json!({"action": 2})).await;
    socket.send(json!({"action": 7})).await;
    socket.expect(8).await;
    assert_eq!(server.get("/channels/a/presence").await.1, json!([]));
}

#[tokio::test]
async fn after_an_abrupt_loss_members_stay_for_as_long_as_asked_and_then_leave() {
    let server = Server::start().await;
    let (mut watcher, _) = server.connect(Format::Json).await;
    watcher.attach("a").await;
    let query = format!("key={KEY}&clientId=c&remainPresentFor=1000");
    let (mut socket, connected) = server.connect_with(Format::Json, &query).await;
    socket.attach("a").await;
    socket.presence("a", 0, json!({"action": 2})).await;
    let entered = watcher.expect(14).await;
    socket.lose();
    let left = watcher.expect(14).await["presence"][0].clone();
    assert_eq!(left["action"], 3);
    let id = connected["connectionId"].as_str().unwrap();
    assert!(!left["id"].as_str().unwrap().starts_with(id), "clients are to compare times");
    let waited = left["timestamp"].as_i64().unwrap() - entered["timestamp"].as_i64().unwrap();
    assert!(waited >= 1_000, "left after {waited} ms");
    assert_eq!(server.get("/channels/a/presence").await.1, json!([]));
}

#[tokio::test]
async fn a_client_that_resumes_in_time_never_left() {
    let server = Server::start().await;
    let (mut watcher, _) = server.connect(Format::Json).await;
    watcher.attach("a").await;
    let query = format!("key={KEY}&clientId=c&remainPresentFor=1000");
    let (mut socket, connected) = server.connect_with(Format::Json, &query).await;
    socket.attach("a").await;
    socket.presence("a", 0, json!({"action": 2})).await;
    let id = watcher.expect(14).await["presence"][0]["id"].clone();
    socket.lose();
    let key = connected["connectionDetails"]["connectionKey"].as_str().unwrap();
    let (mut socket, _) = server.connect_with(Format::Json, &format!("{query}&resume={key}")).await;
    socket.attach("a").await;
    socket.expect(16).await;
    let again = socket.presence("a", 1, json!({"action": 2, "id": id})).await;
    assert_eq!(again["action"], 1, "entering again under the same id is only acknowledged");
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    watcher.expect_nothing().await;
}

#[tokio::test]
async fn members_over_rest_are_filtered_and_paged() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Json).await;
    socket.attach("a").await;
    for index in 0..5 {
        socket.presence("a", index, json!({"action": 2, "clientId": format!("c{index}")})).await;
    }
    let (_, filtered) = server.get("/channels/a/presence?clientId=c3").await;
    assert_eq!(filtered.as_array().unwrap().len(), 1);
    let (_, none) = server.get("/channels/a/presence?connectionId=other").await;
    assert_eq!(none, json!([]));
    let mut path = "/channels/a/presence?limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let response = server.request(reqwest::Method::GET, &path).send().await.unwrap();
        let next =
            response.headers().get_all("link").iter().map(|link| link.to_str().unwrap().to_owned()).find_map(
                |link| link.strip_suffix(">; rel=\"next\"").map(|link| link.replace("<./", "/channels/a/")),
            );
        let page: Vec<Value> = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        seen.extend(page.iter().map(|member| member["clientId"].as_str().unwrap().to_owned()));
        match next {
            Some(next) => path = next,
            None => break,
        }
    }
    assert_eq!(seen, ["c0", "c1", "c2", "c3", "c4"]);
}

#[tokio::test]
async fn more_than_100_members_are_synced_in_pages_that_end() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut socket, _) = server.connect(format).await;
        socket.attach(channel).await;
        let members: Vec<_> =
            (0..200).map(|index| json!({"action": 2, "clientId": format!("c{index}")})).collect();
        socket.send(json!({"action": 14, "channel": channel, "msgSerial": 0, "presence": members})).await;
        assert_eq!(socket.answer().await["action"], 1);
        let full = socket.presence(channel, 1, json!({"action": 2, "clientId": "one too many"})).await;
        assert_eq!((&full["error"]["code"], &full["error"]["statusCode"]), (&json!(91003), &json!(400)));
        let (mut watcher, _) = server.connect(format).await;
        watcher.attach(channel).await;
        let pages = [watcher.expect(16).await, watcher.expect(16).await];
        let serials =
            pages.each_ref().map(|page| page["channelSerial"].as_str().unwrap().split_once(':').unwrap());
        assert_eq!(serials[0].0, serials[1].0);
        assert!(serials[0].0.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert!(!serials[0].1.is_empty() && serials[1].1.is_empty());
        assert!(pages.iter().all(|page| page["presence"].as_array().unwrap().len() == 100));
        watcher.expect_nothing().await;
    }
}

#[tokio::test]
async fn an_update_of_somebody_absent_enters_and_a_leave_of_them_is_only_acked() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut watcher, _) = server.connect(format).await;
        watcher.attach("a").await;
        let mut socket = member(&server, format, "c").await;
        assert_eq!(socket.presence("a", 0, json!({"action": 3})).await["action"], 1);
        watcher.expect_nothing().await;
        assert_eq!(socket.presence("a", 1, json!({"action": 4, "data": "x"})).await["action"], 1);
        assert_eq!(watcher.expect(14).await["presence"][0]["action"], 2);
        socket.send(json!({"action": 7})).await;
        watcher.expect(14).await;
    }
}

#[tokio::test]
async fn presence_goes_to_presence_subscribers_and_always_to_the_own_connection() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let attach = |modes: &str| json!({"channel": channel, "params": {"modes": modes}});
        let (mut asked, _) = server.connect(format).await;
        asked.attach_with(attach("presence_subscribe")).await;
        let (mut other, _) = server.connect(format).await;
        let attached = other.attach_with(attach("subscribe")).await;
        assert_eq!(attached["flags"].as_u64().unwrap() & 1, 0);
        let (mut own, _) = server.connect_with(format, &format!("key={KEY}&clientId=c&echo=false")).await;
        own.attach_with(attach("presence")).await;
        own.send(json!({"action": 14, "channel": channel, "msgSerial": 0, "presence": [{"action": 2}]}))
            .await;
        let frames = [own.receive().await, own.receive().await];
        assert!(frames.iter().any(|frame| frame["action"] == 14), "echo=false does not hide presence");
        assert_eq!(asked.expect(14).await["presence"][0]["clientId"], "c");
        other.expect_nothing().await;
        let again = other.attach_with(attach("subscribe")).await;
        assert_eq!(
            again["flags"].as_u64().unwrap() & 1,
            0,
            "without PRESENCE_SUBSCRIBE there is no HAS_PRESENCE"
        );
        other.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_client_that_disconnects_stays_present() {
    let server = Server::start().await;
    let mut socket = member(&server, Format::Json, "c").await;
    socket.presence("a", 0, json!({"action": 2})).await;
    socket.send(json!({"action": 5})).await;
    socket.expect_end().await;
    assert_eq!(server.get("/channels/a/presence").await.1.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_old_and_a_re_entered_member_coexist_until_the_old_one_leaves() {
    let server = Server::start().await;
    let query = format!("key={KEY}&clientId=c&remainPresentFor=1000");
    let (mut old, first) = server.connect_with(Format::Json, &query).await;
    old.attach("a").await;
    old.presence("a", 0, json!({"action": 2})).await;
    old.lose();
    let mut new = member(&server, Format::Json, "c").await;
    new.expect(16).await;
    let old_id = format!("{}:0:0", first["connectionId"].as_str().unwrap());
    let ack = new.presence("a", 0, json!({"action": 2, "id": old_id})).await;
    assert_eq!(ack["action"], 1);
    let (mut watcher, _) = server.connect(Format::Json).await;
    watcher.attach("a").await;
    let sync = watcher.expect(16).await;
    let ids: Vec<_> = sync["presence"].as_array().unwrap().iter().map(|member| &member["id"]).collect();
    assert_eq!(ids, [&json!(old_id), &json!(old_id)], "an id that the client sent is kept");
    let left = watcher.expect(14).await["presence"][0].clone();
    assert_eq!((&left["action"], &left["connectionId"]), (&json!(3), &first["connectionId"]));
}

#[tokio::test]
async fn binary_presence_data_passes_between_formats() {
    let server = Server::start().await;
    let mut in_msgpack = member(&server, Format::Msgpack, "m").await;
    let (mut in_json, _) = server.connect(Format::Json).await;
    in_json.attach("a").await;
    let data = json!({"action": 2, "data": bin(&[0, 255]), "encoding": "cipher+aes-256-cbc", "extras": {"headers": {"a": 1}}});
    in_msgpack.presence("a", 0, data).await;
    let seen = in_json.expect(14).await["presence"][0].clone();
    assert_eq!((&seen["data"], &seen["encoding"]), (&json!("AP8="), &json!("cipher+aes-256-cbc/base64")));
    assert_eq!(seen["extras"], json!({"headers": {"a": 1}}));
}
