//! The Durable Object of a job: [`locations::Job`](crate::locations::Job) with the runtime's storage, clock, alarm and fetch.

use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::rc::{Rc, Weak};

use ably::rest::RestClient;
use js_sys::Math;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use worker::worker_sys::{DurableObjectState, DurableObjectStorage};

use super::flights::{Flights, Route, tell_operators};
use super::runtime::{
    ObjectSql, Runtime, Timer, client, describe, fault, log, namespace, notify, now, now_ms, set_alarm,
    settings, tell, write,
};
use super::streams::Streams;
use crate::config::OBJECT_JURISDICTION;
use crate::hints::{Hint, Hints};
use crate::inbox::Taken;
use crate::jobs::JobRegistry;
use crate::jobs::revocation::{Outcome as Revoked, Revocation};
use crate::locations::alarm::TIMER_MAX;
use crate::locations::log::LogError;
use crate::locations::log::sql::SqlLog;
use crate::locations::{
    Job as Core, JobAnswer, JobRequest, Need, Reply, Settings, StreamRequest, Telling, Ticket, UserNotice,
};
use crate::objects::lines::{Level, Line, Lines};
use crate::objects::{Cause, Failure, Millis};
use crate::operations::Report;

mod readers;

/// Where the object cannot wake the alarm goes off again so many milliseconds later, and twice as many each time, up to
/// [`FAULT_ALARM_MAX`].
const FAULT_ALARM: Millis = 8_000;
const FAULT_ALARM_MAX: Millis = 300_000;

/// A job's object. The runtime keeps at most one per job, and calls it by RPC.
#[wasm_bindgen]
pub struct Job(Rc<Inner>);

struct Inner {
    storage: DurableObjectStorage,
    env: JsValue,
    reference: String,
    lines: Lines,
    /// Nothing until it is awake, and as long as it cannot wake. Borrowed for as long as nothing is awaited, never longer: other
    /// requests run at each await.
    awake: RefCell<Option<Awake>>,
    timer: Timer,
    /// How many alarms in a row it could not wake for.
    faults: Cell<u32>,
    flights: Flights,
    /// Nothing until somebody reads.
    streams: OnceCell<Streams>,
    /// For those.
    inner: Weak<Inner>,
}

struct Awake {
    core: Core<SqlLog<ObjectSql>>,
    route: Route,
    /// The client of the key that has issued what is to be revoked.
    issuer: Rc<RestClient<Runtime>>,
    /// The namespace of the objects that are lists.
    indexes: JsValue,
    /// That of users' objects.
    inboxes: JsValue,
    /// The namespace of the object that tells operators.
    operations: JsValue,
    /// Nothing where this is no development set-up.
    hints: Option<Hints>,
}

