//! What is told of the limits: how much is permitted, and how much there has been.

use std::collections::HashMap;

use serde::Serialize;

use super::MESSAGE_SIZE;
use super::metric::Metric;
use super::plan::{Figures, Plan};
use crate::clock::Millis;

/// How much there has been since the start.
#[derive(Debug, Default)]
pub(super) struct Counts(HashMap<Metric, Count>);

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    admitted: i64,
    refused: i64,
}

impl Counts {
    pub(super) fn admit(&mut self, metric: Metric, count: i64) {
        self.0.entry(metric).or_default().admitted += count;
    }

    pub(super) fn refuse(&mut self, metric: Metric, count: i64) {
        self.0.entry(metric).or_default().refused += count;
    }
}

/// What is limited, and how much of it there has been since the start.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    plan: Option<Plan>,
    #[serde(rename = "maxMessageSize")]
    message_size: usize,
    pub(super) metrics: Vec<MetricReport>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetricReport {
    pub(super) metric: &'static str,
    permitted: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    per_ms: Option<Millis>,
    code: u32,
    pub(super) admitted: i64,
    pub(super) refused: i64,
}

impl Report {
    /// Of no limits.
    pub(super) fn unlimited() -> Self {
        Self { plan: None, message_size: MESSAGE_SIZE, metrics: Vec::new() }
    }

    /// Of the limits of a plan.
    pub(super) fn new(plan: Plan, figures: &Figures, counts: &Counts) -> Self {
        let metrics = Metric::ALL.into_iter().map(|metric| {
            let Count { admitted, refused } = counts.0.get(&metric).copied().unwrap_or_default();
            MetricReport {
                metric: metric.name(),
                permitted: metric.permitted(figures),
                per_ms: metric.per(),
                code: metric.code().0,
                admitted,
                refused,
            }
        });
        Self { plan: Some(plan), message_size: figures.message_size, metrics: metrics.collect() }
    }
}
