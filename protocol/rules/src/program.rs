//! Program text that interpreters and loaders look for along their search paths: it belongs to
//! the local program, wherever it lies, unless a list of the user says otherwise.
//!
//! These default rules of mirrord are floating patterns (`.\.py$`, `/node_modules`). As automata
//! they multiply each other's states; as plain comparisons they cost nothing to prepare and one
//! pass over the path.

use crate::decide::Rule;

/// How a rule finds its text; always in any case (ASCII).
#[derive(Debug, Clone, Copy)]
enum Find {
    /// At the end, with at least one byte before it.
    EndAfterOne,
    /// At the end.
    End,
}

/// A text to find and the rule that is shown: the pattern of mirrord's list where it has one.
type ProgramRule = (Find, &'static str, &'static str);

const ENDS: &[ProgramRule] = &[
    // Shared objects, and what build systems write beside them.
    (Find::EndAfterOne, ".so", r"fs.local (default) .\.so$"),
    (Find::EndAfterOne, ".d", r"fs.local (default) .\.d$"),
    // Shell, Ruby.
    (Find::EndAfterOne, ".sh", r"fs.local (default) .\.sh$"),
    (Find::EndAfterOne, ".rb", r"fs.local (default) .\.rb$"),
    // Python, and its virtual environments.
    (Find::EndAfterOne, ".py", r"fs.local (default) .\.py$"),
    (Find::EndAfterOne, ".pyc", r"fs.local (default) .\.pyc$"),
    (Find::EndAfterOne, ".pth", r"fs.local (default) .\.pth$"),
    (Find::End, "venv.cfg", r"fs.local (default) venv\.cfg$"),
    // Java.
    (Find::EndAfterOne, ".jar", r"fs.local (default) .\.jar$"),
    (Find::EndAfterOne, ".class", r"fs.local (default) .\.class$"),
    (
        Find::End,
        "/jvm.cfg",
        r"fs.local (default) .*(^|/)jvm\.cfg$",
    ),
    // JavaScript: sources, and package files looked for in every parent directory.
    (Find::EndAfterOne, ".js", r"fs.local (default) .\.js$"),
    (
        Find::End,
        "/package.json",
        r"fs.local (default) /package\.json$",
    ),
    (Find::End, "/.yarnrc", r"fs.local (default) /\.yarnrc$"),
    (
        Find::End,
        "/.yarnrc.yml",
        r"fs.local (default) /\.yarnrc.yml$",
    ),
    (
        Find::End,
        "/.yarnrc.json",
        r"fs.local (default) /\.yarnrc.json$",
    ),
    // .NET: assemblies and symbols.
    (Find::End, ".dll", r"fs.local (default) \.dll$"),
    (Find::End, ".pdb", r"fs.local (default) \.pdb$"),
    // Apple property lists.
    (Find::EndAfterOne, ".plist", r"fs.local (default) .\.plist$"),
    // The asdf version manager.
    (
        Find::End,
        "/.tool-versions",
        r"fs.local (default) .*/\.tool-versions$",
    ),
];

/// The rule that makes a path part of the local program.
#[inline]
pub(crate) fn matching(path: &[u8]) -> Option<Rule<'static>> {
    let last = path.last()?.to_ascii_lowercase();
    for (find, text, rule) in ENDS {
        let text = text.as_bytes();
        // Most paths fail here, for every rule.
        if text.last() == Some(&last)
            && ends_with(path, text)
            && (matches!(find, Find::End) || path.len() > text.len())
        {
            return Some(Rule::fixed(rule));
        }
    }
    if last.is_ascii_digit() && is_versioned_object(path) {
        return Some(Rule::fixed(r"fs.local (default) .\.so(\.[0-9]+)+$"));
    }
    let mut after_clr = false;
    for (at, byte) in path.iter().enumerate() {
        let rest = &path[at..];
        match byte {
            b'/' if begins_with(rest, b"/node_modules") => {
                return Some(Rule::fixed("fs.local (default) /node_modules"));
            }
            b'.' if begins_with(rest, b".asdf/") => {
                return Some(Rule::fixed(r"fs.local (default) .+\.asdf/.+"));
            }
            // The .NET debugger's pipes: `clr-debug-pipe-1`. The dash of `clr-` may not be that
            // of `-pipe-`.
            b'-' if after_clr && begins_with(rest, b"-pipe-") => {
                return Some(Rule::fixed("fs.local (default) clr-.*-pipe-"));
            }
            b'-' => after_clr |= ends_with(&path[..at], b"clr"),
            _ => {}
        }
    }
    None
}

