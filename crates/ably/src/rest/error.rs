//! Why a publish failed, and what that means for the message.

use std::error;
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::value::RawValue;

/// The longest wait that a `Retry-After` can ask for: a queue must not be silenced for a day by one header.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// How much of another party's text goes into our log, in characters before escaping.
const QUOTE_MAX: usize = 200;

/// What a failure says about the message, and so what its sender does next. `contract/ably.md` has the table of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// The message itself is refused and always will be: set it aside.
    BlamesMessage,
    /// The key, token, app or account is refused, and every message would be: hold the queue, alert, try again slowly.
    BlamesAccess,
    /// Too much at once: wait, and longer each time.
    Throttled {
        /// What Ably asks for, at most [`RETRY_AFTER_MAX`].
        retry_after: Option<Duration>,
    },
    /// Nothing is known to be wrong with message or key: try again soon.
    Transient {
        /// What Ably asks for, at most [`RETRY_AFTER_MAX`].
        retry_after: Option<Duration>,
    },
    /// A refusal that the contract does not name. It may blame either, so hold the queue for a while first.
    Unknown,
}

impl ErrorClass {
    /// What is to blame, in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::BlamesMessage => "message",
            Self::BlamesAccess => "access",
            Self::Throttled { .. } => "throttled",
            Self::Transient { .. } => "transient",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a publish failed, or a revocation. Its `Display` is one line: bounded, escaped, without key and URL. It quotes Ably, whose words
/// name the channel, or whose tokens were meant: who must not see which gets class, status and code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishError {
    /// What it means for the message.
    pub class: ErrorClass,
    /// The HTTP status; none where no answer came.
    pub status: Option<u16>,
    /// Ably's own code, from the body or else from the header.
    pub code: Option<u32>,
    /// Already escaped and cut.
    reason: String,
}

impl PublishError {
    /// An error of a class, with what was answered and another party's words.
    pub fn new(class: ErrorClass, status: Option<u16>, code: Option<u32>, reason: &str) -> Self {
        Self { class, status, code, reason: quoted(reason) }
    }

    /// Whether it concerns one channel and no other: its message, what may be published to it, or how much of that it takes.
    pub fn is_of_one_channel(&self) -> bool {
        let code = matches!(self.code, Some(40_160 | 42_913 | 42_914));
        code || matches!(self.class, ErrorClass::BlamesMessage | ErrorClass::Unknown)
    }

    /// A request that got no answer, or not all of one.
    pub(super) fn transport(status: Option<u16>, reason: &str) -> Self {
        Self::new(ErrorClass::Transient { retry_after: None }, status, None, reason)
    }

