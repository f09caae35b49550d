//! What the platform, and who takes part, are told of a job.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::figures::Figures;
use super::gate::{Gate, Withheld};
use super::registration::{EndReason, Ended, Event, Registration};
use super::update;
use super::viewer::Viewer;
use super::vitals::{Pulse, Vitals};
use super::wanted::Spot;
use crate::ids::{DispatchId, JobId, UserId};
use crate::objects::Millis;
use crate::sessions::Role;

/// A job as somebody is told it. To a customer no one is named but themselves, and no place; to a driver no customer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "Job"))]
pub struct Told {
    /// The job.
    pub job_id: JobId,
    /// Whether it goes on.
    pub state: State,
    /// Counts its changes.
    pub version: u64,
    /// Which life of its sequence is the present one; not told to whom a gate holds back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-nullable" = true)))]
    pub epoch: Option<Option<u64>>,
    /// Who drives; `null` where nobody does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(extend("x-nullable" = true)))]
    pub driver: Option<Option<UserId>>,
    /// For whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customers: Option<Vec<UserId>>,
    /// Where the vehicle is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Spot>,
    /// When it is planned to begin, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<Millis>,
    /// When it ends by itself, Unix milliseconds.
    pub ends_at: Millis,
    /// By which dispatch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispatch_id: Option<DispatchId>,
    /// What of it is withheld, or its gates, to whoever runs the platform.
    #[serde(flatten)]
    pub gate: Option<Gated>,
    /// Why it has ended, once it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<EndReason>,
    /// When it has, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Millis>,
    /// Of the driver's phone.
    #[serde(flatten)]
    pub pulse: Pulse,
    /// When the driver's last fix was accepted, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_fix_at: Option<Millis>,
    /// Since when all of their fixes are refused, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_since: Option<Millis>,
    /// What has become of each driver's fixes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<BTreeMap<UserId, Figures>>,
}

/// What somebody is told of a job's gates.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Gated {
    /// That one holds them back.
    Withheld {
        /// Always true.
        #[cfg_attr(test, schemars(extend("const" = true)))]
        withheld: bool,
        /// Which part of it, and until when.
        #[serde(flatten)]
        by: Withheld,
    },
    /// `gate`, as it is registered, and what has become of it.
    Registered {
        /// By role.
        gate: ByRole,
    },
}

/// `{customer: {from?, within?, openedAt?}}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "GateByRole"))]
pub struct ByRole {
    /// The gate for customers.
    pub customer: Kept,
}

/// A gate, and whether it is open.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "GateState"))]
pub struct Kept {
    /// As it is registered.
    #[serde(flatten)]
    pub gate: Gate,
    /// Since when customers see the driver, once they do, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<Millis>,
}

/// Whether a job goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "JobState"))]
pub enum State {
    /// It does.
    Open,
    /// It has ended, for ever.
    Closed,
}

/// What has become of a change that the platform has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is registered now.
    Created,
    /// It is as it is wanted, now or already.
    Done,
    /// It has another version than the one that was to be changed: so nothing has.
    OtherVersion,
}

impl Told {
    /// The job as somebody is told it who may see it, with what is known of its driver.
    pub fn to(
        viewer: &Viewer,
        job: &JobId,
        epoch: Option<u64>,
        registration: &Registration,
        (vitals, pulse): (&Vitals, Pulse),
    ) -> Self {
        let all =
            Self { pulse, last_fix_at: vitals.fixed_at(), ..Self::to_platform(job, epoch, registration) };
        match viewer.role {
            Role::Dispatcher | Role::Admin | Role::Service => Self {
                refused_since: vitals.refused_since(),
                figures: Some(vitals.figures().by_driver()),
                ..all
            },
            Role::Driver => {
                Self { driver: Some(Some(viewer.user.clone())), customers: None, gate: None, ..all }
            }
            Role::Customer => Self {
                driver: None,
                customers: Some(vec![viewer.user.clone()]),
                place: None,
                gate: None,
                ..all
            },
        }
    }

    /// The same to whom a gate holds back: nothing of the driver.
    #[must_use]
    pub fn withheld(self, by: Withheld) -> Self {
        let gate = Some(Gated::Withheld { withheld: true, by });
        Self { epoch: None, gate, pulse: Pulse::default(), last_fix_at: None, ..self }
    }

    /// All of it, as whoever runs the platform is told it.
    pub fn to_platform(job: &JobId, epoch: Option<u64>, registration: &Registration) -> Self {
        let wanted = &registration.wanted;
        Self {
            job_id: job.clone(),
            state: if registration.ended.is_some() { State::Closed } else { State::Open },
            version: registration.version,
            epoch: Some(epoch),
            driver: Some(wanted.driver.clone()),
            customers: Some(wanted.customers.clone()),
            place: wanted.place,
            starts_at: wanted.starts_at,
            ends_at: registration.ends_at(),
            dispatch_id: wanted.dispatch_id.clone(),
            gate: registration.gate(epoch).map(|(gate, opening)| {
                let customer = Kept { gate, opened_at: opening.map(|opening| opening.at) };
                Gated::Registered { gate: ByRole { customer } }
            }),
            reason: registration.ended.map(|ended| ended.reason),
            closed_at: registration.ended.map(|Ended { at, .. }| at),
            pulse: Pulse::default(),
            last_fix_at: None,
            refused_since: None,
            figures: None,
        }
    }
}

/// The data of an event of a job's life: ids, versions and times, and nobody's name.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "JobEvent"))]
pub(crate) struct Happened<'a> {
    job_id: &'a JobId,
    epoch: u64,
    /// The last seq of the epoch before it.
    after_seq: u64,
    /// Of `job.updated` alone: what it is called, and what has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'a str>,
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<EndReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Millis>,
    ts: Millis,
}

impl<'a> Happened<'a> {
    /// What all of them have.
    pub(super) fn new(job: &'a JobId, epoch: u64, after_seq: u64, version: u64, ts: Millis) -> Self {
        Self { job_id: job, epoch, after_seq, id: None, r#type: None, version, reason: None, since: None, ts }
    }

    /// The same as that of something that has changed: what the event is called, and the type of what has.
    pub(super) fn of_change(self, id: &'a str, r#type: &'a str) -> Self {
        Self { id: Some(id), r#type: Some(r#type), ..self }
    }
}

impl Event {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Assigned => "job.assigned",
            Self::Reassigned => "job.reassigned",
            Self::Updated => update::NAME,
            Self::Closed(_) => "job.closed",
            Self::Silent { .. } => "driver.silent",
            Self::Heard { .. } => "driver.heard",
            Self::Arrived => "driver.arrived",
        }
    }

    /// Its data, as JSON.
    ///
    /// # Errors
    /// Where it cannot be serialised; with these types that does not happen.
    pub fn data(
        self,
        job: &JobId,
        epoch: u64,
        after_seq: u64,
        version: u64,
        ts: Millis,
    ) -> serde_json::Result<String> {
        let happened = Happened::new(job, epoch, after_seq, version, ts);
        let id;
        serde_json::to_string(&match self {
            Self::Assigned | Self::Reassigned | Self::Arrived => happened,
            Self::Updated => {
                id = format!("v{version}");
                happened.of_change(&id, update::REGISTRATION)
            }
            Self::Closed(reason) => Happened { reason: Some(reason), ..happened },
            Self::Silent { since } | Self::Heard { since } => Happened { since: Some(since), ..happened },
        })
    }
}
