//! What other programs are to read.

use super::*;

/// The page of these fixes, each `[capturedAt, lng, lat, altitude?]`.
fn page(fixes: &[Value]) -> Page {
    let location = |(index, fix): (usize, &Value)| Location {
        epoch: 9,
        seq: index as u64 + 1,
        ts: 5_000_000_000_000,
        captured_at: fix[0].as_i64().unwrap(),
        phone_time: None,
        clock: None,
        late: false,
        lat: fix[2].as_f64().unwrap(),
        lng: fix[1].as_f64().unwrap(),
        speed: None,
        heading: None,
        accuracy: None,
        altitude: fix[3].as_f64(),
        driver: None,
        id: None,
    };
    Page { locations: fixes.iter().enumerate().map(location).collect(), ..Page::empty(job()) }
}

fn json_of(fixes: &[Value], format: Format) -> Value {
    serde_json::from_str(&told(&page(fixes), format)).unwrap()
}

fn line(fixes: &[Value]) -> Value {
    json_of(fixes, Format::GeoJsonLine)
}

/// The times of a line, in one row.
pub(super) fn times(line: &Value) -> Vec<Millis> {
    flat(&line["properties"]["coordinateProperties"]["times"], &|value| value.as_i64())
}

/// The positions of a line, in one row.
fn positions(line: &Value) -> Vec<Vec<f64>> {
    let position = |value: &Value| value.as_array()?.iter().map(Value::as_f64).collect();
    flat(&line["geometry"]["coordinates"], &position)
}

fn flat<T>(value: &Value, each: &dyn Fn(&Value) -> Option<T>) -> Vec<T> {
    match each(value) {
        Some(item) => vec![item],
        None => value.as_array().into_iter().flatten().flat_map(|value| flat(value, each)).collect(),
    }
}

/// The points of a track, each as its text. It looks at nothing else than that all that opens is closed, and in which order.
pub(super) fn points(gpx: &str) -> Vec<String> {
    let mut open = Vec::new();
    for tag in gpx.split('<').skip(1) {
        let (name, _) = tag.split_once('>').unwrap();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if name.starts_with('?') => {}
            None => open.push(name.split(' ').next().unwrap()),
        }
    }
    assert_eq!(open, [] as [&str; 0]);
    let points = gpx.split("<trkpt ").skip(1).map(|point| point.split_once("</trkpt>").unwrap().0);
    points.map(str::to_owned).collect()
}

#[test]
fn a_format_is_found_by_what_it_says_of_itself() {
    for format in [Format::Json, Format::GeoJson, Format::GeoJsonLine, Format::Gpx] {
        assert_eq!(Format::of_name(format.name()), Some(format));
        let of_its_type = Format::of_media_type(format.media_type()).unwrap();
        assert_eq!(of_its_type.media_type(), format.media_type());
    }
}

#[test]
fn points_have_the_properties_of_the_page() {
    let collection = json_of(&[json!([1, 16.37, 48.2]), json!([2, -180.0, 1e-7, 0.0])], Format::GeoJson);
    assert_eq!(collection["type"], "FeatureCollection");
    assert_eq!(
        collection["features"][0],
        json!({
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [16.37, 48.2]},
            "properties": {"epoch": 9, "seq": 1, "ts": 5_000_000_000_000_i64, "capturedAt": 1, "lat": 48.2, "lng": 16.37},
        })
    );
    assert_eq!(positions(&json!({"geometry": collection["features"][1]["geometry"]})), [[-180.0, 1e-7, 0.0]]);
}

#[test]
fn a_line_goes_by_the_times_of_measurement() {
    let feature = line(&[
        json!([30, 3.0, 0.0]),
        json!([10, 1.0, 0.5, 7.0]),
        json!([20, 2.0, 0.0]),
        json!([10, 1.5, 0.0]),
    ]);
    assert_eq!(
        feature,
        json!({
            "type": "Feature",
            "geometry": {"type": "LineString", "coordinates": [[1, 0.5, 7], [1.5, 0], [2, 0], [3, 0]]},
            "properties": {"jobId": "job-1", "last": "9.4", "coordinateProperties": {"times": [10, 10, 20, 30]}},
        })
    );
}

#[test]
fn below_two_points_there_is_no_line() {
    for (fixes, last) in [(vec![], Value::Null), (vec![json!([10, 1.0, 0.5])], json!("9.1"))] {
        let feature = line(&fixes);
        assert_eq!(feature["geometry"], Value::Null);
        let properties = json!({"jobId": "job-1", "last": last, "coordinateProperties": {"times": []}});
        assert_eq!(feature["properties"], properties);
    }
}

