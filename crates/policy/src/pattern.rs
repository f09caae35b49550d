//! The channels that a line of the policy is about.

use std::fmt;

use ably::ChannelPattern;
use thiserror::Error;

/// One segment of a channel's name; `:` separates them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Itself.
    Literal(String),
    /// `*`: any segment, and at the end one or more (Ably docs, "Capabilities", "Wildcards").
    Wildcard,
    /// `{userId}`: the session's user, one segment.
    UserId,
    /// `{jobId}`: each of the session's jobs, one segment.
    JobId,
}

impl Segment {
    /// Whether the verified session fills it in.
    pub fn is_placeholder(&self) -> bool {
        matches!(self, Self::UserId | Self::JobId)
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::Wildcard => "*",
            Self::UserId => "{userId}",
            Self::JobId => "{jobId}",
        }
    }
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    /// `[meta]log` and the like.
    #[error(
        "a channel in brackets (`[meta]…`, `[*]…`) reaches beyond the platform's own channels: name a plain channel"
    )]
    Qualifier,
    /// `*`, `*:x`, `{userId}:x`.
    #[error(
        "the first segment is a bare `*` or a placeholder and would reach every namespace: begin with a literal one, such as `dispatch:…`"
    )]
    NoNamespace,
    /// `a::b`, `a:`, or nothing at all.
    #[error("a segment is empty: write `a:b`, without a `:` at either end")]
    EmptySegment,
    /// `job*`.
    #[error("Ably reads the `*` in `{0}` as a literal: a wildcard is a whole segment, `:*`")]
    LiteralStar(String),
    /// `{orgId}`.
    #[error(
        "there is no placeholder `{0}`: only `{{userId}}` and `{{jobId}}` are filled in from the session"
    )]
    UnknownPlaceholder(String),
    /// `job-{jobId}`.
    #[error("a placeholder is a whole segment, `:{{jobId}}:`; `{0}` would be read as a literal")]
    PartialPlaceholder(String),
    /// `a:{jobId}:{jobId}`.
    #[error("`{0}` stands twice: a channel belongs to one user and to one job at most")]
    RepeatedPlaceholder(Segment),
    /// A blank, a control character, or what other parts of Ably's syntax use.
    #[error(
        "the segment `{0}` has a character that a channel here may not have: use printable ASCII without blank and , \" \\"
    )]
    Character(String),
}

/// A channel name with wildcards and placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    segments: Vec<Segment>,
    /// With each placeholder as a wildcard: what Ably's own rules say it could reach.
    widest: ChannelPattern,
}

impl Pattern {
    /// Parses a channel of the policy.
    ///
    /// # Errors
    /// [`PatternError`], which names the rule.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.contains(['[', ']']) {
            return Err(PatternError::Qualifier);
        }
        let segments = text.split(':').map(segment).collect::<Result<Vec<_>, _>>()?;
        if !matches!(segments.first(), Some(Segment::Literal(_))) {
            return Err(PatternError::NoNamespace);
        }
        for placeholder in [Segment::UserId, Segment::JobId] {
            if segments.iter().filter(|segment| **segment == placeholder).count() > 1 {
                return Err(PatternError::RepeatedPlaceholder(placeholder));
            }
        }
        let widest = join(segments.iter().map(|s| if s.is_placeholder() { "*" } else { s.as_str() }));
        let widest = ChannelPattern::parse(widest).map_err(|_| PatternError::EmptySegment)?;
        Ok(Self { segments, widest })
    }

    /// The segments.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The pattern with each placeholder as a wildcard, as an Ably key needs it to grant the pattern to anybody.
    pub fn widest(&self) -> &ChannelPattern {
        &self.widest
    }

    /// Whether it has `{jobId}`.
    pub fn is_job_template(&self) -> bool {
        self.segments.contains(&Segment::JobId)
    }

    /// Whether it has `*`.
    pub fn has_wildcard(&self) -> bool {
        self.segments.contains(&Segment::Wildcard)
    }

    /// The pattern of a job template for all jobs: `{jobId}` becomes `*`, `{userId}` stays.
    pub fn for_all_jobs(&self) -> Vec<Segment> {
        let all = |segment: &Segment| match segment {
            Segment::JobId => Segment::Wildcard,
            other => other.clone(),
        };
        self.segments.iter().map(all).collect()
    }

    /// Whether there is a channel that both reach, for some users and jobs.
    pub fn meets(&self, other: &Self) -> bool {
        self.widest.intersect(&other.widest).is_some_and(|both| {
            let length = both.segments().count();
            self.reaches_length(length) && other.reaches_length(length)
        })
    }

    /// Whether it reaches names of so many segments. A placeholder is one segment, also at the end, where Ably's `*` is
    /// one or more.
    fn reaches_length(&self, length: usize) -> bool {
        let open = self.segments.last() == Some(&Segment::Wildcard);
        length == self.segments.len() || (open && length > self.segments.len())
    }

    /// Whether it reaches channels of a job template for more jobs than the session's: it meets the template, and has a
    /// wildcard where the template has `{jobId}`.
    pub fn reaches_any_job_of(&self, template: &Self) -> bool {
        // What follows a trailing wildcard is covered by it.
        let mine = |index: usize| self.segments.get(index).or(self.segments.last());
        let mut segments = template.segments.iter().enumerate();
        self.meets(template)
            && segments
                .any(|(index, theirs)| *theirs == Segment::JobId && mine(index) == Some(&Segment::Wildcard))
    }

    /// Where the two meet, the segment of the other that an id in place of this one's placeholder would have to imitate:
    /// a literal, or a placeholder of another kind.
    pub fn imitates<'a>(&self, other: &'a Self) -> Option<&'a Segment> {
        if !self.meets(other) {
            return None;
        }
        self.segments.iter().zip(&other.segments).find_map(|(mine, theirs)| {
            let differs = mine.is_placeholder() && mine != theirs && *theirs != Segment::Wildcard;
            differs.then_some(theirs)
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&join(self.segments.iter().map(Segment::as_str)))
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn join<'a>(segments: impl Iterator<Item = &'a str>) -> String {
    segments.collect::<Vec<_>>().join(":")
}

