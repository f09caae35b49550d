//! Lists that come a page at a time: history, presence, presence history, statistics.

use serde_json::{Value, json};

use crate::harness::{BOTH, Format, Server};

fn data(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["data"].as_str().unwrap()).collect()
}

async fn publish(server: &Server, texts: &[&str]) {
    for text in texts {
        server.post("/channels/a/messages", &json!({"data": text})).await;
    }
}

#[tokio::test]
async fn history_is_newest_first_unless_asked_for_forwards_at_both_paths_and_in_both_formats() {
    let server = Server::start().await;
    publish(&server, &["1", "2", "3"]).await;
    for format in BOTH {
        for path in ["/channels/a/messages", "/channels/a/history"] {
            for (query, order) in [
                ("", ["3", "2", "1"]),
                ("?direction=backwards", ["3", "2", "1"]),
                ("?direction=forwards", ["1", "2", "3"]),
            ] {
                let (status, body) = server.get_in(format, &format!("{path}{query}")).await;
                assert_eq!((status, data(body.as_array().unwrap())), (200, order.to_vec()), "{query}");
            }
        }
    }
}

#[tokio::test]
async fn history_is_paged_either_way_and_the_last_page_has_no_next() {
    let server = Server::start().await;
    publish(&server, &["1", "2"]).await;
    server.post("/channels/a/messages", &json!([{"data": "3"}, {"data": "4"}, {"data": "5"}])).await;
    for word in ["messages", "history"] {
        for (query, expected) in [
            ("limit=2&direction=forwards", vec![vec!["1", "2"], vec!["3", "4"], vec!["5"]]),
            ("limit=2", vec![vec!["5", "4"], vec!["3", "2"], vec!["1"]]),
            ("limit=5", vec![vec!["5", "4", "3", "2", "1"]]),
        ] {
            let pages = server.pages("/channels/a", word, query).await;
            let pages: Vec<_> = pages.iter().map(|page| data(page)).collect();
            assert_eq!(pages, expected, "{word} {query}");
        }
    }
}

#[tokio::test]
async fn pages_stay_what_they_are_while_more_is_published() {
    let server = Server::start().await;
    publish(&server, &["1", "2", "3", "4"]).await;
    let first = server.page("/channels/a", "messages", "limit=2").await;
    publish(&server, &["5", "6"]).await;
    let second = server.page("/channels/a", "messages", &first.links["next"]).await;
    assert_eq!(data(&second.items), ["2", "1"]);
    let again = server.page("/channels/a", "messages", &second.links["current"]).await;
    assert_eq!(data(&again.items), ["2", "1"]);
    let newest = server.page("/channels/a", "messages", &second.links["first"]).await;
    assert_eq!(data(&newest.items), ["6", "5"]);
}

#[tokio::test]
async fn each_link_has_a_header_of_its_own_and_holds_no_credentials() {
    let server = Server::start().await;
    publish(&server, &["1", "2"]).await;
    let query = "limit=1&key=a.b:secret&accessToken=t&access_token=t&rnd=1&start=0&unknown=1";
    let page = server.page("/channels/a", "messages", query).await;
    assert_eq!(page.links.keys().collect::<Vec<_>>(), ["current", "first", "next"]);
    assert_eq!(
        (page.links["first"].as_str(), page.links["current"].as_str()),
        ("start=0&limit=1", "start=0&limit=1")
    );
    let plain = server.page("/channels/a", "messages", "").await;
    assert_eq!(plain.links["first"], "limit=100", "ably-js passes over a link without parameters");
}

