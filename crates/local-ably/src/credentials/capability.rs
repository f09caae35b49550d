//! The capability that a key or a token asks for.

use ably::{Capability, CapabilityError, ErrorInfo};

use crate::errors::bad_request;

/// The longest capability, in bytes. Ably names no limit; this one bounds the work of comparing two.
const CAPABILITY_LENGTH_MAX: usize = 16 * 1024;

/// Reads what somebody asks for.
///
/// # Errors
/// 40000; 40160 where it asks for nothing (Ably's FAQ on that code).
pub(crate) fn read_capability(text: &str) -> Result<Capability, ErrorInfo> {
    if text.len() > CAPABILITY_LENGTH_MAX {
        return Err(bad_request(format!("a capability has at most {CAPABILITY_LENGTH_MAX} bytes")));
    }
    let capability = Capability::parse(text).map_err(|error| match error {
        CapabilityError::Empty => nothing_in_common(),
        error => bad_request(error.to_string()),
    })?;
    if capability.grants().any(|(pattern, _)| pattern.as_str().chars().any(char::is_control)) {
        return Err(bad_request("a channel of a capability holds a control character"));
    }
    Ok(capability)
}

/// A token would have nothing of what it asks for.
pub(crate) fn nothing_in_common() -> ErrorInfo {
    ErrorInfo::new(40160, 401, "the capability asked for and the key's have nothing in common")
}
