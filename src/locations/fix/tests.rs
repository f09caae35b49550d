use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::locations::fix::json::Fields;

/// Reads one fix as a body's single fix or a batch's entry is read.
fn read(text: &str) -> Result<Fix, Rejection> {
    serde_json::from_str::<Fields<'_>>(text).unwrap().once_each()?.fix(|| None)
}

/// A fix with these fields besides `lat` and `lng`, or instead of them.
fn read_with(fields: Value) -> Result<Fix, Rejection> {
    let mut object = json!({"lat": 45.5, "lng": 13.5});
    object.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    read(&object.to_string())
}

fn text_of(fix: &Fix) -> String {
    serde_json::to_string(fix).unwrap()
}

#[test]
fn every_field_is_kept() {
    let fix = read(
        r#"{"lat":-33.7714165,"lng":150.7719527,"speed":0.636,"heading":228.2,"accuracy":12.47,"altitude":-63,
            "capturedAt":1749116638916,"id":"a b~"}"#,
    )
    .unwrap();
    assert_eq!(text_of(&fix), r#"[1749116638916,-33.7714165,150.7719527,"a b~",0.636,228.2,12.47,-63.0]"#);
}

#[test]
fn what_a_phone_does_not_know_is_absent() {
    for unknown in [
        json!({}),
        json!({"speed": null, "heading": null, "accuracy": null, "altitude": null, "capturedAt": null, "id": null}),
        json!({"speed": -1, "heading": -1, "accuracy": -1}),
        json!({"speed": -1.0, "heading": -0.001, "accuracy": -1e300}),
    ] {
        assert_eq!(text_of(&read_with(unknown).unwrap()), "[null,45.5,13.5,null,null,null,null,null]");
    }
}

#[test]
fn a_negative_altitude_is_a_place() {
    assert_eq!(read_with(json!({"altitude": -430.5})).unwrap().altitude(), Some(-430.5));
}

