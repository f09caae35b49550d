//! Where every request enters: the steps of [`Service`], driven by the runtime.

use std::rc::Rc;

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use worker::{console_error, console_log};

use super::runtime::{Request, call_job, describe, now_ms, random_id, read_body, response, variable};
use crate::config::Config;
use crate::http::answer::Answer;
use crate::http::service::{Head, Moment, NoBody, REQUEST_BODY_MAX, Service, Step, Unreachable, Visit};

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
        let (visit, step) = self.0.service.open(&head, &moment);
        if let Step::Done(answer) = step {
            return self.0.conclude(&request, answer, &visit, &moment);
        }
        let inner = Rc::clone(&self.0);
        future_to_promise(async move {
            let answer = inner.follow(step, &request, &moment).await;
            Ok(inner.conclude(&request, answer, &visit, &moment))
        })
        .into()
    }
}

impl Inner {
    async fn follow(&self, mut step: Step, request: &Request, moment: &Moment) -> Answer {
        loop {
            step = match step {
                Step::Done(answer) => return answer,
                Step::ReadBody(wanted) => {
                    let body = match JsFuture::from(read_body(request, REQUEST_BODY_MAX as u32)).await {
                        Ok(body) if body.is_null() => Err(NoBody::TooLong),
                        Ok(body) => Ok(Uint8Array::from(body).to_vec()),
                        Err(_) => Err(NoBody::BrokeOff),
                    };
                    self.service.with_body(wanted, body.as_deref().map_err(|why| *why), moment)
                }
                Step::Call { job, request } => {
                    let said = self.call(job.as_str(), &request).await;
                    if let Err(Unreachable(reason)) = &said {
                        let line = serde_json::json!({
                            "level": "error", "requestId": moment.request_id, "code": "object_failed", "reason": reason,
                        });
                        console_error!("{line}");
                    }
                    Step::Done(self.service.called(said))
                }
            }
        }
    }

    async fn call(&self, job_id: &str, request: &str) -> Result<String, Unreachable> {
        let failed = |error: JsValue| Unreachable(describe(&error));
        let promise = call_job(&self.jobs, job_id, request).map_err(failed)?;
        let said = JsFuture::from(promise).await.map_err(failed)?;
        said.as_string().ok_or_else(|| Unreachable("the object answered no text".to_owned()))
    }

    fn conclude(&self, request: &Request, answer: Answer, visit: &Visit, moment: &Moment) -> JsValue {
        let answer = self.service.finish(answer, visit);
        let line = self.service.log_line(&answer, visit, now_ms().saturating_sub(moment.now_ms));
        if answer.status >= 500 {
            console_error!("{line}")
        } else {
            console_log!("{line}")
        }
        response(request, &answer)
    }
}
