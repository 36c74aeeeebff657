//! What the failed tests said, to be told once more at the end of a run: the end is what a reader
//! of a long log sees first, and often all that is kept of it.

/// Longest text that is told again of one test, in characters; its end is kept.
const LONGEST: usize = 2_500;

/// The `---- NAME stdout ----` parts of what Rust's test programs printed.
pub fn of_rust_tests(printed: &str) -> Vec<String> {
    let mut failures: Vec<String> = Vec::new();
    let mut is_inside = false;
    for line in printed.lines() {
        if line.starts_with("---- ") && line.ends_with(" ----") {
            failures.push(String::new());
            is_inside = true;
        } else if line == "failures:" || line.starts_with("test result: ") {
            is_inside = false;
        }
        if let Some(failure) = failures.last_mut().filter(|_| is_inside) {
            failure.push_str(line);
            failure.push('\n');
        }
    }
    failures.iter().map(|failure| shortened(failure)).collect()
}

/// Every `not ok` of a TAP report with the indented block that tells why.
pub fn of_tap(printed: &str) -> Vec<String> {
    let mut failures: Vec<String> = Vec::new();
    let mut deeper_than = None;
    for line in printed.lines() {
        let depth = line.len() - line.trim_start().len();
        if line.trim_start().starts_with("not ok ") {
            failures.push(String::new());
            deeper_than = Some(depth);
        } else if !line.trim().is_empty() && deeper_than.is_some_and(|outer| depth <= outer) {
            deeper_than = None;
        }
        if let Some(failure) = failures.last_mut().filter(|_| deeper_than.is_some()) {
            failure.push_str(line);
            failure.push('\n');
        }
    }
    failures.iter().map(|failure| shortened(failure)).collect()
}

fn shortened(text: &str) -> String {
    let text = text.trim_end();
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    match rest.char_indices().rev().nth(LONGEST) {
        None => text.to_owned(),
        Some((at, _)) => format!("{first}\n[…]{}", &rest[at..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_rust_tests_are_found_and_long_ones_cut() {
        let long = "x".repeat(LONGEST + 10);
        let printed = format!(
            "running 3 tests\ntest a ... FAILED\n\nfailures:\n\n---- a stdout ----\nwhy a\n\n\
             ---- b stdout ----\n{long}end\n\nfailures:\n    a\n    b\n\n\
             test result: FAILED. 1 passed; 2 failed\n"
        );
        let failures = of_rust_tests(&printed);
        assert_eq!(failures.len(), 2, "{failures:?}");
        assert_eq!(failures[0], "---- a stdout ----\nwhy a");
        assert!(
            failures[1].starts_with("---- b stdout ----\n[…]x"),
            "{failures:?}"
        );
        assert!(failures[1].ends_with("xend"), "{failures:?}");
        assert!(failures[1].len() < LONGEST + 40);
    }

    #[test]
    fn failed_tap_tests_are_found() {
        let printed = "ok 1 - a\n    not ok 1 - inner\n      ---\n      error: 'why'\n      ...\n    \
                       ok 2 - other\nnot ok 2 - outer\n  ---\n  error: 'inner failed'\n1..2\n";
        assert_eq!(
            of_tap(printed),
            [
                "    not ok 1 - inner\n      ---\n      error: 'why'\n      ...",
                "not ok 2 - outer\n  ---\n  error: 'inner failed'"
            ]
        );
    }
}
