//! `If-None-Match` (RFC 9110, 13.1.2) for answers whose ETag is made of their bytes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::answer::Answer;

/// So much of a hash is enough: two answers to one question do not have the same by chance.
const BYTES: usize = 12;

/// The answer with its ETag, or 304 where that is what whoever asks has.
pub(super) fn answer(answer: Answer, if_none_match: Option<&str>) -> Answer {
    let hash = Sha256::digest(&answer.body);
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(hash.get(..BYTES).unwrap_or_default()));
    let answer =
        if if_none_match.is_some_and(|tags| matches(tags, &etag)) { Answer::empty(304) } else { answer };
    answer.with("etag", etag)
}

/// Whether a list of ETags has this one. They are compared weakly: whatever compresses on the way makes a weak one of ours. What is no list
/// has it not, and the answer is one that it would have been without.
fn matches(tags: &str, etag: &str) -> bool {
    let mut tags_of = tags.split(',').map(str::trim);
    tags.trim() == "*" || tags_of.any(|tag| tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(body: &str, tags: Option<&str>) -> Answer {
        answer(Answer::json(200, body), tags)
    }

    #[test]
    fn what_somebody_has_is_not_sent_again() {
        let first = ask("{}", None);
        let etag = first.header("etag").unwrap().to_owned();
        assert_eq!((first.status, first.body.as_str(), etag.len()), (200, "{}", 18));
        for tags in [&etag, &format!("W/{etag}"), &format!("\"x\" , W/\"y\",{etag}"), " * "] {
            let again = ask("{}", Some(tags));
            assert_eq!(
                (again.status, again.body.as_str(), again.header("etag")),
                (304, "", Some(etag.as_str()))
            );
        }
        let bare = etag.trim_matches('"');
        for tags in ["", "\"x\"", bare, &format!("w/{etag}"), "**", &format!("W/ {etag}")] {
            assert_eq!(ask("{}", Some(tags)).status, 200, "{tags}");
        }
        assert_eq!(ask("{ }", Some(&etag)).status, 200);
    }
}
