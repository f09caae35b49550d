//! The streams of a job's object: [`Readers`](crate::streams::Readers) with the runtime's streams and clock.

use std::cell::Cell;

use wasm_bindgen::prelude::*;
use worker::worker_sys::DurableObjectStorage;

use crate::objects::Millis;
use crate::streams::Delivery;

#[wasm_bindgen(module = "/src/edge/streams.js")]
extern "C" {
    #[wasm_bindgen(js_name = Streams)]
    type Written;
    #[wasm_bindgen(constructor, js_class = "Streams")]
    fn new(storage: &DurableObjectStorage, taken: &JsValue, due: &JsValue) -> Written;
    #[wasm_bindgen(method)]
    fn open(this: &Written, number: u32) -> JsValue;
    #[wasm_bindgen(method, catch)]
    fn deliver(this: &Written, told: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(method, js_name = wakeAt)]
    fn wake_at(this: &Written, at: Option<f64>);
}

/// The streams of an object that has had a reader.
pub(super) struct Streams {
    written: Written,
    /// For when something is due for readers, as the runtime was told.
    due: Cell<Option<Millis>>,
    /// Called by the runtime for as long as there is a stream.
    _taken: Closure<dyn Fn(u32, bool)>,
    _due: Closure<dyn Fn()>,
}

impl Streams {
    /// Streams whose texts wait for this storage. `taken` is told the number of a reader who has been handed their text, or who is not
    /// there any more; `due` is called at the time that was asked for.
    pub(super) fn new(
        storage: &DurableObjectStorage,
        taken: impl Fn(u32, bool) + 'static,
        due: impl Fn() + 'static,
    ) -> Self {
        let (taken, due) = (Closure::new(taken), Closure::new(due));
        let written = Written::new(storage, taken.as_ref(), due.as_ref());
        Self { written, due: Cell::default(), _taken: taken, _due: due }
    }

    /// Begins a reader's stream: the response of which it is the body.
    pub(super) fn open(&self, number: u32) -> JsValue {
        self.written.open(number)
    }

    /// Hands out texts, once all is durable that was written until now.
    ///
    /// # Errors
    /// The runtime's, where it cannot wait for that: nothing is told then.
    pub(super) fn deliver(&self, deliveries: &[Delivery]) -> Result<(), JsValue> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let numbers = |readers: &[u32]| readers.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let told = deliveries.iter().flat_map(|Delivery { readers, text, ends }| {
            [if *ends { "!" } else { "" }.to_owned() + &numbers(readers), text.clone()]
        });
        self.written.deliver(&told.collect::<Vec<_>>().join("\0"))
    }

    /// For when something is due, if anything is, Unix milliseconds.
    pub(super) fn wake_at(&self, due: Option<Millis>) {
        if self.due.replace(due) != due {
            self.written.wake_at(due.map(|due| due as f64));
        }
    }

    /// Notes that the time has come that the runtime was told.
    pub(super) fn woke(&self) {
        self.due.set(None);
    }
}
