//! `GET`, `POST /api/ably-token`: an Ably token for the session's user; the parameters of a `POST` are a form.

use std::rc::Rc;

use ably::ErrorInfo;

use crate::config::Config;
use crate::http::access;
use crate::http::answer::Answer;
use crate::http::problem::{Problem, json};
use crate::http::step::{Asked, Moment, Next, Step};
use crate::ids::JobId;
use crate::jobs::{Admission, JobRegistry, Standing, Viewer};
use crate::locations::{JobRequest, Reply};
use crate::sessions::Session;
use crate::tokens::{Draft, Format, Issued, Policy, TokenParams};

/// How often the objects of a token's jobs may be asked again.
const ROUNDS_MORE: u32 = 2;

/// How far ahead a time from which a token is not revoked may be, in milliseconds. It is the next second; what is further is a fault, and is
/// not waited for.
const WAIT_MAX_MS: u64 = 2_000;

pub(super) fn get(asked: Asked<'_>) -> Next {
    token(asked.config, asked.session, asked.query, None, asked.moment)
}

pub(super) fn post(asked: Asked<'_>) -> Next {
    asked.head.unencoded()?;
    if !(asked.head.header)("content-type").is_none_or(|given| is_form(&given)) {
        return Err(Problem::NotAForm);
    }
    let (config, session, moment) = (Rc::clone(asked.config), asked.session, asked.moment.clone());
    let query = asked.query.map(str::to_owned);
    Ok(Step::read_body(move |body| {
        let form = str::from_utf8(body?).map_err(|_| Problem::FormNotUtf8)?;
        token(&config, session, query.as_deref(), Some(form), &moment)
    }))
}

fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn token(
    config: &Rc<Config>,
    session: Rc<Session>,
    query: Option<&str>,
    form: Option<&str>,
    moment: &Moment,
) -> Next {
    let params = TokenParams::parse(query, form)?;
    if params.format == Format::TokenRequest && !config.token_requests {
        return Err(
            ErrorInfo::new(40003, 400, "this service gives no TokenRequests: leave `format` out").into()
        );
    }
    let (key, policy) = (&config.token_key, Policy::compiled());
    let registry = config.job_registry;
    let draft = Draft::new(key, policy, Rc::clone(&session), params, registry, moment.now_ms)?;
    if registry == JobRegistry::Off || draft.jobs().is_empty() {
        return answer(draft.issue(key, moment.now_ms, nonce(moment))?);
    }
    let (config, viewer, moment) = (Rc::clone(config), Viewer::of(&session, registry), moment.clone());
    Admitting { config, draft, viewer, moment, rounds: ROUNDS_MORE }.ask()
}

/// The request's id is 122 random bits of our own that nobody has seen yet.
fn nonce(moment: &Moment) -> impl FnOnce() -> String {
    || moment.request_id.clone()
}

fn answer(issued: Issued) -> Next {
    Ok(Step::Done(match issued {
        Issued::Jwt(token) => Answer::new(200, "application/jwt", token),
        Issued::TokenRequest(request) => Answer::json(200, json(&request)?),
    }))
}

/// A token whose jobs' objects are asked before it is issued.
struct Admitting {
    config: Rc<Config>,
    draft: Draft,
    viewer: Viewer,
    /// Its time is the token's `iat`, and comes before the objects are asked: whoever closes a job after its object has said yes revokes
    /// what was issued until then, and so this token too.
    moment: Moment,
    /// How often the objects may still be asked again.
    rounds: u32,
}

impl Admitting {
    fn ask(self) -> Next {
        let token_request = self.draft.params().format == Format::TokenRequest;
        let admit =
            |job: &JobId| JobRequest::Admit { job: job.clone(), viewer: self.viewer.clone(), token_request };
        let requests = self.draft.jobs().iter().map(|job| (job.clone(), admit(job))).collect();
        Step::call_all(requests, move |replies| self.told(replies?))
    }

    fn told(self, replies: Vec<Reply>) -> Next {
        let admissions = replies.into_iter().map(admission).collect::<Result<Vec<_>, _>>()?;
        let is_refused = self.draft.are_all_refused(&admissions);
        let not_before = admissions.iter().filter_map(|said| said.not_before).max().filter(|_| !is_refused);
        match not_before.and_then(|time| u64::try_from(time).ok()) {
            Some(time) if time > self.moment.now_ms => self.wait(time),
            _ => self.end(&admissions),
        }
    }

    fn end(self, admissions: &[Admission]) -> Next {
        let (key, moment) = (&self.config.token_key, &self.moment);
        let issued = self.draft.issue_admitted(key, admissions, moment.now_ms, nonce(moment));
        let end = issued.map_err(Problem::from).and_then(answer);
        // What a session lists the platform has written, and nobody guesses.
        let is_named = self.draft.params().jobs.is_some();
        let foreign = admissions.iter().filter(|said| said.standing == Standing::Foreign).count();
        match access::asker(&self.viewer).filter(|_| is_named && foreign > 0) {
            Some(user) => Ok(access::foreign(user, foreign, end)),
            None => end,
        }
    }

    /// Waits, and asks again: what was said before may not hold for a token that is issued then.
    fn wait(mut self, until_ms: u64) -> Next {
        let Some(rounds) = self.rounds.checked_sub(1) else { return Err(Problem::Unavailable) };
        if until_ms > self.moment.now_ms.saturating_add(WAIT_MAX_MS) {
            return Err(Problem::Unavailable);
        }
        self.rounds = rounds;
        Ok(Step::wait(until_ms, move |now_ms| {
            // A timer may come a moment early.
            self.moment.now_ms = now_ms.max(until_ms);
            self.ask()
        }))
    }
}

/// Where it cannot be read nobody knows whether the token may have the channel: so there is none.
pub(super) fn admission(reply: Reply) -> Result<Admission, Problem> {
    match reply {
        Reply::Answer(text) => serde_json::from_str(&text).map_err(|_| Problem::Unavailable),
        Reply::Refusal(_) => Err(Problem::Unavailable),
    }
}
