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
                    let said = text(call_job(&self.jobs, job.as_str(), &request)).await;
                    let said = said.and_then(|said| said.ok_or_else(no_text));
                    Step::Done(self.service.called(noted(said, moment)))
                }
                Step::Identify { reference, request } => {
                    let said = text(call_ref(&self.jobs, reference.as_str(), &request)).await;
                    Step::Done(self.service.identified(&reference, noted(said, moment)))
                }
            }
        }
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

/// What an object answers, once it does; nothing where there was none to ask.
async fn text(called: Result<JsValue, JsValue>) -> Result<Option<String>, Unreachable> {
    let failed = |error: JsValue| Unreachable(describe(&error));
    let called = called.map_err(failed)?;
    if called.is_null() {
        return Ok(None);
    }
    let said = JsFuture::from(called.unchecked_into::<Promise>()).await.map_err(failed)?;
    said.as_string().map(Some).ok_or_else(no_text)
}

fn no_text() -> Unreachable {
    Unreachable("the object answered no text".to_owned())
}

/// Logs why an object did not answer.
fn noted<T>(said: Result<T, Unreachable>, moment: &Moment) -> Result<T, Unreachable> {
    if let Err(Unreachable(reason)) = &said {
        let line = serde_json::json!({
            "level": "error", "requestId": moment.request_id, "code": "object_failed", "reason": reason,
        });
        console_error!("{line}");
    }
    said
}
