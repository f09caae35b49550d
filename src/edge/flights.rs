//! A message on its way: how it leaves an object, and how that hears what has become of it.

use std::cell::Cell;
use std::rc::{Rc, Weak};

use ably::rest::RestClient;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::runtime::{PublisherStub, Runtime, describe, report, write};
use crate::locations::{Publication, Ticket};
use crate::objects::lines::Lines;
use crate::objects::{Cause, Failure, Millis};
use crate::operations::Report;
use crate::publishers::handing_over::HAND_OVER_MAX;
use crate::publishers::{Outcome, Publishing};

/// How an object's messages leave.
#[derive(Clone)]
pub(super) enum Route {
    /// By requests of its own.
    Direct(Rc<RestClient<Runtime>>),
    /// By way of its publisher.
    Publisher(Rc<PublisherStub>),
}

impl Route {
    /// As the settings have it, of the object with this reference; `publishers` is the namespace of those.
    pub(super) fn of<E>(
        publishing: Publishing,
        reference: &str,
        ably: Rc<RestClient<Runtime>>,
        publishers: impl FnOnce() -> Result<JsValue, E>,
    ) -> Result<Self, E> {
        Ok(match publishing {
            Publishing::Direct => Self::Direct(ably),
            Publishing::Batched(names) => {
                Self::Publisher(Rc::new(PublisherStub::new(&publishers()?, &names.of(reference))))
            }
        })
    }
}

/// What has become of a message is told by this.
type Ended = dyn Fn(Ticket, Result<(), Failure>);

/// The one message of an object that is on its way.
#[derive(Clone)]
pub(super) struct Flights(Rc<Inner>);

struct Inner {
    lines: Lines,
    flight: Cell<Option<Flight>>,
    last: Cell<u32>,
    ended: Box<Ended>,
    /// Told by the runtime how a hand-over has ended: the number of its flight, and what was said.
    handed_over: Closure<dyn Fn(u32, JsValue)>,
}

/// A message on its way.
#[derive(Clone, Copy)]
struct Flight {
    /// By it what has come too late is known.
    number: u32,
    ticket: Ticket,
    /// Whatever has become of it then, it goes out again: at the next turn, which the alarm sees to.
    until: Millis,
}

impl Flights {
    /// Those of the object with this reference. `ended` is called with what has become of each, and never from within
    /// [`publish`](Self::publish).
    pub(super) fn new(reference: String, ended: impl Fn(Ticket, Result<(), Failure>) + 'static) -> Self {
        Self(Rc::new_cyclic(|inner: &Weak<Inner>| {
            let inner = Weak::clone(inner);
            let handed_over = Closure::new(move |number, told: JsValue| {
                if let Some(inner) = inner.upgrade() {
                    inner.handed_over(number, &told);
                }
            });
            Inner {
                lines: Lines::of(reference),
                flight: Cell::default(),
                last: Cell::default(),
                ended: Box::new(ended),
                handed_over,
            }
        }))
    }

    /// The message that is on its way for too long: it is not any more.
    pub(super) fn overdue(&self, now: Millis) -> Option<Ticket> {
        let flying = &self.0.flight;
        // A clock that has gone back keeps no message on its way.
        let flight = flying.get().map(|it| Flight { until: it.until.min(now + HAND_OVER_MAX), ..it });
        flying.set(flight.filter(|flight| now < flight.until));
        flight.filter(|flight| flight.until <= now).map(|flight| flight.ticket)
    }

    /// Sends a message on its way.
    pub(super) fn publish(
        &self,
        route: Route,
        Publication { ticket, channel, body }: Publication,
        now: Millis,
    ) {
        let inner = &self.0;
        let number = inner.last.get().wrapping_add(1);
        inner.last.set(number);
        inner.flight.set(Some(Flight { number, ticket, until: now + HAND_OVER_MAX }));
        match route {
            Route::Direct(ably) => {
                let inner = Rc::clone(inner);
                spawn_local(async move {
                    let result = ably.publish(&channel, &body).await;
                    inner.ended(number, result.map_err(|error| (&error).into()));
                });
            }
            Route::Publisher(publisher) => {
                let handed_over = inner.handed_over.as_ref();
                if let Err(error) = publisher.hand_over(&channel, body.as_str(), number, handed_over) {
                    let inner = Rc::clone(inner);
                    spawn_local(async move { inner.handed_over(number, &error) });
                }
            }
        }
    }
}

impl Inner {
    /// Takes what a publisher says has become of a message, or why it says nothing.
    fn handed_over(&self, number: u32, told: &JsValue) {
        let outcome = told.as_string().and_then(|text| serde_json::from_str::<Outcome>(&text).ok());
        // It passes by itself: the message is handed over again.
        if outcome.is_none() && self.flight.get().is_some_and(|flight| flight.number == number) {
            write(&self.lines.warning("publisher_failed", &describe(told)));
        }
        self.ended(number, outcome.map_or(Err(Failure::of(Cause::UNANSWERED)), Outcome::into_result));
    }

    fn ended(&self, number: u32, result: Result<(), Failure>) {
        let Some(Flight { ticket, .. }) = self.flight.get().filter(|flight| flight.number == number) else {
            return;
        };
        self.flight.set(None);
        (self.ended)(ticket, result);
    }
}

/// Hands a report to the object that tells operators, by its namespace; comes back once that has taken it.
pub(super) async fn tell_operators(operations: &JsValue, said: &Report) -> Result<JsValue, JsValue> {
    let text = serde_json::to_string(said).map_err(|error| JsValue::from_str(&error.to_string()))?;
    JsFuture::from(report(operations, &text)?).await
}
