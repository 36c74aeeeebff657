//! `mirrord-server doctor`.

use anyhow::Result;
use mirrord_editor_protocol::doctor::{Check, CheckStatus};

use crate::doctor::CHECKS;

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
    if json {
        println!("{}", serde_json::to_string_pretty(&checks)?);
    }
    let failed = checks.iter().any(|check| check.status == CheckStatus::Fail);
    Ok(i32::from(failed))
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