#[wasm_bindgen]
impl Job {
    /// Nothing is read yet: so that nothing can fail for good, the object wakes when it is first asked for something.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, env: JsValue) -> Result<Self, JsValue> {
        let reference = state.id()?.to_string()?;
        let (lines, storage) = (Lines::of(reference.clone()), state.storage()?);
        Ok(Self(Rc::new_cyclic(|this: &Weak<Inner>| {
            let inner = Weak::clone(this);
            let flights = Flights::new(reference.clone(), move |ticket, result| {
                if let Some(inner) = inner.upgrade() {
                    inner.ended(ticket, result);
                }
            });
            Inner {
                storage,
                env,
                reference,
                lines,
                awake: RefCell::default(),
                timer: Timer::default(),
                faults: Cell::default(),
                flights,
                streams: OnceCell::default(),
                inner: Weak::clone(this),
            }
        })))
    }

    /// Answers a [`JobRequest`] with the text of a [`Reply`](crate::locations::Reply). Nothing here awaits: what is written is written
    /// as one, the alarm included, and the runtime lets neither the answer nor a publish out before it is durable.
    pub fn call(&self, request: &str) -> Result<String, JsValue> {
        let inner = &self.0;
        let request: JobRequest = serde_json::from_str(request)
            .map_err(|error| fault(inner.lines.fault("request_unreadable", Some(&error))))?;
        let mut awake = inner.awake().map_err(fault)?;
        let reply = awake.core.handle(request, now());
        if let Ok(reply) = &reply {
            awake.hint(|core| core.hint(reply));
        }
        drop(awake);
        // Also where it has failed: what was written until then stays, and something has to come back to it.
        if let Err(line) = Inner::turn(inner) {
            write(&line);
        }
        let reply = reply.map_err(|error| fault(inner.storage_fault(&error)))?;
        reply.into_text().map_err(|error| fault(inner.lines.fault("answer_failed", Some(&error))))
    }

    /// The object's alarm: it finishes what nobody asks for any more. Whatever goes wrong here, it is armed again: the runtime gives up
    /// an alarm that has failed six times.
    ///
    /// # Errors
    /// Where it cannot be armed: then all that is left is that the runtime tries again.
    pub fn alarm(&self) -> Result<(), JsValue> {
        let inner = &self.0;
        let rung = inner
            .awake()
            .and_then(|mut awake| awake.core.alarm(now()).map_err(|error| inner.storage_fault(&error)));
        let Err(line) = rung.and_then(|()| Inner::turn(inner)) else {
            inner.faults.set(0);
            return Ok(());
        };
        write(&line);
        if let Some(awake) = inner.awake.borrow_mut().as_mut() {
            return awake.core.arm(now()).map_or(Ok(()), |at| set_alarm(&inner.storage, at));
        }
        let faults = inner.faults.get();
        inner.faults.set(faults.saturating_add(1));
        set_alarm(&inner.storage, now() + (FAULT_ALARM << faults.min(8)).min(FAULT_ALARM_MAX))
    }

    /// Answers a [`StreamRequest`]: with a response whose body is the stream; or else with the text of a
    /// [`Reply`](crate::locations::Reply) that says why there is none.
    pub fn stream(&self, request: &str) -> Result<JsValue, JsValue> {
        let inner = &self.0;
        let request: StreamRequest = serde_json::from_str(request)
            .map_err(|error| fault(inner.lines.fault("request_unreadable", Some(&error))))?;
        let mut awake = inner.awake().map_err(fault)?;
        let opened = awake.core.stream(request, now());
        if let Ok(Err(refusal)) = opened {
            awake.hint(|core| core.hint(&Reply::Refusal(refusal)));
        }
        drop(awake);
        // Before the turn ends, which tells them the first.
        let said = opened.map(|opened| match opened {
            Ok(number) => Ok(inner.streams().open(number)),
            Err(refusal) => Reply::<JobAnswer>::Refusal(refusal).into_text().map(Into::into),
        });
        if let Err(line) = Inner::turn(inner) {
            write(&line);
        }
        let said = said.map_err(|error| fault(inner.storage_fault(&error)))?;
        said.map_err(|error| fault(inner.lines.fault("answer_failed", Some(&error))))
    }
}

impl Awake {
    /// Tells a developer what is amiss, if anything is.
    fn hint(&self, hint: impl FnOnce(&Core<SqlLog<ObjectSql>>) -> Option<Hint>) {
        let Some(hints) = &self.hints else { return };
        let line = hint(&self.core).and_then(|hint| hints.line("a job", &hint, now_ms()));
        if let Some(line) = line {
            log(Level::Info, &line);
        }
    }
}

