use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn driver() -> UserId {
    UserId::parse("driver-1").unwrap()
}

fn parse(body: impl AsRef<[u8]>) -> Result<Post, PostError> {
    Post::parse(body.as_ref(), Sender::Driver(&driver()), None)
}

fn invalid(field: Field, reason: Reason) -> PostError {
    PostError::Invalid(Rejection::of(field, reason))
}

/// The ids of the fixes of a post, in order.
fn ids(post: &Post) -> Vec<Option<&str>> {
    fn id(entry: &Entry) -> Option<&str> {
        match entry {
            Entry::Fix(fix) => fix.id().map(DedupeId::as_str),
            Entry::Bad(_) => None,
        }
    }
    post.entries.iter().map(id).collect()
}

#[test]
fn a_single_fix_is_a_post_of_one() {
    let post = parse(" \n{\"lat\":1,\"lng\":2,\"wifi\":\"x\"}\n ").unwrap();
    assert_eq!(post.driver, driver());
    assert_eq!(
        serde_json::to_value(&post.entries).unwrap(),
        json!([{"fix": [null, 1.0, 2.0, null, null, null, null, null]}])
    );
}

#[test]
fn a_bad_single_fix_is_an_error_that_names_the_field() {
    assert_eq!(parse(r#"{"lat":91,"lng":2}"#), Err(invalid(Field::Lat, Reason::OutOfRange)));
    assert_eq!(parse(r#"{"lng":2}"#), Err(invalid(Field::Lat, Reason::Required)));
    assert_eq!(parse("{}"), Err(invalid(Field::Lat, Reason::Required)));
}

#[test]
fn a_bad_fix_in_a_batch_leaves_its_neighbours_alone() {
    let post = parse(
        r#"{"lat":"ignored","locations":[{"lat":1,"lng":1},{"lat":1e400,"lng":1},7,null,[],"x",
            {"lat":1,"lat":1,"lng":1},{"lat":2,"lng":2,"id":9},{"lat":3,"lng":3}]}"#,
    )
    .unwrap();
    assert_eq!(
        serde_json::to_value(&post.entries).unwrap(),
        json!([
            {"fix": [null, 1.0, 1.0, null, null, null, null, null]},
            {"bad": {"field": "lat", "reason": "out_of_range"}},
            {"bad": {"reason": "not_an_object"}},
            {"bad": {"reason": "not_an_object"}},
            {"bad": {"reason": "not_an_object"}},
            {"bad": {"reason": "not_an_object"}},
            {"bad": {"field": "lat", "reason": "repeated"}},
            {"bad": {"field": "id", "reason": "wrong_type"}},
            {"fix": [null, 3.0, 3.0, null, null, null, null, null]},
        ])
    );
}

#[test]
fn a_batch_has_from_1_to_100_entries() {
    let batch = |n: usize| json!({"locations": vec![json!({"lat": 1, "lng": 1}); n]}).to_string();
    assert_eq!(parse(batch(0)), Err(PostError::Empty));
    assert_eq!(parse(batch(1)).unwrap().entries.len(), 1);
    assert_eq!(parse(batch(100)).unwrap().entries.len(), 100);
    assert_eq!(parse(batch(101)), Err(PostError::TooMany));
    assert_eq!(parse(r#"{"locations":{}}"#), Err(invalid(Field::Locations, Reason::WrongType)));
    assert_eq!(parse(r#"{"locations":"x"}"#), Err(invalid(Field::Locations, Reason::WrongType)));
    assert_eq!(parse(r#"{"locations":[],"locations":[]}"#), Err(invalid(Field::Locations, Reason::Repeated)));
    assert_eq!(parse(r#"{"locations":null,"lat":1,"lng":1}"#).unwrap().entries.len(), 1);
}

#[test]
fn what_is_not_one_json_object_is_refused() {
    let not_an_object = Err(PostError::Invalid(Rejection::not_an_object()));
    for body in ["[]", "null", "7", "\"x\"", r#"[{"lat":1,"lng":1}]"#, "true"] {
        assert_eq!(parse(body), not_an_object, "{body}");
    }
    for body in [
        "",
        " ",
        "{",
        "{}x",
        r#"{"lat":1,"lng":1}{"lat":1,"lng":1}"#,
        r#"{"lat":1,"lng":1},"#,
        r#"{"lat":01,"lng":1}"#,
        r#"{"lat":NaN,"lng":1}"#,
        r#"{"lat":Infinity,"lng":1}"#,
        r#"{"lat":+1,"lng":1}"#,
        r#"{"lat":0x1,"lng":1}"#,
        r#"{"lat":.5,"lng":1}"#,
        r#"{'lat':1,"lng":1}"#,
        r#"{"lat":1,"lng":1,}"#,
        r#"{"locations":[{"lat":1,"lng":1},]}"#,
        r#"{"locations":[{"lat":NaN,"lng":1}]}"#,
        "lat=1&lng=1",
        "<gpx/>",
        "{\"lat\":1,\"lng\":1,\"id\":\"a\nb\"}",
    ] {
        assert!(matches!(parse(body), Err(PostError::NotJson { .. })), "{body}: {:?}", parse(body));
    }
    assert_eq!(parse(b"{\"lat\":1,\"lng\":1,\"x\":\"\xff\"}"), Err(PostError::NotUtf8));
    assert_eq!(parse([0xff, 0xfe, b'{', 0]), Err(PostError::NotUtf8));
    for rest in ["{\"lat\":1,\"lng\":1}", "", "7"] {
        assert_eq!(parse(format!("\u{feff}{rest}")), Err(PostError::ByteOrderMark));
    }
}

#[test]
fn a_body_has_at_most_64_kib() {
    let padded = |len: usize| {
        let fix = r#"{"lat":1,"lng":1}"#;
        fix.to_owned() + &" ".repeat(len - fix.len())
    };
    assert!(parse(padded(64 * 1024)).is_ok());
    assert_eq!(parse(padded(64 * 1024 + 1)), Err(PostError::TooLarge));
}

#[test]
fn nesting_cannot_exhaust_the_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let depth = 60_000 / (open.len() + close.len());
        let nested = open.repeat(depth) + "1" + &close.repeat(depth);
        let Err(_) = parse(&nested) else { panic!("not a fix") };
        let Err(_) = parse(open.repeat(depth)) else { panic!("not JSON") };
        let post = parse(format!(r#"{{"lat":1,"lng":1,"x":{nested}}}"#)).unwrap();
        assert!(matches!(post.entries[..], [Entry::Fix(_)]));
        let post = parse(format!(r#"{{"locations":[{{"lat":{nested},"lng":1}}]}}"#)).unwrap();
        assert_eq!(post.entries, [Entry::Bad(Rejection::of(Field::Lat, Reason::WrongType))]);
    }
}

#[test]
fn an_idempotency_key_names_the_fixes_that_have_no_id() {
    let key = FixId::parse("k".repeat(64)).unwrap();
    let with_key = |body: &str| Post::parse(body.as_bytes(), Sender::Driver(&driver()), Some(&key)).unwrap();
    let numbered = |index: usize| format!("{key}\n{index}");
    let single = with_key(r#"{"lat":1,"lng":1}"#);
    assert_eq!(ids(&single), [Some(numbered(0).as_str())]);
    let batch = with_key(
        r#"{"locations":[{"lat":1,"lng":1},7,{"lat":1,"lng":1,"id":"own"},{"lat":1,"lng":1,"id":null}]}"#,
    );
    assert_eq!(ids(&batch), [Some(numbered(0).as_str()), None, Some("own"), Some(numbered(3).as_str())]);
}

#[test]
fn the_phones_clock_stands_beside_the_fixes() {
    for (body, sent_at) in [
        (r#"{"lat":1,"lng":1}"#, None),
        (r#"{"lat":1,"lng":1,"sentAt":null}"#, None),
        (r#"{"lat":1,"lng":1,"sentAt":1626854794444.9}"#, Some(1_626_854_794_444)),
        (
            r#"{"locations":[{"lat":1,"lng":1,"sentAt":7}],"sentAt":"2021-07-21T10:06:34.444+0200"}"#,
            Some(1_626_854_794_444),
        ),
    ] {
        let post = parse(body).unwrap();
        assert_eq!(post.sent_at, sent_at, "{body}");
        assert!(matches!(post.entries[..], [Entry::Fix(_)]));
    }
    for (sent_at, reason) in [
        ("1626854794", Reason::InSeconds),
        ("\"now\"", Reason::NotATime),
        ("1e400", Reason::OutOfRange),
        ("1e15", Reason::OutOfRange),
        ("true", Reason::WrongType),
        ("{}", Reason::WrongType),
    ] {
        for post in [r#""lat":1,"lng":1"#, r#""locations":[{"lat":1,"lng":1}]"#] {
            let error = parse(format!(r#"{{{post},"sentAt":{sent_at}}}"#)).unwrap_err();
            assert_eq!(error, PostError::SentAt(Rejection::of(Field::SentAt, reason)), "{sent_at}");
            assert_eq!((error.field(), error.reason()), (Some(Field::SentAt), reason.code()));
        }
    }
    let twice = parse(r#"{"lat":1,"lng":1,"sentAt":1,"sentAt":1}"#);
    assert_eq!(twice, Err(invalid(Field::SentAt, Reason::Repeated)));
}

#[test]
fn a_driver_cannot_post_for_another() {
    for body in [r#"{"lat":1,"lng":1,"driver":"driver-2"}"#, r#"{"lat":1,"lng":1,"driver":7}"#] {
        assert_eq!(parse(body).unwrap().driver, driver(), "{body}");
    }
}

#[test]
fn a_back_end_says_whose_fixes_these_are() {
    let parse = |body: &str| Post::parse(body.as_bytes(), Sender::Service, None);
    let post = parse(r#"{"locations":[{"lat":1,"lng":1,"driver":"x"}],"driver":"auth0|2"}"#).unwrap();
    assert_eq!(post.driver.as_str(), "auth0|2");
    assert_eq!(parse(r#"{"driver":"d","lat":1,"lng":1}"#).unwrap().driver.as_str(), "d");
    for (body, reason) in [
        (r#"{"lat":1,"lng":1}"#, Reason::Required),
        (r#"{"lat":1,"lng":1,"driver":null}"#, Reason::Required),
        (r#"{"lat":1,"lng":1,"driver":7}"#, Reason::WrongType),
        (r#"{"lat":1,"lng":1,"driver":"a:b"}"#, Reason::InvalidId),
        (r#"{"lat":1,"lng":1,"driver":""}"#, Reason::InvalidId),
        (r#"{"lat":1,"lng":1,"driver":"a","driver":"b"}"#, Reason::Repeated),
        (r#"{"locations":[{"lat":1,"lng":1,"driver":"x"}]}"#, Reason::Required),
    ] {
        assert_eq!(parse(body), Err(invalid(Field::Driver, reason)), "{body}");
    }
}

#[test]
fn what_real_phones_send_is_read() {
    // An iPhone's CLLocation and expo's coords, in our names: -1 and null where the phone does not know.
    let post = parse(
        r#"{"locations":[
            {"lat":37.3318,"lng":-122.030581,"speed":-1,"heading":-1,"accuracy":30,"altitude":0,
             "capturedAt":"2015-10-01T08:00:00-0700","motion":["driving","stationary"],"battery_level":0.80,"wifi":""},
            {"lat":-6.1148096,"lng":106.6837015,"accuracy":3.8,"speed":18.67,"speed_accuracy":0.26,"heading":63,
             "altitude":35.7,"capturedAt":"2021-07-21T08:06:34.444Z","id":"0e9a2473-a9a7-4c00-997b-fb97d2154e75"},
            {"lat":-33.7714165,"lng":150.7719527,"accuracy":12.47,"altitude":null,"heading":null,"speed":null,
             "capturedAt":1749116638916.0002,"mocked":false}
        ]}"#,
    )
    .unwrap();
    assert_eq!(
        serde_json::to_value(&post.entries).unwrap(),
        json!([
            {"fix": [1_443_711_600_000_i64, 37.3318, -122.030581, null, null, null, 30.0, 0.0]},
            {"fix": [1_626_854_794_444_i64, -6.1148096, 106.6837015, "0e9a2473-a9a7-4c00-997b-fb97d2154e75",
                     18.67, 63.0, 3.8, 35.7]},
            {"fix": [1_749_116_638_916_i64, -33.7714165, 150.7719527, null, null, null, 12.47, null]},
        ])
    );
}

#[test]
fn errors_quote_nothing() {
    for body in
        [r#"{"lat":"hush","lng":1}"#, r#"{"lat":1,"lng":1,"id":"hush…"}"#, r#"{"hush"}"#, r#"{"lat":hush}"#]
    {
        let words = parse(body).unwrap_err().to_string();
        assert!(!words.contains("hush"), "{words}");
    }
}

/// Any JSON, shallow.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        any::<i64>().prop_map(Value::from),
        ".{0,10}".prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "lat",
        "lng",
        "speed",
        "heading",
        "accuracy",
        "altitude",
        "capturedAt",
        "id",
        "locations",
        "driver",
        "sentAt",
        "other",
    ]);
    leaf.prop_recursive(3, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(name.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(bytes);
    }

    #[test]
    fn no_json_makes_it_panic_and_every_entry_is_answered(value in any_json()) {
        let entries = value.get("locations").and_then(Value::as_array).map(Vec::len);
        match parse(value.to_string()) {
            Ok(post) => prop_assert_eq!(post.entries.len(), entries.unwrap_or(1)),
            Err(error) => prop_assert!(
                matches!(error, PostError::Invalid(_) | PostError::SentAt(_) | PostError::Empty),
                "{}", error
            ),
        }
    }

    #[test]
    fn a_broken_body_does_not_make_it_panic(at in 0..200_usize, byte: u8, cut: bool) {
        let mut body = br#"{"locations":[{"lat":1.5,"lng":-2.5,"speed":-1,"capturedAt":"2021-07-21T08:06:34.444Z","id":"a"},{"lat":1e1,"lng":null,"heading":360}],"driver":"d"}"#.to_vec();
        let at = at % body.len();
        if cut { body.truncate(at) } else { body[at] = byte }
        let _ = parse(&body);
        let _ = Post::parse(&body, Sender::Service, None);
    }

    #[test]
    fn a_post_survives_the_way_to_the_object(value in any_json()) {
        if let Ok(post) = parse(json!({"locations": [value, {"lat": 0.1, "lng": 1e-7}]}).to_string()) {
            let text = serde_json::to_string(&post).unwrap();
            prop_assert_eq!(serde_json::from_str::<Post>(&text).unwrap(), post);
        }
    }
}
