//! What is wrong with a configuration, shown as a compiler shows it: file, line, column, the line
//! itself with the part underlined, and what to do.

mod code;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

pub use code::Code;

/// A file (or standard input) and its text, as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Where it was read.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// Bytes in its text.
    pub span: Range<usize>,
}

/// Line and column, both from one; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl SourceFile {
    /// Line and column of a byte.
    pub fn position(&self, at: usize) -> Position {
        let before = self
            .text
            .get(..at.min(self.text.len()))
            .unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl Place {
    /// Where it begins.
    pub fn start(&self) -> Position {
        self.file.position(self.span.start)
    }

    /// Where it ends (the position after it).
    pub fn end(&self) -> Position {
        self.file.position(self.span.end)
    }
}

/// `file:line:column`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.start();
        write!(f, "{}:{line}:{column}", self.file.path.display())
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing starts.
    Error,
    /// It starts, but not all is as the configuration says.
    Warning,
    /// It starts, and there is something to know.
    Note,
}

impl Severity {
    /// The word that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// A change of the file that mends a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does: `replace by "read_only"`.
    pub title: String,
    /// The changes, from the front of the text to its end, none over another.
    pub edits: Vec<TextEdit>,
}

/// A part of a text and what stands there afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextEdit {
    /// Bytes of the text.
    pub span: Range<usize>,
    /// The new text.
    pub new_text: String,
}

impl TextEdit {
    /// Carries edits (in order, none over another) out.
    pub fn apply(text: &str, edits: &[TextEdit]) -> String {
        let mut edited = String::with_capacity(text.len());
        let mut at = 0;
        for edit in edits {
            edited.push_str(text.get(at..edit.span.start).unwrap_or(""));
            edited.push_str(&edit.new_text);
            at = edit.span.end;
        }
        edited.push_str(text.get(at..).unwrap_or(""));
        edited
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Which kind of trouble, for machines.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// Where, when it is about a file.
    pub place: Option<Place>,
    /// What to do about it.
    pub help: Option<String>,
    /// What would mend it in the file of `place`.
    pub fix: Option<Box<Fix>>,
}

impl Problem {
    /// An error that is about no place so far.
    pub(crate) fn error(code: Code, message: String) -> Self {
        Problem {
            severity: Severity::Error,
            code,
            message,
            place: None,
            help: None,
            fix: None,
        }
    }

    /// A warning that is about no place so far.
    pub(crate) fn warning(code: Code, message: String) -> Self {
        Problem {
            severity: Severity::Warning,
            ..Problem::error(code, message)
        }
    }

    pub(crate) fn at(self, place: Option<Place>) -> Self {
        Problem { place, ..self }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Problem {
            help: Some(help.into()),
            ..self
        }
    }
}

/// `file:line:column: error: …` (the form that editors and terminals turn into links), then the line
/// itself with the part underlined, then the help.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.severity.as_str();
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{severity}: {}", self.message)?;
        let mut margin = String::new();
        if let Some(place) = &self.place {
            let number = place.start().line.to_string();
            margin = " ".repeat(number.len());
            let Excerpt { text, underline } = Excerpt::of(place);
            write!(f, "\n{margin} |\n{number} | {text}\n{margin} | {underline}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n{margin} = help: {help}")?;
        }
        Ok(())
    }
}

/// The line that a place begins in, and what goes under it.
struct Excerpt {
    text: String,
    underline: String,
}

/// Longer lines (a configuration in one line) are cut around the place.
const LONGEST_LINE: usize = 160;
/// Characters kept in front of the place then.
const KEPT_BEFORE: usize = 60;

impl Excerpt {
    fn of(place: &Place) -> Self {
        let Position { line, column } = place.start();
        let text = place.file.text.lines().nth(line - 1).unwrap_or("");
        let mut characters: Vec<char> = text.chars().collect();
        let mut before = (column - 1).min(characters.len());
        // Only what is on this line can be underlined.
        let spanned = place.file.text.get(place.span.clone()).unwrap_or("");
        let spanned = spanned.lines().next().unwrap_or("").chars().count();
        let mut width = spanned.min(characters.len() - before).max(1);
        if characters.len() > LONGEST_LINE {
            let start = before.saturating_sub(KEPT_BEFORE);
            let end = (start + LONGEST_LINE).min(characters.len());
            let (cut_before, cut_after) = (start > 0, end < characters.len());
            characters = characters[start..end].to_vec();
            before -= start;
            width = width.min(characters.len().saturating_sub(before)).max(1);
            if cut_before {
                characters.insert(0, '…');
                before += 1;
            }
            if cut_after {
                characters.push('…');
            }
        }
        // Tabs keep their width under the line they stand in.
        let mut underline: String = characters[..before]
            .iter()
            .map(|character| if *character == '\t' { '\t' } else { ' ' })
            .collect();
        underline.push_str(&"^".repeat(width));
        Excerpt {
            text: characters.into_iter().collect(),
            underline,
        }
    }
}

/// Everything that is wrong with a configuration, warnings last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<Problem>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let before = if index == 0 { "" } else { "\n" };
            write!(f, "{before}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Range<usize>) -> String {
        let file = Arc::new(SourceFile {
            path: "a.json".into(),
            text: text.to_owned(),
        });
        let problem = Problem::error(Code::Syntax, "no".to_owned());
        problem.at(Some(Place { file, span })).to_string()
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let text = format!("{}x{}", "a".repeat(500), "b".repeat(500));
        let shown = shown(&text, 500..501);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], "a.json:1:501: error: no");
        assert!(lines[2].starts_with("1 | …aaa") && lines[2].ends_with("bbb…"));
        assert!(lines[2].chars().count() < 170, "{shown}");
        let at = lines[3].chars().position(|character| character == '^');
        assert_eq!(lines[2].chars().nth(at.unwrap()), Some('x'));
    }

    #[test]
    fn places_at_the_very_end_and_in_empty_texts_are_shown() {
        assert_eq!(shown("", 0..0), "a.json:1:1: error: no\n  |\n1 | \n  | ^");
        assert_eq!(
            shown("a\n", 2..2),
            "a.json:2:1: error: no\n  |\n2 | \n  | ^"
        );
        assert_eq!(
            shown("\tä\r\n", 1..9),
            "a.json:1:2: error: no\n  |\n1 | \tä\n  | \t^"
        );
    }
}
