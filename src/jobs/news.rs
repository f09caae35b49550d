//! What those who take part in a job are told of a change, each on their own channel.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::registration::Registration;
use crate::ids::{EntityId, EventType, IdError, JobId, NotificationId, UserId};
use crate::inbox::Notification;
use crate::inbox::notification::OWN;

/// What somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// They take part, or in another role than before.
    Assigned,
    /// They take no part any more, or not in the role that they had.
    Unassigned,
    /// The job in which they took part has ended.
    Closed,
}

impl News {
    fn word(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Unassigned => "unassigned",
            Self::Closed => "closed",
        }
    }

    /// As it is told of a job in this version. It is the same however often: a job's versions count up, and of one change nobody is told
    /// the same twice.
    ///
    /// # Errors
    /// [`IdError`]; a job's id and these words are such that it does not happen.
    pub fn notification(self, job: &JobId, version: u64) -> Result<Notification, IdError> {
        let word = self.word();
        Ok(Notification {
            id: NotificationId::parse(format!("{OWN}{job}.{version}.{word}"))?,
            kind: EventType::parse(format!("job.{word}"))?,
            entity_id: EntityId::parse(job.as_str())?,
            version,
        })
    }
}

/// Who is told what where a job changes, in the order in which each is to hear it: whoever comes or goes, and all by the end. To change
/// between driver and customer is to go and to come.
pub fn of_change(before: Option<&Registration>, after: &Registration) -> Vec<(UserId, News)> {
    let (was, is) = (roles(before), roles(Some(after)));
    if after.ended.is_some() {
        return was.keys().map(|user| ((*user).clone(), News::Closed)).collect();
    }
    let went = was.iter().filter(|(user, roles)| is.get(*user) != Some(roles));
    let came = is.iter().filter(|(user, roles)| was.get(*user) != Some(roles));
    let went = went.map(|(user, _)| ((*user).clone(), News::Unassigned));
    went.chain(came.map(|(user, _)| ((*user).clone(), News::Assigned))).collect()
}

/// Who takes part, each with whether as driver and whether as customer.
fn roles(registration: Option<&Registration>) -> BTreeMap<&UserId, (bool, bool)> {
    let Some(registration) = registration else { return BTreeMap::new() };
    let wanted = &registration.wanted;
    let roles = |user| (wanted.driver.as_ref() == Some(user), wanted.customers.contains(user));
    registration.participants().map(|user| (user, roles(user))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::registration::{EndReason, Past};
    use crate::jobs::wanted::Wanted;
    use crate::objects::Millis;

    const NOW: Millis = 1_700_000_000_000;
    const PAST: Past = Past { last_n: 0, has_fixes: false, epoch: None };

    fn wanted(body: &str) -> Wanted {
        Wanted::parse(body.as_bytes(), NOW).unwrap()
    }

    fn told(before: Option<&Registration>, after: &Registration) -> Vec<String> {
        let news = of_change(before, after);
        news.into_iter().map(|(user, news)| format!("{user} {}", news.word())).collect()
    }

    #[test]
    fn whoever_comes_or_goes_is_told_and_all_of_the_end() {
        let (first, _) =
            Registration::new(wanted(r#"{"driver": "d", "customers": ["b", "a"]}"#), PAST, NOW, 1_000);
        assert_eq!(told(None, &first), ["a assigned", "b assigned", "d assigned"]);
        let then = |before: &Registration, body| before.put(wanted(body), PAST, NOW).unwrap().0;
        let moved =
            then(&first, r#"{"driver": "d", "customers": ["b", "a"], "place": {"lat": 1, "lng": 1}}"#);
        assert_eq!(told(Some(&first), &moved), [""; 0]);
        let next = then(&moved, r#"{"driver": "e", "customers": ["b", "c"]}"#);
        assert_eq!(told(Some(&moved), &next), ["a unassigned", "d unassigned", "c assigned", "e assigned"]);
        let swapped = then(&next, r#"{"driver": "c", "customers": ["e", "b"]}"#);
        assert_eq!(
            told(Some(&next), &swapped),
            ["c unassigned", "e unassigned", "c assigned", "e assigned"],
            "in another role"
        );
        let both = then(&swapped, r#"{"driver": "c", "customers": ["c", "e", "b"]}"#);
        assert_eq!(told(Some(&swapped), &both), ["c unassigned", "c assigned"]);
        let (closed, _) = both.close(EndReason::Done, PAST, NOW).unwrap();
        assert_eq!(told(Some(&both), &closed), ["b closed", "c closed", "e closed"]);
        let (nobody, _) = Registration::new(wanted(r#"{"driver": null, "customers": []}"#), PAST, NOW, 1_000);
        assert_eq!(told(None, &nobody), [""; 0]);
    }

    #[test]
    fn any_job_and_version_make_a_notification_that_nobody_else_can_send() {
        let job = JobId::parse("x".repeat(64)).unwrap();
        for news in [News::Assigned, News::Unassigned, News::Closed] {
            let notification = news.notification(&job, u64::MAX).unwrap();
            assert_eq!(notification.entity_id.as_str(), job.as_str());
            assert!(Notification::parse(&serde_json::to_vec(&notification).unwrap()).is_err());
        }
        let notification = News::Closed.notification(&JobId::parse("a.1").unwrap(), 7).unwrap();
        assert_eq!(
            serde_json::to_string(&notification).unwrap(),
            r#"{"id":"towline:a.1.7.closed","type":"job.closed","entityId":"a.1","version":7}"#
        );
    }
}
