//! `mirrord-server doctor`.

use anyhow::{Context, Result};
use mirrord_config::Flags;
use mirrord_editor_protocol::doctor::{Check, CheckStatus};

use mirrord_kubernetes::{Access, Environment};
use mirrord_supervisor::tell;

use crate::doctor::{CHECKS, cluster};

/// Prints the checks; the exit status is 1 when one fails.
pub fn run(json: bool) -> Result<i32> {
    let mut checks = Vec::new();
    for check in CHECKS {
        let check = (check.look)();
        if !json {
            print(&check);
        }
        checks.push(check);
    }
    for check in cluster_checks()? {
        if !json {
            print(&check);
        }
        checks.push(check);
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&checks)?);
    }
    let failed = checks.iter().any(|check| check.status == CheckStatus::Fail);
    Ok(i32::from(failed))
}

/// Of the cluster that the configuration means.
fn cluster_checks() -> Result<Vec<Check>> {
    let folder = std::env::current_dir().context("could not find the current folder")?;
    let access = match mirrord_config::load(None, &folder, &Flags::default()) {
        Ok(loaded) => crate::provider::access(&loaded),
        Err(errors) => {
            tell(format_args!(
                "the cluster below is kubectl's, not the configuration's: {errors}"
            ));
            Access::default()
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start the event loop")?;
    let checks = runtime.block_on(cluster::look(access, Environment::own()));
    // A helper that hangs is not waited for.
    runtime.shutdown_background();
    Ok(checks)
}

fn print(check: &Check) {
    println!(
        "{:<5}{}: {}",
        check.status.as_str(),
        check.title,
        check.detail
    );
    if let Some(fix) = &check.fix {
        println!("     {fix}");
    }
}