#[test]
fn numbers_have_one_form() {
    let fix =
        read(r#"{"lat":-0,"lng":-0.0,"speed":-0.0,"heading":-0e5,"accuracy":-0,"altitude":-0}"#).unwrap();
    assert_eq!(text_of(&fix), "[null,0.0,0.0,null,0.0,0.0,0.0,0.0]");
    for north in ["360", "360.0", "3.6e2", "0", "359.99999999999999999"] {
        let fix = read(&format!(r#"{{"lat":9e1,"lng":-1.80E+2,"heading":{north}}}"#)).unwrap();
        assert_eq!((fix.lat(), fix.lng(), fix.heading()), (90.0, -180.0, Some(0.0)), "{north}");
    }
}

#[test]
fn times_are_read_as_phones_write_them() {
    for (sent, at) in [
        (json!("2021-07-21T08:06:34.444Z"), 1_626_854_794_444),
        (json!("2021-07-21T08:06:34Z"), 1_626_854_794_000),
        (json!("2021-07-21t08:06:34z"), 1_626_854_794_000),
        (json!("2021-07-21T08:06Z"), 1_626_854_760_000),
        (json!("2021-07-21T10:06:34.444+02:00"), 1_626_854_794_444),
        (json!("2015-10-01T08:00:00-0700"), 1_443_711_600_000),
        (json!("2015-10-01T08:00:00-07"), 1_443_711_600_000),
        (json!("2021-07-21T08:06:34.444999999999Z"), 1_626_854_794_444),
        (json!("1969-12-31T23:59:59.9995Z"), -1),
        (json!("2016-12-31T23:59:60Z"), 1_483_228_800_000),
        (json!("2024-02-29T00:00:00-00:00"), 1_709_164_800_000),
        (json!(1_749_116_638_916_i64), 1_749_116_638_916),
        (json!(1_749_116_638_916.75), 1_749_116_638_916),
        (json!(1.749116638916e12), 1_749_116_638_916),
        (json!(0), 0),
        (json!(-1), -1),
        (json!(999_999_999), 999_999_999),
        (json!(100_000_000_000_i64), 100_000_000_000),
        (json!("9999-12-31T23:59:59.999Z"), 253_402_300_799_999),
        (json!("0000-01-01T00:00:00Z"), -62_167_219_200_000),
    ] {
        let fix = read_with(json!({"capturedAt": sent}));
        assert_eq!(fix.map(|fix| fix.captured_at()), Ok(Some(at)), "{sent}");
    }
}

#[test]
fn what_is_no_time_is_refused_with_its_reason() {
    for (sent, reason) in [
        (json!(""), Reason::NotATime),
        (json!("now"), Reason::NotATime),
        (json!("2021-07-21"), Reason::NotATime),
        (json!("2021-07-21T08:06:34"), Reason::NotATime),
        (json!("2021-07-21T08:06:34.444"), Reason::NotATime),
        (json!("2021-07-21 08:06:34Z"), Reason::NotATime),
        (json!(" 2021-07-21T08:06:34Z"), Reason::NotATime),
        (json!("2021-07-21T08:06:34Z "), Reason::NotATime),
        (json!("2021-07-21T08:06:34Zx"), Reason::NotATime),
        (json!("2021-02-29T00:00:00Z"), Reason::NotATime),
        (json!("2021-13-01T00:00:00Z"), Reason::NotATime),
        (json!("2021-07-21T25:00:00Z"), Reason::NotATime),
        (json!("2021-07-21T08:06:34+99:00"), Reason::NotATime),
        (json!("+2021-07-21T08:06:34Z"), Reason::NotATime),
        (json!("12021-07-21T08:06:34Z"), Reason::NotATime),
        (json!("-001-07-21T08:06:34Z"), Reason::NotATime),
        (json!("1749116638916"), Reason::NotATime),
        (json!("٢٠٢١-07-21T08:06:34Z"), Reason::NotATime),
        (json!("2021-07-21T08:06:34.".to_owned() + &"0".repeat(100) + "Z"), Reason::NotATime),
        (json!(1_749_116_638), Reason::InSeconds),
        (json!(1_749_116_638.5), Reason::InSeconds),
        (json!(1e15), Reason::OutOfRange),
        (json!(-1e15), Reason::OutOfRange),
        (json!(1e300), Reason::OutOfRange),
        (json!("0000-01-01T00:00:00+23:59"), Reason::OutOfRange),
        (json!(true), Reason::WrongType),
        (json!([1_749_116_638_916_i64]), Reason::WrongType),
        (json!({}), Reason::WrongType),
    ] {
        let fix = read_with(json!({"capturedAt": sent}));
        assert_eq!(fix, Err(Rejection::of(Field::CapturedAt, reason)), "{sent}");
    }
}

#[test]
fn a_wrong_field_is_named_with_its_reason() {
    for (text, field, reason) in [
        (r#"{}"#, Field::Lat, Reason::Required),
        (r#"{"lat":1}"#, Field::Lng, Reason::Required),
        (r#"{"lat":null,"lng":1}"#, Field::Lat, Reason::Required),
        (r#"{"lat":1,"lng":null}"#, Field::Lng, Reason::Required),
        (r#"{"LAT":1,"Lng":1}"#, Field::Lat, Reason::Required),
        (r#"{"lat":"1","lng":1}"#, Field::Lat, Reason::WrongType),
        (r#"{"lat":true,"lng":1}"#, Field::Lat, Reason::WrongType),
        (r#"{"lat":[1],"lng":1}"#, Field::Lat, Reason::WrongType),
        (r#"{"lat":1,"lng":{}}"#, Field::Lng, Reason::WrongType),
        (r#"{"lat":90.0000001,"lng":1}"#, Field::Lat, Reason::OutOfRange),
        (r#"{"lat":-91,"lng":1}"#, Field::Lat, Reason::OutOfRange),
        (r#"{"lat":1,"lng":180.5}"#, Field::Lng, Reason::OutOfRange),
        (r#"{"lat":1e400,"lng":1}"#, Field::Lat, Reason::OutOfRange),
        (r#"{"lat":1,"lng":-1e999999999}"#, Field::Lng, Reason::OutOfRange),
        (r#"{"lat":1,"lng":1,"heading":360.1}"#, Field::Heading, Reason::OutOfRange),
        (r#"{"lat":1,"lng":1,"speed":"fast"}"#, Field::Speed, Reason::WrongType),
        (r#"{"lat":1,"lng":1,"speed":1e400}"#, Field::Speed, Reason::OutOfRange),
        (r#"{"lat":1,"lng":1,"accuracy":{"m":1}}"#, Field::Accuracy, Reason::WrongType),
        (r#"{"lat":1,"lng":1,"altitude":false}"#, Field::Altitude, Reason::WrongType),
        (r#"{"lat":1,"lng":1,"id":7}"#, Field::Id, Reason::WrongType),
        (r#"{"lat":1,"lng":1,"id":""}"#, Field::Id, Reason::InvalidId),
        (r#"{"lat":1,"lng":1,"id":"é"}"#, Field::Id, Reason::InvalidId),
        (r#"{"lat":1,"lng":1,"id":"\ud800"}"#, Field::Id, Reason::InvalidId),
        (r#"{"lat":1,"lng":1,"capturedAt":"\ud800"}"#, Field::CapturedAt, Reason::NotATime),
        (r#"{"lat":1,"lat":1,"lng":1}"#, Field::Lat, Reason::Repeated),
        (r#"{"lat":1,"l\u0061t":2,"lng":1}"#, Field::Lat, Reason::Repeated),
        (r#"{"lat":1,"lng":1,"id":null,"id":"a"}"#, Field::Id, Reason::Repeated),
    ] {
        assert_eq!(read(text), Err(Rejection::of(field, reason)), "{text}");
    }
    let long = "x".repeat(65);
    assert_eq!(read_with(json!({"id": long})), Err(Rejection::of(Field::Id, Reason::InvalidId)));
}

#[test]
fn the_words_name_the_field_and_the_rule() {
    for (text, words) in [
        (r#"{"lng":1}"#, "`lat` is required"),
        (r#"{"lat":100,"lng":1}"#, "`lat` must be a number from -90 to 90"),
        (r#"{"lat":1,"lng":1,"lng":1}"#, "`lng` is there twice"),
        (
            r#"{"lat":1,"lng":1,"capturedAt":1749116638}"#,
            "`capturedAt` looks like seconds; it is milliseconds",
        ),
    ] {
        assert_eq!(read(text).unwrap_err().to_string(), words);
    }
}

#[test]
fn a_name_is_spelt_alike_in_both_places() {
    for field in [
        Field::Lat,
        Field::Lng,
        Field::Speed,
        Field::Heading,
        Field::Accuracy,
        Field::Altitude,
        Field::CapturedAt,
        Field::Id,
        Field::Locations,
        Field::Driver,
        Field::SentAt,
    ] {
        assert_eq!(serde_json::to_value(field).unwrap(), json!(field.name()));
    }
    for reason in [
        Reason::NotAnObject,
        Reason::Required,
        Reason::WrongType,
        Reason::OutOfRange,
        Reason::NotATime,
        Reason::InSeconds,
        Reason::InvalidId,
        Reason::Repeated,
        Reason::TooOld,
        Reason::IdReused,
    ] {
        assert_eq!(serde_json::to_value(reason).unwrap(), json!(reason.code()));
    }
}

#[test]
fn unknown_fields_are_skipped_at_any_depth() {
    let deep = "[".repeat(30_000) + &"]".repeat(30_000);
    let text = format!(
        r#"{{"wifi":{deep},"lat":1,"battery":{{"level":0.8}},"lng":2,"topic":"\ud800","batt":1e999,"wifi":1}}"#
    );
    assert_eq!(text_of(&read(&text).unwrap()), "[null,1.0,2.0,null,null,null,null,null]");
}

#[test]
fn a_stored_fix_is_checked_too() {
    for text in [
        "[null,91.0,0.0,null,null,null,null,null]",
        "[null,1.0]",
        "{}",
        "[1e17,1.0,1.0,null,null,null,null,null]",
    ] {
        assert!(serde_json::from_str::<Fix>(text).is_err(), "{text}");
    }
}

/// Numbers near every border, and any others.
fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (-200.0..400.0_f64).prop_map(|number| json!(number)),
        1 => any::<f64>().prop_map(|number| json!(number)),
        1 => any::<i64>().prop_map(|number| json!(number)),
        1 => prop::sample::select(vec![-180.0, -90.0, -0.0, 0.0, 90.0, 180.0, 360.0, -1.0]).prop_map(|n| json!(n)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => number(),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => ".{0,70}".prop_map(Value::from),
        1 => Just(json!([1])),
        1 => Just(json!({"a": 1})),
    ]
}

fn time() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..4_000_000_000_000_i64).prop_map(|at| json!(at)),
        "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,12})?(Z|[+-][01][0-9]:?[0-5][0-9])"
            .prop_map(Value::from),
        value(),
    ]
}

proptest! {
    #[test]
    fn an_accepted_fix_is_in_range_and_survives_its_own_text(
        lat in number(), lng in number(), speed in value(), heading in value(), accuracy in value(),
        altitude in value(), captured_at in time(), id in value(),
    ) {
        let text = json!({
            "lat": lat, "lng": lng, "speed": speed, "heading": heading, "accuracy": accuracy,
            "altitude": altitude, "capturedAt": captured_at, "id": id,
        });
        if let Ok(fix) = read(&text.to_string()) {
            prop_assert!((-90.0..=90.0).contains(&fix.lat()));
            prop_assert!((-180.0..=180.0).contains(&fix.lng()));
            prop_assert!(fix.speed().is_none_or(|speed| speed.is_finite() && speed >= 0.0));
            prop_assert!(fix.heading().is_none_or(|heading| (0.0..360.0).contains(&heading)));
            prop_assert!(fix.accuracy().is_none_or(|accuracy| accuracy.is_finite() && accuracy >= 0.0));
            prop_assert!(fix.altitude().is_none_or(f64::is_finite));
            prop_assert!(fix.captured_at().is_none_or(|at| time::RANGE.contains(&at)));
            let stored = text_of(&fix);
            prop_assert!(!stored.contains("-0.0,"));
            let again: Fix = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(text_of(&again), stored);
            prop_assert_eq!(again, fix);
        }
    }

    #[test]
    fn every_good_fix_is_accepted(
        lat in -90.0..=90.0_f64, lng in -180.0..=180.0_f64, speed in -1.0..100.0_f64, heading in -1.0..=360.0_f64,
        at in 1_000_000_000_000..4_000_000_000_000_i64,
    ) {
        let fix = read_with(json!({
            "lat": lat, "lng": lng, "speed": speed, "heading": heading, "capturedAt": at
        })).unwrap();
        prop_assert_eq!((fix.lat(), fix.lng(), fix.captured_at()), (lat, lng, Some(at)));
        prop_assert_eq!(fix.speed(), Some(speed).filter(|speed| *speed >= 0.0));
    }

    #[test]
    fn an_instant_is_the_same_in_every_offset(at in 0..253_000_000_000_000_i64, minutes in -1439..=1439_i32) {
        let offset = chrono::FixedOffset::east_opt(minutes * 60).unwrap();
        let time = chrono::DateTime::from_timestamp_millis(at).unwrap().with_timezone(&offset);
        let text = format!("{time:?}");
        prop_assert_eq!(time::from_text(&text), Ok(at), "{}", text);
        let (before, after) = text.rsplit_once(':').unwrap();
        prop_assert_eq!(time::from_text(&format!("{before}{after}")), Ok(at), "{}", text);
    }

    /// The reading of a well-kept library is the measure, of what is nearly a time as well.
    #[test]
    fn a_time_is_read_as_chrono_reads_it(
        text in "[0-9]{4}-(0[0-9]|1[0-3])-[0-3][0-9][Tt][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\\.[0-9]{0,12})?)?([Zz]|[+-][0-2][0-9](:?[0-6][0-9])?| Z|)",
    ) {
        let formats = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z"];
        let upper = text.to_ascii_uppercase();
        let time = formats.iter().find_map(|format| chrono::DateTime::parse_from_str(&upper, format).ok());
        let at = time.filter(|_| !text.contains(' ')).map(|time| time.timestamp_millis());
        let expected = at.ok_or(Reason::NotATime);
        let expected = expected.and_then(|at| if time::RANGE.contains(&at) { Ok(at) } else { Err(Reason::OutOfRange) });
        prop_assert_eq!(time::from_text(&text), expected, "{}", text);
    }

    #[test]
    fn no_text_makes_the_time_reader_panic(text in ".*") {
        let _ = time::from_text(&text);
    }
}
