//! The Durable Object of a job: [`locations::Job`](crate::locations::Job) with the runtime's storage, clock and fetch.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

use ably::rest::{ErrorClass, PublishError, RestClient, Surroundings, Timeouts};
use js_sys::Math;
use serde_json::json;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use worker::worker_sys::DurableObjectState;
use worker::{Delay, console_error, console_warn};

use super::runtime::{ObjectSql, Request, now_ms, response, variable};
use crate::config::JobConfig;
use crate::http::answer::Answer;
use crate::locations::log::LogError;
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
    log: Lines,
}

/// The clock and the dice.
#[derive(Debug)]
struct Runtime;

impl Surroundings for Runtime {
    fn now_ms(&self) -> u64 {
        now_ms()
    }

    fn random(&self) -> u32 {
        (Math::random() * f64::from(u32::MAX)) as u32
    }
}

#[wasm_bindgen]
impl Job {
    /// Wakes the job from its storage. An error here is answered by the runtime to whoever called, and tried again by the next.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, env: JsValue) -> Result<Self, JsValue> {
        let log = Lines { reference: state.id()?.to_string()? };
        let config =
            JobConfig::load(&|name| variable(&env, name)).map_err(|_| log.fault("misconfigured", None))?;
        let sql = SqlLog::new(ObjectSql(state.storage()?.sql()));
        let core = Core::wake(sql, config.max_fix_age_ms as Millis).map_err(|error| log.storage(&error))?;
        let ably = RestClient::new(config.ably, config.publish_key, Timeouts::default(), Runtime)
            .map_err(|error| log.fault("http_client_failed", Some(&error)))?;
        Ok(Self(Rc::new(Inner { core: RefCell::new(core), ably, timer: Cell::new(None), log })))
    }

    /// Answers a [`JobRequest`] with the text of a [`Reply`](crate::locations::Reply). Nothing here awaits: what is written is written
    /// as one, and the runtime lets neither the answer nor a publish out before it is durable.
    pub fn call(&self, request: &str) -> Result<String, JsValue> {
        let log = &self.0.log;
        let request: JobRequest =
            serde_json::from_str(request).map_err(|error| log.fault("request_unreadable", Some(&error)))?;
        let reply = self.0.core.borrow_mut().handle(request, now());
        let reply = reply.map_err(|error| log.storage(&error))?;
        Inner::pump(&self.0);
        reply.into_text().map_err(|error| log.fault("answer_failed", Some(&error)))
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
            Err(error) => {
                this.log.storage(&error);
            }
        }
    }

    async fn publish(&self, Publication { ticket, channel, body }: Publication) {
        let Err(error) = self.ably.publish(&channel, &body).await else {
            self.core.borrow_mut().published(ticket, now());
            return;
        };
        let verdict = self.core.borrow_mut().failed(ticket, &error, now(), Math::random());
        match verdict {
            Ok(verdict) => self.log.publish_failed(ticket.seq, &error, verdict),
            Err(fault) => {
                self.log.storage(&fault);
            }
        }
    }
}

fn now() -> Millis {
    now_ms() as Millis
}

/// What an object logs. It names the job by a reference alone.
struct Lines {
    /// The object's id, which `GET /api/refs/{ref}` turns into the job.
    reference: String,
}

impl Lines {
    /// Logs a fault of ours, and gives the error that the caller's side sees.
    fn fault(&self, code: &str, reason: Option<&dyn Display>) -> JsValue {
        let reason = reason.map(ToString::to_string);
        let line = json!({"level": "error", "code": code, "ref": self.reference, "reason": reason});
        console_error!("{line}");
        js_sys::Error::new(code).into()
    }

    fn storage(&self, error: &LogError) -> JsValue {
        self.fault(error.code(), Some(error))
    }

    /// Logs a publish that Ably has not taken: an error where somebody has to act, or where the message is lost to subscribers.
    /// Ably's own words stay out: they name the channel.
    fn publish_failed(&self, seq: u64, error: &PublishError, verdict: Verdict) {
        let grave = error.class == ErrorClass::BlamesAccess || matches!(verdict, Verdict::SetAside { .. });
        let (next, retry_at) = match verdict {
            Verdict::SetAside { .. } => ("SetAside", None),
            Verdict::Retry { at } => ("Retry", Some(at)),
            Verdict::Stale => ("Stale", None),
        };
        let line = json!({
            "level": if grave { "error" } else { "warn" },
            "code": "publish_failed",
            "ref": self.reference,
            "seq": seq,
            "cause": {"class": error.class.name(), "status": error.status, "code": error.code},
            "next": next,
            "retryAt": retry_at,
        });
        if grave {
            console_error!("{line}");
        } else {
            console_warn!("{line}");
        }
    }
}
