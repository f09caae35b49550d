//! How those are told who read a job's events as they come.

use std::rc::Weak;

use super::super::runtime::{ObjectSql, describe, now, write};
use super::super::streams::Streams;
use super::{Core, Inner};
use crate::locations::log::sql::SqlLog;
use crate::objects::Millis;
use crate::objects::lines::Line;

impl Inner {
    /// Tells readers what there is to tell them by now.
    pub(super) fn tell_readers(&self, core: &mut Core<SqlLog<ObjectSql>>, now: Millis) -> Result<(), Line> {
        // Where there are none any more, the timer that was set for them goes too.
        let Some(streams) = self.streams.get() else { return Ok(()) };
        let (deliveries, told) = core.deliveries(now);
        streams.wake_at(core.readers_due(now));
        let delivered = streams.deliver(&deliveries);
        delivered.map_err(|error| self.lines.fault("stream_failed", Some(&describe(&error))))?;
        told.map_err(|error| self.storage_fault(&error))
    }

    /// The object's streams.
    pub(super) fn streams(&self) -> &Streams {
        let telling = |inner: &Weak<Self>, then: fn(&Self, u32, bool)| {
            let inner = Weak::clone(inner);
            move |number, is_there| {
                if let Some(inner) = inner.upgrade() {
                    then(&inner, number, is_there);
                }
            }
        };
        self.streams.get_or_init(|| {
            let due = telling(&self.inner, |inner, _, _| inner.readers_due());
            Streams::new(&self.storage, telling(&self.inner, Self::taken), move || due(0, true))
        })
    }

    /// Goes on with readers at the time that was asked for.
    fn readers_due(&self) {
        if let Some(streams) = self.streams.get() {
            streams.woke();
        }
        self.go_on_with_readers(|_| true);
    }

    /// Notes that a reader has been handed their text, or is not there any more.
    fn taken(&self, number: u32, is_there: bool) {
        self.go_on_with_readers(|core| core.taken(number, is_there));
    }

    /// Tells readers more, where there is more to tell.
    fn go_on_with_readers(&self, is_more: impl FnOnce(&mut Core<SqlLog<ObjectSql>>) -> bool) {
        let told = self.awake().and_then(|mut awake| match is_more(&mut awake.core) {
            true => self.tell_readers(&mut awake.core, now()),
            false => Ok(()),
        });
        told.unwrap_or_else(|line| write(&line));
    }
}
