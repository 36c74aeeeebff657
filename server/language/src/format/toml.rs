//! TOML's layout: one space around `=`, no spaces at the ends of lines, one blank line at most, and
//! nothing in front of keys and headers. Values and comments are left as they are.

use crate::syntax::{Node, Statement, StatementKind, Tree};

pub(super) fn format(text: &str, tree: &Tree) -> String {
    let mut formatted = String::new();
    let mut at = 0;
    for statement in &tree.statements {
        between(&text[at..statement.span.start], &mut formatted);
        match &statement.kind {
            StatementKind::Header => formatted.push_str(&text[statement.span.clone()]),
            StatementKind::Assignment { value, .. } => {
                assignment(text, statement, value, &mut formatted);
            }
        }
        at = statement.span.end;
    }
    between(&text[at..], &mut formatted);
    let mut formatted = formatted.trim().to_owned();
    formatted.push('\n');
    formatted
}

fn assignment(text: &str, statement: &Statement, value: &Node, formatted: &mut String) {
    let keys = statement.keys.iter().map(|key| &text[key.span.clone()]);
    formatted.push_str(&keys.collect::<Vec<_>>().join("."));
    formatted.push_str(" = ");
    formatted.push_str(&text[value.span.clone()]);
}

/// What stands between two statements: the end of a line (perhaps with a comment), blank lines,
/// lines of comments.
fn between(text: &str, formatted: &mut String) {
    let mut lines = text.split('\n').map(str::trim);
    if let Some(rest) = lines.next().filter(|rest| !rest.is_empty()) {
        if !formatted.is_empty() && !formatted.ends_with('\n') {
            formatted.push(' ');
        }
        formatted.push_str(rest);
    }
    let mut blank = false;
    for line in lines {
        if !formatted.ends_with('\n') {
            formatted.push('\n');
        }
        if line.is_empty() {
            blank = true;
            continue;
        }
        if std::mem::take(&mut blank) {
            formatted.push('\n');
        }
        formatted.push_str(line);
    }
    // The last of the pieces is the beginning of the next statement's line.
    let blank_lines = text.matches('\n').count();
    let ends_blank = text
        .rsplit('\n')
        .nth(1)
        .is_some_and(|line| line.trim().is_empty());
    if blank && blank_lines > 1 && ends_blank && !formatted.ends_with("\n\n") {
        formatted.push('\n');
    }
}
