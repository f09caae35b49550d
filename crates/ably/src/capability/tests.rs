//! The contract's rules, one by one, and as properties.

use proptest::prelude::*;

use super::*;

fn pattern(text: &str) -> ChannelPattern {
    ChannelPattern::parse(text).unwrap()
}

#[test]
fn every_operation_has_its_wire_name() {
    for operation in Operation::ALL {
        assert_eq!(Operation::parse(operation.as_str()), Ok(*operation));
        assert_eq!(serde_json::to_value(operation).unwrap(), operation.as_str());
    }
    let mut sorted = Operation::ALL.to_vec();
    sorted.sort_by_key(|operation| operation.as_str());
    assert_eq!(sorted, Operation::ALL);
}

#[test]
fn a_pattern_covers_what_ably_says() {
    for (resource, channel, covered) in [
        ("a", "a", true),
        ("a", "b", false),
        ("a", "a:b", false),
        ("a:*", "a:b", true),
        ("a:*", "a:b:c", true),
        ("a:*", "a", false),
        ("a:*", "b:c", false),
        ("*", "a", true),
        ("*", "a:b:c", true),
        ("*:b", "a:b", true),
        ("*:b", "a:c:b", false),
        ("a:*:c", "a:b:c", true),
        ("a:*:c", "a:b:b:c", false),
        ("a:*:*", "a:b", false),
        ("a:*:*", "a:b:c", true),
        ("a:*:*", "a:b:c:d", true),
        ("foo*", "foobar", false),
        ("foo*", "foo*", true),
        ("*", "[meta]log", false),
        ("*", "[queue]x", false),
        ("[meta]*", "[meta]log", true),
        ("[meta]*", "log", false),
        ("[meta]log", "[meta]log", true),
        ("[*]*", "[meta]log", true),
        ("[*]*", "a:b", true),
        ("a", "[?rewind=1]a", true),
        ("*", "[?rewind=1]a:b", true),
        ("*", "[filter=x]a", true),
        ("[meta]*", "[meta?x=1]log", true),
    ] {
        assert_eq!(pattern(resource).covers(channel), covered, "{resource} covers {channel}");
    }
}

#[test]
fn patterns_intersect_where_both_cover() {
    for (a, b, both) in [
        ("a", "a", Some("a")),
        ("a", "b", None),
        ("*", "a:b", Some("a:b")),
        ("a:*", "*:b", Some("a:b")),
        ("a:*", "a:*:c", Some("a:*:c")),
        ("*", "*:c", Some("*:c")),
        ("a:*", "a", None),
        ("a:*:*", "a:*", Some("a:*:*")),
        ("*:c", "a:b:c", None),
        ("[*]*", "a", Some("a")),
        ("[*]*", "[meta]*", Some("[meta]*")),
        ("*", "[meta]*", None),
    ] {
        assert_eq!(pattern(a).intersect(&pattern(b)), both.map(pattern), "{a} and {b}");
        assert_eq!(pattern(b).intersect(&pattern(a)), both.map(pattern), "{b} and {a}");
    }
}

