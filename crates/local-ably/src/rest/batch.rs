//! What answers to several requests in one have in common.

use ably::ErrorInfo;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use super::Call;
use super::call::note_error;

/// The first version of the API that counts successes and failures.
const COUNTED_SINCE: u32 = 3;

/// What became of one request among several.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Outcome<T, F> {
    Success(T),
    Failure(F),
}

/// A failure on one channel.
#[derive(Serialize)]
pub(super) struct ChannelFailure {
    pub(super) channel: String,
    pub(super) error: ErrorInfo,
}

/// What became of several requests (features.md, BAR2).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchResult<T, F> {
    success_count: usize,
    failure_count: usize,
    results: Vec<Outcome<T, F>>,
}

/// What versions before [`COUNTED_SINCE`] are answered where something failed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartialFailure<T, F> {
    error: ErrorInfo,
    batch_response: Vec<Outcome<T, F>>,
}

impl<T, F> From<Vec<Outcome<T, F>>> for BatchResult<T, F> {
    fn from(results: Vec<Outcome<T, F>>) -> Self {
        let success_count = results.iter().filter(|outcome| matches!(outcome, Outcome::Success(_))).count();
        Self { success_count, failure_count: results.len() - success_count, results }
    }
}

/// Answers one batch.
pub(super) fn answer_one<T: Serialize, F: Serialize>(
    call: &Call,
    status: StatusCode,
    outcomes: Vec<Outcome<T, F>>,
) -> Response {
    if is_counted(call) {
        call.answer(status, &BatchResult::from(outcomes))
    } else {
        answer_flat(call, status, outcomes)
    }
}

/// Answers several batches, in an array.
pub(super) fn answer_many<T: Serialize, F: Serialize>(
    call: &Call,
    status: StatusCode,
    batches: Vec<Vec<Outcome<T, F>>>,
) -> Response {
    if is_counted(call) {
        let results: Vec<_> = batches.into_iter().map(BatchResult::from).collect();
        call.answer(status, &results)
    } else {
        answer_flat(call, status, batches.into_iter().flatten().collect())
    }
}

/// Whether successes and failures are counted: also for SDKs of an earlier version that ask for it by name, as ably-js 1.2 does.
fn is_counted(call: &Call) -> bool {
    call.version().is_none_or(|version| version >= COUNTED_SINCE)
        || call.param("newBatchResponse") == Some("true")
}

fn answer_flat<T: Serialize, F: Serialize>(
    call: &Call,
    status: StatusCode,
    outcomes: Vec<Outcome<T, F>>,
) -> Response {
    if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Success(_))) {
        return call.answer(status, &outcomes);
    }
    let error = ErrorInfo::new(40020, 400, "the batched response includes errors");
    let body = PartialFailure { error: error.clone(), batch_response: outcomes };
    note_error(call.answer(StatusCode::BAD_REQUEST, &body), &error)
}
