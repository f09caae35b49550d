//! `If-Match` and `If-None-Match` (RFC 9110, 13.1) of a change: its ETags are the versions of a job.

use super::problem::Problem;
use super::step::Head;
use crate::locations::Only;

/// What `If-Match` asks for, where it is there.
///
/// # Errors
/// [`Problem::IfMatch`]
pub(super) fn of_change(head: &Head<'_>) -> Result<Option<Only>, Problem> {
    (head.header)("if-match").map(|text| parse(&text).ok_or(Problem::IfMatch)).transpose()
}

/// The same of what may also be new: with `If-None-Match: *` it is nothing else.
///
/// # Errors
/// [`Problem::IfMatch`], [`Problem::IfNoneMatch`]
pub(super) fn of_put(head: &Head<'_>) -> Result<Option<Only>, Problem> {
    let only = of_change(head)?;
    match (head.header)("if-none-match") {
        None => Ok(only),
        Some(text) if text.trim() == "*" && only.is_none() => Ok(Some(Only::Absent)),
        Some(_) => Err(Problem::IfNoneMatch),
    }
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
    fn what_may_be_new_may_have_to_be() {
        let put = |if_match: Option<&str>, if_none_match: Option<&str>| {
            let header = |name: &str| match name {
                "if-match" => if_match.map(str::to_owned),
                "if-none-match" => if_none_match.map(str::to_owned),
                _ => None,
            };
            of_put(&Head { method: "PUT", url: "https://a.example/api/jobs/j", header: &header })
        };
        assert_eq!(put(None, None), Ok(None));
        assert_eq!(put(Some("*"), None), Ok(Some(Only::Registered)));
        assert_eq!(put(None, Some(" * ")), Ok(Some(Only::Absent)));
        for (if_match, if_none_match) in [(None, "\"1\""), (None, ""), (None, "*, *"), (Some("*"), "*")] {
            assert_eq!(put(if_match, Some(if_none_match)), Err(Problem::IfNoneMatch), "{if_none_match}");
        }
        assert_eq!(put(Some("1"), Some("*")), Err(Problem::IfMatch));
    }

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