    /// A message that is refused without asking Ably, by the code that Ably would answer.
    pub(super) fn refused(code: u32, reason: &str) -> Self {
        Self::new(ErrorClass::BlamesMessage, None, Some(code), reason)
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            ErrorClass::BlamesMessage => "message refused",
            ErrorClass::BlamesAccess => "access refused",
            ErrorClass::Throttled { .. } => "throttled",
            ErrorClass::Transient { .. } => "failed for now",
            ErrorClass::Unknown => "refused for an unknown reason",
        };
        f.write_str(class)?;
        if let Some(status) = self.status {
            write!(f, ", status {status}")?;
        }
        if let Some(code) = self.code {
            write!(f, ", code {code}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl error::Error for PublishError {}

/// The parts of an answer other than success that decide what it means.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// `X-Ably-ErrorCode`.
    pub(super) header_code: Option<String>,
    /// `X-Ably-ErrorMessage`.
    pub(super) header_message: Option<String>,
    /// `Retry-After`.
    pub(super) retry_after: Option<String>,
    /// Whether the answer is by the CDN in front of Ably.
    pub(super) from_cdn: bool,
    /// The body, if all of it arrived and it is not too long.
    pub(super) body: Option<Vec<u8>>,
}

impl Refusal {
    /// What the answer means. `now_ms` is Unix milliseconds, for a `Retry-After` that is a date; `redact` takes our
    /// credentials out of a text that may echo them.
    pub(super) fn into_error(self, now_ms: u64, redact: impl Fn(&str) -> String) -> PublishError {
        let reported = self.body.as_deref().and_then(Reported::of_body).unwrap_or_default();
        let code = reported.code.or_else(|| self.header_code.as_deref()?.trim().parse().ok());
        let reason = reported
            .message
            .as_deref()
            .or(self.header_message.as_deref())
            .unwrap_or(if self.body.is_some() { "the body holds no error" } else { "no whole body" });
        let class = self.class(code, now_ms);
        PublishError { class, status: Some(self.status), code, reason: quoted(&redact(reason)) }
    }

    fn class(&self, code: Option<u32>, now_ms: u64) -> ErrorClass {
        let retry_after = || self.retry_after.as_deref().and_then(|text| parse_retry_after(text, now_ms));
        match (self.status, code) {
            (413, _) | (400, Some(40_000..=40_099)) => ErrorClass::BlamesMessage,
            // The account's limits, by whatever status of a refusal.
            (400..=499, Some(40_110..=40_119)) => ErrorClass::BlamesAccess,
            (429, _) | (400..=499, Some(42_900..=42_999)) => {
                ErrorClass::Throttled { retry_after: retry_after() }
            }
            // The CDN's own refusal is no word of Ably's about the key or the message.
            (400..=499, None) if self.from_cdn => ErrorClass::Transient { retry_after: retry_after() },
            (401 | 403 | 404, _) => ErrorClass::BlamesAccess,
            // It may have named the message in a body that broke off.
            (400, None) if self.body.is_none() => ErrorClass::Transient { retry_after: retry_after() },
            (400..=499, _) => ErrorClass::Unknown,
            _ => ErrorClass::Transient { retry_after: retry_after() },
        }
    }
}

/// What Ably says in an error, as far as it can be read: each field is read by itself, so that none that is odd hides the others.
#[derive(Debug, Default)]
pub(super) struct Reported {
    pub(super) code: Option<u32>,
    status: Option<u16>,
    message: Option<String>,
}

/// The body of an answer that may be an error.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// An error's fields. The default deserialiser of all values, which would do as well, is much code.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields<'a> {
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    status_code: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

impl Reported {
    /// The error in the body of an answer, if there is one.
    pub(super) fn of_body(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().and_then(|body: Body<'_>| body.error).map(Self::of)
    }

    /// An error, as it is written.
    pub(super) fn of(error: &RawValue) -> Self {
        let Ok(fields) = serde_json::from_str::<Fields<'_>>(error.get()) else { return Self::default() };
        Self {
            code: fields.code.and_then(|code| code.get().parse().ok()),
            status: fields.status_code.and_then(|status| status.get().parse().ok()),
            message: fields.message.and_then(|message| serde_json::from_str(message.get()).ok()),
        }
    }

    /// The error of one part of a batch, which has no status but what it says. Where it says none, the code's first digits are it.
    pub(super) fn into_error(self, redact: impl Fn(&str) -> String) -> PublishError {
        let status = self.status.or_else(|| u16::try_from(self.code? / 100).ok());
        // It has arrived whole, and asks for no time.
        let refusal =
            Refusal { status: status.unwrap_or_default(), body: Some(Vec::new()), ..Refusal::default() };
        let class = refusal.class(self.code, 0);
        let reason = self.message.as_deref().unwrap_or("the error holds no message");
        PublishError { class, status, code: self.code, reason: quoted(&redact(reason)) }
    }
}

/// Seconds or an HTTP date (RFC 9110, 10.2.3), as a wait of at most [`RETRY_AFTER_MAX`].
fn parse_retry_after(text: &str, now_ms: u64) -> Option<Duration> {
    let text = text.trim();
    let wait = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are still a wait.
        text.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs)
    } else {
        let date = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
        date.saturating_sub(Duration::from_millis(now_ms))
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// Another party's text as it may stand in a log line.
fn quoted(text: &str) -> String {
    let mut chars = text.chars();
    let mut quoted: String = chars.by_ref().take(QUOTE_MAX).flat_map(char::escape_default).collect();
    if chars.next().is_some() {
        quoted.push('…');
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-11-14T22:13:20Z.
    const NOW_MS: u64 = 1_700_000_000_000;

    fn answer(status: u16, code: u32) -> PublishError {
        let body = serde_json::json!({"error": {"code": code, "statusCode": status, "message": "why"}});
        Refusal { status, body: Some(body.to_string().into()), ..Refusal::default() }
            .into_error(NOW_MS, str::to_owned)
    }

    #[test]
    fn every_code_of_the_contract_has_its_class() {
        use ErrorClass::{BlamesAccess, BlamesMessage, Throttled, Transient, Unknown};
        let throttled = Throttled { retry_after: None };
        let transient = Transient { retry_after: None };
        let table: &[(u16, &[u32], ErrorClass)] = &[
            (400, &[40000, 40003, 40009, 40010, 40012, 40013, 40031, 40099], BlamesMessage),
            (413, &[40009, 0, 41300], BlamesMessage),
            (401, &[40100, 40101, 40102, 40160, 40140, 40142, 40149, 40000], BlamesAccess),
            (401, &[40110, 40111, 40112, 40114, 40115, 40119], BlamesAccess),
            (403, &[40111, 40300, 40000], BlamesAccess),
            (404, &[40400, 0], BlamesAccess),
            (400, &[40111, 40115], BlamesAccess),
            (429, &[42910, 42911, 42913, 42914, 42917, 42918, 42920, 42924, 0, 40000], throttled),
            (400, &[42910], throttled),
            (500, &[50000, 50001, 40000], transient),
            (503, &[50003, 50320, 40101, 40111, 42910], transient),
            (504, &[50410], transient),
            (520, &[0], transient),
            (301, &[0, 40000], transient),
            (304, &[0], transient),
            (308, &[0], transient),
            (600, &[0], transient),
            (400, &[0, 40100, 40109, 40160, 39999, 50000, 80000], Unknown),
            (402, &[0], Unknown),
            (405, &[40500], Unknown),
            (408, &[0], Unknown),
            (409, &[40000], Unknown),
            (410, &[0], Unknown),
            (422, &[40000], Unknown),
            (499, &[0], Unknown),
        ];
        for (status, codes, class) in table {
            for code in *codes {
                let error = answer(*status, *code);
                assert_eq!(error.class, *class, "{status} {code}");
                assert_eq!((error.status, error.code), (Some(*status), Some(*code)));
            }
        }
    }

    #[test]
    fn the_code_comes_from_the_body_else_from_the_header() {
        let refusal = |body: &str| Refusal {
            status: 400,
            header_code: Some(" 40009 ".into()),
            header_message: Some("too long".into()),
            body: Some(body.into()),
            ..Refusal::default()
        };
        let error = refusal(r#"{"error":{"code":40010}}"#).into_error(NOW_MS, str::to_owned);
        assert_eq!(error.to_string(), "message refused, status 400, code 40010: too long");
        for odd in [
            "",
            "<html>",
            "null",
            "[]",
            r#"{"error":null}"#,
            r#"{"error":"no"}"#,
            r#"{"error":{"code":"x"}}"#,
            r#"{"error":{"code":-1}}"#,
            r#"{"error":{"code":4294967296}}"#,
            r#"{"error":{"code":1e99}}"#,
            &"[".repeat(10_000),
        ] {
            let error = refusal(odd).into_error(NOW_MS, str::to_owned);
            assert_eq!((error.class, error.code), (ErrorClass::BlamesMessage, Some(40009)), "{odd}");
        }
        for odd in ["", "x", "-1", "4.5", "99999999999"] {
            let refusal = Refusal { header_code: Some(odd.into()), ..refusal("") };
            assert_eq!(refusal.into_error(NOW_MS, str::to_owned).class, ErrorClass::Unknown, "{odd}");
        }
    }

    #[test]
    fn a_400_whose_body_broke_off_may_have_been_anything() {
        let refusal = Refusal { status: 400, ..Refusal::default() };
        assert_eq!(
            refusal.into_error(NOW_MS, str::to_owned).class,
            ErrorClass::Transient { retry_after: None }
        );
        let refusal = Refusal { status: 401, ..Refusal::default() };
        assert_eq!(refusal.into_error(NOW_MS, str::to_owned).class, ErrorClass::BlamesAccess);
    }

    #[test]
    fn the_cdn_blames_nobody_unless_it_passes_on_ablys_word() {
        let refusal =
            |status| Refusal { status, from_cdn: true, body: Some("<html>".into()), ..Refusal::default() };
        for status in [400, 401, 403, 404, 405, 499, 502] {
            let error = refusal(status).into_error(NOW_MS, str::to_owned);
            assert_eq!(error.class, ErrorClass::Transient { retry_after: None }, "{status}");
        }
        assert_eq!(refusal(413).into_error(NOW_MS, str::to_owned).class, ErrorClass::BlamesMessage);
        assert_eq!(
            refusal(429).into_error(NOW_MS, str::to_owned).class,
            ErrorClass::Throttled { retry_after: None }
        );
        let refusal = Refusal { header_code: Some("40101".into()), ..refusal(401) };
        assert_eq!(refusal.into_error(NOW_MS, str::to_owned).class, ErrorClass::BlamesAccess);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_is_capped() {
        let seconds = Duration::from_secs;
        for (text, wait) in [
            ("0", Some(seconds(0))),
            (" 7 ", Some(seconds(7))),
            ("86400", Some(RETRY_AFTER_MAX)),
            ("99999999999999999999999", Some(RETRY_AFTER_MAX)),
            ("Tue, 14 Nov 2023 22:13:50 GMT", Some(seconds(30))),
            ("Tue, 14 Nov 2023 22:13:00 GMT", Some(seconds(0))),
            ("Wed, 14 Nov 2029 22:13:00 GMT", Some(RETRY_AFTER_MAX)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            assert_eq!(parse_retry_after(text, NOW_MS), wait, "{text:?}");
        }
        let refusal = |status| Refusal { status, retry_after: Some("7".into()), ..Refusal::default() };
        let retry_after = Some(seconds(7));
        assert_eq!(
            refusal(429).into_error(NOW_MS, str::to_owned).class,
            ErrorClass::Throttled { retry_after }
        );
        assert_eq!(
            refusal(503).into_error(NOW_MS, str::to_owned).class,
            ErrorClass::Transient { retry_after }
        );
    }

    #[test]
    fn what_ably_says_is_escaped_and_cut() {
        let body = serde_json::json!({"error": {"code": 50000, "message": format!("a\n\u{1b}[31mé{}", "x".repeat(9000))}});
        let refusal = Refusal { status: 500, body: Some(body.to_string().into()), ..Refusal::default() };
        let shown = refusal.into_error(NOW_MS, str::to_owned).to_string();
        assert!(
            shown.starts_with(r"failed for now, status 500, code 50000: a\n\u{1b}[31m\u{e9}xxx"),
            "{shown}"
        );
        assert!(shown.ends_with("x…") && shown.len() < 300, "{}", shown.len());
    }
}
