use serde_json::{Value, json};

use crate::harness::{BOTH, Format, KEY, Server};

const PRESENCE: u64 = 1 << 16;
const PUBLISH: u64 = 1 << 17;
const SUBSCRIBE: u64 = 1 << 18;
const PRESENCE_SUBSCRIBE: u64 = 1 << 19;
const ANNOTATION_PUBLISH: u64 = 1 << 21;
const ANNOTATION_SUBSCRIBE: u64 = 1 << 22;
const OBJECT_SUBSCRIBE: u64 = 1 << 24;
const OBJECT_PUBLISH: u64 = 1 << 25;
const DEFAULT: u64 = PRESENCE | PUBLISH | SUBSCRIBE | PRESENCE_SUBSCRIBE | ANNOTATION_PUBLISH;
const HAS_BACKLOG: u64 = 1 << 1;
const RESUMED: u64 = 1 << 2;
const ATTACH_RESUME: u64 = 1 << 5;

fn flags(attached: &Value) -> u64 {
    attached["flags"].as_u64().unwrap()
}

#[tokio::test]
async fn attached_tells_the_effective_modes_and_always_a_channel_serial() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        let attached = socket.attach("a").await;
        assert_eq!((&attached["channel"], flags(&attached)), (&json!("a"), DEFAULT));
        assert!(attached["channelSerial"].is_string() && attached.get("params").is_none());
    }
}

#[tokio::test]
async fn each_operation_allows_its_own_modes() {
    let server = Server::start().await;
    let all = DEFAULT | ANNOTATION_SUBSCRIBE | OBJECT_SUBSCRIBE | OBJECT_PUBLISH;
    for (operation, modes) in [
        ("subscribe", SUBSCRIBE | PRESENCE_SUBSCRIBE),
        ("publish", PUBLISH),
        ("presence", PRESENCE),
        ("annotation-publish", ANNOTATION_PUBLISH),
        ("annotation-subscribe", ANNOTATION_SUBSCRIBE),
        ("object-subscribe", OBJECT_SUBSCRIBE),
        ("object-publish", OBJECT_PUBLISH),
        ("*", all),
    ] {
        let (mut socket, _) = server.connect_able(Format::Json, &json!({"a": [operation]})).await;
        let attached = socket.attach_with(json!({"channel": "a", "flags": all})).await;
        assert_eq!(flags(&attached), modes, "{operation}");
    }
    for operation in ["history", "channel-metadata", "stats"] {
        let (mut socket, _) = server.connect_able(Format::Json, &json!({"a": [operation]})).await;
        socket.send(json!({"action": 10, "channel": "a"})).await;
        assert_eq!(socket.expect_error(9).await, (40160, 401), "{operation}");
    }
}

#[tokio::test]
async fn modes_by_params_beat_modes_by_flags() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        let by_flags = socket.attach_with(json!({"channel": "a", "flags": PUBLISH | ATTACH_RESUME})).await;
        assert_eq!(flags(&by_flags), PUBLISH);
        let params = json!({"modes": "subscribe,presence"});
        let by_params = socket.attach_with(json!({"channel": "b", "flags": PUBLISH, "params": params})).await;
        assert_eq!((flags(&by_params), &by_params["params"]), (SUBSCRIBE | PRESENCE, &params));
    }
}

#[tokio::test]
async fn only_recognised_params_are_echoed_as_text() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        let params =
            json!({"rewind": 1, "rewindLimit": 5, "delta": "vcdiff", "agent": "x/1", "what": "ever"});
        let attached = socket.attach_with(json!({"channel": "a", "params": params})).await;
        assert_eq!(attached["params"], json!({"rewind": "1", "rewindLimit": "5", "delta": "vcdiff"}));
    }
}

#[tokio::test]
async fn attaching_again_changes_the_attachment_in_place() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut socket, _) = server.connect(format).await;
        let first = socket.attach(channel).await;
        server.post(&format!("/channels/{channel}/messages"), &json!({"data": "1"})).await;
        socket.expect(15).await;
        let again = json!({
            "channel": channel, "flags": SUBSCRIBE, "params": {"rewind": 1}, "channelSerial": first["channelSerial"],
        });
        let attached = socket.attach_with(again).await;
        assert_eq!(flags(&attached), SUBSCRIBE | RESUMED, "no backlog");
        socket.expect_nothing().await;
    }
}

