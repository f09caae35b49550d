//! Questions about the past, and pages of answers.

use super::serial::Serial;
use super::timeline::Timeline;
use crate::clock::Millis;

/// How many bytes the items of a page have together, at least, where there are more pages: with the longest messages a thousand
/// would have 64 MiB, for whoever asks and however slowly they read.
const PAGE_BYTES: usize = 2 << 20;

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

/// Cuts a page out of what is in order already, each with its place. `size` says how many bytes an item has.
pub(super) fn cut<T>(
    in_order: impl Iterator<Item = (String, T)>,
    forwards: bool,
    cursor: Option<&str>,
    limit: usize,
    size: impl Fn(&T) -> usize,
) -> Page<T> {
    let beyond = |place: &str| match cursor {
        None => true,
        Some(cursor) if forwards => place > cursor,
        Some(cursor) => place < cursor,
    };
    let mut rest = in_order.filter(|(place, _)| beyond(place)).peekable();
    let mut room = PAGE_BYTES;
    let mut has_room = |(_, item): &(String, T)| {
        let was_room = room > 0;
        room = room.saturating_sub(size(item));
        was_room
    };
    let mut page = Vec::new();
    while page.len() < limit
        && let Some(next) = rest.next_if(&mut has_room)
    {
        page.push(next);
    }
    let (places, items): (Vec<String>, Vec<T>) = page.into_iter().unzip();
    let next = rest.peek().and(places.last().cloned());
    Page { items, next }
}

/// Reads a page of a timeline, newest first unless asked otherwise. `until` is the query's `until_serial`, read.
pub(super) fn page<T: Clone>(
    timeline: &Timeline<T>,
    query: &HistoryQuery,
    until: Option<Serial>,
    now: Millis,
    size: impl Fn(&T) -> usize,
) -> Page<T> {
    let start = query.start.unwrap_or(Millis::MIN).max(now - timeline.kept());
    let end = query.end.unwrap_or(Millis::MAX);
    let wanted = timeline
        .iter()
        .filter(|publication| (start..=end).contains(&publication.timestamp))
        .filter(|publication| until.is_none_or(|until| publication.serial <= until))
        .filter(|publication| !publication.amends);
    let in_order = wanted
        .flat_map(|publication| publication.current().map(|(index, item)| (publication.place(index), item)));
    let (cursor, size) = (query.cursor.as_deref(), |item: &&T| size(item));
    let page = match query.forwards {
        true => cut(in_order, true, cursor, query.limit, size),
        false => cut(in_order.rev(), false, cursor, query.limit, size),
    };
    Page { items: page.items.into_iter().cloned().collect(), next: page.next }
}
