//! The Durable Object of a job: [`locations::Job`](crate::locations::Job) with the runtime's storage, clock and fetch.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ably::rest::{RestClient, Timeouts};
use js_sys::Math;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use worker::Delay;
use worker::worker_sys::DurableObjectState;

use super::runtime::{ObjectSql, Request, Runtime, now_ms, response, variable, write};
use crate::config::JobConfig;
use crate::http::answer::Answer;
use crate::locations::lines::{Line, Lines};
use crate::locations::log::sql::SqlLog;
use crate::locations::outbox::Verdict;
use crate::locations::{Job as Core, JobRequest, Millis, Need, Publication};

/// A job's object. The runtime keeps at most one per job, and calls it by RPC.
#[wasm_bindgen]
pub struct Job(Rc<Inner>);

struct Inner {
    /// Borrowed for as long as nothing is awaited, never longer: other requests run at each await.
    core: RefCell<Core<SqlLog<ObjectSql>>>,
    ably: RestClient<Runtime>,
    /// The time of the next alarm clock that is set, so that there is one and not one a post.
    timer: Cell<Option<Millis>>,
    lines: Lines,
}

#[wasm_bindgen]
impl Job {
    /// Wakes the job from its storage. An error here is answered by the runtime to whoever called, and tried again by the next.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, env: JsValue) -> Result<Self, JsValue> {
        let lines = Lines::of(state.id()?.to_string()?);
        let config = JobConfig::load(&|name| variable(&env, name))
            .map_err(|_| fault(lines.fault("misconfigured", None)))?;
        let sql = SqlLog::new(ObjectSql(state.storage()?.sql()));
        let core =
            Core::wake(sql, config.max_fix_age_ms as Millis).map_err(|error| fault(lines.storage(&error)))?;
        let ably = RestClient::new(config.ably, config.publish_key, Timeouts::default(), Runtime)
            .map_err(|error| fault(lines.fault("http_client_failed", Some(&error))))?;
        Ok(Self(Rc::new(Inner { core: RefCell::new(core), ably, timer: Cell::new(None), lines })))
    }

    /// Answers a [`JobRequest`] with the text of a [`Reply`](crate::locations::Reply). Nothing here awaits: what is written is written
    /// as one, and the runtime lets neither the answer nor a publish out before it is durable.
    pub fn call(&self, request: &str) -> Result<String, JsValue> {
        let lines = &self.0.lines;
        let request: JobRequest = serde_json::from_str(request)
            .map_err(|error| fault(lines.fault("request_unreadable", Some(&error))))?;
        let reply = self.0.core.borrow_mut().handle(request, now());
        let reply = reply.map_err(|error| fault(lines.storage(&error)))?;
        Inner::pump(&self.0);
        reply.into_text().map_err(|error| fault(lines.fault("answer_failed", Some(&error))))
    }

    /// The object's alarm: looks after the outbox.
    pub fn alarm(&self) {
        Inner::pump(&self.0);
    }

    /// Answers a request that is passed on as it is, which is how a stream is asked for: its answer is a response, not a text.
    /// Nothing is streamed yet.
    pub fn fetch(&self, request: Request) -> JsValue {
        response(&request, &Answer::empty(404))
    }
}

impl Inner {
    /// Does what the outbox needs now. It may be called at any time and any number of times: the outbox itself sees to it that one
    /// publish is in flight.
    fn pump(this: &Rc<Self>) {
        let need = this.core.borrow_mut().next(now());
        match need {
            Ok(Need::Publish(publication)) => {
                let this = Rc::clone(this);
                spawn_local(async move {
                    this.publish(publication).await;
                    Self::pump(&this);
                });
            }
            Ok(Need::Wait { until }) if this.timer.get().is_none_or(|set| until < set) => {
                this.timer.set(Some(until));
                let this = Rc::clone(this);
                spawn_local(async move {
                    Delay::from(Duration::from_millis(u64::try_from(until - now()).unwrap_or_default()))
                        .await;
                    if this.timer.get() == Some(until) {
                        this.timer.set(None);
                    }
                    Self::pump(&this);
                });
            }
            Ok(Need::Wait { .. } | Need::Nothing) => {}
            Err(error) => write(&this.lines.storage(&error)),
        }
    }

    async fn publish(&self, Publication { ticket, channel, body }: Publication) {
        let Err(error) = self.ably.publish(&channel, &body).await else {
            self.core.borrow_mut().published(ticket, now());
            return;
        };
        let verdict = self.core.borrow_mut().failed(ticket, &error, now(), Math::random());
        let verdict = verdict.unwrap_or_else(|fault| {
            write(&self.lines.storage(&fault));
            Verdict::Stale
        });
        write(&self.lines.publish_failed(ticket.seq, &error, verdict));
    }
}

fn now() -> Millis {
    now_ms() as Millis
}

/// Logs a fault of ours, and gives the error that the caller's side sees.
fn fault(line: Line) -> JsValue {
    write(&line);
    js_sys::Error::new(line.code).into()
}
