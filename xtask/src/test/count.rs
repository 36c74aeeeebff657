//! Counting what ran, and reading the counts that test programs print.

use std::fmt;
use std::ops::AddAssign;

use super::failures;

/// How many checks passed, failed and were skipped.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Count {
    /// Ran and held.
    pub passed: u32,
    /// Ran and did not hold.
    pub failed: u32,
    /// Did not run; the reason was printed.
    pub skipped: u32,
    /// What the failed ones said, to be told again at the end.
    pub failures: Vec<String>,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.failures.extend(other.failures);
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

impl Count {
    /// One check, by what it is about.
    pub fn one(held: bool, what: &str) -> Self {
        Count {
            passed: u32::from(held),
            failed: u32::from(!held),
            skipped: 0,
            failures: if held {
                Vec::new()
            } else {
                vec![what.to_owned()]
            },
        }
    }

    /// Adds up every `test result: …` line of Rust's test programs. A program that failed without
    /// such a line (it crashed, or did not compile) counts as one failure.
    pub fn of_rust_tests(printed: &str, succeeded: bool) -> Self {
        let mut count = Count {
            failures: failures::of_rust_tests(printed),
            ..Count::default()
        };
        for line in printed
            .lines()
            .filter_map(|line| line.trim().strip_prefix("test result: "))
        {
            for part in line.split([';', '.']) {
                let mut words = part.split_whitespace();
                let (Some(number), Some(what)) = (words.next(), words.next()) else {
                    continue;
                };
                let Ok(number) = number.parse::<u32>() else {
                    continue;
                };
                match what {
                    "passed" => count.passed += number,
                    "failed" => count.failed += number,
                    "ignored" => count.skipped += number,
                    _ => {}
                }
            }
        }
        if !succeeded && count.failed == 0 {
            count += Count::one(false, "a test program broke off, or was not built");
        }
        count
    }

    /// Reads the sums (`# pass 3`) that a TAP report of Node's ends with. A report that breaks off
    /// before them counts as one failure, and so does one that failed without a failed test.
    pub fn of_tap(printed: &str, succeeded: bool) -> Self {
        let sum = |name: &str| {
            let mut sums = printed.lines().rev().filter_map(|line| {
                let (found, number) = line.strip_prefix("# ")?.split_once(' ')?;
                number.parse::<u32>().ok().filter(|_| found == name)
            });
            sums.next()
        };
        let (Some(passed), Some(failed)) = (sum("pass"), sum("fail")) else {
            return Count::one(false, "the report of the tests broke off");
        };
        let mut count = Count {
            passed,
            failed: failed + sum("cancelled").unwrap_or(0),
            skipped: sum("skipped").unwrap_or(0) + sum("todo").unwrap_or(0),
            failures: failures::of_tap(printed),
        };
        if !succeeded && count.failed == 0 {
            count += Count::one(
                false,
                "the tests ended with a failure that no test reported",
            );
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_test_programs() {
        let printed = "running 3 tests\n\
            test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.1s\n\
            test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let count = Count::of_rust_tests(printed, false);
        assert_eq!(
            count,
            Count {
                passed: 3,
                failed: 2,
                skipped: 1,
                failures: Vec::new(),
            }
        );
        assert_eq!(
            Count::of_rust_tests("error: could not compile", false).failed,
            1
        );
    }

    #[test]
    fn counts_are_read_from_tap() {
        let printed = "TAP version 13\nok 1 - a\n# pass 9 is not a sum\n1..4\n# tests 5\n\
            # suites 0\n# pass 2\n# fail 1\n# cancelled 1\n# skipped 1\n# todo 0\n\
            # duration_ms 3.5\n";
        let count = Count {
            passed: 2,
            failed: 2,
            skipped: 1,
            failures: Vec::new(),
        };
        assert_eq!(Count::of_tap(printed, false), count);
        assert_eq!(Count::of_tap("TAP version 13\nok 1 - a\n", true).failed, 1);
        let all_passed = "# pass 3\n# fail 0\n";
        assert_eq!(Count::of_tap(all_passed, false).failed, 1);
        assert_eq!(Count::of_tap(all_passed, true).passed, 3);
    }
}
