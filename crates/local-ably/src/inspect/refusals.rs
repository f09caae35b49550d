//! What was refused of late, with code and reason: most often the answer to why something does not arrive.

use std::collections::VecDeque;
use std::sync::Mutex;

use ably::ErrorInfo;
use serde::Serialize;

use super::cut;
use crate::clock::Millis;
use crate::lock::lock;

/// How many are kept.
const KEPT: usize = 200;
/// How much of each text is kept, in bytes.
const TEXT_MAX: usize = 300;

/// By what a refusal was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Means {
    /// An answer over HTTP.
    Http,
    /// An ERROR instead of CONNECTED: there is no connection.
    Connect,
    /// NACK.
    Nack,
    /// ERROR, about a channel or the connection.
    Error,
    /// DISCONNECTED.
    Disconnected,
    /// The `error` of a frame that goes ahead all the same, CONNECTED or ATTACHED: something could not be resumed.
    Lost,
}

/// Who was refused something, and about what, as far as that is known.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subject {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) app: Option<String>,
    /// The name of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connection_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) channel: Option<String>,
    /// Method and path, and the `Origin` if there was one; or the `agent` of whoever wanted to connect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<String>,
}

/// Something that was refused.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    /// Counts from 1.
    seq: u64,
    at: Millis,
    means: Means,
    #[serde(flatten)]
    subject: Subject,
    code: u32,
    status: u16,
    reason: String,
}

/// The last refusals.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    /// How many there have been.
    total: u64,
    last: VecDeque<Refusal>,
}

/// The refusals after one that is known.
#[derive(Debug, Serialize)]
pub(crate) struct News {
    /// How many there have been since the start.
    pub(crate) total: u64,
    /// The last of them, oldest first.
    shown: Vec<Refusal>,
}

impl Refusals {
    pub(crate) fn note(&self, means: Means, subject: Subject, error: &ErrorInfo, now: Millis) {
        let short = |text: Option<String>| text.map(|text| cut(&text, TEXT_MAX));
        let subject = Subject {
            app: subject.app,
            key: short(subject.key),
            connection_id: short(subject.connection_id),
            client_id: short(subject.client_id),
            channel: short(subject.channel),
            request: short(subject.request),
        };
        let mut ring = lock(&self.0);
        ring.total += 1;
        let refusal = Refusal {
            seq: ring.total,
            at: now,
            means,
            subject,
            code: error.code,
            status: error.status_code,
            reason: cut(&error.message, TEXT_MAX),
        };
        if ring.last.len() >= KEPT {
            ring.last.pop_front();
        }
        ring.last.push_back(refusal);
    }

    /// What came after the first `known` of all; of an app, or of none.
    pub(crate) fn since(&self, known: u64, app: Option<&str>) -> News {
        let ring = lock(&self.0);
        let news = ring.last.iter().filter(|refusal| refusal.seq > known);
        let of_app =
            |refusal: &&Refusal| refusal.subject.app.is_none() || refusal.subject.app.as_deref() == app;
        News { total: ring.total, shown: news.filter(of_app).cloned().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(refusals: &Refusals, reason: &str, app: Option<&str>) {
        let subject = Subject { app: app.map(str::to_owned), ..Subject::default() };
        refusals.note(Means::Nack, subject, &ErrorInfo::new(40160, 401, reason), 7);
    }

    #[test]
    fn only_what_is_new_and_of_the_app_or_of_none_is_told() {
        let refusals = Refusals::default();
        for (reason, app) in [("a", Some("one")), ("b", Some("two")), ("c", None)] {
            note(&refusals, reason, app);
        }
        let reasons = |known| {
            let news = refusals.since(known, Some("one"));
            (news.total, news.shown.into_iter().map(|refusal| refusal.reason).collect::<Vec<_>>())
        };
        assert_eq!(reasons(0), (3, vec!["a".to_owned(), "c".to_owned()]));
        assert_eq!(reasons(1), (3, vec!["c".to_owned()]));
        assert_eq!(reasons(3), (3, vec![]));
    }

    #[test]
    fn the_last_are_kept_and_their_texts_are_short() {
        let refusals = Refusals::default();
        for _ in 0..KEPT + 5 {
            note(&refusals, &"é".repeat(TEXT_MAX), None);
        }
        let news = refusals.since(0, None);
        assert_eq!((news.total, news.shown.len()), (KEPT as u64 + 5, KEPT));
        assert_eq!(news.shown[0].seq, 6);
        assert!(news.shown.iter().all(|refusal| refusal.reason.len() <= TEXT_MAX + '…'.len_utf8()));
    }
}
