//! Questions about the past, and pages of answers.

use super::serial::Serial;
use super::timeline::Timeline;
use crate::clock::Millis;

/// A question about the past.
#[derive(Debug, Clone)]
pub(crate) struct HistoryQuery {
    pub(crate) start: Option<Millis>,
    pub(crate) end: Option<Millis>,
    pub(crate) forwards: bool,
    /// Up to what has this serial, which is included.
    pub(crate) until_serial: Option<String>,
    pub(crate) limit: usize,
    /// Where the page before ended.
    pub(crate) cursor: Option<String>,
}

/// Some of what was asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Where the next page begins, if there is more.
    pub(crate) next: Option<String>,
}

/// Reads a page of a timeline, newest first unless asked otherwise. `until` is the query's `until_serial`, read.
pub(super) fn page<T: Clone>(
    timeline: &Timeline<T>,
    query: &HistoryQuery,
    until: Option<Serial>,
    now: Millis,
) -> Page<T> {
    let start = query.start.unwrap_or(Millis::MIN).max(now - timeline.kept());
    let end = query.end.unwrap_or(Millis::MAX);
    let mut in_order: Vec<(String, &T)> = timeline
        .iter()
        .filter(|publication| (start..=end).contains(&publication.timestamp))
        .filter(|publication| until.is_none_or(|until| publication.serial <= until))
        .flat_map(|publication| {
            publication.items.iter().enumerate().map(|(index, item)| (publication.place(index), item))
        })
        .collect();
    if !query.forwards {
        in_order.reverse();
    }
    let beyond = |place: &str| match query.cursor.as_deref() {
        None => true,
        Some(cursor) if query.forwards => place > cursor,
        Some(cursor) => place < cursor,
    };
    let mut rest = in_order.into_iter().filter(|(place, _)| beyond(place)).peekable();
    let (places, items): (Vec<String>, Vec<T>) =
        rest.by_ref().take(query.limit).map(|(place, item)| (place, item.clone())).unzip();
    let next = rest.peek().and(places.last().cloned());
    Page { items, next }
}
