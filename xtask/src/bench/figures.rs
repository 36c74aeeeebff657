//! One measured operation, and how it is shown.

use std::fmt;
use std::time::Instant;

use serde::Serialize;

/// The figures of one operation; a side that could not be measured, or does not exist, is `None`.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// Its name.
    pub operation: &'static str,
    /// Inside the pod.
    pub plain: Option<f64>,
    /// Through two epoll relays.
    pub bare: Option<f64>,
    /// Through us.
    pub ours: Option<f64>,
    /// `µs`, `ms`, `MB/s`, `requests/s`, `MiB`.
    pub unit: &'static str,
}

/// The table's first line.
pub fn heading() -> String {
    format!(
        "{:<32} {:>11} {:>11} {:>11} {:<11} {:>11} {:>11}",
        "operation", "plain", "bare", "ours", "unit", "ours/plain", "ours/bare"
    )
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
        let ratio = |to: Option<f64>| match (self.ours, to) {
            (Some(ours), Some(to)) if to > 0.0 => format!("{:.2}", ours / to),
            _ => "-".to_owned(),
        };
        write!(
            f,
            "{:<32} {:>11} {:>11} {:>11} {:<11} {:>11} {:>11}",
            self.operation,
            value(self.plain),
            value(self.bare),
            value(self.ours),
            self.unit,
            ratio(self.plain),
            ratio(self.bare)
        )
    }
}

/// The middle of some measurements.
pub fn median(mut samples: Vec<f64>) -> Option<f64> {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied()
}

/// How long ago that was, in ms.
pub fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
