//! The licence check where `cargo deny` is not installed: every dependency's licence expression
//! must be satisfied by the list in `deny.toml`, and every source must be the registry or this
//! repository.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{cargo, output, root};
use crate::test::Count;

/// Checks all packages of the lock file.
pub fn check() -> Count {
    match offenders() {
        Ok(offenders) => {
            for offender in &offenders {
                println!("   {offender}");
            }
            Count::one(offenders.is_empty(), "licences")
        }
        Err(error) => {
            println!("   {error:#}");
            Count::one(false, "licences")
        }
    }
}

fn offenders() -> Result<Vec<String>> {
    let allowed = allowed_licences()?;
    let metadata = output(cargo().current_dir(root()).args([
        "metadata",
        "--format-version",
        "1",
        "--locked",
    ]))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata is not JSON")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata has no packages")?;
    let mut offenders = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or("?");
        let source = package["source"].as_str();
        if source.is_some_and(|source| !source.starts_with("registry+")) {
            offenders.push(format!("{name} comes from {}", source.unwrap_or_default()));
        }
        let licence = package["license"].as_str().unwrap_or("");
        if source.is_some() && !is_satisfied(licence, &allowed) {
            offenders.push(format!(
                "{name} has the licence {licence:?}, which deny.toml does not allow"
            ));
        }
    }
    println!("   {} packages looked at", packages.len());
    Ok(offenders)
}

fn allowed_licences() -> Result<Vec<String>> {
    let text =
        std::fs::read_to_string(root().join("deny.toml")).context("could not read deny.toml")?;
    let list = text
        .split_once("[licenses]")
        .and_then(|(_, rest)| rest.split_once('['))
        .and_then(|(_, rest)| rest.split_once(']'))
        .context("deny.toml has no [licenses] allow list")?;
    Ok(list
        .0
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect())
}

/// SPDX expressions as crates use them: `OR` (also written `/`) needs one side, `AND` all.
fn is_satisfied(expression: &str, allowed: &[String]) -> bool {
    let flat = expression.replace(['(', ')'], "").replace('/', " OR ");
    flat.split(" OR ").any(|side| {
        side.split(" AND ")
            .all(|licence| allowed.iter().any(|allowed| allowed == licence.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let allowed = [
            "MIT".to_owned(),
            "Apache-2.0 WITH LLVM-exception".to_owned(),
        ];
        assert!(is_satisfied("MIT/Apache-2.0", &allowed));
        assert!(is_satisfied("GPL-3.0 OR MIT", &allowed));
        assert!(is_satisfied(
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0",
            &allowed
        ));
        assert!(!is_satisfied("MIT AND GPL-3.0", &allowed));
        assert!(!is_satisfied("", &allowed));
    }
}
