//! What somebody may see of a registered job.

use super::gate::Withheld;
use super::joined::{Joined, Start};
use super::registration::{EndReason, Registration};
use super::viewer::Viewer;
use crate::objects::Millis;
use crate::sessions::Role;

/// What somebody may see of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// All of it.
    All,
    /// The lives that are theirs, as its driver.
    Own,
    /// Of the present life what comes after this.
    Present {
        /// The last `n` that is not for them.
        after: u64,
        /// Nothing that was measured before this, Unix milliseconds.
        since: Millis,
    },
    /// Nothing yet: a gate is closed.
    Withheld(Withheld),
}

/// Why somebody sees nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blind {
    /// They take no part: the same whether or not there is such a job.
    NotAParticipant,
    /// They took part until it has ended, for this reason.
    Ended(EndReason),
}

impl Registration {
    /// What somebody may see at `now`, in this life of the sequence.
    ///
    /// # Errors
    /// [`Blind`]
    pub fn sight(&self, viewer: &Viewer, epoch: Option<u64>, now: Millis) -> Result<Sight, Blind> {
        let sight = match viewer.role {
            Role::Dispatcher | Role::Admin | Role::Service => return Ok(Sight::All),
            Role::Driver if self.wanted.driver.as_ref() == Some(&viewer.user) => Sight::Own,
            Role::Customer if self.wanted.customers.contains(&viewer.user) => {
                let joined = self.joined(&viewer.user).map_or(Start::OF_ALL, Joined::start);
                let present = |Start { after, since }| Sight::Present { after, since };
                match self.gate(epoch) {
                    None => present(joined),
                    Some((_, Some(opening))) => present(joined.max(opening.start())),
                    Some((gate, None)) => Sight::Withheld(gate.withholds(now)),
                }
            }
            Role::Driver | Role::Customer => return Err(Blind::NotAParticipant),
        };
        self.ended.map_or(Ok(sight), |ended| Err(Blind::Ended(ended.reason)))
    }
}