#[tokio::test]
async fn attaching_again_as_for_the_first_time_rewinds_unless_anything_has_come() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        server.post(&format!("/channels/{channel}/messages"), &json!({"data": "1"})).await;
        let (mut socket, _) = server.connect(format).await;
        let rewinding = json!({"action": 10, "channel": channel, "params": {"rewind": 1}});
        socket.send(json!({"action": 10, "channel": channel})).await;
        socket.send(rewinding.clone()).await;
        assert_eq!(flags(&socket.expect(11).await), DEFAULT);
        assert_eq!(flags(&socket.expect(11).await) & (HAS_BACKLOG | RESUMED), HAS_BACKLOG | RESUMED);
        assert_eq!(socket.expect(15).await["messages"][0]["data"], "1");

        assert_eq!(flags(&socket.attach_with(rewinding.clone()).await), DEFAULT | RESUMED);
        let mut changing = rewinding;
        changing["flags"] = (SUBSCRIBE | ATTACH_RESUME).into();
        assert_eq!(flags(&socket.attach_with(changing).await), SUBSCRIBE | RESUMED);
        socket.expect_nothing().await;

        let (mut listener, _) = server.connect(format).await;
        listener.attach(channel).await;
        server.post(&format!("/channels/{channel}/messages"), &json!({"data": "2"})).await;
        assert_eq!(listener.expect(15).await["messages"][0]["data"], "2");
        let rewinding = json!({"channel": channel, "params": {"rewind": 1}});
        assert_eq!(flags(&listener.attach_with(rewinding).await), DEFAULT | RESUMED);
        listener.expect_nothing().await;
    }
}

#[tokio::test]
async fn rewind_applies_again_after_a_detach_and_yields_to_a_serial_and_to_attach_resume() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let (mut socket, _) = server.connect(format).await;
        let rewinding = json!({"channel": channel, "params": {"rewind": "1m", "rewindLimit": "1"}});
        let empty = socket.attach_with(rewinding.clone()).await;
        assert_eq!(flags(&empty), DEFAULT, "no HAS_BACKLOG without one");
        let detach = json!({"action": 12, "channel": channel});
        socket.send(detach.clone()).await;
        socket.expect_detached(channel).await;
        for data in ["1", "2"] {
            server.post(&format!("/channels/{channel}/messages"), &json!({"data": data})).await;
        }
        for _ in 0..2 {
            let attached = socket.attach_with(rewinding.clone()).await;
            assert_eq!(flags(&attached) & (HAS_BACKLOG | RESUMED), HAS_BACKLOG);
            assert_eq!(socket.expect(15).await["messages"][0]["data"], "2");
            socket.send(detach.clone()).await;
            socket.expect_detached(channel).await;
        }
        let mut resuming = rewinding.clone();
        resuming["flags"] = ATTACH_RESUME.into();
        assert_eq!(flags(&socket.attach_with(resuming).await), DEFAULT);
        socket.expect_nothing().await;
        socket.send(detach).await;
        socket.expect_detached(channel).await;
        let mut by_serial = rewinding;
        by_serial["channelSerial"] = empty["channelSerial"].clone();
        assert_eq!(
            flags(&socket.attach_with(by_serial).await) & (HAS_BACKLOG | RESUMED),
            HAS_BACKLOG | RESUMED
        );
        for data in ["1", "2"] {
            assert_eq!(socket.expect(15).await["messages"][0]["data"], data);
        }
    }
}

#[tokio::test]
async fn a_rewind_brings_100_messages_at_most() {
    let server = Server::start().await;
    let messages: Vec<_> = (0..150).map(|index| json!({"data": index.to_string()})).collect();
    server.post("/channels/a/messages", &json!(messages)).await;
    let (mut socket, _) = server.connect(Format::Json).await;
    for rewind in ["1000", "2m"] {
        let name = format!("[?rewind={rewind}]a");
        socket.attach(&name).await;
        let frame = socket.expect(15).await;
        let rewound = frame["messages"].as_array().unwrap();
        assert_eq!((rewound.len(), &rewound[0]["data"]), (100, &json!("50")));
    }
}

