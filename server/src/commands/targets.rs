//! `mirrord-server targets`.

use anyhow::Result;

use crate::provider::list::local_targets;

/// Prints the targets.
pub fn run(json: bool) -> Result<i32> {
    let rows = local_targets()?;
    if json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(0);
    }
    if rows.is_empty() {
        println!("no targets; start a sandbox with `mirrord-server sandbox up`");
        return Ok(0);
    }
    println!("{:<28} {:<24} STATE", "TARGET", "NAME");
    for row in rows {
        let state = row.reason.as_deref().unwrap_or("ready");
        println!("{:<28} {:<24} {state}", row.path, row.name);
    }
    Ok(0)
}
