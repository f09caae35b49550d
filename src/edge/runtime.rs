//! The runtime's calls, as thin as they go.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ably::Key;
use ably::rest::{RestClient, Surroundings, Timeouts};
use js_sys::{Array, ArrayBuffer, Date, Math, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use worker::Delay;
use worker::worker_sys::{DurableObjectStorage, SqlStorage};

use crate::config::{JobConfig, Jurisdiction};
use crate::http::answer::Answer;
use crate::objects::Millis;
use crate::objects::lines::{Level, Line, Lines};
use crate::objects::sql::{Sql, SqlValue, Statement, StorageError};

#[wasm_bindgen]
extern "C" {
    /// What a request handler reads of a request: nothing is copied until it is asked for.
    pub type Request;
    #[wasm_bindgen(method, getter)]
    pub fn method(this: &Request) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn url(this: &Request) -> String;
    #[wasm_bindgen(method, getter)]
    pub fn headers(this: &Request) -> Headers;

    pub type Headers;
    #[wasm_bindgen(method)]
    fn get(this: &Headers, name: &JsValue) -> Option<String>;

    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn log_error(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = warn)]
    fn log_warn(line: &str);
    #[wasm_bindgen(js_namespace = console, js_name = log)]
    fn log_info(line: &str);

    #[wasm_bindgen(js_namespace = crypto, js_name = randomUUID)]
    fn random_uuid() -> String;
}

#[wasm_bindgen(module = "/src/edge/runtime.js")]
extern "C" {
    /// Hands the operations object a report; resolves once that has taken it.
    #[wasm_bindgen(js_name = report, catch)]
    pub fn report(operations: &JsValue, report: &str) -> Result<Promise, JsValue>;
    /// Tells the list of this name how a job is; resolves once that knows.
    #[wasm_bindgen(js_name = tell, catch)]
    pub fn tell(indexes: &JsValue, list: &str, change: &str) -> Result<Promise, JsValue>;
    /// Has a user's inbox take a notification; resolves to what has become of it.
    #[wasm_bindgen(js_name = notify, catch)]
    pub fn notify(inboxes: &JsValue, user: &str, request: &str) -> Result<Promise, JsValue>;
    /// The objects of a binding, in a jurisdiction if one is named.
    #[wasm_bindgen(js_name = namespaceOf, catch)]
    fn namespace_of(env: &JsValue, binding: &str, jurisdiction: Option<&str>) -> Result<JsValue, JsValue>;
    /// The way from a job to its publisher.
    #[wasm_bindgen(js_name = Publisher)]
    pub type PublisherStub;
    #[wasm_bindgen(constructor, js_class = "Publisher")]
    pub fn new(publishers: &JsValue, name: &str) -> PublisherStub;
    /// Hands over a message. `ended` is called with the number of its flight, and with the text that the publisher says of it, or else
    /// the error.
    #[wasm_bindgen(method, js_name = handOver, catch)]
    pub fn hand_over(
        this: &PublisherStub,
        channel: &str,
        body: &str,
        flight: u32,
        ended: &JsValue,
    ) -> Result<(), JsValue>;
    /// Runs a statement and reads all its rows, each an array of its values.
    #[wasm_bindgen(js_name = queryRows, catch)]
    fn query_rows(sql: &SqlStorage, statement: &JsValue, bindings: Option<&str>) -> Result<Array, JsValue>;
    /// Sets the object's alarm, in Unix milliseconds, in the place of one that is set. It is written with what else the turn writes.
    #[wasm_bindgen(js_name = setAlarm, catch)]
    fn set_alarm_at(storage: &DurableObjectStorage, at: f64) -> Result<(), JsValue>;
    fn respond(request: &Request, status: u16, text: &str) -> JsValue;
    #[wasm_bindgen(js_name = respondWith)]
    fn respond_with(request: &Request, status: u16, text: &str, stream: &JsValue) -> JsValue;
}

