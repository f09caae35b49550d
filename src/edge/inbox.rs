//! The Durable Object of a user: [`inbox::Inbox`](crate::inbox::Inbox) with the runtime's storage, clock, alarm and fetch.

use std::cell::{RefCell, RefMut};
use std::rc::{Rc, Weak};

use js_sys::Math;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use worker::worker_sys::{DurableObjectState, DurableObjectStorage};

use super::flights::{Flights, Route, tell_operators};
use super::runtime::{ObjectSql, Timer, describe, fault, namespace, now, set_alarm, settings, write};
use crate::config::OBJECT_JURISDICTION;
use crate::inbox::{Inbox as Core, Request, Settings};
use crate::locations::log::LogError;
use crate::locations::{Need, Ticket};
use crate::objects::lines::{Line, Lines};
use crate::objects::{Cause, Failure, Millis};
use crate::operations::Report;

/// Where something has gone wrong the alarm goes off so many milliseconds later.
const LATER: Millis = 30_000;

/// A user's object. The front and jobs call it by RPC.
#[wasm_bindgen]
pub struct Inbox(Rc<Inner>);

struct Inner {
    storage: DurableObjectStorage,
    env: JsValue,
    reference: String,
    lines: Lines,
    /// Nothing until it is awake. Borrowed for as long as nothing is awaited, never longer.
    awake: RefCell<Option<Awake>>,
    timer: Timer,
    flights: Flights,
}

struct Awake {
    core: Core<ObjectSql>,
    route: Route,
    /// The namespace of the object that tells operators.
    operations: JsValue,
}

#[wasm_bindgen]
impl Inbox {
    /// Nothing is read yet: so that nothing can fail for good, the object wakes when it is first asked for something.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, env: JsValue) -> Result<Self, JsValue> {
        let reference = state.id()?.to_string()?;
        let (lines, storage) = (Lines::of(reference.clone()), state.storage()?);
        Ok(Self(Rc::new_cyclic(|inner: &Weak<Inner>| {
            let inner = Weak::clone(inner);
            let flights = Flights::new(reference.clone(), move |ticket, result| {
                if let Some(inner) = inner.upgrade() {
                    inner.ended(ticket, result);
                }
            });
            let (awake, timer) = (RefCell::default(), Timer::default());
            Inner { storage, env, reference, lines, awake, timer, flights }
        })))
    }

    /// Takes the JSON of a [`Request`], and answers with that of a [`Taken`](crate::inbox::Taken). What is taken is on disk before whoever has
    /// called hears of it, and so is the alarm that looks after it.
    pub fn call(&self, request: &str) -> Result<String, JsValue> {
        let inner = &self.0;
        let request: Request = serde_json::from_str(request)
            .map_err(|error| fault(inner.lines.fault("request_unreadable", Some(&error))))?;
        let taken = inner.awake().map_err(fault)?.core.take(&request, now());
        // Also where it has failed: what was written until then stays, and something has to come back to it.
        if let Err(line) = Inner::turn(inner) {
            write(&line);
        }
        let taken = taken.map_err(|error| fault(inner.storage_fault(&error)))?;
        serde_json::to_string(&taken).map_err(|error| fault(inner.lines.fault("answer_failed", Some(&error))))
    }

    /// The object's alarm: it finishes what nobody asks for any more. Whatever goes wrong here, it is armed again.
    ///
    /// # Errors
    /// Where it cannot be armed: then all that is left is that the runtime tries again.
    pub fn alarm(&self) -> Result<(), JsValue> {
        let inner = &self.0;
        let rung = inner
            .awake()
            .and_then(|mut awake| awake.core.alarm(now()).map_err(|error| inner.storage_fault(&error)));
        let Err(line) = rung.and_then(|()| Inner::turn(inner)) else { return Ok(()) };
        write(&line);
        set_alarm(&inner.storage, now() + LATER)
    }
}

