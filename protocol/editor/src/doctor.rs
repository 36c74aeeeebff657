//! `mirrord/doctor`: what works here, and what to do about the rest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ProgressToken;

/// `mirrord/doctor`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DoctorParams {
    /// Also look at this target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Checks come as partial results, each when it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial_result_token: Option<ProgressToken>,
    /// Progress is told under this token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_done_token: Option<ProgressToken>,
}

/// The checks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DoctorResult {
    /// In a fixed order.
    pub checks: Vec<Check>,
}

open_enum! {
    /// How a check went.
    CheckStatus {
        /// Works.
        Ok = "ok",
        /// Works with something missing.
        Warn = "warn",
        /// Does not work.
        Fail = "fail",
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// A stable name: `kernel.seccompNotify`.
    pub id: String,
    /// What was looked at.
    pub title: String,
    /// How it went.
    pub status: CheckStatus,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}
