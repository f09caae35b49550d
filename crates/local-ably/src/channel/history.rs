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

/// Cuts a page out of what is in order already, each with its place.
pub(super) fn cut<T>(
    in_order: impl Iterator<Item = (String, T)>,
    forwards: bool,
    cursor: Option<&str>,
    limit: usize,
) -> Page<T> {
    let beyond = |place: &str| match cursor {
        None => true,
        Some(cursor) if forwards => place > cursor,
        Some(cursor) => place < cursor,
    };
    let mut rest = in_order.filter(|(place, _)| beyond(place)).peekable();
    let (places, items): (Vec<String>, Vec<T>) = rest.by_ref().take(limit).unzip();
    let next = rest.peek().and(places.last().cloned());
    Page { items, next }
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
        .filter(|publication| !publication.amends)
        .flat_map(|publication| publication.current().map(|(index, item)| (publication.place(index), item)))
        .collect();
    if !query.forwards {
        in_order.reverse();
    }
    let page = cut(in_order.into_iter(), query.forwards, query.cursor.as_deref(), query.limit);
    Page { items: page.items.into_iter().cloned().collect(), next: page.next }
}
