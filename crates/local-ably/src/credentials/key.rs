//! Keys, as the server knows them.

use std::sync::Arc;

use ably::{Capability, ErrorInfo, Key};

use crate::clock::Millis;

const DAY: Millis = 24 * 3_600_000;
const HOUR: Millis = 3_600_000;

/// A key and what it may do.
#[derive(Debug, Clone)]
pub(crate) struct KeyRecord {
    pub(crate) key: Key,
    pub(crate) capability: Arc<Capability>,
    /// Whether its tokens can be revoked; if so they live an hour at most.
    pub(crate) revocable: bool,
}

impl KeyRecord {
    /// The longest that a token of this key may live.
    pub(crate) fn ttl_max(&self) -> Millis {
        if self.revocable { HOUR } else { DAY }
    }
}

/// The app has no key of this name.
pub(crate) fn unknown_key() -> ErrorInfo {
    ErrorInfo::new(40400, 401, "the app has no such key")
}
