//! Why a request has no session, where that is not an error of the session itself: for a developer's log alone.

use super::credentials::{CookieRules, Credentials, NOTHING, carries_jwt, cookie_pairs};

/// What a request has in the place of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(strum::EnumIter))]
pub enum Absence {
    /// `Authorization: Bearer` with nothing, or with a word for nothing.
    BearerOfNothing,
    /// `Authorization` with a JWT and no scheme.
    NoScheme,
    /// Cookies, where none is looked for.
    CookiesUnread,
    /// Other cookies than the one that is looked for.
    OtherCookies,
    /// That cookie, with nothing in it.
    EmptyCookie,
    /// `Authorization` with another scheme.
    OtherScheme,
    /// Nothing at all, where a cookie would do.
    NoCookie,
    /// Nothing at all, where it would not.
    NoHeader,
}

impl Absence {
    /// Why there is [no token](super::session_token) in a request.
    pub fn of(credentials: &Credentials<'_>, cookie_rules: Option<&CookieRules>) -> Self {
        let authorization = credentials.authorization.unwrap_or_default().trim();
        let scheme = authorization.split([' ', '\t']).next().unwrap_or_default();
        let mut cookies = cookie_pairs(credentials.cookie.unwrap_or_default()).peekable();
        let has_cookies = cookies.peek().is_some();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Self::BearerOfNothing;
        }
        if carries_jwt(scheme) {
            return Self::NoScheme;
        }
        match cookie_rules {
            None if has_cookies => Self::CookiesUnread,
            Some(rules) if cookies.any(|(name, _)| name == rules.name) => Self::EmptyCookie,
            Some(_) if has_cookies => Self::OtherCookies,
            // A word for nothing, without a scheme, is what a client without a token sends.
            _ if NOTHING.contains(&scheme) && credentials.authorization.is_some() => Self::BearerOfNothing,
            _ if credentials.authorization.is_some() => Self::OtherScheme,
            Some(_) => Self::NoCookie,
            None => Self::NoHeader,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_have_no_session_is_told_from_the_others() {
        use Absence::*;
        const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.c2lnbmF0dXJl";
        for (authorization, cookie, without, with) in [
            (None, None, NoHeader, NoCookie),
            (None, Some(""), NoHeader, NoCookie),
            (None, Some("theme=dark"), CookiesUnread, OtherCookies),
            (None, Some("theme=dark; session="), CookiesUnread, EmptyCookie),
            (None, Some("session=undefined"), CookiesUnread, EmptyCookie),
            (Some("Bearer undefined"), None, BearerOfNothing, BearerOfNothing),
            (Some("bearer"), Some("theme=dark"), BearerOfNothing, BearerOfNothing),
            (Some("undefined"), None, BearerOfNothing, BearerOfNothing),
            (Some(""), None, BearerOfNothing, BearerOfNothing),
            (Some(JWT), Some("theme=dark"), NoScheme, NoScheme),
            (Some("Basic dTpw"), None, OtherScheme, OtherScheme),
            (Some("cookie"), None, OtherScheme, OtherScheme),
            (Some("cookie"), Some("theme=dark"), CookiesUnread, OtherCookies),
        ] {
            let credentials = Credentials {
                method: "GET",
                own_origin: "https://api.example",
                query: None,
                authorization,
                cookie,
                origin: None,
            };
            let rules = CookieRules { name: "session".into(), origins: Vec::new() };
            assert_eq!(Absence::of(&credentials, None), without, "{authorization:?} {cookie:?}");
            assert_eq!(Absence::of(&credentials, Some(&rules)), with, "{authorization:?} {cookie:?}");
        }
    }
}
