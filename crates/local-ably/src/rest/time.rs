//! `GET /time`.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;

use super::Call;
use crate::clock::{Millis, now};

/// The server's clock, in an array, without credentials.
///
/// It tells a millisecond that nothing else has: later than all that was done before the request, earlier than all that is done
/// after the answer. Clients take it for a bound of a history, and a round trip to a server on the same machine can be over
/// within one.
pub(super) async fn time(call: Call) -> Response {
    let told = after(now()).await;
    after(told).await;
    call.answer(StatusCode::OK, &[told])
}

/// Waits until the clock has left a millisecond, and reads it. A clock that was put back is not waited for.
async fn after(moment: Millis) -> Millis {
    tokio::time::sleep(Duration::from_millis(1)).await;
    let mut read = now();
    while read == moment {
        tokio::time::sleep(Duration::from_millis(1)).await;
        read = now();
    }
    read
}
