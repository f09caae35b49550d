//! Where every request enters: the steps of [`Service`], driven by the runtime.

use std::rc::Rc;

use js_sys::{Promise, Reflect};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::runtime::{Request, describe, log, now_ms, random_id, response, response_of, variable};
use crate::config::{BadSetting, Config, Jurisdiction, Misconfigured, OBJECT_JURISDICTION};
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::service::{Service, Visit};
use crate::http::step::{Head, Moment, Next, NoBody, Object, REQUEST_BODY_MAX, Step, Unreachable};
use crate::locations::{JobRefusal, Reply};
use crate::objects::lines::Level;

/// What stands between the requests to several objects, and between their replies: JSON has none, but escaped.
const BETWEEN: &str = "\0";

const OBJECT_FAILED: &str = "object_failed";

#[wasm_bindgen(module = "/src/edge/runtime.js")]
extern "C" {
    /// Waits for what each step of a course waits for, and resolves to the response.
    fn follow(course: Course, request: &Request, body_max: u32, bound: &JsValue) -> Promise;
    /// What a request may be passed on to, in a jurisdiction if one is named.
    #[wasm_bindgen(catch)]
    fn bound(env: &JsValue, jurisdiction: Option<&str>) -> Result<JsValue, JsValue>;
}

/// What the runtime's `fetch` handler is: one for all requests of an isolate. It keeps settings and nothing of any request.
#[wasm_bindgen]
pub struct Front(Rc<Inner>);

struct Inner {
    service: Service,
    /// What a request may be passed on to: objects, and the rate limit of those who ask about jobs that are none of theirs.
    bound: JsValue,
}

#[wasm_bindgen]
impl Front {
    /// Reads the settings once. What is wrong with them is logged here, and answered to nobody.
    #[wasm_bindgen(constructor)]
    pub fn new(env: JsValue) -> Self {
        let binding = |name: &str| Reflect::get(&env, &name.into()).unwrap_or_default();
        let is_limit =
            |name: &str| Reflect::get(&binding(name), &"limit".into()).is_ok_and(|limit| limit.is_function());
        let loaded = Config::load(&|name| variable(&env, name), &is_limit);
        let found = loaded.map(|config| (bound(&env, config.jurisdiction.map(Jurisdiction::as_str)), config));
        let (loaded, bound) = match found {
            Ok((Ok(bound), config)) => (Ok(config), bound),
            // Told once, and not by an exception of each request.
            Ok((Err(_), Config { pages, hints, .. })) => {
                let rule = "is a jurisdiction that this runtime has; workerd by itself has none".to_owned();
                let settings = vec![BadSetting { variable: OBJECT_JURISDICTION, rule }];
                (Err(Misconfigured { settings, pages, hints }), JsValue::UNDEFINED)
            }
            Err(misconfigured) => (Err(misconfigured), JsValue::UNDEFINED),
        };
        let service = Service::new(loaded);
        for bad in service.misconfigured().iter().flat_map(|misconfigured| &misconfigured.settings) {
            let (variable, rule) = (Some(bad.variable), Some(bad.rule.as_str()));
            Fault { code: "misconfigured", variable, rule, ..Fault::default() }.write();
        }
        Self(Rc::new(Inner { service, bound }))
    }

    /// Answers a request: with a response where nothing has to be waited for, else with the promise of one.
    pub fn fetch(&self, request: Request) -> JsValue {
        let moment = Moment { now_ms: now_ms(), request_id: random_id() };
        let (method, url, headers) = (request.method(), request.url(), request.headers());
        let head = Head { method: &method, url: &url, header: &|name| headers.value(name) };
        let (visit, next) = self.0.service.open(&head, &moment);
        let step = match next {
            Ok(Step::Done(answer)) => return self.0.conclude(&request, Ok(answer), &visit, &moment),
            Err(problem) => return self.0.conclude(&request, Err(problem), &visit, &moment),
            Ok(step) => step,
        };
        let course = Course {
            inner: Rc::clone(&self.0),
            request: request.clone().unchecked_into(),
            visit,
            moment,
            step: Some(step),
        };
        follow(course, &request, REQUEST_BODY_MAX as u32, &self.0.bound).into()
    }
}