impl Inner {
    /// The job, woken from its storage if it is not awake.
    fn awake(&self) -> Result<RefMut<'_, Awake>, Line> {
        let mut awake = self.awake.borrow_mut();
        if awake.is_none() {
            let (config, ably) = settings(&self.env, &self.lines)?;
            let settings = Settings {
                reference: self.reference.clone(),
                max_fix_age: config.max_fix_age_ms as Millis,
                limits: config.limits,
                longest: config.longest_job_ms as Millis,
                token_requests: config.token_requests,
                retention: config.trail_retention_ms as Millis,
                silent_after: config.silent_after_ms.map(|ms| ms as Millis),
                lists: config.job_registry != JobRegistry::Off,
                notifies: config.job_registry != JobRegistry::Off,
            };
            let issuer = match config.token_key == config.publish_key {
                true => Rc::clone(&ably),
                false => client(&config, &config.token_key, &self.lines)?,
            };
            let objects = |binding| {
                let found = namespace(&self.env, binding, config.jurisdiction);
                found.map_err(|_| self.lines.fault("misconfigured", Some(&OBJECT_JURISDICTION)))
            };
            let (operations, indexes, inboxes) =
                (objects("OPERATIONS")?, objects("INDEXES")?, objects("INBOXES")?);
            let sql = SqlLog::new(ObjectSql(self.storage.sql()));
            let core = Core::wake(sql, settings).map_err(|error| self.storage_fault(&error))?;
            let route = Route::of(config.publishing, &self.reference, ably, || objects("PUBLISHERS"))?;
            let hints = Hints::of(config.hints);
            *awake = Some(Awake { core, route, issuer, operations, indexes, inboxes, hints });
        }
        RefMut::filter_map(awake, Option::as_mut).map_err(|_| self.lines.fault("asleep", None))
    }

    /// Ends a turn: does what the outbox needs now, arms the alarm, tells what there is to tell. It may be called at any time and any
    /// number of times: the outbox itself sees to it that one publish is in flight.
    fn turn(this: &Rc<Self>) -> Result<(), Line> {
        // Asked for once: it stands still meanwhile.
        let now = now();
        let mut awake = this.awake()?;
        if let Some(ticket) = this.flights.overdue(now) {
            let failed = awake.core.failed(ticket, Failure::of(Cause::UNANSWERED), now, Math::random());
            failed.unwrap_or_else(|error| write(&this.storage_fault(&error)));
        }
        let need = awake.core.next(now).map_err(|error| this.storage_fault(&error));
        // Armed before all that may fail: what is written stays, and something has to come back to it.
        let armed = awake.core.arm(now).map_or(Ok(()), |at| set_alarm(&this.storage, at));
        if armed.is_err() {
            awake.core.not_armed();
        }
        for notice in awake.core.notices() {
            write(&notice.line(&this.lines));
            awake.hint(|_| notice.hint());
        }
        let report = awake.core.report(now).map(|report| (report, awake.operations.clone()));
        let revoking = awake.core.next_revocation(now).map_err(|error| this.storage_fault(&error));
        let tellings = awake.core.next_tellings(now).map_err(|error| this.storage_fault(&error));
        let notices = awake.core.next_notifications(now).unwrap_or_else(|error| {
            write(&this.storage_fault(&error));
            Vec::new()
        });
        let notices: Vec<_> = notices.into_iter().map(|it| (it, awake.inboxes.clone())).collect();
        let due = awake.core.revocation_due().into_iter().chain(awake.core.telling_due(now));
        let due = due.chain(awake.core.notifying_due(now)).min();
        let streamed = this.tell_readers(&mut awake.core, now);
        streamed.unwrap_or_else(|line| write(&line));
        let (route, issuer, indexes) = (awake.route.clone(), Rc::clone(&awake.issuer), awake.indexes.clone());
        drop(awake);
        match revoking {
            Ok(None) => {}
            Ok(Some(revocation)) => Self::revoke(this, issuer, revocation),
            Err(line) => write(&line),
        }
        for telling in tellings.unwrap_or_else(|line| {
            write(&line);
            Vec::new()
        }) {
            let this = Rc::clone(this);
            let indexes = indexes.clone();
            spawn_local(async move { this.tell(telling, indexes).await });
        }
        for (notice, inboxes) in notices {
            let this = Rc::clone(this);
            spawn_local(async move { this.notify(notice, inboxes).await });
        }
        if let Some(due) = due.filter(|due| *due <= now + TIMER_MAX) {
            Self::turn_at(this, due);
        }
        if let Some((report, operations)) = report {
            let this = Rc::clone(this);
            spawn_local(async move { this.report(report, &operations).await });
        }
        match need? {
            Need::Publish(publication) => this.flights.publish(route, publication, now),
            Need::Wait { until } => Self::turn_at(this, until),
            Need::Nothing => {}
        }
        armed.map_err(|error| this.lines.fault("alarm_failed", Some(&describe(&error))))
    }

    /// Ends a turn that began with how something has ended that was waited for.
    fn go_on(this: &Rc<Self>, noted: Result<(), Line>) {
        for ended in [noted, Self::turn(this)] {
            ended.unwrap_or_else(|line| write(&line));
        }
    }

    /// Sees to it that there is a turn at that time.
    fn turn_at(this: &Rc<Self>, until: Millis) {
        let inner = Rc::clone(this);
        this.timer.set(until, move || Self::turn(&inner).unwrap_or_else(|line| write(&line)));
    }

    /// Has Ably revoke what was issued to whoever has left.
    fn revoke(this: &Rc<Self>, issuer: Rc<RestClient<Runtime>>, revocation: Revocation) {
        let this = Rc::clone(this);
        spawn_local(async move {
            let outcome = match revocation.asked() {
                Some(asked) => Revoked::of(&issuer.revoke(&asked).await),
                None => Revoked::Revoked,
            };
            let noted = this.awake().and_then(|mut awake| {
                let noted = awake.core.revoked(outcome, now(), Math::random());
                noted.map_err(|error| this.storage_fault(&error))
            });
            Self::go_on(&this, noted);
        });
    }

    /// Notes how a message has fared, and goes on.
    fn ended(self: &Rc<Self>, ticket: Ticket, result: Result<(), Failure>) {
        let noted = self.awake().and_then(|mut awake| {
            let noted = match result {
                Ok(()) => awake.core.published(now()),
                Err(failure) => awake.core.failed(ticket, failure, now(), Math::random()),
            };
            noted.map_err(|error| self.storage_fault(&error))
        });
        Self::go_on(self, noted);
    }

    async fn report(self: Rc<Self>, said: Report, operations: &JsValue) {
        let handed_over = tell_operators(operations, &said).await;
        let noted = self.awake().and_then(|mut awake| match handed_over {
            Ok(_) => awake.core.heard(now(), Math::random()).map_err(|error| self.storage_fault(&error)),
            Err(error) if awake.core.unheard(now(), Math::random()) => {
                Err(self.lines.fault("report_failed", Some(&describe(&error))))
            }
            Err(_) => Ok(()),
        });
        Self::go_on(&self, noted);
    }

    /// Tells a list how the job is.
    async fn tell(self: Rc<Self>, Telling { list, change }: Telling, indexes: JsValue) {
        let heard = async {
            let text =
                serde_json::to_string(&change).map_err(|error| JsValue::from_str(&error.to_string()))?;
            JsFuture::from(tell(&indexes, &list.name(), &text)?).await
        };
        let heard = heard.await;
        let noted = self.awake().and_then(|mut awake| {
            let noted = match &heard {
                Ok(_) => awake.core.listed(&list, change.rev, now()).map(|()| false),
                Err(_) => awake.core.not_listed(&list, change.rev, now(), Math::random()),
            };
            let is_news = noted.map_err(|error| self.storage_fault(&error))?;
            match heard {
                Err(error) if is_news => Err(self.lines.warning("list_failed", &describe(&error))),
                _ => Ok(()),
            }
        });
        Self::go_on(&self, noted);
    }

    /// Has a user's inbox take what they are to be told.
    async fn notify(self: Rc<Self>, notice: UserNotice, inboxes: JsValue) {
        let said = async {
            let text = serde_json::to_string(&notice.request)
                .map_err(|error| JsValue::from_str(&error.to_string()))?;
            JsFuture::from(notify(&inboxes, notice.request.user.as_str(), &text)?).await
        };
        let said = said.await;
        // What is nothing that we understand is as if nothing had been said.
        let taken: Option<Taken> =
            said.as_ref().ok().and_then(JsValue::as_string).and_then(|text| serde_json::from_str(&text).ok());
        let noted = self.awake().and_then(|mut awake| {
            let noted = awake.core.notified(&notice, taken, now(), Math::random());
            if noted.map_err(|error| self.storage_fault(&error))? {
                let reason =
                    said.err().map_or_else(|| "it takes nothing now".to_owned(), |error| describe(&error));
                return Err(self.lines.warning("inbox_failed", &reason));
            }
            Ok(())
        });
        Self::go_on(&self, noted);
    }

    fn storage_fault(&self, error: &LogError) -> Line {
        self.lines.fault(error.code(), Some(error))
    }
}