#[test]
fn what_is_withheld_is_told_in_each_format() {
    let page = r#"{"jobId":"job-1","withheld":true,"gate":"within","now":5}"#;
    let told = |format: Format| format.tell(&job(), page.to_owned()).unwrap();
    assert_eq!(told(Format::Json), (page.to_owned(), None));
    let of = |format| serde_json::from_str::<Value>(&told(format).0).unwrap();
    let points = json!({
        "type": "FeatureCollection", "features": [], "jobId": "job-1", "withheld": true, "gate": "within", "now": 5
    });
    assert_eq!(of(Format::GeoJson), points);
    let line = of(Format::GeoJsonLine);
    assert_eq!((&line["geometry"], &line["withheld"]), (&Value::Null, &json!(true)));
    assert_eq!(self::points(&told(Format::Gpx).0), [""; 0]);
    assert!(Format::Gpx.tell(&job(), r#"{"jobId":"job-1"}"#.to_owned()).is_err(), "else it is no page");
}

#[test]
fn a_line_is_cut_at_the_edge_of_the_map() {
    let east = [json!([0, 178.0, 10.0, 100.0]), json!([1000, -179.0, 40.0, 400.0])];
    let west = [json!([0, -179.0, 10.0]), json!([1000, 178.0, 40.0, 400.0])];
    for (fixes, coordinates, times) in [
        (
            &east,
            json!([[[178, 10, 100], [180, 30, 300]], [[-180, 30, 300], [-179, 40, 400]]]),
            [[0, 667], [667, 1000]],
        ),
        (&west, json!([[[-179, 10], [-180, 20]], [[180, 20], [178, 40, 400]]]), [[0, 333], [333, 1000]]),
    ] {
        let feature = line(fixes);
        assert_eq!(feature["geometry"]["type"], "MultiLineString");
        let rounded = |positions: Vec<Vec<f64>>| -> Vec<Vec<i64>> {
            positions
                .iter()
                .map(|position| position.iter().map(|number| number.round() as i64).collect())
                .collect()
        };
        let expected = json!({"geometry": {"coordinates": coordinates}});
        assert_eq!(rounded(positions(&feature)), rounded(positions(&expected)));
        assert_eq!(feature["properties"]["coordinateProperties"]["times"], json!(times));
    }
}

#[test]
fn a_fix_on_the_edge_ends_its_piece_and_begins_the_next() {
    for (lngs, pieces) in [
        (vec![179.0, 180.0, -179.0], json!([[179, 180], [-180, -179]])),
        (vec![179.0, -180.0, -179.0], json!([[179, 180], [-180, -179]])),
        (vec![180.0, -179.0], json!([-180, -179])),
        (vec![179.0, -180.0], json!([179, 180])),
        (vec![180.0, -180.0], json!([-180, -180])),
        (vec![179.0, -180.0, 179.0], json!([[179, 180], [180, 179]])),
        (vec![-90.0, 90.0], json!([-90, 90])),
    ] {
        let fixes: Vec<_> = lngs.iter().enumerate().map(|(time, lng)| json!([time, lng, 0.0])).collect();
        let feature = line(&fixes);
        let lng = |value: &Value| value[0].as_f64().map(|lng| lng as i64);
        let is_cut = feature["geometry"]["type"] == "MultiLineString";
        let coordinates = &feature["geometry"]["coordinates"];
        let flat_lngs = flat(coordinates, &|value| lng(value));
        assert_eq!(flat_lngs, flat(&pieces, &Value::as_i64), "{lngs:?}");
        assert_eq!(is_cut, pieces[0].is_array(), "{lngs:?}");
    }
}

#[test]
fn a_track_has_a_time_and_a_place_at_each_point() {
    let mut page = page(&[json!([1_700_000_000_000_i64, 16.37, -48.2, -1.5]), json!([-1, 1e-7, 0.0, 1e20])]);
    page.locations[1].epoch = 10;
    let gpx = told(&page, Format::Gpx);
    let start = r#"<?xml version="1.0" encoding="UTF-8"?><gpx version="1.1" creator="Towline" xmlns="http://www.topografix.com/GPX/1/1"><trk><name>job-1</name><trkseg>"#;
    assert!(gpx.starts_with(start), "{gpx}");
    assert_eq!(
        points(&gpx),
        [
            r#"lat="-48.2" lon="16.37"><ele>-1.5</ele><time>2023-11-14T22:13:20.000Z</time><name>9.1</name>"#,
            r#"lat="0" lon="0.0000001"><ele>100000000000000000000</ele><time>1969-12-31T23:59:59.999Z</time><name>10.2</name>"#,
        ]
    );
    assert_eq!(gpx.matches("<trkseg>").count(), 2, "one a life");
    assert_eq!(points(&told(&Page::empty(job()), Format::Gpx)), [] as [&str; 0]);
}

#[test]
fn what_is_no_page_is_told_in_no_format() {
    for format in [Format::Json, Format::GeoJson, Format::GeoJsonLine, Format::Gpx] {
        assert!(format.tell(&job(), "{}".to_owned()).is_err());
    }
}

proptest! {
    #[test]
    fn lines_are_lines_wherever_they_go(
        fixes in prop::collection::vec((0..100_i64, prop_oneof![-180.0..180.0, Just(180.0), Just(-180.0)], -90.0..90.0, prop::option::of(-1e3..1e3)), 2..20),
    ) {
        let fixes: Vec<_> = fixes.into_iter().map(|(time, lng, lat, altitude)| json!([time, lng, lat, altitude])).collect();
        let feature = line(&fixes);
        let (positions, times) = (positions(&feature), times(&feature));
        prop_assert_eq!(positions.len(), times.len());
        prop_assert!(times.is_sorted());
        let coordinates = &feature["geometry"]["coordinates"];
        let pieces = match feature["geometry"]["type"].as_str().unwrap() {
            "LineString" => vec![coordinates.clone()],
            _ => coordinates.as_array().unwrap().clone(),
        };
        for piece in pieces {
            let piece = piece.as_array().unwrap();
            prop_assert!(piece.len() > 1);
            for step in piece.windows(2) {
                let lng = |position: &Value| position[0].as_f64().unwrap();
                prop_assert!((lng(&step[1]) - lng(&step[0])).abs() <= 180.0);
            }
        }
        for text in [Format::Json, Format::GeoJson, Format::GeoJsonLine].map(|format| told(&page(&fixes), format)) {
            prop_assert!(!text.replace("\"epoch\":null", "").replace("\"published\":null", "").replace("\"next\":null", "").contains("null"));
        }
        prop_assert_eq!(points(&told(&page(&fixes), Format::Gpx)).len(), fixes.len());
    }
}
