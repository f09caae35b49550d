//! What a retry is recognised by: a fix's driver and its `id`, or else its driver, its `capturedAt` as sent and its place; of an event of
//! the platform's its id.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::{Fix, Millis};
use crate::ids::{EventId, UserId};

#[cfg(test)]
mod tests;

/// What a retry is recognised by, among the fixes of one driver. A fix with neither `id` nor `capturedAt` has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DedupeKey<'a> {
    /// The `id`, or what the `Idempotency-Key` makes of the fix's place in its post.
    Id(&'a str),
    /// `capturedAt` and the bits of `lat` and `lng`, which are finite and have but one zero.
    Place(Millis, u64, u64),
}

impl<'a> DedupeKey<'a> {
    /// The key of a fix, if it has one.
    pub fn of(fix: &'a Fix) -> Option<Self> {
        match fix.id() {
            Some(id) => Some(Self::Id(id.as_str())),
            None => fix.captured_at().map(|at| Self::Place(at, fix.lat().to_bits(), fix.lng().to_bits())),
        }
    }
}

/// 40 bits of SHA-256 over a driver and a [`DedupeKey`]. Kept in the log, so the same in every build: and no driver can make many
/// fixes that share one, each of which would cost a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Print(pub(super) [u8; Print::BYTES]);

impl Print {
    const BYTES: usize = 5;
    /// With the `n` of its row it is nine bytes, twelve characters of base64: so that texts of any rows make one text.
    const WITH_N: usize = Self::BYTES + 4;

    /// The print of a driver's fix, if it has one.
    pub fn of(driver: &UserId, fix: &Fix) -> Option<Self> {
        let mut hash = Sha256::new();
        hash.update(driver.as_str());
        // A user id holds no line break, so where it ends is clear.
        match DedupeKey::of(fix)? {
            DedupeKey::Id(id) => {
                hash.update("\nid\n");
                hash.update(id);
            }
            DedupeKey::Place(at, lat, lng) => {
                hash.update("\nplace\n");
                hash.update(at.to_be_bytes());
                hash.update(lat.to_be_bytes());
                hash.update(lng.to_be_bytes());
            }
        }
        hash.finalize().first_chunk().copied().map(Self)
    }

    /// The print of an event of the platform's. A user id is never empty, so it is no fix's.
    pub fn of_event(id: &EventId) -> Option<Self> {
        let mut hash = Sha256::new();
        hash.update("\nevent\n");
        hash.update(id.as_str());
        hash.finalize().first_chunk().copied().map(Self)
    }

    /// The prints of a row's fixes as text. The text of several rows is the text of all their prints.
    pub fn text(prints: &[Self], n: u64) -> String {
        let n = u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
        let bytes = prints.iter().flat_map(|print| print.0.into_iter().chain(n));
        URL_SAFE_NO_PAD.encode(bytes.collect::<Vec<_>>())
    }

    /// Reads a text of prints, each with the `n` of its row. Says whether it is one; nothing is read of any other.
    pub fn read(text: &[u8], each: &mut dyn FnMut(Self, u64)) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(text) else { return false };
        let (records, rest) = bytes.as_chunks::<{ Self::WITH_N }>();
        if !rest.is_empty() {
            return false;
        }
        for [a, b, c, d, e, n @ ..] in records {
            each(Self([*a, *b, *c, *d, *e]), u32::from_be_bytes(*n).into());
        }
        true
    }

    /// Its bits, of which there are 40.
    pub fn bits(self) -> u64 {
        self.0.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte))
    }
}
