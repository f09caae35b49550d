//! Locks.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks. Nothing panics while it holds a lock, and each change is whole before the next begins, so a poisoned one is as good.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
