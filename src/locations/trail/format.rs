//! The ways in which a page is told. Each but JSON is made of the JSON in which an object tells it, away from the object: that has one
//! thread for all who ask about its job, and drivers wait for it.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{geojson, gpx, line};
use crate::ids::JobId;
use crate::locations::Millis;
use crate::locations::place::Place;

/// A way in which a page is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// All of it.
    #[default]
    Json,
    /// A GeoJSON `FeatureCollection` of points.
    GeoJson,
    /// A GeoJSON `Feature`: a line through all points, in the order in which they were measured.
    GeoJsonLine,
    /// A GPX track.
    Gpx,
}

/// A page as an object has told it, as far as is needed to tell it in other ways.
#[derive(Deserialize)]
pub struct Told<'a> {
    /// Each as it is; none where a gate holds back whoever asks.
    #[serde(borrow, default)]
    locations: Option<Vec<&'a RawValue>>,
    /// Whether one does. Then there is nothing else but why.
    #[serde(default)]
    withheld: bool,
    /// The place of the last one, where there are more after it.
    pub next: Option<Place>,
}

/// What all formats say of a fix.
#[derive(Default)]
pub(super) struct Point {
    pub(super) place: Place,
    /// When it was measured, as well as can be known.
    pub(super) captured_at: Millis,
    pub(super) lat: f64,
    pub(super) lng: f64,
    pub(super) altitude: Option<f64>,
}

/// By hand, each number from its own text, which Rust reads exactly: a derived one is much more code, and needs as much again for that.
impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PointVisitor)
    }
}

struct PointVisitor;

impl<'de> Visitor<'de> for PointVisitor {
    type Value = Point;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a location")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Point, A::Error> {
        let mut point = Point::default();
        while let Some((name, value)) = fields.next_entry::<&str, &RawValue>()? {
            let text = value.get();
            let whole = || text.parse::<u64>().map_err(de::Error::custom);
            let number = || text.parse::<f64>().map_err(de::Error::custom);
            match name {
                "epoch" => point.place.epoch = whole()?,
                "seq" => point.place.seq = whole()?,
                "capturedAt" => point.captured_at = text.parse().map_err(de::Error::custom)?,
                "lat" => point.lat = number()?,
                "lng" => point.lng = number()?,
                "altitude" => point.altitude = Some(number()?),
                _ => {}
            }
        }
        Ok(point)
    }
}

impl Format {
    /// The one that is called so.
    pub fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "json" => Self::Json,
            "geojson" => Self::GeoJson,
            "geojson-line" => Self::GeoJsonLine,
            "gpx" => Self::Gpx,
            _ => return None,
        })
    }

    /// The one of a media type, in lower case; of those that share it, the plainest.
    pub fn of_media_type(name: &str) -> Option<Self> {
        Some(match name {
            "application/json" => Self::Json,
            "application/geo+json" => Self::GeoJson,
            "application/gpx+xml" => Self::Gpx,
            _ => return None,
        })
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::GeoJson => "geojson",
            Self::GeoJsonLine => "geojson-line",
            Self::Gpx => "gpx",
        }
    }

    /// Its media type. That of the line is the points' too.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::GeoJson | Self::GeoJsonLine => "application/geo+json",
            Self::Gpx => "application/gpx+xml",
        }
    }

    /// Tells a page of a job's trail, and after which place the next one begins.
    ///
    /// # Errors
    /// Where the text is no page.
    pub fn tell(self, job: &JobId, page: String) -> serde_json::Result<(String, Option<Place>)> {
        let Told { locations, withheld, next } = serde_json::from_str(&page)?;
        let locations = locations.or_else(|| withheld.then(Vec::new));
        let locations = locations.ok_or_else(|| de::Error::missing_field("locations"))?;
        let text = match self {
            Self::Json => None,
            Self::GeoJson | Self::GeoJsonLine if withheld => {
                let empty = match self {
                    Self::GeoJson => geojson::points(&[], &[]),
                    Self::GeoJsonLine | Self::Gpx | Self::Json => line::line(job, &[]),
                };
                Some(geojson::with_members(empty, &page))
            }
            Self::GeoJson | Self::GeoJsonLine | Self::Gpx => {
                let points = locations.iter().map(|location| serde_json::from_str(location.get()));
                let points: Vec<Point> = points.collect::<serde_json::Result<_>>()?;
                Some(match self {
                    Self::GeoJson => geojson::points(&points, &locations),
                    Self::GeoJsonLine => line::line(job, &points),
                    Self::Gpx | Self::Json => gpx::track(job, &points),
                })
            }
        };
        Ok((text.unwrap_or(page), next))
    }
}
