//! The Durable Object that tells operators: [`Desk`] with the runtime's storage, clock, alarm and fetch.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;

use ably::rest::RestClient;
use js_sys::Math;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use worker::worker_sys::{DurableObjectState, DurableObjectStorage};

use super::runtime::{ObjectSql, Runtime, describe, fault, now, set_alarm, settings, write};
use crate::objects::Millis;
use crate::objects::lines::{Line, Lines};
use crate::objects::sql::StorageError;
use crate::operations::{Announcement, CHANNEL, Desk, Next, Report};

/// Where something has gone wrong the alarm goes off so many milliseconds later: what was taken is looked after again.
const LATER: Millis = 30_000;

/// The operations object: there is one, and jobs call it by RPC.
#[wasm_bindgen]
pub struct Operations(Rc<Inner>);

struct Inner {
    storage: DurableObjectStorage,
    env: JsValue,
    lines: Lines,
    /// Nothing until it is awake. Borrowed for as long as nothing is awaited, never longer.
    awake: RefCell<Option<Awake>>,
    /// For when the alarm is set, as far as this life of the object knows.
    armed: Cell<Option<Millis>>,
}

struct Awake {
    desk: Desk<ObjectSql>,
    ably: Rc<RestClient<Runtime>>,
}

#[wasm_bindgen]
impl Operations {
    /// Nothing is read yet: so that nothing can fail for good, the object wakes when it is first asked for something.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, env: JsValue) -> Result<Self, JsValue> {
        let lines = Lines::of(state.id()?.to_string()?);
        let (awake, armed) = (RefCell::default(), Cell::default());
        Ok(Self(Rc::new(Inner { storage: state.storage()?, env, lines, awake, armed })))
    }

    /// Takes the JSON of a [`Report`]. It is on disk before the caller hears that it was taken, and so is the alarm that looks after it.
    pub fn report(&self, report: &str) -> Result<(), JsValue> {
        let inner = &self.0;
        let report: Report = serde_json::from_str(report)
            .map_err(|error| fault(inner.lines.fault("request_unreadable", Some(&error))))?;
        let taken = inner.awake().map_err(fault)?.desk.take(&report, now());
        taken.map_err(|error| fault(inner.storage_fault(&error)))?;
        Inner::turn(inner).map_err(fault)
    }

    /// The object's alarm. Whatever goes wrong here, it is armed again.
    ///
    /// # Errors
    /// Where it cannot be armed: then all that is left is that the runtime tries again.
    pub fn alarm(&self) -> Result<(), JsValue> {
        let inner = &self.0;
        inner.armed.set(None);
        let Err(line) = Inner::turn(inner) else { return Ok(()) };
        write(&line);
        set_alarm(&inner.storage, now() + LATER)
    }
}

impl Inner {
    /// The desk, woken from its storage if it is not awake.
    fn awake(&self) -> Result<RefMut<'_, Awake>, Line> {
        let mut awake = self.awake.borrow_mut();
        if awake.is_none() {
            let (_, ably) = settings(&self.env, &self.lines)?;
            let desk =
                Desk::wake(ObjectSql(self.storage.sql())).map_err(|error| self.storage_fault(&error))?;
            *awake = Some(Awake { desk, ably });
        }
        RefMut::filter_map(awake, Option::as_mut).map_err(|_| self.lines.fault("asleep", None))
    }

    /// Ends a turn: does what the desk needs now, and arms the alarm for what it needs later.
    fn turn(this: &Rc<Self>) -> Result<(), Line> {
        let mut awake = this.awake()?;
        let next = awake.desk.next(now()).map_err(|error| this.storage_fault(&error));
        let ably = Rc::clone(&awake.ably);
        drop(awake);
        let armed = match &next {
            Ok(Next::Wait(until)) => this.arm(*until),
            Ok(Next::Nothing) => Ok(()),
            // Whatever becomes of this object meanwhile.
            Ok(Next::Publish(_)) | Err(_) => this.arm(now() + LATER),
        };
        if let Next::Publish(announcement) = next? {
            let this = Rc::clone(this);
            spawn_local(async move { this.publish(&ably, announcement).await });
        }
        armed.map_err(|error| this.lines.fault("alarm_failed", Some(&describe(&error))))
    }

    /// Arms the alarm, unless it goes off before that anyway.
    fn arm(&self, at: Millis) -> Result<(), JsValue> {
        if self.armed.get().is_some_and(|armed| (now()..=at).contains(&armed)) {
            return Ok(());
        }
        self.armed.set(Some(at));
        set_alarm(&self.storage, at).inspect_err(|_| self.armed.set(None))
    }

    async fn publish(self: Rc<Self>, ably: &RestClient<Runtime>, announcement: Announcement) {
        let result = ably.publish(CHANNEL, &announcement.body).await;
        let noted = self.awake().and_then(|mut awake| {
            let noted = match &result {
                Ok(()) => awake.desk.published(now(), &self.lines),
                Err(error) => awake.desk.failed(error, now(), Math::random(), &self.lines),
            };
            noted.map_err(|error| self.storage_fault(&error))
        });
        match noted {
            Ok(line) => line.iter().for_each(write),
            Err(line) => write(&line),
        }
        Self::turn(&self).unwrap_or_else(|line| write(&line));
    }

    fn storage_fault(&self, error: &StorageError) -> Line {
        self.lines.fault("storage_failed", Some(error))
    }
}
