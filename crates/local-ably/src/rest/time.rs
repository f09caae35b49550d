//! `GET /time`.

use axum::http::StatusCode;
use axum::response::Response;

use super::Call;

/// The server's clock, in an array, without credentials.
pub(super) async fn time(call: Call) -> Response {
    call.answer(StatusCode::OK, &[crate::clock::now()])
}
