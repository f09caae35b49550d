//! Faults that batches meet and single publishes do not: as a whole, and on one of their channels.

use serde_json::{Value, json};

use crate::harness::{BOTH, Server, answer_in};

fn batch(channels: &[&str]) -> Value {
    channels
        .iter()
        .map(|channel| json!({"channels": [channel], "messages": {"id": "once", "name": "x"}}))
        .collect()
}

#[tokio::test]
async fn requests_for_several_channels_are_met_as_a_whole_and_no_others() {
    let server = Server::start().await;
    let fault =
        json!({"kind": "error", "status": 413, "code": 40009, "transport": "rest-batch", "channel": "job:*"});
    let id = server.fault(&fault).await;
    for alone in [batch(&["job:1"]), batch(&["job:1", "job:1"]), batch(&["a", "b"])] {
        assert_eq!(server.post("/messages", &alone).await.0, 201, "{alone}");
    }
    server.publish("job:1", &json!({"name": "single"})).await;
    server.fired(&id, 0).await;
    let (status, body) = server.post("/messages", &batch(&["a", "job:2"])).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (413, &json!(40009)));
    assert!(server.stored("job:2").await.is_empty());
    server.fired(&id, 1).await;
}

#[tokio::test]
async fn one_part_is_refused_and_the_others_are_published() {
    for format in BOTH {
        let server = Server::start().await;
        let fault =
            json!({"kind": "error", "code": 42913, "transport": "rest-part", "channel": "b", "times": 1});
        let id = server.fault(&fault).await;
        server.publish("b", &json!({"name": "single"})).await;
        let (status, body) = server.post_in(format, "/messages", &batch(&["a", "b", "c"])).await;
        assert_eq!(status, 201);
        let counts: Vec<_> = body.as_array().unwrap().iter().map(|one| &one["successCount"]).collect();
        assert_eq!(counts, [1, 0, 1]);
        let refused = &body[1]["results"][0];
        assert_eq!((&refused["channel"], &refused["error"]["code"]), (&json!("b"), &json!(42913)));
        assert_eq!(refused["error"]["statusCode"], 429);
        assert_eq!(server.fired(&id, 1).await["over"], true);
        let stored =
            (server.stored("a").await.len(), server.stored("b").await, server.stored("c").await.len());
        assert_eq!(stored, (1, vec!["single".to_owned()], 1));
        // What is sent again is one message with what was published before.
        let (_, body) = server.post_in(format, "/messages", &batch(&["a", "b", "c"])).await;
        assert!(body.as_array().unwrap().iter().all(|one| one["failureCount"] == 0), "{body}");
        assert_eq!(server.stored("b").await, ["single", "x"]);
        assert_eq!(server.stored("c").await, ["x"]);
    }
}

#[tokio::test]
async fn a_part_may_be_stored_and_its_publisher_told_that_it_failed() {
    let server = Server::start().await;
    server.fault(&json!({"kind": "error", "transport": "rest-part", "stored": true, "times": 1})).await;
    let (_, body) = server.post("/messages", &batch(&["a", "b"])).await;
    assert_eq!(
        (&body[0]["results"][0]["error"]["code"], &body[1]["failureCount"]),
        (&json!(50000), &json!(0))
    );
    assert_eq!(server.stored("a").await, ["x"]);
}

#[tokio::test]
async fn what_was_there_before_is_met_as_ever_and_parts_are_met_by_name_alone() {
    let server = Server::start().await;
    server.fault(&json!({"kind": "error", "status": 503, "transport": "rest", "times": 1})).await;
    server.fault(&json!({"kind": "error", "status": 502, "times": 1})).await;
    for status in [503, 502, 201] {
        let (answered, body) = server.post("/messages", &batch(&["a", "b"])).await;
        assert_eq!(answered, status, "{body}");
    }
}

#[tokio::test]
async fn an_older_version_is_told_of_the_part_in_its_own_form() {
    let server = Server::start().await;
    server.fault(&json!({"kind": "error", "transport": "rest-part", "channel": "b"})).await;
    let request = server.request(reqwest::Method::POST, "/messages").header("x-ably-version", "2");
    let (status, body) = answer_in(BOTH[0], request, &batch(&["a", "b"])).await;
    assert_eq!((status, &body["error"]["code"]), (400, &json!(40020)));
    assert_eq!(body["batchResponse"][1]["error"]["code"], 50000);
}
