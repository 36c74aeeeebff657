//! One file for each method or family of methods.

pub mod agent;
pub mod config_active;
pub mod config_create;
pub mod config_from_session;
pub mod config_list;
pub mod config_resolve;
pub mod config_target;
pub mod config_verify;
pub mod doctor;
pub mod explain;
pub mod initialize;
pub mod kube;
pub mod launch_after;
pub mod launch_prepare;
pub mod notify;
pub mod rbac;
pub mod session_list;
pub mod session_logs;
pub mod session_prove;
pub mod session_restart;
pub mod session_rule;
pub mod session_stop;
pub mod session_subscribe;
pub mod status;
pub mod targets_describe;
pub mod targets_list;
pub mod targets_watch;
pub mod text;

use super::failure::Failure;

/// What every handler returns.
pub type Outcome<T> = Result<T, Failure>;

/// Runs what reads files or processes apart from the event loop.
pub async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> Outcome<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(error) => Err(anyhow::anyhow!(error).into()),
    }
}