/// A request whose answer has to be waited for. JavaScript waits, and hands over what came: a promise that Rust waits for costs several
/// that JavaScript does not need.
#[wasm_bindgen]
pub struct Course {
    inner: Rc<Inner>,
    request: Request,
    visit: Visit,
    moment: Moment,
    /// Nothing once it has ended.
    step: Option<Step>,
}

#[wasm_bindgen]
impl Course {
    /// What is to be asked of objects, or waited for, as `follow` in `runtime.js` takes it. Nothing where it is the body.
    #[wasm_bindgen(getter)]
    pub fn asked(&mut self) -> Option<String> {
        match self.step.as_mut()? {
            Step::Call { object, request, .. } => {
                let list;
                let (found_by, id) = match object {
                    Object::Job(job) => ("job ", job.as_str()),
                    Object::Ref(reference) => ("ref ", reference.as_str()),
                    Object::List(of) => {
                        list = of.name();
                        ("list ", list.as_str())
                    }
                    Object::Inbox(user) => ("inbox ", user.as_str()),
                };
                Some([found_by, id, "\n", &std::mem::take(request)].concat())
            }
            Step::Stream { job, request, .. } => {
                Some(["stream ", job.as_str(), "\n", &std::mem::take(request)].concat())
            }
            Step::CallAll { calls, .. } => {
                let calls = calls
                    .iter_mut()
                    .map(|(job, request)| ["job ", job.as_str(), "\n", &std::mem::take(request)].concat());
                Some(["all ", &calls.collect::<Vec<_>>().join(BETWEEN)].concat())
            }
            Step::Limit { user, places, .. } => Some(format!("limit {places} {user}")),
            Step::Wait { until_ms, .. } => Some(format!("wait {until_ms}")),
            Step::Done(_) | Step::ReadBody(_) => None,
        }
    }

    /// Goes on with a body. The response, or nothing where an object is to be called.
    pub fn read(&mut self, body: &[u8]) -> JsValue {
        self.body(Ok(body))
    }

    /// Goes on without the body: it is too long, or else it broke off.
    pub fn unread(&mut self, too_long: bool) -> JsValue {
        self.body(Err(if too_long { NoBody::TooLong } else { NoBody::BrokeOff }))
    }

    /// Goes on with what an object has replied: `null` where no object can be, and that is one that has kept nothing. Where several were
    /// asked, with what they all have.
    pub fn replied(&mut self, text: Option<String>) -> JsValue {
        self.called(Ok(text))
    }

    /// Goes on with the stream that an object has given.
    pub fn streamed(&mut self, stream: &JsValue) -> JsValue {
        match self.step.take() {
            Some(Step::Stream { answer, .. }) => {
                let (answer, line) = self.inner.finish(&self.request, Ok(answer), &self.visit, &self.moment);
                response_of(&self.request, &answer, &line, stream)
            }
            _ => self.go_on(Err(Problem::Internal)),
        }
    }

    /// Goes on with whether there were as many places in a limit as were to be taken.
    pub fn limited(&mut self, is_within: bool) -> JsValue {
        self.counted(Ok(is_within))
    }

    /// Goes on where an object has not replied, or a limit has not.
    pub fn failed(&mut self, error: &JsValue) -> JsValue {
        let error = Unreachable(describe(error));
        match self.step {
            Some(Step::Limit { .. }) => self.counted(Err(error)),
            _ => self.called(Err(error)),
        }
    }

    /// Goes on once what was to be waited for is over.
    pub fn waited(&mut self) -> JsValue {
        let next = match self.step.take() {
            Some(Step::Wait { then, .. }) => then(now_ms()),
            _ => Err(Problem::Internal),
        };
        self.go_on(next)
    }
}

impl Course {
    fn body(&mut self, body: Result<&[u8], NoBody>) -> JsValue {
        let next = match self.step.take() {
            Some(Step::ReadBody(then)) => then(body),
            _ => Err(Problem::Internal),
        };
        self.go_on(next)
    }