impl Inner {
    /// The inbox, woken from its storage if it is not awake.
    fn awake(&self) -> Result<RefMut<'_, Awake>, Line> {
        let mut awake = self.awake.borrow_mut();
        if awake.is_none() {
            let (config, ably) = settings(&self.env, &self.lines)?;
            let objects = |binding| {
                let found = namespace(&self.env, binding, config.jurisdiction);
                found.map_err(|_| self.lines.fault("misconfigured", Some(&OBJECT_JURISDICTION)))
            };
            let operations = objects("OPERATIONS")?;
            let settings = Settings { reference: self.reference.clone(), spacing: config.limits.spacing() };
            let core = Core::wake(ObjectSql(self.storage.sql()), settings);
            let core = core.map_err(|error| self.storage_fault(&error))?;
            let route = Route::of(config.publishing, &self.reference, ably, || objects("PUBLISHERS"))?;
            *awake = Some(Awake { core, route, operations });
        }
        RefMut::filter_map(awake, Option::as_mut).map_err(|_| self.lines.fault("asleep", None))
    }

    /// Ends a turn: does what the outbox needs now, arms the alarm, tells what there is to tell. It may be called at any time and any
    /// number of times: the outbox itself sees to it that one publish is in flight.
    fn turn(this: &Rc<Self>) -> Result<(), Line> {
        let now = now();
        let mut awake = this.awake()?;
        if let Some(ticket) = this.flights.overdue(now) {
            let failed = awake.core.failed(ticket, Failure::of(Cause::UNANSWERED), now, Math::random());
            failed.unwrap_or_else(|error| write(&this.storage_fault(&error)));
        }
        let need = awake.core.next(now).map_err(|error| this.storage_fault(&error));
        // Armed before all that may fail: what is written stays, and something has to come back to it.
        let armed = awake.core.arm(now).map_or(Ok(()), |at| set_alarm(&this.storage, at));
        if armed.is_err() {
            awake.core.not_armed();
        }
        awake.core.notices().into_iter().for_each(|notice| write(&notice.line(&this.lines)));
        let report = awake.core.report(now).map(|report| (report, awake.operations.clone()));
        let route = awake.route.clone();
        drop(awake);
        if let Some((report, operations)) = report {
            let this = Rc::clone(this);
            spawn_local(async move { this.report(report, &operations).await });
        }
        match need? {
            Need::Publish(publication) => this.flights.publish(route, publication, now),
            Need::Wait { until } => {
                let inner = Rc::clone(this);
                this.timer.set(until, move || Self::turn(&inner).unwrap_or_else(|line| write(&line)));
            }
            Need::Nothing => {}
        }
        armed.map_err(|error| this.lines.fault("alarm_failed", Some(&describe(&error))))
    }

    /// Ends a turn that began with how something has ended that was waited for.
    fn go_on(this: &Rc<Self>, noted: Result<(), Line>) {
        for ended in [noted, Self::turn(this)] {
            ended.unwrap_or_else(|line| write(&line));
        }
    }

    /// Notes how a message has fared, and goes on.
    fn ended(self: &Rc<Self>, ticket: Ticket, result: Result<(), Failure>) {
        let noted = self.awake().and_then(|mut awake| {
            let noted = match result {
                Ok(()) => awake.core.published(now()),
                Err(failure) => awake.core.failed(ticket, failure, now(), Math::random()),
            };
            noted.map_err(|error| self.storage_fault(&error))
        });
        Self::go_on(self, noted);
    }

    async fn report(self: Rc<Self>, said: Report, operations: &JsValue) {
        let handed_over = tell_operators(operations, &said).await;
        let noted = self.awake().and_then(|mut awake| match handed_over {
            Ok(_) => awake.core.heard(now(), Math::random()).map_err(|error| self.storage_fault(&error)),
            Err(error) if awake.core.unheard(now(), Math::random()) => {
                Err(self.lines.fault("report_failed", Some(&describe(&error))))
            }
            Err(_) => Ok(()),
        });
        Self::go_on(&self, noted);
    }

    fn storage_fault(&self, error: &LogError) -> Line {
        self.lines.fault(error.code(), Some(error))
    }
}