#[tokio::test]
async fn history_lies_between_start_and_end_both_included() {
    let server = Server::start().await;
    let mut times = Vec::new();
    for text in ["1", "2", "3"] {
        publish(&server, &[text]).await;
        let (_, newest) = server.get("/channels/a/messages?limit=1").await;
        times.push(newest[0]["timestamp"].as_i64().unwrap());
        while crate::harness::now() <= times[times.len() - 1] {
            tokio::task::yield_now().await;
        }
    }
    for (query, expected) in [
        (format!("start={}", times[1]), vec!["3", "2"]),
        (format!("end={}", times[1]), vec!["2", "1"]),
        (format!("start={}&end={}", times[1], times[1]), vec!["2"]),
        (format!("start={}", times[2] + 1), vec![]),
        ("start=2020-02-29T12:00:00.5Z&end=2120-02-29T12:00:00%2B01:00".to_owned(), vec!["3", "2", "1"]),
        ("end=2020-02-29T23:59:59-11:30".to_owned(), vec![]),
    ] {
        let (_, body) = server.get(&format!("/channels/a/messages?{query}")).await;
        assert_eq!(data(body.as_array().unwrap()), expected, "{query}");
    }
}

#[tokio::test]
async fn history_until_attach_ends_with_what_was_there_at_the_attach() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect(Format::Json).await;
    publish(&server, &["1", "2"]).await;
    let attached = socket.attach("a").await;
    publish(&server, &["3"]).await;
    let serial = attached["channelSerial"].as_str().unwrap();
    for name in ["from_serial", "fromSerial"] {
        for (more, expected) in [("", vec!["2", "1"]), ("&direction=forwards&limit=1", vec!["1"])] {
            let (_, body) = server.get(&format!("/channels/a/messages?{name}={serial}{more}")).await;
            assert_eq!(data(body.as_array().unwrap()), expected, "{name}{more}");
        }
    }
    let pages = server.pages("/channels/a", "messages", &format!("from_serial={serial}&limit=1")).await;
    assert_eq!(pages.iter().map(|page| data(page)).collect::<Vec<_>>(), [["2"], ["1"]]);
}

#[tokio::test]
async fn a_page_that_makes_no_sense_is_refused() {
    let server = Server::start().await;
    for path in ["/channels/a/messages", "/channels/a/history", "/channels/a/presence/history", "/stats"] {
        publish(&server, &["1"]).await;
        for (query, code) in [
            ("limit=0", 40003),
            ("limit=1001", 40003),
            ("limit=many", 40000),
            ("limit=-1", 40000),
            ("start=x", 40000),
            ("start=2&end=1", 40000),
            ("end=99999999999999999999", 40000),
            ("end=2020-02-30T00:00:00Z", 40000),
            ("direction=sideways", 40000),
        ] {
            let (status, body) = server.get(&format!("{path}?{query}")).await;
            assert_eq!((status.as_u16(), &body["error"]["code"]), (400, &json!(code)), "{path} {query}");
        }
    }
    for (path, code) in [
        ("/channels/a/messages?from_serial=nonsense", 40000),
        ("/channels/a/presence?limit=1001", 40003),
        ("/channels/a/presence?cursor=nonsense", 40000),
        ("/stats?unit=century", 40000),
        ("/stats?start=2020-01-01:00:0", 40000),
        ("/stats?start=2020-01-01T00:00", 40000),
        ("/stats?start=2020-01-01:00:01&end=2020-01-01:00:00", 40000),
    ] {
        let (status, body) = server.get(path).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (400, &json!(code)), "{path}");
    }
    for cursor in ["nonsense", "%00", "~", "99999999999999-999@x:000"] {
        let (status, _) = server.get(&format!("/channels/a/messages?cursor={cursor}")).await;
        assert!(status.as_u16() < 500, "{cursor}");
    }
}

