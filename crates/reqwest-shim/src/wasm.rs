//! reqwest's calls over the Workers runtime's `fetch`. Each item does what reqwest's item of that name does.

use std::cell::RefCell;
use std::error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
pub use http::StatusCode;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::{Closure, wasm_bindgen};

use crate::BODY_MAX;

#[wasm_bindgen(module = "/src/fetch.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn exchange(
        request: &str,
        timeout: Option<f64>,
        body_max: f64,
        number: u32,
        done: &JsValue,
    ) -> Result<(), JsValue>;

    /// What `exchange` in `fetch.js` hands over.
    #[wasm_bindgen(typescript_type = "object")]
    type Exchange;
    #[wasm_bindgen(method, getter)]
    fn status(this: &Exchange) -> u16;
    #[wasm_bindgen(method, getter)]
    fn headers(this: &Exchange) -> JsHeaders;
    #[wasm_bindgen(method, getter)]
    fn body(this: &Exchange) -> Vec<u8>;
    #[wasm_bindgen(method, getter)]
    fn failure(this: &Exchange) -> Option<String>;
    #[wasm_bindgen(method, getter, js_name = timedOut)]
    fn timed_out(this: &Exchange) -> bool;

    #[wasm_bindgen(typescript_type = "Headers")]
    type JsHeaders;
    #[wasm_bindgen(method)]
    fn get(this: &JsHeaders, name: &str) -> Option<String>;
}

/// The exchanges that are under way, by their numbers. One function hears of the end of each: a promise that Rust awaits needs two of its
/// own, and something that watches for their collection.
struct UnderWay {
    last: u32,
    waiting: Vec<(u32, Waiting)>,
}

/// What is known of an exchange.
enum Waiting {
    For(Waker),
    Done(Exchange),
}

impl UnderWay {
    fn begin(&mut self) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.waiting.push((self.last, Waiting::For(Waker::noop().clone())));
        self.last
    }

    /// Notes something else of an exchange, and gives what was noted, if somebody still waits for it.
    fn note(&mut self, number: u32, now: Waiting) -> Option<Waiting> {
        let (_, waiting) = self.waiting.iter_mut().find(|(other, _)| *other == number)?;
        Some(std::mem::replace(waiting, now))
    }

    fn forget(&mut self, number: u32) {
        self.waiting.retain(|(other, _)| *other != number);
    }
}

thread_local! {
    static UNDER_WAY: RefCell<UnderWay> = const { RefCell::new(UnderWay { last: 0, waiting: Vec::new() }) };
    static DONE: Closure<dyn Fn(u32, JsValue)> = Closure::new(|number, exchange: JsValue| {
        let before = UNDER_WAY.with_borrow_mut(|all| all.note(number, Waiting::Done(exchange.into())));
        if let Some(Waiting::For(waker)) = before {
            waker.wake();
        }
    });
}

/// An exchange that has begun.
struct Begun(u32);

impl Begun {
    fn new(request: &str, timeout: Option<f64>) -> Result<Self, JsValue> {
        let begun = Self(UNDER_WAY.with_borrow_mut(UnderWay::begin));
        DONE.with(|done| exchange(request, timeout, BODY_MAX as f64, begun.0, done.as_ref()))?;
        Ok(begun)
    }
}

impl Future for Begun {
    type Output = Exchange;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Exchange> {
        let waiting = Waiting::For(context.waker().clone());
        match UNDER_WAY.with_borrow_mut(|all| all.note(self.0, waiting)) {
            Some(Waiting::Done(exchange)) => Poll::Ready(exchange),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        UNDER_WAY.with_borrow_mut(|all| all.forget(self.0));
    }
}

/// Whether to follow redirects. On wasm they are never followed.
pub mod redirect {
    /// The policy, of which there is one.
    #[derive(Debug, Clone, Copy)]
    pub struct Policy(());

    impl Policy {
        /// Hands a 3xx to the caller.
        pub fn none() -> Self {
            Self(())
        }
    }
}

/// Makes a [`Client`].
#[derive(Debug, Default)]
pub struct ClientBuilder(());

impl ClientBuilder {
    /// Says how redirects are treated.
    #[must_use]
    pub fn redirect(self, _: redirect::Policy) -> Self {
        self
    }

