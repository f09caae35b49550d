//! A page as GeoJSON points (RFC 7946).

use std::fmt::{self, Display};

use serde_json::value::RawValue;

use super::format::Point;

/// `[lng,lat]`, or `[lng,lat,altitude]`: readers refuse a `null` in a position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Position {
    pub(super) lng: f64,
    pub(super) lat: f64,
    pub(super) altitude: Option<f64>,
}

impl From<&Point> for Position {
    fn from(&Point { lng, lat, altitude, .. }: &Point) -> Self {
        Self { lng, lat, altitude }
    }
}

impl Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lng, lat, altitude } = self;
        match altitude {
            Some(altitude) => write!(f, "[{lng},{lat},{altitude}]"),
            None => write!(f, "[{lng},{lat}]"),
        }
    }
}

/// Texts as a JSON array.
pub(super) fn array(items: &mut dyn Iterator<Item = String>) -> String {
    let mut text = String::from("[");
    for item in items {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&item);
    }
    text.push(']');
    text
}

/// Tells points, with all that the page says of each as its properties.
pub(super) fn points(points: &[Point], locations: &[&RawValue]) -> String {
    let feature = |(point, properties): (&Point, &&RawValue)| {
        let geometry = format!(r#"{{"type":"Point","coordinates":{}}}"#, Position::from(point));
        format!(r#"{{"type":"Feature","geometry":{geometry},"properties":{properties}}}"#)
    };
    let features = array(&mut points.iter().zip(locations).map(feature));
    format!(r#"{{"type":"FeatureCollection","features":{features}}}"#)
}

/// The same object with the members of another beside its own (RFC 7946, 6.1).
pub(super) fn with_members(mut object: String, more: &str) -> String {
    object.pop();
    object.push(',');
    object.push_str(more.trim_start_matches('{'));
    object
}
