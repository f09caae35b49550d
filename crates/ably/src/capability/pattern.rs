//! Which channels a capability's resource covers.

use std::fmt;

use super::CapabilityError;

/// A resource of a capability: a channel name, or a pattern of them (Ably docs, "Capabilities", "Wildcards").
///
/// A name is split at `:`. A segment that is exactly `*` is a wildcard: at the end it covers one or more segments, elsewhere
/// exactly one. Any other `*` is a literal star. A qualifier in brackets (`[meta]`, `[queue]`) is part of the resource: only a
/// pattern with the same qualifier, or with `[*]`, covers a qualified channel; and `[*]` covers plain channels too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelPattern {
    text: String,
}

/// A channel name or pattern, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts<'a> {
    /// What stands in the brackets, without parameters; nothing for a plain channel.
    qualifier: Option<&'a str>,
    /// What follows.
    name: &'a str,
}

/// Splits off the qualifier. `[?rewind=1]name` and `[filter=…]name` only say how to attach: they are `name`.
fn parts(text: &str) -> Parts<'_> {
    let plain = Parts { qualifier: None, name: text };
    let Some((inside, name)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return plain;
    };
    let qualifier = inside.split_once('?').map_or(inside, |(qualifier, _)| qualifier);
    let only_attaches = qualifier.is_empty() || qualifier.starts_with("filter=");
    Parts { qualifier: (!only_attaches).then_some(qualifier), name }
}

fn qualifier_covers(pattern: Option<&str>, channel: Option<&str>) -> bool {
    pattern == Some("*") || pattern == channel
}

impl ChannelPattern {
    /// Takes a resource as it stands in a capability.
    ///
    /// # Errors
    /// [`CapabilityError::NoChannel`] for the empty text.
    pub fn parse(text: impl Into<String>) -> Result<Self, CapabilityError> {
        let text = text.into();
        if text.is_empty() { Err(CapabilityError::NoChannel) } else { Ok(Self { text }) }
    }

    /// The resource as it stands in a capability.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands in the brackets before the name, such as `meta` or `*`.
    pub fn qualifier(&self) -> Option<&str> {
        parts(&self.text).qualifier
    }

    /// The segments of the name, without the qualifier.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        parts(&self.text).name.split(':')
    }

    /// Whether any segment is a wildcard.
    pub fn has_wildcard(&self) -> bool {
        self.qualifier() == Some("*") || self.segments().any(|segment| segment == "*")
    }

    /// Whether the pattern covers a channel.
    pub fn covers(&self, channel: &str) -> bool {
        let (pattern, channel) = (parts(&self.text), parts(channel));
        if !qualifier_covers(pattern.qualifier, channel.qualifier) {
            return false;
        }
        let mut wanted = pattern.name.split(':').peekable();
        let mut given = channel.name.split(':');
        while let Some(segment) = wanted.next() {
            let Some(actual) = given.next() else { return false };
            if segment == "*" {
                if wanted.peek().is_none() {
                    return true;
                }
            } else if segment != actual {
                return false;
            }
        }
        given.next().is_none()
    }

    /// The pattern of exactly those channels that both cover, if there are any.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let (mine, theirs) = (parts(&self.text), parts(&other.text));
        let qualifier = if qualifier_covers(mine.qualifier, theirs.qualifier) {
            theirs.qualifier
        } else if qualifier_covers(theirs.qualifier, mine.qualifier) {
            mine.qualifier
        } else {
            return None;
        };
        let (mine, theirs): (Vec<_>, Vec<_>) =
            (mine.name.split(':').collect(), theirs.name.split(':').collect());
        let open = |segments: &[&str]| segments.last() == Some(&"*");
        if (mine.len() < theirs.len() && !open(&mine)) || (theirs.len() < mine.len() && !open(&theirs)) {
            return None;
        }
        // A trailing wildcard stands for as many single ones as the longer pattern needs.
        let at = |segments: &[&'_ str], index: usize| segments.get(index).map_or("*", |s| *s).to_owned();
        let mut name = Vec::new();
        for index in 0..mine.len().max(theirs.len()) {
            match (at(&mine, index), at(&theirs, index)) {
                (a, b) if a == b || b == "*" => name.push(a),
                (a, b) if a == "*" => name.push(b),
                _ => return None,
            }
        }
        let prefix = qualifier.map(|qualifier| format!("[{qualifier}]")).unwrap_or_default();
        Some(Self { text: prefix + &name.join(":") })
    }
}

impl fmt::Display for ChannelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
