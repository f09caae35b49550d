//! URLs, taken apart.

/// A URL whose parts stand as they came: nothing is decoded.
pub(super) struct Target<'a> {
    /// `scheme://host[:port]`
    pub(super) origin: &'a str,
    /// From the first `/` on.
    pub(super) path: &'a str,
    /// Without `?`.
    pub(super) query: Option<&'a str>,
}

impl<'a> Target<'a> {
    pub(super) fn of(url: &'a str) -> Self {
        let url = url.split_once('#').map_or(url, |(url, _)| url);
        let (url, query) = url.split_once('?').map_or((url, None), |(url, query)| (url, Some(query)));
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        let slash =
            url.get(after_scheme..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| after_scheme + at);
        let (origin, path) = url.split_at_checked(slash).unwrap_or((url, ""));
        Self { origin, path, query }
    }
}