    /// Uses no proxy, as ever on wasm.
    #[must_use]
    pub fn no_proxy(self) -> Self {
        self
    }

    /// The client.
    ///
    /// # Errors
    /// None on wasm.
    pub fn build(self) -> Result<Client, Error> {
        Ok(Client(()))
    }
}

/// Sends requests.
#[derive(Debug, Clone)]
pub struct Client(());

impl Client {
    /// Begins a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Begins a `POST`.
    pub fn post(&self, url: impl Into<String>) -> RequestBuilder {
        RequestBuilder {
            method: "POST",
            url: url.into(),
            headers: String::new(),
            body: String::new(),
            timeout: None,
        }
    }
}

/// A request that is being put together. What is wrong with it shows when it is sent.
pub struct RequestBuilder {
    method: &'static str,
    url: String,
    /// Names and values in turn, a line each: one text, since each value that crosses into JavaScript costs by itself.
    headers: String,
    body: String,
    timeout: Option<Duration>,
}

impl RequestBuilder {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        for line in [name, "\n", value, "\n"] {
            self.headers.push_str(line);
        }
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// How long the exchange may take, from its start until the last byte of the answer's body.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Does the exchange.
    ///
    /// # Errors
    /// Where no head of an answer arrived. A body that broke off is [`Response::chunk`]'s to tell.
    pub async fn send(self) -> Result<Response, Error> {
        let timeout = self.timeout.map(|timeout| timeout.as_secs_f64() * 1000.0);
        let request = [self.method, &self.url, &self.headers, &self.body].join("\0");
        // The helper catches what fetch throws; what is left is a runtime without what it is made of.
        let begun = Begun::new(&request, timeout)
            .map_err(|_| Error { timeout: false, reason: "the runtime has no fetch".into() })?;
        let exchange = begun.await;
        match StatusCode::from_u16(exchange.status()) {
            Ok(status) => Ok(Response { status, headers: Headers(exchange), is_read: false }),
            Err(_) => Err(exchange.error().unwrap_or(Error { timeout: false, reason: "no answer".into() })),
        }
    }
}

/// The headers of an answer. Each look-up is a call into the runtime, and nothing is copied before it.
pub struct Headers(Exchange);

impl Headers {
    /// The value of a header, whose name is compared without regard to case. Several of one name are joined by a comma.
    pub fn get(&self, name: &str) -> Option<HeaderValue> {
        self.0.headers().get(name).map(HeaderValue)
    }
}

/// The value of a header.
pub struct HeaderValue(String);

impl HeaderValue {
    /// The value as text.
    ///
    /// # Errors
    /// Where it is not visible ASCII.
    pub fn to_str(&self) -> Result<&str, Error> {
        if self.0.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~')) {
            Ok(&self.0)
        } else {
            Err(Error { timeout: false, reason: "a header that is not visible ASCII".into() })
        }
    }
}

/// An answer.
pub struct Response {
    status: StatusCode,
    headers: Headers,
    /// Whether the body was handed over.
    is_read: bool,
}

impl Response {
    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its headers.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The next part of the body; none at its end.
    ///
    /// # Errors
    /// Where the body broke off, ran out of time, or is longer than [`BODY_MAX`]; in the last case once its beginning,
    /// which is longer too, has been handed over.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let exchange = &self.headers.0;
        let body = if std::mem::replace(&mut self.is_read, true) { Vec::new() } else { exchange.body() };
        match exchange.error() {
            _ if !body.is_empty() => Ok(Some(body.into())),
            Some(error) => Err(error),
            None => Ok(None),
        }
    }
}

impl Exchange {
    /// Why it broke off, if it did.
    fn error(&self) -> Option<Error> {
        self.failure().map(|reason| Error { timeout: self.timed_out(), reason })
    }
}

/// Why there is no answer, or no whole body.
#[derive(Debug)]
pub struct Error {
    timeout: bool,
    reason: String,
}

impl Error {
    /// Whether time ran out.
    pub fn is_timeout(&self) -> bool {
        self.timeout
    }

    /// The same without the URL, which on wasm is never in it.
    #[must_use]
    pub fn without_url(self) -> Self {
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl error::Error for Error {}
