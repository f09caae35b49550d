//! What is worked out from a session once, and kept beside it for as long as the session is.

use std::any::Any;
use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;

/// A place for one value that another room makes of a session, and of nothing else: so it says nothing that the session does not, and
/// sessions are the same whatever is beside them.
#[derive(Default)]
pub struct Beside(OnceCell<Rc<dyn Any>>);

impl Beside {
    /// What is here; made now, where it is the first time. Nothing is kept of a failure.
    ///
    /// # Errors
    /// What `make` says.
    pub fn get_or_make<T: Any, E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Rc<T>, E> {
        if let Some(Ok(kept)) = self.0.get().map(|kept| Rc::clone(kept).downcast()) {
            return Ok(kept);
        }
        let made = Rc::new(make()?);
        // Where something else is here already, that stays.
        let _ = self.0.set(made.clone());
        Ok(made)
    }
}

impl Clone for Beside {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Beside {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Beside {}

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Beside(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_a_failure_is_not_kept() {
        let beside = Beside::default();
        assert_eq!(beside.get_or_make(|| Err::<u8, _>("not now")), Err("not now"));
        assert_eq!(beside.get_or_make(|| Ok::<u8, ()>(1)).as_deref(), Ok(&1));
        assert_eq!(beside.get_or_make(|| Ok::<u8, ()>(2)).as_deref(), Ok(&1));
        assert_eq!(beside.get_or_make(|| Ok::<_, ()>("another kind")).as_deref(), Ok(&"another kind"));
        assert_eq!(beside.clone().get_or_make(|| Ok::<u8, ()>(3)).as_deref(), Ok(&3));
    }
}
