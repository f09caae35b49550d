//! `GET`, `POST /api/ably-token`: an Ably token for the session's user; the parameters of a `POST` are a form.

use std::rc::Rc;

use crate::config::Config;
use crate::http::answer::Answer;
use crate::http::problem::{Problem, json};
use crate::http::step::{Asked, Moment, Next, Step};
use crate::sessions::Session;
use crate::tokens::{self, Issued, Policy, TokenParams};

pub(super) fn get(asked: Asked<'_>) -> Next {
    token(asked.config, &asked.session, asked.query, None, asked.moment)
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
        token(&config, &session, query.as_deref(), Some(form), &moment)
    }))
}

fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn token(
    config: &Config,
    session: &Session,
    query: Option<&str>,
    form: Option<&str>,
    moment: &Moment,
) -> Next {
    let params = TokenParams::parse(query, form)?;
    // The request's id is 122 random bits of our own that nobody has seen yet.
    let nonce = || moment.request_id.clone();
    let issued =
        tokens::issue(&config.token_key, Policy::compiled(), session, &params, moment.now_ms, nonce)?;
    Ok(Step::Done(match issued {
        Issued::Jwt(token) => Answer::new(200, "application/jwt", token),
        Issued::TokenRequest(request) => Answer::json(200, json(&request)?),
    }))
}
