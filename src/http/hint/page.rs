//! What a page's browser refuses, though the service answers: another origin that is not listed (the Fetch standard, "CORS protocol").

use super::Clues;
use crate::config::Origins;
use crate::hints::{Hint, quoted};
use crate::http::cors::Cors;

/// The hint of a request by a page of another origin which may not read the answer, or not send the request.
pub(super) fn hint(clues: &Clues<'_>) -> Option<Hint> {
    let origin = clues.origin?;
    let header = |name| (clues.head.header)(name);
    let is_preflight = clues.head.method == "OPTIONS" && header("access-control-request-method").is_some();
    // A page that asks by way of its own origin's proxy reads the answer, whatever its `Origin` is: its browser calls that same-origin.
    let is_elsewhere = || matches!(header("sec-fetch-site").as_deref(), Some("cross-site" | "same-site"));
    if origin == clues.target.origin || !(is_preflight || is_elsewhere()) {
        return None;
    }
    let pages = clues.pages();
    if !pages.origins.contain(origin) {
        let cause =
            format!("the browser keeps the answer from the page: {} is not in CORS_ORIGINS", told(origin));
        return Some(Hint::new(cause, list_it(origin)));
    }
    let wanted = header("access-control-request-headers").filter(|_| is_preflight)?;
    let cors = Cors::new(pages);
    let wrong = wanted.split(',').map(str::trim).find(|name| !cors.lets_in(name))?;
    let cause =
        format!("the browser does not send the request: no page may send the header `{}`", quoted(wrong));
    Some(Hint::new(cause, "leave that header out, or list it in CORS_HEADERS, and start again"))
}

/// What lists an origin, if it can be.
pub(super) fn list_it(origin: &str) -> String {
    match Origins::parse(origin) {
        Ok(_) => {
            let origin = quoted(origin);
            format!(
                "start with CORS_ORIGINS={origin} (after a comma, where it lists others), before `npm start` or in .dev.vars; or let the page's own origin pass /api on, as docs/nextjs.md shows"
            )
        }
        Err(_) => "open the page at http://localhost with a port, and not as a file or in a sandboxed frame: its origin can be listed then".to_owned(),
    }
}

/// An origin, which is no secret; of what is none, only that.
pub(super) fn told(origin: &str) -> String {
    match Origins::parse(origin) {
        Ok(_) => format!("the page's origin {}", quoted(origin)),
        Err(_) if origin == "null" => "the page's origin `null`".to_owned(),
        Err(_) => "what came as `Origin`, which is none,".to_owned(),
    }
}
