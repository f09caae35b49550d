//! Where in a request the session token is.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::NO_PAD;

use super::session::SessionError;

/// What a request says about its sender, as it came. All of it is untrusted.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    /// The HTTP method, in capitals.
    pub method: &'a str,
    /// The request's own origin, `scheme://host[:port]`, from its URL.
    pub own_origin: &'a str,
    /// The query of the URL, without `?`, as it came.
    pub query: Option<&'a str>,
    /// The header `Authorization`.
    pub authorization: Option<&'a str>,
    /// The header `Cookie`.
    pub cookie: Option<&'a str>,
    /// The header `Origin`.
    pub origin: Option<&'a str>,
}

/// How a session may come in a cookie.
#[derive(Debug, Clone)]
pub struct CookieRules {
    /// The cookie's name (`SESSION_COOKIE`), compared as it is.
    pub name: String,
    /// The origins besides the request's own from which a cookie is believed when it changes something (`CORS_ORIGINS`).
    pub origins: Vec<String>,
}

/// Finds the session token. Without cookie rules, cookies mean nothing.
///
/// - `Authorization: Bearer …` decides alone where there is a token behind it. The scheme is compared without regard to case
///   (RFC 9110, 11.1). Clients that have no token, or not yet, send the scheme all the same, with nothing behind it or with
///   what their language makes of nothing: that is no session, and must not be taken for one that is refused for good.
/// - Any other `Authorization` is as good as none: a staging site behind HTTP Basic sends one with every request, and ably-js
///   sends cookies to another origin only if its `authHeaders` have some `authorization`.
/// - Several cookies of the name are fine while they say the same. Which of them a browser sends first depends on paths and ages,
///   and a neighbouring subdomain can plant one, so a difference is an error.
///
/// # Errors
/// [`SessionError`]: nothing there (401), a token in the query (400), a cookie that is not to be believed (403).
pub fn session_token<'a>(
    credentials: &Credentials<'a>,
    cookie_rules: Option<&CookieRules>,
) -> Result<&'a str, SessionError> {
    if credentials.query.is_some_and(carries_jwt) {
        return Err(SessionError::InQuery);
    }
    if let Some(token) = credentials.authorization.and_then(bearer) {
        return Ok(token);
    }
    let rules = cookie_rules.ok_or(SessionError::Missing)?;
    let token = session_cookie(credentials.cookie.unwrap_or_default(), &rules.name)?;
    let safe = matches!(credentials.method, "GET" | "HEAD" | "OPTIONS");
    let allowed = |origin: &str| {
        origin == credentials.own_origin || rules.origins.iter().any(|allowed| allowed == origin)
    };
    if safe || credentials.origin.is_some_and(allowed) { Ok(token) } else { Err(SessionError::Origin) }
}

/// Whether a form-encoded text (a query, or a form) has a name or a value that looks like a JWT.
pub fn carries_jwt(form: &str) -> bool {
    form_urlencoded::parse(form.as_bytes()).any(|(name, value)| {
        // A value may well be `Bearer eyJ…`.
        name.split_whitespace().chain(value.split_whitespace()).any(looks_like_jwt)
    })
}

/// A JWT, signed or encrypted: at least three parts, of which the first is the base64url of a JSON object.
fn looks_like_jwt(word: &str) -> bool {
    // Forgiving, since a token that is not quite in order is a secret all the same.
    const BASE64: GeneralPurpose =
        GeneralPurpose::new(&URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));
    let mut parts = word.split('.');
    let header = parts.next().unwrap_or_default().trim_end_matches('=');
    let header = BASE64.decode(header).unwrap_or_default();
    parts.count() >= 2 && header.trim_ascii_start().starts_with(b"{")
}

/// What JavaScript, Python, Swift and their kin write for a value that is not there.
pub(super) const NOTHING: [&str; 5] = ["", "undefined", "null", "None", "nil"];

