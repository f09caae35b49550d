//! A page as a GPX 1.1 track.

use std::fmt::Write;

use chrono::{DateTime, Datelike, Timelike};

use super::format::Point;
use crate::ids::JobId;
use crate::locations::Millis;

/// Tells a track, with one segment for each life of the sequence. Nothing in it has to be escaped: it is made of numbers, and
/// of the job's id, whose characters mean nothing in XML. A point's name is its place.
pub(super) fn track(job: &JobId, points: &[Point]) -> String {
    let mut gpx = String::from(concat!(
        r#"<?xml version="1.0" encoding="UTF-8"?>"#,
        r#"<gpx version="1.1" creator="Towline" xmlns="http://www.topografix.com/GPX/1/1">"#,
    ));
    // Writing to a String does not fail, here and below.
    let _ = write!(gpx, "<trk><name>{}</name>", job);
    for life in points.chunk_by(|one, next| one.place.epoch == next.place.epoch) {
        gpx.push_str("<trkseg>");
        life.iter().for_each(|point| write_point(&mut gpx, point));
        gpx.push_str("</trkseg>");
    }
    gpx.push_str("</trk></gpx>");
    gpx
}

/// XML's decimals have no exponent, and neither has what Rust writes.
fn write_point(gpx: &mut String, point: &Point) {
    let Point { lat, lng, altitude, captured_at, .. } = point;
    let _ = write!(gpx, r#"<trkpt lat="{lat}" lon="{lng}">"#);
    if let Some(altitude) = altitude {
        let _ = write!(gpx, "<ele>{altitude}</ele>");
    }
    let _ = write!(gpx, "<time>{}</time><name>{}</name></trkpt>", time(*captured_at), point.place);
}

/// A time as XML writes it; 1970 where it is beyond all that a fix can have.
fn time(at: Millis) -> String {
    let at = DateTime::from_timestamp_millis(at).unwrap_or_default();
    let (year, month, day) = (at.year(), at.month(), at.day());
    let (hour, minute, second, millisecond) =
        (at.hour(), at.minute(), at.second(), at.timestamp_subsec_millis());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}
