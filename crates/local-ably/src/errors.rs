//! Refusals that more than one room makes, with the code and status that Ably gives them.

use ably::{ErrorInfo, Operation, Payload};

/// The request itself makes no sense.
pub(crate) fn bad_request(message: impl Into<String>) -> ErrorInfo {
    ErrorInfo::new(40000, 400, message)
}

/// A parameter has a value that it cannot have.
pub(crate) fn invalid_parameter(message: impl Into<String>) -> ErrorInfo {
    ErrorInfo::new(40003, 400, message)
}

/// The credentials do not allow an operation on a channel. Clients match one or the other of the phrases before
/// the channel, which are Ably's.
pub(crate) fn not_allowed(channel: &str, operation: Operation) -> ErrorInfo {
    ErrorInfo::new(
        40160,
        401,
        format!(
            "Channel denied access based on given capability (permission denied): {} is not permitted on channel {channel:?}",
            operation.as_str()
        ),
    )
}

/// The attachment was made without the mode that the operation needs: a publish, an annotation, or anything in presence.
///
/// Ably's list of errors gives this 40165, "channel mode not requested when attaching", where the credentials would allow the
/// operation; where they do not, it is 40160.
pub(crate) fn mode_not_requested(mode: &str) -> ErrorInfo {
    let mode = mode.to_uppercase();
    ErrorInfo::new(40165, 401, format!("the client did not request the {mode} mode when attaching"))
}

/// Another identity than the credentials'.
pub(crate) fn foreign_client_id() -> ErrorInfo {
    ErrorInfo::new(40012, 400, "mismatched clientId: it is not the one that the credentials allow")
}

/// Nobody in particular asks for what only identified clients may do.
pub(crate) fn identity_required(what: &str) -> ErrorInfo {
    ErrorInfo::new(40161, 401, format!("{what} needs an identified client: it has no clientId"))
}

/// The connection or request cannot have the `clientId` it asks for.
pub(crate) fn incompatible_client_id() -> ErrorInfo {
    ErrorInfo::new(40102, 401, "invalid clientId for credentials")
}

/// Too much in one publish.
pub(crate) fn too_large(size: usize, limit: usize) -> ErrorInfo {
    ErrorInfo::new(40009, 400, format!("a publish of {size} bytes is over the limit of {limit}"))
}

/// Whether a client asks to be refused, to see how it takes that: by `_forceNack` among the parameters of a publish.
pub(crate) fn asks_for_refusal(force_nack: Option<&str>) -> bool {
    force_nack.is_some_and(|value| value != "false")
}

/// What it is answered then.
pub(crate) fn forced_refusal() -> ErrorInfo {
    ErrorInfo::new(40099, 400, "the publish asked to be refused")
}

/// The server ends.
pub(crate) fn shutting_down() -> ErrorInfo {
    ErrorInfo::new(80003, 503, "the local Ably is shutting down")
}

/// Presence on a channel that the connection is not attached to.
pub(crate) fn not_attached() -> ErrorInfo {
    ErrorInfo::new(90001, 404, "presence needs an attached channel")
}

/// What is wanted is not there.
pub(crate) fn not_found(message: impl Into<String>) -> ErrorInfo {
    ErrorInfo::new(40400, 404, message)
}

/// The longest `encoding`, in bytes: it is not part of a message's size, and some bound there must be.
const ENCODING_MAX: usize = 1_024;

/// Refuses an `encoding` beyond all reason.
pub(crate) fn check_encoding(payload: &Payload) -> Result<(), ErrorInfo> {
    match &payload.encoding {
        Some(encoding) if encoding.len() > ENCODING_MAX => {
            Err(bad_request(format!("an encoding has at most {ENCODING_MAX} bytes")))
        }
        _ => Ok(()),
    }
}