#[test]
fn a_capability_that_ably_refuses_is_an_error() {
    for (text, error) in [
        ("", CapabilityError::Shape),
        ("[]", CapabilityError::Shape),
        (r#"{"a":"subscribe"}"#, CapabilityError::Shape),
        (r#"{"a":[1]}"#, CapabilityError::Shape),
        ("{}", CapabilityError::Empty),
        (r#"{"":["subscribe"]}"#, CapabilityError::NoChannel),
        (r#"{"a":[]}"#, CapabilityError::NoOperation),
        (r#"{"a":["*","subscribe"]}"#, CapabilityError::MixedWildcard),
        (r#"{"a":["fly"]}"#, CapabilityError::UnknownOperation("fly".into())),
    ] {
        assert_eq!(Capability::parse(text), Err(error), "{text}");
    }
}

#[test]
fn canonical_text_is_sorted_and_the_given_order_is_kept_beside_it() {
    let capability = Capability::parse(
        r#"{"job:42:location":["subscribe","history"], "driver:7":["publish","presence"]}"#,
    )
    .unwrap();
    assert_eq!(
        capability.to_string(),
        r#"{"driver:7":["presence","publish"],"job:42:location":["history","subscribe"]}"#
    );
    assert_eq!(
        capability.as_given(),
        r#"{"driver:7":["publish","presence"],"job:42:location":["subscribe","history"]}"#
    );
}

#[test]
fn a_tokens_rights_are_the_intersection_with_the_keys() {
    let key = Capability::parse(r#"{"chat:*":["publish","subscribe"],"status":["*"]}"#).unwrap();
    let intersect = |asked: &str| {
        Capability::parse(asked).unwrap().intersect(&key).map(|capability| capability.as_given())
    };
    assert_eq!(intersect(r#"{"chat:a":["subscribe"]}"#).as_deref(), Some(r#"{"chat:a":["subscribe"]}"#));
    assert_eq!(intersect(r#"{"chat:a":["*"]}"#).as_deref(), Some(r#"{"chat:a":["publish","subscribe"]}"#));
    assert_eq!(
        intersect(r#"{"*":["subscribe","publish"]}"#).as_deref(),
        Some(r#"{"chat:*":["subscribe","publish"],"status":["subscribe","publish"]}"#)
    );
    let key_itself = r#"{"chat:*":["publish"],"chat:a":["presence","publish"]}"#;
    let key_itself = Capability::parse(key_itself).unwrap();
    assert_eq!(key_itself.intersect(&key_itself), Some(key_itself));
    assert_eq!(intersect(r#"{"other":["*"]}"#), None);
    assert_eq!(intersect(r#"{"chat:a":["history"]}"#), None);
}

#[test]
fn everything_is_everything() {
    assert!(Capability::everything().allows("[meta]log", Operation::Stats));
    assert!(Capability::everything().allows("a:b", Operation::Publish));
}

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![Just("*".to_owned()), "[abc]", Just("a*".to_owned()), Just(String::new())]
}

fn name(segment: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let qualifier = prop_oneof![6 => Just(""), 1 => Just("[meta]"), 1 => Just("[*]")];
    (qualifier, prop::collection::vec(segment, 1..5))
        .prop_map(|(qualifier, segments)| format!("{qualifier}{}", segments.join(":")))
        .prop_filter("not empty", |name| !name.is_empty())
}

fn channel() -> impl Strategy<Value = String> {
    name("[abc]".prop_map(|segment| segment)).prop_map(|name| name.replace("[*]", "[queue]"))
}

fn operations() -> impl Strategy<Value = Operations> {
    prop_oneof![
        1 => Just(Operations::All),
        4 => prop::collection::vec(prop::sample::select(Operation::ALL), 1..4)
            .prop_filter_map("not empty", Operations::new),
    ]
}

fn capability() -> impl Strategy<Value = Capability> {
    prop::collection::vec((name(segment()).prop_map(|name| pattern(&name)), operations()), 1..5)
        .prop_filter_map("not empty", Capability::from_grants)
}

/// The rule in its plainest form, to hold the matcher against: expand a trailing wildcard to as many as are needed.
fn covers_by_the_book(resource: &str, channel: &str) -> bool {
    let split = |text: &str| match text.split_once(']') {
        Some((qualifier, name)) => (format!("{qualifier}]"), name.to_owned()),
        None => (String::new(), text.to_owned()),
    };
    let ((wanted_qualifier, wanted), (qualifier, given)) = (split(resource), split(channel));
    if wanted_qualifier != "[*]" && wanted_qualifier != qualifier {
        return false;
    }
    let mut wanted: Vec<_> = wanted.split(':').collect();
    let given: Vec<_> = given.split(':').collect();
    while wanted.last() == Some(&"*") && wanted.len() < given.len() {
        wanted.push("*");
    }
    wanted.len() == given.len() && wanted.iter().zip(&given).all(|(want, have)| *want == "*" || want == have)
}

proptest! {
    #[test]
    fn covering_is_what_the_book_says(resource in name(segment()), channel in channel()) {
        prop_assert_eq!(pattern(&resource).covers(&channel), covers_by_the_book(&resource, &channel));
    }

    #[test]
    fn the_intersection_covers_exactly_what_both_cover(
        a in name(segment()), b in name(segment()), channel in channel(),
    ) {
        let both = pattern(&a).covers(&channel) && pattern(&b).covers(&channel);
        let intersection = pattern(&a).intersect(&pattern(&b));
        prop_assert_eq!(intersection.is_some_and(|i| i.covers(&channel)), both);
    }

    #[test]
    fn a_token_may_do_what_it_asked_for_and_the_key_may(
        asked in capability(), key in capability(), channel in channel(),
        operation in prop::sample::select(Operation::ALL),
    ) {
        let both = asked.allows(&channel, operation) && key.allows(&channel, operation);
        let token = asked.intersect(&key);
        prop_assert_eq!(token.is_some_and(|token| token.allows(&channel, operation)), both);
    }

    #[test]
    fn what_is_allowed_is_what_operations_on_lists(
        capability in capability(), channel in channel(), operation in prop::sample::select(Operation::ALL),
    ) {
        let listed = capability.operations_on(&channel).is_some_and(|operations| operations.allow(operation));
        prop_assert_eq!(listed, capability.allows(&channel, operation));
    }

    #[test]
    fn texts_parse_back(capability in capability()) {
        prop_assert_eq!(Capability::parse(&capability.as_given()), Ok(capability.clone()));
        let canonical = capability.to_string();
        prop_assert_eq!(Capability::parse(&canonical).unwrap().to_string(), canonical);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".*") {
        let _ = Capability::parse(&text);
    }
}
