//! The Durable Object of a list of jobs: [`Lists`] with the runtime's storage, clock and alarm.

use std::cell::{Cell, RefCell, RefMut};

use wasm_bindgen::prelude::*;
use worker::worker_sys::{DurableObjectState, DurableObjectStorage};

use super::runtime::{ObjectSql, describe, fault, now, set_alarm, write};
use crate::index::lists::{ListError, Lists};
use crate::index::{Change, Wanted};
use crate::objects::Millis;
use crate::objects::lines::{Line, Lines};

/// Where something has gone wrong the alarm goes off so many milliseconds later.
const LATER: Millis = 300_000;

/// A list's object. Jobs and the front call it by RPC.
#[wasm_bindgen]
pub struct Index {
    storage: DurableObjectStorage,
    lines: Lines,
    /// Nothing until it is awake. Nothing here awaits.
    awake: RefCell<Option<Lists<ObjectSql>>>,
    /// For when the alarm is set, as far as this life of the object knows.
    armed: Cell<Option<Millis>>,
}

#[wasm_bindgen]
impl Index {
    /// Nothing is read yet: so that nothing can fail for good, the object wakes when it is first asked for something.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState) -> Result<Self, JsValue> {
        let lines = Lines::of(state.id()?.to_string()?);
        Ok(Self { storage: state.storage()?, lines, awake: RefCell::default(), armed: Cell::default() })
    }

    /// Takes the JSON of a [`Change`]. It is on disk before the caller hears that it was taken.
    pub fn change(&self, change: &str) -> Result<(), JsValue> {
        let change: Change = self.read(change)?;
        let changed = self
            .awake()
            .and_then(|mut lists| lists.change(&change, now()).map_err(|error| self.storage_fault(&error)));
        changed.map_err(fault)?;
        // What was taken stays so, and the next alarm that can be set sees to it too.
        self.arm().unwrap_or_else(|line| write(&line));
        Ok(())
    }

    /// Answers a [`Wanted`] with the text of a [`Listed`](crate::index::Listed).
    pub fn page(&self, wanted: &str) -> Result<String, JsValue> {
        let wanted: Wanted = self.read(wanted)?;
        let page = self
            .awake()
            .and_then(|lists| lists.page(&wanted, now()).map_err(|error| self.storage_fault(&error)));
        let text = page.map_err(fault)?.into_text();
        text.map_err(|error| fault(self.lines.fault("answer_failed", Some(&error))))
    }

    /// The object's alarm: what has had its time goes. Whatever goes wrong here, it is armed again.
    ///
    /// # Errors
    /// Where it cannot be armed: then all that is left is that the runtime tries again.
    pub fn alarm(&self) -> Result<(), JsValue> {
        self.armed.set(None);
        let swept =
            self.awake().and_then(|mut lists| lists.sweep(now()).map_err(|error| self.storage_fault(&error)));
        let Err(line) = swept.and_then(|()| self.arm()) else { return Ok(()) };
        write(&line);
        set_alarm(&self.storage, now() + LATER)
    }
}

impl Index {
    fn read<'a, T: serde::Deserialize<'a>>(&self, text: &'a str) -> Result<T, JsValue> {
        serde_json::from_str(text)
            .map_err(|error| fault(self.lines.fault("request_unreadable", Some(&error))))
    }

    /// The list, woken from its storage if it is not awake.
    fn awake(&self) -> Result<RefMut<'_, Lists<ObjectSql>>, Line> {
        let mut awake = self.awake.borrow_mut();
        if awake.is_none() {
            let lists = Lists::wake(ObjectSql(self.storage.sql()));
            *awake = Some(lists.map_err(|error| self.storage_fault(&error))?);
        }
        RefMut::filter_map(awake, Option::as_mut).map_err(|_| self.lines.fault("asleep", None))
    }

    /// Arms the alarm for what is to go, unless it goes off before that anyway.
    fn arm(&self) -> Result<(), Line> {
        let due = self.awake()?.due().map_err(|error| self.storage_fault(&error))?;
        let Some(at) = due.filter(|at| !self.armed.get().is_some_and(|armed| (now()..=*at).contains(&armed)))
        else {
            return Ok(());
        };
        set_alarm(&self.storage, at)
            .map_err(|error| self.lines.fault("alarm_failed", Some(&describe(&error))))?;
        self.armed.set(Some(at));
        Ok(())
    }

    fn storage_fault(&self, error: &ListError) -> Line {
        self.lines.fault("storage_failed", Some(error))
    }
}