#[tokio::test]
async fn a_meta_channel_is_another_and_needs_a_capability_of_its_own() {
    let server = Server::start().await;
    let (mut socket, _) = server.connect_able(Format::Json, &json!({"*": ["*"]})).await;
    socket.send(json!({"action": 10, "channel": "[meta]log"})).await;
    assert_eq!(socket.expect_error(9).await, (40160, 401));
    let (mut socket, _) = server.connect_able(Format::Json, &json!({"[*]*": ["*"]})).await;
    socket.attach("[meta]log").await;
    socket.attach("log").await;
    server.post("/channels/log/messages", &json!({"data": "x"})).await;
    assert_eq!(socket.expect(15).await["channel"], "log", "`[*]*` matches plain names too");
    socket.expect_nothing().await;
}

#[tokio::test]
async fn a_filter_is_refused_by_name() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        let name = "[filter=bmFtZSA9PSBgeGA]a";
        socket.send(json!({"action": 10, "channel": name})).await;
        let error = socket.expect(9).await;
        assert_eq!((&error["channel"], &error["error"]["code"]), (&json!(name), &json!(40010)));
        assert!(error["error"]["message"].as_str().unwrap().contains("filter"));
    }
}

#[tokio::test]
async fn an_error_with_a_channel_never_ends_the_connection() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect_with(format, &format!("key={KEY}")).await;
        for frame in [
            json!({"action": 10}),
            json!({"action": 10, "channel": ":"}),
            json!({"action": 10, "channel": "a", "params": {"rewind": "soon"}}),
            json!({"action": 10, "channel": "a", "params": {"rewindLimit": "few"}}),
            json!({"action": 10, "channel": "a", "params": {"modes": "nonsense"}}),
        ] {
            socket.send(frame.clone()).await;
            let error = socket.expect(9).await;
            assert_eq!(error["channel"], frame["channel"].as_str().unwrap_or_default());
        }
        socket.attach("a").await;
    }
}

#[tokio::test]
async fn flags_that_are_no_modes_ask_for_the_default_modes() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        for (index, asked) in [0, 1, 2, 4, 16, ATTACH_RESUME, 128, 1 << 20, 1 << 40].into_iter().enumerate() {
            let attached = socket.attach_with(json!({"channel": format!("c{index}"), "flags": asked})).await;
            assert_eq!(flags(&attached), DEFAULT, "{asked}");
        }
    }
}

#[tokio::test]
async fn the_effective_modes_are_those_asked_for_that_the_capability_allows() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect_able(format, &json!({"a": ["subscribe", "presence"]})).await;
        for (asked, effective) in [
            (json!({}), SUBSCRIBE | PRESENCE_SUBSCRIBE | PRESENCE),
            (json!({"flags": PUBLISH | SUBSCRIBE}), SUBSCRIBE),
            (json!({"params": {"modes": "PRESENCE,publish"}}), PRESENCE),
            (json!({"params": {"modes": "presence_subscribe"}, "flags": PUBLISH}), PRESENCE_SUBSCRIBE),
        ] {
            let mut attach = asked;
            attach["channel"] = "a".into();
            let attached = socket.attach_with(attach.clone()).await;
            assert_eq!(flags(&attached) & !RESUMED, effective, "{attach}");
            socket.send(json!({"action": 12, "channel": "a"})).await;
            socket.expect_detached("a").await;
        }
        for refused in [
            json!({"flags": PUBLISH}),
            json!({"params": {"modes": "publish"}}),
            json!({"params": {"modes": "nonsense"}}),
        ] {
            let mut attach = refused;
            (attach["action"], attach["channel"]) = (10.into(), "a".into());
            socket.send(attach).await;
            let error = socket.expect(9).await;
            assert_eq!(
                (&error["channel"], &error["error"]["code"], &error["error"]["statusCode"]),
                (&json!("a"), &json!(40160), &json!(401))
            );
        }
    }
}

#[tokio::test]
async fn rewind_by_seconds_and_a_limit_of_messages() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        for data in ["1", "2", "3"] {
            server.post(&format!("/channels/{channel}/messages"), &json!({"data": data})).await;
        }
        for (params, expected) in [
            (json!({"rewind": "60s"}), vec!["1", "2", "3"]),
            (json!({"rewind": "2m", "rewindLimit": "2"}), vec!["2", "3"]),
            (json!({"rewind": 3, "rewindLimit": 1}), vec!["3"]),
            (json!({"rewind": "0"}), vec![]),
            (json!({"rewind": "0s"}), vec![]),
            (json!({"rewindLimit": "1"}), vec![]),
        ] {
            let (mut socket, _) = server.connect(format).await;
            let attached = socket.attach_with(json!({"channel": channel, "params": params})).await;
            assert_eq!(flags(&attached) & HAS_BACKLOG != 0, !expected.is_empty(), "{params}");
            for data in expected {
                assert_eq!(socket.expect(15).await["messages"][0]["data"], data, "{params}");
            }
            socket.expect_nothing().await;
        }
    }
}

