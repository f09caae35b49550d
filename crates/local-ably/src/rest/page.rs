//! The page at `/`: files that stand in this program, under a policy that lets them run nothing else.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{Call, call};
use crate::errors::not_found;
use crate::server::Server;

/// A file: its name, its type, what is in it.
type File = (&'static str, &'static str, &'static str);

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

const INDEX: &str = include_str!("../../page/index.html");
const FILES: [File; 12] = [
    ("icon.svg", "image/svg+xml", include_str!("../../page/icon.svg")),
    ("inspector.js", JAVASCRIPT, include_str!("../../page/inspector.js")),
    ("limits.js", JAVASCRIPT, include_str!("../../page/limits.js")),
    ("messages.js", JAVASCRIPT, include_str!("../../page/messages.js")),
    ("page.css", "text/css; charset=utf-8", include_str!("../../page/page.css")),
    ("page.js", JAVASCRIPT, include_str!("../../page/page.js")),
    ("panels.js", JAVASCRIPT, include_str!("../../page/panels.js")),
    ("payload.js", JAVASCRIPT, include_str!("../../page/payload.js")),
    ("presence.js", JAVASCRIPT, include_str!("../../page/presence.js")),
    ("rates.js", JAVASCRIPT, include_str!("../../page/rates.js")),
    ("realtime.js", JAVASCRIPT, include_str!("../../page/realtime.js")),
    ("view.js", JAVASCRIPT, include_str!("../../page/view.js")),
];

/// The page itself, for whoever asked a host for it.
pub(super) fn index(host: Option<&str>) -> Response {
    let mut response = answer("text/html; charset=utf-8", INDEX);
    if let Some(policy) = policy(host) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// The routes of what the page loads; the page itself shares its path with the WebSockets.
pub(super) fn router() -> Router<Arc<Server>> {
    Router::new().route("/page/{file}", get(file)).method_not_allowed_fallback(call::unknown_method)
}

async fn file(name: Result<Path<String>, PathRejection>, call: Call) -> Response {
    match name.ok().and_then(|Path(name)| FILES.iter().find(|(known, ..)| *known == name)) {
        Some((_, content_type, content)) => answer(content_type, content),
        None => call.settle(Err(not_found("Could not find path"))),
    }
}

fn answer(content_type: &'static str, content: &'static str) -> Response {
    let fixed = |name, value| (name, HeaderValue::from_static(value));
    let headers: [(HeaderName, HeaderValue); 8] = [
        fixed(header::CONTENT_TYPE, content_type),
        // Replaced on the page itself; a file alone may do nothing at all.
        fixed(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        fixed(header::X_FRAME_OPTIONS, "DENY"),
        fixed(header::REFERRER_POLICY, "no-referrer"),
        fixed(header::CACHE_CONTROL, "no-store"),
        fixed(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        fixed(HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    (headers, content).into_response()
}

/// What the page may do: load its own files, and speak to the server that it came from. Not every browser takes `'self'` for
/// WebSockets too, so they are named.
fn policy(host: Option<&str>) -> Option<HeaderValue> {
    // It was checked before, but is text from a request: nothing in it may end the directive.
    let is_plain =
        |host: &&str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-[]".contains(&byte));
    let sockets = host.filter(is_plain).map(|host| format!(" ws://{host} wss://{host}")).unwrap_or_default();
    HeaderValue::from_str(&format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'{sockets}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ))
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy_for(host: &str) -> String {
        policy(Some(host)).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn the_policy_names_the_host_and_nothing_that_could_end_it() {
        assert!(policy_for("[::1]:8788").contains("connect-src 'self' ws://[::1]:8788 wss://[::1]:8788;"));
        for host in ["localhost;script-src *", "localhost 'unsafe-inline'", "localhost,x", "*"] {
            assert!(policy_for(host).contains("connect-src 'self'; "), "{host}");
        }
    }

    #[test]
    fn nothing_in_the_page_is_inline_or_from_elsewhere() {
        let html = INDEX.to_ascii_lowercase();
        for never in
            ["<script>", " style=", "<style", "onclick", "onload", "javascript:", "http://", "https://"]
        {
            assert!(!html.contains(never), "{never}");
        }
        for (name, _, content) in FILES {
            for never in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"]
            {
                assert!(!content.contains(never), "{name}: {never}");
            }
        }
    }
}