    fn counted(&mut self, is_within: Result<bool, Unreachable>) -> JsValue {
        let next = match self.step.take() {
            Some(Step::Limit { then, .. }) => then(self.heard("limit_failed", is_within)),
            _ => Err(Problem::Internal),
        };
        self.go_on(next)
    }

    fn called(&mut self, replied: Result<Option<String>, Unreachable>) -> JsValue {
        let next = match self.step.take() {
            Some(Step::Call { then, .. } | Step::Stream { then, .. }) => {
                then(self.heard(OBJECT_FAILED, replied.and_then(reply)))
            }
            Some(Step::CallAll { calls, then }) => {
                then(self.heard(OBJECT_FAILED, replied.and_then(|text| replies(text, calls.len()))))
            }
            _ => Err(Problem::Internal),
        };
        self.go_on(next)
    }

    /// What was heard of objects or of a limit, which is logged where it is nothing.
    fn heard<T>(&self, code: &'static str, heard: Result<T, Unreachable>) -> Result<T, Unreachable> {
        if let Err(Unreachable(reason)) = &heard {
            let (request_id, reason) = (Some(self.moment.request_id.as_str()), Some(reason.as_str()));
            Fault { code, request_id, reason, ..Fault::default() }.write();
        }
        heard
    }

    fn go_on(&mut self, next: Next) -> JsValue {
        let outcome = match next {
            Ok(Step::Done(answer)) => Ok(answer),
            Ok(step) => {
                self.step = Some(step);
                return JsValue::UNDEFINED;
            }
            Err(problem) => Err(problem),
        };
        self.inner.conclude(&self.request, outcome, &self.visit, &self.moment)
    }
}

fn reply(text: Option<String>) -> Result<Reply, Unreachable> {
    match text {
        Some(text) => Reply::from_text(text).map_err(|error| Unreachable(error.to_string())),
        None => Ok(Reply::Refusal(JobRefusal::Unknown)),
    }
}

/// The replies of so many objects.
fn replies(text: Option<String>, count: usize) -> Result<Vec<Reply>, Unreachable> {
    let text = text.unwrap_or_default();
    let replies: Vec<_> = text.split(BETWEEN).map(|text| reply(Some(text.to_owned()))).collect();
    if replies.len() != count {
        return Err(Unreachable(format!("{} replies of {count} objects", replies.len())));
    }
    replies.into_iter().collect()
}

impl Inner {
    fn conclude(
        &self,
        request: &Request,
        outcome: Result<Answer, Problem>,
        visit: &Visit,
        moment: &Moment,
    ) -> JsValue {
        let (answer, line) = self.finish(request, outcome, visit, moment);
        response(request, &answer, &line)
    }

    /// Tells a developer what is amiss. The head of the request is read once more, which only a development set-up does.
    fn hint(&self, request: &Request, outcome: &Result<Answer, Problem>, visit: &Visit, moment: &Moment) {
        let (method, url, headers) = (request.method(), request.url(), request.headers());
        let head = Head { method: &method, url: &url, header: &|name| headers.value(name) };
        if let Some(line) = self.service.hint(outcome, &head, visit, moment.now_ms) {
            log(Level::Info, &line);
        }
    }

    /// The answer, and the line of the log.
    fn finish(
        &self,
        request: &Request,
        outcome: Result<Answer, Problem>,
        visit: &Visit,
        moment: &Moment,
    ) -> (Answer, String) {
        if self.service.has_hints() {
            self.hint(request, &outcome, visit, moment);
        }
        let answer = self.service.finish(outcome, visit);
        let line = self.service.log_line(&answer, visit, now_ms().saturating_sub(moment.now_ms));
        (answer, line)
    }
}

/// A line of the log beside that of a request.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Fault<'a> {
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variable: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    level: Level,
}

impl Fault<'_> {
    fn write(&self) {
        log(self.level, &serde_json::to_string(self).unwrap_or_default());
    }
}