#[tokio::test]
async fn each_refusal_of_an_attach_has_its_code_and_status_and_the_channels_name() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect_able(format, &json!({"a": ["*"]})).await;
        for (channel, params, error) in [
            ("", json!({}), (40010, 400)),
            (":a", json!({}), (40010, 400)),
            (",a", json!({}), (40010, 400)),
            ("\u{a0}a", json!({}), (40010, 400)),
            ("a\r", json!({}), (40010, 400)),
            ("[x]a", json!({}), (40010, 400)),
            ("[meta]", json!({}), (40010, 400)),
            ("other", json!({}), (40160, 401)),
            ("a", json!({"rewind": "soon"}), (40000, 400)),
            ("[?rewind=soon]a", json!({}), (40000, 400)),
            ("a", json!({"rewind": ""}), (40000, 400)),
            ("a", json!({"occupancy": "all"}), (40000, 400)),
        ] {
            socket.send(json!({"action": 10, "channel": channel, "params": params})).await;
            let frame = socket.expect(9).await;
            assert_eq!(frame["channel"], channel, "exactly as it was sent");
            let told = (&frame["error"]["code"], &frame["error"]["statusCode"]);
            assert_eq!(told, (&json!(error.0), &json!(error.1)), "{channel:?} {params}");
        }
        socket.attach("a").await;
    }
}

#[tokio::test]
async fn a_channel_may_be_attached_and_detached_over_and_over() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        for frame in [10, 10, 12, 12, 10, 12, 10] {
            socket.send(json!({"action": frame, "channel": "a"})).await;
        }
        for expected in [(11, 0), (11, RESUMED), (13, 0), (13, 0), (11, 0), (13, 0), (11, 0)] {
            let frame = socket.receive().await;
            assert_eq!((&frame["action"], &frame["channel"]), (&json!(expected.0), &json!("a")));
            assert_eq!(frame["flags"].as_u64().unwrap_or(0) & RESUMED, expected.1);
        }
        server.post("/channels/a/messages", &json!({"data": "once"})).await;
        assert_eq!(socket.expect(15).await["messages"][0]["data"], "once");
        socket.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_qualified_name_and_the_plain_one_are_two_attachments_to_one_channel() {
    let server = Server::start().await;
    for format in BOTH {
        let (mut socket, _) = server.connect(format).await;
        let plain = format.name();
        let qualified = format!("[?rewind=1]{plain}");
        socket.attach(plain).await;
        socket.attach(&qualified).await;
        server.post(&format!("/channels/{plain}/messages"), &json!({"data": "x"})).await;
        let mut names =
            [socket.expect(15).await["channel"].clone(), socket.expect(15).await["channel"].clone()];
        names.sort_by_key(|name| name.as_str().map(str::len));
        assert_eq!(names, [json!(plain), json!(qualified)]);
        socket.send(json!({"action": 12, "channel": qualified})).await;
        assert_eq!(socket.expect(13).await["channel"], qualified);
        server.post(&format!("/channels/{plain}/messages"), &json!({"data": "y"})).await;
        assert_eq!(socket.expect(15).await["channel"], plain);
        socket.expect_nothing().await;
    }
}

#[tokio::test]
async fn own_messages_that_echo_hides_are_not_replayed_either() {
    let server = Server::start().await;
    for format in BOTH {
        let channel = format.name();
        let query = format!("key={KEY}&echo=false");
        let (mut socket, first) = server.connect_with(format, &query).await;
        let seen = socket.attach(channel).await["channelSerial"].clone();
        socket.publish(channel, 0, json!({"data": "own"})).await;
        let key = first["connectionDetails"]["connectionKey"].as_str().unwrap();
        socket.lose();
        let (mut socket, _) = server.connect_with(format, &format!("{query}&resume={key}")).await;
        let attached = socket.attach_with(json!({"channel": channel, "channelSerial": seen})).await;
        assert_eq!(flags(&attached) & (HAS_BACKLOG | RESUMED), RESUMED, "no backlog for this one");
        socket.expect_nothing().await;
    }
}
