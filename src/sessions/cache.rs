//! Sessions that were verified before, by their whole tokens: a phone that posts each second sends the same one each time.
//!
//! What is kept is what the token itself says, so it never changes; whether that is valid *now* is asked again at each use. Nothing is
//! kept of a token that was refused. The token is the key, and not a hash of it: so nobody can make another that is taken for it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::verify::Verified;

/// As many bytes of tokens are kept in each of two halves: a thousand of the usual ones.
const HALF_MAX: usize = 512 * 1024;

/// The sessions. What was not asked for while as much else was is forgotten.
#[derive(Default)]
pub(super) struct Cache(RefCell<Halves>);

#[derive(Default)]
struct Halves {
    young: HashMap<Box<str>, Rc<Verified>>,
    old: HashMap<Box<str>, Rc<Verified>>,
    /// How many bytes the tokens of the young half have.
    bytes: usize,
}

impl Cache {
    /// What is known of a token.
    pub(super) fn get(&self, token: &str) -> Option<Rc<Verified>> {
        let mut halves = self.0.borrow_mut();
        if let Some(verified) = halves.young.get(token) {
            return Some(Rc::clone(verified));
        }
        let (token, verified) = halves.old.remove_entry(token)?;
        halves.add(token, Rc::clone(&verified));
        Some(verified)
    }

    /// Keeps what was verified of a token.
    pub(super) fn put(&self, token: &str, verified: &Rc<Verified>) {
        self.0.borrow_mut().add(token.into(), Rc::clone(verified));
    }
}

impl Halves {
    fn add(&mut self, token: Box<str>, verified: Rc<Verified>) {
        if self.bytes + token.len() > HALF_MAX {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += token.len();
        self.young.insert(token, verified);
    }
}
