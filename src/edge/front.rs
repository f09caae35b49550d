//! Where every request enters: the steps of [`Service`], driven by the runtime.

use std::rc::Rc;

use js_sys::{Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use worker::{console_error, console_log};

use super::runtime::{
    Request, call_job, call_ref, describe, now_ms, random_id, read_body, response, variable,
};
use crate::config::Config;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::service::{Service, Visit};
use crate::http::step::{Head, Moment, NoBody, Object, REQUEST_BODY_MAX, Step, Unreachable};
use crate::locations::{JobRefusal, Reply};

/// What the runtime's `fetch` handler is: one for all requests of an isolate. It keeps settings and nothing of any request.
#[wasm_bindgen]
pub struct Front(Rc<Inner>);

struct Inner {
    service: Service,
    /// The namespace of the jobs' objects.
    jobs: JsValue,
}

#[wasm_bindgen]
impl Front {
    /// Reads the settings once. What is wrong with them is logged here, and answered to nobody.
    #[wasm_bindgen(constructor)]
    pub fn new(env: JsValue) -> Self {
        let service = Service::new(Config::load(&|name| variable(&env, name)));
        for bad in service.misconfigured().iter().flat_map(|misconfigured| &misconfigured.settings) {
            let line = serde_json::json!({
                "level": "error", "code": "misconfigured", "variable": bad.variable, "rule": bad.rule,
            });
            console_error!("{line}");
        }
        let jobs = Reflect::get(&env, &"JOBS".into()).unwrap_or_default();
        Self(Rc::new(Inner { service, jobs }))
    }

    /// Answers a request: with a response where nothing has to be waited for, else with the promise of one.
    pub fn fetch(&self, request: Request) -> JsValue {
        let moment = Moment { now_ms: now_ms(), request_id: random_id() };
        let (method, url, headers) = (request.method(), request.url(), request.headers());
        let head = Head { method: &method, url: &url, header: &|name| headers.get(name) };
        let (visit, next) = self.0.service.open(&head, &moment);
        let step = match next {
            Ok(Step::Done(answer)) => return self.0.conclude(&request, Ok(answer), &visit, &moment),
            Err(problem) => return self.0.conclude(&request, Err(problem), &visit, &moment),
            Ok(step) => step,
        };
        let inner = Rc::clone(&self.0);
        future_to_promise(async move {
            let outcome = inner.follow(step, &request, &moment).await;
            Ok(inner.conclude(&request, outcome, &visit, &moment))
        })
        .into()
    }
}

impl Inner {
    /// Does what the steps ask for, until there is an answer.
    async fn follow(&self, mut step: Step, request: &Request, moment: &Moment) -> Result<Answer, Problem> {
        loop {
            step = match step {
                Step::Done(answer) => return Ok(answer),
                Step::ReadBody(then) => {
                    let body = match JsFuture::from(read_body(request, REQUEST_BODY_MAX as u32)).await {
                        Ok(body) if body.is_null() => Err(NoBody::TooLong),
                        Ok(body) => Ok(Uint8Array::from(body).to_vec()),
                        Err(_) => Err(NoBody::BrokeOff),
                    };
                    then(body.as_deref().map_err(|why| *why))?
                }
                Step::Call { object, request, then } => {
                    let reply = self.call(&object, &request).await;
                    if let Err(Unreachable(reason)) = &reply {
                        object_failed(reason, moment);
                    }
                    then(reply)?
                }
            }
        }
    }

    /// What an object replies, once it does. Where no object can be, there is one that has kept nothing.
    async fn call(&self, object: &Object, request: &str) -> Result<Reply, Unreachable> {
        let failed = |error: JsValue| Unreachable(describe(&error));
        let called = match object {
            Object::Job(job) => call_job(&self.jobs, job.as_str(), request),
            Object::Ref(reference) => call_ref(&self.jobs, reference.as_str(), request),
        };
        let called = called.map_err(failed)?;
        if called.is_null() {
            return Ok(Reply::Refusal(JobRefusal::Unknown));
        }
        let said = JsFuture::from(called.unchecked_into::<Promise>()).await.map_err(failed)?;
        Reply::from_text(said.as_string().unwrap_or_default()).map_err(|error| Unreachable(error.to_string()))
    }

    fn conclude(
        &self,
        request: &Request,
        outcome: Result<Answer, Problem>,
        visit: &Visit,
        moment: &Moment,
    ) -> JsValue {
        let answer = self.service.finish(outcome, visit);
        let line = self.service.log_line(&answer, visit, now_ms().saturating_sub(moment.now_ms));
        if answer.status >= 500 {
            console_error!("{line}")
        } else {
            console_log!("{line}")
        }
        response(request, &answer)
    }
}

/// Logs why an object did not answer.
fn object_failed(reason: &str, moment: &Moment) {
    let line = serde_json::json!({
        "level": "error", "requestId": moment.request_id, "code": "object_failed", "reason": reason,
    });
    console_error!("{line}");
}