/// `libssl.so.3`: ours, not mirrord's. There the dynamic loader's own opens are never seen (they
/// are calls inside libc, which is not hooked); to us the kernel shows them.
fn is_versioned_object(path: &[u8]) -> bool {
    let mut rest = path;
    while let Some(dot) = rest.iter().rposition(|&byte| byte == b'.') {
        let version = &rest[dot + 1..];
        if version.is_empty() || !version.iter().all(u8::is_ascii_digit) {
            return false;
        }
        rest = &rest[..dot];
        if rest.len() > 3 && ends_with(rest, b".so") {
            return true;
        }
    }
    false
}

/// Whether a path ends with the program that was started.
pub(crate) fn ends_with(path: &[u8], end: &[u8]) -> bool {
    path.len() >= end.len() && path[path.len() - end.len()..].eq_ignore_ascii_case(end)
}

fn begins_with(path: &[u8], start: &[u8]) -> bool {
    path.len() >= start.len() && path[..start.len()].eq_ignore_ascii_case(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The comparison means what the pattern that is shown says.
    #[test]
    fn every_rule_matches_what_its_text_says() {
        let mut paths: Vec<String> = Vec::new();
        let names = ENDS.iter().map(|(_, text, _)| *text);
        let more = [
            ".so.3",
            ".so.1.22",
            ".so.",
            ".so.x",
            ".1.so.2",
            "clr-a-pipe-1",
            "clr-pipe-",
            "/node_modules",
            ".asdf/",
        ];
        for text in names.chain(more) {
            let upper = text.to_uppercase();
            for middle in [
                text,
                &upper,
                &format!("{text}x"),
                &text[1..],
                &text[..text.len() - 1],
            ] {
                paths.push(format!("/{middle}"));
                paths.push(format!("/x{middle}"));
                paths.push(middle.to_owned());
                paths.push(format!("/x/{middle}/y"));
                paths.push(format!("/x{middle}y"));
            }
        }
        let patterns: Vec<&str> = ENDS
            .iter()
            .map(|(_, _, rule)| *rule)
            .chain([
                r"(default) .\.so(\.[0-9]+)+$",
                "(default) clr-.*-pipe-",
                "(default) /node_modules",
                r"(default) .+\.asdf/.+",
            ])
            .map(|rule| rule.split_once("(default) ").unwrap().1)
            .collect();
        // Where mirrord's pattern has an unescaped dot, or asks for bytes after `.asdf/`, the
        // comparison is the plain reading.
        let patterns = patterns.iter().map(|pattern| {
            pattern
                .replace("yarnrc.", r"yarnrc\.")
                .replace(r".+\.asdf/.+", r"\.asdf/")
        });
        let set = regex::bytes::RegexSetBuilder::new(patterns)
            .case_insensitive(true)
            .build()
            .unwrap();
        for path in &paths {
            let matched = matching(path.as_bytes());
            // `jvm.cfg` alone is no absolute path; the rest must agree.
            if !path.eq_ignore_ascii_case("jvm.cfg") {
                assert_eq!(
                    matched.is_some(),
                    set.is_match(path.as_bytes()),
                    "{path} {matched:?}"
                );
            }
        }
    }
}
