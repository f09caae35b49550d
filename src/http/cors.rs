//! Cross-origin requests (the Fetch standard, "CORS protocol").

use thiserror::Error;

use super::answer::Answer;

/// The request headers that a page may send: what ably-js and a driver's web app need.
const ALLOWED_HEADERS: &str =
    "authorization, content-type, accept, idempotency-key, x-ably-version, x-ably-clientid, ably-agent";
/// The answer headers that a page may read. Without the first, ably-js takes a final 403 for a network error and retries for ever.
const EXPOSED_HEADERS: &str = "x-ably-errorcode, x-request-id, retry-after";
/// How long a browser may keep a preflight's answer, in seconds: two hours, the most that Chromium honours.
const PREFLIGHT_MAX_AGE: &str = "7200";

/// Why a text is not a list of origins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "origins are listed exactly as browsers send them: scheme://host or scheme://host:port, in lower case, without path; no `*` and no `null`"
)]
pub struct OriginsError;

/// The origins whose pages may call the service: an exact list, and none by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Parses origins separated by commas or blanks.
    ///
    /// # Errors
    /// [`OriginsError`] where one of them is not an origin as browsers write it, since it would never match.
    pub fn parse(list: &str) -> Result<Self, OriginsError> {
        let origins = list.split([',', ' ']).filter(|origin| !origin.is_empty());
        origins
            .map(|origin| is_origin(origin).then(|| origin.to_owned()).ok_or(OriginsError))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether an origin is in the list.
    pub fn contain(&self, origin: &str) -> bool {
        self.0.iter().any(|listed| listed == origin)
    }

    /// The origins themselves.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Adds to an answer what lets a listed page read it, and tells caches that it depends on the origin.
    pub fn share(&self, mut answer: Answer, origin: Option<&str>) -> Answer {
        if self.0.is_empty() {
            return answer;
        }
        answer = answer.with("vary", "Origin");
        match origin.filter(|origin| self.contain(origin)) {
            Some(origin) => answer
                .with("access-control-allow-origin", origin)
                .with("access-control-allow-credentials", "true")
                .with("access-control-expose-headers", EXPOSED_HEADERS),
            None => answer,
        }
    }

    /// Answers `OPTIONS`. A page that is not listed gets no permission, and its browser says so.
    pub fn preflight(&self, origin: Option<&str>, methods: &'static str) -> Answer {
        let answer = Answer::empty(204).with("allow", methods);
        match origin.filter(|origin| self.contain(origin)) {
            Some(_) => answer
                .with("access-control-allow-methods", methods)
                .with("access-control-allow-headers", ALLOWED_HEADERS)
                .with("access-control-max-age", PREFLIGHT_MAX_AGE),
            None => answer,
        }
    }
}

fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let scheme_is_valid = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.'));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let host_is_valid = match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']').is_some_and(|inner| {
            inner.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b':')) && !inner.is_empty()
        }),
        None => {
            !host.is_empty()
                && host.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'))
        }
    };
    // A browser leaves out the default port, so an entry that names it would never match.
    let default_port = match scheme {
        "https" => "443",
        "http" => "80",
        _ => "",
    };
    let port_is_valid = port.is_none_or(|port| {
        port != default_port
            && !port.starts_with('0')
            && port.parse::<u16>().is_ok()
            && port.bytes().all(|b| b.is_ascii_digit())
    });
    scheme_is_valid && host_is_valid && port_is_valid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_listed_as_browsers_send_them() {
        let origins = Origins::parse(
            "https://app.example.com, http://localhost:3000 capacitor://localhost,http://[::1]:3000",
        )
        .unwrap();
        assert_eq!(origins.as_slice().len(), 4);
        assert_eq!(Origins::parse(" ").unwrap(), Origins::default());
        for bad in [
            "*",
            "null",
            "app.example.com",
            "https://",
            "https://App.example.com",
            "https://app.example.com/",
            "https://*.example.com",
            "https://app.example.com:443",
            "http://a:80",
            "https://a:0",
            "https://a:99999",
            "https://a:+1",
            "https://a?b",
            "https://user@a",
            "https://é.com",
            "://a",
            "1a://b",
            "http://[]",
            "http://[g]",
        ] {
            assert_eq!(Origins::parse(bad), Err(OriginsError), "{bad}");
        }
    }

    #[test]
    fn only_a_listed_origin_is_let_in_and_every_answer_varies_by_it() {
        let origins = Origins::parse("https://a.example").unwrap();
        let shared = origins.share(Answer::empty(403), Some("https://a.example"));
        assert_eq!(shared.header("access-control-allow-origin"), Some("https://a.example"));
        assert_eq!(shared.header("access-control-allow-credentials"), Some("true"));
        assert!(shared.header("access-control-expose-headers").unwrap().contains("x-ably-errorcode"));
        for other in [
            None,
            Some("https://b.example"),
            Some("null"),
            Some("https://a.example.evil"),
            Some("https://A.example"),
        ] {
            let refused = origins.share(Answer::empty(200), other);
            assert_eq!(refused.header("access-control-allow-origin"), None, "{other:?}");
            assert_eq!(refused.header("vary"), Some("Origin"));
        }
    }

    #[test]
    fn without_a_list_there_is_no_cors() {
        let answer = Origins::default().share(Answer::empty(200), Some("https://a.example"));
        assert_eq!(answer.headers, []);
        let preflight = Origins::default().preflight(Some("https://a.example"), "GET");
        assert_eq!(preflight.header("access-control-allow-methods"), None);
    }
}