thread_local! {
    /// The texts of the program that JavaScript has already been given, by their addresses.
    static KNOWN: RefCell<Vec<(&'static str, JsValue)>> = const { RefCell::new(Vec::new()) };
}

/// Hands JavaScript a text of the program, which is made there once: a text that crosses is one of the dearer things in a request.
fn with_known<T>(text: &'static str, then: impl FnOnce(&JsValue) -> T) -> T {
    KNOWN.with(|known| {
        let Ok(mut known) = known.try_borrow_mut() else { return then(&JsValue::from_str(text)) };
        if let Some((_, value)) = known.iter().find(|(other, _)| std::ptr::eq(*other, text)) {
            return then(value);
        }
        let value = JsValue::from_str(text);
        let result = then(&value);
        known.push((text, value));
        result
    })
}

impl Headers {
    /// The value of a header.
    pub fn value(&self, name: &'static str) -> Option<String> {
        with_known(name, |name| self.get(name))
    }
}

/// The time, in Unix milliseconds. It stands still while code runs.
pub(super) fn now_ms() -> u64 {
    Date::now() as u64
}

/// The same as what the plain rooms count in.
pub(super) fn now() -> Millis {
    now_ms() as Millis
}

/// Logs a fault of ours, and gives the error that the side which has called an object sees.
pub(super) fn fault(line: Line) -> JsValue {
    write(&line);
    js_sys::Error::new(line.code).into()
}

/// An object's settings, and the client that it publishes with.
pub(super) fn settings(env: &JsValue, lines: &Lines) -> Result<(JobConfig, Rc<RestClient<Runtime>>), Line> {
    let config =
        JobConfig::load(&|name| variable(env, name)).map_err(|_| lines.fault("misconfigured", None))?;
    let ably = client(&config, &config.publish_key, lines)?;
    Ok((config, ably))
}

/// The namespace of the objects that are bound under a name. Whoever finds an object finds it in here.
///
/// # Errors
/// The runtime's, where it has no such jurisdiction.
pub(super) fn namespace(
    env: &JsValue,
    binding: &str,
    jurisdiction: Option<Jurisdiction>,
) -> Result<JsValue, JsValue> {
    namespace_of(env, binding, jurisdiction.map(Jurisdiction::as_str))
}

/// A client with one of the keys.
pub(super) fn client(config: &JobConfig, key: &Key, lines: &Lines) -> Result<Rc<RestClient<Runtime>>, Line> {
    RestClient::new(config.ably.clone(), key.clone(), Timeouts::default(), Runtime)
        .map(Rc::new)
        .map_err(|error| lines.fault("http_client_failed", Some(&error)))
}

/// The clock and the dice.
#[derive(Debug)]
pub(super) struct Runtime;

impl Surroundings for Runtime {
    fn now_ms(&self) -> u64 {
        now_ms()
    }

    fn random(&self) -> u32 {
        (Math::random() * f64::from(u32::MAX)) as u32
    }
}

/// The one timer of an object, so that there is one and not one for each time that somebody asks.
#[derive(Default)]
pub(super) struct Timer(Rc<Cell<Option<Millis>>>);

impl Timer {
    /// Sees to it that `then` is called at that time, unless it is called sooner anyway.
    pub(super) fn set(&self, until: Millis, then: impl FnOnce() + 'static) {
        if self.0.get().is_some_and(|set| set <= until) {
            return;
        }
        self.0.set(Some(until));
        let timer = Rc::clone(&self.0);
        spawn_local(async move {
            Delay::from(Duration::from_millis(u64::try_from(until - now()).unwrap_or_default())).await;
            if timer.get() == Some(until) {
                timer.set(None);
            }
            then();
        });
    }
}

/// Logs a line.
pub(super) fn write(line: &Line) {
    log(line.level, &line.text);
}

/// Logs a text that is a line of JSON already.
pub(super) fn log(level: Level, line: &str) {
    match level {
        Level::Error => log_error(line),
        Level::Warn => log_warn(line),
        Level::Info => log_info(line),
    }
}

/// Sets an object's alarm.
pub(super) fn set_alarm(storage: &DurableObjectStorage, at: Millis) -> Result<(), JsValue> {
    set_alarm_at(storage, at as f64)
}

/// 122 random bits, as 32 hexadecimal digits.
pub(super) fn random_id() -> String {
    random_uuid().replace('-', "")
}

/// Reads a variable or a secret.
pub(super) fn variable(env: &JsValue, name: &str) -> Option<String> {
    Reflect::get(env, &name.into()).ok()?.as_string()
}

/// Logs a line, if there is one, and makes the runtime's response to a request, or a promise of it where the request has a body that was
/// not read.
pub(super) fn response(request: &Request, answer: &Answer, line: &str) -> JsValue {
    respond(request, answer.status, &in_one(answer, line))
}

/// The same with a stream for its body.
pub(super) fn response_of(request: &Request, answer: &Answer, line: &str, stream: &JsValue) -> JsValue {
    respond_with(request, answer.status, &in_one(answer, line), stream)
}

/// An answer and a line of the log as one text that crosses.
fn in_one(answer: &Answer, line: &str) -> String {
    let (fixed, own) = answer.headers_text();
    [&fixed, &own, line, &answer.body].join("\0")
}

/// An object's SQL storage. Statements run synchronously, and those with no await between them commit together.
pub(super) struct ObjectSql(pub(super) SqlStorage);

impl Sql for ObjectSql {
    fn exec(&self, statement: Statement, params: Vec<SqlValue>) -> Result<Vec<Vec<SqlValue>>, StorageError> {
        let bindings = Some(&params).filter(|params| !params.is_empty()).map(serde_json::to_string);
        let bindings = bindings.transpose().map_err(|error| StorageError(error.to_string()))?;
        let rows = with_known(statement, |statement| query_rows(&self.0, statement, bindings.as_deref()));
        let rows = rows.map_err(|error| StorageError(describe(&error)))?;
        Ok(rows.iter().map(|row| Array::from(&row).iter().map(|value| from_js(&value)).collect()).collect())
    }
}

fn from_js(value: &JsValue) -> SqlValue {
    match (value.as_f64(), value.as_string()) {
        (Some(number), _) if number.fract() == 0.0 => SqlValue::Integer(number as i64),
        (Some(number), _) => SqlValue::Real(number),
        (None, Some(text)) => SqlValue::Text(text),
        (None, None) => match value.dyn_ref::<ArrayBuffer>() {
            Some(buffer) => SqlValue::Blob(Uint8Array::new(buffer).to_vec()),
            None => SqlValue::Null,
        },
    }
}

/// An error of the runtime's, for our log.
pub(super) fn describe(error: &JsValue) -> String {
    error
        .dyn_ref::<js_sys::Error>()
        .map_or_else(|| format!("{error:?}"), |error| String::from(error.message()))
}