fn segment(text: &str) -> Result<Segment, PatternError> {
    match text {
        "" => return Err(PatternError::EmptySegment),
        "*" => return Ok(Segment::Wildcard),
        "{userId}" => return Ok(Segment::UserId),
        "{jobId}" => return Ok(Segment::JobId),
        _ => {}
    }
    if text.contains(['{', '}']) {
        let whole = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        return Err(match whole {
            Some(name) if !name.contains(['{', '}']) => PatternError::UnknownPlaceholder(text.to_owned()),
            _ => PatternError::PartialPlaceholder(text.to_owned()),
        });
    }
    if text.contains('*') {
        return Err(PatternError::LiteralStar(text.to_owned()));
    }
    if text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b',' | b'"' | b'\\')) {
        Ok(Segment::Literal(text.to_owned()))
    } else {
        Err(PatternError::Character(text.escape_debug().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn placeholders_are_one_segment_and_wildcards_are_ablys() {
        for (a, b, meet) in [
            ("a:{jobId}", "a:b", true),
            ("a:{jobId}", "a:b:c", false),
            ("a:{jobId}", "a:{userId}", true),
            ("a:{jobId}", "a:{jobId}:c", false),
            ("a:*", "a:{jobId}:c", true),
            ("a:*:c", "a:{jobId}:c", true),
            ("a:*:d", "a:{jobId}:c", false),
            ("a:b:*", "a:{jobId}", false),
            ("a:b:*", "a:{jobId}:{userId}", true),
            ("a", "a:*", false),
        ] {
            assert_eq!(pattern(a).meets(&pattern(b)), meet, "{a} and {b}");
            assert_eq!(pattern(b).meets(&pattern(a)), meet, "{b} and {a}");
        }
    }

    fn text() -> impl Strategy<Value = String> {
        let segment = prop::sample::select(vec!["*", "{userId}", "{jobId}", "a", "b"]);
        prop::collection::vec(segment, 0..4)
            .prop_map(|rest| ["x"].into_iter().chain(rest).collect::<Vec<_>>().join(":"))
            .prop_filter("a pattern", |text| Pattern::parse(text).is_ok())
    }

    proptest! {
        /// Two patterns meet exactly where some channel, over a small alphabet, is reached by both.
        #[test]
        fn meeting_is_sharing_a_channel(
            a in text(), b in text(), channel in prop::collection::vec("[ab]", 0..6),
        ) {
            let (a, b) = (pattern(&a), pattern(&b));
            let channel: Vec<_> = ["x".to_owned()].into_iter().chain(channel).collect();
            let reaches = |p: &Pattern| {
                p.widest().covers(&channel.join(":")) && p.reaches_length(channel.len())
            };
            prop_assert!(!(reaches(&a) && reaches(&b)) || a.meets(&b));
            if a.meets(&b) {
                let both = a.widest().intersect(b.widest()).unwrap().to_string().replace('*', "a");
                prop_assert!(a.widest().covers(&both) && b.widest().covers(&both));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = Pattern::parse(&text);
        }

        #[test]
        fn a_pattern_prints_as_it_was_written(text in text()) {
            prop_assert_eq!(pattern(&text).to_string(), text);
        }
    }
}