/// The token behind the scheme `Bearer`, if that is the scheme and there is one.
pub fn bearer(authorization: &str) -> Option<&str> {
    let authorization = authorization.trim();
    let (scheme, token) = authorization.split_once([' ', '\t']).unwrap_or((authorization, ""));
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !NOTHING.contains(&token)).then_some(token)
}

/// The value of the session cookie, without quotes around it (RFC 6265, 4.1.1).
fn session_cookie<'a>(header: &'a str, name: &str) -> Result<&'a str, SessionError> {
    let mut found = None;
    for (_, value) in cookie_pairs(header).filter(|(this, _)| *this == name) {
        let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        if found.is_some_and(|other| other != bare) {
            return Err(SessionError::AmbiguousCookie);
        }
        found = Some(bare);
    }
    // Signing out often leaves an empty cookie behind.
    found.filter(|value| !NOTHING.contains(value)).ok_or(SessionError::Missing)
}

/// The cookies of a header, each a name and its value.
pub(super) fn cookie_pairs(header: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = header.split(';').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.trim(), value.trim()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.c2lnbmF0dXJl";

    const GET: Credentials<'_> = Credentials {
        method: "GET",
        own_origin: "https://api.example",
        query: None,
        authorization: None,
        cookie: None,
        origin: None,
    };

    fn rules() -> CookieRules {
        CookieRules { name: "session".into(), origins: vec!["https://app.example".into()] }
    }

    fn find<'a>(credentials: &Credentials<'a>) -> Result<&'a str, SessionError> {
        session_token(credentials, Some(&rules()))
    }

    #[test]
    fn a_bearer_token_decides_alone() {
        for (authorization, token) in [
            ("Bearer abc", Ok("abc")),
            ("bearer abc", Ok("abc")),
            ("BEARER   abc ", Ok("abc")),
            ("Bearer\tabc", Ok("abc")),
            ("  Bearer abc", Ok("abc")),
            // Two headers, joined as HTTP joins them: no session token has a comma, so verification refuses it.
            ("Bearer abc, Bearer def", Ok("abc, Bearer def")),
            // No word for nothing, whatever it looks like.
            ("Bearer undefined.null", Ok("undefined.null")),
            ("Bearer NULL", Ok("NULL")),
        ] {
            let request =
                Credentials { authorization: Some(authorization), cookie: Some("session=fromcookie"), ..GET };
            assert_eq!(find(&request), token, "{authorization:?}");
        }
    }

    #[test]
    fn another_scheme_and_a_bearer_of_nothing_are_as_good_as_none() {
        for authorization in [
            "",
            "cookie",
            "Basic dTpw",
            "Bearerabc",
            "Token abc",
            "Digest a=b",
            "Bearer",
            "Bearer ",
            "bearer\t",
            "Bearer undefined",
            "bearer undefined ",
            "Bearer null",
            "Bearer None",
            "Bearer nil",
        ] {
            let request = Credentials { authorization: Some(authorization), ..GET };
            assert_eq!(find(&request), Err(SessionError::Missing), "{authorization:?}");
            let request = Credentials { cookie: Some("session=fromcookie"), ..request };
            assert_eq!(find(&request), Ok("fromcookie"), "{authorization:?}");
        }
    }

    #[test]
    fn the_named_cookie_is_found_among_others() {
        for (cookie, token) in [
            ("session=a", Ok("a")),
            ("session=\"a\"", Ok("a")),
            ("theme=dark; session=a; lang=de", Ok("a")),
            ("theme=dark;session=a", Ok("a")),
            (" session = a ", Ok("a")),
            ("session=a=b", Ok("a=b")),
            ("session=a; session=a; session=\"a\"", Ok("a")),
            ("session=a; session=b", Err(SessionError::AmbiguousCookie)),
            ("session=; session=b", Err(SessionError::AmbiguousCookie)),
            ("session=", Err(SessionError::Missing)),
            ("session=\"\"", Err(SessionError::Missing)),
            ("session=undefined", Err(SessionError::Missing)),
            ("session=null", Err(SessionError::Missing)),
            ("session", Err(SessionError::Missing)),
            ("Session=a", Err(SessionError::Missing)),
            ("mysession=a; session2=b; x=session=c", Err(SessionError::Missing)),
            ("", Err(SessionError::Missing)),
            (";;=;==;", Err(SessionError::Missing)),
        ] {
            assert_eq!(find(&Credentials { cookie: Some(cookie), ..GET }), token, "{cookie:?}");
        }
    }

    #[test]
    fn cookies_mean_nothing_unless_one_is_configured() {
        let request = Credentials { cookie: Some("session=a"), ..GET };
        assert_eq!(session_token(&request, None), Err(SessionError::Missing));
    }

    #[test]
    fn a_cookie_that_changes_something_needs_an_origin() {
        for (method, origin, allowed) in [
            ("GET", None, true),
            ("HEAD", None, true),
            ("OPTIONS", None, true),
            ("GET", Some("https://evil.example"), true),
            ("POST", Some("https://api.example"), true),
            ("POST", Some("https://app.example"), true),
            ("POST", None, false),
            ("PUT", None, false),
            ("DELETE", None, false),
            ("get", None, false),
            ("POST", Some(""), false),
            ("POST", Some("null"), false),
            ("POST", Some("http://api.example"), false),
            ("POST", Some("https://api.example:8443"), false),
            ("POST", Some("https://api.example.evil.example"), false),
            ("POST", Some("https://evil.example"), false),
        ] {
            let request = Credentials { method, origin, cookie: Some("session=a"), ..GET };
            assert_eq!(find(&request).is_ok(), allowed, "{method} from {origin:?}");
            if !allowed {
                assert_eq!(find(&request), Err(SessionError::Origin));
            }
            let request = Credentials { authorization: Some("Bearer b"), ..request };
            assert_eq!(find(&request), Ok("b"), "{method} from {origin:?}");
        }
    }

    #[test]
    fn a_token_in_the_query_is_refused_whatever_it_is_called() {
        for query in [
            format!("token={JWT}"),
            format!("x=1&access_token={JWT}&y=2"),
            format!("rnd={JWT}"),
            JWT.to_owned(),
            format!("{JWT}=1"),
            format!("a=Bearer+{JWT}"),
            format!("a=Bearer%20{JWT}"),
            format!("a={}", JWT.replace('.', "%2E")),
            format!("a={JWT}.x.y"),
            "a=eyJhbGciOiJub25lIn0.e30.".to_owned(),
            // `{ "alg"` and `{\r\n`.
            "a=eyAiYWxnIjoibm9uZSJ9.e30.x".to_owned(),
            "a=ew0KICJhbGciOiJIUzI1NiJ9.e30.x".to_owned(),
            "a=eyJhbGciOiJIUzI1NiJ9==.e30.x".to_owned(),
        ] {
            let request = Credentials { query: Some(&query), authorization: Some("Bearer b"), ..GET };
            assert_eq!(find(&request), Err(SessionError::InQuery), "{query}");
            assert_eq!(SessionError::InQuery.status(), 400);
        }
    }

    #[test]
    fn an_ordinary_query_passes() {
        for query in [
            "",
            "jobId=j.1.2",
            "a=1.2.3",
            "after=170.12",
            "rnd=0.123",
            "capability=%7B%22a.b.c%22%3A1%7D",
            "eyJ=eyJ",
        ] {
            let request = Credentials { query: Some(query), authorization: Some("Bearer b"), ..GET };
            assert_eq!(find(&request), Ok("b"), "{query}");
        }
    }

    proptest! {
        #[test]
        fn no_request_makes_it_panic(
            method in ".*", query in ".*", authorization in ".*", cookie in ".*", origin in ".*",
        ) {
            let request = Credentials {
                method: &method,
                query: Some(&query),
                authorization: Some(&authorization),
                cookie: Some(&cookie),
                origin: Some(&origin),
                ..GET
            };
            let _ = find(&request);
        }
    }
}
