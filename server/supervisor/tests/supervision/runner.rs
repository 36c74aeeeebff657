//! A very small test runner: one case after the other, each with its verdict.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A case and its name.
pub type Case = (&'static str, fn());

/// Runs the cases whose name contains `filter`.
pub fn run(filter: Option<&str>, cases: &[Case]) {
    let filter = filter
        .filter(|filter| !filter.starts_with('-'))
        .unwrap_or("");
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in cases.iter().filter(|(name, _)| name.contains(filter)) {
        let done = catch_unwind(AssertUnwindSafe(case)).is_ok();
        println!("test {name} ... {}", if done { "ok" } else { "FAILED" });
        if done { passed += 1 } else { failed += 1 }
    }
    println!("\ntest result: {passed} passed; {failed} failed");
    std::process::exit(if failed == 0 { 0 } else { 1 });
}
