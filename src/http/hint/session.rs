//! What a developer is told where a session is missing, or refused.

use super::{Clues, page};
use crate::hints::Hint;
use crate::sessions::{Absence, Credentials, SessionError, bearer};

pub(super) fn hint(error: &SessionError, clues: &Clues<'_>) -> Hint {
    match error {
        SessionError::Missing => missing(clues),
        SessionError::Origin => origin(clues),
        SessionError::InQuery => Hint::new(error.to_string(), cure(error)),
        SessionError::Signature => {
            let cause = "the session is signed with another secret than this service's SESSION_SECRET, or was changed since";
            Hint::new(format!("{}{cause}", place(clues)), cure(error))
        }
        _ => Hint::new(format!("{}{error}", place(clues)), cure(error)),
    }
}

/// Where the session is: a header that some library adds wins over the cookie.
fn place(clues: &Clues<'_>) -> &'static str {
    match (clues.head.header)("authorization") {
        Some(given) if bearer(&given).is_some() => "in `Authorization`: ",
        _ => "in the session's cookie: ",
    }
}

fn missing(clues: &Clues<'_>) -> Hint {
    let header = |name| (clues.head.header)(name);
    let (authorization, cookie) = (header("authorization"), header("cookie"));
    let credentials = Credentials {
        method: clues.head.method,
        own_origin: clues.target.origin,
        query: clues.target.query,
        authorization: authorization.as_deref(),
        cookie: cookie.as_deref(),
        origin: clues.origin,
    };
    let rules = clues.config.ok().and_then(|config| config.session_cookie.as_ref());
    let site = header("sec-fetch-site");
    match Absence::of(&credentials, rules) {
        Absence::BearerOfNothing => Hint::new(
            "`Authorization` has no token: it is empty, or `undefined` or `null` was put into it",
            "ask only once the page has its token: `getSession` of createTowline is asked before each request",
        ),
        Absence::NoScheme => Hint::new(
            "`Authorization` has a token, but not the scheme `Bearer` before it",
            "send `Authorization: Bearer <token>`",
        ),
        Absence::CookiesUnread => Hint::new(
            "cookies came, but SESSION_COOKIE is not set, so no session is looked for in them",
            "set SESSION_COOKIE to the name of your session's cookie, before `npm start` or in .dev.vars, and start again",
        ),
        Absence::OtherCookies => Hint::new(
            "cookies came, but not the one that SESSION_COOKIE names",
            "compare that name, case and prefixes like `__Host-` included, with the cookies in the browser's developer tools; if it is not there, nobody is signed in, or its Path or Secure keeps it back",
        ),
        Absence::EmptyCookie => Hint::new(
            "the session's cookie came with nothing in it",
            "sign in again; when signing in, see that the token is there before the cookie is set",
        ),
        Absence::OtherScheme => Hint::new(
            "`Authorization` has another scheme than `Bearer`, which counts for nothing, and no cookie came",
            "send `Authorization: Bearer <session>`, or the session's cookie",
        ),
        Absence::NoCookie => no_cookie(site.as_deref()),
        Absence::NoHeader => Hint::new(
            "there is no `Authorization`, and no cookie; none would be looked at, as SESSION_COOKIE is not set",
            "send `Authorization: Bearer <session>`; or set SESSION_COOKIE to the name of your session's cookie and let the proxy pass it on",
        ),
    }
}

/// `site` is what the browser says of the page that asks, where it is a browser (W3C Fetch Metadata, `Sec-Fetch-Site`).
fn no_cookie(site: Option<&str>) -> Hint {
    match site {
        Some("same-origin") => Hint::new(
            "a page asked by way of its own origin, and no cookie came",
            "sign in; if the browser has the cookie, the proxy between drops it: let it pass the header `Cookie` on, or make it `Authorization: Bearer` there, as docs/nextjs.md shows",
        ),
        Some("same-site" | "cross-site") => Hint::new(
            "a page of another origin asked, and its browser sent no cookie",
            "have fetch send it by `credentials: \"include\"` (createTowline: `cookies: true`), and set it for the host that is called: localhost and 127.0.0.1 share no cookie; or let the page's own origin pass /api on",
        ),
        _ => Hint::new(
            "neither `Authorization` nor a cookie came, and it was no page that asked",
            "send `Authorization: Bearer <session>`: a server's own fetch has none of its visitor's cookies",
        ),
    }
}

fn origin(clues: &Clues<'_>) -> Hint {
    match clues.origin {
        None => Hint::new(
            "a request that changes something came with a cookie and without `Origin`",
            "let the proxy pass `Origin` on; whoever is no browser sends `Authorization: Bearer` in the cookie's place",
        ),
        Some(origin) => {
            let cause = format!(
                "a request that changes something came with a cookie, and {} is neither the service's own nor in CORS_ORIGINS",
                page::told(origin)
            );
            Hint::new(cause, page::list_it(origin))
        }
    }
}

fn cure(error: &SessionError) -> &'static str {
    match error {
        // Above.
        SessionError::Missing | SessionError::Origin => "",
        SessionError::InQuery => "send it as `Authorization: Bearer`, or in the cookie",
        SessionError::AmbiguousCookie => {
            "delete both cookies in the browser, and set it with one Path and one Domain only"
        }
        SessionError::TooLong => "put less into it: `sub`, `role`, `jobs` and `exp` are all that is read",
        SessionError::Malformed => {
            "send a JWT that your back end signs; a session id, or the encrypted cookie of an auth library, is none: see docs/nextjs.md"
        }
        SessionError::Extension => "sign without these headers",
        SessionError::Algorithm => {
            "have your back end sign a session of its own with HS256 and SESSION_SECRET: the token of an identity provider is signed by another key"
        }
        SessionError::Signature => {
            "sign with this service's SESSION_SECRET, its text as it is and not decoded: `npm start` has its own, `sessionSecret` in .towline/dev.json; and sign in anew after it has changed"
        }
        SessionError::Claims => "send each claim once, with times as Unix seconds",
        SessionError::Issuer => "sign with the `iss` that SESSION_ISSUER has, or do not set SESSION_ISSUER",
        SessionError::Audience => {
            "sign with the `aud` that SESSION_AUDIENCE has, or do not set SESSION_AUDIENCE"
        }
        SessionError::Subject => "sign with the user's id in `sub`, as a string also where it is a number",
        SessionError::Role => "sign with one of these roles in `role`, from data that users cannot edit",
        SessionError::Jobs => {
            "sign with job ids in `jobs`; `toJobId` of @towline/client makes one of any name"
        }
        SessionError::Expiry => "sign with `exp`: Math.floor(Date.now() / 1000) + 3600",
        SessionError::ExpiryInMilliseconds => "divide by 1000: Math.floor(Date.now() / 1000) + 3600",
        SessionError::ExpiryTooFar { .. } => "sign a session that ends sooner, or raise SESSION_MAX_HOURS",
        SessionError::NeverValid => "sign with `iat` and `nbf` in Unix seconds, or leave them out",
        SessionError::NotYetValid => "set the clock of the machine that signs, or of this one",
        SessionError::Expired => {
            "sign a new one: `renewSession` or `getSession(true)` of createTowline is asked for it after this answer"
        }
        SessionError::Ended => {
            "sign in again: it is over for longer than SESSION_RENEWAL_SECONDS; if it should not be, compare both machines' clocks"
        }
    }
}
