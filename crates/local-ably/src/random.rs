//! Ids and secrets that nobody can guess.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Text of `A-Z a-z 0-9 _ -` made of so many random bytes: four characters for every three.
pub(crate) fn text<const BYTES: usize>() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<BYTES>())
}

/// Random bytes.
pub(crate) fn bytes<const BYTES: usize>() -> [u8; BYTES] {
    std::array::from_fn(|_| rand::random())
}
