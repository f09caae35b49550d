//! A page as one line on the map (RFC 7946), with the time of each position beside it.

use super::format::Point;
use super::geojson::{Position, array};
use crate::ids::JobId;
use crate::locations::Millis;

/// Where the map ends, in degrees east and west.
const EDGE: f64 = 180.0;

/// A position of the line, and when it was there.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Vertex {
    position: Position,
    time: Millis,
}

/// Tells a line through the fixes of a page, in the order of their effective times.
pub(super) fn line(job: &JobId, points: &[Point]) -> String {
    let mut vertices: Vec<Vertex> = Vec::with_capacity(points.len());
    for point in points {
        let vertex = Vertex { position: point.into(), time: point.captured_at };
        // Nearly all come in order; and std's sorting is more code than all the rest here.
        let at = vertices.partition_point(|other| other.time <= vertex.time);
        vertices.insert(at, vertex);
    }
    let pieces = pieces(&vertices);
    let coordinates = nested(&pieces, |vertex| vertex.position.to_string());
    let geometry = match pieces.len() {
        0 => "null".to_owned(),
        1 => format!(r#"{{"type":"LineString","coordinates":{coordinates}}}"#),
        _ => format!(r#"{{"type":"MultiLineString","coordinates":{coordinates}}}"#),
    };
    // Neither a job's id nor a place has what JSON would escape. The last fix of the page need not be the line's last position.
    let last = points.last().map_or("null".to_owned(), |point| format!(r#""{}""#, point.place));
    let times = nested(&pieces, |vertex| vertex.time.to_string());
    let properties =
        format!(r#"{{"jobId":"{job}","last":{last},"coordinateProperties":{{"times":{times}}}}}"#);
    format!(r#"{{"type":"Feature","geometry":{geometry},"properties":{properties}}}"#)
}

/// Something for each position of a line that is in one piece, or in several.
fn nested(pieces: &[Vec<Vertex>], each: fn(&Vertex) -> String) -> String {
    let all = |piece: &Vec<Vertex>| array(&mut piece.iter().map(each));
    match pieces {
        [] => "[]".to_owned(),
        [piece] => all(piece),
        pieces => array(&mut pieces.iter().map(all)),
    }
}

/// Cuts a line where it crosses the edge of the map, so that none is drawn around the whole world (RFC 7946, 3.1.9). Each piece is a
/// line, of two positions at least.
fn pieces(vertices: &[Vertex]) -> Vec<Vec<Vertex>> {
    let (mut pieces, mut piece) = (Vec::new(), Vec::new());
    for vertex in vertices {
        if let Some(last) = piece.last().copied()
            && let Some((leaves, enters)) = crossing(&last, vertex)
        {
            // A vertex that is on the edge is the end of its piece already.
            piece.extend(Some(leaves).filter(|leaves| *leaves != last));
            pieces.push(std::mem::take(&mut piece));
            piece.extend(Some(enters).filter(|enters| enters != vertex));
        }
        piece.push(*vertex);
    }
    pieces.push(piece);
    // What stood there alone was on the edge, and is in the neighbouring piece; or it is all there is.
    pieces.retain(|piece| piece.len() > 1);
    pieces
}

/// Where the short way between two positions leaves the map, and where it enters it again on the other side, if it does.
fn crossing(from: &Vertex, to: &Vertex) -> Option<(Vertex, Vertex)> {
    let (start, end) = (from.position.lng, to.position.lng);
    if (end - start).abs() <= EDGE {
        return None;
    }
    let edge = if end < start { EDGE } else { -EDGE };
    let way = end + 2.0 * edge - start;
    // Both may be on the edge itself, one written as 180 and the other as −180.
    let share = if way == 0.0 { 0.0 } else { (edge - start) / way };
    let between = |from: f64, to: f64| from * (1.0 - share) + to * share;
    let at = |lng| Vertex {
        position: Position {
            lng,
            lat: between(from.position.lat, to.position.lat),
            altitude: from.position.altitude.zip(to.position.altitude).map(|(from, to)| between(from, to)),
        },
        time: between(from.time as f64, to.time as f64).round() as Millis,
    };
    Some((at(edge), at(-edge)))
}
