//! The Durable Object that publishes for many jobs: [`Core`] with the runtime's clock, timers and fetch. It has no storage.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;

use ably::rest::{PublishBody, RestClient};
use js_sys::{Function, Math};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use worker::worker_sys::DurableObjectState;

use super::runtime::{Runtime, Timer, describe, fault, now, settings, write};
use crate::objects::lines::{Line, Lines};
use crate::publishers::publisher::Content;
use crate::publishers::{HandedOver, Next, Publisher as Core, Request};

/// A publisher's object. There are a few, each for its share of the jobs, which call it by RPC.
#[wasm_bindgen]
pub struct Publisher(Rc<Inner>);

struct Inner {
    env: JsValue,
    lines: Lines,
    /// Nothing until it is first asked for something. Borrowed for as long as nothing is awaited, never longer.
    awake: RefCell<Option<Awake>>,
    timer: Timer,
}

struct Awake {
    core: Core<Function>,
    ably: Rc<RestClient<Runtime>>,
}

#[wasm_bindgen]
impl Publisher {
    /// Nothing is read yet, so that nothing can fail for good.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, env: JsValue) -> Result<Self, JsValue> {
        let lines = Lines::of(state.id()?.to_string()?);
        Ok(Self(Rc::new(Inner { env, lines, awake: RefCell::default(), timer: Timer::default() })))
    }

    /// Takes a message for a channel. `reply` is called with the JSON of an [`Outcome`](crate::publishers::Outcome), once it is known what
    /// has become of that message.
    pub fn publish(&self, channel: String, body: String, reply: Function) -> Result<(), JsValue> {
        let handed_over = HandedOver { channel, body: PublishBody::from_stored(body), reply };
        self.0.awake().map_err(fault)?.core.take(handed_over, now());
        Inner::turn(&self.0).map_err(fault)
    }
}

impl Inner {
    fn awake(&self) -> Result<RefMut<'_, Awake>, Line> {
        let mut awake = self.awake.borrow_mut();
        if awake.is_none() {
            let (config, ably) = settings(&self.env, &self.lines)?;
            *awake = Some(Awake { core: Core::new(config.pace), ably });
        }
        RefMut::filter_map(awake, Option::as_mut).map_err(|_| self.lines.fault("asleep", None))
    }

    /// Ends a turn: sends what is to be sent now, answers whom there is to answer, and sees to it that somebody comes back.
    fn turn(this: &Rc<Self>) -> Result<(), Line> {
        let mut awake = this.awake()?;
        let until = loop {
            match awake.core.next(now()) {
                Next::Send(request) => {
                    let (this, ably) = (Rc::clone(this), Rc::clone(&awake.ably));
                    spawn_local(async move { this.send(&ably, request).await });
                }
                Next::Wait { until } => break Some(until),
                Next::Idle => break None,
            }
        };
        let answers = awake.core.answers();
        drop(awake);
        for (reply, outcome) in answers {
            // With this type it always serialises; and a job that hears nothing that it understands hands over again.
            let told = serde_json::to_string(&outcome).unwrap_or_default();
            // One that cannot be told keeps nobody else from being told.
            if let Err(error) = reply.call1(&JsValue::NULL, &JsValue::from_str(&told)) {
                write(&this.lines.fault("answer_failed", Some(&describe(&error))));
            }
        }
        if let Some(until) = until {
            let inner = Rc::clone(this);
            this.timer.set(until, move || Self::turn(&inner).unwrap_or_else(|line| write(&line)));
        }
        Ok(())
    }

    async fn send(self: Rc<Self>, ably: &RestClient<Runtime>, Request { ticket, content }: Request) {
        let result = match &content {
            Content::One { channel, body } => ably.publish(channel, body).await.map(|()| vec![Some(Ok(()))]),
            Content::Many(batch) => ably.publish_batch(batch).await,
        };
        let noted = self.awake().map(|mut awake| awake.core.ended(ticket, result, now(), Math::random()));
        for ended in [noted, Self::turn(&self)] {
            ended.unwrap_or_else(|line| write(&line));
        }
    }
}