#[tokio::test]
async fn presence_is_filtered_and_paged_and_nobody_who_stays_is_passed_over() {
    let server = Server::start().await;
    let (mut socket, connected) = server.connect(Format::Json).await;
    let (mut other, _) = server.connect(Format::Json).await;
    socket.attach("a").await;
    other.attach("a").await;
    let names = ["a b", "a+b", "b:c", "d,e", "é&=%"];
    for (serial, name) in names.iter().enumerate() {
        socket.presence("a", serial as u64, json!({"action": 2, "clientId": name, "data": "x"})).await;
    }
    other.presence("a", 0, json!({"action": 2, "clientId": "a b"})).await;
    let id = connected["connectionId"].as_str().unwrap();
    let mine = |pages: Vec<Vec<Value>>| {
        let members = pages.into_iter().flatten().filter(|member| member["connectionId"] == id);
        members.map(|member| member["clientId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(mine(server.pages("/channels/a", "presence", "limit=1").await), names);
    assert_eq!(server.pages("/channels/a", "presence", "limit=2").await.len(), 3);

    let filtered = server.pages("/channels/a", "presence", "clientId=a%20b&limit=1").await;
    assert_eq!(filtered.len(), 2);
    assert!(filtered.iter().all(|page| page.len() == 1 && page[0]["clientId"] == "a b"));
    let page = server.page("/channels/a", "presence", "clientId=a+b&limit=1").await;
    assert!(page.links["next"].contains("clientId=a%20b"), "ably-js reads `+` as it stands");
    let by_connection = server.page("/channels/a", "presence", &format!("connectionId={id}")).await;
    assert_eq!(by_connection.items.len(), names.len());
    assert!(by_connection.items.iter().all(|member| member["action"] == 1 && member["data"] == "x"));

    // A member that goes between two pages moves no other over their border.
    let first = server.page("/channels/a", "presence", &format!("connectionId={id}&limit=2")).await;
    socket.presence("a", 5, json!({"action": 3, "clientId": "a b"})).await;
    let second = server.page("/channels/a", "presence", &first.links["next"]).await;
    assert_eq!(second.items[0]["clientId"], "b:c");
}

#[tokio::test]
async fn presence_history_tells_who_entered_was_updated_and_left() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format!("{}-p", format.name());
        let (mut socket, _) = server.connect(format).await;
        socket.attach(&channel).await;
        for (serial, action) in [2, 4, 3].into_iter().enumerate() {
            let message = json!({"action": action, "clientId": "c", "data": format!("{action}")});
            socket.presence(&channel, serial as u64, message).await;
        }
        let path = format!("/channels/{channel}/presence/history");
        let (status, body) = server.get_in(format, &path).await;
        let events: Vec<_> = body.as_array().unwrap().iter().map(|event| event["action"].clone()).collect();
        assert_eq!((status, events), (200, vec![json!(3), json!(4), json!(2)]));
        assert_eq!((&body[2]["clientId"], &body[2]["data"]), (&json!("c"), &json!("2")));
        let pages = server
            .pages(&format!("/channels/{channel}/presence"), "history", "limit=2&direction=forwards")
            .await;
        let actions: Vec<Vec<_>> = pages
            .iter()
            .map(|page| page.iter().map(|event| event["action"].as_u64().unwrap()).collect())
            .collect();
        assert_eq!(actions, [vec![2, 4], vec![3]]);
    }
}

#[tokio::test]
async fn a_channel_that_nobody_has_used_has_empty_lists() {
    let server = Server::start().await;
    for path in [
        "/channels/new/messages",
        "/channels/new/history",
        "/channels/new/presence",
        "/channels/new/presence/history",
    ] {
        assert_eq!(server.get(path).await, (reqwest::StatusCode::OK, json!([])), "{path}");
    }
}

#[tokio::test]
async fn statistics_are_an_empty_list_and_made_up_ones_are_taken() {
    let server = Server::start().await;
    for format in BOTH {
        for query in [
            "unit=hour&limit=10",
            "start=2020-01-01:00:00&end=2020-01-01:00:01&direction=forwards",
            "start=2020-01-01:00&end=2020-01",
            "start=2020-01-01&end=1577923200000",
        ] {
            assert_eq!(server.get_in(format, &format!("/stats?{query}")).await, (200, json!([])), "{query}");
        }
        let made_up = json!([{"intervalId": "2020-01-01:00:00", "inbound": {}}]);
        assert_eq!(server.post_in(format, "/stats", &made_up).await.0, 201);
    }
}
