//! `If-Match` (RFC 9110, 13.1.1), whose ETags are the versions of a job.

use super::problem::Problem;
use super::step::Head;
use crate::locations::Only;

/// What the header asks for, where it is there.
///
/// # Errors
/// [`Problem::IfMatch`]
pub(super) fn read(head: &Head<'_>) -> Result<Option<Only>, Problem> {
    (head.header)("if-match").map(|text| parse(&text).ok_or(Problem::IfMatch)).transpose()
}

fn parse(text: &str) -> Option<Only> {
    if text.trim() == "*" {
        return Some(Only::Registered);
    }
    let version = |tag: &str| {
        // A weak one is what a proxy that compresses makes of ours; and versions are exact.
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        let tag = tag.strip_prefix('"')?.strip_suffix('"').filter(|tag| !tag.contains('"'))?;
        // Another's is none of ours: it matches nothing.
        Some(tag.parse().ok().filter(|version: &u64| version.to_string() == tag))
    };
    let versions: Option<Vec<_>> = text.split(',').map(version).collect();
    Some(Only::Versions(versions?.into_iter().flatten().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_a_version() {
        assert_eq!(parse(" * "), Some(Only::Registered));
        assert_eq!(parse("\"3\""), Some(Only::Versions(vec![3])));
        assert_eq!(parse("\"3\" , W/\"12\",\"x\", \"03\""), Some(Only::Versions(vec![3, 12])));
        for bad in ["", "3", "\"3", "3\"", "\"3\",", "\"a\"b\"", "*, \"3\""] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
